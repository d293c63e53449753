//! `TaskTracker` and `spawn_later`.

use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use evloop::task::{self, TaskTracker, spawn_later, yield_now};
use evloop::time::{now, sleep};
use evloop::{block_on, spawn};
use probe::{Drops, Probe};

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

#[test]
fn wait_ends_once_the_tracker_is_closed_and_empty() {
    block_on(async {
        let tracker = TaskTracker::new();
        let probe = Probe::new();
        let mut wait = Box::pin(tracker.wait());
        assert!(probe.poll(&mut wait).is_pending(), "it is open");
        let token = tracker.token();
        assert!(tracker.close() && !tracker.close() && tracker.is_closed());
        assert!(probe.poll(&mut wait).is_pending(), "it is not empty");
        let second = token.clone();
        drop(token);
        assert_eq!((tracker.len(), probe.calls.wakes.get()), (1, 0));
        drop(second);
        assert_eq!(probe.calls.wakes.get(), 1);
        assert!(tracker.reopen() && !tracker.reopen());
        assert!(probe.poll(&mut wait).is_ready(), "it was closed and empty");
        let mut wait = pin!(tracker.wait());
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
}

#[test]
fn a_wait_counts_from_its_call() {
    let tracker = TaskTracker::new();
    let (opened, probe) = (tracker.wait(), Probe::new());
    tracker.close();
    let mut closed = Box::pin(tracker.wait());
    tracker.reopen();
    assert!(probe.poll(&mut Box::pin(opened)).is_ready());
    assert!(probe.poll(&mut closed).is_ready());
    assert!(probe.poll(&mut Box::pin(tracker.wait())).is_pending());
}

#[test]
fn all_waiting_tasks_are_woken() {
    block_on(async {
        let tracker = TaskTracker::new();
        let waiters = [(); 3].map(|()| {
            let tracker = tracker.clone();
            spawn(async move { tracker.wait().await })
        });
        yield_now().await;
        tracker.close();
        for waiter in waiters {
            waiter.await.unwrap();
        }
    });
}

#[test]
fn a_future_is_counted_until_it_is_dropped() {
    let drops = Drops::default();
    block_on(async {
        let tracker = TaskTracker::new();
        let (value, checked) = (drops.value(), tracker.clone());
        struct OnDrop(TaskTracker);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                assert_eq!(self.0.len(), 1, "the future is dropped before its token");
            }
        }
        let on_drop = OnDrop(tracker.clone());
        let unpolled = tracker.track_future(async move { drop(on_drop) });
        assert_eq!(tracker.len(), 1);
        drop(unpolled);
        assert!(tracker.is_empty());
        let task = tracker.spawn(async move {
            let _value = value;
            let _on_drop = OnDrop(checked);
            pending::<()>().await;
        });
        yield_now().await;
        tracker.close();
        let info = task::all().into_iter().find(|info| info.id() == task.id()).unwrap();
        assert!(info.spawned_at().file().ends_with("task_tracker.rs"), "{info:?}");
        task.abort();
        tracker.wait().await;
        assert_eq!(drops.count(), 1);
        assert!(tracker.ptr_eq(&tracker.token().task_tracker()));
        assert!(!tracker.ptr_eq(&TaskTracker::new()));
    });
}

#[test]
fn a_later_task_counts_from_the_call_and_can_be_aborted() {
    const SOON: Duration = Duration::from_millis(2);
    let drops = Drops::default();
    block_on(async {
        let begin = now();
        let ran = Rc::new(Cell::new(false));
        let set = ran.clone();
        let task = spawn_later(SOON, async move { set.set(true) });
        yield_now().await;
        assert!(!ran.get() || now() - begin >= SOON);
        // The time counts while the loop is busy.
        while now() - begin < SOON {}
        task.await.unwrap();
        assert!(ran.get());

        let value = drops.value();
        let task = spawn_later(Duration::from_secs(3600), async move { drop(value) });
        yield_now().await;
        assert!(task.cancel().await.unwrap_err().is_cancelled());
        assert_eq!(drops.count(), 1);
        sleep(Duration::ZERO).await;
    });
}
