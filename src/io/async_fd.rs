//! Waits for any descriptor. Unix.
//!
//! Other processes may read from the same pipe or terminal, so an event does not prove that the
//! descriptor is ready: each wait and each operation first calls poll(2) without waiting. If
//! poll(2) and the operation contradict each other, the future waits for the next event. Invariant:
//! for a state that was found missing, an event is outstanding. Where the selector emulates edges,
//! it is armed again for this state, or the operation is retried after a delay.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::fs::{FileType, fstat};

use super::interest::Interest;
use super::watched::{self, Watched};
use crate::context;
use crate::current::{budget, leaf};
use crate::reactor::{Direction, Done, Reactor, Socket, Waiter, WaiterKey};
use crate::world;

/// A descriptor that the loop waits for: a pipe, a terminal, an eventfd, a timerfd, an inotify,
/// another epoll, the socket of a library.
///
/// [`readable`](AsyncFd::readable) waits for a state, not for an event (level-triggered): it
/// completes at once, at each call, while bytes are left to read. The descriptor may be blocking or
/// non-blocking, and its mode is not changed: [`read_with`](AsyncFd::read_with) and
/// [`write_with`](AsyncFd::write_with) run an operation only if poll(2) reports that it will not
/// wait. If another process takes the bytes between poll(2) and the operation, an operation of a
/// blocking descriptor blocks the loop.
///
/// A descriptor may stay in error or hung up: a UDP socket with an entry in its error queue, a FIFO
/// after its last writer. Then poll(2) reports it ready. An operation that still returns
/// `WouldBlock`, in `read_with`, `write_with` or [`try_io`](AsyncFd::try_io), waits for the next
/// event.
///
/// Any number of tasks may wait. A descriptor can be in one `AsyncFd` at a time; a duplicate counts
/// as another descriptor.
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
pub struct AsyncFd<T: AsFd> {
    socket: Socket<Watched<T>>,
    /// The changes of a file that `ready` has not returned yet: poll(2) reports a change of a file
    /// once. `None` for other descriptors, whose states poll(2) reports repeatedly.
    changes: Option<Cell<Interest>>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Registers a descriptor with the running loop, for reading and writing. The mode of the
    /// descriptor is not changed.
    ///
    /// # Errors
    ///
    /// Kind `Unsupported` if the descriptor is always ready, so that a loop cannot wait for it: a
    /// regular file or a folder (use `evloop::fs`), and some devices. `AlreadyExists` if it is in
    /// an `AsyncFd` of this loop already.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn new(fd: T) -> io::Result<AsyncFd<T>> {
        let context = context::expect("AsyncFd::new");
        AsyncFd::register(fd, Interest::READABLE | Interest::WRITABLE, &context.reactor)
    }

    /// Registers a descriptor with the running loop, for the states of `interest`. The mode of the
    /// descriptor is not changed.
    ///
    /// With `PRIORITY` or `ERROR`, it may be a file of the kernel that reports its changes, such as
    /// `/proc/self/mountinfo` or an attribute of sysfs (Linux); [`ready`](AsyncFd::ready) returns
    /// each change once.
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
        AsyncFd::register(fd, interest, &context::expect("AsyncFd::with_interest").reactor)
    }

    pub(super) fn register(
        fd: T,
        interest: Interest,
        reactor: &Rc<Reactor>,
    ) -> io::Result<AsyncFd<T>> {
        world::check_outside("an AsyncFd")?;
        let kind = FileType::from_raw_mode(fstat(&fd)?.st_mode);
        let is_file = kind.is_file() || kind.is_dir();
        if is_file && interest.special() == Interest::NOTHING {
            return Err(watched::cannot_register(io::ErrorKind::Unsupported));
        }
        let watched = Watched { fd, interest };
        let socket =
            Socket::new(watched, reactor.clone(), true).map_err(|error| match error.kind() {
                // EPERM of epoll_ctl(2): a file or a device without readiness.
                io::ErrorKind::PermissionDenied => {
                    watched::cannot_register(io::ErrorKind::Unsupported)
                }
                io::ErrorKind::AlreadyExists => {
                    watched::cannot_register(io::ErrorKind::AlreadyExists)
                }
                _ => error,
            })?;
        let changes = is_file.then_some(Cell::new(Interest::NOTHING));
        Ok(AsyncFd { socket, changes })
    }

    /// Waits until a read would not wait: bytes, the end of stream or an error are available.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.io(Direction::Read, |_| Ok(()))
    }

    /// Waits until a write of some bytes would not wait: the descriptor has capacity, or its reader
    /// is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.io(Direction::Write, |_| Ok(()))
    }

    /// Waits until the descriptor has at least one state of `interest`, and returns those that it
    /// has.
    ///
    /// Bytes to read do not complete a wait for `PRIORITY` (urgent data, changes of a file) or
    /// `ERROR` (the error queue of a socket). These are states too, except for the changes of a
    /// file: each change is returned once.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a state that the `AsyncFd` was not created with.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Interest>> + '_ {
        use Direction::{Read, Write};
        let mut waiters = [Read, Write, Read].map(|side| self.socket.source().waiter(side));
        leaf(move |cx| {
            let [read, write, special] = &mut waiters;
            let mut found = Interest::NOTHING;
            let mut is_ready = |side, waiter: &mut Waiter<'_>| {
                let polled = waiter.poll_io(cx, || self.run_if_ready(side, &mut |_| Ok(())))?;
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

    /// Runs `read` once the descriptor is readable, and again if it returns `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, `read` has not run or has returned `WouldBlock`: the result of
    /// any other return is the output of the future.
    #[doc(alias = "async_io")]
    pub fn read_with<'a, R>(
        &'a self,
        read: impl FnMut(&T) -> io::Result<R> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.io(Direction::Read, read)
    }

    /// Runs `write` once the descriptor is writable, and again if it returns `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, `write` has not run or has returned `WouldBlock`: the result of
    /// any other return is the output of the future.
    #[doc(alias = "async_io")]
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
    /// `interest` is the state that `op` needs: if `op` returns `WouldBlock`, the next `readable`
    /// or `writable` waits for an event.
    ///
    /// # Errors
    ///
    /// The error of `op`.
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

    /// Returns the descriptor.
    pub fn get_ref(&self) -> &T {
        &self.socket.get().fd
    }

    /// Deregisters the descriptor from the loop, and returns it.
    ///
    /// # Errors
    ///
    /// The system's error; the descriptor is closed then.
    pub fn into_inner(self) -> io::Result<T> {
        self.socket.into_inner().map(|watched| watched.fd)
    }

    fn io<'a, R>(
        &'a self,
        direction: Direction,
        mut op: impl FnMut(&T) -> io::Result<R> + Unpin + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.socket.io(direction, move |_| self.run_if_ready(direction, &mut op))
    }

    /// See [`Source::poll_io`](crate::reactor::Source::poll_io).
    pub(super) fn poll_io<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        key: &mut WaiterKey,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.socket.poll_io(direction, cx, key, |_| self.run_if_ready(direction, &mut op))
    }

    /// Removes a waiter.
    pub(super) fn deregister(&self, direction: Direction, key: &mut WaiterKey) {
        self.socket.deregister(direction, key);
    }

    /// Runs `op` if poll(2) reports the state that it needs. Otherwise returns `WouldBlock`, and an
    /// event is outstanding.
    fn run_if_ready<R>(
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
            // The selector is not armed again: it would report an event at once, endlessly.
            self.socket.source().set_unwatched(direction);
        }
        // Unknown whether `op` took all bytes: never a short read or write.
        result.map(|value| Done { value, short: false })
    }

    /// Runs `op` for a `poll_` method.
    pub(super) fn poll_with<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.socket.poll_shared(direction, |waiter| self.poll_io(direction, cx, waiter, &mut op))
    }

    /// Waits for read events until poll(2) reports a `wanted` state: the selector reports errors
    /// and urgent data as read events. The stored readiness for reading is not changed.
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
        // Returns an error once the loop has ended.
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

    /// Returns the states of `wanted` that the descriptor has. If it has none, an event is
    /// outstanding.
    fn state_of(&self, wanted: Interest) -> io::Result<Interest> {
        let interest = self.socket.get().interest;
        if !interest.contains(wanted) {
            return Err(watched::not_registered_for(wanted));
        }
        let mut state = watched::state(self.get_ref().as_fd())?;
        if let Some(changes) = &self.changes {
            // The kernel reports a change to the first caller, which may have been the selector.
            let is_reported = self.socket.source().take_special();
            let reported = if is_reported { interest.special() } else { state.special() };
            changes.set(changes.get() | reported);
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
