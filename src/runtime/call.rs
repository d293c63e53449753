//! Plain functions that the loop calls: asyncio's `call_soon` and its siblings.
//!
//! A call is a task that waits for its time, so it takes its turn among the others.

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

/// A function that the loop will call, or has called; made by [`call_soon`], [`call_later`] and
/// [`call_at`]. Dropping it changes nothing.
#[doc(alias = "TimerHandle")]
pub struct CallHandle {
    task: AbortHandle,
    when: Instant,
}

/// Completes when a deadline has passed, at its first poll if it has by then.
struct Due {
    reactor: Rc<Reactor>,
    /// In nanoseconds of the reactor's clock.
    deadline: u64,
    timer: Option<TimerKey>,
}

/// Calls `f` on this thread in the next turn of the running loop, in the order of the calls.
///
/// The turn that runs ends before it, once what was ready before has run: so what a call calls
/// soon lets sockets and timers in, as in asyncio, and is left for the next
/// [`run`](crate::Runtime::run) if the call stops the loop.
///
/// `f` is a task of its own: its panic goes to
/// [`Builder::on_task_error`](crate::runtime::Builder::on_task_error). From another thread use
/// [`Handle::call_threadsafe`](crate::Handle::call_threadsafe).
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
/// let said = words.clone();
/// evloop::block_on(async move {
///     for word in ["one", "two", "three"] {
///         let words = words.clone();
///         call_soon(move || words.borrow_mut().push(word));
///     }
///     evloop::task::yield_now().await;
/// });
/// assert_eq!(*said.borrow(), ["one", "two", "three"]);
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
///     let (tell, told) = evloop::sync::oneshot::channel();
///     call_later(Duration::from_millis(2), || tell.send("ding").unwrap());
///     call_later(Duration::from_millis(1), || unreachable!()).cancel();
///     assert_eq!(told.await, Ok("ding"));
/// });
/// ```
#[track_caller]
pub fn call_later(delay: Duration, f: impl FnOnce() + 'static) -> CallHandle {
    call("call_later", clock::add(clock::now(), delay), f)
}

/// Calls `f` on this thread at `when`, or as soon as possible if that has passed. Calls are in the
/// order of their instants, those of one instant in the order of these calls.
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
///     let (tell, told) = evloop::sync::oneshot::channel();
///     let call = call_at(noon, || tell.send(evloop::time::now()).unwrap());
///     assert_eq!(call.when(), noon);
///     assert!(told.await.unwrap() >= noon);
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
    let due = Due { deadline: reactor.clock.nanos_until(when), reactor, timer: None };
    let call = async {
        due.await;
        f();
    };
    let task = context.executor.spawn(call, SpawnOptions::here());
    CallHandle::new(task.abort_handle(), when)
}

impl CallHandle {
    fn new(task: AbortHandle, when: Instant) -> CallHandle {
        CallHandle { task, when }
    }

    /// Takes the call back: the function will not be called, and is dropped in the loop's next
    /// turn. Does nothing if it has been called.
    pub fn cancel(&self) {
        self.task.abort();
    }

    /// When the function is to be called; with [`call_soon`] when that was called.
    pub fn when(&self) -> Instant {
        self.when
    }
}

impl Future for Due {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Due { reactor, deadline, timer } = &mut *self;
        reactor.poll_timer(timer, *deadline, cx.waker())
    }
}

impl Drop for Due {
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
