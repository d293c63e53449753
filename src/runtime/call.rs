//! Plain functions that the loop calls: asyncio's `call_soon`, `call_later` and `call_at`.
//!
//! A call is a task that waits for its time, so it is scheduled in order with the other tasks.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::clock;
use crate::context;
use crate::executor::{AbortHandle, SpawnOptions};
use crate::reactor::{Reactor, TimerKey};

/// The handle of a function that the loop will call, or has called; returned by [`call_soon`],
/// [`call_later`] and [`call_at`]. Dropping it does not cancel the call.
pub struct CallHandle {
    task: AbortHandle,
    when: Instant,
    is_cancelled: Cell<bool>,
}

/// A future that completes when a deadline has passed; at its first poll if it has passed by then.
/// Unlike a `Sleep` it needs no second poll.
struct Timer {
    reactor: Rc<Reactor>,
    /// In nanoseconds of the reactor's clock.
    deadline: u64,
    timer: Option<TimerKey>,
}

/// Calls `f` on this thread in the next turn of the running loop. Calls keep their order.
///
/// The current turn runs the tasks that were ready before, then ends. So a function that calls
/// `call_soon` again lets sockets and timers in between, as in asyncio. If a call stops the loop,
/// the calls that it has scheduled are left to the next [`run`](crate::Runtime::run).
///
/// `f` runs in a task of its own: its panic goes to
/// [`Builder::on_task_error`](crate::runtime::Builder::on_task_error). To call from another thread
/// use [`Handle::call_threadsafe`](crate::Handle::call_threadsafe).
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
///
/// use evloop::runtime::call_soon;
///
/// let words = Rc::new(RefCell::new(Vec::new()));
/// let result = words.clone();
/// evloop::block_on(async move {
///     for word in ["one", "two", "three"] {
///         let words = words.clone();
///         call_soon(move || words.borrow_mut().push(word));
///     }
///     evloop::task::yield_now().await;
/// });
/// assert_eq!(*result.borrow(), ["one", "two", "three"]);
/// ```
#[track_caller]
pub fn call_soon(f: impl FnOnce() + 'static) -> CallHandle {
    let executor = &context::expect("call_soon").executor;
    let task = executor.call_soon(async { f() }, SpawnOptions::here());
    CallHandle::new(task.abort_handle(), clock::now())
}

/// Calls `f` on this thread once `delay` has passed.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use std::time::Duration;
///
/// use evloop::runtime::call_later;
///
/// evloop::block_on(async {
///     let (sender, receiver) = evloop::sync::oneshot::channel();
///     call_later(Duration::from_millis(2), || sender.send("ding").unwrap());
///     call_later(Duration::from_millis(1), || unreachable!()).cancel();
///     assert_eq!(receiver.await, Ok("ding"));
/// });
/// ```
#[track_caller]
pub fn call_later(delay: Duration, f: impl FnOnce() + 'static) -> CallHandle {
    call("call_later", clock::add(clock::now(), delay), f)
}

/// Calls `f` on this thread at `when`, or as soon as possible if `when` has passed. Calls run in
/// the order of their instants; calls of the same instant run in the order in which they were made.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// use std::time::Duration;
///
/// use evloop::runtime::call_at;
///
/// evloop::block_on(async {
///     let noon = evloop::time::now() + Duration::from_millis(2);
///     let (sender, receiver) = evloop::sync::oneshot::channel();
///     let call = call_at(noon, || sender.send(evloop::time::now()).unwrap());
///     assert_eq!(call.when(), noon);
///     assert!(receiver.await.unwrap() >= noon);
/// });
/// ```
#[track_caller]
pub fn call_at(when: Instant, f: impl FnOnce() + 'static) -> CallHandle {
    call("call_at", when, f)
}

#[track_caller]
fn call(what: &str, when: Instant, f: impl FnOnce() + 'static) -> CallHandle {
    let context = context::expect(what);
    let reactor = context.reactor.clone();
    let timer = Timer { deadline: reactor.clock.nanos_until(when), reactor, timer: None };
    let call = async {
        timer.await;
        f();
    };
    let task = context.executor.spawn_call(call, SpawnOptions::here());
    CallHandle::new(task.abort_handle(), when)
}

impl CallHandle {
    fn new(task: AbortHandle, when: Instant) -> CallHandle {
        CallHandle { task, when, is_cancelled: Cell::new(false) }
    }

    /// Cancels the call: the function will not be called, and is dropped in the loop's next turn.
    /// Does nothing if it has been called.
    pub fn cancel(&self) {
        if !self.task.is_finished() {
            self.is_cancelled.set(true);
            self.task.abort();
        }
    }

    /// Returns whether [`cancel`](CallHandle::cancel) came before the call.
    #[doc(alias = "cancelled")]
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    /// Returns when the function is to be called; for [`call_soon`], when that was called.
    pub fn when(&self) -> Instant {
        self.when
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Timer { reactor, deadline, timer } = &mut *self;
        reactor.poll_timer(timer, *deadline, cx.waker())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.timer.take() {
            self.reactor.cancel_timer(key, self.deadline);
        }
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle").field("when", &self.when).finish_non_exhaustive()
    }
}
