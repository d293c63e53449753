//! The names of Unix sockets, connecting, and datagrams.

use std::net::Shutdown;

use super::channel::Channel;
use super::failure::Failure;
use super::hosts::HostId;
use super::state::State;
use super::table::Id;
use super::unix_queue::{UnixBacklog, UnixBound, UnixFile, UnixName, UnixQueue};

/// net.core.wmem_default of Linux, less what it counts for itself.
const DATAGRAM_MAX: usize = 212_960;

impl State {
    /// Gives a socket its name.
    fn unix_bind(&mut self, own: HostId, name: &UnixName, to: UnixBound) -> Result<(), Failure> {
        if name.bytes().is_none() {
            return Err(Failure::InvalidArgument);
        }
        let key = (own, name.clone());
        if self.unix_names.contains_key(&key) {
            return Err(Failure::AddressInUse);
        }
        self.unix_count += 1;
        self.unix_names.insert(key, UnixFile { number: self.unix_count, to });
        Ok(())
    }

    /// Ends the use of a name. The file of a path stays.
    fn unix_unbind(&mut self, own: HostId, name: &UnixName, from: UnixBound) {
        let key = (own, name.clone());
        let Some(file) = self.unix_names.get_mut(&key).filter(|file| file.to == from) else {
            return;
        };
        file.to = UnixBound::Stale;
        if name.is_abstract() {
            self.unix_names.remove(&key);
        }
    }

    /// Removes the file of a socket. The socket stays; no other finds it.
    pub(super) fn unix_unlink(&mut self, own: HostId, name: UnixName) -> bool {
        self.unix_names.remove(&(own, name)).is_some()
    }

    /// Returns the number of the file.
    pub(super) fn unix_file(&self, own: HostId, name: UnixName) -> Option<u64> {
        let is_file = !name.is_abstract();
        self.unix_names.get(&(own, name)).filter(|_| is_file).map(|file| file.number)
    }

    fn unix_find(&self, own: HostId, name: &UnixName) -> Result<UnixBound, Failure> {
        let missing = match name.is_abstract() {
            true => Failure::ConnectionRefused,
            false if name.bytes().is_none() => Failure::InvalidArgument,
            false => Failure::NotFound,
        };
        let file = self.unix_names.get(&(own, name.clone()));
        file.map(|file| file.to).ok_or(missing)
    }

    pub(super) fn unix_listen(
        &mut self,
        host: HostId,
        name: UnixName,
        limit: u32,
    ) -> Result<Id, Failure> {
        let (queue, watch) = Default::default();
        let backlog = UnixBacklog { host, name: name.clone(), queue, limit: limit as usize, watch };
        let id = self.unix_listeners.insert(backlog);
        self.unix_bind(host, &name, UnixBound::Listener(id)).inspect_err(|_| {
            self.unix_listeners.remove(id);
        })?;
        Ok(id)
    }

    /// Connects at once: the connection then waits for `accept`.
    pub(super) fn unix_connect(&mut self, own: HostId, to: &UnixName) -> Result<Id, Failure> {
        let listener = match self.unix_find(own, to)? {
            UnixBound::Listener(listener) => listener,
            UnixBound::Datagram(_) => return Err(Failure::WrongType),
            UnixBound::Stale => return Err(Failure::ConnectionRefused),
        };
        let listener = self.unix_listeners.get_mut(listener).ok_or(Failure::ConnectionRefused)?;
        if listener.is_full() {
            return Err(Failure::WouldBlock);
        }
        let names = [UnixName::default(), listener.name.clone()];
        let id = self.channels.insert(Channel::stream(own, names));
        listener.queue.push_back(id);
        self.hosts.note(own, &mut listener.watch, true, false);
        Ok(id)
    }

    pub(super) fn unix_accept(&mut self, id: Id) -> Result<(Id, UnixName), Failure> {
        let listener = self.unix_listeners.get_mut(id).ok_or(Failure::NetworkDown)?;
        let accepted = listener.queue.pop_front().ok_or(Failure::WouldBlock)?;
        let channel = self.channels.get(accepted).ok_or(Failure::NetworkDown)?;
        Ok((accepted, channel.ends[0].name.clone()))
    }

    pub(super) fn close_unix_listener(&mut self, id: Id) {
        let Some(mut listener) = self.unix_listeners.remove(id) else { return };
        listener.watch.deregister(&mut self.hosts[listener.host].ready);
        self.unix_unbind(listener.host, &listener.name, UnixBound::Listener(id));
        for channel in listener.queue {
            self.channel_close((channel, 1), false);
        }
    }

    pub(super) fn unix_datagram(&mut self, own: HostId, name: UnixName) -> Result<Id, Failure> {
        let id = self.unix_datagrams.insert(UnixQueue::new(own, name.clone()));
        if name.bytes().is_some() {
            self.unix_bind(own, &name, UnixBound::Datagram(id)).inspect_err(|_| {
                self.unix_datagrams.remove(id);
            })?;
        }
        Ok(id)
    }

    pub(super) fn close_unix_datagram(&mut self, id: Id) {
        let Some(mut socket) = self.unix_datagrams.remove(id) else { return };
        socket.watch.deregister(&mut self.hosts[socket.host].ready);
        self.unix_unbind(socket.host, &socket.name, UnixBound::Datagram(id));
        self.wake_senders(socket.blocked);
    }

    fn unix_find_datagram(&self, own: HostId, name: &UnixName) -> Result<Id, Failure> {
        match self.unix_find(own, name)? {
            UnixBound::Datagram(id) => Ok(id),
            UnixBound::Listener(_) => Err(Failure::WrongType),
            UnixBound::Stale => Err(Failure::ConnectionRefused),
        }
    }

    /// Sets the peer: the socket receives its datagrams only.
    pub(super) fn unix_datagram_connect(&mut self, id: Id, to: UnixName) -> Result<(), Failure> {
        let host = self.unix_datagrams.get(id).ok_or(Failure::NetworkDown)?.host;
        let peer = self.unix_find_datagram(host, &to)?;
        self.check_receiver(id, peer)?;
        self.unix_datagrams.get_mut(id).ok_or(Failure::NetworkDown)?.peer = Some((peer, to));
        Ok(())
    }

    /// Connects two sockets to each other.
    pub(super) fn unix_datagram_pair(&mut self, own: HostId) -> (Id, Id) {
        let mut make = || self.unix_datagrams.insert(UnixQueue::new(own, UnixName::default()));
        let (one, other) = (make(), make());
        for (id, peer) in [(one, other), (other, one)] {
            if let Some(socket) = self.unix_datagrams.get_mut(id) {
                socket.peer = Some((peer, UnixName::default()));
            }
        }
        (one, other)
    }

    /// A socket with a peer receives from no other.
    fn check_receiver(&self, sender: Id, receiver: Id) -> Result<(), Failure> {
        let socket = self.unix_datagrams.get(receiver).ok_or(Failure::ConnectionRefused)?;
        match &socket.peer {
            Some((peer, _)) if *peer != sender => Err(Failure::NotPermitted),
            _ => Ok(()),
        }
    }

    pub(super) fn unix_send(
        &mut self,
        id: Id,
        buf: &[u8],
        to: Option<&UnixName>,
    ) -> Result<usize, Failure> {
        let socket = self.unix_datagrams.get_mut(id).ok_or(Failure::NetworkDown)?;
        let (own, name, is_connected) = (socket.host, socket.name.clone(), to.is_none());
        let peer = socket.peer.as_ref().map(|(peer, _)| *peer);
        if buf.len() > DATAGRAM_MAX {
            return Err(Failure::MessageTooLong);
        }
        if socket.is_write_shut {
            return Err(Failure::BrokenPipe);
        }
        let receiver = match to {
            Some(to) => self.unix_find_datagram(own, to)?,
            None => peer.ok_or(Failure::NotConnected)?,
        };
        if is_connected && self.unix_datagrams.get(receiver).is_none() {
            // As on Linux, the peer's end is reported once.
            if let Some(socket) = self.unix_datagrams.get_mut(id) {
                socket.peer = None;
            }
            return Err(Failure::ConnectionRefused);
        }
        self.check_receiver(id, receiver)?;
        let queue = self.unix_datagrams.get_mut(receiver).ok_or(Failure::ConnectionRefused)?;
        if queue.is_read_shut {
            return Err(Failure::BrokenPipe);
        }
        if queue.is_full() {
            if is_connected && !queue.blocked.contains(&id) {
                queue.blocked.push(id);
            }
            return Err(Failure::WouldBlock);
        }
        queue.datagrams.push_back((name, buf.into()));
        self.hosts.note(queue.host, &mut queue.watch, true, false);
        Ok(buf.len())
    }

    /// As `udp_receive`.
    pub(super) fn unix_receive(
        &mut self,
        id: Id,
        buf: &mut [u8],
        is_peek: bool,
    ) -> Result<(usize, UnixName), Failure> {
        let socket = self.unix_datagrams.get_mut(id).ok_or(Failure::NetworkDown)?;
        let (from, bytes) = socket.datagrams.front().ok_or(Failure::WouldBlock)?;
        let (n, result) = (bytes.len().min(buf.len()), (bytes.len(), from.clone()));
        buf[..n].copy_from_slice(&bytes[..n]);
        if !is_peek {
            socket.datagrams.pop_front();
            let blocked = std::mem::take(&mut socket.blocked);
            self.wake_senders(blocked);
        }
        Ok(result)
    }

    pub(super) fn unix_datagram_shutdown(&mut self, id: Id, how: Shutdown) -> Result<(), Failure> {
        let socket = self.unix_datagrams.get_mut(id).ok_or(Failure::NetworkDown)?;
        socket.is_read_shut |= how != Shutdown::Write;
        socket.is_write_shut |= how != Shutdown::Read;
        self.hosts.note(socket.host, &mut socket.watch, true, true);
        Ok(())
    }

    fn wake_senders(&mut self, senders: Vec<Id>) {
        for sender in senders {
            if let Some(socket) = self.unix_datagrams.get_mut(sender) {
                self.hosts.note(socket.host, &mut socket.watch, false, true);
            }
        }
    }
}
