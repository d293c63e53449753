//! Values handed from task to task.

use std::hint::black_box;

use crate::job::Job;
use crate::measure::{Sample, measure};
use crate::peer::Channels;

/// Items that the unbounded producer sends between two yields.
const BURST: u64 = 1_000;

pub fn run<P: Channels>(job: &Job) -> Option<Sample> {
    Some(match (job.workload.as_str(), P::EAGER) {
        ("ping_pong", _) => measure::<P>(job.n, ping_pong::<P>),
        ("oneshot", false) | ("oneshot_eager", true) => measure::<P>(job.n, oneshot::<P>),
        ("mpsc1", _) => measure::<P>(job.n, |n| bounded::<P>(n, 1)),
        ("mpsc100", _) => measure::<P>(job.n, |n| bounded::<P>(n, 100)),
        ("mpsc_unbounded", _) => measure::<P>(job.n, unbounded::<P>),
        _ => return None,
    })
}

async fn ping_pong<P: Channels>(n: u64) {
    let (mut ping, mut pinged) = P::bounded(1);
    let (mut pong, mut ponged) = P::bounded(1);
    let echo = P::spawn(async move {
        while let Some(value) = P::recv(&mut pinged).await {
            P::send(&mut pong, value).await;
        }
    });
    for i in 0..n {
        P::send(&mut ping, i).await;
        black_box(P::recv(&mut ponged).await);
    }
    drop(ping);
    P::join(echo).await;
}

async fn oneshot<P: Channels>(n: u64) {
    for i in 0..n {
        let (tx, rx) = P::oneshot();
        P::detach(P::spawn(async move { P::answer(tx, i) }));
        black_box(P::wait(rx).await);
    }
}

async fn bounded<P: Channels>(n: u64, capacity: usize) {
    let (mut tx, mut rx) = P::bounded(capacity);
    let producer = P::spawn(async move {
        for i in 0..n {
            P::send(&mut tx, i).await;
        }
    });
    for _ in 0..n {
        black_box(P::recv(&mut rx).await);
    }
    P::join(producer).await;
}

async fn unbounded<P: Channels>(n: u64) {
    let (tx, mut rx) = P::unbounded();
    let producer = P::spawn(async move {
        for i in 0..n {
            P::send_unbounded(&tx, i);
            if i % BURST == BURST - 1 {
                P::yield_now().await;
            }
        }
    });
    for _ in 0..n {
        black_box(P::recv_unbounded(&mut rx).await);
    }
    P::join(producer).await;
}
