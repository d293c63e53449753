//! Edge cases of a TCP stream: end of stream, resets, urgent bytes, full and empty buffers.
//!
//! The peer is a blocking socket of std on the same thread, so every test fixes the order of
//! events.

#![cfg(target_os = "linux")]

use std::future::Future;
use std::io::ErrorKind::{self, ConnectionReset};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use evloop::net::TcpStream;
use evloop::time::timeout;
use evloop::{Handle, Runtime};
use futures::channel::oneshot;
use futures::poll;
use rustix::event::{PollFd, PollFlags};
use rustix::net::SendFlags;

/// Runs a test in a process of its own.
#[allow(unreachable_pub)]
mod alone;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// More bytes than the buffers of a loopback connection hold.
const MUCH: usize = 16 << 20;

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

/// Returns a stream registered with the running loop, and its peer.
fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (TcpStream::from_std(stream).unwrap(), peer)
}

/// Blocks until the system reports all of `flags` for a socket. The loop handles no event.
fn wait_for_flags(socket: impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(&socket, flags)];
    while !fds[0].revents().contains(flags) {
        rustix::event::poll(&mut fds, None).unwrap();
    }
}

/// Blocks until `count` bytes are available.
fn wait_for_bytes(socket: impl AsFd, count: u64) {
    while rustix::io::ioctl_fionread(&socket).unwrap() < count {
        thread::yield_now();
    }
}

/// Resets the connection: the peer closes with a linger time of zero.
fn reset(peer: net::TcpStream) {
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
}

fn send_urgent(peer: &net::TcpStream, byte: u8) {
    assert_eq!(rustix::net::send(peer, &[byte], SendFlags::OOB).unwrap(), 1);
}

async fn read_to_end(stream: &TcpStream) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), [0; 1000]);
    loop {
        match stream.read(&mut buf).await.unwrap() {
            0 => return all,
            n => all.extend(&buf[..n]),
        }
    }
}

async fn read_some(stream: &TcpStream) -> Vec<u8> {
    let mut buf = [0; 1000];
    let n = stream.read(&mut buf).await.unwrap();
    buf[..n].to_vec()
}

/// Writes until the system accepts no more bytes. Returns the number of bytes.
fn fill(stream: &TcpStream) -> usize {
    let mut filled = 0;
    loop {
        match stream.try_write(&[7; 65536]) {
            Ok(n) => filled += n,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return filled;
            }
        }
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 251 + i) as u8).collect()
}

/// Waits for one turn of the loop: all events that the selector has are handled.
async fn turn_once() {
    let (done, turned) = oneshot::channel();
    // A call from another thread runs after the selector was polled.
    Handle::current().call_threadsafe(move || done.send(()).unwrap());
    turned.await.unwrap();
}

#[test]
fn data_and_end_before_the_first_poll() {
    run(async {
        let (stream, mut peer) = pair();
        peer.write_all(b"all of it").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        wait_for_flags(&stream, PollFlags::RDHUP);
        assert_eq!(read_some(&stream).await, b"all of it");
        assert_eq!(read_some(&stream).await, b"");
    });
}

#[test]
fn data_and_end_in_one_event() {
    run(async {
        let (stream, mut peer) = pair();
        let mut read = pin!(read_some(&stream));
        assert!(poll!(&mut read).is_pending());
        turn_once().await;
        peer.write_all(b"all of it").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        wait_for_flags(&stream, PollFlags::RDHUP);
        assert_eq!(read.await, b"all of it");
        assert_eq!(read_some(&stream).await, b"");
    });
}

#[test]
fn data_then_an_event_then_end_before_the_read() {
    run(async {
        let (stream, mut peer) = pair();
        peer.write_all(b"all of it").unwrap();
        wait_for_bytes(&stream, 9);
        turn_once().await;
        peer.shutdown(Shutdown::Write).unwrap();
        wait_for_flags(&stream, PollFlags::RDHUP);
        assert_eq!(read_to_end(&stream).await, b"all of it");
    });
}

#[test]
fn short_read_then_end_then_wait() {
    run(async {
        let (stream, mut peer) = pair();
        peer.write_all(b"abc").unwrap();
        assert_eq!(read_some(&stream).await, b"abc");
        turn_once().await;
        peer.shutdown(Shutdown::Write).unwrap();
        wait_for_flags(&stream, PollFlags::RDHUP);
        assert_eq!(read_some(&stream).await, b"");
    });
}

#[test]
fn short_read_then_wait_then_end() {
    run(async {
        let (stream, mut peer) = pair();
        peer.write_all(b"abc").unwrap();
        assert_eq!(read_some(&stream).await, b"abc");
        let mut read = pin!(read_some(&stream));
        assert!(poll!(&mut read).is_pending());
        turn_once().await;
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read.await, b"");
    });
}

#[test]
fn end_of_stream_is_read_repeatedly() {
    run(async {
        let (stream, peer) = pair();
        drop(peer);
        for _ in 0..1000 {
            stream.readable().await.unwrap();
            assert_eq!(stream.peek(&mut [0; 8]).await.unwrap(), 0);
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
            assert_eq!(stream.try_read(&mut [0; 8]).unwrap(), 0);
        }
    });
}

#[test]
fn data_between_a_short_read_and_the_next_wait() {
    run(async {
        let (stream, mut peer) = pair();
        for round in 0..1000_u32 {
            let data = round.to_be_bytes();
            peer.write_all(&data).unwrap();
            if round % 2 == 0 {
                wait_for_bytes(&stream, 4);
            }
            assert_eq!(read_some(&stream).await, data);
        }
    });
}

#[test]
fn urgent_byte_within_data_before_the_first_poll() {
    run(async {
        let (stream, mut peer) = pair();
        peer.write_all(b"before").unwrap();
        send_urgent(&peer, b'!');
        peer.write_all(b"behind").unwrap();
        wait_for_flags(&stream, PollFlags::PRI);
        let mut got = [0; 12];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"beforebehind");
    });
}

#[test]
fn urgent_byte_within_data_in_one_event() {
    run(async {
        let (stream, mut peer) = pair();
        let mut got = [0; 12];
        let mut read = Box::pin(stream.read_exact(&mut got));
        assert!(poll!(&mut read).is_pending());
        turn_once().await;
        peer.write_all(b"before").unwrap();
        send_urgent(&peer, b'!');
        peer.write_all(b"behind").unwrap();
        wait_for_flags(&stream, PollFlags::PRI);
        read.await.unwrap();
        assert_eq!(&got, b"beforebehind");
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_some(&stream).await, b"");
    });
}

#[test]
fn urgent_bytes_repeatedly() {
    run(async {
        let (stream, mut peer) = pair();
        let mut got = [0; 4];
        for round in 0..100 {
            peer.write_all(&[round, round]).unwrap();
            send_urgent(&peer, b'!');
            peer.write_all(&[round, round]).unwrap();
            if round % 2 == 0 {
                turn_once().await;
            }
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(got, [round; 4]);
        }
        drop(peer);
        assert_eq!(read_some(&stream).await, b"");
    });
}

#[test]
fn urgent_byte_alone_then_end() {
    run(async {
        let (stream, peer) = pair();
        let mut read = pin!(read_some(&stream));
        assert!(poll!(&mut read).is_pending());
        send_urgent(&peer, b'!');
        wait_for_flags(&stream, PollFlags::PRI);
        for _ in 0..10 {
            turn_once().await;
            assert!(poll!(&mut read).is_pending());
        }
        drop(peer);
        assert_eq!(read.await, b"");
    });
}

#[test]
fn reset_while_waiting_to_read() {
    run(async {
        let (stream, peer) = pair();
        let mut buf = [0; 8];
        let mut read = pin!(stream.read(&mut buf));
        assert!(poll!(&mut read).is_pending());
        turn_once().await;
        reset(peer);
        assert_eq!(read.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(read_some(&stream).await, b"", "the error is reported once");
        let error = stream.write(b"a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn reset_while_waiting_to_write() {
    run(async {
        let (stream, peer) = pair();
        fill(&stream);
        let mut write = pin!(stream.write(b"a"));
        assert!(poll!(&mut write).is_pending());
        turn_once().await;
        reset(peer);
        assert_eq!(write.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let error = stream.write(b"a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn reset_ends_a_reader_and_a_writer() {
    run(async {
        let (stream, peer) = pair();
        fill(&stream);
        let mut buf = [0; 8];
        let (mut read, mut write) = (pin!(stream.read(&mut buf)), pin!(stream.write(b"a")));
        assert!(poll!(&mut read).is_pending() && poll!(&mut write).is_pending());
        reset(peer);
        assert_eq!(read.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(write.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// Writes to a closed peer, and checks the errors. SIGPIPE is counted, not ignored.
fn write_to_a_closed_peer(write: impl AsyncFn(&TcpStream) -> std::io::Result<usize>) {
    let piped = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, piped.clone()).unwrap();
    run(async {
        let (stream, peer) = pair();
        drop(peer);
        wait_for_flags(&stream, PollFlags::RDHUP);
        assert_eq!(stream.write(b"a").await.unwrap(), 1);
        wait_for_flags(&stream, PollFlags::HUP);
        for _ in 0..3 {
            assert_eq!(write(&stream).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        }
        assert_eq!(read_some(&stream).await, b"");
    });
    assert!(!piped.load(Ordering::SeqCst), "SIGPIPE was raised");
}

#[test]
fn write_after_the_peer_closed() {
    if alone::is_here("write_after_the_peer_closed") {
        write_to_a_closed_peer(async |stream| stream.write(b"a").await);
    }
}

#[test]
fn vectored_write_after_the_peer_closed() {
    if alone::is_here("vectored_write_after_the_peer_closed") {
        write_to_a_closed_peer(async |stream| stream.write_vectored(&[IoSlice::new(b"a")]).await);
    }
}

#[test]
fn half_close_by_the_stream_first() {
    run(async {
        let (stream, mut peer) = pair();
        stream.write_all(b"question").await.unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut question = String::new();
        peer.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question");
        let mut read = pin!(read_to_end(&stream));
        assert!(poll!(&mut read).is_pending());
        turn_once().await;
        peer.write_all(b"late answer").unwrap();
        drop(peer);
        assert_eq!(read.await, b"late answer");
        let error = stream.write(b"a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn half_close_by_the_peer_first() {
    run(async {
        let (stream, mut peer) = pair();
        peer.write_all(b"question").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&stream).await, b"question");
        let answer = pattern(MUCH);
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            got
        });
        stream.write_all(&answer).await.unwrap();
        assert_eq!(read_some(&stream).await, b"");
        drop(stream);
        assert!(reader.join().unwrap() == answer);
    });
}

#[test]
fn own_shutdown_ends_a_waiting_reader_and_writer() {
    run(async {
        let (stream, _peer) = pair();
        fill(&stream);
        let (mut read, mut write) = (pin!(read_some(&stream)), pin!(stream.write(b"a")));
        assert!(poll!(&mut read).is_pending() && poll!(&mut write).is_pending());
        turn_once().await;
        stream.shutdown(Shutdown::Both).unwrap();
        assert_eq!(read.await, b"");
        assert_eq!(write.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn write_all_waits_for_a_peer_that_does_not_read() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = {
        let _entered = runtime.enter();
        pair()
    };
    let data = pattern(MUCH);
    let sent = data.clone();
    let task = runtime.spawn(async move { stream.write_all(&sent).await });
    runtime.run_until_stalled().unwrap();
    assert!(!task.is_finished());
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    runtime.block_on(timeout(LIMIT, task)).expect("the test hangs").unwrap().unwrap();
    assert!(reader.join().unwrap() == data);
}

#[test]
fn operations_with_empty_buffers_complete_at_once() {
    run(async {
        let (stream, mut peer) = pair();
        assert_eq!(stream.write(&[]).await.unwrap(), 0);
        assert_eq!(stream.write_vectored(&[]).await.unwrap(), 0);
        assert_eq!(stream.try_write(&[]).unwrap(), 0);
        stream.write_all(&[]).await.unwrap();
        stream.read_exact(&mut []).await.unwrap();
        peer.write_all(b"abc").unwrap();
        wait_for_bytes(&stream, 3);
        assert_eq!(stream.read(&mut []).await.unwrap(), 0);
        assert_eq!(stream.read_vectored(&mut []).await.unwrap(), 0);
        assert_eq!(stream.peek(&mut []).await.unwrap(), 0);
        assert_eq!(stream.try_read(&mut []).unwrap(), 0);
        assert_eq!(read_some(&stream).await, b"abc");
    });
}

#[test]
fn readable_does_not_spin() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = {
        let _entered = runtime.enter();
        pair()
    };
    let task = runtime.spawn(async move {
        let (mut got, mut buf) = (Vec::<u8>::new(), [0; 2]);
        loop {
            stream.readable().await.unwrap();
            match stream.try_read(&mut buf) {
                Ok(0) => return got,
                Ok(n) => got.extend(&buf[..n]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    });
    let witness = peer.try_clone().unwrap();
    assert_eq!(runtime.run_until_stalled().unwrap(), 1);
    for _ in 0..100 {
        assert_eq!(runtime.turn(Some(Duration::ZERO)).unwrap().polled, 0);
    }
    peer.write_all(b"abc").unwrap();
    assert_eq!(runtime.turn(Some(LIMIT)).unwrap().polled, 1);
    assert_eq!(runtime.run_until_stalled().unwrap(), 0);
    drop((peer, witness));
    assert_eq!(runtime.block_on(timeout(LIMIT, task)).unwrap().unwrap(), b"abc");
}

#[test]
fn writable_waits_while_the_peer_reads_nothing() {
    run(async {
        let (stream, mut peer) = pair();
        stream.writable().await.unwrap();
        let filled = fill(&stream);
        let mut writable = pin!(stream.writable());
        for _ in 0..100 {
            assert!(poll!(&mut writable).is_pending());
            turn_once().await;
        }
        peer.read_exact(&mut vec![0; filled]).unwrap();
        writable.await.unwrap();
        assert_eq!(stream.try_write(b"more").unwrap(), 4);
        peer.read_exact(&mut [0; 4]).unwrap();
    });
}

#[test]
fn try_read_returns_the_available_bytes() {
    run(async {
        let (stream, mut peer) = pair();
        let mut buf = [0; 4];
        let error = stream.try_read(&mut buf).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        peer.write_all(b"123456").unwrap();
        wait_for_bytes(&stream, 6);
        assert_eq!(stream.try_read(&mut buf).unwrap(), 4);
        assert_eq!((&buf, read_some(&stream).await), (b"1234", b"56".to_vec()));
        peer.write_all(b"78").unwrap();
        stream.readable().await.unwrap();
        assert_eq!(read_some(&stream).await, b"78");
    });
}

#[test]
fn peek_then_read() {
    run(async {
        let (stream, mut peer) = pair();
        let (mut one, mut all) = ([0; 1], [0; 100]);
        let mut peek = Box::pin(stream.peek(&mut all));
        assert!(poll!(&mut peek).is_pending());
        peer.write_all(b"abc").unwrap();
        assert_eq!(peek.await.unwrap(), 3);
        for _ in 0..300 {
            assert_eq!(stream.peek(&mut all).await.unwrap(), 3);
            assert_eq!(stream.peek(&mut one).await.unwrap(), 1);
            assert_eq!((&one, &all[..3]), (b"a", &b"abc"[..]));
        }
        assert_eq!(read_some(&stream).await, b"abc");
        assert!(poll!(Box::pin(stream.peek(&mut all))).is_pending());
        drop(peer);
        assert_eq!(stream.peek(&mut all).await.unwrap(), 0);
        assert_eq!(stream.read(&mut all).await.unwrap(), 0);
    });
}

#[test]
fn vectored_write_and_read() {
    run(async {
        let (stream, mut peer) = pair();
        let parts = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two")];
        assert_eq!(stream.write_vectored(&parts).await.unwrap(), 7);
        let mut got = [0; 7];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"one two");
        peer.write_all(&got).unwrap();
        wait_for_bytes(&stream, 7);
        let (mut a, mut b) = ([0; 3], [0; 9]);
        let mut parts = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(stream.read_vectored(&mut parts).await.unwrap(), 7);
        assert_eq!((&a, &b[..4]), (b"one", &b" two"[..]));
    });
}

#[test]
fn write_vectored_accepts_more_than_iov_max_buffers() {
    run(async {
        let (stream, mut peer) = pair();
        let data = pattern(5000);
        let mut parts: Vec<_> = data.chunks(1).map(IoSlice::new).collect();
        let mut left = &mut parts[..];
        while !left.is_empty() {
            let n = stream.write_vectored(left).await.unwrap();
            IoSlice::advance_slices(&mut left, n);
        }
        let mut got = vec![0; 5000];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(got, data);
    });
}

#[test]
fn read_vectored_accepts_more_than_iov_max_buffers() {
    run(async {
        let (stream, mut peer) = pair();
        let (data, mut got) = (pattern(5000), vec![0; 6000]);
        let mut readable = pin!(wait_until_readable(&stream));
        assert!(poll!(&mut readable).is_pending());
        peer.write_all(&data).unwrap();
        wait_for_bytes(&stream, 5000);
        readable.await;
        let mut filled = 0;
        while filled < 5000 {
            let mut parts: Vec<_> = got[filled..].chunks_mut(1).map(IoSliceMut::new).collect();
            filled += stream.read_vectored(&mut parts).await.unwrap();
        }
        assert_eq!(got[..5000], data);
    });
}

/// Waits until the stream is readable and all events of the selector are handled.
async fn wait_until_readable(stream: &TcpStream) {
    stream.peek(&mut [0]).await.unwrap();
    turn_once().await;
}

#[test]
fn read_exact_reports_unexpected_eof() {
    run(async {
        let (stream, mut peer) = pair();
        peer.write_all(b"abcdefg").unwrap();
        drop(peer);
        let mut buf = [0; 4];
        stream.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"abcd");
        let error = stream.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn write_all_buf_dropped_at_every_await_loses_no_byte() {
    run(async {
        let (stream, mut peer) = pair();
        let data = pattern(MUCH);
        let (mut left, mut got, mut drops) = (&data[..], Vec::new(), 0);
        let mut buf = vec![0; 1 << 20];
        peer.set_nonblocking(true).unwrap();
        while poll!(Box::pin(stream.write_all_buf(&mut left))).is_pending() {
            drops += 1;
            if let Ok(n) = peer.read(&mut buf) {
                got.extend(&buf[..n]);
            }
            turn_once().await;
        }
        assert!(left.is_empty() && drops > 0);
        drop(stream);
        peer.set_nonblocking(false).unwrap();
        peer.read_to_end(&mut got).unwrap();
        assert!(got == data);
    });
}

#[test]
fn close_after_a_reset_succeeds() {
    run(async {
        for reads_first in [false, true] {
            let (mut stream, peer) = pair();
            reset(peer);
            wait_for_flags(&stream, PollFlags::HUP);
            if reads_first {
                assert_eq!(stream.read(&mut [0]).await.unwrap_err().kind(), ConnectionReset);
            }
            futures::AsyncWriteExt::close(&mut stream).await.unwrap();
            futures::AsyncWriteExt::close(&mut &stream).await.unwrap();
            let (_read, mut write) = stream.into_split();
            futures::AsyncWriteExt::close(&mut write).await.unwrap();
        }
    });
}

#[test]
fn a_linger_time_above_zero_is_refused() {
    run(async {
        let (stream, _peer) = pair();
        for time in [Duration::from_secs(5), Duration::from_millis(1)] {
            let refused = stream.set_linger(Some(time)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(rustix::net::sockopt::socket_linger(&stream).unwrap(), None);
        for linger in [Some(Duration::ZERO), None] {
            stream.set_linger(linger).unwrap();
            assert_eq!(rustix::net::sockopt::socket_linger(&stream).unwrap(), linger);
        }
    });
}
