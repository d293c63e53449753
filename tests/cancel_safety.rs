//! Cancel safety of every operation on bytes: futures are dropped at random awaits and times.
//!
//! Both ends of a connection run a random script of operations. Each future is polled a few times
//! and then dropped, or limited by a timeout, or awaited. The received bytes must be equal to the
//! written bytes. The last tests are of the operations that are documented as not cancel safe, and
//! show which bytes are lost.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evloop::io::{DuplexStream, copy, copy_bidirectional, copy_buf, duplex};
use evloop::net::{Connection, TcpListener, TcpStream, Transport, UnixStream, pipe};
use evloop::streams::{self, IncompleteRead, StreamOptions};
use evloop::task::yield_now;
use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter, spawn};
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use futures::{join, poll};
use proptest::prelude::*;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// The number of bytes of one case: many times the buffer of a socket.
const TOTAL: usize = 60_000;

/// Small, so that writers have to wait.
const SOCKET_BUFFER: usize = 4096;

/// One operation of a script.
#[derive(Clone, Debug)]
struct Step {
    /// The number of the operation, modulo the number of operations.
    what: usize,
    /// The number of bytes.
    n: usize,
    patience: Patience,
    /// The number of turns of the loop before the next step.
    pause: usize,
}

/// When a future is dropped.
#[derive(Clone, Debug)]
enum Patience {
    Polls(usize),
    Micros(u64),
    Endless,
}

/// The result of a read.
enum ReadResult {
    /// The future was dropped, or the operation reads no bytes.
    NoBytes,
    Bytes(Vec<u8>),
    /// Bytes that a later read returns again.
    Peeked(Vec<u8>),
    End,
}

trait WriteEnd {
    /// Writes some of `bytes`, and returns their number.
    async fn write_some(&mut self, step: &Step, bytes: &[u8]) -> usize;
    /// Ends the write direction.
    async fn end(&mut self, step: &Step);
}

trait ReadEnd {
    async fn read_some(&mut self, step: &Step) -> ReadResult;
}

impl Step {
    /// Returns the output of the future, unless it was dropped before.
    async fn attempt<F: Future>(&self, future: F) -> Option<F::Output> {
        match self.patience {
            Patience::Endless => Some(future.await),
            Patience::Micros(limit) => timeout(Duration::from_micros(limit), future).await.ok(),
            Patience::Polls(polls) => {
                let mut future = pin!(future);
                for _ in 0..polls {
                    if let Poll::Ready(output) = poll!(future.as_mut()) {
                        return Some(output);
                    }
                    yield_now().await;
                }
                None
            }
        }
    }

    async fn pause(&self) {
        for _ in 0..self.pause {
            yield_now().await;
        }
    }
}

/// Converts the result of a read into `buf`; `None` if the future was dropped.
fn read_result(mut buf: Vec<u8>, read: Option<io::Result<usize>>) -> ReadResult {
    match read.transpose().unwrap() {
        None => ReadResult::NoBytes,
        Some(0) => ReadResult::End,
        Some(n) => {
            buf.truncate(n);
            ReadResult::Bytes(buf)
        }
    }
}

fn write_count(written: Option<io::Result<usize>>) -> usize {
    written.transpose().unwrap().unwrap_or(0)
}

async fn read_by_trait(mut reader: impl AsyncRead + Unpin, step: &Step) -> ReadResult {
    let mut buf = vec![0; step.n];
    let read = step.attempt(reader.read(&mut buf)).await;
    read_result(buf, read)
}

async fn write_by_trait(mut writer: impl AsyncWrite + Unpin, step: &Step, bytes: &[u8]) -> usize {
    write_count(step.attempt(writer.write(bytes)).await)
}

impl<T: Transport> ReadEnd for Rc<Connection<T>> {
    async fn read_some(&mut self, step: &Step) -> ReadResult {
        let mut buf = vec![0; step.n];
        match step.what % 5 {
            0 => {
                let read = step.attempt(self.read(&mut buf)).await;
                read_result(buf, read)
            }
            1 => {
                let (one, two) = buf.split_at_mut(step.n / 2);
                let mut bufs = [IoSliceMut::new(one), IoSliceMut::new(two)];
                let read = step.attempt(self.read_vectored(&mut bufs)).await;
                read_result(buf, read)
            }
            2 => read_by_trait(&**self, step).await,
            3 => {
                let read = step.attempt(self.peek(&mut buf)).await;
                match read_result(buf, read) {
                    ReadResult::Bytes(peeked) => ReadResult::Peeked(peeked),
                    other => other,
                }
            }
            _ => {
                step.attempt(self.readable()).await;
                ReadResult::NoBytes
            }
        }
    }
}

impl<T: Transport> WriteEnd for Rc<Connection<T>> {
    async fn write_some(&mut self, step: &Step, bytes: &[u8]) -> usize {
        match step.what % 5 {
            0 => write_count(step.attempt(self.write(bytes)).await),
            1 => {
                let (one, two) = bytes.split_at(bytes.len() / 2);
                let bufs = [IoSlice::new(one), IoSlice::new(two)];
                write_count(step.attempt(self.write_vectored(&bufs)).await)
            }
            2 => write_by_trait(&**self, step, bytes).await,
            3 => {
                let mut left = bytes;
                step.attempt(self.write_all_buf(&mut left)).await;
                bytes.len() - left.len()
            }
            _ => {
                step.attempt(self.writable()).await;
                0
            }
        }
    }

    async fn end(&mut self, _: &Step) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

impl ReadEnd for pipe::Receiver {
    async fn read_some(&mut self, step: &Step) -> ReadResult {
        let mut buf = vec![0; step.n];
        match step.what % 3 {
            0 => {
                let read = step.attempt(pipe::Receiver::read(self, &mut buf)).await;
                read_result(buf, read)
            }
            1 => read_by_trait(self, step).await,
            _ => {
                step.attempt(self.readable()).await;
                ReadResult::NoBytes
            }
        }
    }
}

impl WriteEnd for Option<pipe::Sender> {
    async fn write_some(&mut self, step: &Step, bytes: &[u8]) -> usize {
        let sender = self.as_mut().unwrap();
        match step.what % 3 {
            0 => write_count(step.attempt(pipe::Sender::write(sender, bytes)).await),
            1 => write_by_trait(sender, step, bytes).await,
            _ => {
                let mut left = bytes;
                step.attempt(sender.write_all_buf(&mut left)).await;
                bytes.len() - left.len()
            }
        }
    }

    async fn end(&mut self, _: &Step) {
        *self = None;
    }
}

impl ReadEnd for DuplexStream {
    async fn read_some(&mut self, step: &Step) -> ReadResult {
        match step.what % 2 {
            0 => read_by_trait(&*self, step).await,
            _ => read_by_trait(self, step).await,
        }
    }
}

impl WriteEnd for DuplexStream {
    async fn write_some(&mut self, step: &Step, bytes: &[u8]) -> usize {
        match step.what % 2 {
            0 => write_by_trait(&*self, step, bytes).await,
            _ => write_by_trait(self, step, bytes).await,
        }
    }

    async fn end(&mut self, _: &Step) {
        self.close().await.unwrap();
    }
}

impl ReadEnd for StreamReader {
    async fn read_some(&mut self, step: &Step) -> ReadResult {
        let piece = match step.what % 8 {
            0 => step.attempt(self.read(step.n)).await,
            1 => step.attempt(self.read_exact(step.n)).await,
            2 => step.attempt(self.read_until(&[17, 18, 19])).await,
            3 => step.attempt(self.read_until_any(&[&[step.n as u8 % 251], &[200, 201]])).await,
            4 => step.attempt(self.read_line()).await,
            5 => match step.attempt(self.lines().next()).await {
                Some(None) => return ReadResult::End,
                line => line.flatten(),
            },
            6 => return read_by_trait(self.as_async_read(), step).await,
            _ if step.n < 1000 && !matches!(step.patience, Patience::Endless) => {
                step.attempt(self.read_to_end()).await
            }
            _ => None,
        };
        match piece {
            None => ReadResult::NoBytes,
            Some(Ok(piece)) if piece.is_empty() => ReadResult::End,
            Some(Ok(piece)) => ReadResult::Bytes(piece),
            Some(Err(error)) => match IncompleteRead::of(&error) {
                Some(incomplete) if incomplete.partial.is_empty() => ReadResult::End,
                Some(incomplete) => ReadResult::Bytes(incomplete.partial.clone()),
                None => panic!("{error}"),
            },
        }
    }
}

impl WriteEnd for StreamWriter {
    async fn write_some(&mut self, step: &Step, bytes: &[u8]) -> usize {
        match step.what % 4 {
            0 => self.write(bytes),
            1 => {
                let (one, two) = bytes.split_at(bytes.len() / 2);
                self.write_vectored(&[IoSlice::new(one), IoSlice::new(two)]);
            }
            2 => return write_by_trait(self.as_async_write(), step, bytes).await,
            _ => {
                step.attempt(self.as_async_write().flush()).await;
                return 0;
            }
        }
        step.attempt(self.drain()).await;
        bytes.len()
    }

    async fn end(&mut self, step: &Step) {
        self.close();
        while step.attempt(self.wait_closed()).await.is_none() {}
    }
}

/// Returns bytes that depend on their position.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// Both ends repeat their scripts until all bytes are transferred. Each end is a task of its own: a
/// wake of one does not hide a lost wake of the other.
async fn exchange(
    writer_end: impl WriteEnd + 'static,
    reader_end: impl ReadEnd + 'static,
    script: &[Step],
) {
    let writing = spawn(write_all_steps(writer_end, script.to_vec())).abort_on_drop();
    let reading = spawn(read_all_steps(reader_end, script.to_vec())).abort_on_drop();
    let both = async {
        reading.await.unwrap();
        writing.await.unwrap();
    };
    timeout(LIMIT, both).await.expect("it hangs");
}

async fn write_all_steps(mut writer_end: impl WriteEnd, script: Vec<Step>) {
    let all = pattern(TOTAL);
    let mut left = &all[..];
    for step in script.iter().cycle() {
        if left.is_empty() {
            return writer_end.end(step).await;
        }
        let n = writer_end.write_some(step, &left[..step.n.min(left.len())]).await;
        left = &left[n..];
        step.pause().await;
    }
}

async fn read_all_steps(mut reader_end: impl ReadEnd, script: Vec<Step>) {
    let all = pattern(TOTAL);
    let mut received = 0;
    for step in script.iter().rev().cycle() {
        match reader_end.read_some(step).await {
            ReadResult::NoBytes => {}
            ReadResult::End if received < TOTAL => panic!("the end after {received} bytes"),
            ReadResult::End => return,
            ReadResult::Peeked(bytes) => {
                assert!(all[received..].starts_with(&bytes), "after {received} bytes")
            }
            ReadResult::Bytes(bytes) => {
                assert!(all[received..].starts_with(&bytes), "after {received} bytes");
                received += bytes.len();
            }
        }
        step.pause().await;
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let patience = prop_oneof![
        4 => (1usize..4).prop_map(Patience::Polls),
        1 => (0u64..300).prop_map(Patience::Micros),
        2 => Just(Patience::Endless),
    ];
    let n = prop_oneof![1usize..20, 1usize..2000, 1usize..20_000];
    let step = (0usize..840, n, patience, 0usize..4);
    let step = step.prop_map(|(what, n, patience, pause)| Step { what, n, patience, pause });
    // At least one operation completes, so that each script makes progress.
    let end = (0usize..840).prop_map(|what| {
        let patience = Patience::Endless;
        [0, 1, 2].map(|more| Step {
            what: what + more,
            n: 1000,
            patience: patience.clone(),
            pause: 1,
        })
    });
    (prop::collection::vec(step, 1..12), end).prop_map(|(mut steps, end)| {
        steps.extend(end);
        steps
    })
}

/// Reduces the send buffer. A small receive buffer would make TCP wait for its own
/// timers.
fn shrink_send_buffer(socket: &impl AsFd) {
    rustix::net::sockopt::set_socket_send_buffer_size(socket, SOCKET_BUFFER).unwrap();
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (other, _) = listener.accept().await.unwrap();
    shrink_send_buffer(&one);
    shrink_send_buffer(&other);
    (one, other)
}

fn unix() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    shrink_send_buffer(&one);
    shrink_send_buffer(&other);
    (one, other)
}

/// Few steps of shrinking: a script that hangs takes until the timeout.
fn config() -> ProptestConfig {
    let cases = 40;
    let (failure_persistence, max_shrink_iters) = (None, 10);
    ProptestConfig { cases, failure_persistence, max_shrink_iters, ..Default::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn tcp_loses_no_bytes(script in steps()) {
        evloop::block_on(async {
            let (one, other) = tcp().await;
            exchange(Rc::new(one), Rc::new(other), &script).await;
        });
    }

    #[test]
    fn unix_sockets_lose_no_bytes(script in steps()) {
        evloop::block_on(async {
            let (one, other) = unix();
            exchange(Rc::new(one), Rc::new(other), &script).await;
        });
    }

    #[test]
    fn pipes_lose_no_bytes(script in steps()) {
        evloop::block_on(async {
            let (sender, receiver) = pipe::pair().unwrap();
            exchange(Some(sender), receiver, &script).await;
        });
    }

    #[test]
    fn a_duplex_loses_no_bytes(script in steps(), capacity in 1usize..5000) {
        evloop::block_on(async {
            let (one, other) = duplex(capacity);
            exchange(one, other, &script).await;
        });
    }

    #[test]
    fn streams_lose_no_bytes(script in steps()) {
        evloop::block_on(async {
            let (one, other) = tcp().await;
            let options = StreamOptions::default();
            let (_reader, writer) = streams::from_tcp(one, &options).unwrap();
            let (reader, _writer) = streams::from_tcp(other, &options).unwrap();
            writer.set_write_buffer_limits(1000, 5000);
            exchange(writer, reader, &script).await;
        });
    }

    #[test]
    fn streams_of_unix_sockets_lose_no_bytes(script in steps()) {
        evloop::block_on(async {
            let (one, other) = unix();
            let options = StreamOptions::default();
            let (_reader, writer) = streams::from_unix(one, &options);
            let (reader, _writer) = streams::from_unix(other, &options);
            exchange(writer, reader, &script).await;
        });
    }

    #[test]
    fn the_reader_of_a_copy_buf_keeps_unwritten_bytes(script in steps()) {
        evloop::block_on(async {
            let ((one, middle), (mut on, other)) = (duplex(700), duplex(300));
            let copying = async {
                let mut reader = BufReader::with_capacity(500, middle);
                for step in script.iter().cycle() {
                    let copied = step.attempt(copy_buf(&mut reader, &mut on)).await;
                    if copied.transpose().unwrap().is_some() {
                        return on.close().await.unwrap();
                    }
                    step.pause().await;
                }
            };
            join!(exchange(one, other, &script), copying);
        });
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Polls a future once, and drops it.
async fn drop_pending<F: Future>(future: F) {
    assert!(poll!(pin!(future)).is_pending());
}

#[test]
fn a_dropped_read_exact_leaves_its_bytes_in_the_buffer() {
    run(async {
        let (one, other) = tcp().await;
        one.write_all(b"abc").await.unwrap();
        other.readable().await.unwrap();
        let mut buf = *b".....";
        drop_pending(other.read_exact(&mut buf)).await;
        assert_eq!(&buf, b"abc..");
        one.write_all(b"def").await.unwrap();
        let n = other.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"def", "no other byte is lost");
    });
}

#[test]
fn a_dropped_write_all_has_written_a_prefix() {
    run(async {
        let (one, other) = tcp().await;
        let all = pattern(20 << 20);
        drop_pending(one.write_all(&all)).await;
        one.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        (&other).read_to_end(&mut received).await.unwrap();
        assert!(!received.is_empty() && received.len() < all.len());
        assert!(all.starts_with(&received));
    });
}

#[test]
fn a_dropped_copy_loses_bytes_that_it_read_and_did_not_write() {
    run(async {
        let ((mut one, mut from), (mut to, mut other)) = (duplex(100_000), duplex(10));
        one.write_all(&pattern(80_000)).await.unwrap();
        one.close().await.unwrap();
        drop_pending(copy(&mut from, &mut to)).await;
        drop(to);
        let (mut received, mut left) = (Vec::new(), Vec::new());
        other.read_to_end(&mut received).await.unwrap();
        from.read_to_end(&mut left).await.unwrap();
        assert_eq!(received, pattern(80_000)[..10]);
        assert_eq!(left, pattern(80_000)[64 * 1024..], "one read");
    });
}

#[test]
fn a_dropped_copy_bidirectional_loses_bytes_in_each_direction() {
    run(async {
        let ((mut one, mut a), (mut b, mut other)) = (duplex(100_000), duplex(100_000));
        // Each direction has a capacity of 100,000 bytes, and holds 90,000 before the copy.
        for end in [&mut a, &mut b, &mut one, &mut other] {
            end.write_all(&pattern(90_000)).await.unwrap();
        }
        drop_pending(copy_bidirectional(&mut a, &mut b)).await;
        for (end, way) in [(&mut one, &mut a), (&mut other, &mut b)] {
            let mut received = vec![0; 100_000];
            end.read_exact(&mut received).await.unwrap();
            assert!(received[90_000..] == pattern(10_000), "as many as the remaining capacity");
            let mut left = vec![0; 90_000 - 64 * 1024];
            way.read_exact(&mut left).await.unwrap();
            assert!(left == pattern(90_000)[64 * 1024..], "one read");
        }
    });
}

#[test]
fn a_dropped_accept_loses_no_connection() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        drop_pending(listener.accept()).await;
        let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        for _ in 0..3 {
            drop(listener.accept());
        }
        let (other, _) = listener.accept().await.unwrap();
        assert_eq!(other.peer_addr().unwrap(), one.local_addr().unwrap());
        drop_pending(listener.accept()).await;
    });
}
