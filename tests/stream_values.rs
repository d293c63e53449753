//! Numbers, frames and lines of streams; readers of bytes that a test feeds; owned views.

#![cfg(feature = "streams")]

use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::Duration;

use evloop::io::duplex;
use evloop::streams::{
    Feeder, FrameFormat, FrameTooLong, IncompleteRead, LimitOverrun, StreamOptions, from_io,
    from_io_with, memory_reader,
};
use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter, spawn};
use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use futures::{FutureExt, poll};

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Returns a writer, and the reader of what it writes.
fn pair() -> (StreamWriter, StreamReader) {
    let (one, other) = duplex(1024);
    let ((_, writer), (reader, other_writer)) = (from_io(one), from_io(other));
    // Closing it would end the reader.
    std::mem::forget(other_writer);
    (writer, reader)
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Feeds `bytes` one by one. Drops the future whenever it waits; returns the first result.
async fn feed_slowly<T>(
    bytes: &[u8],
    feeder: &Feeder,
    reader: &mut StreamReader,
    read: impl AsyncFn(&mut StreamReader) -> io::Result<T>,
) -> io::Result<T> {
    for byte in bytes {
        if let Some(result) = read(reader).now_or_never() {
            return result;
        }
        feeder.feed_data([*byte]);
        reader.get_ref().readable().await.unwrap();
    }
    read(reader).await
}

#[test]
fn numbers_are_read_as_they_were_written() {
    run(async {
        let (writer, mut reader) = pair();
        writer.write_u8(1);
        writer.write_i8(-1);
        writer.write_u16(0x0102);
        writer.write_i16_le(-2);
        writer.write_u32_le(0x0102_0304);
        writer.write_i32(-3);
        writer.write_u64(u64::MAX - 1);
        writer.write_i64_le(i64::MIN);
        writer.write_u128_le(u128::MAX / 3);
        writer.write_i128(i128::MIN + 1);
        writer.write_f32(1.5);
        writer.write_f64_le(-0.1);
        assert_eq!(reader.read_u8().await.unwrap(), 1);
        assert_eq!(reader.read_i8().await.unwrap(), -1);
        assert_eq!(reader.read_u16().await.unwrap(), 0x0102);
        assert_eq!(reader.read_i16_le().await.unwrap(), -2);
        assert_eq!(reader.read_u32_le().await.unwrap(), 0x0102_0304);
        assert_eq!(reader.read_i32().await.unwrap(), -3);
        assert_eq!(reader.read_u64().await.unwrap(), u64::MAX - 1);
        assert_eq!(reader.read_i64_le().await.unwrap(), i64::MIN);
        assert_eq!(reader.read_u128_le().await.unwrap(), u128::MAX / 3);
        assert_eq!(reader.read_i128().await.unwrap(), i128::MIN + 1);
        assert_eq!(reader.read_f32().await.unwrap(), 1.5);
        assert_eq!(reader.read_f64_le().await.unwrap(), -0.1);
    });
}

#[test]
fn the_order_of_the_bytes_is_that_of_the_name() {
    run(async {
        let (writer, mut reader) = pair();
        writer.write_u16(0x0102);
        writer.write_u16_le(0x0102);
        writer.write_i64(-2);
        writer.write_u32_le(7);
        assert_eq!(reader.read_exact(4).await.unwrap(), [1, 2, 2, 1]);
        assert_eq!(reader.read_exact(8).await.unwrap(), [255, 255, 255, 255, 255, 255, 255, 254]);
        assert_eq!(reader.read_exact(4).await.unwrap(), [7, 0, 0, 0]);
    });
}

#[test]
fn a_number_that_is_dropped_at_every_await_loses_no_bytes() {
    run(async {
        let (feeder, mut reader) = memory_reader();
        let read = async |reader: &mut StreamReader| reader.read_u32().await;
        let number = feed_slowly(&[1, 2, 3, 4], &feeder, &mut reader, read).await;
        assert_eq!(number.unwrap(), 0x0102_0304);
        feeder.feed_data([1, 2, 3]);
        feeder.feed_eof();
        let error = reader.read_u32().await.unwrap_err();
        let expected = IncompleteRead { partial: vec![1, 2, 3], expected: Some(4) };
        assert_eq!(IncompleteRead::of(&error), Some(&expected));
        assert_eq!(error.to_string(), "the stream ended after 3 of 4 bytes");
    });
}

#[test]
fn lengths_of_frames_have_the_size_and_the_order_of_the_format() {
    run(async {
        for (length_bytes, little_endian, expected) in [
            (1, false, &[3][..]),
            (2, false, &[0, 3]),
            (2, true, &[3, 0]),
            (3, true, &[3, 0, 0]),
            (4, false, &[0, 0, 0, 3]),
            (8, true, &[3, 0, 0, 0, 0, 0, 0, 0]),
            (8, false, &[0, 0, 0, 0, 0, 0, 0, 3]),
        ] {
            let (writer, mut reader) = pair();
            let format = FrameFormat { length_bytes, little_endian, ..FrameFormat::default() };
            writer.write_frame("abc", &format).unwrap();
            writer.write_frame(vec![7; 200], &format).unwrap();
            assert_eq!(reader.read_exact(length_bytes).await.unwrap(), expected);
            assert_eq!(reader.read_exact(3).await.unwrap(), b"abc");
            assert_eq!(reader.read_frame(&format).await.unwrap().unwrap(), [7; 200]);
        }
    });
}

#[test]
fn a_frame_that_is_dropped_at_every_await_loses_no_bytes() {
    run(async {
        let (feeder, mut reader) = memory_reader();
        let format = FrameFormat { length_bytes: 2, ..FrameFormat::default() };
        let read = async |reader: &mut StreamReader| reader.read_frame(&format).await;
        let frame = feed_slowly(b"\0\x05hello", &feeder, &mut reader, read).await.unwrap();
        assert_eq!(frame.unwrap(), b"hello");
        feeder.feed_data("\0\0\0\x01x\0\x02y");
        assert_eq!(reader.read_frame(&format).await.unwrap().unwrap(), b"");
        assert_eq!(reader.read_frame(&format).await.unwrap().unwrap(), b"x");
        feeder.feed_eof();
        let error = reader.read_frame(&format).await.unwrap_err();
        let expected = IncompleteRead { partial: b"\0\x02y".to_vec(), expected: Some(4) };
        assert_eq!(IncompleteRead::of(&error), Some(&expected));
        assert_eq!(reader.read_frame(&format).await.unwrap(), None, "nothing is left");
    });
}

#[test]
fn a_frame_above_the_maximum_is_an_error_that_names_both_lengths() {
    run(async {
        let (writer, mut reader) = pair();
        let format = FrameFormat { max_len: 4, ..FrameFormat::default() };
        let error = writer.write_frame("12345", &format).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(FrameTooLong::of(&error), Some(&FrameTooLong { len: 5, max_len: 4 }));
        writer.write_frame("1234", &format).unwrap();
        writer.write_frame("12345", &FrameFormat::default()).unwrap();
        assert_eq!(reader.read_frame(&format).await.unwrap().unwrap(), b"1234");
        for _ in 0..2 {
            let error = reader.read_frame(&format).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert_eq!(error.to_string(), "the frame has 5 bytes, but at most 4 are allowed");
        }
        let frame = reader.read_frame(&FrameFormat::default()).await.unwrap();
        assert_eq!(frame.unwrap(), b"12345", "the frame stays in the reader");
        // The field of a length has a maximum, too.
        let format = FrameFormat { length_bytes: 1, ..FrameFormat::default() };
        let error = writer.write_frame([0; 256], &format).unwrap_err();
        assert_eq!(FrameTooLong::of(&error), Some(&FrameTooLong { len: 256, max_len: 255 }));
        // Eight bytes of 255 are no length of this system.
        writer.write([255; 8]);
        let format = FrameFormat { length_bytes: 8, max_len: usize::MAX, ..format };
        let len = u64::MAX;
        let received = timeout(Duration::from_millis(5), reader.read_frame(&format)).await;
        if usize::BITS < 64 {
            let error = received.unwrap().unwrap_err();
            assert_eq!(FrameTooLong::of(&error).unwrap().len, len);
        } else {
            assert!(received.is_err(), "it waits for the rest");
        }
    });
}

#[test]
fn misuse_panics_at_the_caller() {
    /// Asserts that `misuse` panics in this file.
    fn check(misuse: impl FnOnce()) {
        let (result, (file, _)) = panic_place::catch(misuse);
        assert!(result.is_err());
        assert_eq!(file, file!());
    }
    run(async {
        let (writer, mut reader) = pair();
        for length_bytes in [0, 9] {
            let format = FrameFormat { length_bytes, ..FrameFormat::default() };
            check(|| drop(writer.write_frame("", &format)));
            check(|| drop(reader.read_frame(&format)));
        }
        check(|| drop(reader.read_until(b"")));
        check(|| drop(reader.read_until_any(&[])));
        check(|| writer.set_write_buffer_limits(2, 1));
        check(|| drop(duplex(0)));
    });
}

#[test]
fn lines_are_appended_to_the_buffer_of_the_caller() {
    run(async {
        let (feeder, mut reader) = memory_reader();
        let mut line = b">".to_vec();
        for byte in b"one\n" {
            assert!(reader.read_line_into(&mut line).now_or_never().is_none());
            assert_eq!(line, b">", "a dropped read appends nothing");
            feeder.feed_data([*byte]);
            reader.get_ref().readable().await.unwrap();
        }
        assert_eq!(reader.read_line_into(&mut line).await.unwrap(), 4);
        assert_eq!(line, b">one\n");
        feeder.feed_data("two");
        feeder.feed_eof();
        assert_eq!(reader.read_line_into(&mut line).await.unwrap(), 3);
        assert_eq!(reader.read_line_into(&mut line).await.unwrap(), 0);
        assert_eq!(line, b">one\ntwo");
    });
}

#[test]
fn an_overlong_line_is_not_appended_and_the_error_names_the_limit() {
    run(async {
        let (one, other) = duplex(64);
        let options = StreamOptions { limit: 4, ..StreamOptions::default() };
        let ((_r, writer), (mut reader, _w)) = (from_io(one), from_io_with(other, &options));
        writer.write("12345\n");
        let mut line = Vec::new();
        let error = reader.read_line_into(&mut line).await.unwrap_err();
        assert_eq!(LimitOverrun::of(&error), Some(&LimitOverrun { consumed: 5, limit: 4 }));
        assert_eq!(
            error.to_string(),
            "no separator within 4 bytes, the reader's limit: read 5 bytes to skip them, or open \
             the stream with a higher StreamOptions::limit"
        );
        assert!(line.is_empty());
        assert_eq!(reader.read_exact(6).await.unwrap(), b"12345\n");
    });
}

#[test]
fn fed_bytes_wake_the_reader_and_the_end_follows_them() {
    run(async {
        let (feeder, mut reader) = memory_reader();
        let mut read = Box::pin(reader.read_to_end());
        assert!(poll!(&mut read).is_pending());
        feeder.feed_data("ab");
        feeder.feed_data(b"c");
        assert!(poll!(&mut read).is_pending());
        feeder.feed_eof();
        feeder.feed_data("after the end");
        assert_eq!(read.await.unwrap(), b"abc");
        assert!(reader.at_eof() && reader.error().is_none());

        let (feeder, mut reader) = memory_reader();
        feeder.feed_data("x");
        drop(feeder);
        assert_eq!(reader.read_to_end().await.unwrap(), b"x", "a dropped feeder ends the stream");
        // Many more bytes than one read takes.
        let (feeder, mut reader) = memory_reader();
        feeder.feed_data(vec![7; 1 << 20]);
        drop(feeder);
        assert_eq!(reader.read_to_end().await.unwrap().len(), 1 << 20);
    });
}

#[test]
fn a_fed_error_is_reported_at_each_read_and_by_error() {
    run(async {
        let (feeder, mut reader) = memory_reader();
        assert!(reader.error().is_none());
        let read = async {
            let line = reader.read_line().await;
            (line, reader)
        };
        let read = spawn(read);
        feeder.feed_data("abc");
        feeder.feed_error(ErrorKind::ConnectionReset.into());
        feeder.feed_error(ErrorKind::TimedOut.into());
        let (line, mut reader) = read.await.unwrap();
        assert_eq!(kind(line), Some(ErrorKind::ConnectionReset));
        assert_eq!(reader.error().unwrap().kind(), ErrorKind::ConnectionReset);
        assert_eq!(reader.read(3).await.unwrap(), b"abc", "the bytes before it stay");
        assert_eq!(kind(reader.read(1).await), Some(ErrorKind::ConnectionReset));
    });
}

#[test]
fn owned_views_move_into_tasks_and_return_their_streams() {
    run(async {
        let (writer, mut reader) = pair();
        let write = spawn(async move {
            let mut view = writer.into_async_write();
            view.write_all(b"one\ntwo\n").await.unwrap();
            view.flush().await.unwrap();
            view.into_inner()
        });
        assert_eq!(reader.read(2).await.unwrap(), b"on");
        let mut view = reader.into_async_read();
        let mut line = String::new();
        view.read_line(&mut line).await.unwrap();
        assert_eq!(line, "e\n");
        let writer = write.await.unwrap();
        writer.write("three");
        let mut reader = view.into_inner();
        assert_eq!(reader.read_exact(4).await.unwrap(), b"two\n");
        let mut view = writer.into_async_write();
        view.close().await.unwrap();
        let mut rest = Vec::new();
        reader.into_async_read().read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"three", "closing the view ends the write direction");
    });
}

#[test]
fn a_view_of_a_writer_takes_several_buffers_at_once() {
    run(async {
        let (writer, mut reader) = pair();
        let bufs = [&b"one "[..], b"", b"two"].map(io::IoSlice::new);
        assert_eq!(writer.as_async_write().write_vectored(&bufs).await.unwrap(), 7);
        assert_eq!(reader.read_exact(7).await.unwrap(), b"one two");
        writer.close();
        let refused = writer.as_async_write().write_vectored(&bufs).await;
        assert_eq!(kind(refused), Some(ErrorKind::BrokenPipe));
    });
}

#[test]
fn a_view_that_waits_is_woken_and_its_drop_removes_the_waiter() {
    run(async {
        let (feeder, mut reader) = memory_reader();
        let mut buf = [0; 4];
        for _ in 0..3 {
            let mut view = reader.as_async_read();
            assert!(poll!(view.read(&mut buf)).is_pending());
        }
        let mut view = reader.into_async_read();
        assert!(poll!(view.read(&mut buf)).is_pending());
        let read = spawn(async move { view.read(&mut buf).await.map(|n| buf[..n].to_vec()) });
        feeder.feed_data("x");
        assert_eq!(read.await.unwrap().unwrap(), b"x");
    });
}

#[test]
fn all_kinds_of_bytes_and_texts_are_written() {
    run(async {
        let (writer, mut reader) = pair();
        let (text, bytes) = (String::from("c"), vec![b'f']);
        writer.write("a");
        writer.write(String::from("b"));
        writer.write(&text);
        writer.write(b"d");
        writer.write(vec![b'e']);
        writer.write(&bytes);
        writer.write(&[b'g'][..]);
        writer.write(Box::<[u8]>::from(*b"h"));
        drop((text, bytes));
        assert_eq!(reader.read_exact(8).await.unwrap(), b"abcdefgh");
        assert_eq!(writer.write_buffer_limits(), (16 * 1024, 64 * 1024));
    });
}

/// Large pieces are received in the memory in which they are returned.
#[test]
fn large_pieces_arrive_whole_and_in_order() {
    const SIZES: [usize; 9] =
        [200_000, 1, 70_000, 65_536, 3_000_000, 0, 4095, 1 << 20, (1 << 20) + 65_000];
    let all: Vec<u8> = (0..5_000_000).map(|i| (i / 7 % 253) as u8).collect();
    let piece = |size: usize| all[..size].to_vec();
    let transfer = async |mut reader: StreamReader, writer: StreamWriter| {
        let format = FrameFormat::default();
        let writing = async {
            for size in SIZES {
                writer.write(piece(size));
                writer.write_frame(piece(size), &format).unwrap();
                writer.drain().await.unwrap();
            }
            writer.write(piece(5_000_000));
            writer.shutdown_write();
        };
        let reading = async {
            for size in SIZES {
                assert!(reader.read_exact(size).await.unwrap() == piece(size), "{size}");
                assert!(reader.read_frame(&format).await.unwrap().unwrap() == piece(size));
            }
            assert!(reader.read_to_end().await.unwrap() == piece(5_000_000));
            let error = reader.read_exact(100_000).await.unwrap_err();
            assert_eq!(IncompleteRead::of(&error).unwrap().partial, b"");
        };
        futures::join!(writing, reading);
    };
    run(async {
        let (writer, reader) = pair();
        transfer(reader, writer).await;
        let listener = evloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (reader, _own_writer) = evloop::open_connection(addr).await.unwrap();
        let peer = listener.accept().await.unwrap().0;
        let (_own_reader, writer) =
            evloop::streams::from_tcp(peer, &StreamOptions::default()).unwrap();
        transfer(reader, writer).await;
        #[cfg(unix)]
        {
            let (one, other) = evloop::net::UnixStream::pair().unwrap();
            let options = StreamOptions::default();
            let (reader, _own_writer) = evloop::streams::from_unix(one, &options);
            let (_own_reader, writer) = evloop::streams::from_unix(other, &options);
            transfer(reader, writer).await;
        }
    });
}
