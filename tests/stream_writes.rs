//! When the bytes of a stream writer are sent: at the end of the turn that has written them, at
//! once where they are many or where a call asks for it.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::future::Future;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, UnixStream};
use evloop::streams::{self, StreamOptions};
use evloop::task::yield_now;
use evloop::time::timeout;
use evloop::{Runtime, StreamReader, StreamWriter, spawn};
use futures::FutureExt;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// The peer of a writer. It reads without the loop.
struct Peer(net::TcpStream);

impl Peer {
    /// Returns the bytes that have arrived.
    fn received(&mut self) -> String {
        let (mut all, mut buf) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            match self.0.read(&mut buf) {
                Ok(0) => all.extend_from_slice(b"END"),
                Ok(n) => {
                    all.extend_from_slice(&buf[..n]);
                    continue;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            return String::from_utf8(all).unwrap();
        }
    }
}

async fn pair() -> (StreamReader, StreamWriter, Peer) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (reader, writer) = evloop::open_connection(listener.local_addr().unwrap()).await.unwrap();
    let peer = listener.accept().unwrap().0;
    peer.set_nonblocking(true).unwrap();
    (reader, writer, Peer(peer))
}

#[test]
fn the_writes_of_a_turn_are_sent_when_the_task_yields() {
    run(async {
        let (_reader, writer, mut peer) = pair().await;
        for word in ["one ", "two "] {
            writer.write(word);
            writer.drain().await.unwrap();
        }
        writer.write_vectored(&["thr", "ee"].map(|part| IoSlice::new(part.as_bytes())));
        assert_eq!((peer.received(), writer.write_buffer_size()), ("".into(), 13));
        yield_now().await;
        assert_eq!((peer.received(), writer.write_buffer_size()), ("one two three".into(), 0));
    });
}

#[test]
fn the_replies_to_pipelined_requests_are_sent_together() {
    run(async {
        let (mut reader, writer, mut peer) = pair().await;
        peer.0.write_all("*3\n$3\nSET\n$1\nx\n$1\ny\n".repeat(32).as_bytes()).unwrap();
        drop(spawn(async move {
            let mut line = Vec::new();
            loop {
                for _ in 0..7 {
                    assert!(reader.read_line_into(&mut line).await.unwrap() > 0);
                }
                writer.write("+OK\n");
                writer.drain().await.unwrap();
            }
        }));
        let mut received = String::new();
        while received.is_empty() {
            yield_now().await;
            received = peer.received();
        }
        assert_eq!(received, "+OK\n".repeat(32), "in one poll of the task");
    });
}

/// Each message in the buffer of a Unix socket takes almost a kilobyte of its capacity, so a few
/// hundred fill it.
#[test]
fn thousands_of_writes_are_one_message() {
    run(async {
        let (one, peer) = UnixStream::pair().unwrap();
        let (_reader, writer) = streams::from_unix(one, &StreamOptions::default());
        for _ in 0..10_000 {
            writer.write("x");
        }
        yield_now().await;
        assert_eq!(writer.write_buffer_size(), 0);
        assert_eq!(peer.read(&mut [0; 20_000]).await.unwrap(), 10_000);
        for _ in 0..10_000 {
            writer.write("x");
            writer.flush();
        }
        assert!(writer.write_buffer_size() > 5_000, "separate messages fill the buffer");
    });
}

#[test]
fn the_bytes_leave_before_the_next_task_runs() {
    run(async {
        let (_reader, writer, mut peer) = pair().await;
        let writing = spawn(async move {
            writer.write("hello");
            yield_now().await;
            writer
        });
        // Queued behind the first turn of `writing`, in the same batch.
        let received = spawn(async move { peer.received() });
        assert_eq!(received.await.unwrap(), "hello");
        writing.await.unwrap();
    });
}

#[test]
fn a_request_leaves_before_the_task_waits_for_the_answer() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let echo = spawn(async move {
            let peer = listener.accept().await.unwrap().0;
            let mut buf = [0; 4];
            while peer.read_exact(&mut buf).await.is_ok() {
                peer.write_all(&buf).await.unwrap();
            }
        });
        let (mut reader, writer) = evloop::open_connection(addr).await.unwrap();
        for _ in 0..100 {
            writer.write("pin");
            writer.write("g");
            assert_eq!(reader.read_exact(4).await.unwrap(), b"ping");
        }
        drop((reader, writer));
        echo.await.unwrap();
    });
}

#[test]
fn many_bytes_are_sent_at_once_behind_the_queued_ones() {
    run(async {
        let (_reader, writer, mut peer) = pair().await;
        writer.write("a".repeat(10_000));
        assert_eq!(peer.received(), "");
        writer.write("b".repeat(10_000));
        assert_eq!(peer.received(), "a".repeat(10_000) + &"b".repeat(10_000));
        writer.write("c");
        let pieces = ["d".repeat(20_000), "e".into()];
        writer.write_vectored(&[IoSlice::new(pieces[0].as_bytes()), IoSlice::new(b"e")]);
        assert_eq!(peer.received(), "c".to_string() + &pieces.concat());
        assert_eq!(writer.write_buffer_size(), 0);
    });
}

#[test]
fn calls_that_act_on_the_connection_send_first() {
    run(async {
        let (reader, writer, mut peer) = pair().await;
        writer.write("one ");
        writer.flush();
        assert_eq!(peer.received(), "one ");
        writer.write("two ");
        let tcp: &TcpStream = writer.get_ref().as_tcp().unwrap();
        assert_eq!(tcp.try_write(b"three ").unwrap(), 6);
        assert_eq!(peer.received(), "two three ");
        writer.write("four ");
        reader.get_ref();
        assert_eq!(peer.received(), "four ");
        writer.write("five");
        writer.shutdown_write();
        assert_eq!(peer.received(), "fiveEND");
    });
    for close in [StreamWriter::close, StreamWriter::abort, |writer: &StreamWriter| writer.flush()]
    {
        run(async {
            let (_reader, writer, mut peer) = pair().await;
            writer.write("bye");
            close(&writer);
            assert!(peer.received().starts_with("bye"));
        });
    }
}

#[test]
fn drain_sends_before_it_waits() {
    run(async {
        let (_reader, writer, mut peer) = pair().await;
        writer.set_write_buffer_limits(0, 3);
        writer.write("abc");
        writer.drain().now_or_never().expect("below the mark").unwrap();
        assert_eq!(peer.received(), "");
        writer.write("d");
        writer.drain().now_or_never().expect("everything was sent").unwrap();
        assert_eq!(peer.received(), "abcd");
    });
}

#[test]
fn an_error_is_reported_once_the_bytes_were_sent() {
    run(async {
        let (reader, writer, peer) = pair().await;
        drop(peer);
        writer.write("meets a reset");
        yield_now().await;
        reader.get_ref().readable().await.unwrap();
        writer.write("meets a broken pipe");
        writer.drain().await.unwrap();
        yield_now().await;
        let kind = writer.drain().await.unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
    });
}

#[test]
fn the_bytes_of_a_turn_that_panics_are_sent() {
    run(async {
        let (_reader, writer, mut peer) = pair().await;
        let writer = Rc::new(writer);
        let held = writer.clone();
        let task = spawn(async move {
            held.write("before the panic");
            panic!("expected");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(peer.received(), "before the panic");
    });
    let mut runtime = Runtime::new().unwrap();
    let (_reader, writer, mut peer) = runtime.block_on(pair());
    let root = async {
        writer.write("before the panic of the root");
        panic!("expected");
    };
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(root))).is_err());
    assert_eq!(peer.received(), "before the panic of the root");
}

/// A waker that panics.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

#[test]
fn the_bytes_of_a_turn_are_sent_though_several_wakers_panic() {
    let mut runtime = Runtime::new().unwrap();
    let mut pairs = Vec::new();
    for _ in 0..4 {
        pairs.push(runtime.block_on(pair()));
    }
    let waker = Waker::from(Arc::new(Panics));
    let mut waits: Vec<_> =
        pairs.iter().map(|(_, writer, _)| writer.wait_closed()).map(Box::pin).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let root = async {
        pairs.iter().for_each(|(_, writer, _)| writer.write("hello"));
        yield_now().await;
    };
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(root))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"a waker"));
    drop(waits);
    for (_reader, _writer, peer) in &mut pairs {
        assert_eq!(peer.received(), "hello");
    }
}

#[test]
fn nothing_waits_for_a_turn_where_none_runs() {
    let mut runtime = Runtime::new().unwrap();
    let (_reader, writer, mut peer) = runtime.block_on(pair());
    writer.write("between two turns");
    assert_eq!(peer.received(), "between two turns");
    {
        let _entered = runtime.enter();
        writer.write("while the loop is entered");
        assert_eq!(peer.received(), "while the loop is entered");
    }
    runtime.block_on(async { writer.write("in the last turn") });
    assert_eq!(peer.received(), "in the last turn");
    // The task is dropped at the end of the loop: no turn follows.
    runtime.block_on(async {
        spawn(write_in_drop(writer)).detach();
        yield_now().await;
    });
    drop(runtime);
    assert_eq!(peer.received(), "in a destructorEND");
}

/// Waits. Dropping the future writes.
async fn write_in_drop(writer: StreamWriter) {
    struct Guard(StreamWriter);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.write("in a destructor");
        }
    }
    let _guard = Guard(writer);
    std::future::pending::<()>().await;
}

#[test]
fn a_turn_of_an_inner_loop_sends_too() {
    run(async {
        let (_reader, writer, mut peer) = pair().await;
        let writer = Rc::new(writer);
        let mut inner = Runtime::new().unwrap();
        let held = writer.clone();
        let task = inner.spawn(async move { held.write("of the inner loop") });
        inner.turn(Some(Duration::ZERO)).unwrap();
        assert!(task.is_finished());
        assert_eq!(peer.received(), "of the inner loop");
        writer.write("of the outer loop");
        yield_now().await;
        assert_eq!(peer.received(), "of the outer loop");
    });
}

#[test]
fn a_turn_that_writes_to_many_connections_sends_to_each() {
    run(async {
        let mut pairs = Vec::new();
        for _ in 0..20 {
            pairs.push(pair().await);
        }
        for text in ["one", "two"] {
            for (_reader, writer, peer) in &mut pairs {
                writer.write(text);
                assert_eq!(peer.received(), "");
            }
            yield_now().await;
            for (_reader, writer, peer) in &mut pairs {
                assert_eq!((peer.received(), writer.write_buffer_size()), (text.into(), 0));
            }
        }
    });
}
