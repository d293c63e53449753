//! Functions that suspend, yield a value, and resume with another: Python's generators, with
//! `send`, `yield` and `close`, and its async generators.
//!
//! A coroutine runs only while it is resumed, on the caller's stack. It needs no loop. A stream
//! runs while a task awaits its next item, and may await anything.
//!
//! | item | what it is |
//! |---|---|
//! | [`Coroutine`] | a coroutine, as its caller sees it: `next`, `send`, `close` |
//! | [`Step`] | the result of `send`: a yielded value, or the returned one |
//! | [`stream()`], [`CoroutineStream`] | a stream of the values that an async function yields |
//! | [`Co`] | the argument of the body: `yield_`, `yield_from` |
//! | [`Yield`] | the future of `yield_`; it completes with the value that was sent |
//!
//! ```
//! use evloop::coroutine::Coroutine;
//!
//! let squares = Coroutine::new(async |co| {
//!     for n in 1..=3 {
//!         co.yield_(n * n).await;
//!     }
//! });
//! assert_eq!(squares.collect::<Vec<_>>(), [1, 4, 9]);
//! ```

// Layer L4. Invariant: `body` is `Some` only between two resumptions, so a coroutine that panics or
// returns has ended.

mod exchange;
mod stream;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::iter::FusedIterator;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub use self::exchange::{Co, Yield};
use self::exchange::{Exchange, State};
#[doc(alias = "async_generator")]
#[doc(alias = "AsyncGenerator")]
pub use self::stream::CoroutineStream;
#[doc(alias = "as_safe_channel")]
#[doc(alias = "async_generator")]
#[doc(alias = "async_stream")]
#[doc(alias = "unfold")]
pub use self::stream::stream;
use crate::poll_with::lazy;

/// A function that yields values of type `Out`, receives a value of type `In` for each, and returns
/// a `Ret`.
///
/// ```
/// use evloop::coroutine::{Coroutine, Step};
///
/// let mut adder = Coroutine::new(async |co| {
///     let mut sum = 0;
///     while let Some(n) = co.yield_(sum).await {
///         sum += n;
///     }
///     format!("{sum} in all")
/// });
/// assert_eq!(adder.next(), Some(0));
/// assert_eq!(adder.send(Some(3)), Step::Yielded(3));
/// assert_eq!(adder.send(Some(4)), Step::Yielded(7));
/// assert_eq!(adder.send(None), Step::Returned("7 in all".to_string()));
/// ```
///
/// With `In = ()` it is an iterator:
///
/// ```
/// use evloop::coroutine::Coroutine;
///
/// let countdown = |from| Coroutine::new(async move |co| {
///     for n in (1..=from).rev() {
///         co.yield_(n).await;
///     }
/// });
/// assert_eq!(countdown(3).collect::<Vec<_>>(), [3, 2, 1]);
/// ```
///
/// Dropping a coroutine closes it.
///
/// Its body may await [`Co::yield_`] and futures that are ready. No loop polls the body, so nothing
/// would wake it from another await: the call that resumed it panics. A [`stream()`] may await
/// anything.
///
/// A coroutine cannot resume itself, since that takes `&mut`. If a coroutine can reach itself
/// through a `RefCell`, the `RefCell` panics.
///
/// A panic of the body goes through the call that resumed it, and the coroutine has ended. There is
/// no `throw`: send a `Result`.
#[doc(alias = "generator")]
#[must_use = "a coroutine does nothing until it is resumed"]
pub struct Coroutine<'a, Out, In = (), Ret = ()> {
    /// `None` while it runs and after it has ended.
    body: Option<Pin<Box<dyn Future<Output = Ret> + 'a>>>,
    exchange: Rc<Exchange<Out, In>>,
    /// The value that it returned to `next`.
    returned: Option<Ret>,
}

/// The result of sending a value to a coroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "StopIteration")]
pub enum Step<Out, Ret> {
    /// It yielded a value, and waits for another.
    Yielded(Out),
    /// It returned and has ended: Python's `StopIteration`.
    Returned(Ret),
}

impl<'a, Out, In, Ret> Coroutine<'a, Out, In, Ret> {
    /// Returns a coroutine with this body. The body does not start yet.
    pub fn new<F>(body: F) -> Coroutine<'a, Out, In, Ret>
    where
        F: AsyncFnOnce(Co<Out, In>) -> Ret + 'a,
        Out: 'a,
        In: 'a,
    {
        let exchange = Exchange::new();
        let co = Co::new(exchange.clone());
        let body = Box::pin(lazy(move || body(co)));
        Coroutine { body: Some(body), exchange, returned: None }
    }

    /// Starts the coroutine or, with `In = ()`, resumes it. Returns `None` if it ends now or has
    /// ended before. [`take_returned`](Coroutine::take_returned) then returns its return value.
    ///
    /// `In` is `'static` so that the call can check whether it is `()`.
    ///
    /// # Panics
    ///
    /// Panics if the coroutine waits for a value of another type than `()`: use `send`. Panics if
    /// the coroutine awaits a future that is not ready and is not [`Co::yield_`].
    #[track_caller]
    #[allow(clippy::should_implement_trait, reason = "with `In = ()` it is the trait's method")]
    pub fn next(&mut self) -> Option<Out>
    where
        In: 'static,
    {
        self.body.as_ref()?;
        let input = unit();
        assert!(
            !self.is_suspended() || input.is_some(),
            "next was called on a coroutine that waits for a value: call send"
        );
        let input = input.filter(|_| self.is_suspended());
        match self.resume(input) {
            Step::Yielded(out) => Some(out),
            Step::Returned(ret) => {
                self.returned = Some(ret);
                None
            }
        }
    }

    /// Resumes the coroutine: the `yield_` at which it is suspended returns `input`.
    ///
    /// # Panics
    ///
    /// Panics if the coroutine has not started or has ended. Panics if it awaits a future that is
    /// not ready and is not [`Co::yield_`].
    #[track_caller]
    pub fn send(&mut self, input: In) -> Step<Out, Ret> {
        assert!(
            !self.is_finished(),
            "send was called on a coroutine that has ended: it cannot receive the value"
        );
        assert!(
            self.is_suspended(),
            "send was called on a coroutine that has not started: call next first"
        );
        self.resume(Some(input))
    }

    /// Ends the coroutine where it is suspended: its variables are dropped. `next` returns `None`
    /// from now on.
    pub fn close(&mut self) {
        drop(self.body.take());
    }

    /// Returns whether it waits at a [`yield_`](Co::yield_) for a value, so that `send` can resume
    /// it: false before it starts and after it ends.
    #[doc(alias = "getgeneratorstate")]
    pub fn is_suspended(&self) -> bool {
        !self.is_finished() && self.exchange.is_suspended()
    }

    /// Returns whether it returned, panicked, or was closed.
    #[doc(alias = "getgeneratorstate")]
    pub fn is_finished(&self) -> bool {
        self.body.is_none()
    }

    /// Returns the value that it returned when it was resumed by `next` or as an iterator: Python's
    /// `StopIteration.value`. Returns `None` if there is no such value, or if it was taken.
    pub fn take_returned(&mut self) -> Option<Ret> {
        self.returned.take()
    }

    #[track_caller]
    fn resume(&mut self, input: Option<In>) -> Step<Out, Ret> {
        let mut body = self.body.take().expect("the callers check that it has not ended");
        let state = input.map_or(State::Running, State::Sent);
        let mut cx = Context::from_waker(Waker::noop());
        match self.exchange.poll(body.as_mut(), state, &mut cx) {
            (Poll::Ready(ret), _) => Step::Returned(ret),
            (Poll::Pending, State::Yielded(out)) => {
                self.exchange.set(State::Suspended);
                self.body = Some(body);
                Step::Yielded(out)
            }
            (Poll::Pending, _) => panic!(
                "a coroutine awaited a future that is not ready and is not yield_: no loop polls a \
                 coroutine, so await only yield_ and ready futures in it"
            ),
        }
    }
}

impl<Out, In> Co<Out, In> {
    /// Delegates to another coroutine: starts it, yields what it yields, and passes the values that
    /// are sent on to it. The future completes with the value that it returns: Python's `yield
    /// from`.
    ///
    /// To yield the rest of a coroutine that has started, or of any other iterator, use a loop.
    ///
    /// # Panics
    ///
    /// Panics if `inner` has started, was closed or has ended.
    ///
    /// ```
    /// use evloop::coroutine::{Co, Coroutine, Step};
    ///
    /// /// Returns the first answer that is not empty.
    /// fn ask<'a>(question: &'a str) -> Coroutine<'a, &'a str, String, String> {
    ///     Coroutine::new(async move |co| {
    ///         loop {
    ///             let answer: String = co.yield_(question).await;
    ///             if !answer.is_empty() {
    ///                 return answer;
    ///             }
    ///         }
    ///     })
    /// }
    ///
    /// let mut dialog = Coroutine::new(async |co| {
    ///     let name = co.yield_from(ask("name?")).await;
    ///     let place = co.yield_from(ask("place?")).await;
    ///     format!("{name} from {place}")
    /// });
    /// assert_eq!(dialog.next(), Some("name?"));
    /// assert_eq!(dialog.send("".into()), Step::Yielded("name?"));
    /// assert_eq!(dialog.send("Ada".into()), Step::Yielded("place?"));
    /// assert_eq!(dialog.send("London".into()), Step::Returned("Ada from London".into()));
    /// ```
    #[track_caller]
    pub fn yield_from<Ret>(
        &self,
        mut inner: Coroutine<'_, Out, In, Ret>,
    ) -> impl Future<Output = Ret> {
        assert!(!inner.is_finished(), "yield_from was called with a coroutine that has ended");
        assert!(
            !inner.is_suspended(),
            "yield_from was called with a coroutine that has started: yield its values in a loop"
        );
        async move {
            let mut step = inner.resume(None);
            loop {
                match step {
                    Step::Yielded(out) => step = inner.send(self.yield_(out).await),
                    Step::Returned(ret) => return ret,
                }
            }
        }
    }
}

/// Returns `()` as a value of `In`, if they are the same type.
fn unit<In: 'static>() -> Option<In> {
    let unit: &mut dyn Any = &mut Some(());
    unit.downcast_mut::<Option<In>>()?.take()
}

impl<Out, Ret> Iterator for Coroutine<'_, Out, (), Ret> {
    type Item = Out;

    #[track_caller]
    fn next(&mut self) -> Option<Out> {
        Coroutine::next(self)
    }
}

impl<Out, Ret> FusedIterator for Coroutine<'_, Out, (), Ret> {}

impl<Out, Ret> Step<Out, Ret> {
    /// Returns the yielded value, if there is one.
    pub fn yielded(self) -> Option<Out> {
        match self {
            Step::Yielded(out) => Some(out),
            Step::Returned(_) => None,
        }
    }

    /// Returns the returned value, if there is one.
    pub fn returned(self) -> Option<Ret> {
        match self {
            Step::Yielded(_) => None,
            Step::Returned(ret) => Some(ret),
        }
    }
}

impl<Out, In, Ret> fmt::Debug for Coroutine<'_, Out, In, Ret> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine")
            .field("is_suspended", &self.is_suspended())
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
