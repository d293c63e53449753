//! One connection to the socket: its request, and the part of the answer that is not sent yet.
//!
//! Invariant: its memory is bounded, whatever the client sends, and however slowly it reads.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};

use super::answer::Answer;
use super::shared::Shared;
use crate::sys::send_bytes;

/// The longest request, with its end of line.
const REQUEST_MAX: usize = 256;

/// At most so much is read beyond the request.
const DISCARDED_MAX: usize = 1 << 16;

/// The time for the request, in nanoseconds.
const REQUEST_LIMIT: u64 = 100_000_000;

/// A client that reads nothing for so long is closed.
const SEND_LIMIT: u64 = 10_000_000_000;

/// The answer continues only while less than this is left to send.
const UNSENT_MAX: usize = 1 << 16;

pub(super) struct Client {
    stream: UnixStream,
    request: Vec<u8>,
    /// `None` until the request is complete.
    answer: Option<Answer>,
    /// The part of the answer that is written, and how much of it was sent.
    out: String,
    sent: usize,
    /// The last time at which the client has sent or received something, or was accepted.
    active: u64,
}

impl Client {
    /// Returns `None` if the socket fails.
    pub(super) fn new(stream: UnixStream, now: u64) -> Option<Client> {
        stream.set_nonblocking(true).ok()?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&stream, true).ok()?;
        let (request, out) = (Vec::new(), String::new());
        Some(Client { stream, request, answer: None, out, sent: 0, active: now })
    }

    /// Continues the answer. Returns `false` once the client is to be closed.
    pub(super) fn advance(&mut self, now: u64, shared: &mut Shared) -> bool {
        if self.answer.is_none() {
            if !self.is_request_complete() {
                return now < self.active.saturating_add(REQUEST_LIMIT);
            }
            self.answer = Some(Answer::begin(&self.request, now, &mut self.out, shared));
        }
        let Some(answer) = &mut self.answer else { return false };
        loop {
            if self.out.len() - self.sent < UNSENT_MAX {
                answer.advance(now, &mut self.out, UNSENT_MAX, shared);
            }
            if self.sent == self.out.len() {
                if answer.is_over() {
                    self.discard();
                    return false;
                }
                return true;
            }
            match send_bytes(&self.stream, &self.out.as_bytes()[self.sent..]) {
                Ok(count) => (self.sent, self.active) = (self.sent + count, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return now < self.active.saturating_add(SEND_LIMIT);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
            }
        }
    }

    /// Returns when [`advance`](Client::advance) is to be called if no event comes.
    pub(super) fn due(&self, now: u64) -> Option<u64> {
        match &self.answer {
            None if self.is_request_complete() => Some(now),
            None => Some(self.active.saturating_add(REQUEST_LIMIT)),
            Some(_) if self.sent < self.out.len() => Some(self.active.saturating_add(SEND_LIMIT)),
            Some(answer) => answer.due(),
        }
    }

    /// The events to wait for. The end of the connection is always one.
    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        let events = match &self.answer {
            None if !self.is_request_complete() => PollFlags::IN,
            Some(_) if self.sent < self.out.len() => PollFlags::OUT,
            _ => PollFlags::empty(),
        };
        PollFd::new(&self.stream, events)
    }

    /// Handles events. Returns `false` once the client is to be closed.
    pub(super) fn ready(&mut self, events: PollFlags) -> bool {
        if events.contains(PollFlags::IN) && self.answer.is_none() {
            return self.read();
        }
        !events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
    }

    fn read(&mut self) -> bool {
        let mut buf = [0; REQUEST_MAX];
        let space = REQUEST_MAX.saturating_sub(self.request.len());
        match (&self.stream).read(&mut buf[..space]) {
            Ok(count) => {
                self.request.extend_from_slice(&buf[..count]);
                count > 0
            }
            Err(error) => {
                matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
            }
        }
    }

    /// Reads what the client has sent beyond its request: else the system would reset the
    /// connection, and the client might lose the answer.
    fn discard(&mut self) {
        let mut buf = [0; REQUEST_MAX];
        let mut reads = 0..DISCARDED_MAX / REQUEST_MAX;
        while reads.next().is_some() && (&self.stream).read(&mut buf).is_ok_and(|n| n > 0) {}
    }

    /// Returns whether the request has ended, or is too long.
    fn is_request_complete(&self) -> bool {
        self.request.len() >= REQUEST_MAX || self.request.contains(&b'\n')
    }
}
