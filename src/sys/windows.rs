//! Windows: the names of `unix`.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, SocketAddr, TcpStream};
use std::os::windows::fs::FileExt;
pub(crate) use std::os::windows::io::{
    AsHandle as AsFile, AsRawSocket as AsDescriptor, OwnedSocket as Owned, RawSocket as Descriptor,
};

use mio::net::{TcpListener, UdpSocket};

use super::accept_failure::AcceptFailure;

/// Returns the number by which the system names an I/O object.
pub(crate) fn descriptor(io: &impl AsDescriptor) -> Descriptor {
    io.as_raw_socket()
}

/// Returns `false`, always: Windows cannot report whether a socket is non-blocking.
pub(crate) fn is_nonblocking(_: &Owned) -> io::Result<bool> {
    Ok(false)
}

/// Makes the socket blocking or non-blocking.
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
    check_supported(addr, reuse_addr, reuse_port, only_v6)?;
    let listener = net::TcpListener::bind(addr)?;
    Ok(with_nonblocking(listener.into(), true)?.into())
}

/// Makes a UDP socket on `addr`.
pub(crate) fn bind_udp(
    addr: SocketAddr,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<UdpSocket> {
    check_supported(addr, reuse_addr, reuse_port, only_v6)?;
    UdpSocket::bind(addr)
}

fn check_supported(
    addr: SocketAddr,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<()> {
    // On Windows, an IPv6 socket accepts IPv4 connections only with a socket option.
    let is_dual = addr.is_ipv6() && only_v6 == Some(false);
    if reuse_addr || reuse_port || is_dual {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "reuse_addr, reuse_port and only_v6: Some(false) are not available on Windows",
        ));
    }
    Ok(())
}

/// Classifies an error of accept.
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

/// Returns whether an error of send means that the socket has no peer: WSAENOTCONN,
/// WSAEDESTADDRREQ.
pub(crate) fn is_unconnected(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(10057 | 10039))
}

pub(crate) fn receive_bytes(mut socket: &mio::net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    socket.read(buf)
}

/// Receives bytes of a stream, and leaves them in the queue of the socket.
pub(crate) fn peek_bytes(socket: &mio::net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    socket.peek(buf)
}

/// Receives bytes into the spare capacity of `buf`.
pub(crate) fn receive_into(
    mut socket: &mio::net::TcpStream,
    buf: &mut Vec<u8>,
) -> io::Result<usize> {
    let len = buf.len();
    buf.resize(buf.capacity(), 0);
    let received = socket.read(&mut buf[len..]);
    buf.truncate(len + received.as_ref().copied().unwrap_or(0));
    received
}

/// WSAEMSGSIZE: the datagram is longer than the buffer.
const TOO_LONG: i32 = 10040;

/// Receives a datagram. Returns its length, whether it was truncated to `buf`, and its sender. For
/// a truncated datagram, Windows reports neither its length nor its sender. `is_peek`: the datagram
/// stays in the queue.
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

/// Like [`receive_udp`], without the sender.
pub(crate) fn receive_udp_anonymous(
    socket: &UdpSocket,
    buf: &mut [u8],
) -> io::Result<(usize, bool)> {
    let (length, is_truncated, _) = receive_udp(socket, buf, false)?;
    Ok((length, is_truncated))
}

pub(crate) fn send_udp(socket: &UdpSocket, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
    socket.send_to(buf, addr)
}

pub(crate) fn send_udp_connected(socket: &UdpSocket, buf: &[u8]) -> io::Result<usize> {
    socket.send(buf)
}

pub(crate) fn receive_vectored(
    mut socket: &mio::net::TcpStream,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    socket.read_vectored(bufs)
}

pub(crate) fn send_bytes(mut socket: &mio::net::TcpStream, buf: &[u8]) -> io::Result<usize> {
    socket.write(buf)
}

pub(crate) fn send_vectored(
    mut stream: &mio::net::TcpStream,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    stream.write_vectored(bufs)
}

/// Duplicates the handle of a file, for a thread of the blocking pool.
pub(crate) fn duplicate(file: &impl AsFile) -> io::Result<File> {
    Ok(file.as_handle().try_clone_to_owned()?.into())
}

/// Reads from the position `at`. Returns 0 at the end of the file.
pub(crate) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(buf, at)
}
