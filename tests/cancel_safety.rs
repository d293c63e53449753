//! A future that is dropped loses nothing: every operation on bytes, dropped at every await and at
//! random times, against another end that does the same.
//!
//! Both ends of a connection go through a random script of operations, each polled a few times and
//! then dropped, or given a limit, or awaited. Whatever is dropped, the bytes that were taken must
//! be those that were given. The last tests are of those operations that are documented as not
//! cancel safe, and show what is lost.

#![cfg(target_os = "linux")]

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

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Bytes that go through in one case: many times what a small socket holds.
const TOTAL: usize = 60_000;

/// Small, so that writers have to wait.
const SOCKET_BUFFER: usize = 4096;

/// One operation of a script.
#[derive(Clone, Debug)]
struct Step {
    /// Which one.
    what: usize,
    /// How many bytes.
    n: usize,
    patience: Patience,
    /// Turns of the loop until the next.
    pause: usize,
}

/// When a future is dropped.
#[derive(Clone, Debug)]
enum Patience {
    Polls(usize),
    Micros(u64),
    Endless,
}

/// What an operation gave.
enum Taken {
    Nothing,
    Bytes(Vec<u8>),
    /// They are still there.
    Seen(Vec<u8>),
    End,
}

trait Giver {
    /// Gives some of `bytes`; returns how many.
    async fn give(&mut self, step: &Step, bytes: &[u8]) -> usize;
    /// Nothing more will come.
    async fn end(&mut self, step: &Step);
}

trait Taker {
    async fn take(&mut self, step: &Step) -> Taken;
}

impl Step {
    /// The future's output, unless it was dropped before.
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

/// The first `n` bytes, `None` the end.
fn taken(mut buf: Vec<u8>, read: Option<io::Result<usize>>) -> Taken {
    match read.transpose().unwrap() {
        None => Taken::Nothing,
        Some(0) => Taken::End,
        Some(n) => {
            buf.truncate(n);
            Taken::Bytes(buf)
        }
    }
}

fn given(written: Option<io::Result<usize>>) -> usize {
    written.transpose().unwrap().unwrap_or(0)
}

async fn take_by_trait(mut reader: impl AsyncRead + Unpin, step: &Step) -> Taken {
    let mut buf = vec![0; step.n];
    let read = step.attempt(reader.read(&mut buf)).await;
    taken(buf, read)
}

async fn give_by_trait(mut writer: impl AsyncWrite + Unpin, step: &Step, bytes: &[u8]) -> usize {
    given(step.attempt(writer.write(bytes)).await)
}

impl<T: Transport> Taker for Rc<Connection<T>> {
    async fn take(&mut self, step: &Step) -> Taken {
        let mut buf = vec![0; step.n];
        match step.what % 5 {
            0 => {
                let read = step.attempt(self.read(&mut buf)).await;
                taken(buf, read)
            }
            1 => {
                let (one, two) = buf.split_at_mut(step.n / 2);
                let mut bufs = [IoSliceMut::new(one), IoSliceMut::new(two)];
                let read = step.attempt(self.read_vectored(&mut bufs)).await;
                taken(buf, read)
            }
            2 => take_by_trait(&**self, step).await,
            3 => {
                let read = step.attempt(self.peek(&mut buf)).await;
                match taken(buf, read) {
                    Taken::Bytes(seen) => Taken::Seen(seen),
                    other => other,
                }
            }
            _ => {
                step.attempt(self.readable()).await;
                Taken::Nothing
            }
        }
    }
}

impl<T: Transport> Giver for Rc<Connection<T>> {
    async fn give(&mut self, step: &Step, bytes: &[u8]) -> usize {
        match step.what % 5 {
            0 => given(step.attempt(self.write(bytes)).await),
            1 => {
                let (one, two) = bytes.split_at(bytes.len() / 2);
                let bufs = [IoSlice::new(one), IoSlice::new(two)];
                given(step.attempt(self.write_vectored(&bufs)).await)
            }
            2 => give_by_trait(&**self, step, bytes).await,
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

impl Taker for pipe::Receiver {
    async fn take(&mut self, step: &Step) -> Taken {
        let mut buf = vec![0; step.n];
        match step.what % 3 {
            0 => {
                let read = step.attempt(pipe::Receiver::read(self, &mut buf)).await;
                taken(buf, read)
            }
            1 => take_by_trait(self, step).await,
            _ => {
                step.attempt(self.readable()).await;
                Taken::Nothing
            }
        }
    }
}

impl Giver for Option<pipe::Sender> {
    async fn give(&mut self, step: &Step, bytes: &[u8]) -> usize {
        let sender = self.as_mut().unwrap();
        match step.what % 3 {
            0 => given(step.attempt(pipe::Sender::write(sender, bytes)).await),
            1 => give_by_trait(sender, step, bytes).await,
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

impl Taker for DuplexStream {
    async fn take(&mut self, step: &Step) -> Taken {
        match step.what % 2 {
            0 => take_by_trait(&*self, step).await,
            _ => take_by_trait(self, step).await,
        }
    }
}

impl Giver for DuplexStream {
    async fn give(&mut self, step: &Step, bytes: &[u8]) -> usize {
        match step.what % 2 {
            0 => give_by_trait(&*self, step, bytes).await,
            _ => give_by_trait(self, step, bytes).await,
        }
    }

    async fn end(&mut self, _: &Step) {
        self.close().await.unwrap();
    }
}

impl Taker for StreamReader {
    async fn take(&mut self, step: &Step) -> Taken {
        let piece = match step.what % 8 {
            0 => step.attempt(self.read(step.n)).await,
            1 => step.attempt(self.read_exact(step.n)).await,
            2 => step.attempt(self.read_until(&[17, 18, 19])).await,
            3 => step.attempt(self.read_until_any(&[&[step.n as u8 % 251], &[200, 201]])).await,
            4 => step.attempt(self.read_line()).await,
            5 => match step.attempt(self.lines().next()).await {
                Some(None) => return Taken::End,
                line => line.flatten(),
            },
            6 => return take_by_trait(self.as_async_read(), step).await,
            _ if step.n < 1000 && !matches!(step.patience, Patience::Endless) => {
                step.attempt(self.read_to_end()).await
            }
            _ => None,
        };
        match piece {
            None => Taken::Nothing,
            Some(Ok(piece)) if piece.is_empty() => Taken::End,
            Some(Ok(piece)) => Taken::Bytes(piece),
            Some(Err(error)) => match IncompleteRead::of(&error) {
                Some(incomplete) if incomplete.partial.is_empty() => Taken::End,
                Some(incomplete) => Taken::Bytes(incomplete.partial.clone()),
                None => panic!("{error}"),
            },
        }
    }
}

impl Giver for StreamWriter {
    async fn give(&mut self, step: &Step, bytes: &[u8]) -> usize {
        match step.what % 4 {
            0 => self.write(bytes),
            1 => {
                let (one, two) = bytes.split_at(bytes.len() / 2);
                self.write_vectored(&[IoSlice::new(one), IoSlice::new(two)]);
            }
            2 => return give_by_trait(self.as_async_write(), step, bytes).await,
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

/// Bytes that tell where they belong.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// Both ends go through their scripts, again and again, until all is through. Each is a task: a
/// wake that is lost by one is not made good by the other's.
async fn exchange(giver: impl Giver + 'static, taker: impl Taker + 'static, script: &[Step]) {
    let giving = spawn(give_all(giver, script.to_vec())).abort_on_drop();
    let taking = spawn(take_all(taker, script.to_vec())).abort_on_drop();
    let both = async {
        taking.await.unwrap();
        giving.await.unwrap();
    };
    timeout(LIMIT, both).await.expect("it hangs");
}

async fn give_all(mut giver: impl Giver, script: Vec<Step>) {
    let all = pattern(TOTAL);
    let mut left = &all[..];
    for step in script.iter().cycle() {
        if left.is_empty() {
            return giver.end(step).await;
        }
        let n = giver.give(step, &left[..step.n.min(left.len())]).await;
        left = &left[n..];
        step.pause().await;
    }
}

async fn take_all(mut taker: impl Taker, script: Vec<Step>) {
    let all = pattern(TOTAL);
    let mut came = 0;
    for step in script.iter().rev().cycle() {
        match taker.take(step).await {
            Taken::Nothing => {}
            Taken::End if came < TOTAL => panic!("the end after {came} bytes"),
            Taken::End => return,
            Taken::Seen(bytes) => assert!(all[came..].starts_with(&bytes), "after {came} bytes"),
            Taken::Bytes(bytes) => {
                assert!(all[came..].starts_with(&bytes), "after {came} bytes");
                came += bytes.len();
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
    // One that completes at least, or nothing would ever be through.
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

/// Not what it receives in: TCP would wait for its own timers.
fn small(socket: &impl AsFd) {
    rustix::net::sockopt::set_socket_send_buffer_size(socket, SOCKET_BUFFER).unwrap();
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (other, _) = listener.accept().await.unwrap();
    small(&one);
    small(&other);
    (one, other)
}

fn unix() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    small(&one);
    small(&other);
    (one, other)
}

/// Few steps to a short script: one that hangs takes its time.
fn config() -> ProptestConfig {
    let cases = 40;
    let (failure_persistence, max_shrink_iters) = (None, 10);
    ProptestConfig { cases, failure_persistence, max_shrink_iters, ..Default::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn tcp_loses_nothing(script in steps()) {
        evloop::block_on(async {
            let (one, other) = tcp().await;
            exchange(Rc::new(one), Rc::new(other), &script).await;
        });
    }

    #[test]
    fn unix_sockets_lose_nothing(script in steps()) {
        evloop::block_on(async {
            let (one, other) = unix();
            exchange(Rc::new(one), Rc::new(other), &script).await;
        });
    }

    #[test]
    fn pipes_lose_nothing(script in steps()) {
        evloop::block_on(async {
            let (sender, receiver) = pipe::pair().unwrap();
            exchange(Some(sender), receiver, &script).await;
        });
    }

    #[test]
    fn a_duplex_loses_nothing(script in steps(), capacity in 1usize..5000) {
        evloop::block_on(async {
            let (one, other) = duplex(capacity);
            exchange(one, other, &script).await;
        });
    }

    #[test]
    fn streams_lose_nothing(script in steps()) {
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
    fn streams_by_unix_sockets_lose_nothing(script in steps()) {
        evloop::block_on(async {
            let (one, other) = unix();
            let options = StreamOptions::default();
            let (_reader, writer) = streams::from_unix(one, &options);
            let (reader, _writer) = streams::from_unix(other, &options);
            exchange(writer, reader, &script).await;
        });
    }

    #[test]
    fn the_reader_of_a_copy_buf_keeps_what_was_not_written(script in steps()) {
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

/// Polls once, and drops.
async fn drop_pending<F: Future>(future: F) {
    assert!(poll!(pin!(future)).is_pending());
}

#[test]
fn a_dropped_read_exact_leaves_what_it_read_in_the_buffer() {
    run(async {
        let (one, other) = tcp().await;
        one.write_all(b"abc").await.unwrap();
        other.readable().await.unwrap();
        let mut buf = *b".....";
        drop_pending(other.read_exact(&mut buf)).await;
        assert_eq!(&buf, b"abc..");
        one.write_all(b"def").await.unwrap();
        let n = other.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"def", "nothing else is lost");
    });
}

#[test]
fn of_a_dropped_write_all_a_beginning_was_written() {
    run(async {
        let (one, other) = tcp().await;
        let all = pattern(20 << 20);
        drop_pending(one.write_all(&all)).await;
        one.shutdown(Shutdown::Write).unwrap();
        let mut came = Vec::new();
        (&other).read_to_end(&mut came).await.unwrap();
        assert!(!came.is_empty() && came.len() < all.len());
        assert!(all.starts_with(&came));
    });
}

#[test]
fn a_dropped_copy_loses_what_it_read_and_could_not_write() {
    run(async {
        let ((mut one, mut from), (mut to, mut other)) = (duplex(100_000), duplex(10));
        one.write_all(&pattern(80_000)).await.unwrap();
        one.close().await.unwrap();
        drop_pending(copy(&mut from, &mut to)).await;
        drop(to);
        let (mut came, mut left) = (Vec::new(), Vec::new());
        other.read_to_end(&mut came).await.unwrap();
        from.read_to_end(&mut left).await.unwrap();
        assert_eq!(came, pattern(80_000)[..10]);
        assert_eq!(left, pattern(80_000)[64 * 1024..], "one read");
    });
}

#[test]
fn a_dropped_copy_bidirectional_loses_as_much_each_way() {
    run(async {
        let ((mut one, mut a), (mut b, mut other)) = (duplex(100_000), duplex(100_000));
        // Both can be written 100,000 bytes, and have 90,000 before what is copied.
        for end in [&mut a, &mut b, &mut one, &mut other] {
            end.write_all(&pattern(90_000)).await.unwrap();
        }
        drop_pending(copy_bidirectional(&mut a, &mut b)).await;
        for (end, way) in [(&mut one, &mut a), (&mut other, &mut b)] {
            let mut came = vec![0; 100_000];
            end.read_exact(&mut came).await.unwrap();
            assert!(came[90_000..] == pattern(10_000), "what there was room for");
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
