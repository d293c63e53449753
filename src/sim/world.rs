//! A world as its script sees it: hosts, faults, invariants.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::client::{Client, Output};
use super::driver::Driver;
use super::host::Host;
use super::machine::Program;
use super::options::{Latency, checked};
use super::slot::Start;
use crate::executor::{known_error, knows};
use crate::time::timeout;
use crate::world::{HostId, Trace};

/// A simulated world; the argument of the script of [`Sim::run`](super::Sim::run). A clone is the
/// same world.
///
/// Hosts are named by the names that [`host`](World::host) and [`client`](World::client) gave them;
/// the host of the script is `world`.
///
/// # Panics
///
/// All methods panic after the world has ended, and if there is no host of a name.
#[derive(Clone)]
pub struct World<'env> {
    driver: Rc<Driver<'env>>,
}

impl<'env> World<'env> {
    pub(super) fn of(driver: &Rc<Driver<'env>>) -> World<'env> {
        World { driver: driver.clone() }
    }

    /// Makes a host and starts its program. Other hosts reach it by its name, which has an IPv6 and
    /// an IPv4 address.
    ///
    /// The program is called again at each [restart](Host::restart). It may borrow what lives
    /// longer than the world. The run fails if the program panics or returns an error. When it
    /// returns, the host is down.
    ///
    /// An error is recognized in a `Result<(), E>`, where `E` is an `io::Error`, a `Box<dyn
    /// Error>`, a `String` or a `&'static str`. A program that returns a `Result` of another type
    /// fails the run: unwrap it.
    #[track_caller]
    pub fn host<T: 'static>(&self, name: &str, program: impl AsyncFn() -> T + 'env) -> Host<'env> {
        let (program, driver) = (Rc::new(program), Rc::downgrade(&self.driver));
        let host: Rc<str> = name.into();
        let start: Start<'env> = Rc::new(move || {
            let (program, driver, host) = (program.clone(), driver.clone(), host.clone());
            Box::pin(async move {
                let output = program().await;
                let error = known_error(&output).or_else(unreadable::<T>);
                if let (Some(error), Some(driver)) = (error, driver.upgrade()) {
                    driver.fail_host(host, error);
                }
            })
        });
        let program = start();
        self.start(name, Some(start), program)
    }

    /// Makes a host whose program runs once. Awaiting the client returns the program's output.
    #[track_caller]
    pub fn client<T: 'env>(
        &self,
        name: &str,
        program: impl AsyncFnOnce() -> T + 'env,
    ) -> Client<'env, T> {
        let (sender, output) = Output::new();
        let program = Box::pin(async move { sender.send(program().await) });
        Client::new(self.start(name, None, program), output)
    }

    #[track_caller]
    fn start(&self, name: &str, start: Option<Start<'env>>, program: Program<'env>) -> Host<'env> {
        let id = self.driver.add(name, start);
        self.driver.start(id, Some(program));
        Host { driver: self.driver.clone(), id }
    }

    /// Returns the host with this name.
    #[track_caller]
    pub fn find(&self, name: &str) -> Host<'env> {
        Host { driver: self.driver.clone(), id: self.id(name) }
    }

    /// Gives a name these addresses, in this order: those of hosts, or others, which no host has
    /// and which never answer. It replaces those that the name has.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use evloop::{net, sim};
    ///
    /// sim::run(1, async |world| {
    ///     let server = world.host("server", async || {
    ///         net::TcpListener::bind("[::]:80").await?.accept().await
    ///     });
    ///     let mut addrs = vec!["192.168.9.9".parse().unwrap()];
    ///     addrs.extend(server.addrs());
    ///     world.set_name("service", &addrs);
    ///     let stream = net::TcpStream::connect("service:80").await.unwrap();
    ///     assert!(addrs.contains(&stream.peer_addr().unwrap().ip()));
    ///     // The first address has not answered: the next one was tried meanwhile.
    ///     assert!(world.elapsed() < Duration::from_secs(1));
    /// });
    /// ```
    #[track_caller]
    pub fn set_name(&self, name: &str, addrs: &[IpAddr]) {
        self.driver.assert_running();
        self.driver.leaf.set_name(name, addrs);
    }

    /// Cuts the network between two hosts, in both directions: packets are lost.
    #[track_caller]
    pub fn partition(&self, one: &str, other: &str) {
        self.partition_from(one, other);
        self.partition_from(other, one);
    }

    /// Cuts the network in one direction: packets from `from` to `to` are lost.
    #[track_caller]
    pub fn partition_from(&self, from: &str, to: &str) {
        let (from, to) = self.link(from, to);
        self.driver.leaf.partition(from, to);
    }

    /// Ends a partition of two hosts, in both directions.
    #[track_caller]
    pub fn heal(&self, one: &str, other: &str) {
        let (one, other) = self.link(one, other);
        self.driver.leaf.heal(one, other);
        self.driver.leaf.heal(other, one);
    }

    /// Has packets from `from` to `to` wait until [`release`](World::release).
    #[track_caller]
    pub fn hold(&self, from: &str, to: &str) {
        let (from, to) = self.link(from, to);
        self.driver.leaf.hold(from, to);
    }

    /// Delivers the packets that [`hold`](World::hold) has held up, and ends it.
    #[track_caller]
    pub fn release(&self, from: &str, to: &str) {
        let (from, to) = self.link(from, to);
        self.driver.leaf.release(from, to);
    }

    /// Resets all TCP connections between two hosts. Returns their number.
    #[track_caller]
    pub fn reset(&self, one: &str, other: &str) -> usize {
        let (one, other) = self.link(one, other);
        self.driver.leaf.reset(one, other)
    }

    /// Sets the time that packets take between two hosts, in both directions.
    #[track_caller]
    pub fn latency(&self, one: &str, other: &str, latency: impl Into<Latency>) {
        let ((one, other), latency) = (self.link(one, other), latency.into().to_leaf());
        self.driver.leaf.set_latency(one, other, latency);
        self.driver.leaf.set_latency(other, one, latency);
    }

    /// Sets the probability that a packet between two hosts is lost, in both directions.
    #[track_caller]
    pub fn loss(&self, one: &str, other: &str, probability: f64) {
        let ((one, other), probability) = (self.link(one, other), checked(probability));
        self.driver.leaf.set_loss(one, other, probability);
        self.driver.leaf.set_loss(other, one, probability);
    }

    /// Sets the bytes that the link between two hosts carries in a second, in each direction.
    #[track_caller]
    pub fn bandwidth(&self, one: &str, other: &str, bytes_per_second: u64) {
        let (one, other) = self.link(one, other);
        self.driver.leaf.set_bandwidth(one, other, bytes_per_second);
        self.driver.leaf.set_bandwidth(other, one, bytes_per_second);
    }

    /// Ends all faults. The network loses, duplicates and reorders nothing from now on, also not
    /// what the [`Sim`](super::Sim) says; partitions end, and held packets are delivered. Latency
    /// and bandwidth are no faults: they are those of the `Sim` again on all links. Continues the
    /// hosts that are paused. Hosts that are down stay down, and clocks keep their drift.
    ///
    /// A connection that has lost packets repeats them at its next time-out: after a long partition
    /// that is up to two minutes later, as on Linux.
    #[track_caller]
    pub fn calm(&self) {
        self.driver.assert_running();
        self.driver.leaf.calm();
        let hosts = self.driver.hosts.borrow().len() as u32;
        for id in (0..hosts).map(HostId) {
            if self.driver.leaf.is_paused(id) {
                self.driver.leaf.resume(id);
            }
        }
    }

    /// Calls `check` after each turn of a host, until the world ends: after each poll of a task,
    /// unless [`Order::Fifo`](super::Order::Fifo) polls several tasks a turn. Code of hosts runs
    /// only in turns, so no other event changes the state of the program. `check` panics if the
    /// state is wrong, which fails the run.
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// let (sent, received) = (Cell::new(0), Cell::new(0));
    /// evloop::sim::run(1, async |world| {
    ///     world.invariant(|| assert!(received.get() <= sent.get()));
    ///     sent.set(1);
    ///     evloop::task::yield_now().await;
    ///     received.set(1);
    /// });
    /// ```
    #[track_caller]
    pub fn invariant(&self, check: impl Fn() + 'env) {
        self.driver.assert_running();
        self.driver.invariants.borrow_mut().push(Rc::new(check));
    }

    /// Runs `body`, which must complete within `limit` of virtual time: that something good happens
    /// in the end.
    ///
    /// # Panics
    ///
    /// If `body` has not completed by then. The message lists what the hosts wait for.
    #[track_caller]
    pub fn within<T>(
        &self,
        limit: Duration,
        body: impl AsyncFnOnce() -> T,
    ) -> impl Future<Output = T> {
        let (place, driver) = (Location::caller(), self.driver.clone());
        async move {
            match timeout(limit, body()).await {
                Ok(output) => output,
                Err(_) => panic!(
                    "World::within: {limit:?} have passed, and the body that was passed at {place} \
                     has not completed. What waits:{}",
                    driver.describe_hosts()
                ),
            }
        }
    }

    /// Returns the virtual time since the start of the world.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.driver.leaf.nanos())
    }

    /// Returns the record of the run so far.
    pub fn trace(&self) -> Trace {
        self.driver.leaf.trace()
    }

    /// Returns the seed of the run.
    pub fn seed(&self) -> u64 {
        self.driver.seed
    }

    /// Returns the hosts of a link.
    #[track_caller]
    fn link(&self, from: &str, to: &str) -> (HostId, HostId) {
        (self.id(from), self.id(to))
    }

    #[track_caller]
    fn id(&self, name: &str) -> HostId {
        self.driver.assert_running();
        let id = self.driver.names.borrow().get(name).copied();
        id.unwrap_or_else(|| panic!("the world has no host {name:?}"))
    }
}

/// Returns a sentence if `T` is a `Result` whose errors would pass unnoticed.
fn unreadable<T: 'static>() -> Option<String> {
    let name = type_name::<T>();
    let is_unknown = name.starts_with("core::result::Result<") && !knows::<T>();
    is_unknown.then(|| {
        format!(
            "its program returned a {name}, in which errors are not recognized: unwrap it, or \
             return an io::Result<()> or a Result<(), Box<dyn Error>>"
        )
    })
}

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seed", &self.seed()).finish_non_exhaustive()
    }
}
