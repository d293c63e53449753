//! The tasks of a loop as spans of the crate `tracing`, and their polls and wakes as events.
//!
//! A span is made when its task is spawned, entered during each poll, and closed when the task has
//! ended. Until a subscriber takes a span, a loop only asks at each spawn and each wake whether one
//! does. Invariant: no subscriber is called under a borrow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::rc::Rc;

use tracing::{Level, Span, enabled, info_span, trace};

use super::run_queue::RunQueue;
use crate::current::{TaskId, WakerId};

/// Tasks have spans.
pub(super) const ARE_MADE: bool = true;

/// The target of all spans and events, for filters.
const TARGET: &str = "evloop::task";

thread_local! {
    /// The spans that a subscriber takes, of the tasks of this thread that have not ended.
    /// It has no destructor: a task may end while the thread does.
    static SPANS: ManuallyDrop<RefCell<BTreeMap<TaskId, Rc<Span>>>> =
        const { ManuallyDrop::new(RefCell::new(BTreeMap::new())) };
}

/// The span of a task that is polled. Its drop leaves the span.
///
/// Not `EnteredSpan`, whose making copies the reference to the span: a call of the subscriber.
pub(super) struct Entered(Rc<Span>);

/// Makes the span of a new task. Returns whether a subscriber takes it.
///
/// A child of a scope ends before the code that spawned it, so its span lies in that of the
/// code. Any other task may outlive its spawner, and a span keeps those around it open: so its
/// span only follows from that of the spawner.
pub(super) fn spawned(
    task: TaskId,
    name: Option<&str>,
    spawned_at: &'static Location<'static>,
    is_child: bool,
) -> bool {
    let spawner = Span::current().id();
    let parent = spawner.clone().filter(|_| is_child);
    let id = task.number();
    let span =
        info_span!(target: TARGET, parent: parent, "task", id, name, spawned_at = %spawned_at);
    if span.is_disabled() {
        return false;
    }
    if !is_child {
        span.follows_from(spawner);
    }
    SPANS.with(|spans| spans.borrow_mut().insert(task, Rc::new(span)));
    true
}

/// Enters the span of a task whose poll begins.
pub(super) fn enter(task: TaskId) -> Option<Entered> {
    let span = span_of(task)?;
    span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
    let entered = Entered(span);
    trace!(target: TARGET, "poll");
    Some(entered)
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.with_subscriber(|(id, subscriber)| subscriber.exit(id));
    }
}

/// Closes the span of a task that has ended.
pub(super) fn ended(task: TaskId) {
    let span = SPANS.with(|spans| spans.borrow_mut().remove(&task));
    drop(span);
}

/// Records the new name of a task.
pub(super) fn renamed(task: TaskId, name: &str) {
    if let Some(span) = span_of(task) {
        span.record("name", name);
    }
}

fn span_of(task: TaskId) -> Option<Rc<Span>> {
    SPANS.with(|spans| spans.borrow().get(&task).cloned())
}

/// Queues the slot that `id` names, as [`RunQueue::push`] does, and reports the wake. The event has
/// no `id` if the future of `block_on` is woken.
pub(super) fn push<T>(queue: &RefCell<RunQueue<T>>, id: WakerId, id_of: fn(&T) -> TaskId) {
    if !enabled!(target: TARGET, Level::TRACE) {
        return queue.borrow_mut().push(id);
    }
    let mut borrowed = queue.borrow_mut();
    let before = borrowed.len();
    borrowed.push(id);
    let is_woken = borrowed.len() > before;
    let task = borrowed.task(id.slot()).map(|task| id_of(task).number());
    drop(borrowed);
    if is_woken {
        trace!(target: TARGET, id = task, "wake");
    }
}
