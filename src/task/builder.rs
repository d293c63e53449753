//! A builder for a task with options.

use std::future::Future;
use std::rc::Rc;

use super::join_set::JoinSet;
use crate::context;
use crate::executor::{AbortHandle, JoinHandle, SpawnOptions};

/// Spawns a task with options: a name, or a first poll at once.
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
    is_eager: bool,
}

impl Builder {
    /// Returns a builder with the default options: no name, not eager.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Sets the task's name, which [`TaskInfo::name`](super::TaskInfo::name) returns.
    #[doc(alias = "set_name")]
    pub fn name(mut self, name: impl Into<Rc<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Sets whether `spawn` polls the task at once, up to its first await that waits. Default:
    /// `false`.
    ///
    /// An eager task that never waits costs no turn of its own. These are asyncio's eager tasks,
    /// and gevent starts its greenlets in this way. If the loop is between two of its turns, an
    /// eager task waits for its turn as any other.
    ///
    /// ```
    /// use evloop::task;
    ///
    /// evloop::block_on(async {
    ///     let task = task::Builder::new().eager(true).spawn(async { 7 });
    ///     assert!(task.is_finished());
    ///     assert_eq!(task.await.unwrap(), 7);
    /// });
    /// ```
    #[doc(alias = "eager_start")]
    #[doc(alias = "eager_task_factory")]
    pub fn eager(mut self, is_eager: bool) -> Builder {
        self.is_eager = is_eager;
        self
    }

    /// Spawns the task on the running loop.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(self, future: F) -> JoinHandle<F::Output> {
        let options = self.options();
        context::expect("task::Builder::spawn").executor.spawn(future, options)
    }

    /// Spawns the task on the running loop and adds it to a set: tokio's `JoinSet::build_task`.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    ///
    /// ```
    /// use evloop::task::{Builder, JoinSet};
    ///
    /// evloop::block_on(async {
    ///     let mut set = JoinSet::new();
    ///     Builder::new().name("printer").spawn_in(&mut set, async {
    ///         evloop::task::current().unwrap().name().map(String::from)
    ///     });
    ///     assert_eq!(set.join_all().await, [Some(String::from("printer"))]);
    /// });
    /// ```
    #[doc(alias = "build_task")]
    #[track_caller]
    pub fn spawn_in<T: 'static>(
        self,
        set: &mut JoinSet<T>,
        future: impl Future<Output = T> + 'static,
    ) -> AbortHandle {
        let options = self.options();
        set.spawn_as(future, options)
    }

    #[track_caller]
    fn options(self) -> SpawnOptions {
        SpawnOptions { name: self.name, is_eager: self.is_eager, ..SpawnOptions::here() }
    }
}
