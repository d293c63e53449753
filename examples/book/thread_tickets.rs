//! The ticket seller: 15 buyers want 10 tickets. When is a lock needed?
//!
//! ```sh
//! cargo run --package evloop-book --example thread_tickets
//! ```
//!
//! prints
//!
//! ```text
//! look, pay, take: 15 sold of 10
//! the same with a lock: 10 sold of 10
//! look, take, pay: 10 sold of 10
//! in 15 threads with a lock: 10 sold of 10
//! ```
//!
//! The first version is wrong: it awaits between the look and the sale, and other tasks run then.
//! The third version needs no lock, since it does not await in between.

use std::cell::Cell;
use std::sync;
use std::thread;
use std::time::Duration;

use evloop::sync::Mutex;
use evloop::task;
use evloop::time::sleep;

const TICKETS: u32 = 10;
const BUYERS: usize = 15;

async fn pay() {
    sleep(Duration::from_millis(10)).await;
}

fn main() {
    evloop::block_on(async {
        report("look, pay, take", look_pay_take().await);
        report("the same with a lock", with_lock().await);
        report("look, take, pay", look_take_pay().await);
    });
    report("in 15 threads with a lock", in_threads());
}

fn report(version: &str, sold: usize) {
    println!("{version}: {sold} sold of {TICKETS}");
}

fn count(answers: &[bool]) -> usize {
    answers.iter().filter(|is_sold| **is_sold).count()
}

async fn look_pay_take() -> usize {
    let left = Cell::new(TICKETS);
    let buy = async || {
        if left.get() == 0 {
            return false;
        }
        pay().await; // the other buyers look, too, and see the same tickets
        left.set(left.get().saturating_sub(1));
        true
    };
    count(&task::gather((0..BUYERS).map(|_| buy())).await)
}

async fn with_lock() -> usize {
    let left = Mutex::new(TICKETS);
    let buy = async || {
        let mut left = left.lock().await; // the other buyers wait here
        if *left == 0 {
            return false;
        }
        pay().await;
        *left -= 1;
        true
    };
    count(&task::gather((0..BUYERS).map(|_| buy())).await)
}

async fn look_take_pay() -> usize {
    let left = Cell::new(TICKETS);
    let buy = async || {
        if left.get() == 0 {
            return false;
        }
        left.set(left.get() - 1); // no await since the look
        pay().await; // the buyers pay at the same time: 10 ms, not 150
        true
    };
    count(&task::gather((0..BUYERS).map(|_| buy())).await)
}

/// Threads need the lock in any case. The compiler refuses a `Cell` here.
fn in_threads() -> usize {
    let left = sync::Mutex::new(TICKETS);
    let buy = || {
        let mut left = left.lock().expect("no buyer panics");
        if *left == 0 {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
        *left -= 1;
        true
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..BUYERS).map(|_| scope.spawn(buy)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no buyer panics")).collect()
    });
    count(&answers)
}
