//! Sending several datagrams in one system call. Linux.

use std::array;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::slice;

use mio::net::UdpSocket;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, sendmmsg};

use super::unix::NO_SIGNAL;

/// The largest number of datagrams of one call. Their headers lie on the stack; more would save
/// little.
const BATCH: usize = 16;

/// Sends datagrams to their addresses until the system accepts no more. Returns the number sent. An
/// error is that of the first datagram, and then none is sent.
pub(crate) fn send_many<B: AsRef<[u8]>>(
    socket: &UdpSocket,
    datagrams: &[(B, SocketAddr)],
) -> io::Result<usize> {
    let Some(last) = datagrams.len().min(BATCH).checked_sub(1) else { return Ok(0) };
    // The headers behind the last one repeat it, and are not sent.
    let nth = |i: usize| &datagrams[i.min(last)];
    let addrs: [_; BATCH] = array::from_fn(|i| nth(i).1.as_any());
    let pieces: [_; BATCH] = array::from_fn(|i| IoSlice::new(nth(i).0.as_ref()));
    let mut controls: [_; BATCH] = array::from_fn(|_| SendAncillaryBuffer::default());
    let mut parts = addrs.iter().zip(&pieces).zip(&mut controls);
    let mut messages: [_; BATCH] = array::from_fn(|_| {
        let ((addr, piece), control) = parts.next().expect("there are as many of each");
        MMsgHdr::new_with_addr(addr, slice::from_ref(piece), control)
    });
    socket.try_io(|| Ok(sendmmsg(socket, &mut messages[..=last], NO_SIGNAL)?))
}
