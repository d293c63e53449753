//! L4: functions that stop in the middle, give a value, and go on with another: Python's
//! generators, with `send`, `yield` and `close`.
//!
//! A coroutine runs only while it is resumed, on the caller's stack: it needs no loop, and a loop
//! knows nothing of it. Invariant: the body is in its place only between two resumptions, so one
//! that panics or ends is gone.

mod exchange;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::iter::FusedIterator;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub use self::exchange::{Co, Yield};
use self::exchange::{Exchange, State};

/// A function that yields values of type `Out`, gets values of type `In` for them, and returns a
/// `Ret`.
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
/// Dropping a coroutine is closing it. What it awaits must be ready or [`Co::yield_`]: anything
/// else would wait for a loop that does not run it.
///
/// A coroutine cannot resume itself, since that takes `&mut`; if it shares itself in a `RefCell`,
/// that says so. When its body panics, so does the call that resumed it, and it has ended. There is
/// no `throw`: send a `Result`.
#[doc(alias = "generator")]
#[must_use = "a coroutine does nothing until it is resumed"]
pub struct Coroutine<'a, Out, In = (), Ret = ()> {
    /// `None` while it runs, and once it has ended.
    body: Option<Pin<Box<dyn Future<Output = Ret> + 'a>>>,
    exchange: Rc<Exchange<Out, In>>,
    /// What it returned to `next`.
    returned: Option<Ret>,
}

/// Dropped when a body panics.
struct Panicked<'a, Out, In>(&'a Exchange<Out, In>);

/// What a coroutine did when it was sent a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<Out, Ret> {
    /// It yielded a value, and awaits another.
    Yielded(Out),
    /// It returned, and has ended: Python's `StopIteration`.
    Returned(Ret),
}

impl<'a, Out, In, Ret> Coroutine<'a, Out, In, Ret> {
    /// Makes a coroutine of its body, which does not start yet.
    pub fn new<F>(body: F) -> Coroutine<'a, Out, In, Ret>
    where
        F: AsyncFnOnce(Co<Out, In>) -> Ret + 'a,
        Out: 'a,
        In: 'a,
    {
        let exchange = Exchange::new();
        let co = Co::new(exchange.clone());
        let body = Box::pin(async move { body(co).await });
        Coroutine { body: Some(body), exchange, returned: None }
    }

    /// Starts it; or, with `In = ()`, resumes it. `None`: it has ended, now or before. What it
    /// returned can be [taken](Coroutine::take_returned).
    ///
    /// `In` is `'static` so that it can be told whether it is `()`.
    ///
    /// # Panics
    ///
    /// If it awaits a value other than `()`, which only `send` can give; if it awaits something
    /// other than [`Co::yield_`].
    #[allow(clippy::should_implement_trait, reason = "it is the trait's where that applies")]
    pub fn next(&mut self) -> Option<Out>
    where
        In: 'static,
    {
        self.body.as_ref()?;
        let input = self.has_started().then(|| {
            unit().expect("next was called on a coroutine that awaits a value: call send")
        });
        match self.resume(input) {
            Step::Yielded(out) => Some(out),
            Step::Returned(ret) => {
                self.returned = Some(ret);
                None
            }
        }
    }

    /// Resumes it, with `input` as what the `yield_` gives at which it stopped.
    ///
    /// # Panics
    ///
    /// If it has not started, or has ended; if it awaits something other than [`Co::yield_`].
    pub fn send(&mut self, input: In) -> Step<Out, Ret> {
        assert!(
            !self.is_finished(),
            "send was called on a coroutine that has ended: nothing can take the value"
        );
        assert!(
            self.has_started(),
            "send was called on a coroutine that has not started: call next first"
        );
        self.resume(Some(input))
    }

    /// Ends it where it stopped: its variables are dropped. `next` gives `None` from now on.
    pub fn close(&mut self) {
        drop(self.body.take());
    }

    /// Whether it returned, panicked, or was closed.
    pub fn is_finished(&self) -> bool {
        self.body.is_none()
    }

    /// What it returned when it was resumed by `next` or as an iterator: Python's
    /// `StopIteration.value`. `None` if it did not, or if this was taken.
    pub fn take_returned(&mut self) -> Option<Ret> {
        self.returned.take()
    }

    fn has_started(&self) -> bool {
        self.exchange.is_asking()
    }

    fn resume(&mut self, input: Option<In>) -> Step<Out, Ret> {
        let mut body = self.body.take().expect("only one that has not ended is resumed");
        self.exchange.set(input.map_or(State::Running, State::Sent));
        let panicked = Panicked(&self.exchange);
        let polled = body.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        mem::forget(panicked);
        match (polled, self.exchange.set(State::Idle)) {
            (Poll::Ready(ret), _) => Step::Returned(ret),
            (Poll::Pending, State::Yielded(out)) => {
                self.exchange.set(State::Asking);
                self.body = Some(body);
                Step::Yielded(out)
            }
            (Poll::Pending, _) => panic!(
                "a coroutine awaited something other than yield_: nobody would resume it, so \
                 only what is ready can be awaited there"
            ),
        }
    }
}

impl<Out, In> Drop for Panicked<'_, Out, In> {
    fn drop(&mut self) {
        self.0.set(State::Idle);
    }
}

/// The value of `In`, if that is `()`.
fn unit<In: 'static>() -> Option<In> {
    let unit: &mut dyn Any = &mut Some(());
    unit.downcast_mut::<Option<In>>()?.take()
}

impl<Out, Ret> Iterator for Coroutine<'_, Out, (), Ret> {
    type Item = Out;

    fn next(&mut self) -> Option<Out> {
        Coroutine::next(self)
    }
}

impl<Out, Ret> FusedIterator for Coroutine<'_, Out, (), Ret> {}

impl<Out, Ret> Step<Out, Ret> {
    /// What was yielded, if it was.
    pub fn yielded(self) -> Option<Out> {
        match self {
            Step::Yielded(out) => Some(out),
            Step::Returned(_) => None,
        }
    }

    /// What was returned, if it was.
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
            .field("has_started", &(self.is_finished() || self.has_started()))
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
