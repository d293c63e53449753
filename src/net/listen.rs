//! Making a server socket, by system calls that neither std nor mio offer in full. Unix.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType, bind, listen as start};

use super::tcp_listener::ListenOptions;

pub(super) fn listen(addr: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    let family = if addr.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let fd = open(family)?;
    set_socket_reuseaddr(&fd, options.reuse_addr)?;
    if options.reuse_port {
        rustix::net::sockopt::set_socket_reuseport(&fd, true)?;
    }
    if let Some(only_v6) = options.only_v6.filter(|_| addr.is_ipv6()) {
        set_ipv6_v6only(&fd, only_v6)?;
    }
    bind(&fd, &addr)?;
    start(&fd, i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(fd.into())
}

/// A socket that a child process does not inherit.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn open(family: AddressFamily) -> io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, socket_with};
    Ok(socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// The same where it takes two steps, and a third so that it raises no SIGPIPE.
#[cfg(target_vendor = "apple")]
pub(super) fn open(family: AddressFamily) -> io::Result<OwnedFd> {
    let fd = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::net::sockopt::set_socket_nosigpipe(&fd, true)?;
    Ok(fd)
}

/// Whether an accept failed for want of a descriptor or of memory for one.
pub(super) fn is_starved(error: &io::Error) -> bool {
    const STARVED: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| STARVED.contains(&errno))
}
