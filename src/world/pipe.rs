//! A pipe as a program has it.

use std::io::{self, IoSlice, IoSliceMut};
use std::rc::Rc;

use super::channel::Channel;
use super::channel_io::{ChannelIo, read_vectored};
use super::handle::own;

/// The end of a pipe that is written to.
#[derive(Debug)]
pub struct PipeSender(ChannelIo);

/// The end of a pipe that is read from.
#[derive(Debug)]
pub struct PipeReceiver(ChannelIo);

/// Makes a pipe of the current host.
pub(crate) fn pipe() -> io::Result<(PipeSender, PipeReceiver)> {
    let (world, own) = own()?;
    let id = world.state.borrow_mut().channels.insert(Channel::pipe(own));
    let end = |side| ChannelIo { world: Rc::clone(&world), end: (id, side) };
    Ok((PipeSender(end(0)), PipeReceiver(end(1))))
}

impl PipeSender {
    /// A write of at most 4,096 bytes moves whole or not at all.
    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(&[buf])
    }

    pub(crate) fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write(&bufs.iter().map(|buf| &**buf).collect::<Vec<_>>())
    }

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        self.0.register(token);
    }

    pub(crate) fn deregister(&self) {
        self.0.deregister();
    }
}

impl PipeReceiver {
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }

    pub(crate) fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        read_vectored(bufs, |buf| self.read(buf))
    }

    /// From now on `take_events` reports the readiness with this token; the present one first.
    pub(crate) fn register(&self, token: usize) {
        self.0.register(token);
    }

    pub(crate) fn deregister(&self) {
        self.0.deregister();
    }
}
