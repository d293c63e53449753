//! What a runtime must offer to run the workloads.
//!
//! Each method is the call that a user of the runtime would write, and the types are the runtime's
//! own: an adaptor that wrapped them would charge its wrapper to the peer.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

/// Tasks on one thread.
pub trait Peer: 'static {
    /// `spawn` runs the task at once, up to its first wait: another semantics, other lines.
    const EAGER: bool = false;

    /// What `spawn` returns.
    type Handle<T: 'static>: 'static;

    /// Runs `fut` on a fresh runtime on this thread.
    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T;

    /// Starts a task on the runtime that runs the caller.
    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> Self::Handle<T>;

    /// Waits for the task's value.
    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T>;

    /// Lets the task run on by itself. Where dropping the handle would cancel it, overridden.
    fn detach<T: 'static>(handle: Self::Handle<T>) {
        drop(handle);
    }

    /// Lets the other ready tasks run first. Overridden where the runtime has its own.
    fn yield_now() -> impl Future<Output = ()> {
        wake_once()
    }
}

/// Wakes its own task and is ready at the next poll.
pub async fn wake_once() {
    let mut polled = false;
    poll_fn(|cx| {
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Timers.
pub trait Timers: Peer {
    /// Ready once `duration` has passed.
    fn sleep(duration: Duration) -> impl Future;

    /// Runs `fut` for at most `duration`. What it returns is dropped.
    fn timeout<F: Future>(duration: Duration, fut: F) -> impl Future;
}

/// Channels between tasks of one thread, as a user of this runtime would pick them.
pub trait Channels: Peer {
    type Sender: 'static;
    type Receiver: 'static;
    type UnboundedSender: 'static;
    type UnboundedReceiver: 'static;
    type OnceSender: 'static;
    type OnceReceiver: 'static;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver);
    fn send(tx: &mut Self::Sender, value: u64) -> impl Future<Output = ()>;
    fn recv(rx: &mut Self::Receiver) -> impl Future<Output = Option<u64>>;

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver);
    fn send_unbounded(tx: &Self::UnboundedSender, value: u64);
    fn recv_unbounded(rx: &mut Self::UnboundedReceiver) -> impl Future<Output = Option<u64>>;

    fn oneshot() -> (Self::OnceSender, Self::OnceReceiver);
    fn answer(tx: Self::OnceSender, value: u64);
    fn wait(rx: Self::OnceReceiver) -> impl Future<Output = u64>;
}
