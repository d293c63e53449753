//! Random trees of scopes, and the guarantees that hold for every child in all of them.
//!
//! Scripts spawn into any scope, await, abort or detach any child, cancel any scope, panic, and
//! drop scopes before their end. The test checks the guarantees for every child. A child is polled
//! no more often than it was woken, once at least after its last wake, and never after its end.
//! First polls are in spawn order. A child is dropped once, before its scope ends. Each panic is
//! reported once. A failure prints the shortest scripts that show it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use evloop::Runtime;
use evloop::task::{self, Scope, ScopedHandle, yield_now};
use futures::FutureExt;
use futures::future::{Either, LocalBoxFuture, select};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Trees of scopes: enough for a second without optimization.
const CASES: u32 = 1000;
/// The number of shorter scripts to try after a failure.
const SHRINKS_MAX: u32 = 2000;
/// A case that takes more turns counts as endless.
const TURNS_MAX: usize = 10_000;
/// The number of gates, at which children wait for each other.
const GATES: usize = 3;

/// The steps of a body or a child, in order. A number selects a child with a handle, a scope, or a
/// gate, modulo their count.
type Script = Vec<Step>;

#[derive(Clone, Debug)]
enum Step {
    Yield,
    /// Spawns a child into this scope or into any other.
    Spawn(Place, Script, Handle),
    Nest(Script),
    /// A nested scope that is dropped after this number of polls, unless it has ended.
    NestFor(usize, Script),
    Await(usize),
    Abort(usize),
    Detach(usize),
    Cancel(Place),
    Panic,
    Wait(usize),
    Open(usize),
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Here,
    Anywhere(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Handle {
    Kept,
    Dropped,
}

/// Everything that a case has created and recorded.
#[derive(Default)]
struct World {
    /// The wakers are wrapped, so that each wake is recorded. Otherwise they are the loop's own.
    is_watched: bool,
    groups: RefCell<Vec<Group>>,
    children: RefCell<Vec<Rc<Child>>>,
    handles: RefCell<Vec<(Rc<Child>, ScopedHandle<'static, ()>)>>,
    gates: [RefCell<Vec<Waker>>; GATES],
    /// The number of panics so far; each panic has a number.
    raised: Cell<usize>,
    reported: RefCell<Vec<usize>>,
    /// The failed checks: a failed assertion inside a child would only be one more panic.
    failures: RefCell<Vec<String>>,
}

#[derive(Clone)]
struct Group {
    scope: Scope<'static>,
    /// The child whose first poll was the last one.
    newest: Rc<Cell<Option<usize>>>,
    was_cancelled: Rc<Cell<bool>>,
    has_ended: Rc<Cell<bool>>,
}

/// The record of a spawned future.
#[derive(Default)]
struct Child {
    id: usize,
    group: usize,
    polls: Cell<usize>,
    drops: Cell<usize>,
    /// It completed, panicked, or is being polled.
    is_busy: Cell<bool>,
    was_aborted: Cell<bool>,
    waker: Arc<ChildWaker>,
}

/// Wakes a child and counts the wakes.
#[derive(Default)]
struct ChildWaker {
    /// The number of wakes.
    wakes: AtomicUsize,
    is_due: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.is_due.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap().clone();
        waker.expect("it was polled").wake();
    }
}

/// A spawned future that checks each of its polls.
struct Checked {
    world: Rc<World>,
    child: Rc<Child>,
    inner: LocalBoxFuture<'static, ()>,
}

impl Future for Checked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (world, child) = (self.world.clone(), self.child.clone());
        let group = world.groups.borrow()[child.group].clone();
        world.check(!child.is_busy.replace(true), || {
            format!("{} was polled after its end", child.id)
        });
        world.check(!group.has_ended.get(), || format!("{} was polled after its scope", child.id));
        child.waker.is_due.store(false, Ordering::Relaxed);
        if child.polls.replace(child.polls.get() + 1) == 0 {
            let before = group.newest.replace(Some(child.id));
            world.check(before < Some(child.id), || format!("{before:?} before {}", child.id));
        } else if world.is_watched {
            let wakes = child.waker.wakes.load(Ordering::Relaxed);
            let is_due = child.polls.get() <= 1 + wakes;
            world.check(is_due, || format!("{} was polled without a wake", child.id));
        }
        let polled = if world.is_watched {
            *child.waker.waker.lock().unwrap() = Some(cx.waker().clone());
            self.inner.as_mut().poll(&mut Context::from_waker(&child.waker.clone().into()))
        } else {
            self.inner.as_mut().poll(cx)
        };
        child.is_busy.set(polled.is_ready());
        polled
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        self.child.drops.set(self.child.drops.get() + 1);
    }
}

impl World {
    fn check(&self, holds: bool, failure: impl FnOnce() -> String) {
        if !holds {
            self.failures.borrow_mut().push(failure());
        }
    }

    fn record_panic(&self, payload: Box<dyn Any + Send>) {
        match payload.downcast::<usize>() {
            Ok(number) => self.reported.borrow_mut().push(*number),
            Err(payload) => {
                let text = payload.downcast_ref::<&str>().copied();
                self.check(false, || format!("the library panicked: {text:?}"));
            }
        }
    }

    fn group(&self, here: usize, place: Place) -> (usize, Group) {
        let groups = self.groups.borrow();
        let index = match place {
            Place::Here => here,
            Place::Anywhere(number) => number % groups.len(),
        };
        (index, groups[index].clone())
    }

    fn spawn(self: &Rc<Self>, here: usize, place: Place, script: Script, handle: Handle) {
        let (index, group) = self.group(here, place);
        let id = self.children.borrow().len();
        let child = Rc::new(Child { id, group: index, ..Child::default() });
        self.children.borrow_mut().push(child.clone());
        let inner = run(self.clone(), index, script);
        let had_ended = group.scope.is_cancelled();
        let future = Checked { world: self.clone(), child: child.clone(), inner };
        let spawned = group.scope.spawn(future);
        self.check(child.polls.get() == 0, || format!("{id} was polled inside spawn"));
        self.check(child.drops.get() == usize::from(had_ended), || {
            format!("{id} was dropped in an open scope, or not in an ended one")
        });
        self.check(!group.has_ended.get() || had_ended, || {
            "an ended scope accepts children".into()
        });
        match handle {
            Handle::Kept => self.handles.borrow_mut().push((child, spawned)),
            Handle::Dropped => drop(spawned),
        }
    }

    /// Takes one of the stored handles.
    fn take_handle(&self, number: usize) -> Option<ScopedHandle<'static, ()>> {
        let mut handles = self.handles.borrow_mut();
        let number = number.checked_rem(handles.len())?;
        Some(handles.remove(number).1)
    }

    fn alive_in(&self, group: usize) -> usize {
        let children = self.children.borrow();
        children.iter().filter(|child| child.group == group && child.drops.get() == 0).count()
    }

    /// Checks a scope that has completed.
    fn check_complete(&self, group: usize) {
        let (_, Group { was_cancelled, .. }) = self.group(group, Place::Here);
        for child in self.children.borrow().iter().filter(|child| child.group == group) {
            let is_complete = child.is_busy.get() || child.was_aborted.get() || was_cancelled.get();
            self.check(is_complete, || format!("{} was not run to its end", child.id));
        }
    }

    /// Checks a scope that has completed or was dropped.
    fn check_ended(&self, group: usize) {
        let (_, Group { scope, has_ended, .. }) = self.group(group, Place::Here);
        has_ended.set(true);
        let left = self.alive_in(group);
        self.check(left == 0, || format!("scope {group} ended with {left} children"));
        self.check(scope.is_empty() && scope.is_cancelled(), || {
            format!("{scope:?} does not report its end")
        });
    }

    /// Checks all children when no task is ready.
    fn check_idle(&self) {
        for child in self.children.borrow().iter() {
            let is_due = child.polls.get() == 0 || child.waker.is_due.load(Ordering::Relaxed);
            let is_late = child.drops.get() == 0 && is_due;
            self.check(!is_late, || format!("{} was woken and never polled", child.id));
        }
        for (i, group) in self.groups.borrow().iter().enumerate() {
            let (len, alive) = (group.scope.len(), self.alive_in(i));
            self.check(len == alive, || {
                format!("scope {i} has {alive} children and reports {len}")
            });
            let is_left = alive > 0 && group.scope.is_cancelled();
            self.check(!is_left, || format!("scope {i} is cancelled and has {alive} children"));
        }
    }

    fn check_end(&self) {
        for child in self.children.borrow().iter() {
            let drops = child.drops.get();
            self.check(drops == 1, || format!("{} was dropped {drops} times", child.id));
        }
        for group in 0..self.groups.borrow().len() {
            self.check_ended(group);
        }
        self.reported.borrow_mut().sort_unstable();
        let (raised, reported) = (0..self.raised.get(), self.reported.take());
        self.check(raised.clone().eq(reported.iter().copied()), || {
            format!("of the panics {raised:?}, {reported:?} were reported")
        });
    }
}

/// A scope whose body runs `script`. Its panic is caught here.
async fn nest(world: Rc<World>, script: Script) {
    let index = Rc::new(Cell::new(None));
    let body = async |scope: Scope<'static>| {
        let (newest, was_cancelled, has_ended) = Default::default();
        world.groups.borrow_mut().push(Group { scope, newest, was_cancelled, has_ended });
        let here = world.groups.borrow().len() - 1;
        index.set(Some(here));
        run(world.clone(), here, script).await;
    };
    let ended = AssertUnwindSafe(task::scope(body)).catch_unwind().await;
    let index = index.get().expect("the body was polled");
    match ended {
        Ok(()) => world.check_complete(index),
        Err(payload) => world.record_panic(payload),
    }
    world.check_ended(index);
}

fn run(world: Rc<World>, here: usize, script: Script) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        for step in script {
            run_step(&world, here, step).await;
        }
    })
}

async fn run_step(world: &Rc<World>, here: usize, step: Step) {
    match step {
        Step::Yield => yield_now().await,
        Step::Spawn(place, script, handle) => world.spawn(here, place, script, handle),
        Step::Nest(script) => nest(world.clone(), script).await,
        Step::NestFor(polls, script) => {
            let nested = world.groups.borrow().len();
            let limit = pin!(async {
                for _ in 0..polls {
                    yield_now().await
                }
            });
            let nest = Box::pin(nest(world.clone(), script));
            if let Either::Right((_, nest)) = select(nest, limit).await {
                drop(nest);
                world.check_ended(nested);
            }
        }
        Step::Await(number) => {
            let Some(handle) = world.take_handle(number) else { return };
            if let Err(Ok(payload)) = handle.await.map_err(|error| error.try_into_panic()) {
                world.record_panic(payload);
            }
        }
        Step::Abort(number) => {
            let handles = world.handles.borrow();
            if let Some(number) = number.checked_rem(handles.len()) {
                let (child, handle) = &handles[number];
                child.was_aborted.set(true);
                handle.abort();
            }
        }
        Step::Detach(number) => drop(world.take_handle(number)),
        Step::Cancel(place) => {
            let (_, group) = world.group(here, place);
            group.was_cancelled.set(true);
            group.scope.cancel();
        }
        Step::Panic => {
            let number = world.raised.replace(world.raised.get() + 1);
            // Does not call the panic hook, which would print.
            resume_unwind(Box::new(number));
        }
        Step::Wait(gate) => wait(&world.gates[gate % GATES]).await,
        Step::Open(gate) => world.gates[gate % GATES].take().into_iter().for_each(Waker::wake),
    }
}

/// Waits until the gate is next opened.
fn wait(gate: &RefCell<Vec<Waker>>) -> impl Future<Output = ()> {
    let mut is_waiting = false;
    poll_fn(move |cx| {
        if is_waiting {
            return Poll::Ready(());
        }
        is_waiting = true;
        gate.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    })
}

fn run_until_idle(runtime: &mut Runtime, world: &World) {
    let mut turns = (0..TURNS_MAX).map(|_| runtime.turn(Some(Duration::ZERO)).unwrap());
    world.check(turns.any(|turn| turn.ready_left == 0), || "it never becomes idle".into());
}

fn run_case(is_watched: bool, script: Script) -> Vec<String> {
    let world = Rc::new(World { is_watched, ..World::default() });
    let for_handler = world.clone();
    let builder = Runtime::builder().on_task_error(move |error| {
        let payload = error.try_into_panic().expect("only panics are reported");
        for_handler.record_panic(payload);
    });
    let mut runtime = builder.build().unwrap();
    let root = runtime.spawn(nest(world.clone(), script));
    run_until_idle(&mut runtime, &world);
    world.check_idle();
    root.abort();
    run_until_idle(&mut runtime, &world);
    runtime.block_on(async {
        drop(world.handles.take());
        world
            .check(task::all().len() == 1, || format!("slots are still in use: {:?}", task::all()));
    });
    world.check_end();
    // Breaks a cycle: scopes hold the loop, whose handler holds the world.
    drop(world.groups.take());
    world.failures.take()
}

fn script() -> impl Strategy<Value = Script> {
    let number = || 0..8_usize;
    let place =
        move || prop_oneof![2 => Just(Place::Here), 1 => number().prop_map(Place::Anywhere)];
    let handle = || prop_oneof![Just(Handle::Kept), Just(Handle::Dropped)];
    let leaf = prop_oneof![
        6 => Just(Step::Yield),
        3 => number().prop_map(Step::Await),
        2 => number().prop_map(Step::Abort),
        2 => number().prop_map(Step::Detach),
        1 => place().prop_map(Step::Cancel),
        1 => Just(Step::Panic),
        2 => number().prop_map(Step::Wait),
        2 => number().prop_map(Step::Open),
    ];
    let step = leaf.prop_recursive(4, 60, 6, move |step| {
        let script = vec(step.clone(), 0..6);
        prop_oneof![
            2 => step,
            6 => (place(), script.clone(), handle()).prop_map(|(p, s, h)| Step::Spawn(p, s, h)),
            2 => script.clone().prop_map(Step::Nest),
            1 => (0..6_usize, script).prop_map(|(polls, s)| Step::NestFor(polls, s)),
        ]
    });
    vec(step, 1..10)
}

#[test]
fn guarantees_for_children_hold_in_any_tree_of_scopes() {
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: SHRINKS_MAX,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&(any::<bool>(), script()), |(is_watched, script)| {
        let failures = run_case(is_watched, script);
        prop_assert!(failures.is_empty(), "{:#?}", failures);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
