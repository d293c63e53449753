//! A value that is set once, by the first task that needs it.

use std::cell;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll, ready};

use super::notify_list::NotifyList;
use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};
use crate::current::budget;
use crate::poll_with::{lazy, poll_with};

/// A value that is set once, or initialized by a future.
///
/// One task initializes the value, and other tasks that need it wait. If the initializing task
/// fails, panics or is dropped, the longest-waiting task runs its own initializer.
///
/// ```
/// use std::rc::Rc;
/// use evloop::sync::OnceCell;
///
/// evloop::block_on(async {
///     let config = OnceCell::new();
///     let read = async || {
///         evloop::task::yield_now().await; // … reads a file …
///         "verbose"
///     };
///     assert_eq!(*config.get_or_init(read).await, "verbose");
///     assert_eq!(*config.get_or_init(async || "quiet").await, "verbose");
///     assert_eq!(config.get(), Some(&"verbose"));
/// });
/// ```
pub struct OnceCell<T> {
    value: cell::OnceCell<T>,
    /// One permit, for the initializing task. Closed once the value is set.
    permits: RawSemaphore,
    /// The tasks in `wait`.
    set: NotifyList,
}

/// Notifies all tasks when it is dropped.
struct NotifyAll<'a>(&'a NotifyList);

/// A call that returns the value, or makes it.
struct Making<'a, T> {
    cell: &'a OnceCell<T>,
    /// `Some` from the first poll on, unless there was a value then.
    acquire: Option<Acquire<&'a OnceCell<T>>>,
    /// Held while the initializer runs. If it fails, panics or is dropped, the next waiting task
    /// gets the permit.
    permit: Option<RawPermit<&'a OnceCell<T>>>,
}

/// The error of [`OnceCell::set`]. Holds the value that was not set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// The cell has a value already.
    AlreadySet(T),
    /// A task is initializing the value.
    Initializing(T),
}

impl<T> OnceCell<T> {
    /// Creates a cell without a value.
    pub const fn new() -> OnceCell<T> {
        OnceCell {
            value: cell::OnceCell::new(),
            permits: RawSemaphore::new(1),
            set: NotifyList::new(false),
        }
    }

    /// Creates a cell with a value, or without one.
    #[doc(alias = "from")]
    pub fn new_with(value: Option<T>) -> OnceCell<T> {
        value.map_or_else(OnceCell::new, OnceCell::from)
    }

    /// Returns the value, if it was set.
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Returns the value, if it was set.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Returns whether the value was set.
    #[doc(alias = "initialized")]
    pub fn is_initialized(&self) -> bool {
        self.get().is_some()
    }

    /// Sets the value.
    ///
    /// # Errors
    ///
    /// Returns the value if the cell has a value or a task is initializing it.
    #[doc(alias = "try_set")]
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        if self.is_initialized() {
            return Err(SetError::AlreadySet(value));
        }
        let Ok(_permit) = RawPermit::try_new(self, 1) else {
            return Err(SetError::Initializing(value));
        };
        self.set_value(value);
        Ok(())
    }

    /// Returns the value. If there is none, `init` makes it, and other tasks that call this wait.
    ///
    /// A call from inside of `init` with the same cell waits for itself forever.
    ///
    /// # Cancel safety
    ///
    /// Dropping this future drops the running `init`. The next waiting task runs its own.
    pub fn get_or_init(&self, init: impl AsyncFnOnce() -> T) -> impl Future<Output = &T> {
        let mut making = Making::new(self);
        poll_with(lazy(move || init()), move |mut init, cx| {
            let poll_init = |cx: &mut Context<'_>| init.as_mut().poll(cx).map(Ok::<T, Infallible>);
            making.poll(cx, poll_init).map(|Ok(value)| value)
        })
    }

    /// Returns the value. If there is none, `init` makes it or fails, and other tasks that call
    /// this wait.
    ///
    /// # Errors
    ///
    /// Returns the error of `init`. The next waiting task runs its own `init`.
    ///
    /// # Cancel safety
    ///
    /// Dropping this future drops the running `init`. The next waiting task runs its own.
    pub fn get_or_try_init<E>(
        &self,
        init: impl AsyncFnOnce() -> Result<T, E>,
    ) -> impl Future<Output = Result<&T, E>> {
        let mut making = Making::new(self);
        poll_with(lazy(move || init()), move |mut init, cx| {
            making.poll(cx, |cx| init.as_mut().poll(cx))
        })
    }

    /// Waits until another task has set the value, and returns it. Makes no value itself.
    ///
    /// Tasks in `wait` never become the one that initializes the cell. A value from
    /// [`set`](OnceCell::set) completes the wait as well as one from an initializer. This is the
    /// `wait` of async-lock's `OnceCell` and of tokio's `SetOnce`.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use evloop::sync::OnceCell;
    ///
    /// evloop::block_on(async {
    ///     let address = Rc::new(OnceCell::new());
    ///     let server = address.clone();
    ///     let client = evloop::spawn(async move { *server.wait().await + 1 });
    ///     evloop::task::yield_now().await;
    ///     assert_eq!(address.waiting(), 1);
    ///     address.set(8080).unwrap();
    ///     assert_eq!(client.await.unwrap(), 8081);
    /// });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn wait(&self) -> &T {
        poll_fn(budget::poll_left).await;
        let set = self.set.wait();
        match self.get() {
            Some(_) => budget::spend(),
            None => set.await,
        }
        self.get().expect("a cell notifies once its value is set")
    }

    /// Returns the number of tasks that wait for the value: to be set, or to make it themselves.
    /// Takes time in proportion to that number.
    #[doc(alias = "statistics")]
    pub fn waiting(&self) -> usize {
        self.permits.waiting(|_| true) + self.set.waiting()
    }

    /// Takes the value out of the cell, which has none afterwards.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// Returns the value, if it was set.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Sets the value. The caller holds the permit, or owns the cell.
    fn set_value(&self, value: T) {
        let is_first = self.value.set(value).is_ok();
        debug_assert!(is_first, "a cell is set once");
        // Waking runs user code, which may panic: the second step is not skipped then.
        let _last = NotifyAll(&self.set);
        self.permits.close();
    }
}

impl<'a, T> Making<'a, T> {
    fn new(cell: &'a OnceCell<T>) -> Making<'a, T> {
        Making { cell, acquire: None, permit: None }
    }

    /// Returns the value of the cell. Waits for the permit, then polls the initializer by
    /// `poll_init`.
    fn poll<E>(
        &mut self,
        cx: &mut Context<'_>,
        poll_init: impl FnOnce(&mut Context<'_>) -> Poll<Result<T, E>>,
    ) -> Poll<Result<&'a T, E>> {
        let Making { cell, acquire, permit } = self;
        if let (None, Some(value)) = (&acquire, cell.get()) {
            return budget::poll_unit(cx).map(|()| Ok(value));
        }
        if permit.is_none() {
            let acquire = acquire.get_or_insert_with(|| Acquire::new(cell, 1));
            // An error: the cell is closed, since its value is set.
            *permit = ready!(acquire.poll(cx)).ok();
        }
        if permit.is_some() {
            let made = ready!(poll_init(cx));
            let _permit = permit.take();
            cell.set_value(made?);
        }
        Poll::Ready(Ok(cell.get().expect("the cell closes when its value is set")))
    }
}

impl Drop for NotifyAll<'_> {
    fn drop(&mut self) {
        self.0.notify_all();
    }
}

impl<T> HasSemaphore for OnceCell<T> {
    fn semaphore(&self) -> &RawSemaphore {
        &self.permits
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> OnceCell<T> {
        let cell = OnceCell::new();
        cell.set_value(value);
        cell
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}

impl<T> SetError<T> {
    /// The value that was not set.
    pub fn into_inner(self) -> T {
        match self {
            SetError::AlreadySet(value) | SetError::Initializing(value) => value,
        }
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadySet(_) => "the cell has a value",
            SetError::Initializing(_) => "the cell's value is being made",
        })
    }
}

impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetError({self})")
    }
}

impl<T> Error for SetError<T> {}

impl<T: Send + Sync + 'static> From<SetError<T>> for io::Error {
    fn from(error: SetError<T>) -> io::Error {
        let kind = match error {
            SetError::AlreadySet(_) => io::ErrorKind::AlreadyExists,
            SetError::Initializing(_) => io::ErrorKind::WouldBlock,
        };
        io::Error::new(kind, error)
    }
}
