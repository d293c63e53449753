//! Copying, connections in memory, `join` and `chunks`.

#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use evloop::io::{
    chunks, copy, copy_bidirectional, copy_bidirectional_with_sizes, copy_buf, duplex,
    join as join_io, simplex,
};
use evloop::net::{TcpListener, TcpStream};
use evloop::spawn;
use evloop::task::yield_now;
use evloop::time::timeout;
use futures::io::{AsyncReadExt, AsyncWriteExt, Cursor};
use futures::{AsyncWrite, FutureExt, join, poll};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Returns bytes that depend on their position.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (one, listener.accept().await.unwrap().0)
}

#[test]
fn a_duplex_works_under_any_executor_and_respects_its_capacity() {
    futures::executor::block_on(async {
        let (mut one, mut other) = duplex(3);
        let send = async {
            one.write_all(b"hello").await.unwrap();
            one.close().await.unwrap();
        };
        let mut all = Vec::new();
        let receive = async {
            let mut buf = [0; 10];
            while let n @ 1.. = other.read(&mut buf).await.unwrap() {
                assert!(n <= 3);
                all.extend_from_slice(&buf[..n]);
            }
        };
        join!(send, receive);
        assert_eq!(all, b"hello");
    });
}

#[test]
fn the_directions_of_a_duplex_end_independently() {
    run(async {
        let (mut one, mut other) = duplex(10);
        one.write_all(b"ping").await.unwrap();
        one.close().await.unwrap();
        assert_eq!(one.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        other.write_all(b"pong").await.unwrap();
        let mut text = String::new();
        other.read_to_string(&mut text).await.unwrap();
        drop(other);
        one.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "pingpong", "bytes written before the drop");
    });
}

#[test]
fn closing_or_dropping_a_duplex_wakes_waiting_tasks() {
    run(async {
        let (mut one, mut other) = duplex(2);
        let mut read = [0; 2];
        let mut reading = one.read(&mut read);
        assert!(poll!(&mut reading).is_pending());
        other.close().await.unwrap();
        assert_eq!(reading.await.unwrap(), 0);

        one.write_all(b"ab").await.unwrap();
        let writing = spawn(async move { one.write(b"c").await.map_err(|error| error.kind()) });
        yield_now().await;
        drop(other);
        assert_eq!(writing.await.unwrap(), Err(ErrorKind::BrokenPipe));
    });
}

#[test]
fn empty_buffers_do_not_wait() {
    run(async {
        let (mut one, _other) = duplex(1);
        assert_eq!(one.read(&mut []).await.unwrap(), 0);
        one.write_all(b"x").await.unwrap();
        assert_eq!(one.write(b"").await.unwrap(), 0);
    });
}

#[test]
#[should_panic(expected = "the capacity of a duplex is 0")]
fn a_duplex_with_capacity_zero_panics() {
    duplex(0);
}

#[test]
fn a_copy_counts_and_leaves_the_writer_open() {
    run(async {
        let (mut one, mut other) = duplex(1000);
        let all = pattern(300_000);
        let source = all.clone();
        let copying = spawn(async move {
            assert_eq!(copy(&source[..], &mut one).await.unwrap(), 300_000);
            assert_eq!(copy_buf(Cursor::new(b"more"), &mut one).await.unwrap(), 4);
            one.write_all(b" and more").await.unwrap();
        });
        let mut came = vec![0; 300_000];
        other.read_exact(&mut came).await.unwrap();
        assert!(came == all);
        let mut text = String::new();
        other.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "more and more");
        copying.await.unwrap();
    });
}

#[test]
fn a_copy_returns_errors_of_the_reader_and_the_writer() {
    run(async {
        let (mut one, other) = duplex(10);
        drop(other);
        assert_eq!(copy(&b"hello"[..], &mut one).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let mut three = [0; 3];
        let full = Cursor::new(&mut three[..]);
        assert_eq!(copy(&b"hello"[..], full).await.unwrap_err().kind(), ErrorKind::WriteZero);
        let (one, mut other) = pair().await;
        one.set_linger(Some(Duration::ZERO)).unwrap();
        drop(one);
        let error = copy(&mut other, Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

/// A writer that buffers all bytes until it is flushed.
struct Lazy<'a> {
    held: usize,
    flushed: &'a Cell<usize>,
}

impl AsyncWrite for Lazy<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.held += buf.len();
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed.set(self.flushed.get() + std::mem::take(&mut self.held));
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn a_copy_flushes_while_it_waits_for_more() {
    run(async {
        let (mut one, mut other) = duplex(10);
        let flushed = Cell::new(0);
        let mut copying = Box::pin(copy(&mut other, Lazy { held: 0, flushed: &flushed }));
        one.write_all(b"hello").await.unwrap();
        assert!(poll!(&mut copying).is_pending());
        assert_eq!(flushed.get(), 5);
        drop(one);
        assert_eq!(copying.await.unwrap(), 5);
    });
}

#[test]
fn a_copy_of_a_buffered_reader_flushes_while_it_waits_for_more() {
    run(async {
        let (mut one, mut other) = duplex(10);
        let flushed = Cell::new(0);
        let reader = futures::io::BufReader::new(&mut other);
        let mut copying = Box::pin(copy_buf(reader, Lazy { held: 0, flushed: &flushed }));
        for all in [5, 10] {
            one.write_all(b"hello").await.unwrap();
            assert!(poll!(&mut copying).is_pending());
            assert_eq!(flushed.get(), all);
        }
        drop(one);
        assert_eq!(copying.await.unwrap(), 10);
    });
}

#[test]
fn copy_bidirectional_flushes_while_it_waits_for_more() {
    run(async {
        let ((mut one, a), (b, mut other)) = (duplex(10), duplex(10));
        let [a, b] = [a, b].map(futures::io::BufWriter::new);
        let mut proxy = Box::pin(copy_bidirectional(a, b));
        one.write_all(b"question").await.unwrap();
        other.write_all(b"answer").await.unwrap();
        assert!(poll!(&mut proxy).is_pending());
        let (mut question, mut answer) = ([0; 8], [0; 6]);
        other.read_exact(&mut question).await.unwrap();
        one.read_exact(&mut answer).await.unwrap();
        assert_eq!((&question, &answer), (b"question", b"answer"));
    });
}

#[test]
fn a_duplex_reads_and_writes_vectored() {
    run(async {
        let (mut one, mut other) = duplex(6);
        let bufs = [b"ab", &b""[..], b"cde", b"fgh"].map(IoSlice::new);
        assert_eq!(one.write_vectored(&bufs).await.unwrap(), 6, "as many as the capacity");
        assert!(one.write_vectored(&bufs).now_or_never().is_none());
        assert_eq!(one.write_vectored(&bufs[1..2]).await.unwrap(), 0);
        let (mut first, mut second) = ([0; 2], [0; 9]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(other.read_vectored(&mut bufs).await.unwrap(), 6);
        assert_eq!((&first, &second[..4]), (b"ab", &b"cdef"[..]));
    });
}

#[test]
fn an_endless_copy_spends_the_budget() {
    run(async {
        let mut copying = [
            spawn(async { copy(futures::io::repeat(1), futures::io::sink()).await.map(drop) }),
            spawn(async {
                let endless = futures::io::BufReader::new(futures::io::repeat(1));
                copy_buf(endless, futures::io::sink()).await.map(drop)
            }),
        ];
        for _ in 0..3 {
            yield_now().await;
        }
        copying.iter_mut().for_each(|copying| copying.abort());
    });
}

#[test]
fn copy_bidirectional_ends_each_direction_with_its_source() {
    run(async {
        for first in [0, 1] {
            let ((one, a), (b, other)) = (pair().await, pair().await);
            let proxy = spawn(async move { copy_bidirectional(&a, &b).await });
            let ends = if first == 0 { [one, other] } else { [other, one] };
            let all = pattern(3_000_000);
            // One end sends and ends its direction; then the other one does the same.
            for (from, to) in [(0, 1), (1, 0)] {
                let send = async {
                    ends[from].write_all(&all).await.unwrap();
                    ends[from].shutdown(Shutdown::Write).unwrap();
                };
                let mut came = Vec::new();
                let mut reader = &ends[to];
                let (_, read) = join!(send, reader.read_to_end(&mut came));
                read.unwrap();
                assert!(came == all);
                assert!(from == 1 || !proxy.is_finished(), "the other direction is open");
            }
            assert_eq!(proxy.await.unwrap().unwrap(), (3_000_000, 3_000_000));
        }
    });
}

#[test]
fn copy_bidirectional_ends_with_the_first_error() {
    run(async {
        let ((one, a), (b, other)) = (pair().await, pair().await);
        let proxy = spawn(async move { copy_bidirectional(a, b).await });
        one.set_linger(Some(Duration::ZERO)).unwrap();
        drop(one);
        assert_eq!(proxy.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(other.read(&mut [0]).await.unwrap(), 0, "the other connection is closed");
    });
}

#[test]
fn copy_bidirectional_applies_backpressure() {
    run(async {
        let ((mut one, a), (b, mut other)) = (duplex(1000), duplex(1000));
        let proxy = spawn(copy_bidirectional(a, b));
        let mut sent = 0;
        while let Ok(written) = timeout(Duration::from_millis(5), one.write(&[0; 1000])).await {
            sent += written.unwrap();
        }
        assert!(sent <= 1000 + 64 * 1024 + 1000, "{sent} bytes before anything is read");
        drop(one);
        let mut came = Vec::new();
        other.read_to_end(&mut came).await.unwrap();
        assert_eq!(came.len(), sent);
        drop(other);
        assert_eq!(proxy.await.unwrap().unwrap(), (sent as u64, 0));
    });
}

#[test]
fn a_simplex_passes_bytes_within_its_capacity_and_ends_with_its_writer() {
    futures::executor::block_on(async {
        let (mut reader, mut writer) = simplex(3);
        let send = async {
            writer.write_all(b"hello").await.unwrap();
            writer.close().await.unwrap();
            writer.write(b"x").await.unwrap_err().kind()
        };
        let mut all = Vec::new();
        let (kind, read) = join!(send, reader.read_to_end(&mut all));
        assert_eq!((kind, read.unwrap(), &all[..]), (ErrorKind::BrokenPipe, 5, &b"hello"[..]));
        let (_reader, mut writer) = simplex(3);
        let bufs = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(writer.write_vectored(&bufs).await.unwrap(), 3);
    });
}

#[test]
fn dropping_one_end_of_a_simplex_wakes_the_other() {
    run(async {
        let (mut reader, writer) = simplex(1);
        let mut buf = [0; 2];
        let mut read = reader.read(&mut buf);
        assert!(poll!(&mut read).is_pending());
        drop(writer);
        assert_eq!(read.await.unwrap(), 0);

        let (reader, mut writer) = simplex(1);
        let mut write = writer.write_all(b"ab");
        assert!(poll!(&mut write).is_pending());
        drop(reader);
        assert_eq!(write.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
#[should_panic(expected = "the capacity of a simplex is 0")]
fn a_simplex_with_capacity_zero_panics() {
    simplex(0);
}

#[test]
fn joined_halves_are_one_connection() {
    run(async {
        let ((from, mut to_joined), (mut from_joined, to)) = (simplex(64), simplex(64));
        let mut joined = join_io(from, to);
        to_joined.write_all(b"in").await.unwrap();
        let mut buf = [0; 3];
        assert_eq!(joined.read(&mut buf).await.unwrap(), 2);
        joined.write_all(b"out").await.unwrap();
        joined.close().await.unwrap();
        from_joined.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"out");
        assert_eq!(from_joined.read(&mut buf).await.unwrap(), 0, "close reaches the writer");
        drop(joined.into_inner().0);
        assert!(to_joined.write(b"x").await.is_err());
        // A buffered reader stays one.
        let mut joined = join_io(Cursor::new(b"one\ntwo"), futures::io::sink());
        let mut line = String::new();
        futures::AsyncBufReadExt::read_line(&mut joined, &mut line).await.unwrap();
        assert_eq!((line.as_str(), joined.reader().position()), ("one\n", 4));
        joined.reader_mut().set_position(0);
        assert!(format!("{:?}", joined.writer()).contains("Sink"));
    });
}

#[test]
fn chunks_are_what_is_available_until_the_end_or_an_error() {
    run(async {
        let (reader, mut writer) = simplex(4);
        let mut chunks = chunks(reader);
        assert!(chunks.next().now_or_never().is_none());
        writer.write_all(b"abcd").await.unwrap();
        assert_eq!(chunks.next().await.unwrap().unwrap(), b"abcd");
        writer.write_all(b"e").await.unwrap();
        drop(writer);
        assert_eq!(chunks.next().await.unwrap().unwrap(), b"e");
        for _ in 0..2 {
            assert!(chunks.next().await.is_none());
        }
        let (one, other) = pair().await;
        one.set_linger(Some(Duration::ZERO)).unwrap();
        let mut chunks = evloop::io::chunks(other);
        drop(one);
        let error = chunks.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(chunks.next().await.is_none(), "it ends after the first error");
    });
}

/// A reader without an end, and a writer that accepts nothing. Counts the bytes that were read.
struct Stuck(Cell<usize>);

impl futures::AsyncRead for &Stuck {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.set(self.0.get() + buf.len());
        Poll::Ready(Ok(buf.len()))
    }
}

impl AsyncWrite for &Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[test]
fn the_sizes_of_copy_bidirectional_bound_what_is_read_ahead() {
    run(async {
        let (a, b) = (Stuck(Cell::new(0)), Stuck(Cell::new(0)));
        let mut copied = Box::pin(copy_bidirectional_with_sizes(&a, &b, 3, 5000));
        for _ in 0..3 {
            assert!(poll!(&mut copied).is_pending());
        }
        assert_eq!((a.0.get(), b.0.get()), (3, 5000));
    });
}

#[test]
#[should_panic(expected = "the size of a buffer is 0")]
fn a_copy_with_a_buffer_of_no_bytes_panics() {
    let ((a, _), (b, _)) = (duplex(1), duplex(1));
    drop(copy_bidirectional_with_sizes(a, b, 0, 1));
}
