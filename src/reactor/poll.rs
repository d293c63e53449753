//! The selector of a loop: the operating system's (epoll, kqueue, poll) by mio, or a simulated
//! world, which has no descriptors.
//!
//! A loop of a world has no selector of its own, since a world may have more hosts than the process
//! may have descriptors. mio's trait of I/O objects asks for one when it registers an object: so
//! all loops of a thread share one that is never waited for.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use mio::{Events, Interest, Registry, Token, event};

use super::source::Readiness;
use crate::sys::Alarm;
use crate::world::{self, Event, Here};

/// The token of the event by which another thread ends the wait.
const UNPARK: Token = Token(usize::MAX);

/// The token of the alarm, which ends waits that are shorter than the selector's precision.
const ALARM: Token = Token(usize::MAX - 1);

/// Both directions. On Linux also urgent data: the kernel ends a read early at the urgent mark.
#[cfg(any(target_os = "linux", target_os = "android"))]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The source of a loop's events.
#[derive(Debug)]
pub(super) enum Selector {
    System(System),
    World(World),
}

/// The operating system's selector.
pub(super) struct System {
    /// Borrowed only during a wait.
    poll: RefCell<mio::Poll>,
    /// Another handle of the same selector, to register sources while `poll` is borrowed.
    registry: Registry,
    /// The events of one wait. Borrowed together with `poll`.
    events: RefCell<Events>,
    /// Ends waits that are shorter than the selector's precision.
    alarm: Alarm,
}

/// The events of one host of a simulated world.
#[derive(Debug)]
pub(super) struct World {
    here: Here,
    /// The events of one wait.
    events: RefCell<Vec<Event>>,
}

/// Ends the selector's wait from any thread.
struct Unpark(mio::Waker);

/// Has a host run a turn. Only the thread of its world may call it.
struct Runnable(Here);

thread_local! {
    /// The selector of mio that the loops of a world share.
    static SHARED: OnceCell<mio::Poll> = const { OnceCell::new() };
}

impl Selector {
    /// Creates a selector that returns up to `events_capacity` events from one wait.
    pub(super) fn new(events_capacity: usize) -> io::Result<Selector> {
        if let Some(here) = world::here() {
            return Ok(Selector::World(World { here, events: RefCell::default() }));
        }
        let poll = mio::Poll::new()?;
        Ok(Selector::System(System {
            registry: poll.registry().try_clone()?,
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(events_capacity)),
            alarm: Alarm::new(),
        }))
    }

    /// Returns a waker that ends the wait: the current one, or else the next one.
    pub(super) fn waker(&self) -> io::Result<Waker> {
        match self {
            Selector::System(System { registry, .. }) => {
                Ok(Waker::from(Arc::new(Unpark(mio::Waker::new(registry, UNPARK)?))))
            }
            Selector::World(world) => Ok(Waker::from(Arc::new(Runnable(world.here)))),
        }
    }

    /// Returns whether the last wait returned as many events as its buffer holds: then the selector
    /// may have more.
    pub(super) fn has_events_left(&self) -> bool {
        let Selector::System(System { events, .. }) = self else { return false };
        let events = events.borrow();
        events.iter().nth(events.capacity() - 1).is_some()
    }

    /// Sets the alarm, which ends the wait. The driver of a world knows the deadline anyway.
    pub(super) fn set_alarm(&self, after: Duration) -> io::Result<()> {
        match self {
            Selector::System(System { alarm, registry, .. }) => alarm.set(after, registry, ALARM),
            Selector::World(_) => Ok(()),
        }
    }

    /// Returns mio's handle of the selector.
    #[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
    pub(super) fn registry(&self) -> &Registry {
        match self {
            Selector::System(System { registry, .. }) => registry,
            Selector::World(_) => panic!(
                "a loop of a simulated world has no selector of the operating system: embed a loop \
                 outside of the world"
            ),
        }
    }

    pub(super) fn register(&self, io: &mut dyn event::Source, key: usize) -> io::Result<()> {
        match self {
            Selector::System(System { registry, .. }) => {
                registry.register(io, Token(key), INTEREST)
            }
            Selector::World(world) => world.register(io, key),
        }
    }

    #[cfg(unix)]
    pub(super) fn reregister(&self, io: &mut dyn event::Source, key: usize) -> io::Result<()> {
        match self {
            Selector::System(System { registry, .. }) => {
                registry.reregister(io, Token(key), INTEREST)
            }
            Selector::World(_) => Ok(()),
        }
    }

    pub(super) fn deregister(&self, io: &mut dyn event::Source) -> io::Result<()> {
        match self {
            Selector::System(System { registry, .. }) => registry.deregister(io),
            Selector::World(_) => with_shared(|registry| registry.deregister(io)),
        }
    }
}

impl System {
    /// Waits for events for up to `timeout`, and calls `f` for each with the key of its source, its
    /// readiness, and whether it is special. A signal that interrupts the wait ends it.
    #[inline(always)]
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        mut f: impl FnMut(usize, Readiness, bool),
    ) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        events.iter().for_each(|event| {
            let key = event.token().0;
            // Two calls: most events are not special, and compile to two tests.
            if is_special(event) {
                f(key, special_readiness(event), true);
            } else {
                let write = event.is_writable() || event.is_write_closed();
                f(key, Readiness { read: event.is_readable(), write }, false);
            }
        });
        Ok(())
    }
}

impl World {
    /// Calls `f` for each event that came since the last call. Waits for one for up to `timeout`,
    /// unless a driver lets the time pass.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        mut f: impl FnMut(usize, Readiness, bool),
    ) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        self.here.wait(timeout, &mut events)?;
        for Event { token, readable, writable, special } in events.drain(..) {
            f(token, Readiness { read: readable, write: writable }, special);
        }
        Ok(())
    }

    /// Registers a socket of the world. It notes its key, and needs no selector.
    #[cold]
    fn register(&self, io: &mut dyn event::Source, key: usize) -> io::Result<()> {
        let before = self.here.registrations();
        with_shared(|registry| registry.register(io, Token(key), INTEREST))?;
        if self.here.registrations() > before {
            return Ok(());
        }
        // An object of the operating system would never report an event.
        with_shared(|registry| registry.deregister(io))?;
        Err(world::unsupported("an object of the operating system"))
    }
}

/// Calls `f` with the shared selector. It is gone when the thread ends: a thread-local of the
/// program may still drop sockets then.
#[cold]
fn with_shared<T>(f: impl FnOnce(&Registry) -> io::Result<T>) -> io::Result<T> {
    let called = SHARED.try_with(|shared| match shared.get() {
        Some(poll) => f(poll.registry()),
        None => {
            let poll = mio::Poll::new()?;
            f(shared.get_or_init(|| poll).registry())
        }
    });
    called.unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))
}

/// Returns whether an event reports a closed side, an error or an urgent mark.
#[inline]
fn is_special(event: &event::Event) -> bool {
    event.is_error() || event.is_priority() || event.is_read_closed()
}

/// Converts a special event to the directions in which it may end a wait. An error may end both.
#[cold]
fn special_readiness(event: &event::Event) -> Readiness {
    let write = event.is_writable() || event.is_write_closed() || event.is_error();
    Readiness { read: true, write }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A wake must not be lost. mio handles a full counter itself, so no expected error remains.
        self.0.wake().expect("the selector of an event loop could not be woken");
    }
}

impl Wake for Runnable {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.mark_runnable();
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("registry", &self.registry).finish_non_exhaustive()
    }
}
