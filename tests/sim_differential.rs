//! Random scripts of operations on both ends of a TCP connection, on loopback and in a calm world:
//! the same bytes, the same ends, and errors that are allowed.
//!
//! After each operation the script waits until the other end has seen it: on loopback until the
//! system reports it, in the world until virtual time has passed. So the order of events is fixed.

#![cfg(all(target_os = "linux", feature = "sim"))]

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use evloop::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use evloop::sim;
use evloop::time::{self, sleep_until, timeout};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rustix::event::{PollFd, PollFlags, Timespec};

/// The number of scripts.
const CASES: u32 = 300;
/// The longest time in milliseconds to shorten a script that fails.
const SHRINK_MS: u32 = 30_000;
/// The most operations of a script: all bytes fit into the buffers of the system.
const STEPS_MAX: usize = 24;
const BYTES_MAX: usize = 2000;
/// The server accepts the connection after fewer operations than this.
const ACCEPT_MAX: usize = 8;
/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// An operation on one end. An operation on an end that is not connected yet, or is closed, does
/// nothing, except that `Drop` closes a listener.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    /// Of the server alone.
    Accept,
    Write(usize),
    Read(usize),
    Peek(usize),
    /// Ends the write direction.
    Shutdown,
    TakeError,
    Drop,
}

#[derive(Clone, Debug)]
struct Script {
    /// Whether the client's close is a reset: a linger time of zero.
    lingers: bool,
    steps: Vec<(usize, Op)>,
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Nothing,
    Done,
    Waits,
    Wrote(usize),
    /// None is the end of the stream.
    Bytes(Vec<u8>),
    /// All bytes up to the end of the stream or an error.
    Ended(Vec<u8>, Option<ErrorKind>),
    Failed(ErrorKind),
}

/// An end of the connection: a listener, a stream, or neither.
#[derive(Default)]
struct End {
    listener: Option<TcpListener>,
    stream: Option<TcpStream>,
    /// The number of bytes written, which is the value of the next byte.
    written: usize,
}

impl End {
    async fn perform(&mut self, op: Op) -> Outcome {
        if op == Op::Drop {
            let was_open = self.listener.take().is_some() | self.stream.take().is_some();
            return if was_open { Outcome::Done } else { Outcome::Nothing };
        }
        if op == Op::Accept {
            let Some(listener) = self.listener.take() else { return Outcome::Nothing };
            let (stream, _) = listener.accept().await.expect("a connection waits");
            self.stream = Some(stream);
            return Outcome::Done;
        }
        match self.stream.take() {
            Some(stream) => {
                let outcome = self.perform_on(&stream, op).await;
                self.stream = Some(stream);
                outcome.unwrap_or_else(failed)
            }
            None => Outcome::Nothing,
        }
    }

    async fn perform_on(&mut self, stream: &TcpStream, op: Op) -> io::Result<Outcome> {
        Ok(match op {
            Op::Accept | Op::Drop => Outcome::Nothing,
            Op::Write(n) => {
                let bytes: Vec<u8> = (self.written..).map(|n| n as u8).take(n).collect();
                let n = stream.write(&bytes).await?;
                self.written += n;
                Outcome::Wrote(n)
            }
            Op::Read(n) => {
                let mut buf = vec![0; n];
                let n = stream.try_read(&mut buf)?;
                buf.truncate(n);
                Outcome::Bytes(buf)
            }
            Op::Peek(n) => {
                let mut buf = vec![0; n];
                // What has arrived is there at the first wait of the loop.
                let Ok(peeked) = timeout(Duration::from_millis(2), stream.peek(&mut buf)).await
                else {
                    return Ok(Outcome::Waits);
                };
                buf.truncate(peeked?);
                Outcome::Bytes(buf)
            }
            Op::Shutdown => stream.shutdown(Shutdown::Write).map(|()| Outcome::Done)?,
            Op::TakeError => stream.take_error()?.map_or(Outcome::Done, failed),
        })
    }

    /// Ends the write direction, and reads until the end of the stream or an error.
    async fn finish(mut self) -> Outcome {
        let Some(stream) = self.stream.take() else { return Outcome::Nothing };
        let (mut all, mut buf) = (Vec::new(), [0; 700]);
        // The peer may have reset the connection.
        let _ = stream.shutdown(Shutdown::Write);
        loop {
            match timeout(LIMIT, stream.read(&mut buf)).await.expect("the end of the stream") {
                Ok(0) => return Outcome::Ended(all, None),
                Ok(n) => all.extend(&buf[..n]),
                Err(error) => return Outcome::Ended(all, Some(error.kind())),
            }
        }
    }
}

fn failed(error: io::Error) -> Outcome {
    match error.kind() {
        ErrorKind::WouldBlock => Outcome::Waits,
        kind => Outcome::Failed(kind),
    }
}

/// What has arrived at an end, so far as the script knows.
#[derive(Clone, Copy, Debug, Default)]
struct Arrived {
    unread: usize,
    has_fin: bool,
    has_reset: bool,
    sent_fin: bool,
    is_dropped: bool,
}

impl Script {
    /// Updates what has arrived after an operation.
    fn update(&self, ends: &mut [Arrived; 2], side: usize, op: Op, outcome: &Outcome) {
        let peer = 1 - side;
        match (op, outcome) {
            (Op::Write(_), Outcome::Wrote(_)) if ends[peer].is_dropped => {
                ends[side].has_reset = true;
            }
            (Op::Write(_), Outcome::Wrote(n)) => ends[peer].unread += n,
            (Op::Read(_), Outcome::Bytes(bytes)) => ends[side].unread -= bytes.len(),
            (Op::Shutdown, Outcome::Done) => {
                ends[side].sent_fin = true;
                ends[peer].has_fin = true;
            }
            (Op::Drop, Outcome::Done) => {
                let own = &mut ends[side];
                own.is_dropped = true;
                let is_over = own.has_fin && own.sent_fin || own.has_reset;
                let resets = own.unread > 0 || self.lingers && side == CLIENT;
                ends[peer].has_reset |= resets && !is_over;
                ends[peer].has_fin |= !resets;
            }
            _ => {}
        }
    }

    /// Runs the script on sockets of the system.
    async fn run_on_loopback(&self) -> Vec<Outcome> {
        let mut ends = [End::default(), End::default()];
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        ends[SERVER].listener = Some(listener);
        ends[CLIENT].stream = Some(connect(addr, self.lingers).await.unwrap());
        let (mut arrived, mut outcomes) = ([Arrived::default(); 2], Vec::new());
        for &(side, op) in &self.steps {
            let was_listener = ends[side].listener.is_some();
            let outcome = ends[side].perform(op).await;
            self.update(&mut arrived, side, op, &outcome);
            if was_listener && op == Op::Drop {
                // The system resets the connections that were not accepted.
                arrived[CLIENT].has_reset = true;
            }
            for (end, arrived) in ends.iter().zip(&arrived) {
                if let Some(stream) = &end.stream {
                    wait_for(stream, arrived);
                }
            }
            outcomes.push(outcome);
        }
        ends[SERVER].perform(Op::Accept).await;
        let [client, server] = ends.map(End::finish);
        let (client, server) = futures::join!(client, server);
        outcomes.extend([client, server]);
        outcomes
    }
}

/// The virtual time between two operations: longer than a packet and its answer take.
const STEP: Duration = Duration::from_millis(100);

impl Script {
    /// Runs the script in a world with a host for each end.
    fn in_world(&self, seed: u64) -> Vec<Outcome> {
        let outcomes = RefCell::new(vec![Outcome::Nothing; self.steps.len() + 2]);
        sim::check_in_turn(seed..seed + 1, |sim| {
            sim.run(async |world| {
                let server = world.client("server", async || {
                    let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
                    let end = End { listener: Some(listener), ..End::default() };
                    self.run_end(SERVER, end, &outcomes).await;
                });
                let client = world.client("client", async || {
                    let addr = lookup_host("server:80").await.unwrap().find(SocketAddr::is_ipv4);
                    let stream = connect(addr.unwrap(), self.lingers).await.unwrap();
                    let end = End { stream: Some(stream), ..End::default() };
                    self.run_end(CLIENT, end, &outcomes).await;
                });
                futures::join!(server, client);
            });
        });
        outcomes.into_inner()
    }

    async fn run_end(&self, own: usize, mut end: End, outcomes: &RefCell<Vec<Outcome>>) {
        let start = time::now() + STEP;
        for (at, &(side, op)) in self.steps.iter().enumerate() {
            sleep_until(start + STEP * at as u32).await;
            if side == own {
                let outcome = end.perform(op).await;
                outcomes.borrow_mut()[at] = outcome;
            }
        }
        sleep_until(start + STEP * self.steps.len() as u32).await;
        end.perform(Op::Accept).await;
        sleep_until(start + STEP * (self.steps.len() as u32 + 1)).await;
        let outcome = end.finish().await;
        outcomes.borrow_mut()[self.steps.len() + own] = outcome;
    }
}

/// Panics if an operation returned an error that is not among those of the manual pages.
fn assert_allowed(script: &Script, outcomes: &[Outcome]) {
    use ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    for ((_, op), outcome) in script.steps.iter().zip(outcomes) {
        let allowed: &[ErrorKind] = match op {
            Op::Accept | Op::Drop => &[],
            // send(2), recv(2), shutdown(2), and SO_ERROR in socket(7).
            Op::Write(_) => &[BrokenPipe, ConnectionReset],
            Op::Read(_) | Op::Peek(_) => &[ConnectionReset],
            Op::Shutdown => &[NotConnected],
            Op::TakeError => &[BrokenPipe, ConnectionReset],
        };
        if let Outcome::Failed(kind) = outcome {
            assert!(allowed.contains(kind), "{op:?} returned {kind:?}: {script:?}");
        }
    }
}

async fn connect(addr: SocketAddr, lingers: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_linger(lingers.then_some(Duration::ZERO))?;
    socket.connect(addr).await
}

/// Blocks until the system reports all that has arrived.
fn wait_for(stream: &TcpStream, arrived: &Arrived) {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::RDHUP, arrived.has_fin);
    flags.set(PollFlags::HUP, arrived.has_reset);
    let end = Instant::now() + LIMIT;
    loop {
        let mut fds = [PollFd::new(stream, flags)];
        rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
        let unread = rustix::io::ioctl_fionread(stream).unwrap();
        if fds[0].revents().contains(flags) && unread >= arrived.unread as u64 {
            return;
        }
        assert!(Instant::now() < end, "{arrived:?} has not arrived: {fds:?}, {unread} bytes");
        thread::yield_now();
    }
}

fn on_loopback(script: &Script) -> Vec<Outcome> {
    evloop::block_on(async { timeout(LIMIT, script.run_on_loopback()).await.expect("it hangs") })
}

fn scripts() -> impl Strategy<Value = Script> {
    let op = prop_oneof![
        4 => (1..BYTES_MAX).prop_map(Op::Write),
        4 => (1..2 * BYTES_MAX).prop_map(Op::Read),
        1 => (1..2 * BYTES_MAX).prop_map(Op::Peek),
        1 => Just(Op::Shutdown),
        1 => Just(Op::TakeError),
        1 => Just(Op::Drop),
    ];
    let steps = vec((CLIENT..=SERVER, op), 0..STEPS_MAX);
    (any::<bool>(), 0..ACCEPT_MAX, steps).prop_map(|(lingers, accept, mut steps)| {
        steps.insert(accept.min(steps.len()), (SERVER, Op::Accept));
        Script { lingers, steps }
    })
}

#[test]
fn loopback_and_a_calm_world_agree() {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        max_shrink_time: SHRINK_MS,
        ..Default::default()
    });
    let run = runner.run(&(scripts(), any::<u64>()), |(script, seed)| {
        let outcomes = on_loopback(&script);
        prop_assert_eq!(&outcomes, &script.in_world(seed >> 1));
        assert_allowed(&script, &outcomes);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}
