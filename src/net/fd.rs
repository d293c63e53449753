//! The parts of sockets that only Unix has: descriptors, and options that mio lacks. Layer L4.

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

/// Socket options on Unix.
impl TcpStream {
    /// Sets whether the system sends keepalive probes while the connection is idle (SO_KEEPALIVE).
    #[doc(alias = "keep_alive")]
    #[doc(alias = "setsockopt")]
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        Ok(set_socket_keepalive(self, keepalive)?)
    }

    /// Sets what a close does with unsent bytes (SO_LINGER).
    ///
    /// With `None`, the default, the system sends them in the background. With
    /// `Some(Duration::ZERO)`, it discards them and resets the connection.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a time above zero: close(2) would block the event loop for that
    /// time. To wait until the bytes are sent, call `shutdown(Write)` and read to the end.
    #[doc(alias = "set_zero_linger")]
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        if linger.is_some_and(|time| !time.is_zero()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "set_linger accepts no time above zero, because closing would block the event \
                 loop: shut down the write direction, and read to the end",
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
