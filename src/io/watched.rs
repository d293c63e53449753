//! A descriptor that is registered with the selector, and its states by poll(2). Unix.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use mio::unix::SourceFd;
use mio::{Interest as Events, Registry, Token, event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use super::interest::Interest;

/// The events to register for errors alone. The selector reports errors in any case, but mio
/// requires an interest.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ANY: Events = Events::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ANY: Events = Events::READABLE;

/// A descriptor that is registered for `interest` instead of the reactor's default.
pub(super) struct Watched<T> {
    pub(super) fd: T,
    pub(super) interest: Interest,
}

/// Returns the current states of a descriptor, by poll(2), which reports a hang-up and errors in
/// any case.
pub(crate) fn state(fd: BorrowedFd<'_>) -> io::Result<Interest> {
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(&fd, PollFlags::IN | PollFlags::OUT | PollFlags::PRI)];
    retry_on_intr(|| poll(&mut fds, Some(&NOW)))?;
    let found = fds[0].revents();
    if found.contains(PollFlags::NVAL) {
        return Err(rustix::io::Errno::BADF.into());
    }
    let (ended, failed) = (found.contains(PollFlags::HUP), found.contains(PollFlags::ERR));
    let states = [
        (Interest::READABLE, ended || failed || found.contains(PollFlags::IN)),
        (Interest::WRITABLE, ended || failed || found.contains(PollFlags::OUT)),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (Interest::PRIORITY, ended || found.contains(PollFlags::PRI)),
        (Interest::ERROR, failed),
    ];
    let mut all = Interest::NOTHING;
    for (state, is_found) in states {
        if is_found {
            all = all | state;
        }
    }
    Ok(all)
}

pub(super) fn not_registered_for(wanted: Interest) -> io::Error {
    let sentence =
        format!("this AsyncFd was not created for {wanted:?}: use AsyncFd::with_interest");
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}

pub(super) fn cannot_register(kind: io::ErrorKind) -> io::Error {
    let sentence = match kind {
        io::ErrorKind::AlreadyExists => {
            "this descriptor is in an AsyncFd already: share that one, or duplicate the descriptor"
        }
        _ => {
            "this descriptor is always ready, so it cannot be waited for: for files, use evloop::fs"
        }
    };
    io::Error::new(kind, sentence)
}

impl<T> Watched<T> {
    /// Returns the interest as the selector's type.
    fn events(&self) -> Events {
        let events = [
            (self.interest.is_readable(), Events::READABLE),
            (self.interest.is_writable(), Events::WRITABLE),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            (self.interest.is_priority(), Events::PRIORITY),
        ];
        let mut all = None;
        for (is_wanted, event) in events {
            if is_wanted {
                all = Some(all.map_or(event, |all| event | all));
            }
        }
        all.unwrap_or(ANY)
    }
}

impl<T: AsFd> AsRawFd for Watched<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> event::Source for Watched<T> {
    fn register(&mut self, registry: &Registry, token: Token, _: Events) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).register(registry, token, self.events())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, _: Events) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).reregister(registry, token, self.events())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).deregister(registry)
    }
}
