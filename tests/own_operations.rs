//! The caller's own operation on a socket (`try_io`): each event causes one attempt.

#![cfg(unix)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::Runtime;
use evloop::io::Interest;
use evloop::net::{UdpSocket, UnixDatagram, UnixStream, pipe};
use evloop::time::timeout;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits with `ready` and calls `try_io` until it succeeds. Counts the attempts.
async fn own_read<R>(
    ready: impl AsyncFn() -> io::Result<()>,
    try_io: impl Fn() -> io::Result<R>,
    attempts: &Cell<usize>,
) -> R {
    loop {
        ready().await.unwrap();
        attempts.set(attempts.get() + 1);
        match try_io() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result.unwrap(),
        }
    }
}

/// Runs a task that reads with an operation of its own from a socket without data. The operation is
/// tried once, and once more after `write` sends data.
fn assert_one_attempt_per_event<F: Future<Output = usize> + 'static, P>(
    open: impl AsyncFnOnce(Rc<Cell<usize>>) -> (F, P),
    write: impl FnOnce(&P),
) {
    let mut runtime = Runtime::new().unwrap();
    let attempts = Rc::new(Cell::new(0));
    let (read, peer) = runtime.block_on(open(attempts.clone()));
    let task = runtime.spawn(read);
    for _ in 0..100 {
        runtime.turn(Some(Duration::ZERO)).unwrap();
    }
    // Where mio emulates edges, the first event (the socket is writable) also counts as a read
    // event.
    assert!(attempts.get() <= 2, "{} attempts", attempts.get());
    write(&peer);
    assert_eq!(runtime.block_on(timeout(LIMIT, task)).unwrap().unwrap(), 1);
    assert!(attempts.get() <= 3, "{} attempts", attempts.get());
}

fn receive(socket: impl AsFd) -> io::Result<usize> {
    Ok(recv(socket, &mut [0; 8], RecvFlags::empty())?.0)
}

fn send_byte(socket: &impl AsFd) {
    assert_eq!(send(socket, b"x", SendFlags::empty()).unwrap(), 1);
}

#[test]
fn try_io_on_a_connection() {
    assert_one_attempt_per_event(
        async |attempts| {
            let (one, other) = UnixStream::pair().unwrap();
            let read = async move {
                let try_io = || one.try_io(Interest::READABLE, || receive(&one));
                own_read(async || one.readable().await, try_io, &attempts).await
            };
            (read, other)
        },
        send_byte,
    );
}

#[test]
fn try_io_on_a_connection_with_poll_read_ready() {
    assert_one_attempt_per_event(
        async |attempts| {
            let (one, other) = UnixStream::pair().unwrap();
            let read = async move {
                let try_io = || one.try_io(Interest::READABLE, || receive(&one));
                let ready = async || poll_fn(|cx| one.poll_read_ready(cx)).await;
                own_read(ready, try_io, &attempts).await
            };
            (read, other)
        },
        send_byte,
    );
}

#[test]
fn try_io_on_a_udp_socket() {
    assert_one_attempt_per_event(
        async |attempts| {
            let one = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            other.connect(one.local_addr().unwrap()).await.unwrap();
            let read = async move {
                let try_io = || one.try_io(Interest::READABLE, || receive(&one));
                own_read(async || one.readable().await, try_io, &attempts).await
            };
            (read, other)
        },
        send_byte,
    );
}

#[test]
fn try_io_on_a_unix_datagram_socket() {
    assert_one_attempt_per_event(
        async |attempts| {
            let (one, other) = UnixDatagram::pair().unwrap();
            let read = async move {
                let try_io = || one.try_io(Interest::READABLE, || receive(&one));
                let ready = async || poll_fn(|cx| one.poll_read_ready(cx)).await;
                own_read(ready, try_io, &attempts).await
            };
            (read, other)
        },
        send_byte,
    );
}

#[test]
fn try_io_on_a_pipe() {
    assert_one_attempt_per_event(
        async |attempts| {
            let (sender, receiver) = pipe::pair().unwrap();
            let read = async move {
                let op = || Ok(rustix::io::read(&receiver, &mut [0; 8])?);
                let try_io = || receiver.try_io(Interest::READABLE, op);
                own_read(async || receiver.readable().await, try_io, &attempts).await
            };
            (read, sender)
        },
        |peer| assert_eq!(rustix::io::write(peer, b"x").unwrap(), 1),
    );
}

#[test]
fn a_read_that_would_block_keeps_write_readiness() {
    evloop::block_on(async {
        let (one, _other) = UnixStream::pair().unwrap();
        let nothing = one.try_io(Interest::READABLE, || receive(&one)).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(one.poll_read_ready(&mut cx).is_pending());
        assert!(matches!(one.poll_write_ready(&mut cx), Poll::Ready(Ok(()))));
        let (sender, _receiver) = pipe::pair().unwrap();
        let write = || Ok(rustix::io::write(&sender, b"x")?);
        assert_eq!(sender.try_io(Interest::WRITABLE, write).unwrap(), 1);
        assert!(matches!(sender.poll_write_ready(&mut cx), Poll::Ready(Ok(()))));
    });
}
