//! The kinds of datagram sockets, and the operations that differ between them. Layer L4.
//!
//! Invariant: no operation here waits. The caller decides whether an operation is tried.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

pub(super) use private::Sealed;

use super::transport::IoObject;
use crate::io_error::{explain, explain_as};
use crate::sys::{self, Owned};

/// A kind of datagram socket: [`Udp`](super::Udp), and on Unix [`Unix`](super::Unix).
///
/// It is the parameter of [`DatagramSocket`](super::DatagramSocket). Other crates cannot implement
/// it.
pub trait Protocol: Sealed {}

mod private {
    use super::{DatagramIo, Owned, fmt};

    pub trait Sealed: fmt::Debug + 'static {
        /// The name of the function, for messages.
        const FROM_STD: &'static str;
        /// The address of a socket.
        type Addr: fmt::Debug;
        /// The socket of std.
        type StdSocket: From<Owned> + Into<Owned>;
        /// The socket of mio.
        type Socket: DatagramIo<Addr = Self::Addr>;
    }
}

/// What a receive does with the datagram that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveMode {
    /// Removes it from the queue of the socket. A datagram longer than the buffer is an error.
    Consume,
    /// Leaves it in the queue of the socket.
    Peek,
}

/// A socket of mio that sends and receives datagrams.
pub trait DatagramIo: IoObject {
    type Addr;
    fn send(&self, buf: &[u8]) -> io::Result<usize>;
    fn transmit_to(&self, buf: &[u8], addr: &Self::Addr) -> io::Result<usize>;
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn receive_from(&self, buf: &mut [u8], mode: ReceiveMode) -> io::Result<(usize, Self::Addr)>;
    fn peer_addr(&self) -> io::Result<Self::Addr>;
    fn local_addr(&self) -> io::Result<Self::Addr>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    /// Runs `op` through mio, which must see each `WouldBlock`: on Windows it re-arms the event
    /// then.
    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R>;
}

/// Adds to an error of a send of `length` bytes without an address what failed, and what to do if
/// the socket is not connected.
#[cold]
pub(super) fn explain_send(length: usize, error: io::Error) -> io::Error {
    if !sys::is_unconnected(&error) {
        return send_error(length, "", "", error);
    }
    let sentence = format!(
        "the socket is not connected: call connect first, or send with send_to and an address \
         ({error})"
    );
    explain_as(io::ErrorKind::NotConnected, error, sentence)
}

/// Adds to an error which datagram was not sent, and why the socket cannot send to this address.
#[cold]
pub(super) fn explain_send_to(
    local: io::Result<SocketAddr>,
    length: usize,
    addr: SocketAddr,
    error: io::Error,
) -> io::Error {
    let hint = match local {
        _ if error.kind() == io::ErrorKind::PermissionDenied => {
            " (a broadcast address needs UdpSocket::set_broadcast)"
        }
        Ok(local) if local.is_ipv4() && addr.is_ipv6() => " (this is an IPv4 socket)",
        Ok(local) if local.is_ipv6() && addr.is_ipv4() => " (this is an IPv6 socket)",
        _ => "",
    };
    send_error(length, &format!(" to {addr}"), hint, error)
}

/// Adds to an error of a send the length of the datagram, its destination as in `" to ADDRESS"`,
/// and a hint. Errors that only repeat the send stay as they are.
#[cold]
fn send_error(length: usize, to: &str, hint: &str, error: io::Error) -> io::Error {
    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
        return error;
    }
    let hint = match error.kind() {
        io::ErrorKind::ConnectionRefused => " (the peer's system refused an earlier datagram)",
        _ => hint,
    };
    let sentence = format!("could not send a datagram of {length} bytes{to}: {error}{hint}");
    explain(error, sentence)
}

/// Returns the length of a datagram that was received into a buffer of `capacity` bytes, or the
/// error [`Truncated`].
pub(super) fn check_truncated(
    length: usize,
    is_truncated: bool,
    capacity: usize,
) -> io::Result<usize> {
    if is_truncated {
        // Where the system does not report the full length, `length` is the capacity.
        let length = (length > capacity).then_some(length);
        return Err(Truncated { filled: capacity, length }.into());
    }
    Ok(length)
}

/// The error of a receive whose buffer was shorter than the datagram.
///
/// It is inside an [`io::Error`] of kind `InvalidData`. The buffer holds the beginning of the
/// datagram, and the rest is lost.
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
pub struct Truncated {
    /// The number of bytes in the buffer: its capacity.
    pub filled: usize,
    /// The length of the datagram, if the system reports it (Linux).
    pub length: Option<usize>,
}

impl Truncated {
    /// Returns the `Truncated` inside `error`, if there is one.
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
        write!(f, " was truncated to the {} bytes of the buffer", self.filled)
    }
}

impl Error for Truncated {}

impl From<Truncated> for io::Error {
    fn from(error: Truncated) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
