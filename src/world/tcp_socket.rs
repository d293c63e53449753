//! A TCP socket before it connects or listens, and the listener.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use super::failure::Failure;
use super::handle::{World, own};
use super::hosts::{HostId, unmapped};
use super::ports::{Bound, Protocol};
use super::socket_options::SocketOptions;
use super::table::Id;
use super::tcp_backlog::Backlog;
use super::tcp_stream::TcpStream;

/// A TCP socket that is neither connected nor listening.
#[derive(Debug)]
pub(crate) struct TcpSocket {
    world: Rc<World>,
    host: HostId,
    addr: Cell<SocketAddr>,
    /// The number of its port in the table of the host. `None`: it has no port.
    port_serial: Cell<Option<u32>>,
    options: Cell<SocketOptions>,
}

/// A listening TCP socket.
#[derive(Debug)]
pub struct TcpListener {
    world: Rc<World>,
    id: Id,
}

impl TcpSocket {
    pub(crate) fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new((Ipv4Addr::UNSPECIFIED, 0).into())
    }

    pub(crate) fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new((Ipv6Addr::UNSPECIFIED, 0).into())
    }

    fn new(addr: SocketAddr) -> io::Result<TcpSocket> {
        let (world, host) = own()?;
        let options = Cell::new(world.state.borrow().settings.tcp_options());
        let (addr, port_serial) = (Cell::new(addr), Cell::new(None));
        Ok(TcpSocket { world, host, addr, port_serial, options })
    }

    /// Makes a socket for an address of this family.
    pub(super) fn like(addr: SocketAddr) -> io::Result<TcpSocket> {
        if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
    }

    pub(crate) fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        let state = &mut *self.world.state.borrow_mut();
        if self.port_serial.get().is_some() || addr.is_ipv4() != self.addr.get().is_ipv4() {
            return Err(Failure::InvalidArgument.into());
        }
        let (plain, _) = unmapped(addr);
        if !state.hosts.is_local(plain.ip(), self.host) {
            return Err(Failure::AddressNotAvailable.into());
        }
        let bound = Bound::of(plain.ip(), &self.options.get());
        let (port, serial) = state.hosts[self.host].ports.bind(Protocol::Tcp, plain, bound)?;
        self.addr.set(SocketAddr::new(addr.ip(), port));
        self.port_serial.set(Some(serial));
        Ok(())
    }

    pub(crate) fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        if self.port_serial.get().is_none() {
            self.bind(self.addr.get())?;
        }
        let (addr, options) = (self.addr.get(), self.options.get());
        let state = &mut *self.world.state.borrow_mut();
        let serial = self.port_serial.get().ok_or(Failure::InvalidArgument)?;
        let bound = Bound { serial, ..Bound::of(unmapped(addr).0.ip(), &options) };
        let ports = &mut state.hosts[self.host].ports;
        if ports.is_listened(Protocol::Tcp, addr.port(), &bound) {
            return Err(Failure::AddressInUse.into());
        }
        // The port is the listener's from now on.
        self.port_serial.set(None);
        let backlog = Backlog::new(self.host, addr, serial, backlog, options);
        let id = state.listeners.insert(backlog);
        ports.change(Protocol::Tcp, addr.port(), serial, |bound| bound.socket = Some(id));
        Ok(TcpListener { world: self.world.clone(), id })
    }

    /// Starts to connect. The stream becomes writable when it has connected or failed.
    pub(crate) fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        if addr.is_ipv4() != self.addr.get().is_ipv4() {
            return Err(Failure::FamilyNotSupported.into());
        }
        let serial = self.port_serial.get();
        let (local, options) = (self.addr.get(), self.options.get());
        let state = &mut *self.world.state.borrow_mut();
        let id = state.tcp_connect(self.host, local, serial, addr, options)?;
        self.port_serial.set(None);
        Ok(TcpStream::new(self.world.clone(), (id, 0)))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr.get())
    }

    pub(crate) fn options(&self) -> SocketOptions {
        self.options.get()
    }

    pub(crate) fn set_options(&self, options: SocketOptions) {
        self.options.set(options);
    }
}

impl TcpStream {
    /// Starts to connect. The stream becomes writable when it has connected or failed.
    pub(crate) fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
        TcpSocket::like(addr)?.connect(addr)
    }

    /// Starts to connect from a local address.
    pub(crate) fn connect_from(local: SocketAddr, addr: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::like(addr)?;
        socket.bind(local)?;
        socket.connect(addr)
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        // A failed call may end while it borrows the state: only the port is left to release.
        if let (Some(serial), Ok(mut state)) =
            (self.port_serial.get(), self.world.state.try_borrow_mut())
        {
            let ports = &mut state.hosts[self.host].ports;
            ports.release(Protocol::Tcp, self.addr.get().port(), serial);
        }
    }
}

impl TcpListener {
    pub(crate) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (id, peer) = self.world.state.borrow_mut().tcp_accept(self.id)?;
        Ok((TcpStream::new(self.world.clone(), (id, 1)), peer))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.with(|backlog| backlog.addr)?)
    }

    pub(crate) fn options(&self) -> SocketOptions {
        let default = || self.world.state.borrow().settings.tcp_options();
        self.with(|backlog| backlog.options).unwrap_or_else(|_| default())
    }

    pub(crate) fn set_options(&self, options: SocketOptions) {
        let _ = self.with(|backlog| backlog.options = options);
    }

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(backlog) = state.listeners.get_mut(self.id) {
            backlog.watch.register(&state.hosts[backlog.host].ready, token);
            if !backlog.queue.is_empty() {
                state.hosts.note(backlog.host, &mut backlog.watch, true, false);
            }
        }
    }

    pub(crate) fn deregister(&self) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(backlog) = state.listeners.get_mut(self.id) {
            backlog.watch.deregister(&mut state.hosts[backlog.host].ready);
        }
    }

    fn with<R>(&self, read: impl FnOnce(&mut Backlog) -> R) -> Result<R, Failure> {
        let state = &mut *self.world.state.borrow_mut();
        state.listeners.get_mut(self.id).map(read).ok_or(Failure::NetworkDown)
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.world.state.borrow_mut().close_listener(self.id);
    }
}
