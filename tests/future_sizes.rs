//! A future that wraps another one holds it once.

use std::future::Future;
use std::time::Duration;

use evloop::sync::CancellationToken;
use evloop::task::{self, TaskTracker};
use evloop::time;

const BYTES: usize = 10_000;

/// What a wrapper may add; most of it is a timer.
const WRAPPER_MAX: usize = 112;

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
        assert_holds_it_once(NUMBER.scope(7, large()));
        assert_holds_it_once(NUMBER.inherit(large()));
    });
}

#[test]
fn nested_timeouts_hold_the_future_once() {
    let inner = time::timeout(Duration::from_secs(2), large());
    assert_holds_it_once(time::timeout(Duration::from_secs(1), inner));
}
