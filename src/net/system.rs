//! The seam between `net` and the system: the types of the sockets, and the calls that make one.
//! Layer L4.
//!
//! With the feature `sim`, `system_or_world.rs` takes the place of this file. It has the same
//! names, and there a socket is the system's or that of a simulated world. All other files of `net`
//! are the same in both cases: they use a socket through the traits of `transport`, `messages` and
//! `pipe_transfer`, and make one by the functions here. `socket_options` is such a pair, too.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::OwnedFd;

pub(super) use mio::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
pub(super) use mio::net::{UnixDatagram, UnixListener, UnixStream};
#[cfg(unix)]
pub(super) use mio::unix::pipe::{Receiver as PipeReceiver, Sender as PipeSender};

pub(super) use super::system_calls::connect;
#[cfg(unix)]
pub(super) use super::system_calls::{
    bind_tcp, connect_datagram, connect_tcp, connect_unix, datagram, datagram_pair, listen_tcp,
    listen_unix, local_addr, new_tcp, pipe, shutdown_datagram, take_error, unix_pair,
};
pub(super) use crate::sys::{bind_udp, listen, send_many, sendfile};

/// A TCP socket that is neither connected nor listening.
#[cfg(unix)]
pub(super) type TcpFd = OwnedFd;

#[cfg(unix)]
pub(super) fn tcp_of(fd: OwnedFd) -> TcpFd {
    fd
}

#[cfg(unix)]
pub(super) fn descriptor_of(io: TcpFd) -> OwnedFd {
    io
}

/// Returns the addresses of a host of the simulated world that is current: there is none.
#[inline(always)]
pub(super) fn look_up(_name: &str, _port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
    None
}
