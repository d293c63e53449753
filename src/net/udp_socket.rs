//! A UDP socket.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::addrs::{Target, ToAddrs, resolve};
use super::datagram_socket::DatagramSocket;
use super::messages::{Messages, Protocol, Sealed, Take, uncut};
use super::transport::whole;
use crate::current::budget;
use crate::io_error::explain;
use crate::reactor::Direction;
use crate::sys;

/// The kind of datagrams that go by UDP.
#[derive(Debug)]
pub enum Udp {}

/// A UDP socket.
///
/// ```
/// use evloop::net::UdpSocket;
///
/// evloop::block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"ping").await?;
///     let mut buf = vec![0; 65536];
///     let (n, from) = server.recv_from(&mut buf).await?;
///     server.send_to(&buf[..n], from).await?;
///     assert_eq!(client.recv(&mut buf).await?, 4);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[doc(alias = "create_datagram_endpoint")]
pub type UdpSocket = DatagramSocket<Udp>;

impl UdpSocket {
    /// A socket on the first address of `addr` that is free. Port 0 lets the system choose; see
    /// [`local_addr`](DatagramSocket::local_addr).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is no address; `AddrInUse`, `AddrNotAvailable`,
    /// `PermissionDenied` as the system says.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn bind(addr: impl ToAddrs) -> io::Result<UdpSocket> {
        budget::unit().await;
        let mut failure = None;
        for addr in resolve(addr.target()?).await? {
            match mio::net::UdpSocket::bind(addr) {
                Ok(socket) => return UdpSocket::from_mio(socket),
                Err(error) => failure = failure.or(Some((addr, error))),
            }
        }
        let (addr, error) = failure.expect("a name that is found has an address");
        let sentence = format!("could not bind to {addr}: {error}");
        Err(explain(error, sentence))
    }

    /// Fixes where [`send`](DatagramSocket::send) sends to, and from where datagrams are received:
    /// the first address of `addr` that is of the socket's family.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is no address; others as the system says. That nobody is there
    /// is told by a later operation.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes if the future is dropped before it completes.
    pub async fn connect(&self, addr: impl ToAddrs) -> io::Result<()> {
        budget::unit().await;
        let addr = self.first(addr.target()?).await?;
        self.end.get().connect(addr)
    }

    /// Sends a datagram to `addr`; if it is a name, to its first address of the socket's family.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is no address; EMSGSIZE if the datagram is too long (65,507
    /// bytes by IPv4); others as the system says.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    #[doc(alias = "sock_sendto")]
    pub async fn send_to(&self, buf: &[u8], addr: impl ToAddrs) -> io::Result<usize> {
        let addr = self.first(addr.target()?).await?;
        self.end.io(Direction::Write, |io| whole(io.send_to(buf, addr))).await
    }

    /// The same without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the system takes nothing now.
    pub fn try_send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| whole(io.send_to(buf, addr)))
    }

    async fn first(&self, target: Target) -> io::Result<SocketAddr> {
        if let Target::Addr(addr) = target {
            return Ok(addr);
        }
        let is_v4 = self.local_addr()?.is_ipv4();
        let addrs = resolve(target).await?;
        let of_family = addrs.iter().find(|addr| addr.is_ipv4() == is_v4);
        Ok(*of_family.unwrap_or(&addrs[0]))
    }

    /// Whether datagrams may be sent to a broadcast address (SO_BROADCAST).
    #[doc(alias = "allow_broadcast")]
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.end.get().set_broadcast(broadcast)
    }

    /// See [`set_broadcast`](UdpSocket::set_broadcast).
    pub fn broadcast(&self) -> io::Result<bool> {
        self.end.get().broadcast()
    }

    /// How many routers a datagram may pass.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.end.get().set_ttl(ttl)
    }

    /// See [`set_ttl`](UdpSocket::set_ttl).
    pub fn ttl(&self) -> io::Result<u32> {
        self.end.get().ttl()
    }

    /// Receives what is sent to the group `group`, on the interface that has the address
    /// `interface`; on the system's choice if that is unspecified.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.end.get().join_multicast_v4(&group, &interface)
    }

    /// Ends what [`join_multicast_v4`](UdpSocket::join_multicast_v4) began.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.end.get().leave_multicast_v4(&group, &interface)
    }

    /// Receives what is sent to the group `group`, on the interface with the index `interface`; on
    /// the system's choice if that is 0.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.end.get().join_multicast_v6(group, interface)
    }

    /// Ends what [`join_multicast_v6`](UdpSocket::join_multicast_v6) began.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.end.get().leave_multicast_v6(group, interface)
    }

    /// Whether what is sent to a group comes to this machine's own members too. Default: yes.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.end.get().set_multicast_loop_v4(on)
    }

    /// See [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4).
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.end.get().multicast_loop_v4()
    }

    /// The same for IPv6.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.end.get().set_multicast_loop_v6(on)
    }

    /// See [`set_multicast_loop_v6`](UdpSocket::set_multicast_loop_v6).
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.end.get().multicast_loop_v6()
    }

    /// How many routers a datagram to a group may pass. Default: 1, none.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.end.get().set_multicast_ttl_v4(ttl)
    }

    /// See [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4).
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.end.get().multicast_ttl_v4()
    }
}

impl Protocol for Udp {}

impl Sealed for Udp {
    type Addr = SocketAddr;
    type StdSocket = net::UdpSocket;
    type Socket = mio::net::UdpSocket;
}

impl Messages for mio::net::UdpSocket {
    type Addr = SocketAddr;

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn receive(&self, buf: &mut [u8], take: Take) -> io::Result<(usize, SocketAddr)> {
        let (length, is_cut, from) = sys::receive_udp(self, buf, take == Take::None)?;
        let length = uncut(length, is_cut, buf.len())?;
        let from = from.ok_or_else(|| io::Error::other("a datagram came without an address"))?;
        Ok((length, from))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }

    fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(op)
    }
}
