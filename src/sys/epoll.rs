//! epoll: a timerfd that ends a wait finer than epoll can measure; what an edge proves.
//!
//! The timer is set just before the selector waits, and never read: to set it again clears its
//! edge.

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

/// Made when it is first needed: most loops never wait for less than a millisecond.
#[derive(Debug)]
pub(crate) struct Alarm(OnceCell<OwnedFd>);

impl Alarm {
    pub(crate) fn new() -> Alarm {
        Alarm(OnceCell::new())
    }

    /// Makes the selector raise an event `left` from now.
    pub(crate) fn set(&self, left: Duration, registry: &Registry, token: Token) -> io::Result<()> {
        // Zero would switch the timer off.
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

/// A read or write that was cut short proves that the socket is drained.
pub(crate) const SHORT_IS_DRAINED: bool = true;

/// mio passes epoll's own edges on.
pub(crate) const IS_EMULATED: bool = false;

/// Whether an error means that mio's selector has forgotten the descriptor: epoll never does.
pub(crate) fn is_forgotten(_: &io::Error) -> bool {
    false
}
