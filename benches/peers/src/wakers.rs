//! What a waker costs: cloned, and woken when there is nothing left to do.

use std::cell::RefCell;
use std::future::poll_fn;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use crate::gate::Gate;
use crate::job::Job;
use crate::measure::{Sample, measure};
use crate::peer::Peer;

pub fn run<P: Peer>(job: &Job) -> Option<Sample> {
    Some(match job.workload.as_str() {
        "waker_clone" => measure::<P>(job.n, clones),
        "wake_queued" => measure::<P>(job.n, wakes_of_queued::<P>),
        _ => return None,
    })
}

/// For runtimes whose wakers may leave their thread.
pub fn run_across_threads<P: Peer>(job: &Job) -> Option<Sample> {
    (job.workload == "wake_thread").then(|| measure::<P>(job.n, wakes_from_thread))
}

async fn clones(n: u64) {
    poll_fn(|cx| {
        for _ in 0..n {
            drop(black_box(black_box(cx.waker()).clone()));
        }
        Poll::Ready(())
    })
    .await
}

/// Wakes a task that the first of these wakes has queued.
async fn wakes_of_queued<P: Peer>(n: u64) {
    let gate = Gate::new(1);
    let slot = Rc::new(RefCell::new(None));
    let parked = P::spawn({
        let (gate, slot) = (gate.clone(), slot.clone());
        let mut polled = false;
        poll_fn(move |cx| {
            if polled {
                return Poll::Ready(());
            }
            polled = true;
            slot.replace(Some(cx.waker().clone()));
            gate.arrive();
            Poll::Pending
        })
    });
    gate.wait().await;
    let waker = slot.take().expect("the parked task left its waker");
    waker.wake_by_ref();
    for _ in 0..n {
        black_box(&waker).wake_by_ref();
    }
    drop(waker);
    P::join(parked).await;
}

/// Hands its waker to a thread, sleeps, and is woken by it.
async fn wakes_from_thread(n: u64) {
    let (tx, rx) = mpsc::channel::<Waker>();
    let woken = Arc::new(AtomicU64::new(0));
    let waking = thread::spawn({
        let woken = woken.clone();
        move || {
            for waker in rx {
                woken.fetch_add(1, Ordering::Release);
                waker.wake();
            }
        }
    });
    for i in 0..n {
        let mut sent = false;
        poll_fn(|cx| {
            if woken.load(Ordering::Acquire) > i {
                return Poll::Ready(());
            }
            if !sent {
                sent = true;
                tx.send(cx.waker().clone()).expect("the thread listens");
            }
            Poll::Pending
        })
        .await;
    }
    drop(tx);
    waking.join().expect("the thread ends well");
}
