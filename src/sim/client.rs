//! The output of a client's program.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::host::Host;
use crate::current::{self, WaitsFor};

/// A client of a world; returned by [`World::client`](super::World::client). Awaiting it returns
/// the output of its program. Dropping it does not end the client.
#[must_use = "the client runs, but its output is dropped: await it"]
pub struct Client<'env, T> {
    host: Host<'env>,
    output: Output<T>,
}

/// Shared by the program and the [`Client`].
pub(super) struct Output<T>(Rc<RefCell<State<T>>>);

struct State<T> {
    output: Option<T>,
    waiter: Option<Waker>,
    /// The program was dropped before its end: the client was crashed, killed or stopped.
    is_lost: bool,
}

/// Held by the program. Its drop without an output marks the output as lost.
pub(super) struct Sender<T>(Output<T>);

impl<T> Output<T> {
    pub(super) fn new() -> (Sender<T>, Output<T>) {
        let state = State { output: None, waiter: None, is_lost: false };
        let output = Output(Rc::new(RefCell::new(state)));
        (Sender(Output(output.0.clone())), output)
    }
}

impl<T> Sender<T> {
    pub(super) fn send(self, output: T) {
        self.0.0.borrow_mut().output = Some(output);
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.0.borrow_mut();
        state.is_lost = state.output.is_none();
        let waiter = state.waiter.take();
        drop(state);
        // User code, which may poll the client.
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl<'env, T> Client<'env, T> {
    pub(super) fn new(host: Host<'env>, output: Output<T>) -> Client<'env, T> {
        Client { host, output }
    }

    /// Returns the host of the client.
    pub fn host(&self) -> &Host<'env> {
        &self.host
    }
}

/// # Panics
///
/// If the client was crashed, killed or stopped, or if its output was taken before.
impl<T> Future for Client<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Cloned before the borrow: a waker's clone is user code.
        let waker = cx.waker().clone();
        let mut state = self.output.0.borrow_mut();
        if let Some(output) = state.output.take() {
            state.is_lost = true;
            return Poll::Ready(output);
        }
        assert!(
            !state.is_lost,
            "the output of the client {:?} was awaited, but the client was ended before, or its \
             output was taken",
            self.host.name()
        );
        let old = state.waiter.replace(waker);
        drop(state);
        drop(old);
        current::pending(WaitsFor::Task)
    }
}

impl<T> fmt::Debug for Client<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.host).finish_non_exhaustive()
    }
}
