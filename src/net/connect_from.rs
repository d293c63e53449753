//! Connecting from an address of the caller's choice. Unix.

use std::io;
use std::net::{SocketAddr, TcpStream};

use rustix::io::Errno;
use rustix::net::{AddressFamily, bind, connect};

use super::listen::open;
use super::owned::with_nonblocking;
use crate::io_error::explain;

/// Begins to connect: the socket is non-blocking, and most often not connected yet.
pub(super) fn connect_from(local: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    if local.is_ipv6() != to.is_ipv6() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is of another family than the local address {local}"),
        ));
    }
    let family = if to.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let fd = with_nonblocking(open(family)?, true)?;
    bind(&fd, &local).map_err(|errno| {
        let error = io::Error::from(errno);
        let sentence = format!("could not bind to {local}: {error}");
        explain(error, sentence)
    })?;
    match connect(&fd, &to) {
        Err(Errno::INPROGRESS) | Ok(()) => Ok(fd.into()),
        Err(errno) => Err(errno.into()),
    }
}
