//! `timeout_scope`: a limit that is moved from inside and from outside.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use evloop::sync::oneshot;
use evloop::task::{self, yield_now};
use evloop::time::{TimeoutScope, current_deadline, now, sleep, timeout_scope, timeout_scope_at};
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

#[test]
fn the_error_tells_the_limit() {
    block_on(async {
        let late = timeout_scope(SOON, async |_| pending::<()>().await).await.unwrap_err();
        assert_eq!(late.duration(), Some(SOON));
        assert_eq!(late.to_string(), "timed out after 2ms");
        let moved = timeout_scope(LATE, async |t| {
            t.reschedule(now());
            pending::<()>().await;
        });
        let late = moved.await.unwrap_err();
        assert_eq!((late.duration(), &*late.to_string()), (None, "the deadline has passed"));
        let late = timeout_scope_at(now(), async |_| pending::<()>().await).await.unwrap_err();
        assert_eq!(late.duration(), None);
        let deadline = now() + LATE;
        let set = timeout_scope_at(deadline, async |t| t.deadline()).await;
        assert_eq!(set, Ok(Some(deadline)));
    });
}

#[test]
fn the_nearest_deadline_is_that_of_any_scope_around() {
    block_on(async {
        let (near, far) = (now() + LATE, now() + 2 * LATE);
        assert_eq!(current_deadline(), None);
        let outer = timeout_scope_at(far, async |outer| {
            let inner = timeout_scope_at(near, async |inner| {
                assert_eq!(current_deadline(), Some(near));
                yield_now().await;
                assert_eq!(current_deadline(), Some(near), "in a later poll");
                inner.reschedule(None);
                assert_eq!(current_deadline(), Some(far), "at once");
                outer.reschedule(near);
                assert_eq!(current_deadline(), Some(near));
                outer.reschedule(None);
                assert_eq!(current_deadline(), None);
                outer.reschedule(far);
            });
            inner.await.unwrap();
            assert_eq!(current_deadline(), Some(far));
        });
        outer.await.unwrap();
        assert_eq!(current_deadline(), None);
    });
}

#[test]
fn children_are_within_the_deadline_and_spawned_tasks_are_not() {
    block_on(async {
        let deadline = now() + LATE;
        let scope = timeout_scope_at(deadline, async |_| {
            let eager = task::Builder::new().eager(true);
            assert_eq!(eager.spawn(async { current_deadline() }).await.unwrap(), None);
            assert_eq!(spawn(async { current_deadline() }).await.unwrap(), None);
            let child = task::scope(async |s| s.spawn(async { current_deadline() }).await);
            assert_eq!(child.await.unwrap(), Some(deadline));
            assert_eq!(block_on_inside(), None);
        });
        scope.await.unwrap();
    });
}

/// Returns the deadline that a task of another loop sees.
fn block_on_inside() -> Option<std::time::Instant> {
    let mut runtime = evloop::Runtime::new().unwrap();
    let task = runtime.spawn(async { current_deadline() });
    runtime.run_until_stalled().unwrap();
    task.now_or_never().unwrap().unwrap()
}

#[test]
fn a_panic_of_the_body_ends_its_deadline() {
    block_on(async {
        let scope = timeout_scope(LATE, async |_| panic!("in the body"));
        let result = std::panic::AssertUnwindSafe(scope).catch_unwind().await;
        assert!(result.is_err());
        assert_eq!(current_deadline(), None);
    });
}
