//! Several UDP datagrams in one call. Layer L4.

use std::io;
use std::net::SocketAddr;

use super::messages::{DatagramIo, ReceiveMode, explain_send_to};
use super::system;
use super::transport::done;
use super::udp_socket::UdpSocket;
use crate::reactor::{Direction, Done};
use crate::sys;

/// The largest number of datagrams that one call sends or receives: so it ends soon, and other
/// tasks run.
const DATAGRAMS_MAX: usize = 64;

/// Several datagrams in one call.
impl UdpSocket {
    /// Sends datagrams, in their order, until the system accepts no more. Waits until it accepts
    /// the first. Returns the number of datagrams sent: call it again with the others. It is less
    /// than their number if the send buffer is full, if one of them cannot be sent, or if there are
    /// many.
    ///
    /// On Linux one system call sends up to 16 of them (sendmmsg).
    ///
    /// # Errors
    ///
    /// Those of [`send_to`](UdpSocket::send_to) for the first datagram: nothing is sent then.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    ///
    /// ```
    /// use evloop::net::UdpSocket;
    ///
    /// evloop::block_on(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let to = server.local_addr()?;
    ///     let datagrams = ["one", "two", "three"].map(|text| (text, to));
    ///     let mut left = &datagrams[..];
    ///     while !left.is_empty() {
    ///         left = &left[client.send_many(left).await?..];
    ///     }
    ///     let mut buf = [0; 8];
    ///     for (text, _) in datagrams {
    ///         let n = server.recv(&mut buf).await?;
    ///         assert_eq!(&buf[..n], text.as_bytes());
    ///     }
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "sendmmsg")]
    pub async fn send_many<B: AsRef<[u8]>>(
        &self,
        datagrams: &[(B, SocketAddr)],
    ) -> io::Result<usize> {
        if datagrams.is_empty() {
            return Ok(0);
        }
        self.end.io(Direction::Write, |io| done(send_many(io, datagrams))).await
    }

    /// Sends datagrams without waiting; see [`send_many`](UdpSocket::send_many).
    ///
    /// # Errors
    ///
    /// Those of [`send_many`](UdpSocket::send_many); kind `WouldBlock` if the system's send buffer
    /// is full.
    pub fn try_send_many<B: AsRef<[u8]>>(
        &self,
        datagrams: &[(B, SocketAddr)],
    ) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| done(send_many(io, datagrams)))
    }

    /// Receives the datagrams that are available, one into each of `bufs`, and appends the length
    /// and the sender of each to `received`. Waits until there is at least one. Returns their
    /// number: at most 64, and at most the number of `bufs`.
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](super::DatagramSocket::recv_from). The datagrams that were received
    /// before are in `received`. One peer can cause the error: it holds
    /// [`Truncated`](super::Truncated) if a datagram is longer than its buffer. So a server goes on
    /// after it, and serves what is in `received` first, as below.
    ///
    /// # Cancel safety
    ///
    /// Nothing is received if the future is dropped before it completes.
    ///
    /// ```
    /// use evloop::net::UdpSocket;
    ///
    /// evloop::block_on(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     for text in ["one", "two"] {
    ///         client.send_to(text.as_bytes(), server.local_addr()?).await?;
    ///     }
    ///     client.send_to(&[0; 2000], server.local_addr()?).await?; // it is too long
    ///     let (mut bufs, mut received) = ([[0; 1500]; 16], Vec::new());
    ///
    ///     // The body of a server's loop.
    ///     received.clear();
    ///     if let Err(error) = server.recv_many(&mut bufs, &mut received).await {
    ///         eprintln!("a datagram is lost: {error}");
    ///     }
    ///     for (buf, (n, from)) in bufs.iter().zip(&received) {
    ///         server.send_to(&buf[..*n], *from).await?;
    ///     }
    ///
    ///     assert_eq!(received.len(), 2);
    ///     assert_eq!(client.recv(&mut bufs[0]).await?, 3);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "recvmmsg")]
    pub async fn recv_many<B: AsMut<[u8]>>(
        &self,
        bufs: &mut [B],
        received: &mut Vec<(usize, SocketAddr)>,
    ) -> io::Result<usize> {
        if bufs.is_empty() {
            return Ok(0);
        }
        self.end.io(Direction::Read, |io| receive_many(io, bufs, received)).await
    }

    /// Receives datagrams without waiting; see [`recv_many`](UdpSocket::recv_many).
    ///
    /// # Errors
    ///
    /// Those of [`recv_many`](UdpSocket::recv_many); kind `WouldBlock` if no datagram is available.
    pub fn try_recv_many<B: AsMut<[u8]>>(
        &self,
        bufs: &mut [B],
        received: &mut Vec<(usize, SocketAddr)>,
    ) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| receive_many(io, bufs, received))
    }
}

fn send_many<B: AsRef<[u8]>>(
    io: &system::UdpSocket,
    datagrams: &[(B, SocketAddr)],
) -> io::Result<usize> {
    let datagrams = &datagrams[..datagrams.len().min(DATAGRAMS_MAX)];
    system::send_many(io, datagrams).map_err(|error| {
        let (datagram, addr) = &datagrams[0];
        explain_send_to(io.local_addr(), datagram.as_ref().len(), *addr, error)
    })
}

fn receive_many<B: AsMut<[u8]>>(
    io: &system::UdpSocket,
    bufs: &mut [B],
    received: &mut Vec<(usize, SocketAddr)>,
) -> io::Result<Done<usize>> {
    receive_each(bufs, received, |buf| io.receive_from(buf, ReceiveMode::Consume))
}

/// Calls `receive` for each buffer until the queue of the socket is empty: then the result is
/// short. An error that makes the caller repeat the call is returned only if nothing was received:
/// the repetition would overwrite the first buffers.
fn receive_each<B: AsMut<[u8]>>(
    bufs: &mut [B],
    received: &mut Vec<(usize, SocketAddr)>,
    mut receive: impl FnMut(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
) -> io::Result<Done<usize>> {
    let before = received.len();
    for buf in bufs.iter_mut().take(DATAGRAMS_MAX) {
        let error = match receive(buf.as_mut()) {
            Ok(datagram) => {
                received.push(datagram);
                continue;
            }
            Err(error) => error,
        };
        let short = error.kind() == io::ErrorKind::WouldBlock;
        let repeats = short || error.kind() == io::ErrorKind::Interrupted;
        let value = received.len() - before;
        if value > 0 && (repeats || sys::is_forgotten(&error)) {
            return Ok(Done { value, short });
        }
        return Err(error);
    }
    Ok(Done { value: received.len() - before, short: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_repeated_ends_a_call_that_has_received_datagrams() {
        let from = SocketAddr::from(([127, 0, 0, 1], 1));
        let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
        for kind in kinds.into_iter().chain(sys::IS_EMULATED.then_some(io::ErrorKind::NotFound)) {
            let mut results = vec![Err(kind), Ok((2, from)), Ok((1, from)), Err(kind)];
            let (mut bufs, mut received) = ([[0; 4]; 4], vec![(9, from)]);
            let mut receive = |received: &mut _| {
                receive_each(&mut bufs, received, |_| Ok(results.pop().expect("a result")?))
            };
            assert_eq!(receive(&mut received).unwrap_err().kind(), kind);
            let done = receive(&mut received).unwrap();
            assert_eq!((done.value, done.short), (2, kind == io::ErrorKind::WouldBlock));
            assert_eq!(received, [(9, from), (1, from), (2, from)]);
        }
    }
}
