//! A value that is made once, by whichever task needs it first.

use std::cell;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;

use super::raw_semaphore::{Acquire, HasSemaphore, RawPermit, RawSemaphore};
use crate::current::budget;

/// A value that is set once; made, if need be, by a future.
///
/// One task makes it, and the others who need it wait. If that one fails, panics or is dropped, the
/// one who waited longest tries, with what it brought to make the value.
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
    /// One, for who makes the value; closed once it is set.
    permits: RawSemaphore,
}

/// Why [`OnceCell::set`] did not set the value. Holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// There is one already.
    AlreadySet(T),
    /// One is being made.
    Initializing(T),
}

impl<T> OnceCell<T> {
    /// A cell without a value.
    pub const fn new() -> OnceCell<T> {
        OnceCell { value: cell::OnceCell::new(), permits: RawSemaphore::new(1) }
    }

    /// The value, if it was set.
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if it was set.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Whether the value was set.
    pub fn is_initialized(&self) -> bool {
        self.get().is_some()
    }

    /// Sets the value.
    ///
    /// # Errors
    ///
    /// If there is one, or one is being made, this one comes back.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        if self.is_initialized() {
            return Err(SetError::AlreadySet(value));
        }
        let Ok(_turn) = RawPermit::try_new(self, 1) else {
            return Err(SetError::Initializing(value));
        };
        self.fill(value);
        Ok(())
    }

    /// The value; if there is none, `init` makes it. Who comes meanwhile waits.
    ///
    /// Made from inside of `init`, with the same cell, it waits for itself, for ever.
    ///
    /// # Cancel safety
    ///
    /// The future that makes the value is dropped with this one; the next who waits tries.
    pub async fn get_or_init(&self, init: impl AsyncFnOnce() -> T) -> &T {
        let made = self.get_or_try_init(async || Ok::<T, Infallible>(init().await)).await;
        match made {
            Ok(value) => value,
        }
    }

    /// The value; if there is none, `init` makes it, or fails to. Who comes meanwhile waits.
    ///
    /// # Errors
    ///
    /// That of `init`. The next who waits tries.
    ///
    /// # Cancel safety
    ///
    /// The future that makes the value is dropped with this one; the next who waits tries.
    pub async fn get_or_try_init<E>(
        &self,
        init: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        if let Some(value) = self.get() {
            budget::unit().await;
            return Ok(value);
        }
        let mut acquire = Acquire::new(self, 1);
        let turn = poll_fn(|cx| acquire.poll(cx)).await;
        if turn.is_ok() {
            self.fill(init().await?);
        }
        Ok(self.get().expect("the cell is closed when its value was set"))
    }

    /// Takes the value out; the cell is without one again.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// The value, if it was set.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Sets the value; the caller has the turn to do so.
    fn fill(&self, value: T) {
        let is_first = self.value.set(value).is_ok();
        debug_assert!(is_first, "whoever has the turn sets it");
        self.permits.close();
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
        cell.fill(value);
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
