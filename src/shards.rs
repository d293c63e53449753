//! Several loops at once, one on each thread, with messages between them.
//!
//! A task never leaves its loop. A program that uses several cores runs several loops, its
//! *shards*: each accepts its own connections, has its own data, and sends messages to the others.
//!
//! | item | purpose |
//! |---|---|
//! | [`shards`](shards()) | runs a number of shards and returns all outcomes |
//! | [`try_shards`] | the same for shards that may fail: the first error stops all |
//! | [`Shard`] | the handle of one shard: its index, its mailboxes, the other loops |
//! | [`Mailbox`] | sends messages of one type to all shards, and receives those sent to this one |
//!
//! ```
//! let sums = evloop::shards(2, async |shard| {
//!     let mailbox = shard.mailbox::<usize>();
//!     for to in 0..shard.count() {
//!         mailbox.send(to, shard.index() + 1).await.unwrap();
//!     }
//!     mailbox.recv().await.unwrap() + mailbox.recv().await.unwrap()
//! })?;
//! assert!(sums.into_iter().all(|sum| sum.unwrap() == 3));
//! # std::io::Result::Ok(())
//! ```

// Layer L4. Invariant: no shard's code runs before all loops exist, and every shard's end is
// counted, also after a panic.

mod mailbox;
mod shard;
mod shared;

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{Location, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread::{self, Scope, ScopedJoinHandle};

pub use self::mailbox::Mailbox;
pub use self::shard::Shard;
use self::shared::Shared;
use crate::caught::catch;
use crate::current;
use crate::executor::JoinError;
use crate::runtime::{Handle, Runtime};
use crate::world;

/// A shard whose thread has been started.
struct Started<'scope, T> {
    /// Receives the handle of its loop once the loop exists.
    handle: mpsc::Receiver<io::Result<Handle>>,
    /// Lets the shard run. If it is dropped, the thread ends without running the shard.
    start: mpsc::Sender<Arc<Shared>>,
    thread: ScopedJoinHandle<'scope, Option<Result<T, JoinError>>>,
}

/// Runs `f` on `count` event loops at once, each on its own thread; the first runs on the caller's
/// thread. Returns when all have ended, with their outputs in the order of their indices.
///
/// `f` may borrow from the caller; its future need not be `Send`. With
/// [`std::thread::available_parallelism`] as the count, the program uses every core. Server sockets
/// that are bound with [`reuse_port`](crate::net::ListenOptions::reuse_port) share one port: the
/// system assigns each connection to one of them.
///
/// When a shard panics, the others are stopped as by [`Shard::stop_all`], and all outcomes are
/// returned: a [`JoinError`] reports whether its shard panicked or was stopped. See [`try_shards`]
/// for shards that may fail.
///
/// # Errors
///
/// If the system cannot create a thread or a selector for one of them. Then `f` is not called at
/// all.
///
/// # Panics
///
/// Inside a running loop, because this call blocks.
///
/// ```
/// let sums = evloop::shards(3, async |shard| {
///     // Each sends its index to the next one.
///     let mailbox = shard.mailbox::<usize>();
///     let next = (shard.index() + 1) % shard.count();
///     mailbox.send(next, shard.index()).await.unwrap();
///     mailbox.recv().await.unwrap() + shard.index()
/// })?;
/// let sums: Vec<usize> = sums.into_iter().map(Result::unwrap).collect();
/// assert_eq!(sums, [2, 1, 3]);
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
#[doc(alias = "new_multi_thread")]
#[doc(alias = "LocalPoolHandle")]
pub fn shards<T: Send>(
    count: usize,
    f: impl AsyncFn(Shard) -> T + Sync,
) -> io::Result<Vec<Result<T, JoinError>>> {
    run(count, &f, Location::caller())
}

/// Runs shards that may fail. The first error stops all shards, and is returned. Otherwise returns
/// the outputs in the order of the indices, without those of shards that were stopped.
///
/// # Errors
///
/// The error of `f`, the lowest index first; or an error of the system, as for
/// [`shards`](shards()).
///
/// # Panics
///
/// If a shard panics, its panic propagates once all have ended. Also inside a running loop.
///
/// ```
/// use evloop::net::{ListenOptions, TcpListener};
///
/// let ports = evloop::shards::try_shards(2, async |shard| -> std::io::Result<u16> {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     // … serve …
///     Ok(listener.local_addr()?.port())
/// })?;
/// assert_ne!(ports[0], ports[1]);
///
/// let error = evloop::shards::try_shards(2, async |shard| match shard.index() {
///     0 => std::future::pending().await,
///     _ => std::io::Result::<()>::Err(std::io::ErrorKind::AddrInUse.into()),
/// });
/// assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn try_shards<T: Send, E: From<io::Error> + Send>(
    count: usize,
    f: impl AsyncFn(Shard) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let stops_on_error = async |shard: Shard| {
        let output = f(shard.clone()).await;
        if output.is_err() {
            shard.stop_all();
        }
        output
    };
    let mut outputs = Vec::with_capacity(count);
    let mut failure = None;
    for outcome in run(count, &stops_on_error, Location::caller())? {
        match outcome.map_err(JoinError::try_into_panic) {
            Ok(Ok(output)) => outputs.push(output),
            Ok(Err(error)) => failure = failure.or(Some(error)),
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_stopped)) => {}
        }
    }
    failure.map_or(Ok(outputs), Err)
}

fn run<T: Send>(
    count: usize,
    f: &(impl AsyncFn(Shard) -> T + Sync),
    caller: &'static Location<'static>,
) -> io::Result<Vec<Result<T, JoinError>>> {
    world::check_outside("shards")?;
    assert!(
        !current::is_running(),
        "shards was called inside of a running event loop, which it would block: call it in main"
    );
    if count == 0 {
        return Ok(Vec::new());
    }
    let first = event_loop(0)?;
    thread::scope(|scope| {
        let others = (1..count).map(|index| start_thread(scope, index, f, caller));
        let others = others.collect::<io::Result<Vec<_>>>()?;
        let mut handles = vec![first.handle()];
        for other in &others {
            handles.push(
                other.handle.recv().expect("a shard's thread sends its result before it ends")?,
            );
        }
        let shared = Arc::new(Shared::new(handles));
        for other in &others {
            // Cannot fail: the thread waits for this message.
            let _ = other.start.send(shared.clone());
        }
        let mut outcomes = vec![run_shard(first, Shard::new(shared, 0), f, caller)];
        for other in others {
            let outcome = other.thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            outcomes.push(outcome.expect("the shard was started"));
        }
        Ok(outcomes)
    })
}

/// Starts a shard's thread, which creates its loop and waits for the start.
fn start_thread<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    index: usize,
    f: &'scope (impl AsyncFn(Shard) -> T + Sync),
    caller: &'static Location<'static>,
) -> io::Result<Started<'scope, T>> {
    let (report, handle) = mpsc::channel();
    let (start, started) = mpsc::channel();
    let thread = thread::Builder::new().name(format!("shard-{index}"));
    let thread = thread.spawn_scoped(scope, move || {
        let runtime = match event_loop(index) {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = report.send(Err(error));
                return None;
            }
        };
        let _ = report.send(Ok(runtime.handle()));
        let shared = started.recv().ok()?;
        Some(run_shard(runtime, Shard::new(shared, index), f, caller))
    })?;
    Ok(Started { handle, start, thread })
}

fn event_loop(index: usize) -> io::Result<Runtime> {
    Runtime::builder().name(format!("shard-{index}")).build()
}

/// Runs a shard to its end and returns its outcome.
fn run_shard<T>(
    mut runtime: Runtime,
    shard: Shard,
    f: &impl AsyncFn(Shard) -> T,
    caller: &'static Location<'static>,
) -> Result<T, JoinError> {
    let (shared, index) = (shard.shared().clone(), shard.index());
    let root = async {
        let mut output = pin!(f(shard));
        poll_fn(|cx| {
            if shared.poll_stop(index, cx).is_ready() {
                return Poll::Ready(None);
            }
            output.as_mut().poll(cx).map(Some)
        })
        .await
    };
    // Each step is caught, so that the shard's end is counted after any panic.
    let outcome = catch(|| runtime.block_on(root));
    let dropped = catch(|| drop(runtime));
    let ended = dropped.and(catch(|| drop(shared.end(index))));
    if outcome.is_err() || ended.is_err() {
        shared.stop_all();
    }
    match outcome.and_then(|output| ended.map(|()| output)) {
        Ok(Some(output)) => Ok(output),
        Ok(None) => Err(JoinError::cancelled_remote(caller)),
        Err(panic) => Err(JoinError::panicked_elsewhere(caller, panic)),
    }
}
