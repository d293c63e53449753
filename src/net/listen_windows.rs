//! Making a server socket by std, which knows none of the options. Windows.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::accept_failure::AcceptFailure;
use super::tcp_listener::ListenOptions;

pub(super) fn listen(addr: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    let ListenOptions { backlog: _, reuse_addr, reuse_port, only_v6 } = *options;
    // An IPv6 socket takes no IPv4 connections there, unless it is told to.
    let is_dual = addr.is_ipv6() && only_v6 == Some(false);
    if reuse_addr || reuse_port || is_dual {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "reuse_addr, reuse_port and only_v6: Some(false) are not available on Windows",
        ));
    }
    TcpListener::bind(addr)
}

/// What an error of accept means.
pub(crate) fn accept_failure(error: &io::Error) -> AcceptFailure {
    match error.raw_os_error().unwrap_or_default() {
        // WSAEMFILE, WSAENOBUFS.
        10024 | 10055 => AcceptFailure::Starved,
        // WSAECONNABORTED, WSAECONNRESET.
        10053 | 10054 => AcceptFailure::Connection,
        // WSAEINVAL, WSAEBADF, WSAENOTSOCK.
        10022 | 10009 | 10038 => AcceptFailure::Permanent,
        _ => AcceptFailure::Transient,
    }
}
