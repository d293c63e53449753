//! The reactor of a loop: its selector, the I/O objects that are registered with it, its timers.
//!
//! Each socket is registered once, edge-triggered, in both directions. The selector's token is the
//! key of its [`Source`] in a slab. Invariant: wakers are collected while a `RefCell` is borrowed,
//! and woken after the borrow ends, so a waker may call back into the reactor.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use mio::event;
use slab::Slab;

use super::poll::{Selector, World};
use super::source::{Readiness, Source};
use super::timer_wheel::Timers;
use super::waiter::PollWaiters;
use crate::clock::{Clock, Tick, earlier};
use crate::sys::{Descriptor, IS_EMULATED};
use crate::wait::WakeList;

/// Shorter waits are ended by the alarm: the selector rounds its timeout up to whole milliseconds.
const ALARM_BELOW: Duration = Duration::from_millis(10);

/// The interval at which an operation is retried if the selector does not watch its object.
const RETRY: Duration = Duration::from_millis(10);

/// The capacity of `woken` that is retained after a burst of wakers.
const KEPT_MAX: usize = 1 << 14;

/// Wakes a task of the running loop, and runs no user code. Returns any other waker. The owner of
/// the reactor passes the function: the reactor knows no tasks.
pub(crate) type WakeTask = fn(Waker) -> Option<Waker>;

/// The selector of a loop, its sources and its timers.
#[derive(Debug)]
pub(crate) struct Reactor {
    selector: Selector,
    /// The registered sources; the token is the index.
    pub(super) sources: RefCell<Slab<Rc<Entry>>>,
    pub(super) timers: RefCell<Timers>,
    /// The deadline that the alarm is set to while another loop watches the selector.
    armed: Cell<Option<Tick>>,
    /// The deadline that the host of this loop knows, between two hosted turns.
    pub(super) known: Cell<Option<Tick>>,
    /// Another loop watches the selector, and this loop is between two turns.
    pub(super) is_watched: Cell<bool>,
    pub(crate) clock: Clock,
    /// Wakes a task of the running loop at once.
    wake_task: WakeTask,
    /// The wakers to wake once nothing is borrowed. Empty between calls, unless a waker panicked.
    woken: RefCell<Vec<Waker>>,
    /// Tasks that wait until a descriptor is closed, because the process has no free descriptor.
    starved: Source,
    /// The loop has ended.
    pub(super) is_closed: Cell<bool>,
}

impl Reactor {
    /// Creates a selector that returns up to `events_capacity` events from one wait.
    pub(crate) fn new(events_capacity: usize, wake_task: WakeTask) -> io::Result<Reactor> {
        Ok(Reactor {
            selector: Selector::new(events_capacity)?,
            sources: RefCell::default(),
            timers: RefCell::new(Timers::new()),
            armed: Cell::new(None),
            known: Cell::new(None),
            is_watched: Cell::new(false),
            clock: Clock::new(),
            wake_task,
            woken: RefCell::default(),
            starved: Source::new(false),
            is_closed: Cell::new(false),
        })
    }

    /// Returns a waker that ends the selector's wait: the current one, or else the next one.
    pub(crate) fn unpark(&self) -> io::Result<Waker> {
        self.selector.waker()
    }

    /// Returns whether wakers are still to be woken: an earlier waker panicked, or more timers were
    /// due than one turn fires.
    pub(crate) fn has_pending_wakes(&self) -> bool {
        self.timers.borrow().is_behind() || !self.woken.borrow().is_empty()
    }

    /// Returns the number of registered sources.
    pub(crate) fn count_sources(&self) -> usize {
        self.sources.borrow().len()
    }

    /// Waits for events for up to `limit`, or until the next deadline if that is earlier, and wakes
    /// the tasks of the sources that are ready. A signal that interrupts the wait ends it.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let system = match &self.selector {
            Selector::System(system) => system,
            Selector::World(world) => return self.wait_in_world(world, limit),
        };
        let retry = self.has_unwatched().then_some(RETRY);
        let limit = earlier(limit, retry);
        let timeout =
            if self.has_pending_wakes() { Some(Duration::ZERO) } else { self.timeout(limit) };
        self.collect_and_wake(|woken| {
            let sources = self.sources.borrow();
            system.wait(timeout, |key, readiness, is_special| {
                record_event(sources.get(key), readiness, is_special, woken);
            })?;
            if IS_EMULATED {
                sources.iter().for_each(|(_, entry)| entry.source.retry(woken));
            }
            Ok(())
        })
    }

    /// Waits in a simulated world. It has no objects that are not watched.
    #[cold]
    fn wait_in_world(&self, world: &World, limit: Option<Duration>) -> io::Result<()> {
        let timeout =
            if self.has_pending_wakes() { Some(Duration::ZERO) } else { self.timeout(limit) };
        self.collect_and_wake(|woken| {
            let sources = self.sources.borrow();
            world.wait(timeout, |key, readiness, is_special| {
                record_event(sources.get(key), readiness, is_special, woken);
            })
        })
    }

    /// Returns whether a source waits for its next retry, not for an event of the selector.
    fn has_unwatched(&self) -> bool {
        IS_EMULATED && self.sources.borrow().iter().any(|(_, entry)| entry.source.is_unwatched())
    }

    /// Sets whether another loop watches the selector. If so, the alarm is set to the next deadline
    /// between two turns.
    pub(crate) fn set_watched(&self, is_watched: bool) {
        self.is_watched.set(is_watched);
        self.known.set(None);
        if is_watched {
            self.arm();
        }
    }

    /// Called between two hosted turns: the host waits for the next deadline itself. The alarm is
    /// set to a deadline that becomes the next one later.
    pub(crate) fn set_hosted(&self) {
        self.is_watched.set(true);
        self.known.set(self.next_tick());
    }

    pub(super) fn arm(&self) {
        let next = self.next_tick();
        let is_set = next == self.armed.get() || next == self.known.get();
        if let Some(at) = next.filter(|_| !is_set) {
            // If the alarm has no descriptor, the other loop can still ask for the next deadline.
            let set = self.selector.set_alarm(self.clock.left(at));
            self.armed.set(set.is_ok().then_some(at));
        }
    }

    /// Closes the reactor when its loop ends: all waiters of all sources get an error. All are
    /// woken, even if a waker panics, because no later turn could wake them.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        let mut later = self.woken.take();
        let mut woken = Woken { wake_task: self.wake_task, later: &mut later };
        for (_, entry) in &*self.sources.borrow() {
            entry.source.close(&mut woken);
        }
        self.starved.close(&mut woken);
        // Sleeps that still wait are polled again, and then find out that the loop has ended.
        let mut timers = self.timers.borrow_mut();
        timers.advance(u64::MAX, &mut woken);
        while timers.is_behind() {
            timers.advance(u64::MAX, &mut woken);
        }
        drop(timers);
        WakeList::from(later).wake();
    }

    /// Returns whether the last wait returned as many events as its buffer holds: then the selector
    /// may have more.
    pub(crate) fn has_events_left(&self) -> bool {
        self.selector.has_events_left()
    }

    /// Returns the selector. Its descriptor is readable when events are pending.
    #[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
    pub(crate) fn selector(&self) -> &impl AsFd {
        self.selector.registry()
    }

    /// Adds a source to the slab and registers its object with the selector. Returns its key, too.
    pub(super) fn register(
        self: &Rc<Self>,
        descriptor: Descriptor,
        io: &mut dyn event::Source,
        ready: bool,
    ) -> io::Result<(Rc<Entry>, u32)> {
        let mut sources = self.sources.borrow_mut();
        let key = sources.vacant_key();
        let stored_key = u32::try_from(key).expect("a process has fewer than 2^32 descriptors");
        let entry = Rc::new(Entry::new(self.clone(), descriptor, ready));
        sources.insert(entry.clone());
        drop(sources);
        if self.is_closed.get() {
            entry.source.close(&mut Vec::new());
        }
        self.selector.register(io, key).inspect_err(|_| self.remove_source(key))?;
        Ok((entry, stored_key))
    }

    /// Registers a source's object again if the selector emulates edges, so that its state is
    /// checked anew.
    #[cfg(unix)]
    pub(super) fn rearm(&self, io: &mut dyn event::Source, key: usize) -> io::Result<()> {
        if !IS_EMULATED {
            return Ok(());
        }
        match self.selector.reregister(io, key) {
            // mio's poll(2) selector deregisters an object by itself when it hangs up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.selector.register(io, key)
            }
            result => result,
        }
    }

    /// Deregisters a source's object from the selector.
    pub(super) fn deregister(&self, io: &mut dyn event::Source) -> io::Result<()> {
        match self.selector.deregister(io) {
            // mio's poll(2) selector deregisters an object by itself when it hangs up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Removes a source from the slab.
    pub(super) fn remove_source(&self, key: usize) {
        // Dropped after the borrow ends: dropping wakers runs user code.
        let entry = self.sources.borrow_mut().remove(key);
        drop(entry);
    }

    /// Wakes the tasks that wait for a free descriptor.
    pub(super) fn descriptor_closed(&self) {
        const READY: Readiness = Readiness { read: true, write: false };
        self.collect_and_wake(|woken| self.starved.set_ready(READY, woken));
    }

    /// Returns the source whose waiters are woken when this loop closes a descriptor.
    pub(crate) fn descriptor_waiters(&self) -> &Source {
        &self.starved
    }

    /// Returns how long the selector may wait. Sets the alarm if the wait is shorter than the
    /// selector's precision.
    fn timeout(&self, limit: Option<Duration>) -> Option<Duration> {
        if limit == Some(Duration::ZERO) {
            return limit;
        }
        let left = self.next_tick().map(|next| self.clock.left(next));
        let timeout = earlier(limit, left)?;
        if timeout < ALARM_BELOW && !timeout.is_zero() {
            self.armed.set(None);
            // If the alarm has no descriptor, the wait is rounded to the selector's milliseconds.
            let _ = self.selector.set_alarm(timeout);
        }
        Some(timeout)
    }

    /// Wakes the wakers that `f` passes on: the tasks of the running loop at once, other wakers
    /// after `f` has ended its borrows. If a waker panics, the remaining ones are woken by the next
    /// call.
    pub(super) fn collect_and_wake<T>(&self, f: impl FnOnce(&mut Woken<'_>) -> T) -> T {
        let mut later = self.woken.borrow_mut();
        let before = later.len();
        let result = f(&mut Woken { wake_task: self.wake_task, later: &mut later });
        drop(later);
        self.wake_collected(before);
        result
    }

    fn wake_collected(&self, before: usize) {
        // `pop` takes from the end, where the first waker must be.
        self.woken.borrow_mut()[before..].reverse();
        // Not `while let`: its borrow would last while the waker runs.
        loop {
            let Some(waker) = self.woken.borrow_mut().pop() else { break };
            waker.wake();
        }
        if self.woken.borrow().capacity() > KEPT_MAX {
            self.woken.take();
        }
    }
}

/// Records an event. A token without a source: the source was removed after the kernel queued the
/// event.
#[inline(always)]
fn record_event(
    entry: Option<&Rc<Entry>>,
    readiness: Readiness,
    is_special: bool,
    woken: &mut Woken<'_>,
) {
    match entry {
        None => {}
        Some(entry) if is_special => entry.source.set_special(readiness, woken),
        Some(entry) => entry.source.set_ready(readiness, woken),
    }
}

/// Receives the wakers of events and timers. It wakes a task of the running loop at once: most need
/// no list.
pub(super) struct Woken<'a> {
    wake_task: WakeTask,
    /// The wakers to wake once nothing is borrowed.
    later: &'a mut Vec<Waker>,
}

impl Woken<'_> {
    #[cold]
    fn keep(&mut self, waker: Waker) {
        self.later.push(waker);
    }
}

impl Extend<Waker> for Woken<'_> {
    #[inline(always)]
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        for mut waker in wakers {
            // Behind a waker in the list, all go to the list: tasks are woken in the order of the
            // events.
            if self.later.is_empty() {
                match (self.wake_task)(waker) {
                    None => continue,
                    Some(other) => waker = other,
                }
            }
            self.keep(waker);
        }
    }
}

/// The reactor's record of one socket, in its slab.
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) reactor: Rc<Reactor>,
    /// The waiters of the object's `poll_` methods.
    pub(super) polled: PollWaiters,
    /// The number by which the system names the I/O object.
    pub(super) descriptor: Descriptor,
    /// The object was non-blocking before it was registered.
    pub(super) was_nonblocking: Cell<bool>,
}

impl Entry {
    /// Creates an entry. If `ready` is true, operations are tried before the first event.
    fn new(reactor: Rc<Reactor>, descriptor: Descriptor, ready: bool) -> Entry {
        Entry {
            source: Source::new(ready),
            reactor,
            polled: PollWaiters::default(),
            descriptor,
            was_nonblocking: Cell::new(false),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
