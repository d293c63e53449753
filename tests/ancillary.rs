//! Descriptors in messages of Unix sockets: they arrive once, in order, and none stays open.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::time::Duration;

use evloop::net::{Truncated, UnixDatagram, UnixStream};
use evloop::time::timeout;
use futures::poll;
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::process::{Resource, Rlimit};

/// Tests in processes of their own.
#[allow(unreachable_pub)]
mod alone;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

/// Returns the read end and the write end of a pipe.
fn pipe() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    (reader.into(), writer.into())
}

/// Asserts that no copy of the write end of a pipe is open: the read end is at its end.
fn assert_closed(mut reader: File) {
    let flags = rustix::fs::fcntl_getfl(&reader).unwrap();
    rustix::fs::fcntl_setfl(&reader, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
}

fn write_to(fd: OwnedFd, bytes: &[u8]) {
    File::from(fd).write_all(bytes).unwrap();
}

#[test]
fn descriptors_arrive_in_order_and_are_closed_on_exec() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut reader, writer) = pipe();
        let (second_reader, second_writer) = pipe();
        let fds = [writer.as_fd(), second_writer.as_fd()];
        assert_eq!(one.send_with_fds(b"abc", &fds).await.unwrap(), 3);
        drop((writer, second_writer));
        let (mut buf, mut fds) = ([0; 8], Vec::new());
        assert_eq!(other.recv_with_fds(&mut buf, &mut fds).await.unwrap(), 3);
        assert_eq!((&buf[..3], fds.len()), (&b"abc"[..], 2));
        assert!(fds.iter().all(|fd| fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC)));
        write_to(fds.remove(0), b"first");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "first");
        drop(fds);
        assert_closed(second_reader);
    });
}

#[test]
fn a_receive_ends_after_the_bytes_of_one_message_and_appends() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        one.send_with_fds(b"ab", &[file.as_fd()]).await.unwrap();
        one.send_with_fds(b"cd", &[file.as_fd(), file.as_fd()]).await.unwrap();
        one.write_all(b"ef").await.unwrap();
        let (mut buf, mut fds) = ([0; 8], Vec::new());
        let mut counts = Vec::new();
        for _ in 0..3 {
            let n = other.recv_with_fds(&mut buf, &mut fds).await.unwrap();
            counts.push((n, fds.len()));
        }
        assert_eq!(counts, [(2, 1), (2, 3), (2, 3)]);
        drop(one);
        assert_eq!(other.recv_with_fds(&mut buf, &mut fds).await.unwrap(), 0);
    });
}

#[test]
fn a_receive_waits_and_loses_nothing_when_it_is_dropped() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (reader, writer) = pipe();
        let (mut buf, mut fds) = ([0; 8], Vec::new());
        {
            let mut receive = pin!(other.recv_with_fds(&mut buf, &mut fds));
            assert!(poll!(&mut receive).is_pending());
            one.send_with_fds(b"x", &[writer.as_fd()]).await.unwrap();
        }
        assert!(fds.is_empty());
        assert_eq!(other.recv_with_fds(&mut buf, &mut fds).await.unwrap(), 1);
        assert_eq!(fds.len(), 1);
        drop((writer, fds));
        assert_closed(reader);
    });
}

#[test]
fn a_send_that_waits_sends_nothing_when_it_is_dropped() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (reader, writer) = pipe();
        let mut sent = 0;
        while let Ok(n) = one.try_write(&[0; 4096]) {
            sent += n;
        }
        {
            let fds = [writer.as_fd()];
            let mut send = pin!(one.send_with_fds(b"x", &fds));
            assert!(poll!(&mut send).is_pending());
        }
        drop((writer, one));
        let (mut buf, mut fds, mut received) = ([0; 4096], Vec::new(), 0);
        while let n @ 1.. = other.recv_with_fds(&mut buf, &mut fds).await.unwrap() {
            received += n;
        }
        assert_eq!((received, fds.len()), (sent, 0));
        assert_closed(reader);
    });
}

#[test]
fn a_plain_read_closes_the_descriptors() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (reader, writer) = pipe();
        one.send_with_fds(b"x", &[writer.as_fd()]).await.unwrap();
        drop(writer);
        assert_eq!(other.read(&mut [0; 8]).await.unwrap(), 1);
        assert_closed(reader);
    });
}

#[test]
fn the_number_of_descriptors_is_limited() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let fds = vec![file.as_fd(); 254];
        let error = one.send_with_fds(b"x", &fds).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let sentence = "254 descriptors are too many for one message: send at most 253 at once";
        assert_eq!(error.to_string(), sentence);
        assert_eq!(one.send_with_fds(b"x", &fds[..253]).await.unwrap(), 1);
        let mut received = Vec::new();
        assert_eq!(other.recv_with_fds(&mut [0; 8], &mut received).await.unwrap(), 1);
        assert_eq!(received.len(), 253);
        let error = one.send_with_fds(b"", &fds[..1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "descriptors are sent with a byte of the stream: send at least one byte"
        );
        assert_eq!(one.send_with_fds(b"", &[]).await.unwrap(), 0);
    });
}

/// Allows `more` descriptors than are open now.
fn limit_descriptors(more: u64) {
    let free = File::open("/dev/null").unwrap().as_raw_fd();
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let current = Some(u64::try_from(free).unwrap() + more);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

#[test]
fn discarded_descriptors_are_an_error_and_the_others_are_closed() {
    if !alone::is_here("discarded_descriptors_are_an_error_and_the_others_are_closed") {
        return;
    }
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (datagram, other_datagram) = UnixDatagram::pair().unwrap();
        let (reader, writer) = pipe();
        let fds: [BorrowedFd<'_>; 3] = [writer.as_fd(); 3];
        one.send_with_fds(b"x", &fds).await.unwrap();
        datagram.send_with_fds(b"x", &fds).await.unwrap();
        drop(writer);
        limit_descriptors(1);
        let mut received = Vec::new();
        for error in [
            other.recv_with_fds(&mut [0; 8], &mut received).await.unwrap_err(),
            other_datagram.recv_with_fds(&mut [0; 8], &mut received).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(error.to_string().contains("the limit of open files"), "{error}");
        }
        assert!(received.is_empty());
        assert_closed(reader);
    });
}

#[test]
fn datagrams_carry_descriptors() {
    run(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let (reader, writer) = pipe();
        let (mut buf, mut fds) = ([0; 2], Vec::new());
        // An empty datagram may carry descriptors, too.
        assert_eq!(one.send_with_fds(b"", &[writer.as_fd()]).await.unwrap(), 0);
        assert_eq!(other.recv_with_fds(&mut buf, &mut fds).await.unwrap(), 0);
        assert_eq!(fds.len(), 1);
        assert_eq!(one.send_with_fds(b"abc", &[writer.as_fd()]).await.unwrap(), 3);
        let error = other.recv_with_fds(&mut buf, &mut fds).await.unwrap_err();
        assert_eq!(Truncated::of(&error).unwrap().filled, 2);
        assert_eq!((&buf, fds.len()), (b"ab", 1), "the descriptor of the error is closed");
        drop((writer, fds));
        assert_closed(reader);
    });
}
