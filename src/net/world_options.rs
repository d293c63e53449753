//! The options of sockets that may be those of a simulated world. Layer L4.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

use mio::net;

use super::system::{Io, TcpListener, TcpStream, UdpSocket, in_world};
use crate::world::{self, TcpOptions, UdpOptions};

/// Reads or sets an option: `system` by the descriptor, `world` in the options of a world's socket.
#[cfg(unix)]
pub(super) fn tcp_option<S: AsFd, W: HasTcpOptions, T>(
    io: &Io<S, W>,
    system: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
    world: impl FnOnce(&mut TcpOptions) -> T,
) -> io::Result<T> {
    match io {
        Io::System(io) => Ok(system(io.as_fd())?),
        Io::World(socket) => in_world(|| Ok(socket.change(world))),
    }
}

/// Like [`tcp_option`], of a UDP socket.
#[cfg(unix)]
pub(super) fn udp_option<T>(
    io: &UdpSocket,
    system: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
    world: impl FnOnce(&mut UdpOptions) -> T,
) -> io::Result<T> {
    io.option(|io| Ok(system(io.as_fd())?), world)
}

/// A socket of a world with the options of TCP.
pub(super) trait HasTcpOptions {
    /// Calls `f` with the options, and sets them to what it leaves.
    fn change<T>(&self, f: impl FnOnce(&mut TcpOptions) -> T) -> T;
}

macro_rules! has_tcp_options {
    ($($socket:ty),*) => {$(
        impl HasTcpOptions for $socket {
            fn change<T>(&self, f: impl FnOnce(&mut TcpOptions) -> T) -> T {
                let mut options = self.options();
                let result = f(&mut options);
                self.set_options(options);
                result
            }
        }
    )*};
}

has_tcp_options!(world::TcpSocket, world::TcpStream, world::TcpListener);

/// The options that mio has on all systems, by its names.
macro_rules! tcp_options {
    ($(($socket:ty, $get:ident, $set:ident, $option:ident, $value:ty)),*) => {$(
        impl $socket {
            pub(super) fn $get(&self) -> io::Result<$value> {
                match self {
                    Io::System(io) => io.$get(),
                    Io::World(socket) => Ok(socket.change(|options| options.$option)),
                }
            }

            pub(super) fn $set(&self, value: $value) -> io::Result<()> {
                match self {
                    Io::System(io) => io.$set(value),
                    Io::World(socket) => Ok(socket.change(|options| options.$option = value)),
                }
            }
        }
    )*};
}

tcp_options!(
    (TcpStream, nodelay, set_nodelay, nodelay, bool),
    (TcpStream, ttl, set_ttl, ttl, u32),
    (TcpListener, ttl, set_ttl, ttl, u32)
);

impl UdpSocket {
    pub(super) fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.option(|io| io.set_broadcast(broadcast), |options| options.broadcast = broadcast)
    }

    pub(super) fn broadcast(&self) -> io::Result<bool> {
        self.option(net::UdpSocket::broadcast, |options| options.broadcast)
    }

    pub(super) fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.option(|io| io.set_ttl(ttl), |options| options.ttl = ttl)
    }

    pub(super) fn ttl(&self) -> io::Result<u32> {
        self.option(net::UdpSocket::ttl, |options| options.ttl)
    }

    fn option<T>(
        &self,
        system: impl FnOnce(&net::UdpSocket) -> io::Result<T>,
        world: impl FnOnce(&mut UdpOptions) -> T,
    ) -> io::Result<T> {
        let socket = match self {
            Io::System(io) => return system(io),
            Io::World(socket) => socket,
        };
        let mut options = socket.options();
        let result = world(&mut options);
        socket.set_options(options);
        Ok(result)
    }
}

/// Multicast, which a world does not have.
macro_rules! multicast {
    ($($name:ident($($argument:ident: $type:ty),*) -> $value:ty;)*) => {
        impl UdpSocket {$(
            pub(super) fn $name(&self, $($argument: $type),*) -> io::Result<$value> {
                match self {
                    Io::System(io) => io.$name($($argument),*),
                    Io::World(_) => Err(world::unsupported("multicast")),
                }
            }
        )*}
    };
}

multicast! {
    join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    set_multicast_loop_v4(on: bool) -> ();
    multicast_loop_v4() -> bool;
    set_multicast_loop_v6(on: bool) -> ();
    multicast_loop_v6() -> bool;
    set_multicast_ttl_v4(ttl: u32) -> ();
    multicast_ttl_v4() -> u32;
}
