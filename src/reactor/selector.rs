//! The operating system's side of the loop: the selector, and what is registered with it.
//!
//! Each socket is registered once, edge-triggered, in both directions; the selector's token is the
//! key of its [`Source`] in a slab. Invariant: wakers are collected while something is borrowed and
//! woken last, so whatever a waker does finds the reactor whole.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use mio::{Events, Interest, Registry, Token, event};
use slab::Slab;

use super::source::{Readiness, Source};
use super::timer_wheel::Timers;
use crate::clock::{Clock, Tick};
use crate::sys::{Alarm, IS_EMULATED};
use crate::wait::WakeList;

/// The token by which other threads end the wait.
const UNPARK: Token = Token(usize::MAX);

/// The token of the alarm, for waits shorter than the selector can measure.
const ALARM: Token = Token(usize::MAX - 1);

/// Below this the alarm ends the wait: the selector rounds up to its next whole millisecond.
const ALARM_BELOW: Duration = Duration::from_millis(10);

/// How long an operation waits before it is tried again if the selector does not watch its object.
const RETRY: Duration = Duration::from_millis(10);

/// Room that is kept for the next wakers after a burst of them.
const KEPT_MAX: usize = 1 << 14;

/// Both directions; on Linux also urgent data, whose mark cuts a read short.
#[cfg(any(target_os = "linux", target_os = "android"))]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The selector with its sources and timers.
#[derive(Debug)]
pub(crate) struct Reactor {
    /// Borrowed only while it waits.
    poll: RefCell<mio::Poll>,
    /// The same selector, to register with.
    registry: Registry,
    /// What one wait brings. Borrowed with `poll`.
    events: RefCell<Events>,
    /// By token.
    sources: RefCell<Slab<Rc<Entry>>>,
    pub(super) timers: RefCell<Timers>,
    /// Ends waits that are shorter than the selector's precision.
    alarm: Alarm,
    /// The deadline that the alarm is set to, for who watches the selector from outside.
    armed: Cell<Option<Tick>>,
    /// Somebody watches, and the loop is between two turns.
    pub(super) is_watched: Cell<bool>,
    pub(crate) clock: Clock,
    /// Who is to be woken once nothing is borrowed; empty between calls.
    woken: RefCell<VecDeque<Waker>>,
    /// Who waits for any descriptor to be closed, since the process has none left.
    starved: Source,
    /// The loop has ended.
    pub(super) is_closed: Cell<bool>,
}

/// Ends the selector's wait from any thread.
struct Unpark(mio::Waker);

impl Reactor {
    /// A selector that takes in up to `events_capacity` events at once.
    pub(crate) fn new(events_capacity: usize) -> io::Result<Reactor> {
        let poll = mio::Poll::new()?;
        Ok(Reactor {
            registry: poll.registry().try_clone()?,
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(events_capacity)),
            sources: RefCell::default(),
            timers: RefCell::new(Timers::new()),
            alarm: Alarm::new(),
            armed: Cell::new(None),
            is_watched: Cell::new(false),
            clock: Clock::new(),
            woken: RefCell::default(),
            starved: Source::new(false),
            is_closed: Cell::new(false),
        })
    }

    /// A waker that ends the selector's wait, the next one if it does not wait now.
    pub(crate) fn unpark(&self) -> io::Result<Waker> {
        let waker = mio::Waker::new(&self.registry, UNPARK)?;
        Ok(Waker::from(Arc::new(Unpark(waker))))
    }

    /// Whether some are still to be woken: a waker before them panicked, or too many timers were
    /// due at once.
    pub(crate) fn owes_wakes(&self) -> bool {
        self.timers.borrow().is_behind() || !self.woken.borrow().is_empty()
    }

    /// Waits for events for up to `limit`, to the next deadline at the latest, and wakes whom they
    /// concern. A signal that interrupts the wait ends it.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let retry = self.has_unwatched().then_some(RETRY);
        let limit = limit.into_iter().chain(retry).min();
        let timeout = if self.owes_wakes() { Some(Duration::ZERO) } else { self.timeout(limit) };
        self.collect(|woken| {
            let mut events = self.events.borrow_mut();
            match self.poll.borrow_mut().poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                result => result?,
            }
            let sources = self.sources.borrow();
            for event in events.iter() {
                // A token without a source: the source went away after the event was raised.
                if let Some(entry) = sources.get(event.token().0) {
                    entry.source.set_ready(readiness(event), woken);
                }
            }
            if IS_EMULATED {
                sources.iter().for_each(|(_, entry)| entry.source.retry(woken));
            }
            Ok(())
        })
    }

    /// Whether a source waits for no event of the selector's, but to be tried again.
    fn has_unwatched(&self) -> bool {
        IS_EMULATED && self.sources.borrow().iter().any(|(_, entry)| entry.source.is_unwatched())
    }

    /// Somebody watches the selector from outside, or does not: between two turns the alarm is set
    /// to the next deadline.
    pub(crate) fn set_watched(&self, is_watched: bool) {
        self.is_watched.set(is_watched);
        if is_watched {
            self.arm();
        }
    }

    pub(super) fn arm(&self) {
        let next = self.next_tick();
        if let Some(at) = next.filter(|_| next != self.armed.get()) {
            // Without a descriptor for it, who watches still has the deadline to ask for.
            let set = self.alarm.set(self.clock.left(at), &self.registry, ALARM);
            self.armed.set(set.is_ok().then_some(at));
        }
    }

    /// The loop has ended: who waits for a source gets an error. All are woken, also if a waker
    /// panics: there is no next time.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        let mut woken = self.woken.take();
        for (_, entry) in &*self.sources.borrow() {
            entry.source.set_gone(&mut woken);
        }
        self.starved.set_gone(&mut woken);
        // Who still waits for a timer looks again, and learns that it will not come.
        let mut timers = self.timers.borrow_mut();
        timers.advance(u64::MAX, &mut woken);
        while timers.is_behind() {
            timers.advance(u64::MAX, &mut woken);
        }
        drop(timers);
        WakeList::from(woken).wake();
    }

    /// The selector itself: its descriptor is readable when there are events to be had.
    #[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
    pub(crate) fn selector(&self) -> &impl AsFd {
        &self.registry
    }

    /// Adds a source to the slab and its object to the selector.
    pub(super) fn register(
        self: &Rc<Self>,
        io: &mut impl event::Source,
        ready: bool,
    ) -> io::Result<Rc<Entry>> {
        let mut sources = self.sources.borrow_mut();
        let key = sources.vacant_key();
        let entry = Rc::new(Entry::new(self.clone(), key, ready));
        sources.insert(entry.clone());
        drop(sources);
        if self.is_closed.get() {
            entry.source.set_gone(&mut VecDeque::new());
        }
        self.registry.register(io, Token(key), INTEREST).inspect_err(|_| self.forget(key))?;
        Ok(entry)
    }

    /// Has the selector look at a source's object again, where edges are emulated.
    #[cfg(unix)]
    pub(super) fn rearm(&self, io: &mut impl event::Source, key: usize) -> io::Result<()> {
        if !IS_EMULATED {
            return Ok(());
        }
        match self.registry.reregister(io, Token(key), INTEREST) {
            // mio's poll(2) selector forgets by itself what has hung up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.registry.register(io, Token(key), INTEREST)
            }
            result => result,
        }
    }

    /// Takes a source's object out of the selector.
    pub(super) fn deregister(&self, io: &mut impl event::Source) -> io::Result<()> {
        match self.registry.deregister(io) {
            // mio's poll(2) selector forgets by itself what has hung up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Removes a source from the slab.
    pub(super) fn forget(&self, key: usize) {
        let entry = self.sources.borrow_mut().remove(key);
        drop(entry);
    }

    /// Tells who waits for a descriptor that there may be one.
    pub(super) fn descriptor_closed(&self) {
        const READY: Readiness = Readiness { read: true, write: false, special: false };
        self.collect(|woken| self.starved.set_ready(READY, woken));
    }

    /// Whoever waits here is woken when this loop closes a descriptor.
    pub(crate) fn starved(&self) -> &Source {
        &self.starved
    }

    /// How long the selector may wait. Sets the alarm if that is finer than it can measure.
    fn timeout(&self, limit: Option<Duration>) -> Option<Duration> {
        if limit == Some(Duration::ZERO) {
            return limit;
        }
        let left = self.next_tick().map(|next| self.clock.left(next));
        let timeout = limit.into_iter().chain(left).min()?;
        if timeout < ALARM_BELOW && !timeout.is_zero() {
            self.armed.set(None);
            // Without a descriptor for it, the wait is the milliseconds that the selector can do.
            let _ = self.alarm.set(timeout, &self.registry, ALARM);
        }
        Some(timeout)
    }

    /// Wakes what `f` collects, after `f` has given back its borrows. What a waker that panics
    /// leaves is woken the next time.
    pub(super) fn collect<T>(&self, f: impl FnOnce(&mut VecDeque<Waker>) -> T) -> T {
        let result = f(&mut self.woken.borrow_mut());
        loop {
            let Some(waker) = self.woken.borrow_mut().pop_front() else { break };
            waker.wake();
        }
        if self.woken.borrow().capacity() > KEPT_MAX {
            self.woken.take();
        }
        result
    }
}

/// Edges of every kind become readiness of the directions that they may end a wait of.
fn readiness(event: &event::Event) -> Readiness {
    let error = event.is_error();
    let read_closed = event.is_read_closed();
    Readiness {
        read: event.is_readable() || read_closed || error || event.is_priority(),
        write: event.is_writable() || event.is_write_closed() || error,
        special: read_closed || error || event.is_priority(),
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A wake must not be lost, and mio deals with a full counter: nothing is left to fail.
        self.0.wake().expect("the selector of an event loop could not be woken");
    }
}

/// What the reactor's slab holds of a socket.
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) reactor: Rc<Reactor>,
    /// Of this entry in the slab.
    pub(super) key: usize,
}

impl Entry {
    /// `ready` says whether operations are tried before an event came.
    pub(super) fn new(reactor: Rc<Reactor>, key: usize, ready: bool) -> Entry {
        Entry { source: Source::new(ready), reactor, key }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
