//! Sleeps and timeouts, and results that are ready at once.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use evloop::sync::{mpsc, oneshot, watch};
use evloop::task::{self, JoinSet};
use evloop::time;

use super::cx::{Cx, Flow};
use super::program::{Leaf, Limit, Script};
use super::run::{branch, wait_as};
use super::wait::Wait;
use super::world::World;

/// The lateness of deadlines that the system may cause.
const GRACE: Duration = Duration::from_millis(1);

pub async fn sleep(cx: &Cx, ms: u64) {
    let duration = Duration::from_millis(ms);
    let begin = Instant::now();
    let sleep = time::sleep(duration);
    // This thread may have been suspended since: a deadline that counts from here is surely later.
    let deadline = Instant::now() + duration;
    let what = format!("a sleep of task {}", cx.task.number);
    let is_due = move |_: &World| Instant::now() > deadline + GRACE;
    let timed = Wait { deadline: Some(deadline), ..Wait::new(what, cx.is_attended, is_due) };
    let is_over = wait_as(cx, timed, sleep).await.is_some();
    if is_over && begin.elapsed() < duration {
        cx.world.complain("a sleep was early");
    }
}

pub async fn limited(cx: &Cx, limit: Limit, ms: u64, script: Script) -> Flow {
    let duration = Duration::from_millis(ms);
    let inner = branch(cx, script);
    let begin = Instant::now();
    // Known after the first poll of the timeout, which starts it.
    let due = Rc::new(Cell::new(None));
    let seen = due.clone();
    let is_due =
        move |_: &World| seen.get().is_some_and(|due: Instant| Instant::now() > due + GRACE);
    let what = format!("a limit of {ms} ms of task {}", cx.task.number);
    let deadline = Some(begin + duration);
    let timed = Wait::new(what, cx.is_attended, is_due);
    let _waiting = cx.world.begin_wait(Wait { deadline, is_limit: true, ..timed });
    let record_due = || due.set(due.get().or(Some(Instant::now() + duration)));
    let result = match limit {
        Limit::Timeout => {
            with_callback_after_polls(record_due, time::timeout(duration, inner)).await
        }
        Limit::TimeoutAt => {
            with_callback_after_polls(record_due, time::timeout_at(begin + duration, inner)).await
        }
        Limit::Scope => {
            with_callback_after_polls(
                record_due,
                time::timeout_scope(duration, async move |_| inner.await),
            )
            .await
        }
    };
    match result {
        Ok(output) => output.map(drop).map_err(drop),
        Err(_) => {
            if begin.elapsed() < duration {
                cx.world.complain("a limit fired early");
            }
            Ok(())
        }
    }
}

/// Calls `callback` after each poll.
async fn with_callback_after_polls<F: Future>(callback: impl Fn(), future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        callback();
        polled
    })
    .await
}

/// Takes a result that is ready at once, and so spends budget.
pub async fn take_ready(cx: &Cx, leaf: Leaf) {
    let locks = &cx.world.locks;
    match leaf {
        Leaf::Semaphore => drop(locks.free.acquire().await),
        Leaf::Queue => {
            locks.queue.put(7).await.unwrap();
            assert_eq!(locks.queue.get().await, Ok(7));
        }
        Leaf::Mpsc => {
            let (sender, mut receiver) = mpsc::bounded(1);
            sender.send(7).await.unwrap();
            assert_eq!(receiver.recv().await, Some(7));
        }
        Leaf::ClosedWatch => {
            let (_, mut receiver) = watch::channel(7);
            assert!(receiver.changed().await.is_err());
        }
        Leaf::ClosedOneshot => {
            let (mut sender, _) = oneshot::channel::<u8>();
            sender.closed().await;
        }
        Leaf::ClosedMpsc => {
            let (sender, _) = mpsc::bounded(1);
            assert!(sender.send(7).await.is_err());
        }
        Leaf::FilledCell => assert_eq!(locks.cell.get_or_init(async || 7).await, &7),
        Leaf::ZeroLimit => {
            assert!(time::timeout(Duration::ZERO, pending::<()>()).await.is_err());
        }
        Leaf::EmptySet => assert!(JoinSet::<u8>::new().join_next().await.is_none()),
        Leaf::EmptyScope => task::scope(async |_| {}).await,
    }
}
