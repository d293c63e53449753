//! A name of a value that stays on the loop's thread.
//!
//! The value lies in the context of its loop. Invariant: a `Local` holds no part of it, only the
//! loop's name and a key, so it is `Send` and `Sync` by itself.

use std::cell::{RefCell, RefMut};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use crate::context::{self, LocalId};
use crate::threads::{Call, LoopName};

/// A name of a value that stays on the loop's thread. The name is `Send` and `Sync`, whatever the
/// value is.
///
/// Many crates require `Send` futures and connections, although they never move them to another
/// thread when they run on one: axum's handlers, hyper's client pool, redis, quinn. `Local` meets
/// the bound. The value is used through [`with`](Local::with). Traits pass through: `Local` is a
/// `Future`, a `Stream`, or an `AsyncRead` and `AsyncWrite` if the value is: those of futures-io,
/// and with the features `tokio-io` and `hyper` those of tokio and hyper. The value must be `Unpin`
/// for that; [`Local::pin`] is for a future that is not.
///
/// The name may move to another thread, but the value cannot be used there: see the errors below.
/// A name that is dropped on another thread, or on the loop's thread while the loop does not run,
/// sends the value's key to the loop, which drops the value in a task of its own. When the loop
/// ends, it drops the values that are left, after its tasks; the names that still exist then name
/// nothing.
///
/// A `Local` is no `Clone`: what needs several names, as axum's state does, takes an
/// `Arc<Local<T>>`. The module `evloop::hyper` shows axum's handlers.
///
/// Using a value costs a lookup in a table of the loop, and no atomic operation.
///
/// ```
/// use std::rc::Rc;
///
/// use evloop::task::Local;
///
/// fn is_send<T: Send>(value: T) -> T {
///     value
/// }
///
/// evloop::block_on(async {
///     let shared = Local::new(Rc::new(41));
///     let handler = is_send(async move { shared.with(|number| **number + 1) });
///     assert_eq!(handler.await, 42);
///
///     let rc = Rc::new(6);
///     let future = is_send(Local::pin(async move { *rc * 7 }));
///     assert_eq!(future.await, 42);
/// });
/// ```
pub struct Local<T: 'static> {
    in_loop: LoopName,
    id: LocalId,
    made_at: &'static Location<'static>,
    /// A function pointer is `Send` and `Sync`: no value is held.
    _type: PhantomData<fn() -> T>,
}

/// The reason why the value of a [`Local`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalError {
    /// The calling code is on another thread than the value, in another loop, or outside of one.
    OtherLoop,
    /// The loop of the value has ended, and with it the value.
    Ended,
    /// The value is in use: the call is made inside another one on the same value.
    InUse,
}

/// A value while it is used.
type Value<T> = Rc<RefCell<T>>;

impl<T> Local<T> {
    /// Stores a value in the running loop, and returns its name. While the loop ends, the value is
    /// dropped at once.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn new(value: T) -> Local<T> {
        let context = context::expect("Local::new");
        let id = context.locals.insert(Rc::new(RefCell::new(value)));
        Local { in_loop: context.name, id, made_at: Location::caller(), _type: PhantomData }
    }

    /// Calls `f` with the value, and returns what `f` returns.
    ///
    /// # Panics
    ///
    /// Where [`try_with`](Local::try_with) returns an error.
    #[track_caller]
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // A closure in `unwrap_or_else` would not point at the caller.
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => self.fail(error),
        }
    }

    /// Calls `f` with the value, and returns what `f` returns.
    ///
    /// # Errors
    ///
    /// A [`LocalError`] if the loop of the value is not the running one of this thread, has ended,
    /// or uses the value already.
    ///
    /// ```
    /// use std::{rc::Rc, thread};
    ///
    /// use evloop::task::{Local, LocalError};
    ///
    /// evloop::block_on(async {
    ///     let local = Local::new(Rc::new(1));
    ///     let elsewhere = thread::spawn(move || local.try_with(|_| ()));
    ///     assert_eq!(elsewhere.join().unwrap(), Err(LocalError::OtherLoop));
    /// });
    /// ```
    #[inline]
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LocalError> {
        let value = self.value().ok_or_else(|| self.error())?;
        let mut borrowed = borrow(&value)?;
        Ok(f(&mut borrowed))
    }

    /// Returns whether the value can be used here: on its thread, in its loop.
    ///
    /// ```
    /// use evloop::task::Local;
    ///
    /// let local = evloop::block_on(async {
    ///     let local = Local::new(1);
    ///     assert!(local.is_here());
    ///     local
    /// });
    /// assert!(!local.is_here());
    /// ```
    pub fn is_here(&self) -> bool {
        self.value().is_some()
    }

    /// Returns the value.
    ///
    /// # Panics
    ///
    /// On another thread, outside of the running loop of the value, and after the end of that loop.
    ///
    /// ```
    /// use evloop::task::Local;
    ///
    /// evloop::block_on(async {
    ///     assert_eq!(Local::new(String::from("a")).into_inner(), "a");
    /// });
    /// ```
    #[track_caller]
    pub fn into_inner(self) -> T {
        let Some(value) = self.value() else { self.fail(self.error()) };
        // Removes the loop's reference. A use in progress would borrow the name.
        drop(self);
        Rc::into_inner(value).expect("nothing uses the value").into_inner()
    }

    /// Returns the value, if its loop is the running one.
    #[inline]
    fn value(&self) -> Option<Value<T>> {
        let get = |context: &Rc<context::Context>| {
            (context.name == self.in_loop).then(|| context.locals.get(self.id)).flatten()
        };
        context::with_current(get).flatten()?.downcast().ok()
    }

    /// Returns why there is no value here.
    #[cold]
    fn error(&self) -> LocalError {
        let is_own = context::with_current(|context| context.name == self.in_loop);
        let has_ended = self.in_loop.inbox().is_none_or(|inbox| inbox.is_closed());
        if is_own == Some(true) || has_ended { LocalError::Ended } else { LocalError::OtherLoop }
    }

    #[cold]
    #[track_caller]
    fn fail(&self, error: LocalError) -> ! {
        panic!("the Local made at {}: {error}", self.made_at)
    }
}

#[inline]
fn borrow<T>(value: &RefCell<T>) -> Result<RefMut<'_, T>, LocalError> {
    value.try_borrow_mut().map_err(|_| LocalError::InUse)
}

impl<F: Future> Local<Pin<Box<F>>> {
    /// Stores a future in the running loop, and returns a name of it that is a `Send` future.
    ///
    /// # Panics
    ///
    /// Outside of a running loop. Polling it panics where [`try_with`](Local::try_with) returns an
    /// error.
    #[track_caller]
    pub fn pin(future: F) -> Local<Pin<Box<F>>> {
        Local::new(Box::pin(future))
    }
}

impl<T> Drop for Local<T> {
    fn drop(&mut self) {
        let id = self.id;
        if let Some(context) = context::named(self.in_loop) {
            // Dropped after the borrow has ended.
            drop(context.locals.remove(id));
            return;
        }
        let Some(inbox) = self.in_loop.inbox() else { return };
        let remove = move || drop(context::expect("Local").locals.remove(id));
        let call = Call { function: Box::new(remove), called_at: self.made_at };
        // A loop that ends drops its values itself.
        drop(inbox.call(call));
    }
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LocalError::OtherLoop => {
                "the value was used on another thread, or outside of its running loop: use it in a \
                 task of its loop, which another thread reaches by Handle::spawn"
            }
            LocalError::Ended => {
                "the value was used after its loop had ended, which dropped it: use it in a task \
                 of that loop"
            }
            LocalError::InUse => {
                "the value was used while it is in use: end the first use before the second"
            }
        })
    }
}

impl Error for LocalError {}

impl From<LocalError> for io::Error {
    fn from(error: LocalError) -> io::Error {
        io::Error::other(error)
    }
}

impl<T> fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Local");
        debug.field("is_here", &self.is_here()).finish_non_exhaustive()
    }
}
