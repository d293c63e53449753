//! What sockets for datagrams are made of: their kinds, and what differs between them.
//!
//! Invariant: nothing here waits; whether an operation is tried at all is decided by who calls.

use std::fmt;
use std::io;

pub(super) use private::Sealed;

use super::transport::Object;
use super::truncated::Truncated;
use crate::sys::Owned;

/// A kind of datagrams: [`Udp`](super::Udp), and on Unix [`Unix`](super::Unix).
///
/// It cannot be implemented elsewhere.
pub trait Protocol: Sealed {}

mod private {
    use super::{Messages, Owned, fmt};

    pub trait Sealed: fmt::Debug + 'static {
        /// What a socket is called.
        type Addr: fmt::Debug;
        /// std's socket.
        type StdSocket: From<Owned> + Into<Owned>;
        /// mio's socket.
        type Socket: Messages<Addr = Self::Addr>;
    }
}

/// How much of a datagram is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// All of it: what finds no room is lost, and that is an error.
    Whole,
    /// It stays.
    None,
}

/// A socket on which datagrams come and go.
pub trait Messages: Object {
    type Addr;
    fn send(&self, buf: &[u8]) -> io::Result<usize>;
    fn receive(&self, buf: &mut [u8], take: Take) -> io::Result<(usize, Self::Addr)>;
    fn peer_addr(&self) -> io::Result<Self::Addr>;
    fn local_addr(&self) -> io::Result<Self::Addr>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    /// Runs `op` so that mio sees a WouldBlock.
    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R>;
}

/// The length of a datagram that was received into a buffer of `capacity` bytes; an error if it was
/// longer than that.
pub(super) fn uncut(length: usize, is_cut: bool, capacity: usize) -> io::Result<usize> {
    if is_cut {
        let length = (length > capacity).then_some(length);
        return Err(Truncated { filled: capacity, length }.into());
    }
    Ok(length)
}
