//! A socket of the system or of a simulated world, as a loop registers it. Layer L4.

use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, RawSocket};

use mio::{Interest, Registry, Token, event};

use crate::sys::Owned;
use crate::world::{self, note_registration};

/// A socket of the system, or of a world.
pub enum Io<S, W> {
    System(S),
    World(W),
}

/// A socket of a world, as a loop registers it.
pub trait Registered {
    /// From now on events carry this token.
    fn register(&self, token: usize);
    fn deregister(&self);
}

macro_rules! registered {
    ($($socket:ty),*) => {$(
        impl Registered for $socket {
            fn register(&self, token: usize) {
                self.register(token);
            }

            fn deregister(&self) {
                self.deregister();
            }
        }
    )*};
}

registered!(world::TcpStream, world::TcpListener, world::UdpSocket);
#[cfg(unix)]
registered!(world::UnixStream, world::UnixListener, world::UnixDatagram);
#[cfg(unix)]
registered!(world::PipeSender, world::PipeReceiver);

/// Keeps the code of a world out of line.
#[cold]
#[inline(never)]
pub(super) fn in_world<T>(f: impl FnOnce() -> T) -> T {
    f()
}

impl<S: event::Source, W: Registered> event::Source for Io<S, W> {
    fn register(&mut self, registry: &Registry, token: Token, events: Interest) -> io::Result<()> {
        match self {
            Io::System(io) => io.register(registry, token, events),
            Io::World(socket) => {
                socket.register(token.0);
                note_registration();
                Ok(())
            }
        }
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        events: Interest,
    ) -> io::Result<()> {
        match self {
            Io::System(io) => io.reregister(registry, token, events),
            Io::World(_) => Ok(()),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Io::System(io) => io.deregister(registry),
            Io::World(socket) => {
                socket.deregister();
                Ok(())
            }
        }
    }
}

impl<S: From<Owned>, W> From<Owned> for Io<S, W> {
    fn from(owned: Owned) -> Io<S, W> {
        Io::System(S::from(owned))
    }
}

impl<S: Into<Owned>, W> From<Io<S, W>> for Owned {
    fn from(io: Io<S, W>) -> Owned {
        match io {
            Io::System(io) => io.into(),
            Io::World(_) => no_descriptor(),
        }
    }
}

#[cfg(unix)]
impl<S: AsFd, W> AsFd for Io<S, W> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Io::System(io) => io.as_fd(),
            Io::World(_) => no_descriptor(),
        }
    }
}

/// The number by which a loop lists its sockets. One of a world has none: -1.
#[cfg(unix)]
impl<S: AsRawFd, W> AsRawFd for Io<S, W> {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Io::System(io) => io.as_raw_fd(),
            Io::World(_) => -1,
        }
    }
}

/// The number by which a loop lists its sockets. One of a world has none: `INVALID_SOCKET`.
#[cfg(windows)]
impl<S: AsRawSocket, W> AsRawSocket for Io<S, W> {
    fn as_raw_socket(&self) -> RawSocket {
        match self {
            Io::System(io) => io.as_raw_socket(),
            Io::World(_) => RawSocket::MAX,
        }
    }
}

#[cold]
fn no_descriptor() -> ! {
    panic!(
        "a socket of a simulated world has no descriptor: read, write and set options by the \
         methods of evloop::net"
    )
}

impl<S: fmt::Debug, W: fmt::Debug> fmt::Debug for Io<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Io::System(io) => io.fmt(f),
            Io::World(socket) => socket.fmt(f),
        }
    }
}
