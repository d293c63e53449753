//! Wakers that do not recognize their clones: a future replaces its stored waker in each poll.

use std::future::{Future, pending};
use std::pin::Pin;
use std::ptr;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use evloop::queue::Queue;
use evloop::sync::{Notify, Semaphore, broadcast, mpsc, oneshot, thread_channel, watch};
use evloop::task::JoinSet;
use evloop::time::sleep;
use evloop::{block_on, spawn};

/// A waker that does not recognize its clones: `will_wake` may return `false` for them, as its
/// documentation says.
fn unlike_its_clones() -> Waker {
    static ONE: RawWakerVTable =
        RawWakerVTable::new(|_| RawWaker::new(ptr::null(), &OTHER), drop, drop, drop);
    static OTHER: RawWakerVTable =
        RawWakerVTable::new(|_| RawWaker::new(ptr::null(), &ONE), drop, drop, drop);
    // SAFETY: its functions use no data.
    unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &ONE)) }
}

#[test]
fn a_waker_that_does_not_recognize_its_clones_keeps_no_poll_from_returning() {
    block_on(async {
        let waker = unlike_its_clones();
        assert!(!waker.will_wake(&waker.clone()));
        let mut cx = Context::from_waker(&waker);
        let mut check = |name: &str, mut future: Pin<Box<dyn Future<Output = ()>>>| {
            for _ in 0..3 {
                assert!(future.as_mut().poll(&mut cx).is_pending(), "{name}");
            }
        };
        let (_sender, mut receiver) = mpsc::bounded::<u32>(1);
        check("recv", Box::pin(async move { _ = receiver.recv().await }));
        let (sender, _receiver) = mpsc::bounded::<u32>(1);
        check("closed", Box::pin(async move { sender.closed().await }));
        let (_sender, mut receiver) = mpsc::unbounded::<u32>();
        let mut buffer = Vec::new();
        check("recv_many", Box::pin(async move { _ = receiver.recv_many(&mut buffer, 2).await }));
        let (sender, _receiver) = mpsc::bounded(1);
        sender.try_send(1).unwrap();
        check("send", Box::pin(async move { _ = sender.send(2).await }));
        let (_sender, mut receiver) = thread_channel::unbounded::<u32>();
        check("recv of a thread", Box::pin(async move { _ = receiver.recv().await }));
        let (_sender, receiver) = oneshot::channel::<u32>();
        check("oneshot", Box::pin(async move { _ = receiver.await }));
        let (_sender, mut receiver) = watch::channel(1);
        check("changed", Box::pin(async move { _ = receiver.changed().await }));
        let (_sender, mut receiver) = broadcast::channel::<u32>(1);
        check("broadcast", Box::pin(async move { _ = receiver.recv().await }));
        check("acquire", Box::pin(async { _ = Semaphore::new(0).acquire().await }));
        check("get", Box::pin(async { _ = Queue::<u32>::unbounded().get().await }));
        check("notified", Box::pin(async { Notify::new().notified().await }));
        check("sleep", Box::pin(sleep(Duration::from_secs(3600))));
        let task = spawn(pending::<()>());
        check("join", Box::pin(async move { _ = task.await }));
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        check("join_next", Box::pin(async move { _ = set.join_next().await }));
    });
}
