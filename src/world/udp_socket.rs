//! A UDP socket as a program has it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::failure::Failure;
use super::handle::{World, own};
use super::hosts::mapped;
use super::socket_options::SocketOptions;
use super::table::Id;
use super::udp_queue::UdpQueue;

/// A UDP socket.
#[derive(Debug)]
pub struct UdpSocket {
    world: Rc<World>,
    id: Id,
}

impl UdpSocket {
    pub(crate) fn bind(addr: SocketAddr, options: Option<SocketOptions>) -> io::Result<UdpSocket> {
        let (world, own) = own()?;
        let id = world.state.borrow_mut().udp_bind(
            own,
            addr,
            options.unwrap_or_else(SocketOptions::of_udp),
        )?;
        Ok(UdpSocket { world, id })
    }

    /// Sets the peer: the socket receives its datagrams only.
    pub(crate) fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        Ok(self.world.state.borrow_mut().udp_connect(self.id, addr)?)
    }

    pub(crate) fn send(&self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().udp_send(self.id, buf, None)?)
    }

    pub(crate) fn send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().udp_send(self.id, buf, Some(addr))?)
    }

    /// Copies the beginning of the datagram into `buf`, and returns its whole length, which may be
    /// longer than `buf`, and its sender.
    pub(crate) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Ok(self.world.state.borrow_mut().udp_receive(self.id, buf, false)?)
    }

    /// Like `recv_from`, and leaves the datagram in the queue.
    pub(crate) fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Ok(self.world.state.borrow_mut().udp_receive(self.id, buf, true)?)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer = self.with(|socket| (socket.peer, socket.is_v6))?;
        match peer {
            (Some(peer), is_v6) => Ok(if is_v6 { mapped(peer) } else { peer }),
            (None, _) => Err(Failure::NotConnected.into()),
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.with(|socket| socket.addr)?)
    }

    /// Returns the pending error and clears it (SO_ERROR).
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.with(|socket| socket.error.take())?.map(io::Error::from))
    }

    pub(crate) fn options(&self) -> SocketOptions {
        self.with(|socket| socket.options).unwrap_or_else(|_| SocketOptions::of_udp())
    }

    pub(crate) fn set_options(&self, options: SocketOptions) {
        let _ = self.with(|socket| socket.options = options);
    }

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(socket) = state.udp.get_mut(self.id) {
            let readable = socket.error.is_some() || socket.front().is_some();
            socket.watch.register(&state.hosts[socket.host].ready, token);
            state.hosts.note(socket.host, &mut socket.watch, readable, true);
        }
    }

    pub(crate) fn deregister(&self) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(socket) = state.udp.get_mut(self.id) {
            socket.watch.deregister(&mut state.hosts[socket.host].ready);
        }
    }

    fn with<R>(&self, access: impl FnOnce(&mut UdpQueue) -> R) -> Result<R, Failure> {
        let state = &mut *self.world.state.borrow_mut();
        state.udp.get_mut(self.id).map(access).ok_or(Failure::NetworkDown)
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.world.state.borrow_mut().close_udp(self.id);
    }
}
