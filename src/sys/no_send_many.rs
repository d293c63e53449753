//! Sending several datagrams. Elsewhere: one by one.

use std::io;
use std::net::SocketAddr;

use mio::net::UdpSocket;

/// Sends datagrams to their addresses until the system accepts no more. Returns the number sent. An
/// error is that of the first datagram, and then none is sent.
pub(crate) fn send_many<B: AsRef<[u8]>>(
    socket: &UdpSocket,
    datagrams: &[(B, SocketAddr)],
) -> io::Result<usize> {
    for (sent, (datagram, addr)) in datagrams.iter().enumerate() {
        if let Err(error) = socket.send_to(datagram.as_ref(), *addr) {
            return if sent > 0 { Ok(sent) } else { Err(error) };
        }
    }
    Ok(datagrams.len())
}
