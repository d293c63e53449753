//! Unix: handles, server sockets, datagrams, reading files.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, TcpStream};
pub(crate) use std::os::fd::{
    AsFd as AsFile, AsRawFd as AsDescriptor, OwnedFd as Owned, RawFd as Descriptor,
};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use mio::net::{TcpListener, UdpSocket};
use rustix::buffer::spare_capacity;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{Errno, ioctl_fionbio, readv};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::net::recvfrom;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, SocketType, bind,
    connect, listen as start, recv, send, sendmsg, sendto,
};

use super::accept_failure::AcceptFailure;

/// Returns whether the descriptor is non-blocking.
pub(crate) fn is_nonblocking(fd: &Owned) -> io::Result<bool> {
    Ok(fcntl_getfl(fd)?.contains(OFlags::NONBLOCK))
}

/// Makes the socket blocking or non-blocking.
pub(crate) fn with_nonblocking(fd: Owned, nonblocking: bool) -> io::Result<Owned> {
    ioctl_fionbio(&fd, nonblocking)?;
    Ok(fd)
}

/// Makes a listener on `addr`.
pub(crate) fn listen(
    addr: SocketAddr,
    backlog: u32,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<TcpListener> {
    let fd = bind_with(addr, SocketType::STREAM, reuse_addr, reuse_port, only_v6)?;
    start(&fd, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(with_nonblocking(fd, true)?.into())
}

/// Makes a UDP socket on `addr`.
pub(crate) fn bind_udp(
    addr: SocketAddr,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<UdpSocket> {
    let fd = bind_with(addr, SocketType::DGRAM, reuse_addr, reuse_port, only_v6)?;
    Ok(with_nonblocking(fd, true)?.into())
}

fn bind_with(
    addr: SocketAddr,
    kind: SocketType,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<OwnedFd> {
    let fd = open(family(addr), kind)?;
    if reuse_addr {
        set_socket_reuseaddr(&fd, true)?;
    }
    if reuse_port {
        rustix::net::sockopt::set_socket_reuseport(&fd, true)?;
    }
    if let Some(only_v6) = only_v6.filter(|_| addr.is_ipv6()) {
        set_ipv6_v6only(&fd, only_v6)?;
    }
    bind(&fd, &addr)?;
    Ok(fd)
}

fn family(addr: SocketAddr) -> AddressFamily {
    if addr.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET }
}

/// Opens a socket that child processes do not inherit.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn open(family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, socket_with};
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, None)?)
}

/// Opens a socket that child processes do not inherit. Apple's systems have no socket(2) flag for
/// that, nor a send(2) flag against SIGPIPE, so both are set afterwards.
#[cfg(target_vendor = "apple")]
pub(crate) fn open(family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
    let fd = rustix::net::socket(family, kind, None)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::net::sockopt::set_socket_nosigpipe(&fd, true)?;
    Ok(fd)
}

/// Classifies an error of accept(2).
pub(crate) fn accept_failure(error: &io::Error) -> AcceptFailure {
    let Some(errno) = Errno::from_io_error(error) else { return AcceptFailure::Transient };
    match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => AcceptFailure::Starved,
        // Linux passes pending network errors of the new connection to accept(2).
        Errno::CONNABORTED
        | Errno::PROTO
        | Errno::NOPROTOOPT
        | Errno::NETDOWN
        | Errno::NETUNREACH
        | Errno::HOSTDOWN
        | Errno::HOSTUNREACH => AcceptFailure::Connection,
        // EINVAL: the socket does not listen any more.
        Errno::INVAL | Errno::BADF | Errno::NOTSOCK => AcceptFailure::Permanent,
        _ => AcceptFailure::Transient,
    }
}

/// Returns whether an error of send(2) means that the socket has no peer.
pub(crate) fn is_unconnected(error: &io::Error) -> bool {
    // A Unix datagram socket returns ENOTCONN, a UDP socket EDESTADDRREQ.
    matches!(Errno::from_io_error(error), Some(Errno::DESTADDRREQ | Errno::NOTCONN))
}

/// Starts to connect. The returned socket is non-blocking, and usually not connected yet.
pub(crate) fn start_connect(fd: OwnedFd, to: SocketAddr) -> io::Result<TcpStream> {
    let fd = with_nonblocking(fd, true)?;
    match connect(&fd, &to) {
        Err(Errno::INPROGRESS) | Ok(()) => Ok(fd.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// Receives bytes of a stream. Like its siblings a system call of rustix: libc's function is a
/// cancellation point of POSIX threads, which costs 150 instructions once there is a second thread.
/// Returns the number by which the system names an I/O object.
pub(crate) fn descriptor(io: &impl AsDescriptor) -> Descriptor {
    io.as_raw_fd()
}

pub(crate) fn receive_bytes(socket: impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buf, RecvFlags::empty())?.1)
}

/// Receives bytes of a stream, and leaves them in the queue of the socket.
pub(crate) fn peek_bytes(socket: impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buf, RecvFlags::PEEK)?.0)
}

/// Receives bytes into the spare capacity of `buf`, which must not be empty.
pub(crate) fn receive_into(socket: &mio::net::TcpStream, buf: &mut Vec<u8>) -> io::Result<usize> {
    socket.try_io(|| Ok(recv(socket, spare_capacity(buf), RecvFlags::empty())?.0))
}

/// Receives a datagram. Returns its length, whether it was truncated to `buf`, and its sender. On
/// Linux the length is that of the whole datagram. `is_peek`: the datagram stays in the queue.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn receive(
    socket: impl AsFd,
    buf: &mut [u8],
    is_peek: bool,
) -> io::Result<(usize, bool, Option<SocketAddrAny>)> {
    // With MSG_TRUNC, Linux returns the length of the whole datagram.
    let flags = if is_peek { RecvFlags::PEEK } else { RecvFlags::TRUNC };
    let capacity = buf.len();
    let (_, length, from) = recvfrom(socket, buf, flags)?;
    Ok((length, length > capacity, from))
}

/// Receives a datagram. Returns its length, whether it was truncated to `buf`, and its sender. Only
/// recvmsg(2) reports the truncation. `is_peek`: the datagram stays in the queue.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn receive(
    socket: impl AsFd,
    buf: &mut [u8],
    is_peek: bool,
) -> io::Result<(usize, bool, Option<SocketAddrAny>)> {
    use rustix::net::{RecvAncillaryBuffer, ReturnFlags, recvmsg};
    let flags = if is_peek { RecvFlags::PEEK } else { RecvFlags::empty() };
    let bufs = &mut [IoSliceMut::new(buf)];
    let received = recvmsg(socket, bufs, &mut RecvAncillaryBuffer::default(), flags)?;
    let is_truncated = !is_peek && received.flags.contains(ReturnFlags::TRUNC);
    Ok((received.bytes, is_truncated, received.address))
}

/// Like [`receive`], without the sender.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn receive_anonymous(socket: impl AsFd, buf: &mut [u8]) -> io::Result<(usize, bool)> {
    let capacity = buf.len();
    let (_, length) = recv(socket, buf, RecvFlags::TRUNC)?;
    Ok((length, length > capacity))
}

/// Like [`receive`], without the sender.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn receive_anonymous(socket: impl AsFd, buf: &mut [u8]) -> io::Result<(usize, bool)> {
    let (length, is_truncated, _) = receive(socket, buf, false)?;
    Ok((length, is_truncated))
}

/// Like [`receive`], for a UDP socket.
pub(crate) fn receive_udp(
    socket: &UdpSocket,
    buf: &mut [u8],
    is_peek: bool,
) -> io::Result<(usize, bool, Option<SocketAddr>)> {
    let (length, is_truncated, from) = socket.try_io(|| receive(socket, buf, is_peek))?;
    Ok((length, is_truncated, from.and_then(|from| SocketAddr::try_from(from).ok())))
}

/// Like [`receive_udp`], without the sender.
pub(crate) fn receive_udp_anonymous(
    socket: &UdpSocket,
    buf: &mut [u8],
) -> io::Result<(usize, bool)> {
    socket.try_io(|| receive_anonymous(socket, buf))
}

pub(crate) fn send_udp(socket: &UdpSocket, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
    socket.try_io(|| Ok(sendto(socket, buf, NO_SIGNAL, &addr)?))
}

pub(crate) fn send_udp_connected(socket: &UdpSocket, buf: &[u8]) -> io::Result<usize> {
    socket.try_io(|| send_bytes(socket, buf))
}

/// The number of buffers that every system accepts in one call: IOV_MAX. POSIX requires at least
/// 16; all supported systems have 1024.
const BUFFERS_MAX: usize = 1024;

pub(crate) fn receive_vectored(
    socket: impl AsFd,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let count = bufs.len().min(BUFFERS_MAX);
    Ok(readv(socket, &mut bufs[..count])?)
}

pub(crate) fn send_bytes(socket: impl AsFd, buf: &[u8]) -> io::Result<usize> {
    Ok(send(socket, buf, NO_SIGNAL)?)
}

pub(crate) fn send_vectored(socket: impl AsFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let bufs = &bufs[..bufs.len().min(BUFFERS_MAX)];
    Ok(sendmsg(socket, bufs, &mut SendAncillaryBuffer::default(), NO_SIGNAL)?)
}

/// The flag of recvmsg(2) that sets close-on-exec on received descriptors.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const CLOSE_ON_EXEC: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
pub(crate) const CLOSE_ON_EXEC: RecvFlags = RecvFlags::empty();

/// Sets close-on-exec on a received descriptor, where recvmsg(2) has no flag for it.
pub(crate) fn with_close_on_exec(fd: OwnedFd) -> OwnedFd {
    #[cfg(target_vendor = "apple")]
    let _ = rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC);
    fd
}

/// The flag of send(2) against SIGPIPE. On systems without it, a socket option has the same effect.
#[cfg(any(target_vendor = "apple", target_os = "netbsd"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();
#[cfg(not(any(target_vendor = "apple", target_os = "netbsd")))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;

/// Duplicates the handle of a file, for a thread of the blocking pool.
pub(crate) fn duplicate(file: &impl AsFile) -> io::Result<File> {
    Ok(file.as_fd().try_clone_to_owned()?.into())
}

/// Reads from the position `at`. Returns 0 at the end of the file.
pub(crate) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(buf, at)
}
