//! The workloads on tokio: its `current_thread` runtime, whose tasks must be `Send`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use adaptor::Tokio;
use evloop_peers::peer::Peer;
use tokio::runtime::Builder;
use tokio::task::{self, JoinHandle};

mod adaptor;
mod servers;

fn main() -> io::Result<()> {
    adaptor::main()
}

/// Lets the workloads, which are not `Send`, pass for it; it costs nothing when it runs.
pub struct Stays<T>(T);

// SAFETY: this process has one runtime, which polls and drops its tasks on the thread that made
// them; no thread but that one touches a task or its value.
unsafe impl<T> Send for Stays<T> {}

impl<F: Future> Future for Stays<F> {
    type Output = Stays<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the field is pinned when the whole is, and it is never moved out.
        unsafe { self.map_unchecked_mut(|stays| &mut stays.0) }.poll(cx).map(Stays)
    }
}

impl Peer for Tokio {
    type Handle<T: 'static> = JoinHandle<Stays<T>>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(fut)
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> JoinHandle<Stays<T>> {
        task::spawn(Stays(fut))
    }

    async fn join<T: 'static>(handle: JoinHandle<Stays<T>>) -> T {
        handle.await.expect("the task ends well").0
    }

    fn yield_now() -> impl Future<Output = ()> {
        task::yield_now()
    }
}
