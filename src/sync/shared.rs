//! One result for many tasks.

use std::cell::{self, Cell};
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::raw_semaphore::{Acquire, HasSemaphore, RawSemaphore};
use crate::current::{WaitsFor, budget};

/// A result that many tasks wait for: asyncio's `Future`, gevent's `AsyncResult`, the `Shared` of
/// the futures crate. Its clones are the same result; each wait returns a clone of the value.
///
/// The value comes from a [`SharedSetter`] or from a future. For a result that may be an error, use
/// a `Result` whose error can be cloned, such as an `Rc<io::Error>`.
///
/// ```
/// use evloop::sync::Shared;
///
/// evloop::block_on(async {
///     let (setter, config) = Shared::new();
///     let readers: Vec<_> = (0..3)
///         .map(|_| {
///             let config = config.clone();
///             evloop::spawn(async move { config.wait().await })
///         })
///         .collect();
///     setter.set("verbose");
///     for reader in readers {
///         assert_eq!(reader.await.unwrap(), Ok("verbose"));
///     }
///     assert_eq!(config.get(), Some(Ok("verbose")));
/// });
/// ```
pub struct Shared<T> {
    state: Rc<State<T>>,
}

/// Sets the value of a [`Shared`], once; [`Shared::new`] makes it. If it is dropped instead, the
/// waiting tasks get an error.
#[must_use = "dropping the setter sets an error"]
pub struct SharedSetter<T> {
    state: Rc<State<T>>,
}

/// The error of a [`Shared`] that will never have a value: its setter was dropped, or its future
/// panicked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NeverSet(());

struct State<T> {
    outcome: cell::OnceCell<Result<T, NeverSet>>,
    /// `None` while it is polled, after it has ended, and if there is a setter.
    future: Cell<Option<BoxFuture<T>>>,
    /// One permit, for the task that polls the future; none if there is a setter. Closed once there
    /// is an outcome.
    permits: RawSemaphore,
}

/// Its drop ends the wait for a future that has panicked.
struct EndOfPanic<'a, T>(&'a State<T>);

type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

impl<T> Shared<T> {
    /// Creates a result without a value, and its setter.
    #[doc(alias = "create_future")]
    pub fn new() -> (SharedSetter<T>, Shared<T>) {
        let shared = Shared::with(None);
        (SharedSetter { state: shared.state.clone() }, shared)
    }

    /// Creates the result of a future, which runs once, whatever number of tasks wait for it.
    ///
    /// The longest-waiting task polls the future. If that task stops to wait, the next one goes on
    /// where the future was. While no task waits, the future does not run; spawn a task that waits
    /// to run it anyway. If all clones are dropped, the future is dropped.
    ///
    /// ```
    /// use evloop::sync::Shared;
    ///
    /// evloop::block_on(async {
    ///     let page = Shared::from_future(async {
    ///         evloop::task::yield_now().await; // … fetches the page …
    ///         "<html>"
    ///     });
    ///     let other = page.clone();
    ///     let task = evloop::spawn(async move { other.wait().await });
    ///     assert_eq!(page.wait().await, Ok("<html>"));
    ///     assert_eq!(task.await.unwrap(), Ok("<html>"));
    /// });
    /// ```
    #[doc(alias = "shared")]
    pub fn from_future(future: impl Future<Output = T> + 'static) -> Shared<T> {
        Shared::with(Some(Box::pin(future)))
    }

    fn with(future: Option<BoxFuture<T>>) -> Shared<T> {
        let permits = RawSemaphore::new(usize::from(future.is_some()));
        let (outcome, future) = (cell::OnceCell::new(), Cell::new(future));
        Shared { state: Rc::new(State { outcome, future, permits }) }
    }

    /// Returns whether there is an outcome: a value, or the error that none will come.
    #[doc(alias = "done")]
    #[doc(alias = "ready")]
    pub fn is_set(&self) -> bool {
        self.state.outcome.get().is_some()
    }

    /// Returns the number of tasks that wait. Takes time in proportion to that number. The task
    /// that polls the future of [`from_future`](Shared::from_future) is not counted.
    #[doc(alias = "statistics")]
    pub fn waiting(&self) -> usize {
        self.state.permits.waiting(|_| true)
    }
}

impl<T: Clone> Shared<T> {
    /// Returns a clone of the value, or the error that none will come; `None` if it is not known
    /// yet.
    #[doc(alias = "result")]
    #[doc(alias = "peek")]
    pub fn get(&self) -> Option<Result<T, NeverSet>> {
        self.state.outcome.get().cloned()
    }

    /// Waits for the value, and returns a clone of it. Waiting tasks continue in the order in which
    /// they began to wait.
    ///
    /// # Errors
    ///
    /// Returns an error if the setter was dropped, or the future panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn wait(&self) -> Result<T, NeverSet> {
        let state = &*self.state;
        if !self.is_set() {
            let mut acquire = Acquire::new(state, 1);
            // Held until the outcome is known: if this is dropped, the next task polls the future.
            let permit = poll_fn(|cx| acquire.poll(cx)).await;
            if permit.is_ok() && !self.is_set() {
                let value = poll_fn(|cx| state.poll_future(cx)).await;
                state.finish(Ok(value));
            }
        } else {
            budget::unit().await;
        }
        self.get().expect("a closed state has an outcome")
    }
}

impl<T> SharedSetter<T> {
    /// Sets the value, and wakes the waiting tasks.
    #[doc(alias = "set_result")]
    #[doc(alias = "set_exception")]
    pub fn set(self, value: T) {
        self.state.finish(Ok(value));
    }
}

impl<T> State<T> {
    /// Polls the future, which is not borrowed meanwhile. The caller holds the permit.
    fn poll_future(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut future = self.future.take().expect("a future that has ended closes the permits");
        let end = EndOfPanic(self);
        let polled = future.as_mut().poll(cx);
        match polled {
            // Its destructor may panic, too.
            Poll::Ready(_) => drop(future),
            Poll::Pending => self.future.set(Some(future)),
        }
        mem::forget(end);
        polled
    }

    /// Sets the outcome, unless there is one, and wakes the waiting tasks.
    fn finish(&self, outcome: Result<T, NeverSet>) {
        // The outcome that is not needed is dropped last: that is user code.
        let _unused = self.outcome.set(outcome);
        self.permits.close();
    }
}

impl<T> Drop for EndOfPanic<'_, T> {
    fn drop(&mut self) {
        self.0.finish(Err(NeverSet(())));
    }
}

impl<T> HasSemaphore for State<T> {
    const WAITS_FOR: WaitsFor = WaitsFor::Event;

    fn semaphore(&self) -> &RawSemaphore {
        &self.permits
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared { state: self.state.clone() }
    }
}

impl<T> Drop for SharedSetter<T> {
    fn drop(&mut self) {
        if self.state.outcome.get().is_none() {
            self.state.finish(Err(NeverSet(())));
        }
    }
}

impl fmt::Display for NeverSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value will come: the setter was dropped, or the future panicked")
    }
}

impl fmt::Debug for NeverSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NeverSet({self})")
    }
}

impl Error for NeverSet {}

impl From<NeverSet> for io::Error {
    fn from(error: NeverSet) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.state.outcome.get()).finish()
    }
}

impl<T> fmt::Debug for SharedSetter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSetter").finish_non_exhaustive()
    }
}
