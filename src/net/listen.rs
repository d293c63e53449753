//! Making a server socket, by system calls that neither std nor mio offer in full. Unix.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType, bind, listen as start};

use super::accept_failure::AcceptFailure;
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

/// What an error of accept means.
pub(crate) fn accept_failure(error: &io::Error) -> AcceptFailure {
    let Some(errno) = Errno::from_io_error(error) else { return AcceptFailure::Transient };
    match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => AcceptFailure::Starved,
        // The network's errors that wait on the new connection; see Linux's accept(2).
        Errno::CONNABORTED
        | Errno::PROTO
        | Errno::NOPROTOOPT
        | Errno::NETDOWN
        | Errno::NETUNREACH
        | Errno::HOSTDOWN
        | Errno::HOSTUNREACH => AcceptFailure::Connection,
        // EINVAL: it does not listen any more.
        Errno::INVAL | Errno::BADF | Errno::NOTSOCK => AcceptFailure::Permanent,
        _ => AcceptFailure::Transient,
    }
}
