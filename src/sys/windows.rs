//! Windows: the same names as in `unix`.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::windows::fs::FileExt;
pub(crate) use std::os::windows::io::{AsHandle as AsFile, OwnedSocket as Owned};

use mio::net::UdpSocket;

use super::accept_failure::AcceptFailure;

/// Whether operations on it do not wait: the system does not tell, so they do.
pub(crate) fn is_nonblocking(_: &Owned) -> io::Result<bool> {
    Ok(false)
}

/// The same socket, of which operations wait or do not.
pub(crate) fn with_nonblocking(socket: Owned, nonblocking: bool) -> io::Result<Owned> {
    // The call is the same for sockets of every kind.
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(nonblocking)?;
    Ok(socket.into())
}

pub(crate) fn listen(
    addr: SocketAddr,
    _: u32,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<TcpListener> {
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

pub(crate) fn connect_from(_: SocketAddr, _: SocketAddr) -> io::Result<TcpStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "local_addr is not available on Windows"))
}

/// WSAEMSGSIZE: the datagram is longer than the buffer.
const TOO_LONG: i32 = 10040;

/// Receives a datagram: its length, whether it was longer than `buf`, its sender. The system does
/// not say how long one was that is cut, nor where it came from. `is_peek`: it stays in the queue.
pub(crate) fn receive_udp(
    socket: &UdpSocket,
    buf: &mut [u8],
    is_peek: bool,
) -> io::Result<(usize, bool, Option<SocketAddr>)> {
    let received = if is_peek { socket.peek_from(buf) } else { socket.recv_from(buf) };
    match received {
        Ok((length, from)) => Ok((length, false, Some(from))),
        Err(error) if error.raw_os_error() == Some(TOO_LONG) => Ok((buf.len(), true, None)),
        Err(error) => Err(error),
    }
}

pub(crate) fn send_vectored(
    mut stream: &mio::net::TcpStream,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    stream.write_vectored(bufs)
}

/// The same file, for a helper thread.
pub(crate) fn duplicate(file: &impl AsFile) -> io::Result<File> {
    Ok(file.as_handle().try_clone_to_owned()?.into())
}

/// Reads from the byte `at` on. 0: the file has ended.
pub(crate) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(buf, at)
}
