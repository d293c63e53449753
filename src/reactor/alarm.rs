//! A timer of the operating system's that ends a wait finer than the selector can measure.
//!
//! On Linux a timerfd in the selector. It is set just before the selector waits, and never read:
//! setting it again takes its edge back.

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
pub(super) struct Alarm(OnceCell<OwnedFd>);

impl Alarm {
    pub(super) fn new() -> Alarm {
        Alarm(OnceCell::new())
    }

    /// Makes the selector raise an event `left` from now.
    pub(super) fn set(&self, left: Duration, registry: &Registry, token: Token) -> io::Result<()> {
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
