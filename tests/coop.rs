//! The public functions of a poll's budget.

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use evloop::sync::mpsc;
use evloop::task::{
    consume_budget, cooperative, has_budget_remaining, poll_proceed, unconstrained, yield_now,
};
use evloop::{block_on, spawn};

/// The results that one poll may take.
const PER_POLL: usize = 128;

/// Counts the polls of `future`.
async fn polls(future: impl Future) -> usize {
    let (mut future, mut polls) = (pin!(future), 0);
    poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx).map(drop)
    })
    .await;
    polls
}

/// Returns the number of polls in a task of its own, which begins with a whole budget.
fn polls_in_a_task(future: impl Future + 'static) -> usize {
    block_on(async { spawn(polls(future)).await.unwrap() })
}

async fn receive(count: usize) {
    let (sender, mut receiver) = mpsc::unbounded();
    (0..count).for_each(|i| sender.send(i).unwrap());
    for _ in 0..count {
        receiver.recv().await.unwrap();
    }
}

#[test]
fn an_unconstrained_future_is_polled_once() {
    assert_eq!(polls_in_a_task(receive(10 * PER_POLL)), 10);
    assert_eq!(polls_in_a_task(unconstrained(receive(10 * PER_POLL))), 1);
}

#[test]
fn an_unconstrained_future_leaves_the_budget_of_its_task() {
    let task = async {
        receive(PER_POLL - 1).await;
        unconstrained(receive(10 * PER_POLL)).await;
        assert!(has_budget_remaining());
        consume_budget().await;
        assert!(!has_budget_remaining());
        unconstrained(async { assert!(has_budget_remaining()) }).await;
        assert!(!has_budget_remaining());
    };
    assert_eq!(polls_in_a_task(task), 1);
}

#[test]
fn a_panic_in_an_unconstrained_future_restores_the_budget() {
    block_on(async {
        spawn(unconstrained(async { panic!("odd") })).await.map(|(): ()| ()).unwrap_err();
        assert_eq!(spawn(polls(receive(2 * PER_POLL))).await.unwrap(), 2);
    });
}

#[test]
fn consumed_budget_ends_the_poll() {
    let consume = async |count: usize| {
        for _ in 0..count {
            consume_budget().await;
        }
    };
    assert_eq!(polls_in_a_task(async move { consume(PER_POLL).await }), 1);
    assert_eq!(polls_in_a_task(async move { consume(PER_POLL + 1).await }), 2);
}

#[test]
fn a_cooperative_future_spends_a_unit_when_it_completes() {
    let loops = async |count: usize| {
        for _ in 0..count {
            cooperative(ready(())).await;
        }
    };
    assert_eq!(polls_in_a_task(async move { loops(PER_POLL).await }), 1);
    assert_eq!(polls_in_a_task(async move { loops(3 * PER_POLL).await }), 3);
    // A pending poll costs nothing.
    let yields = async {
        cooperative(yield_now()).await;
        for _ in 1..PER_POLL {
            consume_budget().await;
        }
    };
    assert_eq!(polls_in_a_task(yields), 2);
}

#[test]
fn a_cooperative_future_is_not_polled_without_budget() {
    let is_polled = Rc::new(Cell::new(false));
    let set = is_polled.clone();
    let task = async move {
        receive(PER_POLL).await;
        let mut future = pin!(cooperative(async { set.set(true) }));
        poll_fn(|cx| {
            assert!(future.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    };
    assert_eq!(polls_in_a_task(task), 1);
    assert!(!is_polled.get());
}

#[test]
fn a_unit_without_progress_is_not_spent() {
    let task = async {
        poll_fn(|cx| {
            for _ in 0..10 * PER_POLL {
                let Poll::Ready(proceed) = poll_proceed(cx) else { panic!("budget is left") };
                drop(proceed);
            }
            for _ in 0..PER_POLL {
                let Poll::Ready(proceed) = poll_proceed(cx) else { panic!("budget is left") };
                proceed.made_progress();
            }
            assert!(poll_proceed(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    };
    assert_eq!(polls_in_a_task(task), 1);
}

#[test]
fn the_budget_is_unlimited_outside_a_loop() {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 * PER_POLL {
        assert!(pin!(consume_budget()).poll(&mut cx).is_ready());
        assert!(pin!(cooperative(ready(()))).poll(&mut cx).is_ready());
    }
    assert!(has_budget_remaining());
}
