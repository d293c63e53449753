//! What it takes to wake a loop that sleeps: one write, however many wake it.
//!
//! The count is of the process, so there is one test here. Linux.

#![cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]

use std::fs;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use evloop::Runtime;
use evloop::time::sleep;
use futures::channel::oneshot;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// How often the process's event descriptors were written to. Nobody reads them: a sum stays.
fn writes() -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir("/proc/self/fdinfo").unwrap() {
        let Ok(info) = fs::read_to_string(entry.unwrap().path()) else { continue };
        let count = info.lines().find_map(|line| line.strip_prefix("eventfd-count:"));
        sum += count.map_or(0, |count| u64::from_str_radix(count.trim(), 16).unwrap());
    }
    sum
}

/// Runs `f` on another thread, to its end.
fn elsewhere(f: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(f).join().unwrap());
}

fn one_write_for_each_sleep() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let (take, wakers) = mpsc::channel();
    for _ in 0..100 {
        let take = take.clone();
        drop(runtime.spawn(std::future::poll_fn(move |cx| {
            take.send(cx.waker().clone()).unwrap();
            Poll::<()>::Pending
        })));
    }
    runtime.run_until_stalled().unwrap();
    let wakers: Vec<_> = wakers.try_iter().collect();
    let storm = || {
        for waker in &wakers {
            waker.wake_by_ref();
            handle.call_threadsafe(|| ());
            drop(handle.spawn(|| std::future::ready(())));
        }
    };
    let before = writes();
    for round in 1..=10 {
        // Between two turns it counts as asleep.
        elsewhere(storm);
        elsewhere(storm);
        assert_eq!(writes() - before, round);
        runtime.run_until_stalled().unwrap();
    }
    runtime.block_on(async {
        elsewhere(storm);
        // All that was sent has arrived.
        handle.spawn(|| std::future::ready(())).await.unwrap();
    });
    assert_eq!(writes() - before, 10, "a loop that is awake looks by itself");
    runtime.block_on(async {
        // Something else than a write ended its sleep.
        sleep(Duration::from_millis(1)).await;
        elsewhere(storm);
        // Now it was about to sleep, but something had come.
        handle.spawn(|| std::future::ready(())).await.unwrap();
        elsewhere(storm);
        handle.spawn(|| std::future::ready(())).await.unwrap();
    });
    assert_eq!(writes() - before, 10, "it knows that it is awake");
}

fn a_loop_that_spins_needs_no_write() {
    let mut runtime = Runtime::builder().spin(LIMIT).build().unwrap();
    let before = writes();
    runtime.block_on(async {
        for _ in 0..100 {
            let (tell, told) = oneshot::channel();
            let thread = thread::spawn(move || tell.send(()).unwrap());
            told.await.unwrap();
            thread.join().unwrap();
        }
    });
    assert_eq!(writes(), before);
}

#[test]
fn writes_are_counted() {
    one_write_for_each_sleep();
    a_loop_that_spins_needs_no_write();
}
