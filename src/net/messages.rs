//! What sockets for datagrams are made of: their kinds, and what differs between them.
//!
//! Invariant: nothing here waits; whether an operation is tried at all is decided by who calls.

use std::error::Error;
use std::fmt;
use std::io;

pub(super) use private::Sealed;

use super::transport::Object;
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

/// A datagram was longer than the buffer that it was received into. Inside of an [`io::Error`] of
/// kind `InvalidData`. The buffer is full of its beginning; the rest is lost.
///
/// ```
/// use evloop::net::{Truncated, UdpSocket};
///
/// evloop::block_on(async {
///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
///     socket.send_to(b"four", socket.local_addr()?).await?;
///     let mut buf = [0; 3];
///     let error = socket.recv(&mut buf).await.unwrap_err();
///     assert_eq!(Truncated::of(&error).unwrap().filled, 3);
///     assert_eq!(&buf, b"fou");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "MSG_TRUNC")]
pub struct Truncated {
    /// How many bytes there was room for.
    pub filled: usize,
    /// How long the datagram was, if the system tells (Linux).
    pub length: Option<usize>,
}

impl Truncated {
    /// What `error` is about, if it is this.
    pub fn of(error: &io::Error) -> Option<&Truncated> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            Some(length) => write!(f, "a datagram of {length} bytes"),
            None => f.write_str("a datagram"),
        }?;
        write!(f, " was cut to the {} bytes that there was room for", self.filled)
    }
}

impl Error for Truncated {}

impl From<Truncated> for io::Error {
    fn from(error: Truncated) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
