//! The signatures of Unix sockets and pipes. The bodies follow.
#![allow(clippy::unused_self, dead_code, unused_variables)]

use std::io;
use std::net::Shutdown;
#[cfg(unix)]
use std::os::unix::net::SocketAddr as UnixAddr;

#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixStream;

#[cfg(unix)]
impl UnixStream {
    /// Connects at once. `WouldBlock` if the queue of the listener is full.
    pub(crate) fn connect(addr: &UnixAddr) -> io::Result<UnixStream> {
        unimplemented!()
    }
    pub(crate) fn pair() -> io::Result<(UnixStream, UnixStream)> {
        unimplemented!()
    }
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        unimplemented!()
    }
    pub(crate) fn peer_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixListener;

#[cfg(unix)]
impl UnixListener {
    pub(crate) fn bind(addr: &UnixAddr, backlog: u32) -> io::Result<UnixListener> {
        unimplemented!()
    }
    pub(crate) fn accept(&self) -> io::Result<(UnixStream, UnixAddr)> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixDatagram;

#[cfg(unix)]
impl UnixDatagram {
    pub(crate) fn bind(addr: &UnixAddr) -> io::Result<UnixDatagram> {
        unimplemented!()
    }
    pub(crate) fn unbound() -> io::Result<UnixDatagram> {
        unimplemented!()
    }
    pub(crate) fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        unimplemented!()
    }
    pub(crate) fn connect(&self, addr: &UnixAddr) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn send(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn send_to(&self, buf: &[u8], addr: &UnixAddr) -> io::Result<usize> {
        unimplemented!()
    }
    /// As that of `UdpSocket`.
    pub(crate) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        unimplemented!()
    }
    pub(crate) fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        unimplemented!()
    }
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        unimplemented!()
    }
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        unimplemented!()
    }
    pub(crate) fn peer_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn local_addr(&self) -> io::Result<UnixAddr> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

/// Removes the name of a Unix socket, as unlink(2) does. Returns whether it existed.
#[cfg(unix)]
pub(crate) fn unlink(path: &std::path::Path) -> bool {
    unimplemented!()
}

/// Makes a pipe of the current host.
pub(crate) fn pipe() -> io::Result<(PipeSender, PipeReceiver)> {
    unimplemented!()
}

#[derive(Debug)]
pub(crate) struct PipeSender;

impl PipeSender {
    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}

#[derive(Debug)]
pub(crate) struct PipeReceiver;

impl PipeReceiver {
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn read_vectored(&self, bufs: &mut [io::IoSliceMut<'_>]) -> io::Result<usize> {
        unimplemented!()
    }
    pub(crate) fn register(&self, token: usize) {
        unimplemented!()
    }
    pub(crate) fn deregister(&self) {
        unimplemented!()
    }
}
