//! Spawning, joining, yielding, and what a parked task weighs.

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::gate::Gate;
use crate::heap;
use crate::job::Job;
use crate::measure::{Reading, Sample, measure};
use crate::peer::Peer;

/// Handles held at once by `spawn_batch`.
const BATCH: u64 = 100_000;
/// Tasks that take turns in `yield1000`.
const TURN_TAKERS: u64 = 1_000;

pub fn run<P: Peer>(job: &Job) -> Option<Sample> {
    Some(match (job.workload.as_str(), P::EAGER) {
        ("spawn_join", false) | ("spawn_join_eager", true) => measure::<P>(job.n, spawn_join::<P>),
        ("spawn_batch", false) | ("spawn_batch_eager", true) => {
            measure::<P>(job.n, spawn_batch::<P>)
        }
        ("yield1", _) => measure::<P>(job.n, yields::<P>),
        ("yield1000", _) => measure::<P>(job.n, yields_in_turn::<P>),
        ("heap", _) => heap_of_parked::<P>(job.n),
        _ => return None,
    })
}

async fn spawn_join<P: Peer>(n: u64) {
    for i in 0..n {
        black_box(P::join(P::spawn(async move { i })).await);
    }
}

async fn spawn_batch<P: Peer>(n: u64) {
    let mut left = n;
    while left > 0 {
        let batch = left.min(BATCH);
        let handles: Vec<_> = (0..batch).map(|i| P::spawn(async move { i })).collect();
        for handle in handles {
            black_box(P::join(handle).await);
        }
        left -= batch;
    }
}

async fn yields<P: Peer>(n: u64) {
    for _ in 0..n {
        P::yield_now().await;
    }
}

async fn yields_in_turn<P: Peer>(n: u64) {
    let tasks: Vec<_> = (0..TURN_TAKERS).map(|_| P::spawn(yields::<P>(n / TURN_TAKERS))).collect();
    for task in tasks {
        P::join(task).await;
    }
}

/// Where tasks are parked: what would wake them holds their wakers, as it does in real life.
struct Lot {
    gate: Rc<Gate>,
    wakers: RefCell<Vec<Waker>>,
}

/// A future that holds one pointer and never ends.
struct Parked(Rc<Lot>);

impl Future for Parked {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.wakers.borrow_mut().push(cx.waker().clone());
        self.0.gate.arrive();
        Poll::Pending
    }
}

fn heap_of_parked<P: Peer>(n: u64) -> Sample {
    P::block_on(async move {
        let task = P::spawn(async move {
            let wakers = RefCell::new(Vec::with_capacity(n as usize));
            let lot = Rc::new(Lot { gate: Gate::new(n), wakers });
            let before = heap::live();
            let start = Reading::now();
            for _ in 0..n {
                P::detach(P::spawn(Parked(lot.clone())));
            }
            lot.gate.wait().await;
            Sample { live_bytes: heap::live() - before, ..start.sample(n, n) }
        });
        P::join(task).await
    })
}
