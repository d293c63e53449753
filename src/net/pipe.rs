//! The two ends of a pipe. Unix.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::OwnedFd;
#[cfg(feature = "process")]
use std::rc::Rc;
use std::task::{Context, Poll};

use mio::unix::pipe;
use rustix::fs::{FileType, fstat};
use rustix::io::ioctl_fionread;

use super::endpoint::Endpoint;
use super::transport::{counted, whole};
use crate::context;
use crate::io::{Interest, state};
#[cfg(feature = "process")]
use crate::reactor::Reactor;
use crate::reactor::{Direction, Done, Socket, Source};
use crate::sys;

/// The end of a pipe that is read.
///
/// It belongs to the loop that was running when it was made. Dropping it closes it; who writes to
/// the other end then gets an error of kind `BrokenPipe`, or [SIGPIPE](Sender#sigpipe).
pub struct Receiver {
    pub(super) end: Endpoint<pipe::Receiver>,
}

/// The end of a pipe that is written to.
///
/// It belongs to the loop that was running when it was made. Dropping it closes it, also if nobody
/// has read yet what was written: nothing of that is lost. That is the only way to end what the
/// other side reads; `AsyncWrite`'s `poll_close` does nothing.
///
/// # SIGPIPE
///
/// A write that nobody will read returns `BrokenPipe`. On Linux 6.18 and later it raises no signal.
/// On other systems it raises SIGPIPE: Rust programs ignore it from the beginning, and it ends a
/// program that has restored the default.
pub struct Sender {
    pub(super) end: Endpoint<pipe::Sender>,
}

/// A pipe, in the running loop.
///
/// # Errors
///
/// If no descriptor is left.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let (sender, receiver) = evloop::net::pipe::pair()?;
///     sender.write_all(b"hello").await?;
///     drop(sender);
///     let mut buf = [0; 10];
///     assert_eq!(receiver.read(&mut buf).await?, 5);
///     assert_eq!(receiver.read(&mut buf).await?, 0);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn pair() -> io::Result<(Sender, Receiver)> {
    let reactor = context::expect("pipe::pair").reactor.clone();
    let (sender, receiver) = pipe::new()?;
    let sender = Endpoint::new(Socket::new(sender, reactor.clone(), true)?);
    let receiver = Endpoint::new(Socket::new(receiver, reactor, true)?);
    Ok((Sender { end: sender }, Receiver { end: receiver }))
}

impl Receiver {
    /// The end of a pipe that was just made for a child of this process: nobody else has it.
    #[cfg(feature = "process")]
    pub(crate) fn of_child(fd: impl Into<OwnedFd>, reactor: &Rc<Reactor>) -> io::Result<Receiver> {
        let io = pipe::Receiver::from(fd.into());
        io.set_nonblocking(true)?;
        Ok(Receiver { end: Endpoint::new(Socket::new(io, reactor.clone(), true)?) })
    }

    /// Takes an end of a pipe or FIFO into the running loop, and makes it non-blocking: for
    /// everybody who has it, the end being shared with its duplicates.
    ///
    /// A FIFO that was opened before any writer (O_NONBLOCK) waits for the first one. After the
    /// last one it is at its end; [`reopened`](Receiver::reopened) waits for the next.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if it is no pipe.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "connect_read_pipe")]
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Receiver> {
        let end = Endpoint::from_std(checked(fd.into())?, "pipe::Receiver::from_fd")?;
        Ok(Receiver { end })
    }

    /// Takes the end out of the loop, blocking or not as it came into it.
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        self.end.into_std()
    }

    /// Reads what is there, at least a byte; 0 bytes mean that nobody has the other end any more,
    /// or, once something is there, that `buf` is empty.
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

    /// Fills `buf`.
    ///
    /// # Errors
    ///
    /// Kind `UnexpectedEof` if the pipe ends before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read so far is in `buf`, but how much is not told.
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

    /// Waits until a read may give something, as far as is known.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Read)
    }

    /// The same as a `poll_` method. At most one task waits in it and in `AsyncRead`: the last that
    /// polled.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Read, cx)
    }

    /// Waits while a FIFO is at its end: until the next writer has written, or, if one has opened
    /// it already, not at all.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    ///
    /// ```no_run
    /// use evloop::net::pipe::Receiver;
    /// use rustix::fs::{Mode, OFlags, open};
    ///
    /// evloop::block_on(async {
    ///     let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    ///     let commands = Receiver::from_fd(open("/run/commands", flags, Mode::empty())?)?;
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
        source.until(Direction::Read, || {
            // An error is left to the next read.
            let is_at_end = self.is_at_end().unwrap_or(false);
            if is_at_end {
                source.set_unwatched(Direction::Read);
            }
            !is_at_end
        })
    }

    fn is_at_end(&self) -> io::Result<bool> {
        Ok(state(self)?.is_readable() && ioctl_fionread(self)? == 0)
    }

    /// Reads what is there without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if nothing is there.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Read, |io| read(io, buf))
    }

    /// Runs an operation of the caller's own on the descriptor; see
    /// [`Connection::try_io`](super::Connection::try_io).
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.try_io(interest, |io| io.try_io(&mut op))
    }

    /// The registration, for who brings its own operation to the funnel.
    pub(crate) fn source(&self) -> &Source {
        self.end.socket.source()
    }

    /// One bare read, which is such an operation.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<Done<usize>> {
        read(self.end.get(), buf)
    }
}

impl Sender {
    /// The end of a pipe that was just made for a child of this process: nobody else has it.
    #[cfg(feature = "process")]
    pub(crate) fn of_child(fd: impl Into<OwnedFd>, reactor: &Rc<Reactor>) -> io::Result<Sender> {
        let io = pipe::Sender::from(fd.into());
        io.set_nonblocking(true)?;
        Ok(Sender { end: Endpoint::new(Socket::new(io, reactor.clone(), true)?) })
    }

    /// Takes an end of a pipe or FIFO into the running loop, and makes it non-blocking: for
    /// everybody who has it, the end being shared with its duplicates.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if it is no pipe.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "connect_write_pipe")]
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<Sender> {
        let end = Endpoint::from_std(checked(fd.into())?, "pipe::Sender::from_fd")?;
        Ok(Sender { end })
    }

    /// Takes the end out of the loop, blocking or not as it came into it.
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        self.end.into_std()
    }

    /// Writes some of `buf`, at least a byte unless it is empty.
    ///
    /// # Errors
    ///
    /// Kind `BrokenPipe` if nobody has the other end any more; see [SIGPIPE](Sender#sigpipe).
    ///
    /// # Cancel safety
    ///
    /// Nothing is written if the future is dropped before it completes.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.end.io(Direction::Write, |io| write(io, buf))
    }

    /// Writes some of several buffers at once.
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
    /// Not cancel safe: how much was written is not told. See
    /// [`write_all_buf`](Sender::write_all_buf).
    pub fn write_all(&self, buf: &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, write)
    }

    /// Writes all of `buf`, and moves its begin along with what was written.
    ///
    /// # Errors
    ///
    /// As [`write`](Sender::write).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, `buf` is what is left to write.
    pub fn write_all_buf(&self, buf: &mut &[u8]) -> impl Future<Output = io::Result<()>> {
        self.end.write_all(buf, write)
    }

    /// Waits until a write may take something, as far as is known.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.end.socket.ready(Direction::Write)
    }

    /// The same as a `poll_` method. At most one task waits in it and in `AsyncWrite`: the last
    /// that polled.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.poll_ready(Direction::Write, cx)
    }

    /// Writes what the pipe takes without waiting.
    ///
    /// # Errors
    ///
    /// Kind `WouldBlock` if it takes nothing; else as [`write`](Sender::write).
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.end.socket.attempt(Direction::Write, |io| write(io, buf))
    }

    /// Runs an operation of the caller's own on the descriptor; see
    /// [`Connection::try_io`](super::Connection::try_io).
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.try_io(interest, |io| io.try_io(&mut op))
    }
}

/// What is no pipe may be ready without end, or say by a short count something else.
fn checked(fd: OwnedFd) -> io::Result<OwnedFd> {
    match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
        FileType::Fifo => Ok(fd),
        other => {
            let sentence = format!("a pipe is needed, and this is none: {other:?}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
        }
    }
}

/// A short count says nothing: who writes may have made each write a packet of its own (O_DIRECT).
pub(super) fn read(mut io: &pipe::Receiver, buf: &mut [u8]) -> io::Result<Done<usize>> {
    let is_asked = !buf.is_empty();
    whole(io.try_io(|| confirmed(io, is_asked, (&mut io).read(buf))))
}

pub(super) fn read_vectored(
    mut io: &pipe::Receiver,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<Done<usize>> {
    let is_asked = bufs.iter().any(|buf| !buf.is_empty());
    whole(io.try_io(|| confirmed(io, is_asked, (&mut io).read_vectored(bufs))))
}

/// A read of no bytes is the end, unless poll(2) knows of none: then nobody has opened the FIFO for
/// writing yet.
fn confirmed(io: &pipe::Receiver, is_asked: bool, result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) if is_asked && !state(io)?.is_readable() => Err(io::ErrorKind::WouldBlock.into()),
        result => result,
    }
}

pub(super) fn write(io: &pipe::Sender, buf: &[u8]) -> io::Result<Done<usize>> {
    counted(sys::write_pipe(io, &[IoSlice::new(buf)]), buf.len())
}

pub(super) fn write_vectored(io: &pipe::Sender, bufs: &[IoSlice<'_>]) -> io::Result<Done<usize>> {
    whole(sys::write_pipe(io, bufs))
}
