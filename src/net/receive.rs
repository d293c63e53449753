//! Receiving a datagram, and telling if it was cut. Unix.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsFd;

use mio::net::UdpSocket;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, RecvMsg, ReturnFlags, SocketAddrAny, recvmsg};

use super::messages::Take;
use super::truncated::Truncated;

/// Returns how much of the buffer was filled, and by whom.
pub(super) fn receive(
    socket: impl AsFd,
    buf: &mut [u8],
    take: Take,
) -> io::Result<(usize, Option<SocketAddrAny>)> {
    let room = buf.len();
    let flags = match take {
        Take::Whole => WHOLE,
        Take::None => RecvFlags::PEEK,
    };
    let bufs = &mut [IoSliceMut::new(buf)];
    let RecvMsg { bytes, flags, address } =
        recvmsg(socket, bufs, &mut RecvAncillaryBuffer::default(), flags)?;
    if take == Take::Whole && flags.contains(ReturnFlags::TRUNC) {
        return Err(Truncated { filled: room, length: (bytes > room).then_some(bytes) }.into());
    }
    Ok((bytes, address))
}

pub(super) fn receive_udp(
    socket: &UdpSocket,
    buf: &mut [u8],
    take: Take,
) -> io::Result<(usize, SocketAddr)> {
    let (length, from) = socket.try_io(|| receive(socket, buf, take))?;
    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
    let from = from.ok_or_else(|| io::Error::other("a datagram came without an address"))?;
    Ok((length, from))
}

/// Linux tells how long the datagram was if it is asked to.
#[cfg(any(target_os = "linux", target_os = "android"))]
const WHOLE: RecvFlags = RecvFlags::TRUNC;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const WHOLE: RecvFlags = RecvFlags::empty();
