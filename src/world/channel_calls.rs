//! The system calls on streams of Unix sockets and on pipes. None waits.

use std::net::Shutdown;

use super::channel::Channel;
use super::failure::Failure;
use super::state::State;
use super::table::Id;
use super::tcp_flow::Side;

impl State {
    pub(super) fn channel_read(
        &mut self,
        (id, side): (Id, Side),
        buf: &mut [u8],
        is_peek: bool,
    ) -> Result<usize, Failure> {
        let channel = self.channels.get(id).ok_or(Failure::NetworkDown)?;
        let available = channel.queues[1 - side].len().min(buf.len());
        let n = self.shorten(available);
        let channel = self.channels.get_mut(id).ok_or(Failure::NetworkDown)?;
        if n == 0 {
            let is_over = channel.is_read_over(side) || buf.is_empty();
            return match channel.ends[side].error.take() {
                Some(failure) => Err(failure),
                None if is_over => Ok(0),
                None => Err(Failure::WouldBlock),
            };
        }
        if is_peek {
            return Ok(channel.queues[1 - side].peek(buf, n));
        }
        channel.queues[1 - side].read(buf, n);
        if channel.ends[1 - side].is_blocked && channel.is_writable(1 - side) {
            channel.ends[1 - side].is_blocked = false;
            let writer = &mut channel.ends[1 - side];
            self.hosts.note(channel.host, &mut writer.watch, false, true);
        }
        Ok(n)
    }

    pub(super) fn channel_write(
        &mut self,
        (id, side): (Id, Side),
        bufs: &[&[u8]],
    ) -> Result<usize, Failure> {
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        let channel = self.channels.get_mut(id).ok_or(Failure::NetworkDown)?;
        if channel.is_write_over(side) {
            return Err(Failure::BrokenPipe);
        }
        let n = channel.capacity(side, total);
        channel.ends[side].is_blocked |= n < total;
        if n < total && n == 0 {
            return Err(Failure::WouldBlock);
        }
        // The small writes of a pipe are never divided.
        let is_pipe = channel.is_pipe;
        let n = if is_pipe { n } else { self.shorten(n) };
        let channel = self.channels.get_mut(id).ok_or(Failure::NetworkDown)?;
        let mut left = n;
        for buf in bufs {
            let part = &buf[..left.min(buf.len())];
            channel.queues[side].push(part);
            left -= part.len();
        }
        if n > 0 {
            self.hosts.note(channel.host, &mut channel.ends[1 - side].watch, true, false);
        }
        Ok(n)
    }

    /// Ends directions, also those of the other end, as Linux does for Unix sockets.
    pub(super) fn channel_shutdown(
        &mut self,
        (id, side): (Id, Side),
        how: Shutdown,
    ) -> Result<(), Failure> {
        let channel = self.channels.get_mut(id).ok_or(Failure::NetworkDown)?;
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        let own = &mut channel.ends[side];
        own.is_read_shut |= read;
        own.is_write_shut |= write;
        self.note_channel(id);
        Ok(())
    }

    /// Reports what both ends can do.
    fn note_channel(&mut self, id: Id) {
        let Some(channel) = self.channels.get_mut(id) else { return };
        for side in [0, 1] {
            let (readable, writable) = (channel.is_readable(side), channel.is_writable(side));
            let watch = &mut channel.ends[side].watch;
            self.hosts.note(channel.host, watch, readable, writable);
        }
    }

    /// Closes an end. The other end of a stream is reset if bytes are unread.
    pub(super) fn channel_close(&mut self, (id, side): (Id, Side), was_accepted: bool) {
        let Some(channel) = self.channels.get_mut(id) else { return };
        let host = channel.host;
        let is_unread = channel.queues[1 - side].len() > 0 || !was_accepted;
        let end = &mut channel.ends[side];
        end.is_open = false;
        end.watch.deregister(&mut self.hosts[host].ready);
        if is_unread && !channel.is_pipe {
            channel.ends[1 - side].error = Some(Failure::ConnectionReset);
        }
        channel.queues[1 - side].truncate(0);
        if channel.ends[1 - side].is_open {
            self.note_channel(id);
        } else {
            self.channels.remove(id);
        }
    }

    pub(super) fn channel_register(&mut self, (id, side): (Id, Side), token: usize) {
        let Some(channel) = self.channels.get_mut(id) else { return };
        let is_reader = !channel.is_pipe || side == 1;
        let is_writer = !channel.is_pipe || side == 0;
        let readable = is_reader && channel.is_readable(side);
        let writable = is_writer && channel.is_writable(side);
        let Channel { host, ends, .. } = channel;
        ends[side].watch.register(&self.hosts[*host].ready, token);
        self.hosts.note(*host, &mut ends[side].watch, readable, writable);
    }

    pub(super) fn channel_deregister(&mut self, (id, side): (Id, Side)) {
        let Some(channel) = self.channels.get_mut(id) else { return };
        channel.ends[side].watch.deregister(&mut self.hosts[channel.host].ready);
    }
}
