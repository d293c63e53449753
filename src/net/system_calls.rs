//! The calls of the operating system that make a socket. Layer L4.

use std::io;
#[cfg(unix)]
use std::net::Shutdown;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::os::unix::net::SocketAddr as UnixAddr;

use mio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use mio::net::{UnixDatagram, UnixListener, UnixStream};
#[cfg(unix)]
pub(super) use mio::unix::pipe::new as pipe;
#[cfg(unix)]
use rustix::net::{AddressFamily, SocketType, sockopt};

#[cfg(unix)]
use super::unix_path::to_raw;
#[cfg(unix)]
use crate::io_error::explain;
use crate::sys;

/// Starts to connect.
pub(super) fn connect(addr: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    match local {
        None => TcpStream::connect(addr),
        Some(local) => connect_from(local, addr),
    }
}

#[cfg(unix)]
fn connect_from(local: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    if local.is_ipv6() != to.is_ipv6() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is of another family than the local address {local}"),
        ));
    }
    let fd = new_tcp(to.is_ipv6())?;
    bind_tcp(&fd, local).map_err(|error| {
        let sentence = format!("could not bind to {local}: {error}");
        explain(error, sentence)
    })?;
    connect_tcp(fd, to)
}

#[cfg(windows)]
fn connect_from(_: SocketAddr, _: SocketAddr) -> io::Result<TcpStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "local_addr is not available on Windows"))
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

/// Connects at once. `WouldBlock` if the backlog of the listener is full.
#[cfg(unix)]
pub(super) fn connect_unix(addr: &UnixAddr) -> io::Result<UnixStream> {
    UnixStream::connect_addr(addr)
}

#[cfg(unix)]
pub(super) fn unix_pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

#[cfg(unix)]
pub(super) fn listen_unix(addr: &UnixAddr) -> io::Result<UnixListener> {
    let listener = std::os::unix::net::UnixListener::bind_addr(addr)?;
    Ok(sys::with_nonblocking(listener.into(), true)?.into())
}

/// Makes a datagram socket, without a name if there is no address.
#[cfg(unix)]
pub(super) fn datagram(addr: Option<&UnixAddr>) -> io::Result<UnixDatagram> {
    addr.map_or_else(UnixDatagram::unbound, UnixDatagram::bind_addr)
}

#[cfg(unix)]
pub(super) fn datagram_pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
    UnixDatagram::pair()
}

#[cfg(unix)]
pub(super) fn connect_datagram(io: &UnixDatagram, addr: &UnixAddr) -> io::Result<()> {
    Ok(rustix::net::connect(io, &to_raw(addr)?)?)
}

#[cfg(unix)]
pub(super) fn shutdown_datagram(io: &UnixDatagram, how: Shutdown) -> io::Result<()> {
    io.shutdown(how)
}
