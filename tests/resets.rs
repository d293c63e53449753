//! Sleeps and intervals whose deadlines are moved, also while a task waits for them.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use evloop::task::yield_now;
use evloop::time::{Interval, MissedTick, Sleep, interval, interval_at, now, sleep, sleep_until};
use evloop::{JoinHandle, Runtime, block_on, spawn};
use probe::Probe;

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

const MS: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_secs(3600);

type Shared<T> = Rc<RefCell<T>>;

/// Returns a task that waits for a shared sleep, and returns when it ended.
fn wait_for(sleep: &Shared<Sleep>) -> JoinHandle<Instant> {
    let sleep = sleep.clone();
    spawn(async move {
        std::future::poll_fn(|cx| Pin::new(&mut *sleep.borrow_mut()).poll(cx)).await;
        now()
    })
}

#[test]
fn a_waiting_task_is_woken_at_an_earlier_deadline() {
    block_on(async {
        let sleep = Rc::new(RefCell::new(sleep(LATE)));
        let waiter = wait_for(&sleep);
        yield_now().await;
        let deadline = now() + 2 * MS;
        sleep.borrow_mut().reset(deadline);
        assert!(waiter.await.unwrap() >= deadline);
    });
}

#[test]
fn a_waiting_task_is_woken_at_a_later_deadline() {
    block_on(async {
        let shared = Rc::new(RefCell::new(sleep(100 * MS)));
        let waiter = wait_for(&shared);
        yield_now().await;
        let deadline = now() + 120 * MS;
        shared.borrow_mut().reset(deadline);
        assert!(waiter.await.unwrap() >= deadline);
    });
}

#[test]
fn a_waiting_task_is_woken_at_once_by_a_deadline_in_the_past() {
    block_on(async {
        for deadline in [now() - MS, now()] {
            let sleep = Rc::new(RefCell::new(sleep(LATE)));
            let waiter = wait_for(&sleep);
            yield_now().await;
            sleep.borrow_mut().reset(deadline);
            waiter.await.unwrap();
            assert!(sleep.borrow().is_elapsed());
        }
    });
}

#[test]
fn reset_keeps_the_waker_and_wakes_once() {
    let mut runtime = Runtime::new().unwrap();
    let probe = Probe::new();
    let _entered = runtime.enter();
    let mut sleep = sleep(LATE);
    assert!(probe.poll(&mut sleep).is_pending());
    sleep.reset(now() + 2 * LATE);
    assert_eq!(probe.wakes_and_kept(), (0, 1));
    sleep.reset(now() + MS);
    assert_eq!(probe.wakes_and_kept(), (0, 1));
    drop(_entered);
    runtime.block_on(self::sleep(3 * MS));
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert!(probe.poll(&mut sleep).is_ready(), "it has waited");
    runtime.block_on(async { sleep.reset(now() + LATE) });
    assert_eq!(probe.kept(), 0, "no task waits for it");
    drop(sleep);
}

#[test]
fn an_ended_sleep_waits_again_and_lets_other_tasks_run() {
    block_on(async {
        let mut sleep = sleep(MS);
        (&mut sleep).await;
        let probe = Probe::new();
        // The loop knows that this time has passed; of a later one it would learn in its next turn.
        sleep.reset(sleep.deadline());
        assert!(probe.poll(&mut sleep).is_pending());
        assert_eq!(probe.calls.wakes.get(), 1);
        assert!(probe.poll(&mut sleep).is_ready());
        let deadline = now() + 2 * MS;
        sleep.reset(deadline);
        (&mut sleep).await;
        assert!(now() >= deadline);
    });
}

#[test]
fn a_sleep_is_elapsed_once_its_deadline_has_passed() {
    assert!(sleep_until(now()).is_elapsed());
    assert!(!sleep(LATE).is_elapsed() && !Sleep::never().is_elapsed());
    block_on(async {
        assert!(sleep(Duration::ZERO).is_elapsed() && !sleep(LATE).is_elapsed());
        let mut sleep = sleep(MS);
        (&mut sleep).await;
        assert!(sleep.is_elapsed());
        sleep.reset(now() + LATE);
        assert!(!sleep.is_elapsed());
    });
}

#[test]
fn a_sleep_that_never_ends_ends_after_a_reset() {
    let unbound = Sleep::never();
    block_on(async {
        for sleep in [unbound, Sleep::never()] {
            assert!(sleep.deadline() > now() + 24 * 365 * LATE);
            let sleep = Rc::new(RefCell::new(sleep));
            let waiter = wait_for(&sleep);
            yield_now().await;
            assert!(!waiter.is_finished());
            sleep.borrow_mut().reset(now() + MS);
            waiter.await.unwrap();
        }
    });
}

/// Returns a task that waits for a tick of a shared interval.
fn tick_of(interval: &Shared<Interval>) -> JoinHandle<Instant> {
    let interval = interval.clone();
    spawn(std::future::poll_fn(move |cx| interval.borrow_mut().poll_tick(cx)))
}

#[test]
fn a_schedule_is_moved_while_a_task_waits() {
    block_on(async {
        let start = now();
        let interval = Rc::new(RefCell::new(interval_at(start + LATE, LATE)));
        let waiter = tick_of(&interval);
        yield_now().await;
        interval.borrow_mut().reset_at(start + 2 * MS);
        assert_eq!(waiter.await.unwrap(), start + 2 * MS);
        let waiter = tick_of(&interval);
        yield_now().await;
        interval.borrow_mut().reset_immediately();
        assert!(waiter.await.unwrap() <= now());
        let waiter = tick_of(&interval);
        yield_now().await;
        let before = now();
        interval.borrow_mut().reset_after(2 * MS);
        assert!(waiter.await.unwrap() >= before + 2 * MS);
    });
}

#[test]
fn ticks_follow_the_moved_schedule_and_the_new_period() {
    block_on(async {
        let start = now();
        let mut ticks = interval(LATE);
        ticks.tick().await;
        ticks.reset_at(start);
        assert_eq!(ticks.tick().await, start);
        ticks.set_period(2 * MS);
        assert_eq!(ticks.period(), 2 * MS);
        let Poll::Pending = Probe::new().poll(&mut Box::pin(ticks.tick())) else {
            panic!("the next tick stays an hour away")
        };
        ticks.reset_at(start);
        assert_eq!(ticks.tick().await, start);
        assert_eq!(ticks.tick().await, start + 2 * MS);
        assert_eq!(ticks.tick().await, start + 4 * MS);
    });
}

#[test]
fn a_period_of_zero_panics() {
    let mut ticks = interval(MS);
    let set = || ticks.set_period(Duration::ZERO);
    assert!(catch_unwind(AssertUnwindSafe(set)).is_err());
    assert_eq!(ticks.period(), MS);
}

#[test]
fn the_policy_of_missed_ticks_can_be_read() {
    let mut ticks = interval(MS);
    assert_eq!(ticks.missed_tick(), MissedTick::Burst);
    ticks.set_missed_tick(MissedTick::Skip);
    assert_eq!(ticks.missed_tick(), MissedTick::Skip);
}
