//! Several separators, lines, the adapters with the traits of futures-io, water marks and vectored
//! writes of streams.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::future::Future;
use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::streams::{IncompleteRead, LimitOverrun, StreamOptions, open_connection_with};
use evloop::task::yield_now;
use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter, spawn};
use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use futures::{FutureExt, StreamExt, join, poll};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

async fn pair_with(limit: usize) -> (StreamReader, StreamWriter, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = StreamOptions { limit, ..StreamOptions::default() };
    let addr = listener.local_addr().unwrap();
    let (reader, writer) = open_connection_with(addr, &options).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    (reader, writer, peer)
}

async fn pair() -> (StreamReader, StreamWriter, TcpStream) {
    pair_with(StreamOptions::default().limit).await
}

/// Returns a reader whose peer has sent `text` and ended.
async fn reader_of(text: &str, limit: usize) -> (StreamReader, StreamWriter) {
    let (reader, writer, peer) = pair_with(limit).await;
    peer.write_all(text.as_bytes()).await.unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    (reader, writer)
}

/// Writes until more than `unsent` bytes are unsent: the peer does not read. Returns the number of
/// written bytes.
fn fill(writer: &StreamWriter, unsent: usize) -> usize {
    let mut written = 0;
    while writer.write_buffer_size() <= unsent {
        writer.write([b'x'; 100_000]);
        written += 100_000;
    }
    written
}

#[test]
fn the_separator_that_ends_first_ends_the_piece() {
    run(async {
        let (mut reader, _writer) = reader_of("one\r\ntwo\nthree;four\r", 100).await;
        let ends: &[&[u8]] = &[b"\n", b";", b"\r\n"];
        for piece in ["one\r\n", "two\n", "three;"] {
            assert_eq!(reader.read_until_any(ends).await.unwrap(), piece.as_bytes());
        }
        let error = reader.read_until_any(ends).await.unwrap_err();
        let incomplete = IncompleteRead::of(&error).unwrap();
        assert_eq!((&*incomplete.partial, incomplete.expected), (&b"four\r"[..], None));
    });
}

#[test]
fn separators_may_be_split_between_two_packets() {
    run(async {
        let text = "a<b>c<!--d-->e<b";
        for cut in 0..text.len() {
            let (mut reader, _writer, peer) = pair().await;
            let send = async {
                let (one, two) = text.as_bytes().split_at(cut);
                peer.write_all(one).await.unwrap();
                yield_now().await;
                peer.write_all(two).await.unwrap();
            };
            let read = async {
                let ends: &[&[u8]] = &[b"<!--", b"-->", b"<b>"];
                for piece in ["a<b>", "c<!--", "d-->"] {
                    assert_eq!(reader.read_until_any(ends).await.unwrap(), piece.as_bytes());
                }
            };
            join!(send, read);
        }
    });
}

#[test]
fn the_limit_counts_the_bytes_before_the_separator() {
    run(async {
        let (mut reader, _writer) = reader_of("12345<b>123456<b>", 5).await;
        let ends: &[&[u8]] = &[b"<b>", b"\n"];
        assert_eq!(reader.read_until_any(ends).await.unwrap(), b"12345<b>");
        let error = reader.read_until_any(ends).await.unwrap_err();
        assert_eq!(LimitOverrun::of(&error), Some(&LimitOverrun { consumed: 6, limit: 5 }));
        assert_eq!(reader.read_exact(6).await.unwrap(), b"123456");
        assert_eq!(reader.read_until_any(ends).await.unwrap(), b"<b>");
    });
}

#[test]
#[should_panic(expected = "read_until needs a separator")]
fn an_empty_list_of_separators_panics() {
    let _ = run(async { pair().await.0.read_until_any(&[]).await });
}

#[test]
#[should_panic(expected = "read_until needs a separator")]
fn an_empty_separator_among_others_panics() {
    let _ = run(async { pair().await.0.read_until_any(&[b"a", b""]).await });
}

#[test]
fn lines_end_with_the_stream() {
    run(async {
        let (mut reader, _writer) = reader_of("one\n\nlast", 100).await;
        let lines: Vec<_> = reader.lines().map(|line| line.unwrap()).collect().await;
        assert_eq!(lines, [b"one\n".to_vec(), b"\n".to_vec(), b"last".to_vec()]);
        assert!(reader.at_eof());
        assert!(reader.lines().next().await.is_none());
    });
}

#[test]
fn lines_end_with_the_first_error_and_the_bytes_stay() {
    run(async {
        let (mut reader, _writer) = reader_of("one\n123456\n", 5).await;
        let mut lines = reader.lines();
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one\n");
        assert_eq!(lines.next().await.unwrap().unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(lines.next().await.is_none());
        drop(lines);
        assert_eq!(reader.read(100).await.unwrap(), b"123456\n");
    });
}

#[test]
fn lines_wake_the_last_task_that_polled_and_lose_no_bytes_when_dropped() {
    run(async {
        let (mut reader, _writer, peer) = pair().await;
        for text in ["par", "tial\nsec"] {
            let mut lines = reader.lines();
            assert!(poll!(lines.next()).is_pending(), "the future is dropped here");
            let (line, ()) =
                join!(lines.next().map(|line| line.map(|line| line.unwrap())), async {
                    peer.write_all(text.as_bytes()).await.unwrap();
                    if text == "par" {
                        peer.write_all(b"t\n").await.unwrap();
                    }
                });
            let expected: &[u8] = if text == "par" { b"part\n" } else { b"tial\n" };
            assert_eq!(line.unwrap(), expected);
        }
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.read_to_end().await.unwrap(), b"sec");
    });
}

#[test]
fn the_async_read_adapter_returns_buffered_bytes_first() {
    run(async {
        let (mut reader, _writer) = reader_of("one\ntwo\nthree", 100).await;
        assert_eq!(reader.read_line().await.unwrap(), b"one\n");
        let mut line = String::new();
        reader.as_async_read().read_line(&mut line).await.unwrap();
        assert_eq!(line, "two\n");
        let mut two = [0; 2];
        reader.as_async_read().read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"th");
        assert_eq!(reader.as_async_read().read(&mut []).await.unwrap(), 0);
        assert_eq!(reader.read(100).await.unwrap(), b"ree");
        assert_eq!(reader.as_async_read().read(&mut two).await.unwrap(), 0, "the end");
        assert!(reader.at_eof());
    });
}

#[test]
fn the_async_write_adapter_waits_at_the_water_marks() {
    run(async {
        let (_reader, writer, peer) = pair().await;
        let written = fill(&writer, 64 * 1024);
        let mut by_trait = writer.as_async_write();
        assert!(poll!(by_trait.write_all(b"more")).is_pending());
        assert!(poll!(by_trait.flush()).is_pending());
        let reading = spawn(async move {
            let (mut all, mut buf) = (0, vec![0; 64 * 1024]);
            while let n @ 1.. = peer.read(&mut buf).await.unwrap() {
                all += n;
            }
            all
        });
        by_trait.write_all(b"more").await.unwrap();
        by_trait.flush().await.unwrap();
        assert_eq!(writer.write_buffer_size(), 0);
        by_trait.close().await.unwrap();
        assert_eq!(reading.await.unwrap(), written + 4);
        let error = by_trait.write_all(b"after the end").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_dropped_async_write_adapter_removes_its_waiter() {
    run(async {
        let (_reader, writer, _peer) = pair().await;
        fill(&writer, 64 * 1024);
        for _ in 0..20_000 {
            let mut by_trait = writer.as_async_write();
            let polled = poll!(std::future::poll_fn(|cx| Pin::new(&mut by_trait).poll_flush(cx)));
            assert_eq!(polled.map(|_| ()), Poll::Pending);
        }
        // A waiter that was not removed would be woken here.
        writer.abort();
    });
}

#[test]
fn all_draining_tasks_are_woken_at_the_low_water_mark() {
    run(async {
        let (_reader, writer, peer) = pair().await;
        let writer = std::rc::Rc::new(writer);
        let written = fill(&writer, 64 * 1024);
        let drainers: Vec<_> = (0..10)
            .map(|_| {
                let writer = writer.clone();
                spawn(async move {
                    writer.drain().await.unwrap();
                    writer.write_buffer_size()
                })
            })
            .collect();
        yield_now().await;
        assert!(drainers.iter().all(|drainer| !drainer.is_finished()));
        peer.read_exact(&mut vec![0; written]).await.unwrap();
        for drainer in drainers {
            assert!(drainer.await.unwrap() <= 16 * 1024);
        }
    });
}

#[test]
fn above_the_high_water_mark_drain_waits_for_the_low_one() {
    run(async {
        let (_reader, writer, peer) = pair().await;
        let (low, high) = (1 << 20, 8 << 20);
        writer.set_write_buffer_limits(low, high);
        fill(&writer, high);
        let mut buf = vec![0; 64 * 1024];
        // Below the high-water mark, but not at the low-water mark.
        while writer.write_buffer_size() > high - (1 << 20) {
            peer.read(&mut buf).await.unwrap();
        }
        assert!(writer.write_buffer_size() > low);
        assert!(writer.drain().now_or_never().is_none(), "the writer is paused");
        writer.set_write_buffer_limits(high, high);
        writer.drain().now_or_never().expect("the new marks end the pause").unwrap();
        writer.set_write_buffer_limits(0, 0);
        assert!(writer.drain().now_or_never().is_none(), "some bytes are unsent");
    });
}

#[test]
fn vectored_writes_are_sent_together_and_in_order() {
    run(async {
        let (_reader, writer, peer) = pair().await;
        let words = ["one ", "", "two ", "three"];
        writer.write_vectored(&words.map(|word| IoSlice::new(word.as_bytes())));
        let mut buf = [0; 64];
        assert_eq!(peer.read(&mut buf).await.unwrap(), 13, "in one packet");
        assert_eq!(&buf[..13], b"one two three");

        // More bytes than the system accepts, and more buffers than one call accepts (IOV_MAX).
        let pieces: Vec<Vec<u8>> = (0..5000u32).map(|i| i.to_le_bytes().repeat(500)).collect();
        let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        writer.write_vectored(&slices);
        writer.write_vectored(&[IoSlice::new(b"end")]);
        assert!(writer.write_buffer_size() > 0);
        let mut all = vec![0; 5000 * 2000 + 3];
        peer.read_exact(&mut all).await.unwrap();
        assert!(all == [pieces.concat(), b"end".to_vec()].concat());
    });
}

#[test]
fn drains_and_buffered_reads_spend_the_budget() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        peer.write_all(&[b'\n'; 10_000]).await.unwrap();
        let reading = spawn(async move {
            for _ in 0..10_000 {
                reader.read_line().await.unwrap();
            }
        });
        let draining = spawn(async move {
            for _ in 0..10_000 {
                writer.drain().await.unwrap();
            }
        });
        let mut turns = 0;
        while !(reading.is_finished() && draining.is_finished()) {
            yield_now().await;
            turns += 1;
        }
        // Eight of these operations spend as much as one that reads from the socket.
        assert!(turns >= 10_000 / (8 * 128), "{turns} turns beside 10,000 operations");
    });
}
