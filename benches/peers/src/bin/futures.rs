//! The workloads on futures' `LocalPool`: tasks and channels only, it has no timers and no sockets.

use std::cell::RefCell;
use std::future::Future;

use evloop_peers::job::Job;
use evloop_peers::peer::{Channels, Peer};
use evloop_peers::{channels, tasks, wakers};
use futures::channel::{mpsc, oneshot};
use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;
use futures::{SinkExt, StreamExt};

thread_local! {
    static SPAWNER: RefCell<Option<LocalSpawner>> = const { RefCell::new(None) };
}

struct Futures;

fn main() {
    let job = Job::from_args();
    let sample = tasks::run::<Futures>(&job)
        .or_else(|| wakers::run::<Futures>(&job))
        .or_else(|| wakers::run_across_threads::<Futures>(&job))
        .or_else(|| channels::run::<Futures>(&job));
    job.report(sample);
}

impl Peer for Futures {
    type Handle<T: 'static> = RemoteHandle<T>;

    fn block_on<T: 'static>(fut: impl Future<Output = T> + 'static) -> T {
        let mut pool = LocalPool::new();
        SPAWNER.set(Some(pool.spawner()));
        pool.run_until(fut)
    }

    fn spawn<T: 'static>(fut: impl Future<Output = T> + 'static) -> RemoteHandle<T> {
        SPAWNER.with_borrow(|spawner| {
            let spawner = spawner.as_ref().expect("block_on has set it");
            spawner.spawn_local_with_handle(fut).expect("the pool is there")
        })
    }

    fn join<T: 'static>(handle: RemoteHandle<T>) -> impl Future<Output = T> {
        handle
    }

    fn detach<T: 'static>(handle: RemoteHandle<T>) {
        handle.forget();
    }
}

impl Channels for Futures {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;
    type UnboundedSender = mpsc::UnboundedSender<u64>;
    type UnboundedReceiver = mpsc::UnboundedReceiver<u64>;
    type OnceSender = oneshot::Sender<u64>;
    type OnceReceiver = oneshot::Receiver<u64>;

    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        // Each sender has a slot of its own on top of the buffer.
        mpsc::channel(capacity - 1)
    }

    async fn send(tx: &mut Self::Sender, value: u64) {
        tx.send(value).await.expect("the receiver is there");
    }

    fn recv(rx: &mut Self::Receiver) -> impl Future<Output = Option<u64>> {
        rx.next()
    }

    fn unbounded() -> (Self::UnboundedSender, Self::UnboundedReceiver) {
        mpsc::unbounded()
    }

    fn send_unbounded(tx: &Self::UnboundedSender, value: u64) {
        tx.unbounded_send(value).expect("the receiver is there");
    }

    fn recv_unbounded(rx: &mut Self::UnboundedReceiver) -> impl Future<Output = Option<u64>> {
        rx.next()
    }

    fn oneshot() -> (Self::OnceSender, Self::OnceReceiver) {
        oneshot::channel()
    }

    fn answer(tx: Self::OnceSender, value: u64) {
        tx.send(value).expect("the receiver is there");
    }

    async fn wait(rx: Self::OnceReceiver) -> u64 {
        rx.await.expect("the task answers")
    }
}
