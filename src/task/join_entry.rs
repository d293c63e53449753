//! A task of a `JoinSet`, a `JoinMap` or a `JoinQueue`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::blocking::{self, Kind, Work};
use crate::context;
use crate::current;
use crate::executor::{AbortHandle, JoinError, JoinHandle, SpawnOptions};
use crate::poll_with::drop_after;

/// A task that can be joined.
pub(super) enum Entry<T> {
    Task(JoinHandle<T>),
    /// The task waits for work on the blocking pool.
    Work(JoinHandle<Result<T, JoinError>>),
    /// The task was spawned elsewhere. Boxed, since it is rare.
    Inserted(Box<Inserted<T>>),
}

pub(super) struct Inserted<T> {
    task: JoinHandle<T>,
    /// A task that ends after the other one.
    _end: JoinHandle<()>,
}

/// Work that is cancelled when this is dropped, unless it has begun.
struct CancelOnDrop<T>(Work<T>);

impl<T: 'static> Entry<T> {
    /// Spawns a task on the running loop. `report` is dropped after the future. `what` names the
    /// called function in the panic outside of a loop.
    #[track_caller]
    pub(super) fn spawn(
        what: &str,
        future: impl Future<Output = T> + 'static,
        report: impl Sized + 'static,
        options: SpawnOptions,
    ) -> Entry<T> {
        let task = drop_after(future, report);
        Entry::Task(context::expect(what).executor.spawn(task, options))
    }

    /// Starts work on the blocking pool, and spawns a task that waits for it.
    #[track_caller]
    pub(super) fn spawn_blocking(
        what: &str,
        f: impl FnOnce() -> T + Send + 'static,
        report: impl Sized + 'static,
    ) -> Entry<T>
    where
        T: Send,
    {
        let mut work = CancelOnDrop(blocking::start(Kind::User, what, f));
        let task = async move {
            let _report = report;
            (&mut work.0).await.map_err(|error| match current::task() {
                Some(id) => error.of_task(id),
                None => error,
            })
        };
        Entry::Work(context::expect(what).executor.spawn(task, SpawnOptions::here()))
    }

    /// Holds a task that was spawned elsewhere. `report` is dropped after the task has ended.
    #[track_caller]
    pub(super) fn insert(
        what: &str,
        handle: JoinHandle<T>,
        report: impl Sized + 'static,
    ) -> Entry<T> {
        let task = handle.abort_handle();
        let end = async move {
            let _report = report;
            poll_fn(|cx| task.poll_end(cx)).await;
        };
        let end = context::expect(what).executor.spawn(end, SpawnOptions::here());
        Entry::Inserted(Box::new(Inserted { task: handle, _end: end.abort_on_drop() }))
    }

    pub(super) fn abort_handle(&self) -> AbortHandle {
        match self {
            Entry::Task(task) => task.abort_handle(),
            Entry::Inserted(inserted) => inserted.task.abort_handle(),
            Entry::Work(task) => task.abort_handle(),
        }
    }
}

impl<T> Entry<T> {
    pub(super) fn id(&self) -> current::TaskId {
        match self {
            Entry::Task(task) => task.id(),
            Entry::Inserted(inserted) => inserted.task.id(),
            Entry::Work(task) => task.id(),
        }
    }

    pub(super) fn abort(&self) {
        match self {
            Entry::Task(task) => task.abort(),
            Entry::Inserted(inserted) => inserted.task.abort(),
            Entry::Work(task) => task.abort(),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        match self {
            Entry::Task(task) => task.is_finished(),
            Entry::Inserted(inserted) => inserted.task.is_finished(),
            Entry::Work(task) => task.is_finished(),
        }
    }

    /// Takes the output, if the task has ended and the output was not taken before.
    pub(super) fn take_finished(&self) -> Option<Result<T, JoinError>> {
        match self {
            Entry::Task(task) => task.take_finished(),
            Entry::Inserted(inserted) => inserted.task.take_finished(),
            Entry::Work(task) => Some(task.take_finished()?.and_then(|output| output)),
        }
    }

    /// Polls for the output.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        match self {
            Entry::Task(task) => Pin::new(task).poll(cx),
            Entry::Inserted(inserted) => Pin::new(&mut inserted.task).poll(cx),
            Entry::Work(task) => Pin::new(task).poll(cx).map(|joined| joined?),
        }
    }
}

/// Panics if the handle has returned the output of its task: the task could never be joined. `what`
/// names the called function.
#[track_caller]
pub(super) fn assert_has_output<T>(what: &str, handle: &JoinHandle<T>) {
    assert!(
        !handle.is_taken(),
        "{what} was called with the handle of task {}, which has returned its output: insert a \
         handle before it is awaited",
        handle.id()
    );
}

/// Returns the output of a task for `join_all`. Resumes its panic; panics if it was aborted.
pub(super) fn expect_output<T>(output: Result<T, JoinError>) -> T {
    match output.map_err(JoinError::try_into_panic) {
        Ok(output) => output,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(error)) => panic!("{error}, and so has no output for join_all"),
    }
}

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
