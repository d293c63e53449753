//! The operations of sockets that may be those of a simulated world. Layer L4.
//!
//! A count of a world never shows that a buffer is drained or full: reads and writes end early at
//! places that the seed chooses.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::unix::net::SocketAddr as UnixAddr;

use super::messages::{DatagramIo, ReceiveMode, check_truncated, explain_send, explain_send_to};
#[cfg(unix)]
use super::pipe_transfer::{ReadEnd, WriteEnd};
use super::system::{Io, TcpListener, TcpStream, UdpSocket, in_world};
#[cfg(unix)]
use super::system::{PipeReceiver, PipeSender, UnixDatagram, UnixListener, UnixStream};
use super::transport::{Accept, StreamIo, done};
use super::world_names::WorldAddr;
#[cfg(unix)]
use super::world_names::name_of;
use crate::reactor::Done;
use crate::world;

// Methods that several traits have.
macro_rules! local_addr {
    ($addr:ty) => {
        fn local_addr(&self) -> io::Result<$addr> {
            match self {
                Io::System(io) => io.local_addr(),
                Io::World(io) => io.local_addr()?.to_program(),
            }
        }
    };
}

macro_rules! peer_and_error {
    ($addr:ty) => {
        fn peer_addr(&self) -> io::Result<$addr> {
            match self {
                Io::System(io) => io.peer_addr(),
                Io::World(io) => io.peer_addr()?.to_program(),
            }
        }

        fn take_error(&self) -> io::Result<Option<io::Error>> {
            match self {
                Io::System(io) => io.take_error(),
                Io::World(io) => io.take_error(),
            }
        }
    };
}

macro_rules! stream_io {
    ($socket:ty, $addr:ty) => {
        impl StreamIo for $socket {
            type Addr = $addr;

            #[inline]
            fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
                match self {
                    Io::System(io) => StreamIo::read(io, buf),
                    Io::World(io) => done(in_world(|| io.read(buf))),
                }
            }

            #[inline]
            fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<Done<usize>> {
                match self {
                    Io::System(io) => io.read_into(buf),
                    Io::World(io) => done(in_world(|| io.read_into(buf))),
                }
            }

            #[inline]
            fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>> {
                match self {
                    Io::System(io) => StreamIo::read_vectored(io, bufs),
                    Io::World(io) => done(in_world(|| io.read_vectored(bufs))),
                }
            }

            fn peek(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
                match self {
                    Io::System(io) => StreamIo::peek(io, buf),
                    Io::World(io) => done(in_world(|| io.peek(buf))),
                }
            }

            #[inline]
            fn write(&self, buf: &[u8]) -> io::Result<Done<usize>> {
                match self {
                    Io::System(io) => StreamIo::write(io, buf),
                    Io::World(io) => done(in_world(|| io.write(buf))),
                }
            }

            #[inline]
            fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>> {
                match self {
                    Io::System(io) => StreamIo::write_vectored(io, bufs),
                    Io::World(io) => done(in_world(|| io.write_vectored(bufs))),
                }
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                match self {
                    Io::System(io) => io.shutdown(how),
                    Io::World(io) => io.shutdown(how),
                }
            }

            peer_and_error!($addr);
            local_addr!($addr);

            #[cfg(feature = "hyper")]
            fn send_at_once(&self) {
                match self {
                    Io::System(io) => io.send_at_once(),
                    Io::World(io) => io.send_at_once(),
                }
            }

            #[inline]
            fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                match self {
                    Io::System(io) => io.try_io(op),
                    Io::World(_) => in_world(op),
                }
            }
        }
    };
}

macro_rules! accept {
    ($socket:ty, $stream:ty, $addr:ty) => {
        impl Accept for $socket {
            type Addr = $addr;
            type Stream = $stream;

            fn accept(&self) -> io::Result<($stream, $addr)> {
                match self {
                    Io::System(io) => io.accept().map(|(stream, peer)| (Io::System(stream), peer)),
                    Io::World(io) => {
                        let (stream, peer) = io.accept()?;
                        Ok((Io::World(stream), peer.to_program()?))
                    }
                }
            }

            local_addr!($addr);
        }
    };
}

macro_rules! datagram_io {
    ($socket:ty, $addr:ty, $send_to:expr) => {
        impl DatagramIo for $socket {
            type Addr = $addr;

            fn send(&self, buf: &[u8]) -> io::Result<usize> {
                match self {
                    Io::System(io) => DatagramIo::send(io, buf),
                    Io::World(io) => io.send(buf).map_err(|error| explain_send(buf.len(), error)),
                }
            }

            fn transmit_to(&self, buf: &[u8], addr: &$addr) -> io::Result<usize> {
                match self {
                    Io::System(io) => io.transmit_to(buf, addr),
                    Io::World(io) => $send_to(io, buf, addr),
                }
            }

            fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
                match self {
                    Io::System(io) => io.receive(buf),
                    Io::World(_) => Ok(self.receive_from(buf, ReceiveMode::Consume)?.0),
                }
            }

            fn receive_from(
                &self,
                buf: &mut [u8],
                mode: ReceiveMode,
            ) -> io::Result<(usize, $addr)> {
                let io = match self {
                    Io::System(io) => return io.receive_from(buf, mode),
                    Io::World(io) => io,
                };
                let (length, from) = match mode {
                    ReceiveMode::Consume => io.recv_from(buf)?,
                    ReceiveMode::Peek => io.peek_from(buf)?,
                };
                let from = from.to_program()?;
                // A peek returns what fits, as that of the system does.
                if mode == ReceiveMode::Peek {
                    return Ok((length.min(buf.len()), from));
                }
                Ok((check_truncated(length, length > buf.len(), buf.len())?, from))
            }

            peer_and_error!($addr);
            local_addr!($addr);

            fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                match self {
                    Io::System(io) => io.try_io(op),
                    Io::World(_) => op(),
                }
            }
        }
    };
}

stream_io!(TcpStream, SocketAddr);
accept!(TcpListener, TcpStream, SocketAddr);
datagram_io!(UdpSocket, SocketAddr, |io: &world::UdpSocket, buf: &[u8], addr: &SocketAddr| {
    let explain = |error| explain_send_to(io.local_addr(), buf.len(), *addr, error);
    io.send_to(buf, *addr).map_err(explain)
});
#[cfg(unix)]
stream_io!(UnixStream, UnixAddr);
#[cfg(unix)]
accept!(UnixListener, UnixStream, UnixAddr);
#[cfg(unix)]
datagram_io!(UnixDatagram, UnixAddr, |io: &world::UnixDatagram, buf: &[u8], addr: &UnixAddr| {
    io.send_to(buf, &name_of(addr))
});

#[cfg(unix)]
impl ReadEnd for PipeReceiver {
    fn read(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        match self {
            Io::System(io) => ReadEnd::read(io, buf),
            Io::World(io) => done(io.read(buf)),
        }
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Done<usize>> {
        match self {
            Io::System(io) => ReadEnd::read_vectored(io, bufs),
            Io::World(io) => done(io.read_vectored(bufs)),
        }
    }

    fn is_at_end(&self) -> io::Result<bool> {
        match self {
            Io::System(io) => io.is_at_end(),
            // A pipe of a world has no name, so no further writer.
            Io::World(_) => Ok(true),
        }
    }
}

#[cfg(unix)]
impl WriteEnd for PipeSender {
    fn write(&self, buf: &[u8]) -> io::Result<Done<usize>> {
        match self {
            Io::System(io) => WriteEnd::write(io, buf),
            Io::World(io) => done(io.write(buf)),
        }
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>> {
        match self {
            Io::System(io) => WriteEnd::write_vectored(io, bufs),
            Io::World(io) => done(io.write_vectored(bufs)),
        }
    }
}

#[cfg(unix)]
macro_rules! pipe_try_io {
    ($($end:ty),*) => {$(
        impl $end {
            pub(super) fn try_io<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                match self {
                    Io::System(io) => io.try_io(op),
                    Io::World(_) => op(),
                }
            }
        }
    )*};
}

#[cfg(unix)]
pipe_try_io!(PipeSender, PipeReceiver);
