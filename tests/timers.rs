//! Timers: never early, in order, cancelled when dropped, and cheap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use evloop::task::yield_now;
use evloop::time::{
    Interval, MissedTick, interval, interval_at, now, sleep, sleep_until, timeout, timeout_at,
};
use evloop::{JoinHandle, Runtime, block_on, spawn};
use futures::{FutureExt, StreamExt};

/// Counts the allocations of each thread separately.
struct Counting;

thread_local! {
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to System; the thread-locals have no destructor and do not
// allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.set(LIVE_BYTES.get() + layout.size() as isize);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.set(LIVE_BYTES.get() - layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const HOUR: Duration = Duration::from_secs(3600);
const MS: Duration = Duration::from_millis(1);

/// A turn that does not wait. Returns how many futures it polled.
fn turn(runtime: &mut Runtime) -> usize {
    runtime.turn(Some(Duration::ZERO)).unwrap().polled
}

/// Polls once, with a waker that wakes no task.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits until `deadline` has passed, by more than the precision of a loop's clock.
fn spin_past(deadline: Instant) {
    while now() < deadline + MS {}
}

#[test]
fn a_sleep_is_never_early() {
    let micros = [1, 10, 33, 50, 99, 200, 500, 999, 1000, 1001, 1999, 2500, 5000, 17_000];
    let nanos = [0, 1, 2, 1000, 1023, 1024, 1025, 32_767, 32_768, 32_769].map(Duration::from_nanos);
    let durations: Vec<_> = nanos.into_iter().chain(micros.map(Duration::from_micros)).collect();
    block_on(async {
        for duration in durations {
            for _ in 0..20 {
                let begin = now();
                let sleep = sleep(duration);
                let deadline = sleep.deadline();
                assert!(deadline >= begin + duration);
                sleep.await;
                assert!(now() >= deadline, "{duration:?}");
            }
        }
    });
}

#[test]
fn a_zero_sleep_has_an_exact_deadline_also_on_a_new_thread() {
    for _ in 0..20 {
        // When a thread reads the clock for the first time, its two scales may differ.
        let first = thread::spawn(|| {
            block_on(async {
                let begin = now();
                let sleep = sleep(Duration::ZERO);
                let (deadline, end) = (sleep.deadline(), now());
                assert!(begin <= deadline && deadline <= end);
            });
        });
        first.join().unwrap();
    }
}

#[test]
fn many_sleeps_at_once_are_never_early() {
    block_on(async {
        let begin = now();
        let sleeps = (0..2000u32).map(|i| {
            let deadline = begin + Duration::from_nanos(u64::from(i * 7919 % 20_000) * 1000);
            spawn(async move {
                sleep_until(deadline).await;
                assert!(now() >= deadline);
            })
        });
        for task in sleeps.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
}

#[test]
fn due_timers_fire_by_deadline_and_insertion() {
    // Some deadlines are equal, some differ by less than the precision of a loop's clock.
    let after = |i: usize| i as u64 * 7919 % 40 * [1, 1000, 50_000][i % 3];
    let (base, (mut runtime, trace, polled)) = armed_in_time(|base| {
        let trace: Rc<RefCell<Vec<(u64, usize)>>> = Rc::default();
        let mut runtime = Runtime::new().unwrap();
        for i in 0..500 {
            let trace = trace.clone();
            drop(runtime.spawn(async move {
                sleep_until(base + Duration::from_nanos(after(i))).await;
                trace.borrow_mut().push((after(i), i));
            }));
        }
        let polled = runtime.run_until_stalled().unwrap();
        (runtime, trace, polled)
    });
    assert_eq!((polled, trace.borrow().len()), (500, 0));
    spin_past(base + 2 * MS);
    runtime.run_until_stalled().unwrap();
    let mut expected: Vec<_> = (0..500).map(|i| (after(i), i)).collect();
    expected.sort_unstable();
    assert_eq!(*trace.borrow(), expected);
}

#[test]
fn the_nearest_of_two_far_deadlines_is_waited_for() {
    // Both deadlines lie in one slot of the wheel, or in the next; the nearer is inserted first.
    for delay in [2 * HOUR, 30 * MS] {
        let (near, (runtime, polled)) = armed_in_time_after(delay, |near| {
            let mut runtime = Runtime::new().unwrap();
            for deadline in [near, near + delay / 1000] {
                drop(runtime.spawn(sleep_until(deadline)));
            }
            let polled = turn(&mut runtime);
            (runtime, polled)
        });
        let next = runtime.next_deadline().unwrap();
        assert!(polled == 2 && next >= near && next < near + MS);
    }
}

/// Returns the deadline and the result of a call of `arm` that returned before the deadline passed
/// to it, on a machine of any speed. The deadline is `delay` away, or more on a slow machine.
fn armed_in_time_after<T>(mut delay: Duration, mut arm: impl FnMut(Instant) -> T) -> (Instant, T) {
    loop {
        let deadline = now() + delay;
        let armed = arm(deadline);
        if now() < deadline {
            return (deadline, armed);
        }
        delay *= 2;
    }
}

fn armed_in_time<T>(arm: impl FnMut(Instant) -> T) -> (Instant, T) {
    armed_in_time_after(50 * MS, arm)
}

#[test]
fn many_timers_of_one_deadline_fire_over_several_turns_in_order() {
    const COUNT: usize = 50_000;
    /// The most timers that fire in one turn: src/reactor/timer_wheel.rs.
    const FIRED_MAX: usize = 1024;
    let (deadline, (mut runtime, trace)) = armed_in_time(|deadline| {
        let mut runtime = Runtime::new().unwrap();
        let trace: Rc<RefCell<Vec<usize>>> = Rc::default();
        for i in 0..COUNT {
            let trace = trace.clone();
            drop(runtime.spawn(async move {
                sleep_until(deadline).await;
                trace.borrow_mut().push(i);
            }));
        }
        runtime.run_until_stalled().unwrap();
        (runtime, trace)
    });
    spin_past(deadline);
    let mut ready = 0;
    while trace.borrow().len() < COUNT {
        assert!(runtime.next_deadline().unwrap() <= now(), "the loop must not wait");
        let turn = runtime.turn(None).unwrap();
        assert!(turn.polled + turn.ready_left - ready <= FIRED_MAX);
        ready = turn.ready_left;
    }
    assert_eq!(runtime.next_deadline(), None);
    assert!(trace.borrow().iter().copied().eq(0..COUNT));
}

#[test]
fn run_until_stalled_fires_all_due_timers() {
    const COUNT: usize = 50_000;
    let (deadline, mut runtime) = armed_in_time(|deadline| {
        let mut runtime = Runtime::new().unwrap();
        let spread = |i| deadline + Duration::from_nanos(i as u64 * 7919 % 1_000_000);
        (0..COUNT).for_each(|i| drop(runtime.spawn(sleep_until(spread(i)))));
        runtime.run_until_stalled().unwrap();
        runtime
    });
    spin_past(deadline + MS);
    assert_eq!(runtime.run_until_stalled().unwrap(), COUNT);
    assert_eq!(runtime.next_deadline(), None);
}

#[test]
fn sleeps_are_dropped_and_reset_while_others_of_their_deadline_fire() {
    const COUNT: usize = 5_000;
    let (deadline, (mut runtime, mut sleeps)) = armed_in_time(|deadline| {
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let mut sleeps: Vec<_> = (0..COUNT).map(|_| sleep_until(deadline)).collect();
        assert!(sleeps.iter_mut().all(|sleep| poll_once(sleep).is_pending()));
        drop(entered);
        (runtime, sleeps)
    });
    spin_past(deadline);
    // Some have been woken, some not; all deadlines have passed.
    while poll_once(&mut sleeps[0]).is_pending() {
        turn(&mut runtime);
    }
    assert!(sleeps[1..].iter_mut().all(|sleep| poll_once(sleep).is_ready()));
    assert!(runtime.next_deadline().unwrap() <= now(), "not all have been woken");
    drop(sleeps.split_off(COUNT / 2));
    sleeps.iter_mut().for_each(|sleep| sleep.reset(deadline + HOUR));
    assert!(sleeps.iter_mut().all(|sleep| poll_once(sleep).is_pending()));
    runtime.run_until_stalled().unwrap();
    assert!(runtime.next_deadline().unwrap() >= deadline + HOUR);
}

#[test]
fn a_reset_sleep_ends_at_the_last_deadline() {
    let (earlier, later) = (2 * MS, 8 * MS);
    block_on(async {
        let begin = now();
        let mut sleep = sleep_until(begin + HOUR);
        assert!(poll_once(&mut sleep).is_pending());
        sleep.reset(begin + earlier);
        assert_eq!(sleep.deadline(), begin + earlier);
        (&mut sleep).await;
        assert!(now() - begin >= earlier && now() - begin < HOUR);
        sleep.reset(begin + earlier);
        (&mut sleep).await;
        sleep.reset(begin + HOUR);
        assert!(poll_once(&mut sleep).is_pending(), "a sleep can be reset after it has fired");
        sleep.reset(begin + earlier);
        sleep.reset(begin + later);
        sleep.await;
        assert!(now() - begin >= later);
    });
}

#[test]
fn a_sleep_reset_to_later_does_not_wake_at_the_first_deadline() {
    let mut runtime = Runtime::new().unwrap();
    let first = now() + MS;
    let polls = Rc::new(Cell::new(0));
    let of_task = polls.clone();
    let task = runtime.spawn(async move {
        let mut sleep = sleep_until(first);
        poll_fn(move |cx| {
            of_task.set(of_task.get() + 1);
            assert!(Pin::new(&mut sleep).poll(cx).is_pending());
            sleep.reset(first + HOUR);
            Pin::new(&mut sleep).poll(cx)
        })
        .await;
    });
    turn(&mut runtime);
    spin_past(first);
    assert_eq!((turn(&mut runtime), polls.get()), (0, 1));
    assert!(!task.is_finished());
}

#[test]
fn a_sleep_wakes_the_task_that_polled_it_last() {
    let mut runtime = Runtime::new().unwrap();
    let deadline = now() + 2 * MS;
    let shared = Rc::new(RefCell::new(None));
    let tasks = [(); 2].map(|()| {
        let shared = shared.clone();
        runtime.spawn(poll_fn(move |cx| {
            let mut shared = shared.borrow_mut();
            Pin::new(shared.get_or_insert_with(|| sleep_until(deadline))).poll(cx)
        }))
    });
    assert_eq!(turn(&mut runtime), 2);
    spin_past(deadline);
    assert_eq!(turn(&mut runtime), 1);
    assert_eq!(tasks.each_ref().map(JoinHandle::is_finished), [false, true]);
}

#[test]
fn a_dropped_sleep_cancels_its_timer() {
    let mut runtime = Runtime::new().unwrap();
    let begin = now();
    let task = runtime.spawn(async {
        let mut near = sleep(MS);
        let mut far = sleep(HOUR);
        assert!(poll_once(&mut far).is_pending() && poll_once(&mut near).is_pending());
        drop(near);
        far.await;
    });
    turn(&mut runtime);
    assert!(runtime.next_deadline().unwrap() >= begin + HOUR);
    task.abort();
    turn(&mut runtime);
    assert_eq!(runtime.next_deadline(), None);
}

#[test]
fn far_deadlines_stay_pending() {
    let year = 365 * 24 * HOUR;
    let mut runtime = Runtime::new().unwrap();
    let far = [Duration::MAX, Duration::MAX / 2, 1000 * year, 100 * year, year, HOUR];
    let begin = now();
    let tasks = far.map(|duration| runtime.spawn(async move { sleep(duration).await }));
    assert_eq!(turn(&mut runtime), far.len());
    assert_eq!(turn(&mut runtime), 0);
    for (i, (task, duration)) in tasks.iter().zip(far).enumerate().rev() {
        let next = runtime.next_deadline().unwrap();
        assert!(next >= begin + duration.min(130 * year), "{duration:?}");
        task.abort();
        turn(&mut runtime);
        assert_eq!(runtime.next_deadline().is_none(), i == 0);
    }
    let late = runtime.block_on(timeout(MS, sleep(Duration::MAX)));
    assert!(late.is_err());
}

#[test]
fn ten_million_dropped_timers_leave_no_memory() {
    const LIVE: usize = 10_000;
    let mut runtime = Runtime::new().unwrap();
    let guard = runtime.enter();
    let begin = now() + HOUR;
    let armed = |i: usize| {
        let mut sleep = sleep_until(begin + Duration::from_micros(i as u64 * 7919 % 3_600_000));
        assert!(poll_once(&mut sleep).is_pending());
        sleep
    };
    let mut live: Vec<_> = (0..LIVE).map(armed).collect();
    drop(armed(LIVE));
    let before = (LIVE_BYTES.get(), ALLOCATIONS.get());
    for i in 0..10_000_000 - LIVE {
        // Each replaces a timer that has waited for a while.
        drop(std::mem::replace(&mut live[i % LIVE], armed(i)));
    }
    assert_eq!((LIVE_BYTES.get(), ALLOCATIONS.get()), before);
    drop(live);
    drop(guard);
    assert_eq!(turn(&mut runtime), 0);
    assert_eq!(runtime.next_deadline(), None);
}

#[test]
fn repeated_sleeps_allocate_nothing() {
    block_on(async {
        let round = async || {
            let deadline = now() + Duration::from_micros(100);
            futures::join!(sleep_until(deadline), sleep_until(deadline), sleep_until(deadline));
        };
        round().await;
        let before = (LIVE_BYTES.get(), ALLOCATIONS.get());
        for _ in 0..100 {
            round().await;
        }
        assert_eq!((LIVE_BYTES.get(), ALLOCATIONS.get()), before);
    });
}

#[test]
fn a_ready_future_completes_under_a_timeout_of_zero() {
    block_on(async {
        assert_eq!(timeout(Duration::ZERO, ready(7)).await, Ok(7));
        assert_eq!(timeout_at(now() - MS, ready(7)).await, Ok(7));
        let yields = timeout(HOUR, async {
            yield_now().await;
            7
        });
        assert_eq!(yields.await, Ok(7));
    });
}

#[test]
fn a_ready_future_under_a_timeout_needs_no_loop() {
    // A timer would panic here without a loop.
    assert_eq!(timeout(Duration::ZERO, ready(7)).now_or_never(), Some(Ok(7)));
}

#[test]
fn a_timeout_drops_the_future_and_returns_an_error() {
    struct OnDrop(Rc<Cell<bool>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    block_on(async {
        let begin = now();
        let on_drop = OnDrop(dropped.clone());
        let late = timeout(2 * MS, async move {
            let _on_drop = on_drop;
            pending::<()>().await;
        });
        let elapsed = late.await.unwrap_err();
        assert!(dropped.get() && now() - begin >= 2 * MS);
        assert_eq!(elapsed.to_string(), "timed out after 2ms");
        assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_timeout_in_the_past_polls_once() {
    let polls = Cell::new(0);
    block_on(async {
        let count = || {
            poll_fn(|_| {
                polls.set(polls.get() + 1);
                Poll::<()>::Pending
            })
        };
        let past = now();
        sleep(MS).await;
        assert!(timeout_at(past, count()).await.is_err());
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn the_inner_future_completes_when_both_are_due() {
    let mut runtime = Runtime::new().unwrap();
    let deadline = now() + 100 * MS;
    let both = runtime.spawn(async move { timeout_at(deadline, sleep_until(deadline)).await });
    turn(&mut runtime);
    spin_past(deadline);
    assert_eq!(runtime.block_on(both).unwrap(), Ok(()));
}

/// Ticks once, blocks for three periods and a half, and ticks four times more. Returns those ticks,
/// and times before and after the late one was taken, all counted from the first tick.
async fn ticks_after_a_delay(mut interval: Interval) -> ([Duration; 4], Duration, Duration) {
    let begin = interval.tick().await;
    thread::sleep(interval.period() * 7 / 2);
    let before = now() - begin;
    let late = interval.tick().await;
    let after = now() - begin;
    let ticks = [late, interval.tick().await, interval.tick().await, interval.tick().await];
    (ticks.map(|tick| tick - begin), before, after)
}

const PERIOD: Duration = Duration::from_millis(20);

#[test]
fn burst_catches_up_with_the_schedule() {
    block_on(async {
        let (ticks, ..) = ticks_after_a_delay(interval(PERIOD)).await;
        assert_eq!(ticks, [1, 2, 3, 4].map(|n| n * PERIOD));
    });
}

#[test]
fn delay_moves_the_schedule() {
    block_on(async {
        let mut interval = interval(PERIOD);
        interval.set_missed_tick(MissedTick::Delay);
        let (ticks, before, after) = ticks_after_a_delay(interval).await;
        assert_eq!(ticks[0], PERIOD);
        assert!((before + PERIOD..=after + PERIOD).contains(&ticks[1]));
    });
}

#[test]
fn skip_omits_missed_ticks() {
    block_on(async {
        let mut interval = interval(PERIOD);
        interval.set_missed_tick(MissedTick::Skip);
        let (ticks, before, after) = ticks_after_a_delay(interval).await;
        assert_eq!(ticks[0], PERIOD);
        assert_eq!(ticks[1].as_nanos() % PERIOD.as_nanos(), 0, "the schedule stays");
        assert!(ticks[1] > before && ticks[1] <= after + PERIOD);
    });
}

#[test]
fn an_interval_is_a_stream_that_begins_at_its_start() {
    block_on(async {
        let start = now() + 2 * MS;
        let ticks: Vec<_> = interval_at(start, MS).take(4).collect().await;
        assert_eq!(ticks, [0, 1, 2, 3].map(|n| start + n * MS));
        assert!(now() >= ticks[3]);
    });
}

#[test]
fn an_interval_that_starts_before_its_loop_keeps_its_phase() {
    let start = now() - PERIOD * 7 / 2;
    block_on(async {
        let ticks: Vec<_> = interval_at(start, PERIOD).take(6).collect().await;
        assert_eq!(ticks, [0, 1, 2, 3, 4, 5].map(|n| start + n * PERIOD));
        assert!(now() >= ticks[5]);
    });
}

#[test]
fn a_reset_interval_ticks_one_period_later() {
    block_on(async {
        let mut interval = interval(PERIOD);
        interval.tick().await;
        let before = now();
        interval.reset();
        let after = now();
        assert!((before + PERIOD..=after + PERIOD).contains(&interval.tick().await));
    });
}

#[test]
fn a_dropped_tick_future_loses_no_tick() {
    block_on(async {
        let start = now();
        let mut interval = interval_at(start, MS);
        let mut ticks = Vec::new();
        while ticks.len() < 5 {
            ticks.extend(interval.tick().now_or_never());
            yield_now().await;
        }
        assert_eq!(ticks, [0, 1, 2, 3, 4].map(|n| start + n * MS));
    });
}

#[test]
fn a_late_tick_is_ready_at_its_first_poll() {
    block_on(async {
        let start = now();
        let mut interval = interval_at(start, MS);
        assert_eq!(interval.tick().now_or_never(), Some(start));
        spin_past(start + 2 * MS);
        assert_eq!(interval.tick().now_or_never(), Some(start + MS));
        assert_eq!(timeout(Duration::ZERO, interval.tick()).await, Ok(start + 2 * MS));
    });
}

#[test]
fn a_single_timer_wakes_the_loop_once() {
    for duration in [Duration::from_micros(300), 3 * MS, 70 * MS] {
        let mut runtime = Runtime::new().unwrap();
        let task = runtime.spawn(async move { sleep(duration).await });
        let mut turns = Vec::new();
        while !task.is_finished() {
            turns.push(runtime.turn(None).unwrap().polled);
        }
        assert_eq!(turns, [1, 1], "{duration:?}");
    }
}

/// This test measures time. The best of many sleeps counts, because a busy machine delays most.
#[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
#[test]
fn a_sleep_is_finer_than_the_selectors_milliseconds() {
    // The selector by itself would wait for 2 ms, and for 6.
    for duration in [MS * 13 / 10, MS * 53 / 10] {
        let mut overshoots = [Duration::ZERO; 31];
        block_on(async {
            for overshoot in &mut overshoots {
                let begin = now();
                sleep(duration).await;
                *overshoot = now() - begin - duration;
            }
        });
        assert!(overshoots.iter().min() < Some(&(MS / 2)), "{duration:?}: {overshoots:?}");
    }
}

#[test]
fn a_sleep_created_outside_belongs_to_the_loop_that_polls_it_first() {
    let begin = now();
    let mut outside = sleep(2 * MS);
    let deadline = outside.deadline();
    assert!(deadline >= begin + 2 * MS, "the time counts from its creation");
    let mut runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        assert!(poll_once(&mut outside).is_pending());
    });
    assert!(runtime.next_deadline().is_some(), "the timer belongs to this loop and stays there");
    runtime.block_on(outside);
    assert!(now() >= deadline);
}

#[test]
fn a_sleep_is_awaited_on_another_loop() {
    let mut other = Runtime::new().unwrap();
    let mut runtime = Runtime::new().unwrap();
    let deadline = now() + 2 * MS;
    let guard = runtime.enter();
    let sleep = sleep_until(deadline);
    drop(guard);
    let task = other.spawn(sleep);
    assert_eq!(other.run_until_stalled().unwrap(), 1);
    assert_eq!(runtime.turn(None).unwrap().polled, 0, "its own loop fires the timer");
    assert_eq!(other.run_until_stalled().unwrap(), 1);
    assert!(task.is_finished() && now() >= deadline);
}

#[test]
fn a_zero_sleep_lets_other_tasks_run() {
    let ran = Rc::new(Cell::new(false));
    block_on(async {
        let of_task = ran.clone();
        drop(spawn(async move { of_task.set(true) }));
        sleep(Duration::ZERO).await;
        assert!(ran.get());
    });
}

#[test]
fn a_sleep_that_is_over_before_its_first_poll_lets_other_tasks_run() {
    let ran = Rc::new(Cell::new(false));
    block_on(async {
        let passed = sleep(Duration::ZERO);
        sleep(MS).await;
        let of_task = ran.clone();
        drop(spawn(async move { of_task.set(true) }));
        passed.await;
        assert!(ran.get());
    });
}

#[test]
fn the_earlier_of_two_timeouts_applies() {
    block_on(async {
        let inner = timeout(MS, pending::<()>());
        assert!(matches!(timeout(HOUR, inner).await, Ok(Err(_))));
        let inner = pin!(timeout(HOUR, pending::<()>()));
        assert!(timeout(MS, inner).await.is_err());
    });
}
