//! The limit of a `timeout_scope`, and the limits around the running code.
//!
//! Invariant: the scopes that are being polled on a thread form a list, the innermost first.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use crate::clock::earlier;
use crate::current;

/// A deadline that can be moved.
pub(super) struct Limit {
    /// `None` if there is no limit now.
    pub(super) deadline: Cell<Option<Instant>>,
    /// The waker of the task that awaits the scope, to wake it for a new deadline.
    pub(super) waiter: Cell<Option<Waker>>,
    pub(super) is_elapsed: Cell<bool>,
    /// While the body is being polled: the scope around it, and the nesting depth of its task.
    outer: Cell<Option<Rc<Limit>>>,
    depth: Cell<u32>,
}

impl Limit {
    pub(super) fn new(deadline: Instant) -> Limit {
        Limit {
            deadline: Cell::new(Some(deadline)),
            waiter: Cell::new(None),
            is_elapsed: Cell::new(false),
            outer: Cell::new(None),
            depth: Cell::new(0),
        }
    }
}

/// Its drop ends the poll of a scope.
pub(super) struct PollEnd<'a>(&'a Limit);

thread_local! {
    /// The innermost scope that is being polled. It has no destructor: it is empty between polls.
    static INNERMOST: ManuallyDrop<Cell<Option<Rc<Limit>>>> =
        const { ManuallyDrop::new(Cell::new(None)) };
}

/// Begins a poll of the body of a scope, which lasts until the result is dropped.
#[inline]
pub(super) fn begin_poll(limit: &Rc<Limit>) -> PollEnd<'_> {
    limit.depth.set(current::depth());
    limit.outer.set(INNERMOST.with(|innermost| innermost.replace(Some(limit.clone()))));
    PollEnd(limit)
}

impl Drop for PollEnd<'_> {
    #[inline]
    fn drop(&mut self) {
        // The caller of `begin_poll` owns the limit: so nothing is dropped here but its count.
        INNERMOST.with(|innermost| innermost.set(self.0.outer.take()));
    }
}

/// Returns the nearest deadline of the [`timeout_scope`](super::timeout_scope())s around the
/// running code: trio's `current_effective_deadline`. Returns `None` if there is none.
///
/// The children of a [`task::scope`](crate::task::scope()) are inside the limits around that scope.
/// A spawned task is not: the limit ends the future that waits for the task, not the task.
///
/// A [`timeout`](super::timeout()) does not count, since it reads the clock only once its future
/// waits. Use a `timeout_scope` where the deadline must be known.
///
/// ```
/// use evloop::time::{current_deadline, timeout_scope};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     assert_eq!(current_deadline(), None);
///     let minute = timeout_scope(Duration::from_secs(60), async |outer| {
///         let hour = timeout_scope(Duration::from_secs(3600), async |_| current_deadline());
///         assert_eq!(hour.await, Ok(outer.deadline()));
///     });
///     minute.await.unwrap();
/// });
/// ```
pub fn current_deadline() -> Option<Instant> {
    let mut scope = INNERMOST.with(|innermost| cloned(innermost));
    let mut nearest = None;
    while let Some(limit) = scope.filter(|limit| limit.depth.get() == current::depth()) {
        nearest = earlier(nearest, limit.deadline.get());
        scope = cloned(&limit.outer);
    }
    nearest
}

fn cloned(cell: &Cell<Option<Rc<Limit>>>) -> Option<Rc<Limit>> {
    let limit = cell.take();
    cell.set(limit.clone());
    limit
}
