//! Sending and receiving descriptors through Unix sockets. Layer L4.
//!
//! Invariant: a received descriptor is either in the caller's vector or closed.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, recvmsg, sendmsg,
};

use super::messages::{DatagramIo, check_truncated, explain_send};
use super::system;
use super::transport::{StreamIo, done};
use super::unix_datagram::UnixDatagram;
use super::unix_stream::UnixStream;
use crate::reactor::Direction;
use crate::sys::{self, NO_SIGNAL};
use crate::world;

/// The most descriptors in one message: SCM_MAX_FD of Linux. Other systems allow as many or fewer.
const DESCRIPTORS_MAX: usize = 253;

/// The name of these operations, for errors.
const FDS: &str = "a message with descriptors";

/// Descriptors in messages (SCM_RIGHTS).
impl UnixStream {
    /// Writes a part of `buf`, and sends duplicates of the descriptors `fds` with its first byte.
    ///
    /// Returns the number of bytes, at least one. All descriptors are sent then; the rest of the
    /// bytes is sent with [`write_all`](UnixStream::write_all). The receiver gets the descriptors
    /// with [`recv_with_fds`](UnixStream::recv_with_fds); a plain read of these bytes closes them.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `buf` is empty and `fds` is not, or if there are more than 253
    /// descriptors. The errors of [`write`](UnixStream::write) otherwise.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    ///
    /// ```
    /// use evloop::net::UnixStream;
    /// use evloop::net::pipe::{self, Sender};
    /// use std::os::fd::AsFd;
    ///
    /// evloop::block_on(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     let (sender, receiver) = pipe::pair()?;
    ///     one.send_with_fds(b"x", &[sender.as_fd()]).await?;
    ///     drop(sender);
    ///     let mut fds = Vec::new();
    ///     assert_eq!(other.recv_with_fds(&mut [0; 8], &mut fds).await?, 1);
    ///     Sender::from_fd(fds.remove(0))?.write_all(b"hello").await?;
    ///     let mut buf = [0; 8];
    ///     assert_eq!(receiver.read(&mut buf).await?, 5);
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias("send_fds", "sendmsg", "SCM_RIGHTS"))]
    pub async fn send_with_fds(&self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if buf.is_empty() && !fds.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "descriptors are sent with a byte of the stream: send at least one byte",
            ));
        }
        check_number(fds)?;
        world::check_outside(FDS)?;
        self.end.io(Direction::Write, |io| done(StreamIo::try_io(io, || send(io, buf, fds)))).await
    }

    /// Reads the available bytes into `buf`, and appends the descriptors that were sent with them
    /// to `fds`.
    ///
    /// Returns the number of bytes; 0 means the end of the stream. The bytes of two messages with
    /// descriptors are not mixed: the read ends after the bytes of the first (Linux). The
    /// descriptors are closed when the process starts another program (close-on-exec).
    ///
    /// # Errors
    ///
    /// Kind `InvalidData` if the system has discarded descriptors: the process has no descriptor
    /// left, or the message held more than 253. The descriptors that arrived are closed. The bytes
    /// are in `buf`, but their number is lost.
    ///
    /// # Cancel safety
    ///
    /// Nothing is received if the future is dropped before it completes.
    #[doc(alias("recv_fds", "recvmsg", "recvmsg_into", "SCM_RIGHTS"))]
    pub async fn recv_with_fds(&self, buf: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
        world::check_outside(FDS)?;
        let op = |io: &system::UnixStream| done(StreamIo::try_io(io, || receive(io, buf, fds)));
        self.end.io(Direction::Read, op).await.map(|received| received.0)
    }
}

/// Descriptors in messages (SCM_RIGHTS).
impl UnixDatagram {
    /// Sends a datagram with duplicates of the descriptors `fds` to the address that the socket is
    /// connected to; see [`UnixStream::send_with_fds`].
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if there are more than 253 descriptors. The errors of
    /// [`send`](UnixDatagram::send) otherwise.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent if the future is dropped before it completes.
    pub async fn send_with_fds(&self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        check_number(fds)?;
        world::check_outside(FDS)?;
        let op = |io: &system::UnixDatagram| done(DatagramIo::try_io(io, || send(io, buf, fds)));
        self.end.io(Direction::Write, op).await.map_err(|error| explain_send(buf.len(), error))
    }

    /// Receives a datagram into `buf`, and appends the descriptors that were sent with it to `fds`;
    /// see [`UnixStream::recv_with_fds`].
    ///
    /// # Errors
    ///
    /// [`Truncated`](super::Truncated) if the datagram is longer than `buf`, and kind `InvalidData`
    /// if the system has discarded descriptors. The descriptors that arrived are closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is received if the future is dropped before it completes.
    pub async fn recv_with_fds(&self, buf: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let (capacity, before) = (buf.len(), fds.len());
        world::check_outside(FDS)?;
        let op = |io: &system::UnixDatagram| done(DatagramIo::try_io(io, || receive(io, buf, fds)));
        let (length, is_truncated) = self.end.io(Direction::Read, op).await?;
        check_truncated(length, is_truncated, capacity).inspect_err(|_| fds.truncate(before))
    }
}

fn check_number(fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if fds.len() <= DESCRIPTORS_MAX {
        return Ok(());
    }
    let sentence = format!(
        "{} descriptors are too many for one message: send at most {DESCRIPTORS_MAX} at once",
        fds.len()
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
}

fn send(socket: impl AsFd, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        let is_pushed = control.push(SendAncillaryMessage::ScmRights(fds));
        debug_assert!(is_pushed, "the buffer holds DESCRIPTORS_MAX descriptors");
    }
    Ok(sendmsg(socket, &[IoSlice::new(buf)], &mut control, NO_SIGNAL)?)
}

/// Returns the number of bytes, and whether a datagram was truncated to `buf`.
fn receive(socket: impl AsFd, buf: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<(usize, bool)> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let bufs = &mut [IoSliceMut::new(buf)];
    let received = recvmsg(socket, bufs, &mut control, sys::CLOSE_ON_EXEC)?;
    if received.flags.contains(ReturnFlags::CTRUNC) {
        // Dropping `control` closes the descriptors that arrived.
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the system has discarded descriptors of this message: the limit of open files may be \
             reached, or the sender sent too many at once",
        ));
    }
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received.map(sys::with_close_on_exec));
        }
    }
    Ok((received.bytes, received.flags.contains(ReturnFlags::TRUNC)))
}
