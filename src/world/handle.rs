//! A world, shared by its driver and its sockets, and the current world of the thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use super::failure::Failure;
use super::hosts::HostId;
use super::random::Stream;
use super::settings::{Latency, Settings, seed_of_tests};
use super::state::State;
use super::watch::Event;

/// A simulated world. No method calls user code, so the state is borrowed within one only.
#[derive(Debug)]
pub(crate) struct World {
    pub(super) state: RefCell<State>,
    /// A driver runs the turns of the hosts, and lets the time pass.
    pub(super) has_driver: bool,
}

/// Whether the thread has a current world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// The environment may ask for one.
    Unknown,
    Absent,
    Present,
}

/// While it lives, its world is the current one of the thread.
#[derive(Debug)]
pub(crate) struct Entered(());

thread_local! {
    static CURRENT: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
    static PRESENCE: Cell<Presence> = const { Cell::new(Presence::Unknown) };
}

/// Returns the current world of the thread.
pub(crate) fn current() -> Option<Rc<World>> {
    let current = || CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
    if is_current() { current() } else { None }
}

/// Calls `f` with the current world of the thread, if there is one. The world is borrowed: `f` must
/// not enter or leave one.
pub(super) fn with_current<T>(f: impl FnOnce(&World) -> T) -> Option<T> {
    // When the thread ends, its world is gone.
    let call = |current: &RefCell<Option<Rc<World>>>| current.borrow().as_deref().map(f);
    if is_current() { CURRENT.try_with(call).ok().flatten() } else { None }
}

/// Returns whether the thread has a current world.
#[inline]
pub(crate) fn is_current() -> bool {
    PRESENCE.get() != Presence::Absent && look()
}

#[cold]
fn look() -> bool {
    if PRESENCE.get() == Presence::Unknown {
        set_current(seed_of_tests().map(World::without_driver));
    }
    PRESENCE.get() == Presence::Present
}

fn set_current(world: Option<Rc<World>>) {
    PRESENCE.set(if world.is_some() { Presence::Present } else { Presence::Absent });
    CURRENT.set(world);
}

/// Returns the current world and its current host, for a system call that makes a socket.
pub(super) fn own() -> Result<(Rc<World>, HostId), Failure> {
    let world = current().ok_or(Failure::NetworkDown)?;
    let own = world.host().ok_or(Failure::NetworkDown)?;
    let is_alive = world.state.borrow().hosts[own].is_alive;
    if is_alive { Ok((world, own)) } else { Err(Failure::NetworkDown) }
}

impl World {
    pub(crate) fn new(seed: u64, settings: Settings) -> Rc<World> {
        Rc::new(World { state: RefCell::new(State::new(seed, settings)), has_driver: true })
    }

    /// Makes a calm world in which the waits of the loops let the time pass. Its first host has the
    /// clock of the code outside of a loop.
    fn without_driver(seed: u64) -> Rc<World> {
        let state = RefCell::new(State::new(seed, Settings::default()));
        let world = Rc::new(World { state, has_driver: false });
        world.set_host(Some(world.add_host("outside")));
        world
    }

    /// Makes this the current world of the thread.
    ///
    /// # Panics
    ///
    /// If the thread has one.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        assert!(!is_current(), "this thread runs a simulated world already");
        set_current(Some(self.clone()));
        Entered(())
    }

    /// Sets the host whose code runs now. Returns the one before.
    pub(crate) fn set_host(&self, host: Option<HostId>) -> Option<HostId> {
        mem::replace(&mut self.state.borrow_mut().own, host)
    }

    pub(crate) fn host(&self) -> Option<HostId> {
        self.state.borrow().own
    }

    /// Returns the true virtual time.
    pub(crate) fn nanos(&self) -> u64 {
        self.state.borrow().now
    }

    /// Returns the monotonic clock of the current host, with its drift; the true time if there is
    /// none.
    pub(crate) fn host_nanos(&self) -> u64 {
        let state = &mut *self.state.borrow_mut();
        if !self.has_driver {
            // The caller may read the clock until the time has passed.
            state.count_turn();
        }
        state.own.map_or(state.now, |own| state.hosts[own].clock.nanos(state.now))
    }

    /// Returns the wall clock of the current host: `host_nanos` and its offset.
    pub(crate) fn wall_nanos(&self) -> i128 {
        let state = self.state.borrow();
        let wall = |own| state.hosts[own].clock.wall_nanos(state.now);
        state.own.map_or(state.now.into(), wall)
    }

    /// Returns the first true time at which the monotonic clock of `host` has reached `nanos`.
    pub(crate) fn true_nanos(&self, host: HostId, nanos: u64) -> u64 {
        self.state.borrow().hosts[host].clock.true_nanos(nanos)
    }

    /// Handles the events of this instant, and returns when a turn that takes time ends.
    pub(crate) fn turn_end(&self) -> u64 {
        self.state.borrow_mut().turn_end()
    }

    /// Lets the time pass until `end`, and handles the next event if it is not later.
    pub(crate) fn pass_until(&self, end: u64) {
        self.state.borrow_mut().pass_until(end);
    }

    /// Lets time pass without an event, as for a turn that costs 1 us: at most until the next
    /// event.
    pub(crate) fn pass(&self, nanos: u64) {
        self.state.borrow_mut().pass(nanos);
    }

    pub(crate) fn mark_runnable(&self, host: HostId) {
        self.state.borrow_mut().hosts.mark_runnable(host);
    }

    /// Chooses a runnable host by the seed, and removes its mark. Paused hosts wait.
    pub(crate) fn next_runnable(&self) -> Option<HostId> {
        self.state.borrow_mut().next_runnable()
    }

    /// Sets when the host is turned next, in true nanoseconds.
    pub(crate) fn set_timer(&self, host: HostId, at: Option<u64>) {
        self.state.borrow_mut().set_timer(host, at);
    }

    /// Handles the next event, and advances the time to it. Returns `false` if none is left.
    pub(crate) fn advance(&self) -> bool {
        let state = &mut *self.state.borrow_mut();
        state.turns_without_event = 0;
        state.advance()
    }

    /// Returns the time of the next event.
    pub(crate) fn next_event(&self) -> Option<u64> {
        self.state.borrow().events.next_time()
    }

    /// Moves the readiness of the host's sockets since the last call to `into`.
    pub(crate) fn take_events(&self, host: HostId, into: &mut Vec<Event>) {
        self.state.borrow_mut().hosts[host].ready.take(into);
    }

    /// Lets the time pass until the host has an event, for `timeout` at most. Does nothing if a
    /// driver does that.
    pub(super) fn wait(&self, host: HostId, timeout: Option<Duration>) -> io::Result<()> {
        if self.has_driver { Ok(()) } else { self.state.borrow_mut().wait(host, timeout) }
    }

    pub(crate) fn random(&self, stream: Stream) -> u64 {
        self.state.borrow_mut().random(stream).next()
    }

    /// Has [`choose`](World::choose) choose by the seed.
    pub(crate) fn set_seeded(&self, is_seeded: bool) {
        self.state.borrow_mut().is_seeded = is_seeded;
    }

    /// Chooses one of `count`. `None` if the order is first in, first out, or if there is none.
    pub(crate) fn choose(&self, count: usize) -> Option<usize> {
        let state = &mut *self.state.borrow_mut();
        match count {
            0 => None,
            _ if !state.is_seeded => None,
            1 => Some(0),
            _ => Some(state.random(Stream::Tasks).below(count as u64) as usize),
        }
    }

    /// Makes a host with an IPv6 and an IPv4 address. It is up.
    pub(crate) fn add_host(&self, name: &str) -> HostId {
        let state = &mut *self.state.borrow_mut();
        state.record.add_host(name);
        state.hosts.add(name)
    }

    /// Gives a name any addresses, also such as no host has: they never answer.
    pub(crate) fn set_name(&self, name: &str, addrs: &[IpAddr]) {
        self.state.borrow_mut().hosts.set_name(name, addrs);
    }

    /// Returns the addresses of a name, IPv6 first. `localhost` has the loopback addresses.
    pub(crate) fn addrs(&self, name: &str) -> Option<Vec<IpAddr>> {
        self.state.borrow().hosts.addrs(name)
    }

    pub(crate) fn name(&self, host: HostId) -> Rc<str> {
        self.state.borrow().hosts[host].name.clone()
    }

    /// Loses the packets from `from` to `to` from now on, also those on their way.
    pub(crate) fn partition(&self, from: HostId, to: HostId) {
        self.state.borrow_mut().partition(from, to);
    }

    /// Ends `partition`.
    pub(crate) fn heal(&self, from: HostId, to: HostId) {
        self.state.borrow_mut().heal(from, to);
    }

    /// Keeps the packets from `from` to `to` until `release`, also those on their way.
    pub(crate) fn hold(&self, from: HostId, to: HostId) {
        self.state.borrow_mut().hold(from, to);
    }

    /// Sends the packets that wait.
    pub(crate) fn release(&self, from: HostId, to: HostId) {
        self.state.borrow_mut().release(from, to);
    }

    /// Sets the latency of one direction.
    pub(crate) fn set_latency(&self, from: HostId, to: HostId, latency: Latency) {
        self.state.borrow_mut().set_latency(from, to, latency);
    }

    /// Sets the loss of one direction.
    pub(crate) fn set_loss(&self, from: HostId, to: HostId, loss: f64) {
        self.state.borrow_mut().set_loss(from, to, loss);
    }

    /// Sets the bytes a second of one direction.
    pub(crate) fn set_bandwidth(&self, from: HostId, to: HostId, bandwidth: u64) {
        self.state.borrow_mut().set_bandwidth(from, to, bandwidth);
    }

    /// Ends all faults of the network, also those of the settings.
    pub(crate) fn calm(&self) {
        self.state.borrow_mut().calm();
    }

    /// Resets all TCP connections between the two, and returns how many.
    pub(crate) fn reset(&self, one: HostId, other: HostId) -> usize {
        self.state.borrow_mut().reset(one, other)
    }

    /// Cuts the power: the sockets of the host are gone, and no packet leaves. Its loop is dropped
    /// after this.
    pub(crate) fn crash(&self, host: HostId) {
        self.state.borrow_mut().crash(host);
    }

    /// Ends the program: the system closes its sockets. Its loop is dropped after this.
    pub(crate) fn kill(&self, host: HostId) {
        self.state.borrow_mut().kill(host);
    }

    /// Starts the host after `crash` or `kill`.
    pub(crate) fn start(&self, host: HostId) {
        self.state.borrow_mut().start(host);
    }

    /// Returns whether the system of the host answers.
    pub(crate) fn has_power(&self, host: HostId) -> bool {
        self.state.borrow().hosts[host].is_up
    }

    pub(crate) fn is_paused(&self, host: HostId) -> bool {
        self.state.borrow().hosts[host].is_paused
    }

    /// Stops the program of the host. Its system goes on: it acknowledges.
    pub(crate) fn pause(&self, host: HostId) {
        self.state.borrow_mut().pause(host, true);
    }

    /// Ends `pause`.
    pub(crate) fn resume(&self, host: HostId) {
        self.state.borrow_mut().pause(host, false);
    }

    /// Sets the clock of a host: the offset of its wall clock in nanoseconds, and the drift of both
    /// clocks in millionths.
    pub(crate) fn set_clock(&self, host: HostId, offset: i64, drift_ppm: i64) {
        self.state.borrow_mut().set_clock(host, offset, drift_ppm);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        set_current(None);
    }
}
