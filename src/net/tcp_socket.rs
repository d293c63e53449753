//! A TCP socket before it connects or listens, and its options. Unix only. Layer L4.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt;

use super::addrs::bind_error;
use super::connect::connect_socket;
use super::fd::check_linger;
use super::listener::Listener;
use super::socket_options::option;
use super::system::{self, TcpFd};
use super::tcp_listener::TcpListener;
use super::tcp_stream::TcpStream;
use crate::context;

/// A TCP socket that is neither connected nor listening: for options that must be set before.
///
/// [`TcpStream::connect_with`] and [`TcpListener::bind_with`] have the usual options, and they look
/// up names. An option that is not here (SO_BINDTODEVICE, TCP_FASTOPEN, SO_MARK) is set through
/// [`AsFd`], for instance by the crate socket2: `SockRef::from(&socket).bind_device(…)`.
///
/// It exists on Unix only.
///
/// ```
/// use evloop::net::TcpSocket;
///
/// evloop::block_on(async {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuseaddr(true)?;
///     socket.set_recv_buffer_size(64 * 1024)?;
///     socket.bind(([127, 0, 0, 1], 0).into())?;
///     let listener = socket.listen(128)?;
///
///     let socket = TcpSocket::new_v4()?;
///     socket.set_nodelay(true)?;
///     socket.bind(([127, 0, 0, 1], 0).into())?;
///     let client = socket.connect(listener.local_addr()?).await?;
///     let (_stream, peer) = listener.accept().await?;
///     assert_eq!(peer, client.local_addr()?);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    fd: TcpFd,
}

impl TcpSocket {
    /// Makes an IPv4 socket (AF_INET). It needs no running loop.
    pub fn new_v4() -> io::Result<TcpSocket> {
        Ok(TcpSocket { fd: system::new_tcp(false)? })
    }

    /// Makes an IPv6 socket (AF_INET6). It needs no running loop.
    pub fn new_v6() -> io::Result<TcpSocket> {
        Ok(TcpSocket { fd: system::new_tcp(true)? })
    }

    /// Sets the local address. With port 0 the system chooses the port.
    ///
    /// # Errors
    ///
    /// The system's error: `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        system::bind_tcp(&self.fd, addr).map_err(|error| bind_error("bind to", addr, error))
    }

    /// Connects to `addr`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`](super::ConnectError) if the address does not answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let context = context::expect("TcpSocket::connect");
        connect_socket(self.fd, addr, &context.reactor).await
    }

    /// Listens on the address of [`bind`](TcpSocket::bind).
    ///
    /// `backlog` is the number of connections that the system completes ahead of `accept`; see
    /// [`ListenOptions::backlog`](super::ListenOptions::backlog).
    ///
    /// # Errors
    ///
    /// The system's error: `AddrInUse`.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let context = context::expect("TcpSocket::listen");
        let addr = self.local_addr();
        let listening = system::listen_tcp(self.fd, backlog).map_err(|error| match addr {
            Ok(addr) => bind_error("listen on", addr, error),
            Err(_) => error,
        });
        Listener::from_mio(listening?, &context.reactor)
    }

    /// Returns the local address.
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        system::local_addr(&self.fd)
    }

    /// Returns the pending error of the socket and clears it (SO_ERROR).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        system::take_error(&self.fd)
    }
}

/// Options. The functions that return an option have the same name without `set_`.
impl TcpSocket {
    /// Sets whether the socket may bind although connections of an earlier one still exist
    /// (SO_REUSEADDR). Default: `false`.
    pub fn set_reuseaddr(&self, reuse: bool) -> io::Result<()> {
        option(
            &self.fd,
            |fd| sockopt::set_socket_reuseaddr(fd, reuse),
            |options| options.reuse_address = reuse,
        )
    }

    /// See [`set_reuseaddr`](TcpSocket::set_reuseaddr).
    pub fn reuseaddr(&self) -> io::Result<bool> {
        option(&self.fd, |fd| sockopt::socket_reuseaddr(fd), |options| options.reuse_address)
    }

    /// Sets whether the socket shares its port with others that set this option (SO_REUSEPORT).
    /// Default: `false`.
    pub fn set_reuseport(&self, reuse: bool) -> io::Result<()> {
        option(
            &self.fd,
            |fd| sockopt::set_socket_reuseport(fd, reuse),
            |options| options.reuse_port = reuse,
        )
    }

    /// See [`set_reuseport`](TcpSocket::set_reuseport).
    pub fn reuseport(&self) -> io::Result<bool> {
        option(&self.fd, |fd| sockopt::socket_reuseport(fd), |options| options.reuse_port)
    }

    /// Sets whether an IPv6 socket refuses IPv4 connections (IPV6_V6ONLY).
    pub fn set_only_v6(&self, only: bool) -> io::Result<()> {
        option(&self.fd, |fd| sockopt::set_ipv6_v6only(fd, only), |options| options.only_v6 = only)
    }

    /// See [`set_only_v6`](TcpSocket::set_only_v6).
    pub fn only_v6(&self) -> io::Result<bool> {
        option(&self.fd, |fd| sockopt::ipv6_v6only(fd), |options| options.only_v6)
    }

    /// Sets whether the system sends keepalive probes while the connection is idle (SO_KEEPALIVE).
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        option(
            &self.fd,
            |fd| sockopt::set_socket_keepalive(fd, keepalive),
            |options| options.keepalive = keepalive,
        )
    }

    /// See [`set_keepalive`](TcpSocket::set_keepalive).
    pub fn keepalive(&self) -> io::Result<bool> {
        option(&self.fd, |fd| sockopt::socket_keepalive(fd), |options| options.keepalive)
    }

    /// Sets the size of the system's send buffer, in bytes (SO_SNDBUF). The connections of a
    /// listener have the size of the listener.
    ///
    /// Linux doubles the size for its own records, returns the doubled size, and limits it to
    /// `net.core.wmem_max`. The size is then fixed: the system does not adapt it any more.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        option(
            &self.fd,
            |fd| sockopt::set_socket_send_buffer_size(fd, size as usize),
            |options| options.set_send_buffer(size as usize),
        )
    }

    /// See [`set_send_buffer_size`](TcpSocket::set_send_buffer_size).
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        let size = option(
            &self.fd,
            |fd| sockopt::socket_send_buffer_size(fd),
            |options| options.send_buffer,
        )?;
        Ok(size as u32)
    }

    /// Sets the size of the system's receive buffer, in bytes (SO_RCVBUF), as
    /// [`set_send_buffer_size`](TcpSocket::set_send_buffer_size) does. To have an effect on the TCP
    /// window scale, it is set before `connect` and `listen`.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        option(
            &self.fd,
            |fd| sockopt::set_socket_recv_buffer_size(fd, size as usize),
            |options| options.set_receive_buffer(size as usize),
        )
    }

    /// See [`set_recv_buffer_size`](TcpSocket::set_recv_buffer_size).
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        let size = option(
            &self.fd,
            |fd| sockopt::socket_recv_buffer_size(fd),
            |options| options.receive_buffer,
        )?;
        Ok(size as u32)
    }

    /// Sets whether small writes are sent at once, without Nagle's algorithm (TCP_NODELAY).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        option(
            &self.fd,
            |fd| sockopt::set_tcp_nodelay(fd, nodelay),
            |options| options.nodelay = nodelay,
        )
    }

    /// See [`set_nodelay`](TcpSocket::set_nodelay).
    pub fn nodelay(&self) -> io::Result<bool> {
        option(&self.fd, |fd| sockopt::tcp_nodelay(fd), |options| options.nodelay)
    }

    /// Sets what a close does with unsent bytes (SO_LINGER); see
    /// [`TcpStream::set_linger`](TcpStream::set_linger).
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a time above zero.
    #[doc(alias = "set_zero_linger")]
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let linger = check_linger(linger)?;
        option(
            &self.fd,
            |fd| sockopt::set_socket_linger(fd, linger),
            |options| options.linger = linger,
        )
    }

    /// See [`set_linger`](TcpSocket::set_linger).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        option(&self.fd, |fd| sockopt::socket_linger(fd), |options| options.linger)
    }

    /// Sets the type of service of IPv4 packets: DSCP and ECN (IP_TOS).
    pub fn set_tos_v4(&self, tos: u8) -> io::Result<()> {
        option(&self.fd, |fd| sockopt::set_ip_tos(fd, tos), |options| options.tos = tos)
    }

    /// See [`set_tos_v4`](TcpSocket::set_tos_v4).
    pub fn tos_v4(&self) -> io::Result<u8> {
        option(&self.fd, |fd| sockopt::ip_tos(fd), |options| options.tos)
    }

    /// Sets the traffic class of IPv6 packets: DSCP and ECN (IPV6_TCLASS).
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        option(&self.fd, |fd| sockopt::set_ipv6_tclass(fd, class), |options| options.tclass = class)
    }

    /// See [`set_tclass_v6`](TcpSocket::set_tclass_v6).
    pub fn tclass_v6(&self) -> io::Result<u32> {
        option(&self.fd, |fd| sockopt::ipv6_tclass(fd), |options| options.tclass)
    }
}

/// Takes the descriptor of a TCP socket that is neither connected nor listening.
impl From<OwnedFd> for TcpSocket {
    fn from(fd: OwnedFd) -> TcpSocket {
        TcpSocket { fd: system::tcp_of(fd) }
    }
}

impl From<TcpSocket> for OwnedFd {
    fn from(socket: TcpSocket) -> OwnedFd {
        system::descriptor_of(socket.fd)
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
