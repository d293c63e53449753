//! tokio's current-thread runtime as the host of a loop.
//!
//! The future that tokio runs is the loop: each of its polls is one hosted turn. Invariant: after a
//! poll that returns `Pending`, tokio watches the loop's descriptor and its next deadline, or has
//! been woken for the next turn.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::tokio::io::Interest;
use ::tokio::io::unix::AsyncFd;
use ::tokio::time::{Sleep, sleep};

use crate::caught::catch;
use crate::current::{self, budget};
use crate::executor::Root;
use crate::poll_with::{lazy, poll_with, store_output};
use crate::runtime::Runtime;

/// The most polls of a hosted turn: as many tasks as tokio polls between two looks at its driver.
/// The tasks of a turn share one budget of tokio, 128 operations.
const POLLS_MAX: usize = 61;

/// The loop as tokio polls it.
struct Guest<'a> {
    runtime: &'a mut Runtime,
    events: AsyncFd<OwnedFd>,
    /// Ends at `deadline`.
    sleep: Pin<Box<Sleep>>,
    deadline: Option<Instant>,
}

/// tokio's runtime. Its drop drops the tasks, and does not wait for blocking work.
struct Tokio(Option<::tokio::runtime::Runtime>);

/// Runs a future to completion on a new event loop that is the guest of a new runtime of tokio, on
/// this thread.
///
/// The future is a task of this crate's loop, as that of [`evloop::block_on`](crate::block_on): it
/// need be neither `Send` nor `'static`. Inside it, and inside all tasks that it spawns, both
/// `tokio::spawn` and [`evloop::spawn`](crate::spawn) work, and the sockets, timers and channels of
/// both. So crates that need a runtime of tokio run as they are. All tasks run on this thread, so
/// tasks of tokio that are not `Send` run in a `tokio::task::LocalSet`.
///
/// Both runtimes get turns, whatever the tasks of the other do: one turn of this loop polls at most
/// 61 futures, and then tokio polls at most 61 tasks. Sockets and channels of one runtime that are
/// always ready in tasks of the other delay neither: the tasks of such a turn share a budget of 128
/// results, and yield when it is spent. A poll that computes or blocks delays both. Timers of this
/// crate have the precision of tokio's: a millisecond.
///
/// When the future completes, first the tasks of tokio are dropped, then those of this loop, in the
/// order in which they were spawned. Blocking work is not waited for.
///
/// # Panics
///
/// If an event loop or a runtime of tokio is already running on this thread, or if the operating
/// system has no selector for a new one. A panic of the future propagates after the tasks were
/// dropped.
///
/// As in tasks of a loop, [`evloop::block_on`](crate::block_on) and the blocking methods of
/// channels panic in tasks of tokio: they would block both runtimes.
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let reply = evloop::tokio::block_on(async {
///     // The server is written for this crate, the client for tokio.
///     let server = evloop::start_server("127.0.0.1:0", async |mut reader, writer| {
///         writer.write(reader.read_line().await?.to_ascii_uppercase());
///         writer.drain().await
///     })
///     .await?;
///     let mut client = tokio::net::TcpStream::connect(server.local_addrs()[0]).await?;
///     client.write_all(b"hello\n").await?;
///     let mut reply = String::new();
///     client.read_to_string(&mut reply).await?;
///     std::io::Result::Ok(reply)
/// })?;
/// assert_eq!(reply, "HELLO\n");
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        !current::is_running(),
        "tokio::block_on was called inside of a running event loop: await the future instead, or \
         make the outer call tokio::block_on"
    );
    let caller = Location::caller();
    let (tokio, mut runtime) = match build() {
        Ok(both) => both,
        Err(error) => panic!("tokio::block_on could not make its runtimes: {error}"),
    };
    let handle = tokio.handle().clone();
    let output = Cell::new(None);
    let root = store_output(future, &output);
    let result = catch(|| {
        runtime.with_hosted_root(caller, |runtime| {
            let tokio = Tokio(Some(tokio));
            tokio.block_on(lazy(|| run(runtime, root)));
        });
    });
    let entered = handle.enter();
    drop(runtime);
    drop(entered);
    match result {
        Ok(()) => output.take().expect("the root is done when its output is there"),
        Err(panic) => panic.resume(),
    }
}

fn build() -> io::Result<(::tokio::runtime::Runtime, Runtime)> {
    let tokio = ::tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok((tokio, Runtime::builder().batch_max(POLLS_MAX).build()?))
}

/// Runs the loop until its root completes. Must be called in tokio's context.
fn run(runtime: &mut Runtime, root: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let mut guest = match Guest::new(runtime) {
        Ok(guest) => guest,
        Err(error) => panic!("tokio cannot watch the event loop: {error}"),
    };
    poll_with(root, move |root, cx| guest.poll(cx, root))
}

impl<'a> Guest<'a> {
    fn new(runtime: &'a mut Runtime) -> io::Result<Guest<'a>> {
        let fd = runtime.as_fd().try_clone_to_owned()?;
        // The successor of this function is unsafe: its caller promises that the descriptor stays
        // open and the same, as an `OwnedFd` does.
        #[allow(deprecated)]
        let events = AsyncFd::with_interest(fd, Interest::READABLE)?;
        // Polled only after it was reset to a deadline.
        let sleep = Box::pin(sleep(Duration::ZERO));
        Ok(Guest { runtime, events, sleep, deadline: None })
    }

    /// Runs one turn. Returns whether the root has completed.
    fn poll(&mut self, cx: &mut Context<'_>, root: Root<'_>) -> Poll<()> {
        let is_readable = self.poll_readable(cx);
        let turn = self.runtime.turn_hosted_with(Some(root), cx.waker(), is_readable);
        let batch = turn.unwrap_or_else(|error| panic!("the event loop cannot wait: {error}"));
        if batch.root_done {
            return Poll::Ready(());
        }
        let turn = self.runtime.hosted_turn(batch);
        if turn.is_work_left || self.is_due(cx, turn.next_deadline) {
            cx.waker().wake_by_ref();
        }
        budget::begin_host(cx.waker());
        Poll::Pending
    }

    /// Returns whether the loop's descriptor has become readable since the last call. tokio wakes
    /// the task at the next edge.
    fn poll_readable(&self, cx: &mut Context<'_>) -> bool {
        let mut is_readable = false;
        // The second iteration registers the waker: the first has cleared the readiness.
        while let Poll::Ready(ready) = self.events.poll_read_ready(cx) {
            match ready {
                Ok(mut ready) => ready.clear_ready(),
                Err(error) => panic!("tokio cannot watch the event loop: {error}"),
            }
            is_readable = true;
        }
        is_readable
    }

    /// Returns whether the deadline has passed. If not, tokio wakes the task at the deadline.
    fn is_due(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> bool {
        let Some(at) = deadline else { return false };
        if self.deadline != deadline {
            self.sleep.as_mut().reset(at.into());
            self.deadline = deadline;
        }
        self.sleep.as_mut().poll(cx).is_ready()
    }
}

impl Tokio {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.as_ref().expect("it ends only when it is dropped").block_on(future)
    }
}

impl Drop for Tokio {
    fn drop(&mut self) {
        if let Some(tokio) = self.0.take() {
            tokio.shutdown_background();
        }
    }
}
