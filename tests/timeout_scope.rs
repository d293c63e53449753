//! `timeout_scope`: a limit that is moved from inside and from outside.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use evloop::sync::oneshot;
use evloop::task::yield_now;
use evloop::time::{TimeoutScope, now, sleep, timeout_scope};
use evloop::{block_on, spawn};
use futures::FutureExt;
use probe::Probe;

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

const SOON: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_secs(3600);

/// Runs a body that never ends, and stores its limit in `stored`.
async fn idle(limit: Duration, stored: &RefCell<Option<TimeoutScope>>) -> bool {
    let result = timeout_scope(limit, async |t| {
        stored.replace(Some(t));
        pending::<()>().await;
    });
    result.await.is_err()
}

#[test]
fn a_timely_body_returns_its_output_and_a_late_one_an_error() {
    block_on(async {
        assert_eq!(timeout_scope(Duration::ZERO, async |_| 7).await, Ok(7));
        let stored = RefCell::default();
        assert!(idle(SOON, &stored).await);
        let t = stored.take().unwrap();
        assert!(t.is_elapsed() && t.deadline().unwrap() <= now());
    });
}

#[test]
fn another_task_moves_the_limit_to_the_past() {
    block_on(async {
        let stored: Rc<RefCell<Option<TimeoutScope>>> = Rc::default();
        let storage = stored.clone();
        let task = spawn(async move { idle(LATE, &storage).await });
        yield_now().await;
        stored.take().unwrap().reschedule(now() - Duration::from_millis(1));
        assert!(task.await.unwrap());
    });
}

#[test]
fn another_task_moves_and_removes_the_limit() {
    block_on(async {
        let stored: Rc<RefCell<Option<TimeoutScope>>> = Rc::default();
        let storage = stored.clone();
        let task = spawn(async move { idle(SOON, &storage).await });
        yield_now().await;
        let t = stored.take().unwrap();
        t.reschedule(None);
        assert_eq!(t.deadline(), None);
        sleep(SOON * 3).await;
        assert!(!task.is_finished(), "there is no limit");
        t.reschedule(now() + LATE);
        sleep(SOON).await;
        assert!(!task.is_finished() && !t.is_elapsed());
        t.reschedule(now() + SOON);
        assert!(task.await.unwrap());
        assert!(t.is_elapsed());
    });
}

#[test]
fn the_earlier_of_two_limits_applies() {
    block_on(async {
        let outer =
            timeout_scope(SOON, async |_| timeout_scope(LATE, async |_| pending().await).await);
        assert_eq!(outer.await.map(|inner: Result<(), _>| inner.is_err()).ok(), None);
        let outer =
            timeout_scope(LATE, async |_| timeout_scope(SOON, async |_| pending().await).await);
        assert_eq!(outer.await.map(|inner: Result<(), _>| inner.is_err()).ok(), Some(true));
    });
}

#[test]
fn a_body_that_is_always_ready_still_reaches_its_limit() {
    let turns = Cell::new(0u32);
    block_on(async {
        let endless = timeout_scope(SOON, async |_| {
            loop {
                turns.set(turns.get().wrapping_add(1));
                sleep(Duration::ZERO).await;
            }
        });
        assert!(endless.await.is_err());
    });
    assert!(turns.get() > 0);
}

#[test]
fn a_body_that_only_lacks_budget_does_not_reach_its_limit() {
    let sent = || {
        let (sender, receiver) = oneshot::channel();
        sender.send(7).unwrap();
        receiver
    };
    block_on(async {
        while sent().now_or_never().is_some() {}
        assert_eq!(timeout_scope(Duration::ZERO, async |_| sent().await).await, Ok(Ok(7)));
    });
}

#[test]
fn no_waker_is_stored_after_the_end() {
    let probe = Probe::new();
    block_on(async {
        let stored = RefCell::default();
        let mut scope = Box::pin(idle(LATE, &stored));
        assert!(probe.poll(&mut scope).is_pending());
        let t = stored.borrow_mut().take().unwrap();
        assert!(probe.kept() > 0);
        drop(scope);
        assert_eq!(probe.kept(), 0);
        t.reschedule(now());
        assert_eq!(probe.calls.wakes.get(), 0);
    });
}
