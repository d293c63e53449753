//! A Unix socket, stream or listener, as a program has it.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use super::channel::Channel;
use super::channel_io::{ChannelIo, read_into, read_vectored};
use super::failure::Failure;
use super::handle::{World, own};
use super::here::Here;
use super::table::Id;
use super::unix_queue::UnixName;

/// A connected Unix socket.
#[derive(Debug)]
pub struct UnixStream(ChannelIo);

/// A listening Unix socket.
#[derive(Debug)]
pub struct UnixListener {
    world: Rc<World>,
    id: Id,
}

impl Here {
    /// Removes the file of a Unix socket of the host, as unlink(2) does. Returns whether it
    /// existed. A host that has died changes no file.
    pub(crate) fn unlink(self, path: &Path) -> bool {
        let name = UnixName::new(path.as_os_str().as_bytes());
        own().is_ok_and(|(world, own)| world.state.borrow_mut().unix_unlink(own, name))
    }

    /// Returns the number of the file of a Unix socket, as of an inode.
    pub(crate) fn unix_file(self, path: &Path) -> Option<u64> {
        let (world, own) = own().ok()?;
        let name = UnixName::new(path.as_os_str().as_bytes());
        world.state.borrow().unix_file(own, name)
    }
}

impl UnixStream {
    /// Connects at once. `WouldBlock` if the queue of the listener is full.
    pub(crate) fn connect(name: &UnixName) -> io::Result<UnixStream> {
        let (world, own) = own()?;
        let id = world.state.borrow_mut().unix_connect(own, name)?;
        Ok(UnixStream(ChannelIo { world, end: (id, 0) }))
    }

    pub(crate) fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (world, own) = own()?;
        let names = [UnixName::default(), UnixName::default()];
        let id = world.state.borrow_mut().channels.insert(Channel::stream(own, names));
        let end = |side| UnixStream(ChannelIo { world: Rc::clone(&world), end: (id, side) });
        Ok((end(0), end(1)))
    }

    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }

    /// Reads into the spare capacity.
    pub(crate) fn read_into(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        read_into(buf, self.0.unread()?, |buf| self.read(buf))
    }

    pub(crate) fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        read_vectored(bufs, |buf| self.read(buf))
    }

    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buf)
    }

    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(&[buf])
    }

    pub(crate) fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write(&bufs.iter().map(|buf| &**buf).collect::<Vec<_>>())
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// Returns the pending error and clears it (SO_ERROR).
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.0.with(|channel, side| channel.ends[side].error.take())?;
        Ok(error.map(io::Error::from))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<UnixName> {
        self.0.with(|channel, side| channel.ends[1 - side].name.clone())
    }

    pub(crate) fn local_addr(&self) -> io::Result<UnixName> {
        self.0.with(|channel, side| channel.ends[side].name.clone())
    }

    /// Does nothing: a Unix socket sends at once.
    #[cfg(feature = "hyper")]
    pub(crate) fn send_at_once(&self) {}

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        self.0.register(token);
    }

    pub(crate) fn deregister(&self) {
        self.0.deregister();
    }
}

impl UnixListener {
    pub(crate) fn bind(name: &UnixName, backlog: u32) -> io::Result<UnixListener> {
        let (world, own) = own()?;
        let id = world.state.borrow_mut().unix_listen(own, name.clone(), backlog)?;
        Ok(UnixListener { world, id })
    }

    pub(crate) fn accept(&self) -> io::Result<(UnixStream, UnixName)> {
        let (id, peer) = self.world.state.borrow_mut().unix_accept(self.id)?;
        let stream = UnixStream(ChannelIo { world: self.world.clone(), end: (id, 1) });
        Ok((stream, peer))
    }

    pub(crate) fn local_addr(&self) -> io::Result<UnixName> {
        let state = self.world.state.borrow();
        let name = state.unix_listeners.get(self.id).map(|listener| listener.name.clone());
        Ok(name.ok_or(Failure::NetworkDown)?)
    }

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(listener) = state.unix_listeners.get_mut(self.id) {
            listener.watch.register(&state.hosts[listener.host].ready, token);
            if !listener.queue.is_empty() {
                state.hosts.note(listener.host, &mut listener.watch, true, false);
            }
        }
    }

    pub(crate) fn deregister(&self) {
        let state = &mut *self.world.state.borrow_mut();
        if let Some(listener) = state.unix_listeners.get_mut(self.id) {
            listener.watch.deregister(&mut state.hosts[listener.host].ready);
        }
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        self.world.state.borrow_mut().close_unix_listener(self.id);
    }
}
