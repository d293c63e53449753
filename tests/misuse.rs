//! Panics of misuse point at the caller.

use std::future::{Future, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::runtime::{Handle, call_at, call_later, call_soon};
use evloop::sync::{self, Barrier, CapacityLimiter, Semaphore, Shared, oneshot, watch};
use evloop::task::{
    self, JoinMap, JoinQueue, JoinSet, TaskEnd, report_error, shielded, spawn_blocking,
};
use evloop::time::timeout;
use evloop::{Runtime, block_on, spawn};

/// Where a panic reports its place.
#[allow(unreachable_pub)]
mod panic_place;

/// Checks that `misuse` panics with the message, and that the panic points at the line of the call
/// of this function.
#[track_caller]
fn check<T>(message: &str, misuse: impl FnOnce() -> T) {
    panic_place::assert_points_here(|| drop(misuse()), message);
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn functions_that_need_a_loop_point_at_their_caller() {
    const OUTSIDE: &str = "was called outside of a running loop: call it inside evloop::block_on";
    let mut runtime = Runtime::new().unwrap();
    let [ended, late] = [(); 2].map(|()| runtime.spawn(ready(())));
    runtime.run_until_stalled().unwrap();
    check(&format!("spawn {OUTSIDE}"), || spawn(ready(())));
    check(&format!("task::Builder::spawn {OUTSIDE}"), || task::Builder::new().spawn(ready(())));
    check(&format!("spawn_blocking {OUTSIDE}"), || spawn_blocking(|| ()));
    check(&format!("task::shielded {OUTSIDE}"), || shielded(ready(())));
    check(&format!("task::report_error {OUTSIDE}"), || report_error("odd"));
    check(&format!("JoinHandle::on_end {OUTSIDE}"), || ended.on_end(|_: TaskEnd| ()));
    check(&format!("JoinHandle::on_done {OUTSIDE}"), || late.on_done(drop));
    check(&format!("JoinSet::spawn {OUTSIDE}"), || JoinSet::new().spawn(ready(())));
    check(&format!("Handle::current {OUTSIDE}"), || Handle::current());
    check(&format!("call_soon {OUTSIDE}"), || call_soon(|| ()));
    check(&format!("call_later {OUTSIDE}"), || call_later(Duration::ZERO, || ()));
    check(&format!("call_at {OUTSIDE}"), || call_at(evloop::time::now(), || ()));
}

#[test]
fn a_nested_loop_points_at_the_caller_of_block_on() {
    block_on(async {
        check("block_on was called inside of a running event loop", || block_on(ready(())));
    });
}

#[test]
fn block_on_of_a_handle_after_the_end_says_that_the_loop_has_ended() {
    let handle = block_on(async { Handle::current() });
    check("was cancelled: the event loop has ended", || handle.block_on(|| ready(())));
}

#[test]
fn a_handle_that_returned_its_output_cannot_be_joined_by_a_set() {
    block_on(async {
        let mut handles = Vec::new();
        for _ in 0..3 {
            let mut handle = spawn(ready(7));
            assert_eq!((&mut handle).await.unwrap(), 7);
            handles.push(handle);
        }
        let mut next = || handles.pop().unwrap();
        let (mut set, mut map, mut queue) = (JoinSet::new(), JoinMap::new(), JoinQueue::new());
        check("JoinSet::insert was called with the handle of task", || set.insert(next()));
        check("JoinMap::insert was called with the handle of task", || map.insert("key", next()));
        check("JoinQueue::insert was called with the handle of task", || queue.insert(next()));
        assert!(set.join_next().await.is_none());
        assert!(map.join_next().await.is_none());
        assert!(queue.join_next().await.is_none());
    });
}

#[test]
fn into_panic_points_at_its_caller() {
    let error = block_on(async { spawn(std::future::pending::<()>()).cancel().await.unwrap_err() });
    check("was cancelled: call is_panic before, or try_into_panic", || error.into_panic());
}

evloop::task_local!(static USER: String);

#[test]
fn a_task_local_outside_its_scope_points_at_the_caller_and_names_the_value() {
    check("the task-local `USER` was read outside of its scope", || USER.get());
    check("the task-local `USER` was read outside of its scope", || USER.with(String::len));
    let error = USER.try_with(String::len).unwrap_err();
    assert!(error.to_string().contains("`USER.scope(value, future)`"), "{error}");
}

#[test]
fn a_sleep_polled_outside_a_loop_says_so() {
    let mut sleep = evloop::time::sleep(Duration::ZERO);
    let poll = AssertUnwindSafe(|| poll_once(Pin::new(&mut sleep)));
    let payload = catch_unwind(poll).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("a sleep or timeout was called outside of a running loop"), "{text}");
}

/// Returns the `Debug` text of an error: what the message of `unwrap` contains.
fn debug_of<T, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    format!("{:?}", result.err().expect("an error"))
}

#[test]
fn unwrap_of_an_error_says_what_happened() {
    block_on(async {
        let mutex = sync::Mutex::new(());
        let _guard = mutex.lock().await;
        let closed = Semaphore::new(1);
        closed.close();
        let barrier = Barrier::new(2);
        barrier.abort();
        let limiter = CapacityLimiter::new(1);
        let _token = limiter.acquire().await.unwrap();
        let (setter, shared) = Shared::<()>::new();
        drop(setter);
        let mut seen = watch::channel(()).1;
        let unsent = oneshot::channel::<()>().1;
        let late = timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
        let texts = [
            debug_of(unsent.await),
            debug_of(seen.changed().await),
            debug_of(mutex.try_lock()),
            debug_of(closed.acquire().await),
            debug_of(Semaphore::new(1).add_permits(usize::MAX)),
            debug_of(barrier.wait().await),
            debug_of(limiter.acquire().await),
            debug_of(shared.wait().await),
            debug_of(late),
        ];
        let expected = [
            "RecvError(nothing was sent before the channel was closed)",
            "RecvError(the value will not change: its senders were dropped)",
            "TryLockError(the lock is held, or others wait for it)",
            "AcquireError(the semaphore was closed)",
            "AddPermitsError(more permits were added than the semaphore may have)",
            "BrokenBarrier(the barrier was reset or aborted)",
            "AlreadyBorrowed(the borrower holds a token of this limiter already, or waits for one)",
            "NeverSet(no value will come: the setter was dropped, or the future panicked)",
            "Elapsed(timed out after 1ms)",
        ];
        assert_eq!(texts, expected);
    });
}
