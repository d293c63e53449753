//! Running many futures at once and taking all their outputs.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use super::scope::scope;
use super::try_scope::try_scope;
use crate::executor::SpawnOptions;

/// Runs futures at once; gives their outputs in the order of the futures: asyncio's `gather`,
/// gevent's `joinall`.
///
/// Each is a child of a [`scope`](super::scope()): it may borrow, has its own place in
/// [`task::all`](super::all), and is polled only when it was woken, so a thousand of them cost a
/// thousand times what one does.
///
/// # Panics
///
/// When it is first polled outside of a running loop. A panic of a future drops the others and goes
/// through.
///
/// # Cancel safety
///
/// Dropping it drops the futures, and the outputs that have come.
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
#[doc(alias = "joinall")]
#[doc(alias = "join_all")]
#[track_caller]
pub fn gather<I>(futures: I) -> impl Future<Output = Vec<<I::Item as Future>::Output>>
where
    I: IntoIterator,
    I::Item: Future,
{
    let options = SpawnOptions::here();
    async move {
        let outputs = Outputs::default();
        scope(async |s| {
            for future in futures {
                let keep = outputs.keeper();
                s.spawn_as(options.clone(), async move { keep(future.await) });
            }
        })
        .await;
        outputs.take()
    }
}

/// Runs futures at once until the first of them fails; gives what the others gave with `Ok`, in the
/// order of the futures.
///
/// As [`gather`], but the first `Err` drops the others: asyncio's `gather`, which lets them go on,
/// leaves them without anybody who asks for them.
///
/// # Errors
///
/// The first error.
///
/// # Panics
///
/// As [`gather`].
///
/// # Cancel safety
///
/// As [`gather`].
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
#[doc(alias = "gather")]
#[track_caller]
pub fn try_gather<I, T, E>(futures: I) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>>,
{
    let options = SpawnOptions::here();
    async move {
        let outputs = Outputs::default();
        let result = try_scope(async |s| {
            for future in futures {
                let keep = outputs.keeper();
                s.spawn_as(options.clone(), async move { future.await.map(keep) });
            }
            Ok(())
        });
        match result.await {
            Ok(()) => Ok(outputs.take()),
            Err(errors) => Err(errors.into_first()),
        }
    }
}

/// The outputs that have come, each in its place.
struct Outputs<T>(Rc<RefCell<Vec<Option<T>>>>);

impl<T> Outputs<T> {
    /// Makes a place at the end. What is returned keeps an output there.
    fn keeper(&self) -> impl FnOnce(T) {
        let place = self.0.borrow().len();
        self.0.borrow_mut().push(None);
        let outputs = self.0.clone();
        move |output| outputs.borrow_mut()[place] = Some(output)
    }

    fn take(self) -> Vec<T> {
        self.0.take().into_iter().flatten().collect()
    }
}

impl<T> Default for Outputs<T> {
    fn default() -> Outputs<T> {
        Outputs(Rc::default())
    }
}
