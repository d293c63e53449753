//! L0: in place of `world` without the feature `sim`: no simulated world is ever current.
//!
//! [`Here`] has no values, so the compiler removes each branch that has one.

#![allow(dead_code)] // Names that only a world uses.

use std::io;
use std::path::Path;
use std::thread::ThreadId;
use std::time::{Duration, SystemTime};

#[path = "world/socket_options.rs"]
mod socket_options;

pub(crate) use self::socket_options::SocketOptions;

/// The host of a simulated world whose code runs on this thread: there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Here {}

/// The host that a loop is: none.
#[derive(Debug)]
pub(crate) struct OwnHost;

/// A readiness event of a simulated socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) special: bool,
}

/// Keeps a host current.
#[derive(Debug)]
pub(crate) enum OnHost {}

/// A stream of random numbers of a world.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Tasks,
}

/// Returns the host whose code runs on this thread, if a simulated world is current.
#[inline(always)]
pub(crate) fn here() -> Option<Here> {
    None
}

/// Returns the host whose code runs on this thread, if a driver runs its turns.
#[inline(always)]
pub(crate) fn driven() -> Option<Here> {
    None
}

/// Returns an error if a simulated world is current, which does not have `what`.
#[inline(always)]
pub(crate) fn check_outside(_what: &str) -> io::Result<()> {
    Ok(())
}

/// Returns the error of something that a world does not have.
pub(crate) fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// Returns the host and the ordinal of a task of a world.
#[inline(always)]
pub(crate) fn ordinal(_task: u64) -> Option<(u64, u64)> {
    None
}

impl OwnHost {
    #[inline(always)]
    pub(crate) fn of_new_loop() -> OwnHost {
        OwnHost
    }

    #[inline(always)]
    pub(crate) fn enter(&self) -> Option<OnHost> {
        None
    }
}

impl Here {
    pub(crate) fn nanos(self) -> u64 {
        match self {}
    }

    pub(crate) fn system_time(self, _epoch: SystemTime) -> SystemTime {
        match self {}
    }

    pub(crate) fn unlink(self, _path: &Path) -> bool {
        match self {}
    }

    pub(crate) fn unix_file(self, _path: &Path) -> Option<u64> {
        match self {}
    }

    pub(crate) fn mark_runnable(self) {
        match self {}
    }

    pub(crate) fn check_thread(self, _own: ThreadId) {
        match self {}
    }

    pub(crate) fn wait(self, _timeout: Option<Duration>, _into: &mut Vec<Event>) -> io::Result<()> {
        match self {}
    }

    pub(crate) fn registrations(self) -> u64 {
        match self {}
    }

    pub(crate) fn task_ids(self) -> (u64, u64) {
        match self {}
    }

    pub(crate) fn random(self, _stream: Stream) -> u64 {
        match self {}
    }

    pub(crate) fn program_random(self) -> u64 {
        match self {}
    }

    pub(crate) fn choose(self, _count: usize) -> Option<usize> {
        match self {}
    }
}
