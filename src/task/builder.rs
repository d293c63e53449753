//! How a task is spawned that needs more said.

use std::future::Future;
use std::rc::Rc;

use crate::context;
use crate::info::Birth;
use crate::join::JoinHandle;

/// Spawns a task with a name.
///
/// ```
/// evloop::block_on(async {
///     let task = evloop::task::Builder::new().name("printer").spawn(async {
///         evloop::task::current().unwrap().name().map(String::from)
///     });
///     assert_eq!(task.await.unwrap().as_deref(), Some("printer"));
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder makes a task when `spawn` is called"]
pub struct Builder {
    name: Option<Rc<str>>,
}

impl Builder {
    /// Nothing said yet.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// The task's name, which [`TaskInfo::name`](super::TaskInfo::name) tells.
    #[doc(alias = "set_name")]
    pub fn name(mut self, name: impl Into<Rc<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Spawns the task on the running loop.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(self, future: F) -> JoinHandle<F::Output> {
        let birth = Birth { name: self.name, ..Birth::here() };
        context::expect("task::Builder::spawn").executor.spawn(future, birth)
    }
}
