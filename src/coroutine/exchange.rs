//! How a coroutine and who resumes it pass values to each other.
//!
//! Invariant: the state is `Idle` or `Asking` whenever the coroutine does not run; so what is
//! awaited outside of its coroutine is noticed.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// One value at a time, in one direction or the other.
pub(super) struct Exchange<Out, In>(Cell<State<Out, In>>);

/// What becomes of a coroutine, as far as its values go.
pub(super) enum State<Out, In> {
    /// It does not run, and asks for nothing: it has not started, or has ended by itself.
    Idle,
    /// It runs.
    Running,
    /// It runs still, but will stop: this is to be given.
    Yielded(Out),
    /// It has stopped, and asks for a value; or was closed there.
    Asking,
    /// It runs, and is to take this.
    Sent(In),
}

/// A coroutine's own end: its way to yield.
///
/// A function that takes `&Co` yields for the coroutine that calls it: Python's `yield from`.
pub struct Co<Out, In = ()> {
    exchange: Rc<Exchange<Out, In>>,
}

/// Gives a value, and waits for the one that is sent; made by [`Co::yield_`].
#[must_use = "a coroutine yields by awaiting this"]
pub struct Yield<'a, Out, In> {
    exchange: &'a Exchange<Out, In>,
    out: Option<Out>,
    /// `out` was given, and nothing taken for it.
    is_asking: bool,
}

impl<Out, In> Exchange<Out, In> {
    pub(super) fn new() -> Rc<Exchange<Out, In>> {
        Rc::new(Exchange(Cell::new(State::Idle)))
    }

    /// Gives the state before.
    pub(super) fn set(&self, state: State<Out, In>) -> State<Out, In> {
        self.0.replace(state)
    }

    pub(super) fn is_asking(&self) -> bool {
        let state = self.set(State::Idle);
        let is_asking = matches!(state, State::Asking);
        self.set(state);
        is_asking
    }
}

impl<Out, In> Co<Out, In> {
    pub(super) fn new(exchange: Rc<Exchange<Out, In>>) -> Co<Out, In> {
        Co { exchange }
    }

    /// Gives `out` to who resumed the coroutine, and stops until it is resumed: then this is what
    /// it was sent.
    ///
    /// # Panics
    ///
    /// When it is awaited while another `yield_` of the same coroutine is, or outside of its
    /// coroutine.
    pub fn yield_(&self, out: Out) -> Yield<'_, Out, In> {
        Yield { exchange: &self.exchange, out: Some(out), is_asking: false }
    }
}

impl<Out, In> Future for Yield<'_, Out, In> {
    type Output = In;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<In> {
        let state = self.exchange.set(State::Running);
        match (state, self.out.take()) {
            (State::Running, Some(out)) => {
                self.exchange.set(State::Yielded(out));
                self.is_asking = true;
                Poll::Pending
            }
            (State::Sent(input), None) if self.is_asking => {
                self.is_asking = false;
                Poll::Ready(input)
            }
            // Another branch of the coroutine was woken, or looks at everything.
            (state @ (State::Running | State::Yielded(_)), None) if self.is_asking => {
                self.exchange.set(state);
                Poll::Pending
            }
            (state @ (State::Idle | State::Asking), _) => {
                self.exchange.set(state);
                panic!("yield_ was awaited outside of its coroutine, which does not run now")
            }
            (_, Some(_)) => panic!("a coroutine awaited two yield_ at once: it gives one value"),
            (_, None) => panic!("a yield_ was polled after it completed"),
        }
    }
}

/// Nothing in it is pinned.
impl<Out, In> Unpin for Yield<'_, Out, In> {}

impl<Out, In> Drop for Yield<'_, Out, In> {
    fn drop(&mut self) {
        if !self.is_asking {
            return;
        }
        // What it gave is withdrawn, and what it was sent is lost with it.
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
        f.debug_struct("Yield").field("is_asking", &self.is_asking).finish_non_exhaustive()
    }
}
