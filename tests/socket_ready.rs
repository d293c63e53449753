//! The readiness of sockets and their halves: `ready`, `async_io`, and the `poll_` functions.

#![cfg(unix)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use evloop::io::Interest;
use evloop::net::{
    TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, pipe,
};
use evloop::time::timeout;
use futures::{StreamExt, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

/// A waker that counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Fills the send buffer of a connection.
fn fill(stream: &UnixStream) {
    while stream.try_write(&[0; 4096]).is_ok() {}
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[test]
fn ready_returns_the_states_that_the_connection_has() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        assert_eq!(one.try_read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(one.ready(BOTH).await.unwrap(), Interest::WRITABLE);
        assert_eq!(one.ready(Interest::WRITABLE).await.unwrap(), Interest::WRITABLE);
        other.write_all(b"x").await.unwrap();
        assert_eq!(one.ready(Interest::READABLE).await.unwrap(), Interest::READABLE);
        assert_eq!(one.ready(BOTH).await.unwrap(), BOTH);
        fill(&one);
        assert_eq!(one.ready(BOTH).await.unwrap(), Interest::READABLE);
    });
}

#[test]
fn ready_waits_for_one_of_two_states() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let _ = one.try_read(&mut [0; 8]);
        fill(&one);
        let mut ready = pin!(one.ready(BOTH));
        assert!(poll!(&mut ready).is_pending());
        other.write_all(b"x").await.unwrap();
        assert_eq!(ready.await.unwrap(), Interest::READABLE);
    });
}

#[test]
fn a_dropped_ready_leaves_other_waiters_in_both_directions() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let _ = one.try_read(&mut [0; 8]);
        fill(&one);
        let mut dropped = Box::pin(one.ready(BOTH));
        let mut kept = pin!(one.ready(BOTH));
        assert!(poll!(&mut dropped).is_pending());
        assert!(poll!(&mut kept).is_pending());
        drop(dropped);
        other.write_all(b"x").await.unwrap();
        assert_eq!(kept.await.unwrap(), Interest::READABLE);
    });
}

#[test]
fn ready_for_errors_says_to_use_async_fd() {
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let error = socket.ready(Interest::READABLE | Interest::ERROR).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let sentence = "a socket reports READABLE and WRITABLE only, and the interest is READABLE \
                        | ERROR: wait for the other states with evloop::io::AsyncFd";
        assert_eq!(error.to_string(), sentence);
    });
}

#[test]
fn async_io_runs_once_for_each_event() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let attempts = Cell::new(0);
        let mut buf = [0; 8];
        let mut read = pin!(one.async_io(Interest::READABLE, || {
            attempts.set(attempts.get() + 1);
            Ok(recv(&one, &mut buf, RecvFlags::empty())?.0)
        }));
        assert!(poll!(&mut read).is_pending());
        assert_eq!(attempts.get(), 1, "a new connection counts as readable");
        assert!(poll!(&mut read).is_pending());
        assert_eq!(attempts.get(), 1, "no event, no attempt");
        other.write_all(b"hello").await.unwrap();
        assert_eq!(read.await.unwrap(), 5);
        // Where mio emulates edges, the first event is that the socket is writable.
        assert!(attempts.get() <= 3, "{} attempts", attempts.get());
    });
}

#[test]
fn async_io_returns_the_error_of_its_operation() {
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let op = || -> std::io::Result<()> { Err(ErrorKind::PermissionDenied.into()) };
        let error = socket.async_io(BOTH, op).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let to = socket.local_addr().unwrap();
        socket.connect(to).await.unwrap();
        let op = || Ok(send(&socket, b"abc", SendFlags::empty())?);
        assert_eq!(socket.async_io(Interest::WRITABLE, op).await.unwrap(), 3);
        assert_eq!(socket.recv(&mut [0; 8]).await.unwrap(), 3);
    });
}

#[test]
fn vectored_reads_and_writes_without_waiting() {
    run(async {
        let (one, other) = tcp_pair().await;
        let (mut first, mut second) = ([0; 2], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let empty = one.try_read_vectored(&mut bufs).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        assert_eq!(
            other.try_write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cd")]).unwrap(),
            4
        );
        one.readable().await.unwrap();
        assert_eq!(one.try_read_vectored(&mut bufs).unwrap(), 4);
        assert_eq!((&first, &second[..2]), (b"ab", &b"cd"[..]));

        let (sender, receiver) = pipe::pair().unwrap();
        assert_eq!(
            sender.try_write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap(),
            3
        );
        receiver.readable().await.unwrap();
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(receiver.try_read_vectored(&mut bufs).unwrap(), 3);
        let empty = receiver.try_read_vectored(&mut bufs).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn poll_peek_wakes_the_task_that_polled_last() {
    run(async {
        let (one, other) = tcp_pair().await;
        let (first, last) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut buf = [0; 8];
        for count in [&first, &last] {
            let waker = Waker::from(count.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(one.poll_peek(&mut cx, &mut buf).is_pending());
        }
        other.write_all(b"abc").await.unwrap();
        one.readable().await.unwrap();
        assert_eq!((first.0.load(Ordering::Relaxed), last.0.load(Ordering::Relaxed)), (0, 1));
        assert_eq!(poll_fn(|cx| one.poll_peek(cx, &mut buf)).await.unwrap(), 3);
        assert_eq!(one.read(&mut buf).await.unwrap(), 3, "the peek consumed nothing");
    });
}

#[test]
fn halves_have_the_operations_of_their_direction() {
    run(async {
        let (one, other) = tcp_pair().await;
        let (local, peer) = (one.local_addr().unwrap(), one.peer_addr().unwrap());
        let (read_half, write_half) = one.into_split();
        assert_eq!(read_half.local_addr().unwrap(), local);
        assert_eq!(read_half.peer_addr().unwrap(), peer);
        assert_eq!(write_half.local_addr().unwrap(), local);
        assert_eq!(write_half.peer_addr().unwrap(), peer);

        write_half.writable().await.unwrap();
        assert_eq!(write_half.ready(Interest::WRITABLE).await.unwrap(), Interest::WRITABLE);
        assert_eq!(write_half.try_write(b"a").unwrap(), 1);
        let bufs = [IoSlice::new(b"b"), IoSlice::new(b"c")];
        assert_eq!(write_half.try_write_vectored(&bufs).unwrap(), 2);
        assert_eq!(write_half.write_vectored(&bufs).await.unwrap(), 2);
        let mut buf = [0; 5];
        other.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"abcbc");

        let mut buf = [0; 2];
        assert_eq!(read_half.try_read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        other.write_all(b"123456").await.unwrap();
        read_half.readable().await.unwrap();
        assert_eq!(read_half.ready(Interest::READABLE).await.unwrap(), Interest::READABLE);
        assert_eq!(poll_fn(|cx| read_half.poll_peek(cx, &mut buf)).await.unwrap(), 2);
        assert_eq!(read_half.try_read(&mut buf).unwrap(), 2);
        assert_eq!(&buf, b"12");
        assert_eq!(read_half.try_read_vectored(&mut [IoSliceMut::new(&mut buf)]).unwrap(), 2);
        assert_eq!(read_half.read_vectored(&mut [IoSliceMut::new(&mut buf)]).await.unwrap(), 2);
        assert_eq!(&buf, b"56");
    });
}

#[test]
fn a_forgotten_write_half_does_not_end_the_direction() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (read_half, write_half) = one.into_split();
        write_half.forget();
        let mut buf = [0; 8];
        let mut end = pin!(other.read(&mut buf));
        assert!(poll!(&mut end).is_pending());
        other.write_all(b"x").await.unwrap();
        assert_eq!(read_half.read(&mut [0; 8]).await.unwrap(), 1);
        assert!(poll!(&mut end).is_pending());
        drop(read_half);
        assert_eq!(end.await.unwrap(), 0);
    });
}

#[test]
fn poll_accept_returns_each_connection_once() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        assert!(listener.poll_accept(&mut Context::from_waker(&waker)).is_pending());
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(TcpStream::connect(addr).await.unwrap().local_addr().unwrap());
        }
        let mut accepted = Vec::new();
        for _ in 0..2 {
            let (_, peer) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
            accepted.push(peer);
        }
        assert_eq!(accepted, clients);
        assert!(listener.poll_accept(&mut Context::from_waker(Waker::noop())).is_pending());
    });
}

#[test]
fn an_owned_stream_of_connections_goes_to_another_task() {
    run(async {
        let folder = std::env::temp_dir().join(format!("evloop-incoming-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("socket");
        let mut connections = UnixListener::bind(&path).unwrap().into_incoming();
        let server = evloop::spawn(async move {
            for _ in 0..3 {
                connections.next().await.unwrap().unwrap().write_all(b"x").await.unwrap();
            }
        });
        for _ in 0..3 {
            let client = UnixStream::connect(&path).await.unwrap();
            assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 1);
        }
        server.await.unwrap();
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "the stream owns the listener");
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

async fn udp_pair() -> (UdpSocket, UdpSocket, SocketAddr) {
    let one = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    one.connect(other.local_addr().unwrap()).await.unwrap();
    let addr = one.local_addr().unwrap();
    (one, other, addr)
}

#[test]
fn datagrams_by_poll_functions() {
    run(async {
        let (one, other, addr) = udp_pair().await;
        let to = other.local_addr().unwrap();
        assert_eq!(poll_fn(|cx| one.poll_send(cx, b"abc")).await.unwrap(), 3);
        assert_eq!(poll_fn(|cx| one.poll_send_to(cx, b"defg", to)).await.unwrap(), 4);
        let mut buf = [0; 8];
        assert_eq!(poll_fn(|cx| other.poll_peek_sender(cx)).await.unwrap(), addr);
        let peeked = poll_fn(|cx| other.poll_peek_from(cx, &mut buf)).await.unwrap();
        assert_eq!(peeked, (3, addr));
        assert_eq!(poll_fn(|cx| other.poll_peek(cx, &mut buf)).await.unwrap(), 3);
        assert_eq!(poll_fn(|cx| other.poll_recv(cx, &mut buf)).await.unwrap(), 3);
        let received = poll_fn(|cx| other.poll_recv_from(cx, &mut buf)).await.unwrap();
        assert_eq!(received, (4, addr));
        let polled = other.poll_recv(&mut Context::from_waker(Waker::noop()), &mut buf);
        assert!(matches!(polled, Poll::Pending));
    });
}

#[test]
fn peeks_leave_the_datagram_in_the_queue() {
    run(async {
        let (one, other, addr) = udp_pair().await;
        let mut buf = [0; 2];
        let empty = ErrorKind::WouldBlock;
        assert_eq!(other.try_peek(&mut buf).unwrap_err().kind(), empty);
        assert_eq!(other.try_peek_from(&mut buf).unwrap_err().kind(), empty);
        assert_eq!(other.try_peek_sender().unwrap_err().kind(), empty);
        one.send(b"abc").await.unwrap();
        assert_eq!(other.peek_sender().await.unwrap(), addr);
        assert_eq!(other.try_peek_sender().unwrap(), addr);
        assert_eq!(other.try_peek(&mut buf).unwrap(), 2);
        assert_eq!(other.try_peek_from(&mut buf).unwrap(), (2, addr));
        assert_eq!(other.recv(&mut [0; 8]).await.unwrap(), 3);
    });
}

#[test]
fn unix_datagrams_by_poll_functions() {
    run(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 8];
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        assert!(other.poll_recv(&mut Context::from_waker(&waker), &mut buf).is_pending());
        assert_eq!(poll_fn(|cx| one.poll_send(cx, b"abc")).await.unwrap(), 3);
        other.readable().await.unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(other.peek_sender().await.unwrap().is_unnamed());
        assert_eq!(other.ready(BOTH).await.unwrap(), BOTH);
        let received = poll_fn(|cx| other.poll_recv_from(cx, &mut buf)).await.unwrap();
        assert_eq!(received.0, 3);
    });
}

#[test]
fn the_end_of_the_loop_ends_all_waits() {
    let mut runtime = evloop::Runtime::new().unwrap();
    let (one, listener, _other) = runtime.block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (Rc::new(one), listener, other)
    });
    drop(runtime);
    run(async {
        assert_eq!(one.ready(BOTH).await.unwrap_err().kind(), ErrorKind::NotConnected);
        let accepted = poll_fn(|cx| listener.poll_accept(cx)).await;
        assert_eq!(accepted.unwrap_err().kind(), ErrorKind::NotConnected);
        let op = || -> std::io::Result<()> { Ok(()) };
        assert_eq!(one.async_io(BOTH, op).await.unwrap_err().kind(), ErrorKind::NotConnected);
    });
}
