//! Streams over connections that are no sockets: `streams::from_io`.
//!
//! `Line` is a connection under the control of the test. It stores one waker for both directions,
//! as an object may whose directions share state (TLS): the last poll replaces the waker of the
//! other direction.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::io::duplex;
use evloop::net::{TcpListener, TcpStream};
use evloop::streams::{self, IncompleteRead, StreamOptions, from_io};
use evloop::task::yield_now;
use evloop::time::timeout;
use evloop::{Runtime, StreamReader, StreamWriter, spawn};
use futures::io::{AsyncReadExt, BufWriter};
use futures::{AsyncRead, AsyncWrite, FutureExt, join, poll};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Lets all other tasks run until they wait.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Returns bytes that depend on their position.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn error<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// A connection under the control of the test.
#[derive(Clone, Default)]
struct Line(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    /// The results of the next reads. Then a read waits.
    reads: VecDeque<io::Result<Vec<u8>>>,
    /// The results of the next writes: how many bytes at most. Then a write waits.
    writes: VecDeque<io::Result<usize>>,
    /// The results of the next flushes. Then a flush succeeds.
    flushes: VecDeque<Poll<io::Result<()>>>,
    /// The results of the next closes. Then a close succeeds.
    closes: VecDeque<Poll<io::Result<()>>>,
    written: Vec<u8>,
    /// Called by the next write.
    on_write: Option<Box<dyn FnOnce()>>,
    /// The operations that completed, and the drop.
    trace: Vec<String>,
    waker: Option<Waker>,
}

impl Line {
    /// Changes the state, and wakes the task that polled last.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.0.borrow_mut();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn receives(&self, bytes: &[u8]) {
        self.change(|state| state.reads.push_back(Ok(bytes.to_vec())));
    }

    fn accepts(&self, n: usize) {
        self.change(|state| state.writes.push_back(Ok(n)));
    }

    fn written(&self) -> Vec<u8> {
        self.0.borrow().written.clone()
    }

    fn trace(&self) -> String {
        self.0.borrow().trace.join(" ")
    }

    fn end<T>(&self, name: &str, cx: &mut Context<'_>, polled: Poll<T>) -> Poll<T> {
        let mut state = self.0.borrow_mut();
        match polled {
            Poll::Pending => state.waker = Some(cx.waker().clone()),
            Poll::Ready(_) => state.trace.push(name.into()),
        }
        polled
    }
}

/// The end that the streams own. Its drop is traced.
struct End(Line);

fn ends(line: &Line) -> (StreamReader, StreamWriter) {
    from_io(End(line.clone()))
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let next = self.0.0.borrow_mut().reads.pop_front();
        let polled = next.map_or(Poll::Pending, |next| {
            Poll::Ready(next.map(|bytes| {
                buf[..bytes.len()].copy_from_slice(&bytes);
                bytes.len()
            }))
        });
        self.0.end("read", cx, polled)
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let on_write = self.0.0.borrow_mut().on_write.take();
        if let Some(on_write) = on_write {
            on_write();
        }
        let next = self.0.0.borrow_mut().writes.pop_front();
        let polled = next.map_or(Poll::Pending, |next| {
            Poll::Ready(next.map(|max| {
                let n = max.min(buf.len());
                self.0.0.borrow_mut().written.extend_from_slice(&buf[..n]);
                n
            }))
        });
        self.0.end("write", cx, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.0.0.borrow_mut().flushes.pop_front().unwrap_or(Poll::Ready(Ok(())));
        self.0.end("flush", cx, polled)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.0.0.borrow_mut().closes.pop_front().unwrap_or(Poll::Ready(Ok(())));
        self.0.end("close", cx, polled)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.borrow_mut().trace.push("drop".into());
    }
}

#[test]
fn reads_dropped_at_every_await_lose_no_bytes() {
    run(async {
        let line = Line::default();
        let (mut reader, _writer) = ends(&line);
        let (mut pieces, mut drops, mut bytes) = (Vec::new(), 0, b"one\n\ntwo\nend".chunks(1));
        while !reader.at_eof() {
            if let Some(piece) = reader.read_line().now_or_never() {
                pieces.push(String::from_utf8(piece.unwrap()).unwrap());
                continue;
            }
            drops += 1;
            line.receives(bytes.next().unwrap_or_default());
            reader.get_ref().readable().await.unwrap();
        }
        assert_eq!(pieces, ["one\n", "\n", "two\n", "end"]);
        assert_eq!(drops, 13, "one wait for each byte, and one for the end");
    });
}

#[test]
fn bytes_pass_in_order_in_both_directions_through_a_small_duplex() {
    run(async {
        let (one, other) = duplex(3);
        let ends = [from_io(one), from_io(other)];
        let all = pattern(10_000);
        let copies = ends.map(|(mut reader, writer)| {
            let all = all.clone();
            spawn(async move {
                for piece in all.chunks(777) {
                    writer.write(piece);
                }
                writer.shutdown_write();
                assert!(reader.read_to_end().await.unwrap() == all);
                writer.wait_closed().await.unwrap();
            })
        });
        for copy in copies {
            copy.await.unwrap();
        }
    });
}

#[test]
fn a_tcp_connection_works_as_any_other_object() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let all = pattern(2 << 20);
        let copies = [client, server].map(|tcp| {
            let ((mut reader, writer), all) = (from_io(tcp), all.clone());
            spawn(async move {
                writer.write(&all);
                writer.shutdown_write();
                assert!(reader.read_to_end().await.unwrap() == all);
            })
        });
        for copy in copies {
            copy.await.unwrap();
        }
    });
}

#[test]
fn a_write_never_waits_and_is_sent_in_short_writes_in_the_background() {
    run(async {
        let line = Line::default();
        let (_reader, writer) = ends(&line);
        line.accepts(2);
        writer.write("hello");
        writer.flush();
        assert_eq!((line.written(), writer.write_buffer_size()), (b"he".to_vec(), 3));
        writer.write(" world");
        for n in [1, 1, 4] {
            settle().await;
            line.accepts(n);
        }
        settle().await;
        assert_eq!((line.written(), writer.write_buffer_size()), (b"hello wo".to_vec(), 3));
        assert_eq!(line.trace(), "write write write write");
        line.accepts(100);
        settle().await;
        assert_eq!(line.written(), b"hello world");
        assert_eq!(line.trace(), "write write write write write flush");
    });
}

#[test]
fn the_writes_of_a_turn_are_sent_together_once_the_task_yields() {
    run(async {
        let line = Line::default();
        line.accepts(100);
        let (_reader, writer) = ends(&line);
        for word in ["one ", "two ", "three"] {
            writer.write(word);
        }
        assert_eq!((line.trace(), writer.write_buffer_size()), ("".into(), 13));
        yield_now().await;
        assert_eq!(line.written(), b"one two three");
        assert_eq!((line.trace(), writer.write_buffer_size()), ("write flush".into(), 0));
    });
}

#[test]
fn a_flush_and_an_abort_send_at_once() {
    run(async {
        let line = Line::default();
        line.accepts(100);
        let (_reader, writer) = ends(&line);
        writer.write("hello");
        writer.flush();
        assert_eq!((line.written(), line.trace()), (b"hello".to_vec(), "write flush".into()));
        line.accepts(100);
        writer.write(" world");
        writer.abort();
        assert_eq!(line.trace(), "write flush write flush drop");
        assert_eq!(line.written(), b"hello world");
    });
}

#[test]
fn the_writes_of_the_last_turn_are_sent_when_the_loop_ends() {
    let line = Line::default();
    line.accepts(100);
    let mut runtime = Runtime::new().unwrap();
    let (_reader, writer) = runtime.block_on(async { ends(&line) });
    runtime.block_on(async { writer.write("bye") });
    drop(runtime);
    assert_eq!(line.written(), b"bye");
}

#[test]
fn drain_waits_above_the_high_water_mark() {
    run(async {
        let line = Line::default();
        let (_reader, writer) = ends(&line);
        writer.set_write_buffer_limits(2, 5);
        writer.write("12345");
        assert!(writer.drain().now_or_never().is_some());
        writer.write("6");
        let mut drain = Box::pin(writer.drain());
        for _ in 0..3 {
            assert!(poll!(&mut drain).is_pending());
            line.accepts(1);
            settle().await;
        }
        assert!(poll!(&mut drain).is_pending(), "3 bytes are unsent");
        line.accepts(1);
        drain.await.unwrap();
        assert_eq!(line.written(), b"1234");
    });
}

/// With one waker for each task, the reader's poll would replace the waker of the flusher.
#[test]
fn neither_direction_replaces_the_waker_of_the_other() {
    run(async {
        let line = Line::default();
        let (mut reader, writer) = ends(&line);
        writer.write("question");
        settle().await;
        let read = spawn(async move { reader.read_line().await });
        settle().await;
        // The reader polled last. The event is for the flusher.
        line.accepts(100);
        settle().await;
        assert_eq!(line.written(), b"question");
        writer.write("again");
        settle().await;
        // The flusher polled last. The event is for the reader.
        line.receives(b"answer\n");
        assert_eq!(read.await.unwrap().unwrap(), b"answer\n");
        line.accepts(100);
        settle().await;
        assert_eq!(line.written(), b"questionagain");
    });
}

#[test]
fn each_write_is_flushed_and_bytes_in_a_buffer_count_as_unsent_for_the_close() {
    run(async {
        let line = Line::default();
        let (_reader, writer) = ends(&line);
        line.accepts(100);
        line.change(|state| state.flushes.push_back(Poll::Pending));
        writer.write("hello");
        yield_now().await;
        assert_eq!((line.trace(), writer.write_buffer_size()), ("write".into(), 0));
        let mut flush =
            Box::pin(async { futures::AsyncWriteExt::flush(&mut writer.as_async_write()).await });
        assert!(poll!(&mut flush).is_pending());
        settle().await;
        assert_eq!(line.trace(), "write");
        line.change(|_| {});
        flush.await.unwrap();
        assert_eq!(line.trace(), "write flush");

        let (one, mut other) = duplex(64);
        let (_reader, writer) = from_io(BufWriter::new(one));
        writer.write("buffered");
        let mut buf = [0; 8];
        other.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"buffered");
    });
}

#[test]
fn the_end_of_the_write_direction_is_polled_until_it_is_sent_and_reads_continue() {
    run(async {
        let line = Line::default();
        let (mut reader, writer) = ends(&line);
        line.change(|state| state.closes.extend([Poll::Pending, Poll::Pending]));
        writer.write("bye");
        writer.shutdown_write();
        let mut closed = Box::pin(writer.wait_closed());
        assert!(poll!(&mut closed).is_pending());
        line.accepts(3);
        settle().await;
        assert!(poll!(&mut closed).is_pending());
        assert_eq!(line.trace(), "write flush");
        line.change(|_| {});
        settle().await;
        assert!(poll!(&mut closed).is_pending(), "the second poll of the close waits, too");
        line.change(|_| {});
        closed.await.unwrap();
        assert_eq!(line.trace(), "write flush close");
        line.receives(b"late\n");
        assert_eq!(reader.read_line().await.unwrap(), b"late\n");
        writer.write("x");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::BrokenPipe));
    });
}

#[test]
fn a_close_sends_ends_discards_and_then_drops_the_object() {
    run(async {
        let line = Line::default();
        let (mut reader, writer) = ends(&line);
        writer.write("bye");
        drop(writer);
        assert_eq!(reader.read(10).await.unwrap(), b"", "the reader sees the end at once");
        line.accepts(3);
        settle().await;
        assert_eq!(line.trace(), "write flush close");
        line.receives(b"unread");
        settle().await;
        assert_eq!(line.trace(), "write flush close read");
        line.receives(b"");
        settle().await;
        assert_eq!(line.trace(), "write flush close read read drop");
        assert!(reader.get_ref().as_io().unwrap().with(|_: &mut End| {}).is_none());
    });
}

#[test]
fn a_close_after_the_peer_has_ended_drops_the_object_without_lingering() {
    run(async {
        let line = Line::default();
        let (mut reader, writer) = ends(&line);
        line.receives(b"");
        assert_eq!(reader.read(10).await.unwrap(), b"");
        writer.close();
        assert_eq!(line.trace(), "read close drop", "the end is sent, too");
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn an_abort_drops_the_object_at_once() {
    run(async {
        let line = Line::default();
        let (mut reader, writer) = ends(&line);
        line.accepts(2);
        line.change(|state| state.flushes.push_back(Poll::Pending));
        writer.write("hello");
        settle().await;
        let read = spawn(async move { reader.read(10).await });
        settle().await;
        writer.abort();
        assert_eq!(line.trace(), "write drop");
        assert_eq!(read.await.unwrap().unwrap(), b"", "the reader reaches the end, no error");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::ConnectionAborted));
        settle().await;
        assert_eq!(line.trace(), "write drop");
    });
}

#[test]
fn a_peer_that_receives_nothing_is_aborted_after_linger() {
    run(async {
        for closes in [false, true] {
            let line = Line::default();
            let linger = Duration::from_millis(5);
            let options = StreamOptions { linger, ..StreamOptions::default() };
            let (_reader, writer) = streams::from_io_with(End(line.clone()), &options);
            if closes {
                line.change(|state| state.closes.extend([(); 9].map(|()| Poll::Pending)));
            } else {
                writer.write("bye");
            }
            writer.close();
            assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::TimedOut));
            assert_eq!(line.trace(), "drop");
        }
    });
}

#[test]
fn interrupted_polls_are_repeated() {
    run(async {
        let line = Line::default();
        let (mut reader, writer) = ends(&line);
        let interrupted = || io::Error::from(ErrorKind::Interrupted);
        line.change(|state| state.writes.extend([Err(interrupted()), Ok(2), Err(interrupted())]));
        line.change(|state| state.flushes.push_back(Poll::Ready(Err(interrupted()))));
        line.change(|state| state.reads.push_back(Err(interrupted())));
        line.receives(b"x");
        writer.write("abc");
        line.accepts(1);
        assert_eq!(reader.read(1).await.unwrap(), b"x");
        settle().await;
        assert_eq!(line.written(), b"abc");
        writer.drain().await.unwrap();
    });
}

#[test]
fn both_halves_report_the_first_error() {
    run(async {
        // Of a write at once, of one in the background, of a flush, of a read.
        for case in 0..4 {
            let line = Line::default();
            let (mut reader, writer) = ends(&line);
            match case {
                0 => line.change(|state| state.writes.push_back(error(ErrorKind::BrokenPipe))),
                1 => {}
                2 => line.change(|state| {
                    state.writes.push_back(Ok(9));
                    state.flushes.push_back(Poll::Ready(error(ErrorKind::BrokenPipe)));
                }),
                _ => line.change(|state| state.reads.push_back(error(ErrorKind::BrokenPipe))),
            }
            if case < 3 {
                writer.write("hello");
                writer.flush();
            } else {
                assert_eq!(kind(reader.read(1).await), Some(ErrorKind::BrokenPipe));
            }
            if case == 1 {
                settle().await;
                line.change(|state| state.writes.push_back(error(ErrorKind::BrokenPipe)));
                settle().await;
            }
            // A later error changes nothing.
            line.change(|state| state.reads.push_back(error(ErrorKind::TimedOut)));
            for _ in 0..2 {
                assert_eq!(kind(writer.drain().await), Some(ErrorKind::BrokenPipe), "{case}");
                assert_eq!(kind(reader.read(1).await), Some(ErrorKind::BrokenPipe), "{case}");
            }
            assert_eq!(reader.error().unwrap().kind(), ErrorKind::BrokenPipe);
            drop(writer);
            assert!(line.trace().ends_with("drop"), "{case}: {}", line.trace());
        }
    });
}

#[test]
fn an_error_of_the_end_is_reported_by_wait_closed() {
    run(async {
        let line = Line::default();
        let (_reader, writer) = ends(&line);
        let reset = io::Error::from(ErrorKind::ConnectionReset);
        line.change(|state| state.closes.push_back(Poll::Ready(Err(reset))));
        writer.close();
        assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::ConnectionReset));
        assert_eq!(line.trace(), "close drop");
    });
}

#[test]
fn faulty_objects_cause_errors_and_no_endless_loop() {
    run(async {
        let line = Line::default();
        let (_reader, writer) = ends(&line);
        line.accepts(0);
        writer.write("hello");
        writer.flush();
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::WriteZero));

        let line = Line::default();
        let (mut reader, _writer) = ends(&line);
        line.change(|state| state.reads.push_back(Err(ErrorKind::WouldBlock.into())));
        let error = reader.read(1).await.unwrap_err();
        assert!(error.to_string().contains("poll returned WouldBlock"), "{error}");
    });
}

/// Reports a byte more than the buffers have.
struct Exaggerating;

impl AsyncRead for Exaggerating {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len() + 1))
    }
}

impl AsyncWrite for Exaggerating {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len() + 1))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_object_that_reports_too_many_bytes_causes_an_error() {
    run(async {
        let (mut reader, _writer) = from_io(Exaggerating);
        let error = reader.read(1).await.unwrap_err();
        assert_eq!(error.to_string(), "the connection reports 65537 bytes of a buffer of 65536");
        let (_reader, writer) = from_io(Exaggerating);
        writer.write("abc");
        writer.flush();
        let error = writer.drain().await.unwrap_err();
        assert_eq!(error.to_string(), "the connection reports 4 bytes of a buffer of 3");
    });
}

#[test]
fn an_end_within_a_piece_is_an_error_with_the_partial_bytes() {
    run(async {
        let line = Line::default();
        let (mut reader, _writer) = ends(&line);
        line.receives(b"abc");
        line.receives(b"");
        let error = reader.read_exact(4).await.unwrap_err();
        let expected = IncompleteRead { partial: b"abc".to_vec(), expected: Some(4) };
        assert_eq!(IncompleteRead::of(&error), Some(&expected));
    });
}

/// Wakes its waker before it returns `Pending`, a given number of times.
struct Eager(usize);

impl AsyncRead for Eager {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.0 > 0 {
            self.0 -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        buf[0] = b'x';
        Poll::Ready(Ok(1))
    }
}

impl AsyncWrite for Eager {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_wake_within_a_poll_is_not_lost() {
    run(async {
        let (mut reader, _writer) = from_io(Eager(5));
        assert_eq!(reader.read_exact(3).await.unwrap(), b"xxx");
    });
}

#[test]
fn a_wake_from_another_thread_arrives() {
    run(async {
        let line = Line::default();
        let (mut reader, _writer) = ends(&line);
        let mut read = Box::pin(reader.read(1));
        assert!(poll!(&mut read).is_pending());
        let waker = line.0.borrow_mut().waker.take().unwrap();
        line.receives(b"x");
        let thread = std::thread::spawn(move || waker.wake());
        assert_eq!(read.await.unwrap(), b"x");
        thread.join().unwrap();
    });
}

/// Writes to its own writer whenever it is read from, and once while it is written to.
struct Reentrant(Line, Rc<RefCell<Option<StreamWriter>>>);

impl AsyncRead for Reentrant {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut End(self.0.clone())).poll_read(cx, buf);
        if let Some(writer) = &*self.1.borrow() {
            writer.write("pong ");
        }
        polled
    }
}

impl AsyncWrite for Reentrant {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.written().is_empty() {
            self.1.borrow().as_ref().unwrap().write("from within a write ");
        }
        Pin::new(&mut End(self.0.clone())).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_object_that_writes_to_its_own_streams_is_served_after_its_poll() {
    run(async {
        let line = Line::default();
        let own = Rc::new(RefCell::new(None));
        let (mut reader, writer) = from_io(Reentrant(line.clone(), own.clone()));
        own.replace(Some(writer));
        line.receives(b"ping");
        line.accepts(3);
        assert_eq!(reader.read(4).await.unwrap(), b"ping");
        for _ in 0..2 {
            settle().await;
            line.accepts(100);
        }
        settle().await;
        assert_eq!(line.written(), b"pong from within a write ");
        let writer = own.take();
        drop(writer);
    });
}

/// Returns streams with three unsent bytes. The next write to their object calls `f`.
async fn while_sending(f: impl FnOnce(&StreamWriter) + 'static) -> (Line, Rc<StreamWriter>) {
    let line = Line::default();
    let (_reader, writer) = ends(&line);
    let writer = Rc::new(writer);
    writer.write("abc");
    settle().await;
    let weak = Rc::downgrade(&writer);
    let on_write = move || f(&weak.upgrade().unwrap());
    line.change(|state| state.on_write = Some(Box::new(on_write)));
    line.accepts(2);
    line.accepts(100);
    settle().await;
    (line, writer)
}

#[test]
fn bytes_that_an_object_writes_while_it_sends_follow_the_unsent_bytes() {
    run(async {
        let (line, writer) = while_sending(|writer| {
            assert_eq!(writer.write_buffer_size(), 3);
            writer.write("def");
            assert_eq!(writer.write_buffer_size(), 6);
        })
        .await;
        assert_eq!(line.written(), b"abcdef");
        assert_eq!(writer.write_buffer_size(), 0);
    });
}

#[test]
fn an_object_may_abort_its_streams_while_it_sends() {
    run(async {
        let (line, writer) = while_sending(StreamWriter::abort).await;
        assert_eq!(writer.write_buffer_size(), 0);
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::ConnectionAborted));
        assert_eq!(line.written(), b"ab", "nothing is sent after the write that aborted");
        assert!(line.trace().ends_with("drop"), "{}", line.trace());
    });
}

#[test]
fn the_object_is_reached_through_the_streams() {
    run(async {
        let line = Line::default();
        let (reader, writer) = ends(&line);
        let io = writer.get_ref().as_io().unwrap();
        assert!(io.with(|_: &mut TcpStream| {}).is_none(), "another type");
        assert_eq!(io.with(|end: &mut End| Rc::ptr_eq(&end.0.0, &line.0)), Some(true));
        assert_eq!(kind(reader.peer_addr()), Some(ErrorKind::Unsupported));
        assert!(writer.get_ref().take_error().unwrap().is_none());
    });
}

#[test]
fn streams_that_outlive_their_loop_return_an_error() {
    let line = Line::default();
    let mut runtime = Runtime::new().unwrap();
    let (mut reader, writer) = runtime.block_on(async { ends(&line) });
    let other = Line::default();
    let unsent = runtime.block_on(async {
        let (_, writer) = ends(&other);
        writer.write("unsent");
        writer
    });
    let unended = Line::default();
    let ending = runtime.block_on(async {
        let (_, writer) = ends(&unended);
        unended.change(|state| state.closes.push_back(Poll::Pending));
        writer.shutdown_write();
        writer
    });
    drop(runtime);
    run(async {
        assert_eq!(kind(ending.wait_closed().await), Some(ErrorKind::NotConnected));
        assert_eq!(kind(reader.read(1).await), Some(ErrorKind::NotConnected));
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::NotConnected));
        assert_eq!(kind(unsent.drain().await), Some(ErrorKind::NotConnected));
    });
}

#[test]
fn the_end_of_the_loop_wakes_a_task_of_another_loop_that_waits_for_the_close() {
    let line = Line::default();
    let mut runtime = Runtime::new().unwrap();
    let writer = runtime.block_on(async {
        let (_, writer) = ends(&line);
        line.change(|state| state.closes.push_back(Poll::Pending));
        writer.shutdown_write();
        settle().await;
        writer
    });
    run(async {
        let closed = spawn(async move { writer.wait_closed().await });
        settle().await;
        drop(runtime);
        assert_eq!(kind(closed.await.unwrap()), Some(ErrorKind::NotConnected));
    });
}

#[test]
fn streams_of_an_object_that_are_made_between_two_turns_work() {
    let line = Line::default();
    let mut runtime = Runtime::new().unwrap();
    let (mut reader, writer) = {
        let _entered = runtime.enter();
        ends(&line)
    };
    writer.write("hello");
    line.accepts(100);
    line.receives(b"x");
    runtime.block_on(async {
        assert_eq!(reader.read(1).await.unwrap(), b"x");
        settle().await;
        assert_eq!(line.written(), b"hello");
    });
}

#[test]
#[should_panic(expected = "from_io was called outside of a running loop")]
fn from_io_outside_of_a_loop_panics() {
    let _ = from_io(duplex(1).0);
}

#[test]
#[should_panic(expected = "StreamOptions::limit is 0")]
fn a_limit_of_zero_panics() {
    run(async {
        let options = StreamOptions { limit: 0, ..StreamOptions::default() };
        let _ = streams::from_io_with(duplex(1).0, &options);
    });
}

#[test]
fn dropping_both_streams_ends_the_driver_and_the_sender() {
    run(async {
        let before = evloop::task::all().len();
        let (one, _other) = duplex(1);
        let (reader, writer) = from_io(one);
        assert_eq!(evloop::task::all().len(), before + 2);
        writer.abort();
        drop((reader, writer));
        settle().await;
        assert_eq!(evloop::task::all().len(), before);
    });
}

#[test]
fn endless_reads_and_writes_of_an_object_let_other_tasks_run() {
    run(async {
        let (mut reader, _writer) = from_io(Eager(0));
        let busy = spawn(async move { while reader.read(1).await.is_ok() {} });
        let (ticks, _) = join!(
            async {
                for _ in 0..100 {
                    yield_now().await;
                }
                busy.abort();
                100
            },
            yield_now()
        );
        assert_eq!(ticks, 100);
    });
}
