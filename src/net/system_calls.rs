//! The calls of the operating system that make a TCP socket. Layer L4.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::OwnedFd;

use mio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::sys::{self, Owned};

/// Starts to connect.
pub(super) fn connect(addr: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    match local {
        None => TcpStream::connect(addr),
        Some(local) => Ok(TcpStream::from_std(sys::connect_from(local, addr)?)),
    }
}

pub(super) fn listen(
    addr: SocketAddr,
    backlog: u32,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<TcpListener> {
    let listener = sys::listen(addr, backlog, reuse_addr, reuse_port, only_v6)?;
    Ok(sys::with_nonblocking(Owned::from(listener), true)?.into())
}

/// Makes a socket that is neither connected nor listening.
#[cfg(unix)]
pub(super) fn new_tcp(is_v6: bool) -> io::Result<OwnedFd> {
    let family = if is_v6 { AddressFamily::INET6 } else { AddressFamily::INET };
    sys::open(family, SocketType::STREAM)
}

#[cfg(unix)]
pub(super) fn bind_tcp(fd: &OwnedFd, addr: SocketAddr) -> io::Result<()> {
    Ok(rustix::net::bind(fd, &addr)?)
}

/// Starts to connect.
#[cfg(unix)]
pub(super) fn connect_tcp(fd: OwnedFd, addr: SocketAddr) -> io::Result<TcpStream> {
    Ok(TcpStream::from_std(sys::start_connect(fd, addr)?))
}

#[cfg(unix)]
pub(super) fn listen_tcp(fd: OwnedFd, backlog: u32) -> io::Result<TcpListener> {
    rustix::net::listen(&fd, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(sys::with_nonblocking(fd, true)?.into())
}

#[cfg(unix)]
pub(super) fn local_addr(fd: &OwnedFd) -> io::Result<SocketAddr> {
    Ok(rustix::net::getsockname(fd)?.try_into()?)
}

#[cfg(unix)]
pub(super) fn take_error(fd: &OwnedFd) -> io::Result<Option<io::Error>> {
    Ok(sockopt::socket_error(fd)?.err().map(io::Error::from))
}
