//! epoll: a timerfd that ends a wait of less than a millisecond; the meaning of an edge.
//!
//! The timer is set just before the selector waits, and its descriptor is never read: setting the
//! timer again clears its edge.

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A timerfd, made on first use: most loops never wait for less than a millisecond.
#[derive(Debug)]
pub(crate) struct Alarm(OnceCell<OwnedFd>);

impl Alarm {
    pub(crate) fn new() -> Alarm {
        Alarm(OnceCell::new())
    }

    /// Makes the selector report an event `left` from now.
    pub(crate) fn set(&self, left: Duration, registry: &Registry, token: Token) -> io::Result<()> {
        // Zero would disarm the timer: timerfd_settime(2).
        let left = left.max(Duration::from_nanos(1));
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec::try_from(left).map_err(io::Error::other)?;
        let setting = Itimerspec { it_interval, it_value };
        timerfd_settime(self.fd(registry, token)?, TimerfdTimerFlags::empty(), &setting)?;
        Ok(())
    }

    fn fd(&self, registry: &Registry, token: Token) -> io::Result<&OwnedFd> {
        if let Some(fd) = self.0.get() {
            return Ok(fd);
        }
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(self.0.get_or_init(|| fd))
    }
}

/// Whether a short read or write proves that the socket's buffer is empty or full: epoll(7), Q9.
pub(crate) const SHORT_IS_DRAINED: bool = true;

/// Whether mio emulates edges: it reports epoll's own.
pub(crate) const IS_EMULATED: bool = false;

/// Returns whether an error means that mio's selector dropped its registration: epoll keeps it.
pub(crate) fn is_forgotten(_: &io::Error) -> bool {
    false
}
