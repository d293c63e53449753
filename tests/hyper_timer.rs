//! `hyper::Timer`: its sleeps are `Send`, but belong to their loop.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use evloop::Runtime;
use evloop::hyper::Timer;
use evloop::time::{now, timeout};
use hyper::rt::{Sleep, Timer as _};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(3600);

type BoxedSleep = Pin<Box<dyn Sleep>>;

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Returns a runtime and a sleep of it that has a timer.
fn pending_sleep() -> (Runtime, BoxedSleep) {
    let mut runtime = Runtime::new().unwrap();
    let mut sleep = runtime.block_on(async { Some(Timer.sleep(LONG)) }).unwrap();
    let polled = runtime.block_on(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))));
    assert!(polled.is_pending());
    assert_eq!(runtime.metrics().timers, 1);
    (runtime, sleep)
}

#[test]
fn a_sleep_ends_at_its_deadline_and_not_before() {
    run(async {
        let begin = now();
        Timer.sleep(Duration::from_millis(3)).await;
        assert!(now() - begin >= Duration::from_millis(3));
        Timer.sleep_until(begin + Duration::from_millis(6)).await;
        assert!(now() - begin >= Duration::from_millis(6));
        Timer.sleep_until(begin).await;
        assert!(Timer.now() >= begin);
    });
}

#[test]
fn a_reset_moves_the_timer_that_is_set() {
    run(async {
        let mut sleep = Timer.sleep(LONG);
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let address = &raw const *sleep as *const ();
            Timer.reset(&mut sleep, now() + Duration::from_millis(3));
            assert_eq!(&raw const *sleep as *const (), address, "it is the same allocation");
            Poll::Pending
        })
        .await;
        assert_eq!(polls, 2);
    });
}

#[test]
fn a_poll_on_another_thread_panics() {
    let (runtime, mut sleep) = pending_sleep();
    thread::spawn(move || {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| sleep.as_mut().poll(&mut cx)));
        let message = *polled.unwrap_err().downcast::<&str>().unwrap();
        assert!(message.contains("a hyper::Sleep was polled on another thread"), "{message}");
        run(async {
            let polled = catch_unwind(AssertUnwindSafe(|| sleep.as_mut().poll(&mut cx)));
            assert!(polled.is_err(), "also in the loop of another thread");
        });
    })
    .join()
    .unwrap();
    drop(runtime);
}

#[test]
fn a_drop_in_the_loop_removes_the_timer() {
    let (mut runtime, sleep) = pending_sleep();
    runtime.block_on(async { drop(sleep) });
    assert_eq!(runtime.metrics().timers, 0);
}

#[test]
fn a_drop_on_another_thread_removes_the_timer_by_the_inbox() {
    let (mut runtime, sleep) = pending_sleep();
    thread::spawn(move || drop(sleep)).join().unwrap();
    assert_eq!(runtime.metrics().timers, 1, "the loop did not run yet");
    runtime.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(runtime.metrics().timers, 0);
}

#[test]
fn a_late_removal_spares_a_timer_that_has_the_same_place() {
    let mut runtime = Runtime::new().unwrap();
    let (sleep, later) = runtime.block_on(async {
        let mut sleep = Timer.sleep(Duration::from_millis(2));
        assert!(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await.is_pending());
        // The first timer fires without a poll of its sleep; one of the next ones takes its place.
        evloop::time::sleep(Duration::from_millis(5)).await;
        let later = [(); 4].map(|()| evloop::spawn(Timer.sleep(Duration::from_millis(100))));
        evloop::task::yield_now().await;
        (sleep, later)
    });
    thread::spawn(move || drop(sleep)).join().unwrap();
    runtime.block_on(timeout(LIMIT, evloop::task::gather(later))).expect("its timer is gone");
}

#[test]
fn a_sleep_outlives_its_loop() {
    let (runtime, mut sleep) = pending_sleep();
    drop(runtime);
    run(async {
        let own = evloop::spawn(pending::<()>());
        let mut cx = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| sleep.as_mut().poll(&mut cx)));
        assert!(polled.is_err());
        let deadline = now() + Duration::from_millis(1);
        Timer.reset(&mut sleep, deadline);
        sleep.await;
        assert!(now() >= deadline);
        drop(own);
    });
    let (runtime, sleep) = pending_sleep();
    drop(runtime);
    drop(sleep);
}

#[test]
fn a_timer_outside_of_a_loop_panics() {
    let message = catch_unwind(|| Timer.sleep(LONG)).err().unwrap();
    let message = message.downcast::<String>().unwrap();
    assert!(message.contains("hyper::Timer::sleep was called outside of a running"), "{message}");
}
