//! A Unix datagram socket as a program has it.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use super::failure::Failure;
use super::handle::{World, own};
use super::table::Id;
use super::unix_queue::{UnixName, UnixQueue};

/// A Unix datagram socket.
#[derive(Debug)]
pub struct UnixDatagram {
    world: Rc<World>,
    id: Id,
}

impl UnixDatagram {
    pub(crate) fn bind(name: &UnixName) -> io::Result<UnixDatagram> {
        match name.bytes() {
            None => Err(Failure::InvalidArgument.into()),
            Some(_) => UnixDatagram::new(name.clone()),
        }
    }

    pub(crate) fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::new(UnixName::default())
    }

    fn new(name: UnixName) -> io::Result<UnixDatagram> {
        let (world, own) = own()?;
        let id = world.state.borrow_mut().unix_datagram(own, name)?;
        Ok(UnixDatagram { world, id })
    }

    pub(crate) fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (world, own) = own()?;
        let (one, other) = world.state.borrow_mut().unix_datagram_pair(own);
        Ok((UnixDatagram { world: world.clone(), id: one }, UnixDatagram { world, id: other }))
    }

    /// Sets the peer: the socket receives its datagrams only.
    pub(crate) fn connect(&self, name: &UnixName) -> io::Result<()> {
        Ok(self.world.state.borrow_mut().unix_datagram_connect(self.id, name.clone())?)
    }

    pub(crate) fn send(&self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().unix_send(self.id, buf, None)?)
    }

    pub(crate) fn send_to(&self, buf: &[u8], name: &UnixName) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().unix_send(self.id, buf, Some(name))?)
    }

    /// Copies the beginning of the datagram into `buf`, and returns its whole length, which may be
    /// longer than `buf`, and its sender.
    pub(crate) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixName)> {
        self.receive(buf, false)
    }

    /// Like `recv_from`, and leaves the datagram in the queue.
    pub(crate) fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixName)> {
        self.receive(buf, true)
    }

    fn receive(&self, buf: &mut [u8], is_peek: bool) -> io::Result<(usize, UnixName)> {
        Ok(self.world.state.borrow_mut().unix_receive(self.id, buf, is_peek)?)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        Ok(self.world.state.borrow_mut().unix_datagram_shutdown(self.id, how)?)
    }

    /// Returns the pending error and clears it (SO_ERROR).
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.with(|socket| socket.error.take())?.map(io::Error::from))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<UnixName> {
        let peer = self.with(|socket| socket.peer.as_ref().map(|(_, name)| name.clone()))?;
        Ok(peer.ok_or(Failure::NotConnected)?)
    }

    pub(crate) fn local_addr(&self) -> io::Result<UnixName> {
        Ok(self.with(|socket| socket.name.clone())?)
    }

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(socket) = state.unix_datagrams.get_mut(self.id) {
            let readable = socket.is_read_shut || !socket.datagrams.is_empty();
            socket.watch.register(&state.hosts[socket.host].ready, token);
            state.hosts.note(socket.host, &mut socket.watch, readable, true);
        }
    }

    pub(crate) fn deregister(&self) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(socket) = state.unix_datagrams.get_mut(self.id) {
            socket.watch.deregister(&mut state.hosts[socket.host].ready);
        }
    }

    fn with<R>(&self, access: impl FnOnce(&mut UnixQueue) -> R) -> Result<R, Failure> {
        let state = &mut *self.world.state.borrow_mut();
        state.unix_datagrams.get_mut(self.id).map(access).ok_or(Failure::NetworkDown)
    }
}

impl Drop for UnixDatagram {
    fn drop(&mut self) {
        self.world.state.borrow_mut().close_unix_datagram(self.id);
    }
}
