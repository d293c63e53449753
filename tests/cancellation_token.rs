//! `sync::CancellationToken`: the tree, the order of wakes, and re-entrant wakers.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::CancellationToken;
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::executor::block_on as block_on_other;
use futures::future::LocalBoxFuture;
use probe::{Drops, Probe};

/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// Tokens or futures at once: if leaving a parent were not O(1), or the tree were walked
/// recursively, this would take minutes or overflow the stack.
const MANY: usize = 100_000;

fn waiting(token: &CancellationToken) -> (Probe, LocalBoxFuture<'static, ()>) {
    let (probe, mut waits) = (Probe::new(), token.clone().cancelled_owned().boxed_local());
    assert!(probe.poll(&mut waits).is_pending());
    (probe, waits)
}

#[test]
fn a_cancelled_token_stays_cancelled_and_wakes_its_waiters_once() {
    let token = CancellationToken::new();
    let mut waits = [waiting(&token), waiting(&token.clone())];
    assert_eq!((token.waiting(), token.is_cancelled()), (2, false));
    token.clone().cancel();
    token.cancel();
    assert!(token.is_cancelled() && token.waiting() == 0);
    for (probe, waits) in &mut waits {
        assert_eq!(probe.wakes_and_kept(), (1, 0));
        assert!(probe.poll(waits).is_ready());
    }
    assert!(token.cancelled().now_or_never().is_some());
}

#[test]
fn waiters_are_woken_from_the_token_down_after_all_are_cancelled() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let root = CancellationToken::new();
    let [left, right] = [root.child_token(), root.child_token()];
    let leaf = left.child_token();
    let tokens = [&leaf, &right, &left, &root].map(Clone::clone);
    let mut held = Vec::new();
    for (name, token) in ["leaf", "right", "left", "root"].into_iter().zip(tokens) {
        let (order, all) = (order.clone(), [&leaf, &right, &left, &root].map(Clone::clone));
        let probe = Probe::new().on_wake(move || {
            assert!(all.iter().all(CancellationToken::is_cancelled));
            assert!(all[0].child_token().is_cancelled());
            order.borrow_mut().push(name);
        });
        let mut waits = token.cancelled_owned().boxed_local();
        assert!(probe.poll(&mut waits).is_pending());
        held.push((probe, waits));
    }
    root.cancel();
    assert_eq!(*order.borrow(), ["root", "left", "right", "leaf"]);
}

#[test]
fn clones_are_equal_and_no_other_tokens() {
    let token = CancellationToken::new();
    let child = token.child_token();
    assert!(token == token.clone() && token != child && token != CancellationToken::new());
    let state = RandomState::new();
    assert_eq!(state.hash_one(&token), state.hash_one(token.clone()));
    assert_ne!(state.hash_one(&token), state.hash_one(&child));
}

#[test]
fn a_child_can_be_cancelled_alone() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let leaf = child.child_token();
    child.cancel();
    assert!(leaf.is_cancelled() && !root.is_cancelled());
    root.cancel();
    assert!(root.child_token().is_cancelled());
}

#[test]
fn a_token_whose_parent_is_dropped_is_cancelled_with_its_grandparent() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let leaf = child.child_token();
    drop(child);
    root.cancel();
    assert!(leaf.is_cancelled());
    let root = CancellationToken::new();
    let [one, other] = [root.child_token(), root.child_token()];
    let leaf = one.child_token();
    drop(root);
    drop(one);
    other.cancel();
    assert!(!leaf.is_cancelled());
    leaf.cancel();
    assert!(leaf.is_cancelled());
}

#[test]
fn a_panicking_waker_does_not_stop_the_others() {
    let root = CancellationToken::new();
    let probe = Probe::new().on_wake(|| panic!("odd"));
    let mut first = root.clone().cancelled_owned().boxed_local();
    assert!(probe.poll(&mut first).is_pending());
    let child = waiting(&root.child_token());
    assert!(catch_unwind(AssertUnwindSafe(|| root.cancel())).is_err());
    assert_eq!(child.0.calls.wakes.get(), 1);
}

#[test]
fn a_waker_can_drop_the_other_waiters_and_tokens() {
    let root = CancellationToken::new();
    let others = Rc::new(RefCell::new(Vec::new()));
    let dropped = others.clone();
    let probe = Probe::new().on_wake(move || dropped.borrow_mut().clear());
    let mut first = root.clone().cancelled_owned().boxed_local();
    assert!(probe.poll(&mut first).is_pending());
    let child = root.child_token();
    let waits = [waiting(&root), waiting(&child)];
    let probes = waits.map(|(probe, waits)| {
        others.borrow_mut().push((waits, child.child_token()));
        probe
    });
    root.cancel();
    assert_eq!(probes.map(|probe| probe.wakes_and_kept()), [(0, 0), (0, 0)]);
}

#[test]
fn work_runs_until_it_completes_or_the_token_is_cancelled() {
    block_on(async {
        let (token, drops) = (CancellationToken::new(), Drops::default());
        assert_eq!(token.run_until_cancelled(async { 1 }).await, Some(1));
        let (held, worker) = (drops.value(), token.clone());
        let task = spawn(async move {
            let work = async move {
                let _held = held;
                pending::<()>().await
            };
            worker.run_until_cancelled_owned(work).await
        });
        yield_now().await;
        token.cancel();
        assert_eq!((task.await.unwrap(), drops.count()), (None, 1));
        // Work that cancels its own token, and completes in that poll.
        let token = CancellationToken::new();
        assert_eq!(token.run_until_cancelled(async { token.cancel() }).await, Some(()));
        let polled = Cell::new(false);
        assert_eq!(token.run_until_cancelled(async { polled.set(true) }).await, None);
        assert!(!polled.get());
        // Work that cancels its own token, and goes on.
        let token = CancellationToken::new();
        let work = async {
            token.cancel();
            pending::<()>().await
        };
        assert_eq!(token.run_until_cancelled(work).await, None);
    });
}

#[test]
fn a_guard_cancels_when_it_is_dropped_unless_it_is_disarmed() {
    let token = CancellationToken::default();
    let guard = token.clone().drop_guard();
    assert!(!guard.token().is_cancelled());
    let back = guard.disarm();
    assert!(!token.is_cancelled());
    drop(back.drop_guard());
    assert!(token.is_cancelled());
    assert_eq!(format!("{token:?}"), "CancellationToken { is_cancelled: true, .. }");
}

#[test]
fn a_task_that_waits_in_a_loop_for_a_cancelled_token_lets_others_run() {
    block_on(async {
        let token = CancellationToken::new();
        token.cancel();
        let done = Rc::new(Cell::new(false));
        let other = done.clone();
        drop(spawn(async move { other.set(true) }));
        while !done.get() {
            token.cancelled().await;
        }
    });
}

#[test]
fn it_works_under_another_executor() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let both = async { futures::join!(child.cancelled(), async { token.cancel() }) };
    block_on_other(both);
}

#[test]
fn many_children_are_cancelled_in_linear_time() {
    let root = CancellationToken::new();
    let children: Vec<_> = (0..MANY).map(|_| root.child_token()).collect();
    let waits: Vec<_> = children.iter().map(waiting).collect();
    root.cancel();
    assert!(waits.iter().all(|(probe, _)| probe.calls.wakes.get() == 1));
    let root = CancellationToken::new();
    let mut children: Vec<_> = (0..MANY).map(|_| root.child_token()).collect();
    children.swap(0, MANY / 2);
    drop(children);
    root.cancel();
}

#[test]
fn a_deep_tree_is_cancelled_and_dropped_without_recursion() {
    for (is_cancelled, is_reversed) in [(false, false), (false, true), (true, false), (true, true)]
    {
        let mut chain = vec![CancellationToken::new()];
        for depth in 0..MANY {
            chain.push(chain[depth].child_token());
        }
        if is_cancelled {
            chain[0].cancel();
            assert!(chain[MANY].is_cancelled());
        }
        if is_reversed {
            chain.reverse();
        }
        drop(chain);
    }
}

#[test]
fn a_chain_of_dropped_parents_stores_nothing() {
    let root = CancellationToken::new();
    let mut token = root.child_token();
    for _ in 0..MANY {
        token = token.child_token();
    }
    root.cancel();
    assert!(token.is_cancelled());
    let probe = Probe::new();
    assert!(matches!(probe.poll(&mut token.cancelled().boxed_local()), Poll::Ready(())));
}
