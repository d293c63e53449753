//! Waiting for any descriptor. Unix.
//!
//! Others may read what it leads to, so an event proves nothing: every wait and every operation
//! first asks poll(2), without waiting. Where poll(2) and the operation contradict each other, the
//! next event decides. Invariant: an event is to come for what was found not ready; where edges are
//! emulated the selector is armed again for it, or the operation is tried again after a pause.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll, ready};

use rustix::fs::{FileType, fstat};

use super::interest::Interest;
use super::watched::{self, Watched};
use crate::context;
use crate::current::budget;
use crate::reactor::{Direction, Done, Polled, Socket, Waiter, WaiterKey};

/// A descriptor that the loop waits for: a pipe, a terminal, an eventfd, a timerfd, an inotify,
/// another epoll, the socket of a library.
///
/// What [`readable`](AsyncFd::readable) says is a state, not an event: it completes at once, again
/// and again, while something is left to read, whoever leaves it. The descriptor may be blocking or
/// not, and it stays what it is: [`read_with`](AsyncFd::read_with) and its like run an operation
/// only when poll(2) says that it will not wait. (If another process takes the bytes between that
/// answer and the operation, a blocking descriptor does wait, and the loop with it.)
///
/// A descriptor may stay in error or hung up: a UDP socket with an entry in its error queue, a FIFO
/// after its last writer. Then poll(2) reports it ready. An operation that returns `WouldBlock` all
/// the same, in `read_with`, `write_with` or [`try_io`](AsyncFd::try_io), waits for the next event.
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
    /// Of a file, which reports a change once: what was reported and not yet returned by `ready`.
    /// `None`: poll(2) goes on reporting.
    changes: Option<Cell<Interest>>,
    /// The places of the `poll_` methods among the waiters.
    polled: Polled,
}

impl<T: AsFd> AsyncFd<T> {
    /// Takes a descriptor into the running loop, for reading and writing. It is not changed.
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
    #[track_caller]
    pub fn new(fd: T) -> io::Result<AsyncFd<T>> {
        AsyncFd::with_interest(fd, Interest::READABLE | Interest::WRITABLE)
    }

    /// Takes a descriptor into the running loop, for the states of `interest`. It is not changed.
    ///
    /// With `PRIORITY` or `ERROR`, it may be a file of the system's that reports its changes, as
    /// `/proc/self/mountinfo` or an attribute of sysfs does (Linux); [`ready`](AsyncFd::ready)
    /// returns each change once.
    ///
    /// # Errors
    ///
    /// As [`new`](AsyncFd::new).
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    ///
    #[cfg_attr(any(target_os = "linux", target_os = "android"), doc = "```")]
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), doc = "```ignore")]
    /// use evloop::io::{AsyncFd, Interest};
    /// use evloop::time::timeout;
    /// use std::fs::File;
    /// use std::time::Duration;
    ///
    /// evloop::block_on(async {
    ///     let mounts = File::open("/proc/self/mountinfo")?;
    ///     let mounts = AsyncFd::with_interest(mounts, Interest::PRIORITY)?;
    ///     let changed = timeout(Duration::from_millis(1), mounts.ready(Interest::PRIORITY));
    ///     println!("changed: {}", changed.await.is_ok());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn with_interest(fd: T, interest: Interest) -> io::Result<AsyncFd<T>> {
        let reactor = context::expect("making an AsyncFd").reactor.clone();
        let kind = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        let is_file = kind.is_file() || kind.is_dir();
        if is_file && interest.special() == Interest::NOTHING {
            return Err(watched::refusal(io::ErrorKind::Unsupported));
        }
        let watched = Watched { fd, interest };
        let socket = Socket::new(watched, reactor, true).map_err(|error| match error.kind() {
            // What epoll(7) says of a file or a device that has no readiness.
            io::ErrorKind::PermissionDenied => watched::refusal(io::ErrorKind::Unsupported),
            io::ErrorKind::AlreadyExists => watched::refusal(io::ErrorKind::AlreadyExists),
            _ => error,
        })?;
        let changes = is_file.then_some(Cell::new(Interest::NOTHING));
        Ok(AsyncFd { socket, changes, polled: Polled::default() })
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

    /// The same as [`readable`](AsyncFd::readable), as a `poll_` method. At most one task waits in
    /// it: the last that polled.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_state(cx, Direction::Read)
    }

    /// The same as [`writable`](AsyncFd::writable), as a `poll_` method. At most one task waits in
    /// it: the last that polled.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_state(cx, Direction::Write)
    }

    /// Waits until one of the states of `interest` is there, and returns those that are.
    ///
    /// `PRIORITY` and `ERROR` are waited for alone, whatever there is to read: for urgent data and
    /// the changes of files, for the error queue of a socket. They too are states, but for a file's
    /// changes; each of those is returned once.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a state that the `AsyncFd` was not made for.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Interest>> + '_ {
        use Direction::{Read, Write};
        let mut places = [Read, Write, Read].map(|side| self.socket.source().waiter(side));
        poll_fn(move |cx| {
            let [read, write, special] = &mut places;
            let mut found = Interest::NOTHING;
            let mut is_ready = |side, waiter: &mut Waiter<'_>| {
                let polled = waiter.poll_io(cx, || self.confirmed(side, &mut |_| Ok(())))?;
                io::Result::Ok(polled.is_ready())
            };
            if interest.is_readable() && is_ready(Read, read)? {
                found = found | Interest::READABLE;
            }
            if interest.is_writable() && is_ready(Write, write)? {
                found = found | Interest::WRITABLE;
            }
            if let Poll::Ready(states) = self.poll_special(cx, interest.special(), special)? {
                found = found | states;
            }
            if found == Interest::NOTHING { Poll::Pending } else { Poll::Ready(Ok(found)) }
        })
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
    /// `interest` says what `op` waits for: if it returns `WouldBlock`, the next `readable` or
    /// `writable` waits for an event.
    ///
    /// # Errors
    ///
    /// Those of `op`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let source = self.socket.source();
        let result = source.try_io(interest.directions(), || op(self.get_ref()));
        if result.as_ref().is_err_and(is_would_block) {
            interest.directions().for_each(|direction| source.set_unwatched(direction));
        }
        result
    }

    /// The descriptor.
    pub fn get_ref(&self) -> &T {
        &self.socket.get().fd
    }

    /// Takes the descriptor out of the loop.
    ///
    /// # Errors
    ///
    /// What the system says; the descriptor is closed then.
    pub fn into_inner(self) -> io::Result<T> {
        self.socket.into_inner().map(|watched| watched.fd)
    }

    fn io<'a, R>(
        &'a self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.socket.io(direction, move |_| self.confirmed(direction, &mut op))
    }

    /// See [`Source::poll_io`](crate::reactor::source::Source::poll_io).
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
        let wanted = match direction {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        };
        if self.state_of(wanted)? == Interest::NOTHING {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = op(self.get_ref());
        if result.as_ref().is_err_and(is_would_block) {
            // To arm it again would bring an event at once, and the next, without end.
            self.socket.source().set_unwatched(direction);
        }
        // Whether an operation took all that is there is its own affair.
        result.map(|value| Done { value, short: false })
    }

    fn poll_state(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let source = self.socket.source();
        self.polled
            .poll(source, direction, |waiter| self.poll_io(direction, cx, waiter, |_| Ok(())))
    }

    /// Waits for a read event, as an error or urgent data is one, until poll(2) says what is
    /// wanted. What is known of reading stays as it is.
    fn poll_special(
        &self,
        cx: &mut Context<'_>,
        wanted: Interest,
        waiter: &mut Waiter<'_>,
    ) -> Poll<io::Result<Interest>> {
        if wanted == Interest::NOTHING {
            return Poll::Pending;
        }
        ready!(budget::poll_left(cx));
        // An error once the loop has ended.
        let waits = waiter.poll_wait(cx)?;
        let found = self.state_of(wanted)?;
        if found == Interest::NOTHING {
            return waits.map(Ok);
        }
        if let Some(changes) = &self.changes {
            changes.set(changes.get().without(found));
        }
        budget::spend();
        Poll::Ready(Ok(found))
    }

    /// Those of the `wanted` states that are there; if none is, an event is to come.
    fn state_of(&self, wanted: Interest) -> io::Result<Interest> {
        let interest = self.socket.get().interest;
        if !interest.contains(wanted) {
            return Err(watched::not_made_for(wanted));
        }
        let mut state = watched::state(self.get_ref())?;
        if let Some(changes) = &self.changes {
            // Whoever asks first is told, and that may have been the selector.
            let is_told = self.socket.source().take_special();
            let told = if is_told { interest.special() } else { state.special() };
            changes.set(changes.get() | told);
            state = state | changes.get();
        }
        let found = state.and(wanted);
        if found == Interest::NOTHING {
            let interest = interest.without(state);
            self.socket.rearm(Watched { fd: self.get_ref().as_fd(), interest })?;
        }
        Ok(found)
    }
}

fn is_would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
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
