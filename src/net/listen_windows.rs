//! Making a server socket by std, which knows none of the options. Windows.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::tcp_listener::ListenOptions;

/// WSAEMFILE and WSAENOBUFS: no socket, or no memory for one, is left.
const STARVED: [i32; 2] = [10024, 10055];

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

/// Whether an accept failed for want of a descriptor or of memory for one.
pub(super) fn is_starved(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| STARVED.contains(&code))
}
