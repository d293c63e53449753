//! The cost of waking a loop that sleeps: one write, however many wakes there are.
//!
//! The count is the process's, so this file has one test. Linux.

#![cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]

use std::fs;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use evloop::Runtime;
use evloop::time::sleep;
use futures::channel::oneshot;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns how often the process's event descriptors were written to. The test never reads them, so
/// the sum stays.
fn writes() -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir("/proc/self/fdinfo").unwrap() {
        let Ok(info) = fs::read_to_string(entry.unwrap().path()) else { continue };
        let count = info.lines().find_map(|line| line.strip_prefix("eventfd-count:"));
        sum += count.map_or(0, |count| u64::from_str_radix(count.trim(), 16).unwrap());
    }
    sum
}

/// Runs `f` on another thread and waits for its end.
fn elsewhere(f: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(f).join().unwrap());
}

fn one_write_for_each_sleep() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let (sender, wakers) = mpsc::channel();
    for _ in 0..100 {
        let sender = sender.clone();
        drop(runtime.spawn(std::future::poll_fn(move |cx| {
            sender.send(cx.waker().clone()).unwrap();
            Poll::<()>::Pending
        })));
    }
    runtime.run_until_stalled().unwrap();
    let wakers: Vec<_> = wakers.try_iter().collect();
    let wake_all = || {
        for waker in &wakers {
            waker.wake_by_ref();
            handle.call_threadsafe(|| ());
            drop(handle.spawn(|| std::future::ready(())));
        }
    };
    // Returns once the loop runs a call from its inbox: what was sent before has arrived.
    let all_arrived = async || {
        let (sender, receiver) = futures::channel::oneshot::channel();
        handle.call_threadsafe(move || sender.send(()).unwrap());
        receiver.await.unwrap();
    };
    let before = writes();
    for round in 1..=10 {
        // Between two turns the loop counts as asleep.
        elsewhere(wake_all);
        elsewhere(wake_all);
        assert_eq!(writes() - before, round);
        runtime.run_until_stalled().unwrap();
    }
    runtime.block_on(async {
        elsewhere(wake_all);
        all_arrived().await;
    });
    assert_eq!(writes() - before, 10, "a loop that is awake needs no write");
    runtime.block_on(async {
        // A timer, not a write, ended its sleep.
        sleep(Duration::from_millis(1)).await;
        elsewhere(wake_all);
        // The loop was about to sleep, but a call had come.
        all_arrived().await;
        elsewhere(wake_all);
        all_arrived().await;
    });
    assert_eq!(writes() - before, 10, "the loop is marked as awake");
}

fn a_busy_polling_loop_needs_no_write() {
    let mut runtime = Runtime::builder().spin(LIMIT).build().unwrap();
    let before = writes();
    runtime.block_on(async {
        for _ in 0..100 {
            let (sender, receiver) = oneshot::channel();
            let thread = thread::spawn(move || sender.send(()).unwrap());
            receiver.await.unwrap();
            thread.join().unwrap();
        }
    });
    assert_eq!(writes(), before);
}

#[test]
fn writes_are_counted() {
    one_write_for_each_sleep();
    a_busy_polling_loop_needs_no_write();
}
