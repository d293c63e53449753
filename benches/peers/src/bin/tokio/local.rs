//! The workloads on tokio: its `LocalRuntime`, a current-thread scheduler for `!Send` tasks.

use std::future::Future;
use std::io;

use adaptor::Tokio;
use evloop_peers::peer::Peer;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{self, JoinHandle};

mod adaptor;
mod servers;

fn main() -> io::Result<()> {
    adaptor::main()
}

impl Peer for Tokio {
    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        runtime.expect("a runtime").block_on(fut)
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        task::spawn_local(fut)
    }

    async fn join<T: 'static>(handle: JoinHandle<T>) -> T {
        handle.await.expect("the task ends well")
    }

    fn yield_now() -> impl Future<Output = ()> {
        task::yield_now()
    }
}
