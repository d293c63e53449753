//! A future that wraps another one holds it once.

use std::future::Future;
use std::time::Duration;

use evloop::sync::{CancellationToken, OnceCell};
use evloop::task::{self, TaskTracker};
use evloop::time;
use futures::FutureExt;

const BYTES: usize = 10_000;

/// What a wrapper may add; most of it is a timer.
const WRAPPER_MAX: usize = 160;

evloop::task_local!(static NUMBER: u32);

async fn large() -> u8 {
    let bytes = [0; BYTES];
    task::yield_now().await;
    bytes[0]
}

#[track_caller]
fn assert_holds_it_once(wrapper: impl Future) {
    let added = size_of_val(&wrapper) - size_of_val(&large());
    assert!(added <= WRAPPER_MAX, "{added} bytes more than the future");
}

#[test]
fn a_wrapper_holds_its_future_once() {
    evloop::block_on(async {
        assert_holds_it_once(time::timeout(Duration::ZERO, large()));
        assert_holds_it_once(time::timeout_at(time::now(), large()));
        assert_holds_it_once(task::unconstrained(large()));
        assert_holds_it_once(task::cooperative(large()));
        assert_holds_it_once(TaskTracker::new().track_future(large()));
        assert_holds_it_once(CancellationToken::new().run_until_cancelled(large()));
        assert_holds_it_once(CancellationToken::new().run_until_cancelled_owned(large()));
        assert_holds_it_once(NUMBER.scope(7, large()));
        assert_holds_it_once(NUMBER.inherit(large()));
    });
}

#[test]
fn a_closure_and_its_future_share_their_memory() {
    let bytes = [7u8; BYTES];
    assert_holds_it_once(task::scope(async move |_| bytes[0]));
    assert_holds_it_once(task::try_scope(async move |_| Ok::<_, ()>(bytes[0])));
    let cell = OnceCell::new();
    assert_holds_it_once(cell.get_or_init(async move || bytes[0]));
    assert_holds_it_once(cell.get_or_try_init(async move || Ok::<_, ()>(bytes[0])));
}

#[test]
fn the_iterator_of_gather_is_held_once() {
    assert_holds_it_once(task::gather([large()]));
    assert_holds_it_once(task::try_gather([large().map(Ok::<_, ()>)]));
    assert_holds_it_once(task::gather_limit(1, [large()]));
}

#[test]
fn nested_timeouts_hold_the_future_once() {
    let inner = time::timeout(Duration::from_secs(2), large());
    assert_holds_it_once(time::timeout(Duration::from_secs(1), inner));
}

#[cfg(feature = "tokio")]
#[test]
fn a_helper_of_tokio_holds_its_future_once() {
    assert_holds_it_once(evloop::tokio::Helper::new().unwrap().run(large()));
}
