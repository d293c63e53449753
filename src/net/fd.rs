//! What sockets have on Unix alone: their descriptors, and options that mio does not know.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_socket_linger};

use super::connection::Connection;
use super::datagram_socket::DatagramSocket;
use super::listener::Listener;
use super::messages::Protocol;
use super::tcp_stream::TcpStream;
use super::transport::Transport;

/// On Unix.
impl TcpStream {
    /// Whether the system asks a silent peer now and then if it is still there (SO_KEEPALIVE).
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        Ok(set_socket_keepalive(self, keepalive)?)
    }

    /// What closing does with unsent bytes (SO_LINGER). `None`, the default: they are sent in the
    /// background. `Some(Duration::ZERO)`: they are discarded, and the peer sees a reset.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a longer time: close(2) would block the loop for as long. To wait
    /// until the bytes are sent, call `shutdown(Write)` and read to the end.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        if linger.is_some_and(|time| !time.is_zero()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "set_linger takes no time above zero, for which closing would block the event \
                 loop: shut the write direction down, and read to the end",
            ));
        }
        Ok(set_socket_linger(self, linger)?)
    }
}

impl<T: Transport> AsFd for Connection<T>
where
    T::Stream: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}

impl<T: Transport> AsFd for Listener<T>
where
    T::Listener: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl<P: Protocol> AsFd for DatagramSocket<P>
where
    P::Socket: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}
