//! How a coroutine and its caller pass values to each other.
//!
//! Invariant: the state is `Idle` or `Suspended` whenever the coroutine does not run. So a `yield_`
//! that is awaited outside of its coroutine is detected.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::wait::{store_waker, wake};

/// A cell for one value at a time, in one direction or the other.
pub(super) struct Exchange<Out, In> {
    state: Cell<State<Out, In>>,
    /// The waker that the suspended `yield_` was polled with.
    waker: Cell<Option<Waker>>,
}

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

/// The argument of the body of a coroutine or stream: it yields values.
///
/// A function that takes `&Co` yields for the coroutine that calls it.
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

/// Resets the state of the exchange, also if the body panics.
struct Reset<'a, Out, In>(&'a Exchange<Out, In>);

impl<Out, In> Exchange<Out, In> {
    pub(super) fn new() -> Rc<Exchange<Out, In>> {
        Rc::new(Exchange { state: Cell::new(State::Idle), waker: Cell::default() })
    }

    /// Sets the state and returns the one before.
    pub(super) fn set(&self, state: State<Out, In>) -> State<Out, In> {
        self.state.replace(state)
    }

    pub(super) fn is_suspended(&self) -> bool {
        let state = self.set(State::Idle);
        let is_suspended = matches!(state, State::Suspended);
        self.set(state);
        is_suspended
    }

    /// Polls the body in `state`. Returns the state that it leaves, and sets `Idle`.
    pub(super) fn poll<Ret>(
        &self,
        body: Pin<&mut (dyn Future<Output = Ret> + '_)>,
        state: State<Out, In>,
        cx: &mut Context<'_>,
    ) -> (Poll<Ret>, State<Out, In>) {
        if matches!(state, State::Sent(_)) {
            // If the suspended `yield_` was polled with another waker, it is in a combinator that
            // polls only what was woken.
            wake(self.waker.take().filter(|waker| !waker.will_wake(cx.waker())));
        }
        let _reset = Reset(self);
        self.set(state);
        (body.poll(cx), self.set(State::Idle))
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

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<In> {
        let state = self.exchange.set(State::Running);
        match (state, self.out.take()) {
            (State::Running, Some(out)) => {
                store_waker(&self.exchange.waker, cx.waker());
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
                store_waker(&self.exchange.waker, cx.waker());
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

impl<Out, In> Drop for Reset<'_, Out, In> {
    fn drop(&mut self) {
        self.0.set(State::Idle);
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
