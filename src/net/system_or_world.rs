//! The names of `system.rs` with the feature `sim`: a socket is the system's or that of a simulated
//! world. Layer L4.
//!
//! What is made while a world is current belongs to that world. Code of a world is cold: it lies
//! out of line, so that a program outside of a world pays one comparison for each operation.

use std::io;
#[cfg(unix)]
use std::net::Shutdown;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::os::unix::net::SocketAddr as UnixAddr;

use mio::net;
#[cfg(unix)]
use mio::unix::pipe as mio_pipe;

use super::system_calls;
#[cfg(unix)]
use super::world_names::name_of;
pub(super) use super::world_socket::{Io, in_world};
use crate::sys;
use crate::world::{self, SocketOptions, here};

pub(super) type TcpStream = Io<net::TcpStream, world::TcpStream>;
pub(super) type TcpListener = Io<net::TcpListener, world::TcpListener>;
pub(super) type UdpSocket = Io<net::UdpSocket, world::UdpSocket>;
#[cfg(unix)]
pub(super) type UnixStream = Io<net::UnixStream, world::UnixStream>;
#[cfg(unix)]
pub(super) type UnixListener = Io<net::UnixListener, world::UnixListener>;
#[cfg(unix)]
pub(super) type UnixDatagram = Io<net::UnixDatagram, world::UnixDatagram>;
#[cfg(unix)]
pub(super) type PipeSender = Io<mio_pipe::Sender, world::PipeSender>;
#[cfg(unix)]
pub(super) type PipeReceiver = Io<mio_pipe::Receiver, world::PipeReceiver>;

/// A TCP socket that is neither connected nor listening.
#[cfg(unix)]
pub(super) type TcpFd = Io<OwnedFd, world::TcpSocket>;

/// Makes a socket: by `world` if a world is current, else by `system`.
fn make<S, W>(
    system: impl FnOnce() -> io::Result<S>,
    world: impl FnOnce() -> io::Result<W>,
) -> io::Result<Io<S, W>> {
    match here() {
        None => system().map(Io::System),
        Some(_) => in_world(|| world().map(Io::World)),
    }
}

/// Like [`make`], for two ends.
#[cfg(unix)]
fn make_pair<A, B, C, D>(
    system: impl FnOnce() -> io::Result<(A, C)>,
    world: impl FnOnce() -> io::Result<(B, D)>,
) -> io::Result<(Io<A, B>, Io<C, D>)> {
    match here() {
        None => system().map(|(one, other)| (Io::System(one), Io::System(other))),
        Some(_) => world().map(|(one, other)| (Io::World(one), Io::World(other))),
    }
}

/// Starts to connect.
pub(super) fn connect(addr: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    make(
        || system_calls::connect(addr, local),
        || match local {
            None => world::TcpStream::connect(addr),
            Some(local) => world::TcpStream::connect_from(local, addr),
        },
    )
}

pub(super) fn listen(
    addr: SocketAddr,
    backlog: u32,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<TcpListener> {
    make(
        || sys::listen(addr, backlog, reuse_addr, reuse_port, only_v6),
        || {
            let socket = new_world_tcp(addr.is_ipv6())?;
            let options = socket.options();
            socket.set_options(SocketOptions {
                reuse_address: reuse_addr,
                reuse_port,
                only_v6: only_v6.unwrap_or(options.only_v6),
                ..options
            });
            socket.bind(addr)?;
            socket.listen(backlog)
        },
    )
}

pub(super) fn bind_udp(
    addr: SocketAddr,
    reuse_addr: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
) -> io::Result<UdpSocket> {
    make(
        || sys::bind_udp(addr, reuse_addr, reuse_port, only_v6),
        || {
            let options = SocketOptions {
                reuse_address: reuse_addr,
                reuse_port,
                only_v6: only_v6.unwrap_or(false),
                ..SocketOptions::of_udp()
            };
            world::UdpSocket::bind(addr, Some(options))
        },
    )
}

/// Returns the addresses of a host of the world that is current.
pub(super) fn look_up(name: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
    here()?;
    let addrs = world::current()?.addrs(name);
    let addrs = addrs.map(|addrs| addrs.into_iter().map(|ip| (ip, port).into()).collect());
    Some(addrs.ok_or_else(|| {
        let sentence = format!(
            "the host name {name:?} was not found: the simulated world has no such host (make it \
             by World::host)"
        );
        io::Error::new(io::ErrorKind::NotFound, sentence)
    }))
}

#[cfg(unix)]
pub(super) fn new_tcp(is_v6: bool) -> io::Result<TcpFd> {
    make(|| system_calls::new_tcp(is_v6), || new_world_tcp(is_v6))
}

fn new_world_tcp(is_v6: bool) -> io::Result<world::TcpSocket> {
    if is_v6 { world::TcpSocket::new_v6() } else { world::TcpSocket::new_v4() }
}

#[cfg(unix)]
pub(super) fn tcp_of(fd: OwnedFd) -> TcpFd {
    Io::System(fd)
}

#[cfg(unix)]
pub(super) fn descriptor_of(io: TcpFd) -> OwnedFd {
    io.into()
}

#[cfg(unix)]
pub(super) fn bind_tcp(io: &TcpFd, addr: SocketAddr) -> io::Result<()> {
    match io {
        Io::System(fd) => system_calls::bind_tcp(fd, addr),
        Io::World(socket) => socket.bind(addr),
    }
}

/// Starts to connect.
#[cfg(unix)]
pub(super) fn connect_tcp(io: TcpFd, addr: SocketAddr) -> io::Result<TcpStream> {
    match io {
        Io::System(fd) => system_calls::connect_tcp(fd, addr).map(Io::System),
        Io::World(socket) => socket.connect(addr).map(Io::World),
    }
}

#[cfg(unix)]
pub(super) fn listen_tcp(io: TcpFd, backlog: u32) -> io::Result<TcpListener> {
    match io {
        Io::System(fd) => system_calls::listen_tcp(fd, backlog).map(Io::System),
        Io::World(socket) => socket.listen(backlog).map(Io::World),
    }
}

#[cfg(unix)]
pub(super) fn local_addr(io: &TcpFd) -> io::Result<SocketAddr> {
    match io {
        Io::System(fd) => system_calls::local_addr(fd),
        Io::World(socket) => socket.local_addr(),
    }
}

#[cfg(unix)]
pub(super) fn take_error(io: &TcpFd) -> io::Result<Option<io::Error>> {
    match io {
        Io::System(fd) => system_calls::take_error(fd),
        Io::World(_) => Ok(None),
    }
}

/// The backlog of Unix listeners, as std sets it.
#[cfg(unix)]
const UNIX_BACKLOG: u32 = 128;

/// Connects at once. `WouldBlock` if the backlog of the listener is full.
#[cfg(unix)]
pub(super) fn connect_unix(addr: &UnixAddr) -> io::Result<UnixStream> {
    make(|| system_calls::connect_unix(addr), || world::UnixStream::connect(&name_of(addr)))
}

#[cfg(unix)]
pub(super) fn listen_unix(addr: &UnixAddr) -> io::Result<UnixListener> {
    make(
        || system_calls::listen_unix(addr),
        || world::UnixListener::bind(&name_of(addr), UNIX_BACKLOG),
    )
}

#[cfg(unix)]
pub(super) fn unix_pair() -> io::Result<(UnixStream, UnixStream)> {
    make_pair(system_calls::unix_pair, world::UnixStream::pair)
}

#[cfg(unix)]
pub(super) fn pipe() -> io::Result<(PipeSender, PipeReceiver)> {
    make_pair(system_calls::pipe, world::pipe)
}

/// Makes a datagram socket, without a name if there is no address.
#[cfg(unix)]
pub(super) fn datagram(addr: Option<&UnixAddr>) -> io::Result<UnixDatagram> {
    make(
        || system_calls::datagram(addr),
        || match addr {
            None => world::UnixDatagram::unbound(),
            Some(addr) => world::UnixDatagram::bind(&name_of(addr)),
        },
    )
}

#[cfg(unix)]
pub(super) fn datagram_pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
    make_pair(system_calls::datagram_pair, world::UnixDatagram::pair)
}

#[cfg(unix)]
pub(super) fn connect_datagram(io: &UnixDatagram, addr: &UnixAddr) -> io::Result<()> {
    match io {
        Io::System(io) => system_calls::connect_datagram(io, addr),
        Io::World(socket) => socket.connect(&name_of(addr)),
    }
}

#[cfg(unix)]
pub(super) fn shutdown_datagram(io: &UnixDatagram, how: Shutdown) -> io::Result<()> {
    match io {
        Io::System(io) => system_calls::shutdown_datagram(io, how),
        Io::World(socket) => socket.shutdown(how),
    }
}

/// Sends datagrams until the system accepts no more. An error is that of the first one.
pub(super) fn send_many<B: AsRef<[u8]>>(
    io: &UdpSocket,
    datagrams: &[(B, SocketAddr)],
) -> io::Result<usize> {
    let socket = match io {
        Io::System(io) => return sys::send_many(io, datagrams),
        Io::World(socket) => socket,
    };
    for (sent, (datagram, addr)) in datagrams.iter().enumerate() {
        if let Err(error) = socket.send_to(datagram.as_ref(), *addr) {
            return if sent > 0 { Ok(sent) } else { Err(error) };
        }
    }
    Ok(datagrams.len())
}

/// Sends a part of a file. `None`: the bytes must be copied.
pub(super) fn sendfile(
    io: &TcpStream,
    file: &impl sys::AsFile,
    at: u64,
    len: usize,
) -> io::Result<Option<usize>> {
    match io {
        Io::System(io) => sys::sendfile(io, file, at, len),
        Io::World(_) => Err(world::unsupported("net::sendfile")),
    }
}

impl UdpSocket {
    pub(super) fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        match self {
            Io::System(io) => io.connect(addr),
            Io::World(socket) => socket.connect(addr),
        }
    }
}
