//! What one task waits on.

use crate::context::{self, Edges, WaitsOn};
use crate::executor::TaskInfo;

impl TaskInfo {
    /// Returns what the task waits on now: which task, timer, descriptor or lock.
    ///
    /// Several, if it waits for several futures, as in `select!`. Empty if that is not known: for
    /// channels and events, for futures of other crates, and for a future that `join!` or another
    /// combinator of another crate polls with a waker of its own; locks are known in
    /// [debug mode](crate::runtime::Builder::debug) alone. A handle that the task has polled
    /// before, and still owns, is listed too. Empty, if the loop of the task is not entered.
    ///
    /// It looks at all tasks, timers and sources of the loop: about 1 us each, in which no task
    /// runs. [`debug::dump`](crate::debug::dump()) looks at them once for all tasks.
    ///
    /// ```
    /// use evloop::debug::WaitsOn;
    /// use evloop::task;
    ///
    /// evloop::block_on(async {
    ///     let idle = evloop::spawn(std::future::pending::<()>());
    ///     let id = idle.id();
    ///     let joins = evloop::spawn(idle);
    ///     task::yield_now().await;
    ///     let all = task::all();
    ///     let info = all.iter().find(|info| info.id() == joins.id()).unwrap();
    ///     assert_eq!(info.waits_on(), [WaitsOn::Task(id)]);
    /// });
    /// ```
    #[doc(alias = "get_stack")]
    pub fn waits_on(&self) -> Vec<WaitsOn> {
        let in_loop = self.waker_id().in_loop();
        let context = context::entered().into_iter().find(|context| context.name.id == in_loop);
        let snapshot = context.map(|context| context.snapshot()).unwrap_or_default();
        let task = snapshot.index_of(self.id()).map(|index| &snapshot.tasks[index]);
        task.map(|task| Edges::of(&snapshot).of_task(task)).unwrap_or_default()
    }
}
