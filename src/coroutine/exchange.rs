//! How a coroutine and its caller pass values to each other.
//!
//! Invariant: the state is `Idle` or `Suspended` whenever the coroutine does not run. So a `yield_`
//! that is awaited outside of its coroutine is detected.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A cell for one value at a time, in one direction or the other.
pub(super) struct Exchange<Out, In>(Cell<State<Out, In>>);

/// The state of a coroutine, with the value that is being passed.
pub(super) enum State<Out, In> {
    /// It does not run and waits for no value: it has not started, or it has returned or panicked.
    Idle,
    /// It runs.
    Running,
    /// It runs, and is about to suspend: its caller receives this value.
    Yielded(Out),
    /// It is suspended and waits for a value, or was closed while it was.
    Suspended,
    /// It was resumed with this value, and has not taken it yet.
    Sent(In),
}

/// The argument of a coroutine's body: it yields values.
///
/// A function that takes `&Co` yields for the coroutine that calls it: Python's `yield from`.
pub struct Co<Out, In = ()> {
    exchange: Rc<Exchange<Out, In>>,
}

/// Yields a value and waits for the value that is sent; made by [`Co::yield_`].
#[must_use = "a coroutine yields by awaiting this"]
pub struct Yield<'a, Out, In> {
    exchange: &'a Exchange<Out, In>,
    out: Option<Out>,
    /// `out` was yielded, and no value was received for it.
    is_waiting: bool,
}

impl<Out, In> Exchange<Out, In> {
    pub(super) fn new() -> Rc<Exchange<Out, In>> {
        Rc::new(Exchange(Cell::new(State::Idle)))
    }

    /// Sets the state and returns the one before.
    pub(super) fn set(&self, state: State<Out, In>) -> State<Out, In> {
        self.0.replace(state)
    }

    pub(super) fn is_suspended(&self) -> bool {
        let state = self.set(State::Idle);
        let is_suspended = matches!(state, State::Suspended);
        self.set(state);
        is_suspended
    }
}

impl<Out, In> Co<Out, In> {
    pub(super) fn new(exchange: Rc<Exchange<Out, In>>) -> Co<Out, In> {
        Co { exchange }
    }

    /// Yields `out` to the caller and suspends the coroutine. The future completes with the value
    /// that the coroutine is resumed with.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled while another `yield_` of the same coroutine waits, or
    /// outside of its coroutine.
    pub fn yield_(&self, out: Out) -> Yield<'_, Out, In> {
        Yield { exchange: &self.exchange, out: Some(out), is_waiting: false }
    }
}

impl<Out, In> Future for Yield<'_, Out, In> {
    type Output = In;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<In> {
        let state = self.exchange.set(State::Running);
        match (state, self.out.take()) {
            (State::Running, Some(out)) => {
                self.exchange.set(State::Yielded(out));
                self.is_waiting = true;
                Poll::Pending
            }
            (State::Sent(input), None) if self.is_waiting => {
                self.is_waiting = false;
                Poll::Ready(input)
            }
            // The body polls several futures at once, as `join!` does, and this one has no value
            // yet.
            (state @ (State::Running | State::Yielded(_)), None) if self.is_waiting => {
                self.exchange.set(state);
                Poll::Pending
            }
            (state @ (State::Idle | State::Suspended), _) => {
                self.exchange.set(state);
                panic!("yield_ was awaited outside of its coroutine, which is not running")
            }
            (_, Some(_)) => {
                panic!("a coroutine awaited two yield_ at once: it yields one value at a time")
            }
            (_, None) => panic!("a yield_ was polled after it completed"),
        }
    }
}

/// No field is pinned.
impl<Out, In> Unpin for Yield<'_, Out, In> {}

impl<Out, In> Drop for Yield<'_, Out, In> {
    fn drop(&mut self) {
        if !self.is_waiting {
            return;
        }
        // The yielded value is withdrawn, or the value that was sent is lost.
        match self.exchange.set(State::Running) {
            State::Yielded(_) | State::Sent(_) => {}
            state => drop(self.exchange.set(state)),
        }
    }
}

impl<Out, In> fmt::Debug for Co<Out, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Co").finish_non_exhaustive()
    }
}

impl<Out, In> fmt::Debug for Yield<'_, Out, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yield").field("is_waiting", &self.is_waiting).finish_non_exhaustive()
    }
}
