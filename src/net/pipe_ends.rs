//! The two ends of a pipe. Unix only. Layer L4.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
#[cfg(feature = "process")]
use std::rc::Rc;

use rustix::fs::{FileType, fstat};

use super::endpoint::Endpoint;
use super::pipe_transfer::{ReadEnd, WriteEnd};
use super::system::{PipeReceiver, PipeSender};
use crate::context::{self, Context};
#[cfg(feature = "process")]
use crate::reactor::Reactor;
use crate::reactor::{Direction, Done, Source};
use crate::sys;
use crate::world;

/// The read end of a pipe.
///
/// It belongs to the event loop that was running when it was made. Dropping it closes it. A write
/// to the other end then returns an error of kind `BrokenPipe`, or raises
/// [SIGPIPE](Sender#sigpipe).
pub struct Receiver {
    pub(super) end: Endpoint<PipeReceiver>,
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
    pub(super) end: Endpoint<PipeSender>,
}

impl Receiver {
    /// Registers the end of a new pipe to a child process. No other process holds this end.
    #[cfg(feature = "process")]
    pub(crate) fn of_child(fd: impl Into<OwnedFd>, reactor: &Rc<Reactor>) -> io::Result<Receiver> {
        world::check_outside("a child process")?;
        let io = PipeReceiver::from(sys::with_nonblocking(fd.into(), true)?);
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
        self.end.io(Direction::Read, |io| io.read(buf))
    }

    /// Reads into several buffers at once, as [`read`](Receiver::read) does.
    ///
    /// # Cancel safety
    ///
    /// Nothing is read if the future is dropped before it completes.
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.end.io(Direction::Read, |io| io.read_vectored(bufs)).await
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
            let is_at_end = self.end.get().is_at_end().unwrap_or(false);
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
        self.end.get().read(buf)
    }
}

impl Sender {
    /// Registers the end of a new pipe to a child process. No other process holds this end.
    #[cfg(feature = "process")]
    pub(crate) fn of_child(fd: impl Into<OwnedFd>, reactor: &Rc<Reactor>) -> io::Result<Sender> {
        world::check_outside("a child process")?;
        let io = PipeSender::from(sys::with_nonblocking(fd.into(), true)?);
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
        self.end.io(Direction::Write, |io| io.write(buf))
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
        self.end.io(Direction::Write, |io| io.write_vectored(bufs)).await
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
        self.end.write_all(buf, |io, rest| io.write(rest))
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
        self.end.write_all(buf, |io, rest| io.write(rest))
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
