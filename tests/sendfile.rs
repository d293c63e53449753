//! Sending files: every byte once, from the given offset, by sendfile(2) or by copying.

#![cfg(unix)]

use std::fs::{self, File};
use std::future::Future;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::net;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use evloop::net::{TcpStream, sendfile};
use evloop::time::timeout;
use futures::poll;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// More bytes than the buffers of a connection hold.
const MUCH: usize = 8 << 20;

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (TcpStream::from_std(stream).unwrap(), peer)
}

/// A file with its content. Dropping it removes the file.
struct Temporary(PathBuf, Vec<u8>);

impl Temporary {
    fn new(name: &str, len: usize) -> Temporary {
        let content: Vec<u8> = (0..len).map(|i| (i / 251 + i) as u8).collect();
        let path = std::env::temp_dir().join(format!("evloop-{name}-{}", std::process::id()));
        fs::write(&path, &content).unwrap();
        Temporary(path, content)
    }

    fn open(&self) -> File {
        File::open(&self.0).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// Reads on a thread until the end of the stream.
fn read_all(mut peer: net::TcpStream) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    })
}

#[test]
fn sends_the_given_range_of_a_file() {
    let file = Temporary::new("pieces", 1000);
    run(async {
        let (stream, peer) = pair();
        let mut open = file.open();
        open.seek(SeekFrom::Start(77)).unwrap();
        let pieces = [
            (0, 10, 10),
            (990, 100, 10),
            (5, 0, 0),
            (1000, 1, 0),
            (u64::MAX, 1, 0),
            (500, u64::MAX, 500),
        ];
        for (offset, len, sent) in pieces {
            assert_eq!(sendfile(&stream, &open, offset, len).await.unwrap_or(0), sent, "{offset}");
        }
        assert_eq!(open.stream_position().unwrap(), 77);
        drop(stream);
        let expected = [&file.1[..10], &file.1[990..], &file.1[500..]].concat();
        assert!(read_all(peer).join().unwrap() == expected);
    });
}

#[test]
fn sendfile_waits_for_a_slow_peer() {
    let file = Temporary::new("slow", MUCH);
    run(async {
        let (stream, peer) = pair();
        let open = file.open();
        let mut send = Box::pin(sendfile(&stream, &open, 0, u64::MAX));
        // Both send and receive buffers become full.
        for _ in 0..3 {
            assert!(poll!(&mut send).is_pending());
            evloop::task::yield_now().await;
        }
        let reader = read_all(peer);
        assert_eq!(send.await.unwrap(), MUCH as u64);
        drop(stream);
        assert!(reader.join().unwrap() == file.1);
    });
}

#[test]
fn two_streams_send_one_file_at_once() {
    let file = Temporary::new("two", MUCH);
    run(async {
        let ((one, first), (other, second)) = (pair(), pair());
        let open = file.open();
        let (first, second) = (read_all(first), read_all(second));
        let (one_sent, other_sent) = futures::join!(
            sendfile(&one, &open, 0, u64::MAX),
            sendfile(&other, &open, 1, u64::MAX),
        );
        assert_eq!((one_sent.unwrap(), other_sent.unwrap()), (MUCH as u64, MUCH as u64 - 1));
        drop((one, other));
        assert!(first.join().unwrap() == file.1 && second.join().unwrap() == file.1[1..]);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_sendfile_refuses_is_copied() {
    run(async {
        let (stream, peer) = pair();
        // A file that sendfile(2) refuses.
        let content = fs::read("/proc/self/attr/current").ok();
        let path = if content.is_some() { "/proc/self/attr/current" } else { "/proc/version" };
        let content = fs::read(path).unwrap();
        let sent = sendfile(&stream, &File::open(path).unwrap(), 0, u64::MAX).await.unwrap();
        assert_eq!(sent, content.len() as u64);
        drop(stream);
        assert!(read_all(peer).join().unwrap() == content);
    });
}

#[test]
fn a_closed_peer_and_a_directory_are_errors() {
    let file = Temporary::new("closed-peer", MUCH);
    run(async {
        let (stream, peer) = pair();
        drop(peer);
        let error = sendfile(&stream, &file.open(), 0, u64::MAX).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
            "{error}"
        );
        let folder = File::open("/").unwrap();
        let error = sendfile(&pair().0, &folder, 0, 1).await.unwrap_err();
        // The error comes from the copy: sendfile(2) reports another kind.
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    });
}
