//! Runs many futures together and returns all their outputs.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use super::scope::scope_at;
use super::try_scope::{GroupError, try_scope_at};
use crate::executor::SpawnOptions;
use crate::poll_with::poll_with;

/// Runs futures together and returns their outputs in the order of the futures: asyncio's `gather`,
/// gevent's `joinall`.
///
/// The futures have one type, as the items of an array or an iterator. For futures of different
/// types, as in `gather(a(), b())`, use [`join!`](crate::join): it returns a tuple.
///
/// Each future is a child of a [`scope`](super::scope()): it may borrow, it is listed in
/// [`task::all`](super::all), and it is polled only when it was woken. So the cost of a thousand
/// futures is a thousand times the cost of one.
///
/// # Panics
///
/// Panics if it is first polled outside of a running loop. If a future panics, the others are
/// dropped and the panic is resumed here.
///
/// # Cancel safety
///
/// Dropping it drops the futures, and the outputs of those that have completed.
///
/// ```
/// use evloop::{task, time};
/// use std::time::Duration;
///
/// evloop::block_on(async {
///     let squares = task::gather((1..=3).map(|i| async move {
///         time::sleep(Duration::from_millis(4 - i)).await;
///         i * i
///     }));
///     assert_eq!(squares.await, [1, 4, 9]);
/// });
/// ```
#[track_caller]
pub fn gather<'env, I>(futures: I) -> impl Future<Output = Vec<<I::Item as Future>::Output>>
where
    I: IntoIterator,
    I::Item: Future + 'env,
{
    let options = SpawnOptions::here();
    let outputs = Outputs::default();
    let stored = outputs.clone();
    let scope = scope_at(options.spawned_at, async move |s| {
        for future in futures {
            let mut store = stored.add_slot();
            let child = poll_with(future, move |future, cx| future.poll(cx).map(&mut store));
            s.spawn_as(options.clone(), child);
        }
    });
    poll_with(scope, move |scope, cx| scope.poll(cx).map(|()| outputs.take()))
}

/// Runs futures together until the first of them fails. Returns their `Ok` values in the order of
/// the futures.
///
/// The first `Err` drops the other futures. asyncio's `gather` lets them run on instead, and then
/// no caller waits for them. In all else this is as [`gather`].
///
/// # Errors
///
/// Returns the first error.
///
/// # Panics
///
/// Panics as [`gather`] does.
///
/// # Cancel safety
///
/// As for [`gather`].
///
/// ```
/// use evloop::task;
///
/// evloop::block_on(async {
///     let parse = |text: &'static str| async move { text.parse::<u8>() };
///     assert_eq!(task::try_gather([parse("1"), parse("2")]).await, Ok(vec![1, 2]));
///     assert!(task::try_gather([parse("1"), parse("two")]).await.is_err());
/// });
/// ```
#[track_caller]
pub fn try_gather<'env, I, T, E>(futures: I) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>> + 'env,
    T: 'env,
    E: 'env,
{
    let options = SpawnOptions::here();
    let outputs = Outputs::default();
    let stored = outputs.clone();
    let scope = try_scope_at(options.spawned_at, async move |s| {
        for future in futures {
            let mut store = stored.add_slot();
            let child = poll_with(future, move |future, cx| future.poll(cx).map_ok(&mut store));
            s.spawn_as(options.clone(), child);
        }
        Ok(())
    });
    poll_with(scope, move |scope, cx| {
        scope.poll(cx).map_ok(|()| outputs.take()).map_err(GroupError::into_first)
    })
}

/// The outputs that have come, each at the index of its future.
struct Outputs<T>(Rc<RefCell<Vec<Option<T>>>>);

impl<T> Outputs<T> {
    /// Adds an empty slot at the end. Returns a function that stores an output in it.
    fn add_slot(&self) -> impl FnMut(T) + use<T> {
        let index = self.0.borrow().len();
        self.0.borrow_mut().push(None);
        let outputs = self.0.clone();
        move |output| outputs.borrow_mut()[index] = Some(output)
    }

    fn take(&self) -> Vec<T> {
        self.0.take().into_iter().flatten().collect()
    }
}

impl<T> Clone for Outputs<T> {
    fn clone(&self) -> Outputs<T> {
        Outputs(self.0.clone())
    }
}

impl<T> Default for Outputs<T> {
    fn default() -> Outputs<T> {
        Outputs(Rc::default())
    }
}
