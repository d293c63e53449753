//! The options of sockets that may be those of a simulated world. Layer L4.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

use super::system::{Io, TcpListener, TcpStream, UdpSocket, in_world};
use crate::world::{self, SocketOptions};

/// Reads or sets an option: `system` by the descriptor, `world` in the options of a world's socket.
#[cfg(unix)]
pub(super) fn option<S: AsFd, W: HasOptions, T>(
    io: &Io<S, W>,
    system: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
    world: impl FnOnce(&mut SocketOptions) -> T,
) -> io::Result<T> {
    match io {
        Io::System(io) => Ok(system(io.as_fd())?),
        Io::World(socket) => in_world(|| Ok(socket.change(world))),
    }
}

/// A socket of a world that has options.
pub(super) trait HasOptions {
    /// Calls `f` with the options, and sets them to what it leaves.
    fn change<T>(&self, f: impl FnOnce(&mut SocketOptions) -> T) -> T;
}

macro_rules! has_options {
    ($($socket:ty),*) => {$(
        impl HasOptions for $socket {
            fn change<T>(&self, f: impl FnOnce(&mut SocketOptions) -> T) -> T {
                let mut options = self.options();
                let result = f(&mut options);
                self.set_options(options);
                result
            }
        }
    )*};
}

has_options!(world::TcpSocket, world::TcpStream, world::TcpListener, world::UdpSocket);

/// The options that mio has on all systems, by its names.
macro_rules! options {
    ($(($socket:ty, $get:ident, $set:ident, $value:ty)),*) => {$(
        impl $socket {
            pub(super) fn $get(&self) -> io::Result<$value> {
                match self {
                    Io::System(io) => io.$get(),
                    Io::World(socket) => Ok(socket.change(|options| options.$get)),
                }
            }

            pub(super) fn $set(&self, value: $value) -> io::Result<()> {
                match self {
                    Io::System(io) => io.$set(value),
                    Io::World(socket) => Ok(socket.change(|options| options.$get = value)),
                }
            }
        }
    )*};
}

options!(
    (TcpStream, nodelay, set_nodelay, bool),
    (TcpStream, ttl, set_ttl, u32),
    (TcpListener, ttl, set_ttl, u32),
    (UdpSocket, broadcast, set_broadcast, bool),
    (UdpSocket, ttl, set_ttl, u32)
);

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
