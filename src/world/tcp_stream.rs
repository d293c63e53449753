//! A TCP connection as a program has it.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;

use super::channel_io::{read_into, read_vectored};
use super::failure::Failure;
use super::handle::World;
use super::socket_options::SocketOptions;
use super::table::Id;
use super::tcp_flow::{Flow, Side};

/// A TCP socket that connects or is connected.
#[derive(Debug)]
pub struct TcpStream {
    world: Rc<World>,
    end: (Id, Side),
}

impl TcpStream {
    pub(super) fn new(world: Rc<World>, end: (Id, Side)) -> TcpStream {
        TcpStream { world, end }
    }

    #[inline]
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().tcp_read(self.end, buf)?)
    }

    /// Reads into the spare capacity.
    pub(crate) fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let unread = self.with(|flow, side| flow.halves[1 - side].unread())?;
        read_into(buf, unread, |buf| self.read(buf))
    }

    pub(crate) fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        read_vectored(bufs, |buf| self.read(buf))
    }

    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().tcp_peek(self.end, buf)?)
    }

    #[inline]
    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().tcp_write(self.end, &[buf])?)
    }

    pub(crate) fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let bufs: Vec<&[u8]> = bufs.iter().map(|buf| &**buf).collect();
        Ok(self.world.state.borrow_mut().tcp_write(self.end, &bufs)?)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        Ok(self.world.state.borrow_mut().tcp_shutdown(self.end, how)?)
    }

    /// Returns the pending error and clears it (SO_ERROR).
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.with(|flow, side| flow.ends[side].error.take())?.map(io::Error::from))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.world.state.borrow().tcp_peer_addr(self.end)?)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.with(|flow, side| flow.ends[side].shown(flow.ends[side].addr))?)
    }

    pub(crate) fn options(&self) -> SocketOptions {
        let default = || self.world.state.borrow().settings.tcp_options();
        self.with(|flow, side| flow.ends[side].options).unwrap_or_else(|_| default())
    }

    pub(crate) fn set_options(&self, options: SocketOptions) {
        if self.with(|flow, side| flow.ends[side].options = options).is_ok() && options.keepalive {
            self.world.state.borrow_mut().plan_keepalive(self.end.0, self.end.1);
        }
    }

    /// Sets TCP_NODELAY.
    #[cfg(feature = "hyper")]
    pub(crate) fn send_at_once(&self) {
        self.set_options(SocketOptions { nodelay: true, ..self.options() });
    }

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        let state = &mut *self.world.state.borrow_mut();
        let (id, side) = self.end;
        if let Some(flow) = state.flows.get_mut(id) {
            let (readable, writable) = (flow.is_readable(side), flow.is_writable(side));
            let end = &mut flow.ends[side];
            end.watch.register(&state.hosts[end.host].ready, token);
            state.hosts.note(end.host, &mut end.watch, readable, writable);
        }
    }

    pub(crate) fn deregister(&self) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(flow) = state.flows.get_mut(self.end.0) {
            let end = &mut flow.ends[self.end.1];
            end.watch.deregister(&mut state.hosts[end.host].ready);
        }
    }

    fn with<R>(&self, access: impl FnOnce(&mut Flow, Side) -> R) -> Result<R, Failure> {
        let state = &mut *self.world.state.borrow_mut();
        let (id, side) = self.end;
        let flow = state.flows.get_mut(id).filter(|flow| flow.ends[side].is_open);
        flow.map(|flow| access(flow, side)).ok_or(Failure::NetworkDown)
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.world.state.borrow_mut().tcp_close(self.end);
    }
}
