//! The two ends of a pipe. Unix only. Layer L4.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::{AsFd, OwnedFd};
#[cfg(feature = "process")]
use std::rc::Rc;

use mio::unix::pipe;
use rustix::fs::{FileType, fstat};
use rustix::io::ioctl_fionread;

use super::endpoint::Endpoint;
use super::transport::{done, done_bytes};
use crate::context::{self, Context};
use crate::io::state;
#[cfg(feature = "process")]
use crate::reactor::Reactor;
use crate::reactor::{Direction, Done, Source};
use crate::sys;

/// The read end of a pipe.
///
/// It belongs to the event loop that was running when it was made. Dropping it closes it. A write
/// to the other end then returns an error of kind `BrokenPipe`, or raises
/// [SIGPIPE](Sender#sigpipe).
pub struct Receiver {
    pub(super) end: Endpoint<pipe::Receiver>,
}

/// The write end of a pipe.
///
/// It belongs to the event loop that was running when it was made. Dropping it closes it. The
/// reader still reads all bytes that were written, and then the end of the stream. Dropping is the
/// only way to end the stream: `poll_close` of `AsyncWrite` does nothing.
///
/// # SIGPIPE
///
/// A write returns `BrokenPipe` if the read end is closed. On Linux 6.18 and later it raises no
/// signal. On other systems it raises SIGPIPE. Rust programs ignore this signal by default; it ends
/// a program that has restored the system's default action.
pub struct Sender {
    pub(super) end: Endpoint<pipe::Sender>,
}

impl Receiver {
    /// Registers the end of a new pipe to a child process. No other process holds this end.
    #[cfg(feature = "process")]
    pub(crate) fn of_child(fd: impl Into<OwnedFd>, reactor: &Rc<Reactor>) -> io::Result<Receiver> {
        let io = pipe::Receiver::from(fd.into());
        io.set_nonblocking(true)?;
        Ok(Receiver { end: Endpoint::register(io, reactor)? })
    }

    /// Registers an end of a pipe or FIFO with the running loop, and makes it non-blocking.
    ///
    /// The duplicates of the descriptor share the mode, also in other processes: they become
    /// non-blocking too.
    ///
    /// A FIFO may be opened before its first writer, with
    /// [`OpenOptions`](super::pipe::OpenOptions): a read then waits for that writer. After the last
    /// writer closes, reads return the end of the stream; [`reopened`](Receiver::reopened) waits
    /// for the next writer.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `fd` is not a pipe.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias("connect_read_pipe", "from_file", "from_owned_fd"))]
    #[track_caller]
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Receiver> {
        let context = context::expect("pipe::Receiver::from_fd");
        Receiver::register(check_pipe(fd.into())?, &context)
    }

    pub(super) fn register(fd: OwnedFd, context: &Context) -> io::Result<Receiver> {
        Ok(Receiver { end: Endpoint::from_std(fd, &context.reactor)? })
    }

    /// Deregisters the end from the loop, and returns it in its original mode, blocking or not.
    #[doc(alias("into_blocking_fd", "into_nonblocking_fd"))]
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        self.end.into_std()
    }

    /// Reads the available bytes into `buf`, and waits until there is at least one.
    ///
    /// A count of 0 means the end of the stream: every write end is closed. With an empty `buf`,
    /// the count is 0 as soon as the pipe is readable.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Read, |io| read(io, buf))
    }

    /// Reads into several buffers at once, as [`read`](Receiver::read) does.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.io(Direction::Read, |io| read_vectored(io, bufs)).await
    }

    /// Reads until `buf` is full.
    ///
    /// # Errors
    ///
    /// Kind `UnexpectedEof` if the pipe ends before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the bytes read so far are in `buf`, but their count is lost.
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read(&mut buf[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        Ok(())
    }

    /// Waits while a FIFO is at the end of its stream: until the next writer writes. Completes at
    /// once if a writer has opened the FIFO already.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    ///
    /// ```no_run
    /// use evloop::net::pipe::OpenOptions;
    ///
    /// evloop::block_on(async {
    ///     let commands = OpenOptions::new().open_receiver("/run/commands")?;
    ///     let mut buf = [0; 4096];
    ///     loop {
    ///         match commands.read(&mut buf).await? {
    ///             0 => commands.reopened().await?,
    ///             n => println!("{:?}", &buf[..n]),
    ///         }
    ///     }
    ///     # #[expect(unreachable_code)]
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    pub fn reopened(&self) -> impl Future<Output = io::Result<()>> {
        let source = self.end.socket.source();
        source.until(Direction::Read, move || {
            // The next read reports an error.
            let is_at_end = is_at_end(self).unwrap_or(false);
            // Where mio emulates edges, no event reports the next writer: the wait ends by a timer.
            if is_at_end {
                source.set_unwatched(Direction::Read);
            }
            !is_at_end
        })
    }

    /// Returns the registration, for callers inside the crate with an operation of their own.
    pub(crate) fn source(&self) -> &Source {
        self.end.socket.source()
    }

    /// Reads once without waiting.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        read(self.end.get(), buf)
    }
}

impl Sender {
    /// Registers the end of a new pipe to a child process. No other process holds this end.
    #[cfg(feature = "process")]
    pub(crate) fn of_child(fd: impl Into<OwnedFd>, reactor: &Rc<Reactor>) -> io::Result<Sender> {
        let io = pipe::Sender::from(fd.into());
        io.set_nonblocking(true)?;
        Ok(Sender { end: Endpoint::register(io, reactor)? })
    }

    /// Registers an end of a pipe or FIFO with the running loop, and makes it non-blocking.
    ///
    /// The duplicates of the descriptor share the mode, also in other processes: they become
    /// non-blocking too.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `fd` is not a pipe.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias("connect_write_pipe", "from_file", "from_owned_fd"))]
    #[track_caller]
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Sender> {
        let context = context::expect("pipe::Sender::from_fd");
        Sender::register(check_pipe(fd.into())?, &context)
    }

    pub(super) fn register(fd: OwnedFd, context: &Context) -> io::Result<Sender> {
        Ok(Sender { end: Endpoint::from_std(fd, &context.reactor)? })
    }

    /// Deregisters the end from the loop, and returns it in its original mode, blocking or not.
    #[doc(alias("into_blocking_fd", "into_nonblocking_fd"))]
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        self.end.into_std()
    }

    /// Writes a part of `buf`, and returns the number of bytes: at least one, unless `buf` is
    /// empty.
    ///
    /// # Errors
    ///
    /// Kind `BrokenPipe` if every read end is closed; see [SIGPIPE](Sender#sigpipe).
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Write, |io| write(io, buf))
    }

    /// Writes a part of several buffers at once.
    ///
    /// # Errors
    ///
    /// As [`write`](Sender::write).
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.end.io(Direction::Write, |io| write_vectored(io, bufs)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Sender::write).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the number of bytes written is lost. See
    /// [`write_all_buf`](Sender::write_all_buf).
    pub fn write_all(&self, buf: &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, write)
    }

    /// Writes all of `buf`, and advances it past the bytes that were written.
    ///
    /// # Errors
    ///
    /// As [`write`](Sender::write).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, `buf` holds the bytes not written yet.
    pub fn write_all_buf(&self, buf: &mut &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, write)
    }
}

/// Returns an error if `fd` is not a pipe. Other files may always be ready, or return short counts
/// with another meaning.
pub(super) fn check_pipe(fd: OwnedFd) -> io::Result<OwnedFd> {
    match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
        FileType::Fifo => Ok(fd),
        other => {
            let sentence = format!("the descriptor is not a pipe: {other:?}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
        }
    }
}

/// A short count does not mean that the pipe is empty: with O_DIRECT each write is a packet of its
/// own.
pub(super) fn read(mut io: &pipe::Receiver, buf: &mut [u8]) -> io::Result<Done<usize>> {
    let can_fill = !buf.is_empty();
    done(io.try_io(|| check_end(io, can_fill, (&mut io).read(buf))))
}

pub(super) fn read_vectored(
    mut io: &pipe::Receiver,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<Done<usize>> {
    let can_fill = bufs.iter().any(|buf| !buf.is_empty());
    done(io.try_io(|| check_end(io, can_fill, (&mut io).read_vectored(bufs))))
}

/// Turns a read of 0 bytes into `WouldBlock` while no writer has opened the FIFO yet. The first one
/// may open it and write after that read: then the bytes are read next.
fn check_end(io: &pipe::Receiver, can_fill: bool, result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) if can_fill && !is_at_end(io)? => Err(io::ErrorKind::WouldBlock.into()),
        result => result,
    }
}

/// Returns whether all writers have closed the pipe, and no byte is left. A FIFO without a writer
/// is not readable before the first one.
fn is_at_end(pipe: impl AsFd) -> io::Result<bool> {
    // An unchecked file may not report the number of its bytes: then its read of 0 is the end.
    Ok(state(&pipe)?.is_readable() && ioctl_fionread(&pipe).unwrap_or(0) == 0)
}

pub(super) fn write(io: &pipe::Sender, buf: &[u8]) -> io::Result<Done<usize>> {
    done_bytes(sys::write_pipe(io, &[IoSlice::new(buf)]), buf.len())
}

pub(super) fn write_vectored(io: &pipe::Sender, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>> {
    done(sys::write_pipe(io, bufs))
}
