//! The UDP socket. Layer L4.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use super::addrs::{Target, ToAddrs, bind_error, resolve};
use super::datagram_socket::DatagramSocket;
use super::messages::{
    DatagramIo, Protocol, ReceiveMode, Sealed, check_truncated, explain_send, explain_send_to,
};
use super::system;
use super::transport::done;
use crate::context;
use crate::current::budget;
use crate::io_error::explain;
use crate::reactor::Direction;
use crate::sys;

/// The [`Protocol`] of [`UdpSocket`].
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
pub type UdpSocket = DatagramSocket<Udp>;

/// The options of [`UdpSocket::bind_with`].
///
/// ```
/// use evloop::net::{BindOptions, UdpSocket};
///
/// evloop::block_on(async {
///     let options = BindOptions { broadcast: true, ..BindOptions::default() };
///     let socket = UdpSocket::bind_with("127.0.0.1:0", &options).await?;
///     assert!(socket.broadcast()?);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// Bind although another socket has the address (SO_REUSEADDR). For multicast: several sockets
    /// with this option receive the datagrams of a group. Default: `false`. On Windows `true` is an
    /// error of kind `Unsupported`.
    #[doc(alias = "reuse_address")]
    pub reuse_addr: bool,
    /// Share the port with other sockets that set this option (SO_REUSEPORT). On Linux the system
    /// spreads the datagrams over them. Default: `false`. On Windows `true` is an error of kind
    /// `Unsupported`.
    pub reuse_port: bool,
    /// Whether an IPv6 socket refuses IPv4 datagrams (IPV6_V6ONLY). Default: `None`, the system's
    /// default. On Windows that default is `Some(true)`, and `Some(false)` is an error of kind
    /// `Unsupported`.
    pub only_v6: Option<bool>,
    /// Allow sending to a broadcast address; see [`set_broadcast`](UdpSocket::set_broadcast).
    /// Default: `false`.
    #[doc(alias = "allow_broadcast")]
    pub broadcast: bool,
}

impl UdpSocket {
    /// Makes a socket on the first address of `addr` that the system accepts. With port 0 the
    /// system chooses the port; see [`local_addr`](DatagramSocket::local_addr).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is not an address. The system's error otherwise: `AddrInUse`,
    /// `AddrNotAvailable`, `PermissionDenied`.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn bind(addr: impl ToAddrs) -> io::Result<UdpSocket> {
        UdpSocket::bind_with(addr, &BindOptions::default()).await
    }

    /// Makes a socket with the given options, as [`bind`](UdpSocket::bind) does.
    ///
    /// # Errors
    ///
    /// As [`bind`](UdpSocket::bind). Kind `Unsupported` for options that the system does not have.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn bind_with(addr: impl ToAddrs, options: &BindOptions) -> io::Result<UdpSocket> {
        let context = context::expect("UdpSocket::bind");
        budget::unit().await;
        let BindOptions { reuse_addr, reuse_port, only_v6, broadcast } = *options;
        let mut failure = None;
        for addr in resolve(addr.target()?).await? {
            match system::bind_udp(addr, reuse_addr, reuse_port, only_v6) {
                Ok(socket) => {
                    if broadcast {
                        socket.set_broadcast(true)?;
                    }
                    return UdpSocket::from_mio(socket, &context.reactor);
                }
                Err(error) => failure = failure.or(Some((addr, error))),
            }
        }
        let (addr, error) = failure.expect("resolve returns at least one address");
        Err(bind_error("bind to", addr, error))
    }

    /// Connects the socket to the first address of `addr` that has the socket's address family.
    ///
    /// [`send`](DatagramSocket::send) then sends to this address, and the socket receives datagrams
    /// from this address only.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is not an address. The system's error otherwise. If no
    /// socket is bound to the address, a later operation reports it.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes if the future is dropped before it completes.
    pub async fn connect(&self, addr: impl ToAddrs) -> io::Result<()> {
        budget::unit().await;
        let addr = self.first_of_family(addr.target()?).await?;
        self.end.get().connect(addr).map_err(|error| {
            let sentence = format!("could not connect to {addr}: {error}");
            explain(error, sentence)
        })
    }

    /// Sends a datagram to `addr`, or to the first address of a name that has the socket's address
    /// family.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `addr` is not an address. EMSGSIZE if the datagram is too long (more
    /// than 65,507 bytes with IPv4). The system's error otherwise.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    #[doc(alias = "sock_sendto")]
    #[doc(alias = "sendto")]
    pub async fn send_to(&self, buf: &[u8], addr: impl ToAddrs) -> io::Result<usize> {
        let addr = self.first_of_family(addr.target()?).await?;
        self.end.io(Direction::Write, |io| done(io.transmit_to(buf, &addr))).await
    }

    /// Sends a datagram to `addr` without waiting; see [`send_to`](UdpSocket::send_to).
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if the system's send buffer is full.
    pub fn try_send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| done(io.transmit_to(buf, &addr)))
    }

    /// Sends a datagram to `addr` as a `poll_` function; see [`send_to`](UdpSocket::send_to). At
    /// most one task waits in it and in the other `poll_` functions that send: the last task that
    /// polled.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        addr: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.end.poll_io(Direction::Write, cx, |io| done(io.transmit_to(buf, &addr)))
    }

    /// Returns the first address of `target` that has the socket's address family, else the first.
    async fn first_of_family(&self, target: Target) -> io::Result<SocketAddr> {
        if let Target::Addr(addr) = target {
            return Ok(addr);
        }
        let is_v4 = self.local_addr()?.is_ipv4();
        let addrs = resolve(target).await?;
        let of_family = addrs.iter().find(|addr| addr.is_ipv4() == is_v4);
        Ok(*of_family.unwrap_or(&addrs[0]))
    }

    /// Sets whether the socket may send to a broadcast address (SO_BROADCAST).
    #[doc(alias = "allow_broadcast")]
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.end.get().set_broadcast(broadcast)
    }

    /// Returns whether the socket may send to a broadcast address; see
    /// [`set_broadcast`](UdpSocket::set_broadcast).
    pub fn broadcast(&self) -> io::Result<bool> {
        self.end.get().broadcast()
    }

    /// Sets the number of routers that a datagram may pass (IP_TTL).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.end.get().set_ttl(ttl)
    }

    /// Returns the number of routers that a datagram may pass; see
    /// [`set_ttl`](UdpSocket::set_ttl).
    pub fn ttl(&self) -> io::Result<u32> {
        self.end.get().ttl()
    }

    /// Joins a multicast group on the interface that has the address `interface`. With the
    /// unspecified address the system chooses the interface (IP_ADD_MEMBERSHIP).
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.end.get().join_multicast_v4(&group, &interface)
    }

    /// Leaves a multicast group; see [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.end.get().leave_multicast_v4(&group, &interface)
    }

    /// Joins a multicast group on the interface with the index `interface`. With 0 the system
    /// chooses the interface (IPV6_ADD_MEMBERSHIP).
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.end.get().join_multicast_v6(group, interface)
    }

    /// Leaves a multicast group; see [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.end.get().leave_multicast_v6(group, interface)
    }

    /// Sets whether datagrams to a group also reach the group's members on this machine. Default:
    /// `true` (IP_MULTICAST_LOOP).
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.end.get().set_multicast_loop_v4(on)
    }

    /// Returns whether datagrams to a group also reach members on this machine; see
    /// [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4).
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.end.get().multicast_loop_v4()
    }

    /// Sets the same for IPv6 groups as [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4)
    /// (IPV6_MULTICAST_LOOP).
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.end.get().set_multicast_loop_v6(on)
    }

    /// Returns whether datagrams to a group also reach members on this machine; see
    /// [`set_multicast_loop_v6`](UdpSocket::set_multicast_loop_v6).
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.end.get().multicast_loop_v6()
    }

    /// Sets the number of networks that a datagram to a group may cross. Default: 1, the local
    /// network only (IP_MULTICAST_TTL).
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.end.get().set_multicast_ttl_v4(ttl)
    }

    /// Returns the number of networks that a datagram to a group may cross; see
    /// [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4).
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.end.get().multicast_ttl_v4()
    }
}

impl Protocol for Udp {}

impl Sealed for Udp {
    const FROM_STD: &'static str = "UdpSocket::from_std";
    type Addr = SocketAddr;
    type StdSocket = net::UdpSocket;
    type Socket = system::UdpSocket;
}

impl DatagramIo for mio::net::UdpSocket {
    type Addr = SocketAddr;

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        sys::send_udp_connected(self, buf).map_err(|error| explain_send(buf.len(), error))
    }

    fn transmit_to(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        let sent = sys::send_udp(self, buf, *addr);
        sent.map_err(|error| explain_send_to(self.local_addr(), buf.len(), *addr, error))
    }

    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        let (length, is_truncated) = sys::receive_udp_anonymous(self, buf)?;
        check_truncated(length, is_truncated, buf.len())
    }

    fn receive_from(&self, buf: &mut [u8], mode: ReceiveMode) -> io::Result<(usize, SocketAddr)> {
        let is_peek = mode == ReceiveMode::Peek;
        let (length, is_truncated, from) = sys::receive_udp(self, buf, is_peek)?;
        let length = check_truncated(length, is_truncated, buf.len())?;
        let from = from
            .ok_or_else(|| io::Error::other("the system reported a datagram without an address"))?;
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
