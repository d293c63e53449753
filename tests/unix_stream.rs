//! Unix streams: addresses, peer credentials, and the behaviour that TCP streams do not have.
//!
//! The tests of TCP streams cover the shared behaviour.

#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use evloop::Runtime;
use evloop::net::{UnixListener, UnixStream};
use evloop::time::timeout;
use futures::{AsyncReadExt, AsyncWriteExt, poll};
use rustix::event::{PollFd, PollFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Resource, Rlimit};

/// Tests in processes of their own.
#[allow(unreachable_pub)]
mod alone;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

/// A directory of a test. Dropping it removes the directory.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = env::temp_dir().join(format!("evloop-{test}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Returns a stream registered with the running loop, and its peer.
fn pair() -> (UnixStream, net::UnixStream) {
    let (stream, peer) = net::UnixStream::pair().unwrap();
    (UnixStream::from_std(stream).unwrap(), peer)
}

/// Blocks until the system reports all of `flags` for a socket. The loop handles no event.
fn wait_for_flags(socket: impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(&socket, flags)];
    while !fds[0].revents().contains(flags) {
        rustix::event::poll(&mut fds, None).unwrap();
    }
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn is_nonblocking(fd: impl AsFd) -> bool {
    let info = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let info = fs::read_to_string(info).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap() & 0o4000 != 0
}

/// Connects through `path`, sends a word in each direction, and checks the addresses of both ends.
async fn greet(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    let client = UnixStream::connect(path).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert!(peer.is_unnamed());
    client.write_all(b"hello").await.unwrap();
    let mut buf = [0; 5];
    server.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"hello");
    server.write_all(b"world").await.unwrap();
    client.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"world");
    let addrs = [listener.local_addr(), client.peer_addr(), server.local_addr()];
    for addr in addrs.map(Result::unwrap) {
        match path.as_os_str().as_encoded_bytes() {
            [0, name @ ..] => assert_eq!(addr.as_abstract_name(), Some(name)),
            _ => assert_eq!(addr.as_pathname(), Some(path)),
        }
    }
    assert!(client.local_addr().unwrap().is_unnamed());
}

#[test]
fn connects_by_path() {
    let folder = Folder::new("connects_by_path");
    run(greet(&folder.socket()));
    assert!(folder.socket().exists(), "the listener does not remove its file");
}

#[test]
fn connects_by_abstract_name() {
    let name = format!("\0evloop-test-{}", std::process::id());
    run(async {
        greet(Path::new(&name)).await;
        // The name ends with its last socket.
        assert_eq!(kind(UnixStream::connect(&name).await), Some(ErrorKind::ConnectionRefused));
        greet(Path::new(&name)).await;
    });
}

#[test]
fn the_error_of_a_taken_abstract_name_has_no_hint() {
    let name = format!("\0evloop-taken-{}", std::process::id());
    run(async {
        let _listener = UnixListener::bind(&name).unwrap();
        let error = UnixListener::bind(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(!error.to_string().contains("remove"), "{error}");
    });
}

#[test]
fn the_error_of_a_long_path_names_its_length() {
    let folder = Folder::new("too_long");
    let just = 107 - folder.0.as_os_str().len() - 1;
    let (fits, too_long) = (folder.0.join("x".repeat(just)), folder.0.join("x".repeat(just + 1)));
    run(async {
        greet(&fits).await;
        let errors = [
            UnixListener::bind(&too_long).unwrap_err(),
            UnixStream::connect(&too_long).await.unwrap_err(),
            UnixStream::connect(format!("\0{}", "x".repeat(108))).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("xxx"), "{error}");
            let limit = "it has 108 bytes, and this system allows 107";
            assert!(error.to_string().contains(limit), "{error}");
        }
    });
}

#[test]
fn the_error_of_an_existing_path_has_a_hint() {
    let folder = Folder::new("there");
    run(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        for _ in 0..2 {
            let error = UnixListener::bind(folder.socket()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            let message = error.to_string();
            assert!(message.contains("/socket"), "{message}");
            assert!(message.contains("remove it first"), "{message}");
        }
        drop(listener);
        // The file still exists, and no socket listens.
        assert_eq!(kind(UnixListener::bind(folder.socket())), Some(ErrorKind::AddrInUse));
        let refused = UnixStream::connect(folder.socket()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(refused.to_string().contains("/socket"), "{refused}");
        fs::remove_file(folder.socket()).unwrap();
        assert_eq!(kind(UnixStream::connect(folder.socket()).await), Some(ErrorKind::NotFound));
        greet(&folder.socket()).await;
    });
}

#[test]
fn errors_leak_no_descriptor() {
    if !alone::is_here("errors_leak_no_descriptor") {
        return;
    }
    let folder = Folder::new("errors");
    run(async {
        let _listener = UnixListener::bind(folder.socket()).unwrap();
        let open = descriptors();
        for _ in 0..10 {
            UnixListener::bind(folder.socket()).unwrap_err();
            UnixStream::connect(folder.0.join("none")).await.unwrap_err();
            UnixListener::bind(folder.0.join("none/none")).unwrap_err();
            drop(UnixStream::pair().unwrap());
        }
        assert_eq!(descriptors(), open);
    });
}

#[test]
fn connect_waits_for_a_full_backlog() {
    let folder = Folder::new("full");
    run(async {
        let addr = rustix::net::SocketAddrUnix::new(folder.socket()).unwrap();
        let fd = rustix::net::socket(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            None,
        );
        let fd = fd.unwrap();
        rustix::net::bind(&fd, &addr).unwrap();
        rustix::net::listen(&fd, 0).unwrap();
        let listener = UnixListener::from_std(fd.into()).unwrap();
        let _first = UnixStream::connect(folder.socket()).await.unwrap();
        let mut second = Box::pin(UnixStream::connect(folder.socket()));
        assert!(poll!(&mut second).is_pending());
        listener.accept().await.unwrap();
        let second = second.await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        second.write_all(b"x").await.unwrap();
        peer.read_exact(&mut [0]).await.unwrap();
    });
}

#[test]
fn peer_cred_returns_the_ids_of_the_peer() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let cred = one.peer_cred().unwrap();
        assert_eq!(cred, other.peer_cred().unwrap());
        assert_eq!(cred.pid, Some(std::process::id().cast_signed()));
        assert_eq!(cred.uid, rustix::process::getuid().as_raw());
        assert_eq!(cred.gid, rustix::process::getgid().as_raw());
    });
}

/// Sends a byte together with a descriptor.
fn send_descriptor(peer: &net::UnixStream, byte: u8) {
    let fds = [peer.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let bytes = [byte];
    let bufs = [IoSlice::new(&bytes)];
    rustix::net::sendmsg(peer, &bufs, &mut control, SendFlags::empty()).unwrap();
}

#[test]
fn a_descriptor_sent_along_ends_a_read_but_loses_no_byte() {
    if !alone::is_here("a_descriptor_sent_along_ends_a_read_but_loses_no_byte") {
        return;
    }
    run(async {
        let (stream, mut peer) = pair();
        let open = descriptors();
        for by_trait in [false, true] {
            let read = async |buf: &mut [u8]| match by_trait {
                false => stream.read(buf).await.unwrap(),
                true => AsyncReadExt::read(&mut &stream, buf).await.unwrap(),
            };
            let mut buf = [0; 8];
            // One event reports all bytes.
            {
                let mut first = Box::pin(read(&mut buf));
                assert!(poll!(&mut first).is_pending());
                send_descriptor(&peer, b'a');
                peer.write_all(b"bc").unwrap();
                assert_eq!(first.await, 1);
            }
            let second = read(&mut buf[1..]).await;
            assert_eq!((second, &buf[..3]), (2, &b"abc"[..]));
        }
        assert_eq!(descriptors(), open, "the descriptors are discarded");
    });
}

#[test]
fn each_half_shuts_down_one_direction() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (read, write) = one.into_split();
        write.write_all(b"last").await.unwrap();
        drop(write);
        let mut got = Vec::new();
        (&other).read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"last");
        other.write_all(b"still").await.unwrap();
        (&other).close().await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(read.read(&mut buf).await.unwrap(), 5);
        assert_eq!(read.read(&mut buf).await.unwrap(), 0);
    });
}

#[test]
fn a_write_to_a_closed_peer_returns_an_error_without_sigpipe() {
    if !alone::is_here("a_write_to_a_closed_peer_returns_an_error_without_sigpipe") {
        return;
    }
    let piped = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, piped.clone()).unwrap();
    run(async {
        let (mut stream, peer) = pair();
        drop(peer);
        for _ in 0..3 {
            assert_eq!(kind(stream.write(b"a").await), Some(ErrorKind::BrokenPipe));
            let bufs = [IoSlice::new(b"a")];
            assert_eq!(kind(stream.write_vectored(&bufs).await), Some(ErrorKind::BrokenPipe));
            assert_eq!(
                kind(AsyncWriteExt::write(&mut stream, b"a").await),
                Some(ErrorKind::BrokenPipe)
            );
        }
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    });
    assert!(!piped.load(Ordering::SeqCst), "SIGPIPE was raised");
}

#[test]
fn a_peer_that_closes_with_unread_bytes_resets() {
    run(async {
        let (stream, peer) = pair();
        stream.write_all(b"unread").await.unwrap();
        let mut buf = [0];
        let mut read = Box::pin(stream.read(&mut buf));
        assert!(poll!(&mut read).is_pending());
        drop(peer);
        assert_eq!(kind(read.await), Some(ErrorKind::ConnectionReset));
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn write_all_buf_waits_for_a_peer_that_does_not_read() {
    const MUCH: usize = 4 << 20;
    run(async {
        let (stream, mut peer) = pair();
        let data: Vec<u8> = (0..MUCH).map(|i| (i / 251 + i) as u8).collect();
        let mut left = &data[..];
        {
            let mut write = Box::pin(stream.write_all_buf(&mut left));
            assert!(poll!(&mut write).is_pending());
        }
        assert!(!left.is_empty());
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            got
        });
        stream.write_all_buf(&mut left).await.unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(reader.join().unwrap() == data);
    });
}

#[test]
fn peek_and_vectored_io() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(one.write_vectored(&pieces).await.unwrap(), 5);
        let mut buf = [0; 8];
        assert_eq!(other.peek(&mut buf).await.unwrap(), 5);
        let (first, second) = buf.split_at_mut(3);
        let mut bufs = [IoSliceMut::new(first), IoSliceMut::new(second)];
        assert_eq!(other.read_vectored(&mut bufs).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"abcde");
        assert_eq!(kind(other.try_read(&mut buf)), Some(ErrorKind::WouldBlock));
        assert_eq!(one.try_write(b"x").unwrap(), 1);
        other.readable().await.unwrap();
        assert_eq!(other.try_read(&mut buf).unwrap(), 1);
    });
}

#[test]
fn into_std_restores_the_original_mode() {
    run(async {
        let folder = Folder::new("leaves");
        for nonblocking in [false, true] {
            let listener = net::UnixListener::bind(folder.0.join(nonblocking.to_string())).unwrap();
            listener.set_nonblocking(nonblocking).unwrap();
            let listener = UnixListener::from_std(listener).unwrap();
            assert!(is_nonblocking(&listener));
            assert_eq!(is_nonblocking(listener.into_std().unwrap()), nonblocking);
            let (stream, _peer) = net::UnixStream::pair().unwrap();
            stream.set_nonblocking(nonblocking).unwrap();
            let stream = UnixStream::from_std(stream).unwrap();
            assert!(is_nonblocking(&stream));
            assert_eq!(is_nonblocking(stream.into_std().unwrap()), nonblocking);
        }
        let (made_here, _) = UnixStream::pair().unwrap();
        assert!(!is_nonblocking(made_here.into_std().unwrap()));
    });
}

#[test]
fn several_tasks_wait_for_one_direction_and_an_aborted_task_is_removed() {
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let (stream, mut peer) = pair();
    drop(entered);
    let stream = Rc::new(stream);
    let read = |stream: Rc<UnixStream>| async move { stream.read_exact(&mut [0]).await };
    let mut tasks: Vec<_> = (0..4).map(|_| runtime.spawn(read(stream.clone()))).collect();
    let mut turn = || runtime.turn(Some(Duration::ZERO)).unwrap().polled;
    assert_eq!(turn(), 4);
    // The selector reports the events of a new socket first.
    while turn() > 0 {}
    tasks.remove(1).abort();
    assert_eq!(turn(), 0, "an aborted task is dropped, not polled");
    peer.write_all(&[1]).unwrap();
    wait_for_flags(&*stream, PollFlags::IN);
    assert_eq!(turn(), 3);
    assert_eq!(tasks.iter().filter(|task| task.is_finished()).count(), 1);
    peer.write_all(&[2, 3]).unwrap();
    assert_eq!(turn(), 2);
    assert!(tasks.iter().all(|task| task.is_finished()));
}

#[test]
fn after_the_end_of_its_loop_a_socket_returns_not_connected() {
    let (stream, listener) = run(async {
        let name = format!("\0evloop-ended-{}", std::process::id());
        (UnixStream::pair().unwrap().0, UnixListener::bind(name).unwrap())
    });
    run(async {
        assert_eq!(kind(stream.read(&mut [0]).await), Some(ErrorKind::NotConnected));
        assert_eq!(kind(listener.accept().await), Some(ErrorKind::NotConnected));
    });
}

#[test]
fn accept_reports_a_missing_descriptor_and_stays_usable() {
    if !alone::is_here("accept_reports_a_missing_descriptor_and_stays_usable") {
        return;
    }
    let folder = Folder::new("starved");
    run(async {
        let listener = UnixListener::bind(folder.socket()).unwrap();
        let _client = UnixStream::connect(folder.socket()).await.unwrap();
        // The limit is the number of open descriptors: opening another fails.
        let spare = fs::File::open("/dev/null").unwrap();
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        let current = Some(spare.as_raw_fd().try_into().unwrap());
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
        let refused = UnixStream::pair().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
        let all = Rlimit { current: maximum, maximum };
        rustix::process::setrlimit(Resource::Nofile, all).unwrap();
        listener.accept().await.unwrap();
    });
}

#[test]
fn a_duplicate_keeps_the_connection_open_but_causes_no_event() {
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let (stream, mut peer) = pair();
    let mut duplicate = net::UnixStream::from(stream.as_fd().try_clone_to_owned().unwrap());
    drop(stream);
    // The next socket gets the same slot in the reactor.
    let (next, _next_peer) = pair();
    drop(entered);
    let task = runtime.spawn(async move { next.read(&mut [0]).await });
    let mut turn = || runtime.turn(Some(Duration::ZERO)).unwrap().polled;
    assert_eq!(turn(), 1);
    while turn() > 0 {}
    peer.write_all(b"x").unwrap();
    wait_for_flags(&duplicate, PollFlags::IN);
    assert_eq!(turn(), 0);
    assert!(!task.is_finished());
    duplicate.set_nonblocking(false).unwrap();
    duplicate.read_exact(&mut [0]).unwrap();
}
