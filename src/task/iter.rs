//! The tasks of a loop, one by one.

use std::fmt;
use std::iter::FusedIterator;
use std::rc::{Rc, Weak};

use crate::context::{self, Context};
use crate::executor::TaskInfo;

/// An iterator of the tasks of a loop; [`iter`] creates it.
#[must_use = "an iterator does nothing unless it is consumed"]
pub struct TaskIter {
    /// Dangling after the last task, and outside of a loop.
    context: Weak<Context>,
    /// The slot at which the search for the next task begins.
    cursor: u32,
}

/// Returns an iterator of the tasks of the running loop, which looks at each task when it returns
/// it. It is empty outside of a loop.
///
/// [`all`](super::all) looks at all tasks at once; for a million tasks that takes about 80 ms, in
/// which no other task runs. A task that takes a thousand of this iterator and then yields lets the
/// other tasks run.
///
/// Tasks may be spawned and may end between two calls of `next`. A task that lives all the time is
/// returned once. A task that is spawned or ends meanwhile may be missing. The order is arbitrary:
/// [sort](slice::sort_by_key) by [`TaskInfo::id`] for the order in which the tasks were spawned.
///
/// ```
/// use evloop::task;
///
/// evloop::block_on(async {
///     let idle: Vec<_> = (0..10).map(|_| evloop::spawn(std::future::pending::<()>())).collect();
///     let mut tasks = task::iter();
///     let mut count = 0;
///     loop {
///         let piece: Vec<_> = tasks.by_ref().take(4).collect();
///         if piece.is_empty() {
///             break;
///         }
///         count += piece.len();
///         task::yield_now().await;
///     }
///     assert_eq!(count, idle.len() + 1);
/// });
/// ```
pub fn iter() -> TaskIter {
    let context = context::current().map_or_else(Weak::new, |context| Rc::downgrade(&context));
    TaskIter { context, cursor: 0 }
}

impl Iterator for TaskIter {
    type Item = TaskInfo;

    fn next(&mut self) -> Option<TaskInfo> {
        let next = self.context.upgrade()?.executor.next_info(&mut self.cursor);
        if next.is_none() {
            self.context = Weak::new();
        }
        next
    }
}

impl FusedIterator for TaskIter {}

impl fmt::Debug for TaskIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskIter").finish_non_exhaustive()
    }
}
