//! Waiting for any descriptor. Unix.
//!
//! Others may read what it leads to, so an event proves nothing: every wait and every operation
//! first asks poll(2), without waiting. Invariant: a direction that poll(2) found not ready is
//! armed in the selector again before anybody waits for it.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::task::{Context, Poll};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};

use crate::context;
use crate::reactor::Socket;
use crate::source::{Direction, Done, WaiterKey};

/// A descriptor that the loop waits for: a pipe, a terminal, an eventfd, a timerfd, an inotify,
/// another epoll, the socket of a library.
///
/// What [`readable`](AsyncFd::readable) says is a state, not an event: it completes at once, again
/// and again, while something is left to read, whoever leaves it. The descriptor may be blocking or
/// not, and it stays what it is: [`read_with`](AsyncFd::read_with) and its like run an operation
/// only when poll(2) says that it will not wait. (If another process takes the bytes between that
/// answer and the operation, a blocking descriptor does wait, and the loop with it.)
///
/// Any number of tasks may wait. A descriptor can be in one `AsyncFd` at a time; a duplicate of it
/// is another one.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use evloop::io::AsyncFd;
///
/// evloop::block_on(async {
///     let (theirs, mut ours) = UnixStream::pair()?;
///     let theirs = AsyncFd::new(theirs)?;
///     ours.write_all(b"hello")?;
///     theirs.readable().await?;
///     let mut buf = [0; 8];
///     assert_eq!(theirs.read_with(|mut io| io.read(&mut buf)).await?, 5);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[doc(alias = "add_reader")]
#[doc(alias = "add_writer")]
pub struct AsyncFd<T: AsFd> {
    socket: Socket<Watched<T>>,
}

/// What is registered.
struct Watched<T>(T);

impl<T: AsFd> AsyncFd<T> {
    /// Takes a descriptor into the running loop. It is not changed.
    ///
    /// # Errors
    ///
    /// Kind `Unsupported` for what nobody can wait for, as it is always ready: a regular file or a
    /// folder (its work is for a thread: `evloop::fs`), and some devices. `AlreadyExists` if it is
    /// in an `AsyncFd` of this loop already.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub fn new(fd: T) -> io::Result<AsyncFd<T>> {
        let reactor = context::expect("AsyncFd::new").reactor.clone();
        let kind = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        if kind.is_file() || kind.is_dir() {
            return Err(refusal(io::ErrorKind::Unsupported));
        }
        let socket =
            Socket::new(Watched(fd), reactor, true).map_err(|error| match error.kind() {
                // What epoll(7) says of a file or a device that has no readiness.
                io::ErrorKind::PermissionDenied => refusal(io::ErrorKind::Unsupported),
                io::ErrorKind::AlreadyExists => refusal(io::ErrorKind::AlreadyExists),
                _ => error,
            })?;
        Ok(AsyncFd { socket })
    }

    /// Waits until a read would not wait: there is something, or the end, or an error.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.io(Direction::Read, |_| Ok(()))
    }

    /// Waits until a write of some bytes would not wait: there is room, or nobody to read.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.io(Direction::Write, |_| Ok(()))
    }

    /// Runs `read` once the descriptor is readable; again, if it finds nothing (`WouldBlock`).
    ///
    /// # Cancel safety
    ///
    /// `read` has either succeeded or failed, and the result is returned, or it found nothing.
    pub fn read_with<'a, R>(
        &'a self,
        read: impl FnMut(&T) -> io::Result<R> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.io(Direction::Read, read)
    }

    /// Runs `write` once the descriptor is writable; again, if there is no room (`WouldBlock`).
    ///
    /// # Cancel safety
    ///
    /// `write` has either succeeded or failed, and the result is returned, or it did nothing.
    pub fn write_with<'a, R>(
        &'a self,
        write: impl FnMut(&T) -> io::Result<R> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.io(Direction::Write, write)
    }

    /// Runs `op` now, and again if a signal interrupts it. It should not wait: either the
    /// descriptor is non-blocking, or [`readable`](AsyncFd::readable) or
    /// [`writable`](AsyncFd::writable) has just completed.
    ///
    /// # Errors
    ///
    /// Those of `op`.
    pub fn try_io<R>(&self, mut op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        loop {
            match op(self.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// The descriptor.
    pub fn get_ref(&self) -> &T {
        &self.socket.get().0
    }

    /// Takes the descriptor out of the loop.
    ///
    /// # Errors
    ///
    /// What the system says; the descriptor is closed then.
    pub fn into_inner(self) -> io::Result<T> {
        self.socket.into_inner().map(|watched| watched.0)
    }

    fn io<'a, R>(
        &'a self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.socket.io(direction, move |_| self.confirmed(direction, &mut op))
    }

    /// See [`Source::poll_io`](crate::source::Source::poll_io).
    pub(super) fn poll_io<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.socket.poll_io(direction, cx, key, |_| self.confirmed(direction, &mut op))
    }

    /// Gives up a place among the waiters.
    pub(super) fn leave(&self, direction: Direction, key: &mut WaiterKey) {
        self.socket.leave(direction, key);
    }

    /// Runs `op` if poll(2) says so. Otherwise `WouldBlock`, and an event is to come.
    fn confirmed<R>(
        &self,
        direction: Direction,
        op: &mut impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<Done<R>> {
        let result = match is_ready(self.get_ref(), direction)? {
            true => op(self.get_ref()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        };
        if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.socket.rearm(SourceFd(&self.get_ref().as_fd().as_raw_fd()))?;
        }
        // Whether an operation took all that is there is its own affair.
        result.map(|value| Done { value, short: false })
    }
}

/// What poll(2) says of a descriptor now.
fn is_ready(fd: impl AsFd, direction: Direction) -> io::Result<bool> {
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let flags = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    let mut fds = [PollFd::new(&fd, flags)];
    poll(&mut fds, Some(&NOW))?;
    let found = fds[0].revents();
    if found.contains(PollFlags::NVAL) {
        return Err(rustix::io::Errno::BADF.into());
    }
    Ok(found.intersects(flags | PollFlags::HUP | PollFlags::ERR))
}

fn refusal(kind: io::ErrorKind) -> io::Error {
    let sentence = match kind {
        io::ErrorKind::AlreadyExists => {
            "this descriptor is in an AsyncFd already: share that one, or duplicate the descriptor"
        }
        _ => "nobody can wait for this descriptor, it is always ready: for files, use evloop::fs",
    };
    io::Error::new(kind, sentence)
}

impl<T: AsFd> event::Source for Watched<T> {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).deregister(registry)
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(self.get_ref()).finish()
    }
}
