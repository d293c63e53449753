//! Gates, and wakes from callbacks and other threads.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use evloop::{Handle, call_later, call_soon};

use super::cx::Cx;
use super::helper;
use super::program::Via;
use super::run::wait;
use super::world::World;

pub async fn wait_gate(cx: &Cx, n: usize) {
    let world = cx.world.clone();
    let is_open = poll_fn(move |context| {
        let gate = &world.gates[n];
        if gate.is_open.get() {
            return Poll::Ready(());
        }
        gate.wakers.borrow_mut().push(context.waker().clone());
        Poll::Pending
    });
    let is_due = move |world: &World| world.gates[n].is_rung.load(Ordering::SeqCst) == 1;
    let _ = wait(cx, &format!("gate {n}"), is_due, is_open).await;
}

pub fn open_gate(cx: &Cx, n: usize, via: Via) {
    let open = move || World::here().gates[n].open()();
    match via {
        Via::Here => cx.world.gates[n].open()(),
        Via::CallSoon => drop(call_soon(open)),
        Via::CallLater => drop(call_later(Duration::from_millis(1), open)),
        Via::Thread => helper::run(cx.world.gates[n].open()),
        Via::CallThreadsafe => {
            let handle = Handle::current();
            helper::run(move || handle.call_threadsafe(open));
        }
    }
}

pub fn call_twice(cx: &Cx) {
    let (world, in_loop) = (cx.world.clone(), cx.world.in_loop.get());
    let is_counted = world.counts_turns.get() && !cx.is_nested;
    call_soon(move || {
        let round = world.round.get();
        call_soon(move || {
            let is_same = world.in_loop.get() == in_loop && world.round.get() == round;
            if is_counted && is_same {
                world.complain("what a callback scheduled ran in the same turn");
            }
        });
    });
}

pub async fn wake_from_thread(cx: &Cx) {
    let is_woken = Arc::new(AtomicBool::new(false));
    let due = Arc::new(AtomicBool::new(false));
    let (is_rung, mut is_sent) = (due.clone(), false);
    let woken = poll_fn(move |context| {
        if is_woken.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        // An earlier waker may belong to another poll, by a select or a join.
        let (waker, is_woken) = (context.waker().clone(), is_woken.clone());
        let is_rung = is_rung.clone();
        if !std::mem::replace(&mut is_sent, true) {
            helper::run(move || {
                is_woken.store(true, Ordering::SeqCst);
                waker.wake();
                is_rung.store(true, Ordering::SeqCst);
            });
        }
        Poll::Pending
    });
    let is_due = move |_: &World| due.load(Ordering::SeqCst);
    let _ = wait(cx, "a wake from a thread", is_due, woken).await;
}
