//! What TCP sockets have on Unix alone: their descriptors, and options that mio does not know.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_keepalive, set_socket_linger};

use super::tcp_listener::TcpListener;
use super::tcp_stream::TcpStream;

/// On Unix.
impl TcpStream {
    /// Whether the system asks a silent peer now and then if it is still there (SO_KEEPALIVE).
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        Ok(set_socket_keepalive(self.io(), keepalive)?)
    }

    /// What closing does with unsent bytes (SO_LINGER). `None`, the default: they are sent in the
    /// background. `Some(0)`: they are discarded, and the peer sees a reset.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_linger(self.io(), linger)?)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}
