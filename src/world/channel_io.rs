//! One end of a channel, and reads that all streams share.

use std::io::{self, IoSliceMut};
use std::net::Shutdown;
use std::rc::Rc;

use super::channel::Channel;
use super::failure::Failure;
use super::handle::World;
use super::table::Id;
use super::tcp_flow::Side;

/// An end of a channel. Dropping it closes the end.
#[derive(Debug)]
pub(super) struct ChannelIo {
    pub(super) world: Rc<World>,
    pub(super) end: (Id, Side),
}

impl ChannelIo {
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().channel_read(self.end, buf, false)?)
    }

    pub(super) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().channel_read(self.end, buf, true)?)
    }

    pub(super) fn write(&self, bufs: &[&[u8]]) -> io::Result<usize> {
        Ok(self.world.state.borrow_mut().channel_write(self.end, bufs)?)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        Ok(self.world.state.borrow_mut().channel_shutdown(self.end, how)?)
    }

    pub(super) fn register(&self, token: usize) {
        self.world.state.borrow_mut().channel_register(self.end, token);
    }

    pub(super) fn deregister(&self) {
        self.world.state.borrow_mut().channel_deregister(self.end);
    }

    /// Returns the number of bytes that a read finds.
    pub(super) fn unread(&self) -> io::Result<usize> {
        self.with(|channel, side| channel.queues[1 - side].len())
    }

    pub(super) fn with<R>(&self, access: impl FnOnce(&mut Channel, Side) -> R) -> io::Result<R> {
        let state = &mut *self.world.state.borrow_mut();
        let channel = state.channels.get_mut(self.end.0).ok_or(Failure::NetworkDown)?;
        Ok(access(channel, self.end.1))
    }
}

impl Drop for ChannelIo {
    fn drop(&mut self) {
        self.world.state.borrow_mut().channel_close(self.end, true);
    }
}

/// Reads into the buffers until one is not filled.
pub(super) fn read_vectored(
    bufs: &mut [IoSliceMut<'_>],
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut total = 0;
    for buf in bufs.iter_mut().filter(|buf| !buf.is_empty()) {
        match read(buf) {
            Ok(n) if n == buf.len() => total += n,
            Ok(n) => return Ok(total + n),
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// Reads into the spare capacity of `buf`, of which `available` bytes are needed: to zero a large
/// capacity for a few bytes would cost.
pub(super) fn read_into(
    buf: &mut Vec<u8>,
    available: usize,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let (length, spare) = (buf.len(), buf.capacity() - buf.len());
    if spare == 0 {
        return Ok(0);
    }
    // One byte at least: a read of no byte would not report the end.
    buf.resize(length + spare.min(available.max(1)), 0);
    let result = read(&mut buf[length..]);
    buf.truncate(length + *result.as_ref().unwrap_or(&0));
    result
}
