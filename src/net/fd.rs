//! The parts of sockets that only Unix has: descriptors, and options that mio lacks. Layer L4.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::net::sockopt;

use super::connection::Connection;
use super::datagram_socket::DatagramSocket;
use super::listener::Listener;
use super::messages::Protocol;
use super::socket_options::option;
use super::tcp_stream::TcpStream;
use super::transport::Transport;
use super::udp_socket::UdpSocket;

/// Socket options on Unix.
impl TcpStream {
    /// Sets whether the system sends keepalive probes while the connection is idle (SO_KEEPALIVE).
    #[doc(alias = "keep_alive")]
    #[doc(alias = "setsockopt")]
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        option(
            self.end.get(),
            |fd| sockopt::set_socket_keepalive(fd, keepalive),
            |options| options.keepalive = keepalive,
        )
    }

    /// Returns whether the system sends keepalive probes; see
    /// [`set_keepalive`](TcpStream::set_keepalive).
    pub fn keepalive(&self) -> io::Result<bool> {
        option(self.end.get(), |fd| sockopt::socket_keepalive(fd), |options| options.keepalive)
    }

    /// Sets what a close does with unsent bytes (SO_LINGER).
    ///
    /// With `None`, the default, the system sends them in the background. With
    /// `Some(Duration::ZERO)`, it discards them and resets the connection.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a time above zero: close(2) would block the event loop for that
    /// time. To wait until the bytes are sent, call `shutdown(Write)` and read to the end.
    #[doc(alias = "set_zero_linger")]
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let linger = check_linger(linger)?;
        option(
            self.end.get(),
            |fd| sockopt::set_socket_linger(fd, linger),
            |options| options.linger = linger,
        )
    }

    /// Returns what a close does with unsent bytes; see [`set_linger`](TcpStream::set_linger).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        option(self.end.get(), |fd| sockopt::socket_linger(fd), |options| options.linger)
    }

    /// Sets whether the system acknowledges each packet at once (TCP_QUICKACK). The system may turn
    /// it off again later. Linux only.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        option(
            self.end.get(),
            |fd| sockopt::set_tcp_quickack(fd, quickack),
            |options| options.quickack = quickack,
        )
    }

    /// Returns whether the system acknowledges each packet at once; see
    /// [`set_quickack`](TcpStream::set_quickack). Linux only.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn quickack(&self) -> io::Result<bool> {
        option(self.end.get(), |fd| sockopt::tcp_quickack(fd), |options| options.quickack)
    }

    /// Sets the type of service of IPv4 packets: DSCP and ECN (IP_TOS).
    pub fn set_tos_v4(&self, tos: u8) -> io::Result<()> {
        option(self.end.get(), |fd| sockopt::set_ip_tos(fd, tos), |options| options.tos = tos)
    }

    /// Returns the type of service of IPv4 packets; see [`set_tos_v4`](TcpStream::set_tos_v4).
    pub fn tos_v4(&self) -> io::Result<u8> {
        option(self.end.get(), |fd| sockopt::ip_tos(fd), |options| options.tos)
    }

    /// Sets the traffic class of IPv6 packets: DSCP and ECN (IPV6_TCLASS).
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        option(
            self.end.get(),
            |fd| sockopt::set_ipv6_tclass(fd, class),
            |options| options.tclass = class,
        )
    }

    /// Returns the traffic class of IPv6 packets; see
    /// [`set_tclass_v6`](TcpStream::set_tclass_v6).
    pub fn tclass_v6(&self) -> io::Result<u32> {
        option(self.end.get(), |fd| sockopt::ipv6_tclass(fd), |options| options.tclass)
    }
}

/// Returns an error for a time that would block the event loop.
pub(super) fn check_linger(linger: Option<Duration>) -> io::Result<Option<Duration>> {
    if linger.is_some_and(|time| !time.is_zero()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "set_linger accepts no time above zero, because closing would block the event loop: \
             shut down the write direction, and read to the end",
        ));
    }
    Ok(linger)
}

/// Socket options on Unix.
impl UdpSocket {
    /// Sets the size of the system's send buffer, in bytes (SO_SNDBUF); see
    /// [`TcpSocket::set_send_buffer_size`](super::TcpSocket::set_send_buffer_size).
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        option(
            self.end.get(),
            |fd| sockopt::set_socket_send_buffer_size(fd, size as usize),
            |options| options.set_send_buffer(size as usize),
        )
    }

    /// Returns the size of the system's send buffer; see
    /// [`set_send_buffer_size`](UdpSocket::set_send_buffer_size).
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        let size = option(
            self.end.get(),
            |fd| sockopt::socket_send_buffer_size(fd),
            |options| options.send_buffer,
        )?;
        Ok(size as u32)
    }

    /// Sets the size of the system's receive buffer, in bytes (SO_RCVBUF). The system drops the
    /// datagrams that it does not hold. See
    /// [`TcpSocket::set_send_buffer_size`](super::TcpSocket::set_send_buffer_size).
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        option(
            self.end.get(),
            |fd| sockopt::set_socket_recv_buffer_size(fd, size as usize),
            |options| options.set_receive_buffer(size as usize),
        )
    }

    /// Returns the size of the system's receive buffer; see
    /// [`set_recv_buffer_size`](UdpSocket::set_recv_buffer_size).
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        let size = option(
            self.end.get(),
            |fd| sockopt::socket_recv_buffer_size(fd),
            |options| options.receive_buffer,
        )?;
        Ok(size as u32)
    }

    /// Sets the type of service of IPv4 packets: DSCP and ECN (IP_TOS).
    pub fn set_tos_v4(&self, tos: u8) -> io::Result<()> {
        option(self.end.get(), |fd| sockopt::set_ip_tos(fd, tos), |options| options.tos = tos)
    }

    /// Returns the type of service of IPv4 packets; see [`set_tos_v4`](UdpSocket::set_tos_v4).
    pub fn tos_v4(&self) -> io::Result<u8> {
        option(self.end.get(), |fd| sockopt::ip_tos(fd), |options| options.tos)
    }

    /// Sets the traffic class of IPv6 packets: DSCP and ECN (IPV6_TCLASS).
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        option(
            self.end.get(),
            |fd| sockopt::set_ipv6_tclass(fd, class),
            |options| options.tclass = class,
        )
    }

    /// Returns the traffic class of IPv6 packets; see
    /// [`set_tclass_v6`](UdpSocket::set_tclass_v6).
    pub fn tclass_v6(&self) -> io::Result<u32> {
        option(self.end.get(), |fd| sockopt::ipv6_tclass(fd), |options| options.tclass)
    }
}

impl<T: Transport> AsFd for Connection<T>
where
    T::Stream: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}

impl<T: Transport> AsFd for Listener<T>
where
    T::Listener: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl<P: Protocol> AsFd for DatagramSocket<P>
where
    P::Socket: AsFd,
{
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.get().as_fd()
    }
}
