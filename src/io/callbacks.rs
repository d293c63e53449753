//! Callbacks of descriptors: asyncio's `add_reader` and `add_writer`. Unix.
//!
//! Each callback is a task. Its `AsyncFd` holds a duplicate of the descriptor, since a selector
//! accepts a descriptor once, and a reader and a writer may share one.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::task::{Poll, ready};

use super::async_fd::AsyncFd;
use super::interest::Interest;
use crate::context;
use crate::executor::{AbortHandle, SpawnOptions};
use crate::reactor::Direction;

/// A callback of [`add_reader`] or [`add_writer`]. Dropping it removes the callback.
#[must_use = "dropping an FdCallback removes the callback: keep it, or call `detach`"]
pub struct FdCallback {
    /// `None` after `detach`.
    task: Option<AbortHandle>,
}

/// Calls `callback` while `fd` is readable, until the returned [`FdCallback`] is dropped.
///
/// The descriptor is readable when bytes, the end of the stream or an error are available
/// (level-triggered, as in asyncio). The callback should read them: else it is called again after
/// the other tasks have run. The mode of the descriptor, blocking or not, is not changed. One
/// descriptor may have several callbacks.
///
/// The callback belongs to the open file, not to the number `fd`: a duplicate of the descriptor
/// stays open until the `FdCallback` is dropped. A task with a loop over
/// [`AsyncFd::readable`](AsyncFd::readable) does the same without a callback.
///
/// A callback that panics is removed, and its panic goes to the loop's
/// [`on_task_error`](crate::runtime::Builder::on_task_error).
///
/// # Errors
///
/// Those of [`AsyncFd::new`], and the system's error if no descriptor is left.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use evloop::io::add_reader;
/// use evloop::sync::oneshot;
///
/// evloop::block_on(async {
///     let (theirs, mut ours) = UnixStream::pair()?;
///     let (sender, receiver) = oneshot::channel();
///     let mut sender = Some(sender);
///     let mut reader = theirs.try_clone()?;
///     let _callback = add_reader(&theirs, move || {
///         let mut buf = [0; 8];
///         let n = reader.read(&mut buf).unwrap();
///         if let Some(sender) = sender.take() {
///             let _ = sender.send(buf[..n].to_vec());
///         }
///     })?;
///     ours.write_all(b"hello")?;
///     assert_eq!(receiver.await.unwrap(), b"hello");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn add_reader(fd: impl AsFd, callback: impl FnMut() + 'static) -> io::Result<FdCallback> {
    add("add_reader", fd, Interest::READABLE, Direction::Read, callback)
}

/// Calls `callback` while `fd` is writable, until the returned [`FdCallback`] is dropped; see
/// [`add_reader`].
///
/// A descriptor is writable most of the time: drop the `FdCallback` when nothing is left to write.
///
/// # Errors
///
/// As [`add_reader`].
///
/// # Panics
///
/// Outside of a running loop.
#[track_caller]
pub fn add_writer(fd: impl AsFd, callback: impl FnMut() + 'static) -> io::Result<FdCallback> {
    add("add_writer", fd, Interest::WRITABLE, Direction::Write, callback)
}

/// Spawns the task of a callback. `name` is that of the called function.
#[track_caller]
fn add(
    name: &str,
    fd: impl AsFd,
    interest: Interest,
    direction: Direction,
    mut callback: impl FnMut() + 'static,
) -> io::Result<FdCallback> {
    let context = context::expect(name);
    let fd = fd.as_fd().try_clone_to_owned()?;
    let fd = AsyncFd::register(fd, interest, &context.reactor)?;
    let options = SpawnOptions { name: Some(name.into()), ..SpawnOptions::here() };
    let calls = poll_fn(move |cx| {
        // An error means that the loop has ended.
        if ready!(fd.poll_with(direction, cx, |_| Ok(()))).is_err() {
            return Poll::Ready(());
        }
        callback();
        // The descriptor may still be ready: the other tasks run between two calls.
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    // The task is detached: the loop reports its panic.
    let task = context.executor.spawn(calls, options).abort_handle();
    Ok(FdCallback { task: Some(task) })
}

impl FdCallback {
    /// Leaves the callback in place until the loop ends.
    pub fn detach(mut self) {
        self.task = None;
    }
}

impl Drop for FdCallback {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for FdCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FdCallback").field(&self.task.as_ref().map(AbortHandle::id)).finish()
    }
}
