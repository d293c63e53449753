//! The Unix socket: accepting and serving clients, all on one thread, without waiting for any.
//!
//! Invariants: at most `CLIENTS_MAX` clients are open; the thread sleeps in poll(2), also when the
//! process has no free descriptor.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

pub(super) use super::bell::Bell;
use super::client::Client;
use super::shared::{Shared, open_spare};
use super::socket_file;
use crate::clock;
use crate::sys::{AcceptFailure, accept_failure};

/// More clients wait until one of these is served. A silent one is closed after 0.1 s.
const CLIENTS_MAX: usize = 16;

/// The time between two attempts to get a descriptor.
const RETRY: u64 = 100_000_000;

/// The socket of the process. Its drop removes it.
pub(super) struct Socket {
    bell: Bell,
    path: PathBuf,
}

pub(super) struct Server {
    bell: Bell,
    /// The other end of the bell.
    rings: UnixStream,
    listener: Option<UnixListener>,
    clients: Vec<Client>,
    /// Closed to accept a client when the process has no other descriptor.
    spare: Option<File>,
    /// No client is accepted before: no descriptor was left.
    accepts_at: u64,
    shared: Shared,
}

impl Socket {
    /// Makes the socket, and has the thread listen to it.
    pub(super) fn open(bell: &Bell) -> io::Result<Socket> {
        let (listener, path) = socket_file::listen()?;
        bell.set_listener(Some(listener));
        Ok(Socket { bell: bell.clone(), path })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.bell.set_listener(None);
    }
}

impl Server {
    pub(super) fn new() -> io::Result<(Server, Bell)> {
        let (bell, rings) = Bell::new()?;
        let server = Server {
            rings,
            listener: None,
            clients: Vec::new(),
            spare: open_spare(),
            accepts_at: 0,
            shared: Shared::new(bell.clone()),
            bell: bell.clone(),
        };
        Ok((server, bell))
    }

    /// Continues all answers, then waits until `due`, or until there is more to do.
    pub(super) fn turn(&mut self, due: Option<u64>) {
        if let Some(listener) = self.bell.take_change() {
            self.listener = listener;
        }
        let shared = &mut self.shared;
        self.clients.retain_mut(|client| client.advance(clock::shared().nanos(), shared));
        let now = clock::shared().nanos();
        let dues = self.clients.iter().filter_map(|client| client.due(now));
        let mut due = dues.chain(due).min();
        if !self.refill() {
            self.accepts_at = now + RETRY;
        }
        let accepts = now >= self.accepts_at;
        if !accepts {
            due = due.into_iter().chain([self.accepts_at]).min();
        }
        let ready = self.wait(due.map(|due| due.saturating_sub(now)), accepts);
        let [rings, accepts, clients @ ..] = &ready[..] else { return };
        if !rings.is_empty() {
            while self.rings.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        }
        let mut is_ready = clients.iter();
        self.clients.retain_mut(|client| {
            is_ready.next().is_none_or(|ready| ready.is_empty() || client.ready(*ready))
        });
        if !accepts.is_empty() {
            self.accept();
        }
    }

    /// Waits for events, for `limit` nanoseconds at most. Returns those of the bell, of the
    /// listener, and of each client.
    fn wait(&self, limit: Option<u64>, accepts: bool) -> Vec<PollFlags> {
        let limit = limit.map(|nanos| Timespec {
            tv_sec: (nanos / 1_000_000_000) as _,
            tv_nsec: (nanos % 1_000_000_000) as _,
        });
        let accepts = accepts && self.clients.len() < CLIENTS_MAX;
        let mut fds = vec![PollFd::new(&self.rings, PollFlags::IN)];
        match self.listener.as_ref().filter(|_| accepts) {
            Some(listener) => fds.push(PollFd::new(listener, PollFlags::IN)),
            // The list always has a second one.
            None => fds.push(PollFd::new(&self.rings, PollFlags::empty())),
        }
        fds.extend(self.clients.iter().map(Client::poll_fd));
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) => fds.iter().map(PollFd::revents).collect(),
            Err(Errno::INTR) => Vec::new(),
            Err(_) => {
                // The limit of descriptors is below their number: the next call fails at once.
                thread::sleep(Duration::from_nanos(RETRY));
                Vec::new()
            }
        }
    }

    /// Accepts one client: poll(2) returns at once if there are more.
    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let mut accepted = listener.accept();
        if accepted.as_ref().is_err_and(|error| accept_failure(error) == AcceptFailure::Starved) {
            self.spare = None;
            accepted = listener.accept();
        }
        let now = clock::shared().nanos();
        match accepted {
            Ok((stream, _)) => self.clients.extend(Client::new(stream, now)),
            Err(error) if accept_failure(&error) == AcceptFailure::Connection => {}
            Err(_) => self.accepts_at = now + RETRY,
        }
    }

    /// Opens the spare descriptors that were used. Returns whether the one for clients is there.
    fn refill(&mut self) -> bool {
        self.spare = self.spare.take().or_else(open_spare);
        self.shared.refill();
        self.spare.is_some()
    }
}
