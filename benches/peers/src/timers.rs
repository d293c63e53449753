//! Timers that are cancelled, timers that fire, and `timeout`.

use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::job::Job;
use crate::measure::{Sample, measure};
use crate::peer::{Timers, wake_once};
use crate::rng::Rng;

/// Sleeps that stay live while `timer_churn` replaces them.
const LIVE: usize = 10_000;
/// Tasks that sleep at once in `timer_fire`.
const SLEEPERS: u64 = 100_000;
/// Within this time all of them wake.
const FIRE_WITHIN: Duration = Duration::from_millis(100);
/// A deadline that no run reaches.
const FAR: Duration = Duration::from_secs(30);

pub fn run<P: Timers>(job: &Job) -> Option<Sample> {
    Some(match job.workload.as_str() {
        "timer_churn" => churn::<P>(job.n),
        "timer_fire" => measure::<P>(job.n, fire::<P>),
        "timeout_ready" => measure::<P>(job.n, timeout_ready::<P>),
        "timeout_yield" => measure::<P>(job.n, timeout_yield::<P>),
        _ => return None,
    })
}

/// Create and cancel: drops the oldest of the live sleeps, makes a new one, polls it once.
fn churn<P: Timers>(n: u64) -> Sample {
    let mut rng = Rng::default();
    let mut sleep = move || P::sleep(Duration::from_micros(1_000_000 + rng.below(59_000_000)));
    // One box for each slot, made once: what is measured is the timer, not its box.
    let mut live = Vec::with_capacity(LIVE);
    let mut oldest = 0;
    measure::<P>(n, async move |n| {
        while live.len() < LIVE {
            let mut slot = Box::pin(Some(sleep()));
            poll_once(slot.as_mut()).await;
            live.push(slot);
        }
        for i in 0..n {
            let slot = &mut live[oldest];
            slot.set(None);
            slot.set(Some(sleep()));
            poll_once(slot.as_mut()).await;
            oldest = if oldest + 1 == LIVE { 0 } else { oldest + 1 };
            // Within one poll a cooperative budget would run out, and a sleep polled without
            // budget does not arm its timer.
            if i % 100 == 99 {
                P::yield_now().await;
            }
        }
    })
}

async fn poll_once<F: Future>(mut slot: Pin<&mut Option<F>>) {
    poll_fn(|cx| {
        let sleep = slot.as_mut().as_pin_mut().expect("a slot is empty only while it is refilled");
        assert!(sleep.poll(cx).is_pending());
        Poll::Ready(())
    })
    .await
}

async fn fire<P: Timers>(n: u64) {
    let mut rng = Rng::default();
    let mut left = n;
    while left > 0 {
        let batch = left.min(SLEEPERS);
        let tasks: Vec<_> = (0..batch)
            .map(|_| {
                let duration = Duration::from_nanos(rng.below(FIRE_WITHIN.as_nanos() as u64));
                P::spawn(async move {
                    P::sleep(duration).await;
                })
            })
            .collect();
        for task in tasks {
            P::join(task).await;
        }
        left -= batch;
    }
}

async fn timeout_ready<P: Timers>(n: u64) {
    for i in 0..n {
        black_box(P::timeout(FAR, ready(i)).await);
    }
}

/// The inner future is the same for all: a runtime's own yield may cost a system call.
async fn timeout_yield<P: Timers>(n: u64) {
    for _ in 0..n {
        black_box(P::timeout(FAR, wake_once()).await);
    }
}
