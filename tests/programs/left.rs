//! Futures that outlive their task or their loop, nested turns, and destructors.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use evloop::{Handle, JoinHandle, time};

use super::census::{Raised, Value};
use super::cx::Cx;
use super::handle::AnyHandle;
use super::program::{Deed, Kind, Payload, Script};
use super::run::{branch, whole};
use super::spawn::{enlist, spawn};
use super::talk;
use super::world::World;

/// Runs a task in a new runtime for some turns.
pub fn take_turns(cx: &Cx, turns: usize, script: Script) {
    let world = &cx.world;
    let mut inner = world.new_loop();
    let number = inner.number;
    world.inside(number, || {
        let cx = Cx { is_nested: true, is_attended: false, ..Cx::new(world) };
        let runtime = inner.runtime.as_mut().unwrap();
        let handle: JoinHandle<Value> = runtime.spawn(whole(&cx, script));
        enlist(&cx, Some(AnyHandle::Task(handle)));
        for _ in 0..turns {
            runtime.turn(Some(Duration::ZERO)).unwrap();
        }
    });
    if turns % 2 == 0 {
        world.left.borrow_mut().push(Box::new(inner));
    } else {
        drop(inner);
    }
}

/// Polls a piece of this task once, and stores it.
pub async fn leave(cx: &Cx, script: Script) {
    let cx = Cx { is_attended: false, is_left: true, ..cx.clone() };
    let mut left = Box::pin(branch(&cx, script));
    // Polled only here: a key that a value registered for one task is not valid in another.
    let polled = poll_fn(|context| Poll::Ready(left.as_mut().poll(context))).await;
    if polled.is_pending() {
        cx.world.left.borrow_mut().push(Box::new(left));
    }
}

/// A sleep that was polled with a waker of the test.
struct Foreign {
    sleep: Pin<Box<time::Sleep>>,
    state: Arc<ForeignWaker>,
    in_loop: usize,
}

struct ForeignWaker {
    is_woken: AtomicBool,
    panics: bool,
}

impl Wake for ForeignWaker {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        if self.panics && !thread::panicking() {
            let world = World::here();
            Raised::raise(&world.census, Payload::Plain, world.in_loop.get());
        }
    }
}

pub fn leave_foreign(cx: &Cx, payload: Payload) {
    let panics = payload == Payload::PanicsInDrop;
    cx.world.end_may_panic.set(cx.world.end_may_panic.get() || panics);
    let state = Arc::new(ForeignWaker { is_woken: AtomicBool::new(false), panics });
    let waker = Waker::from(state.clone());
    let mut sleep = Box::pin(time::sleep(Duration::from_secs(60)));
    let polled = sleep.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let in_loop = cx.world.in_loop.get();
    cx.world.left.borrow_mut().push(Box::new(Foreign { sleep, state, in_loop }));
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let world = World::here();
        if world.is_loop_over(self.in_loop) && !self.state.is_woken.load(Ordering::SeqCst) {
            world.complain("the loop ended and did not wake a waker of the test");
        }
        let _ = &self.sleep;
    }
}

/// Runs an action when it is dropped.
pub struct Guard {
    pub cx: Cx,
    pub deed: Option<Deed>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Cx { world, task, .. } = &self.cx;
        self.cx.check_in_destructor("a guard");
        let is_in_loop = Handle::try_current().is_some();
        match self.deed.take() {
            Some(Deed::Spawn(script)) if is_in_loop => {
                spawn(&self.cx.for_task(), Kind::Task, script);
            }
            Some(Deed::Abort(n)) => talk::abort(world, n),
            Some(Deed::OpenGate(n)) => world.gates[n].open()(),
            Some(Deed::DropHandle(n)) => talk::drop_handle(world, n),
            Some(Deed::TryLock) => {
                let guard = world.locks.reentrant.try_lock();
                let owner = world.locks.owner();
                let is_held_by_another = owner.is_some_and(|owner| owner != task.number);
                if guard.is_ok() && is_held_by_another && !self.cx.is_left {
                    world.complain(format!(
                        "a destructor of task {} locked what task {owner:?} holds",
                        task.number
                    ));
                }
            }
            Some(Deed::Panic(payload)) if !thread::panicking() => {
                Raised::raise(&world.census, payload, world.in_loop.get());
            }
            _ => {}
        }
    }
}
