//! How a task ended, and the functions that are called when it has ended.

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;

/// How a task ended; the argument of the functions that
/// [`JoinHandle::on_end`](crate::JoinHandle::on_end) registers.
///
/// ```
/// use evloop::task::TaskEnd;
///
/// evloop::block_on(async {
///     let task = evloop::spawn(std::future::pending::<()>());
///     task.on_end(|end| assert_eq!(end, TaskEnd::Cancelled));
///     task.cancel().await.unwrap_err();
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// The task returned its output. The output may be an `Err`.
    Returned,
    /// The task was aborted, or dropped since its loop ended.
    Cancelled,
    /// The task, or the destructor of its future, panicked.
    Panicked,
}

type Function = Box<dyn FnOnce(TaskEnd)>;

/// A function that is called after the end of a task, unless it is removed before. All clones share
/// it.
#[derive(Clone)]
pub(crate) struct EndCall {
    function: Rc<RefCell<Option<Function>>>,
    pub(crate) registered_at: &'static Location<'static>,
}

impl EndCall {
    pub(crate) fn new(
        f: impl FnOnce(TaskEnd) + 'static,
        registered_at: &'static Location<'static>,
    ) -> EndCall {
        EndCall { function: Rc::new(RefCell::new(Some(Box::new(f)))), registered_at }
    }

    /// Returns whether the function was called or removed.
    pub(crate) fn is_over(&self) -> bool {
        self.function.borrow().is_none()
    }

    /// Calls the function, unless it was removed.
    pub(crate) fn call(&self, end: TaskEnd) {
        let function = self.function.take();
        if let Some(f) = function {
            f(end);
        }
    }

    /// Drops the function. Returns whether there was one.
    pub(crate) fn remove(&self) -> bool {
        // Not borrowed while the function is dropped: its captures are user values.
        let function = self.function.take();
        function.is_some()
    }
}
