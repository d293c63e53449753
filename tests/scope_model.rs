//! Random trees of scopes: what holds for every child, whoever ends, wakes, awaits or drops it.
//!
//! Scripts spawn into any scope, await, abort or let go any child, cancel any scope, panic, and
//! drop scopes half-way. What is checked is what every child can rely on: it is polled no more
//! often than it was woken, and after the last wake; in the order of spawning at first; never after
//! its end. It is dropped once, before its scope ends; and each panic comes out once. A failure
//! prints the shortest scripts that show it.

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
/// Shorter scripts that are tried once one has failed.
const SHRINKS_MAX: u32 = 2000;
/// A case that takes more turns would never end.
const TURNS_MAX: usize = 10_000;
/// Where children wait for each other.
const GATES: usize = 3;

/// What a body or a child does, one after the other. A number stands for a child with a handle, a
/// scope, or a gate; it counts round.
type Script = Vec<Step>;

#[derive(Clone, Debug)]
enum Step {
    Yield,
    /// Into the scope that is so many before the newest of those around, or in any other.
    Spawn(Place, Script, Handle),
    Nest(Script),
    /// Dropped after so many polls, unless it has ended.
    NestFor(usize, Script),
    Await(usize),
    Abort(usize),
    LetGo(usize),
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
    LetGo,
}

/// All that a case has made and seen.
#[derive(Default)]
struct World {
    /// Wakers are wrapped, and so it is known who was woken. Else they are the loop's own.
    is_watched: bool,
    groups: RefCell<Vec<Group>>,
    children: RefCell<Vec<Rc<Child>>>,
    handles: RefCell<Vec<(Rc<Child>, ScopedHandle<'static, ()>)>>,
    gates: [RefCell<Vec<Waker>>; GATES],
    /// Panics are numbered.
    raised: Cell<usize>,
    came_out: RefCell<Vec<usize>>,
    /// What does not hold: a failed assertion inside of a child would be but one more panic.
    complaints: RefCell<Vec<String>>,
}

#[derive(Clone)]
struct Group {
    scope: Scope<'static>,
    /// The child that was polled for the first time last.
    newest: Rc<Cell<Option<usize>>>,
    was_cancelled: Rc<Cell<bool>>,
    is_over: Rc<Cell<bool>>,
}

/// What became of a spawned future.
#[derive(Default)]
struct Child {
    id: usize,
    group: usize,
    polls: Cell<usize>,
    drops: Cell<usize>,
    /// It was ready, has panicked, or is being polled.
    is_busy: Cell<bool>,
    was_aborted: Cell<bool>,
    flag: Arc<Flag>,
}

/// Wakes a child, and tells that it did.
#[derive(Default)]
struct Flag {
    /// How often, and whether it was since the last poll.
    wakes: AtomicUsize,
    is_due: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.is_due.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap().clone();
        waker.expect("it was polled").wake();
    }
}

/// A spawned future, watched.
struct Watched {
    world: Rc<World>,
    child: Rc<Child>,
    inner: LocalBoxFuture<'static, ()>,
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (world, child) = (self.world.clone(), self.child.clone());
        let group = world.groups.borrow()[child.group].clone();
        world.check(!child.is_busy.replace(true), || format!("{} polled after its end", child.id));
        world.check(!group.is_over.get(), || format!("{} polled after its scope", child.id));
        child.flag.is_due.store(false, Ordering::Relaxed);
        if child.polls.replace(child.polls.get() + 1) == 0 {
            let before = group.newest.replace(Some(child.id));
            world.check(before < Some(child.id), || format!("{before:?} before {}", child.id));
        } else if world.is_watched {
            let wakes = child.flag.wakes.load(Ordering::Relaxed);
            let is_due = child.polls.get() <= 1 + wakes;
            world.check(is_due, || format!("{} polled, and was not woken", child.id));
        }
        let polled = if world.is_watched {
            *child.flag.waker.lock().unwrap() = Some(cx.waker().clone());
            self.inner.as_mut().poll(&mut Context::from_waker(&child.flag.clone().into()))
        } else {
            self.inner.as_mut().poll(cx)
        };
        child.is_busy.set(polled.is_ready());
        polled
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.child.drops.set(self.child.drops.get() + 1);
    }
}

impl World {
    fn check(&self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.complaints.borrow_mut().push(complaint());
        }
    }

    fn came_out(&self, payload: Box<dyn Any + Send>) {
        match payload.downcast::<usize>() {
            Ok(number) => self.came_out.borrow_mut().push(*number),
            Err(payload) => {
                let text = payload.downcast_ref::<&str>().copied();
                self.check(false, || format!("a panic of the library: {text:?}"));
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
        let was_over = group.scope.is_cancelled();
        let future = Watched { world: self.clone(), child: child.clone(), inner };
        let spawned = group.scope.spawn(future);
        self.check(child.polls.get() == 0, || format!("{id} polled inside of spawn"));
        self.check(child.drops.get() == usize::from(was_over), || format!("{id} in a scope over"));
        self.check(!group.is_over.get() || was_over, || "a scope over takes children".into());
        match handle {
            Handle::Kept => self.handles.borrow_mut().push((child, spawned)),
            Handle::LetGo => drop(spawned),
        }
    }

    /// Takes one of the handles that are kept.
    fn take_handle(&self, number: usize) -> Option<ScopedHandle<'static, ()>> {
        let mut handles = self.handles.borrow_mut();
        let number = number.checked_rem(handles.len())?;
        Some(handles.remove(number).1)
    }

    fn alive_in(&self, group: usize) -> usize {
        let children = self.children.borrow();
        children.iter().filter(|child| child.group == group && child.drops.get() == 0).count()
    }

    /// After the scope has ended by itself.
    fn check_complete(&self, group: usize) {
        let (_, Group { was_cancelled, .. }) = self.group(group, Place::Here);
        for child in self.children.borrow().iter().filter(|child| child.group == group) {
            let is_complete = child.is_busy.get() || child.was_aborted.get() || was_cancelled.get();
            self.check(is_complete, || format!("{} was not run to its end", child.id));
        }
    }

    /// After the scope has ended, in whatever way.
    fn check_over(&self, group: usize) {
        let (_, Group { scope, is_over, .. }) = self.group(group, Place::Here);
        is_over.set(true);
        let left = self.alive_in(group);
        self.check(left == 0, || format!("scope {group} ended with {left} children"));
        self.check(scope.is_empty() && scope.is_cancelled(), || format!("{scope:?} is over"));
    }

    /// While nobody has anything to do.
    fn check_idle(&self) {
        for child in self.children.borrow().iter() {
            let is_due = child.polls.get() == 0 || child.flag.is_due.load(Ordering::Relaxed);
            let is_late = child.drops.get() == 0 && is_due;
            self.check(!is_late, || format!("{} was woken and never polled", child.id));
        }
        for (i, group) in self.groups.borrow().iter().enumerate() {
            let (told, alive) = (group.scope.len(), self.alive_in(i));
            self.check(told == alive, || format!("scope {i} has {alive} and tells of {told}"));
            let is_left = alive > 0 && group.scope.is_cancelled();
            self.check(!is_left, || format!("scope {i} is cancelled, and has {alive}"));
        }
    }

    fn check_end(&self) {
        for child in self.children.borrow().iter() {
            let drops = child.drops.get();
            self.check(drops == 1, || format!("{} was dropped {drops} times", child.id));
        }
        for group in 0..self.groups.borrow().len() {
            self.check_over(group);
        }
        self.came_out.borrow_mut().sort_unstable();
        let (raised, came_out) = (0..self.raised.get(), self.came_out.take());
        self.check(raised.clone().eq(came_out.iter().copied()), || {
            format!("of panics {raised:?} there came out {came_out:?}")
        });
    }
}

/// A scope whose body runs `script`; its panic ends here.
async fn nest(world: Rc<World>, script: Script) {
    let index = Rc::new(Cell::new(None));
    let body = async |scope: Scope<'static>| {
        let (newest, was_cancelled, is_over) = Default::default();
        world.groups.borrow_mut().push(Group { scope, newest, was_cancelled, is_over });
        let here = world.groups.borrow().len() - 1;
        index.set(Some(here));
        run(world.clone(), here, script).await;
    };
    let ended = AssertUnwindSafe(task::scope(body)).catch_unwind().await;
    let index = index.get().expect("the body was polled");
    match ended {
        Ok(()) => world.check_complete(index),
        Err(payload) => world.came_out(payload),
    }
    world.check_over(index);
}

fn run(world: Rc<World>, here: usize, script: Script) -> LocalBoxFuture<'static, ()> {
    Box::pin(async move {
        for step in script {
            take(&world, here, step).await;
        }
    })
}

async fn take(world: &Rc<World>, here: usize, step: Step) {
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
                world.check_over(nested);
            }
        }
        Step::Await(number) => {
            let Some(handle) = world.take_handle(number) else { return };
            if let Err(Ok(payload)) = handle.await.map_err(|error| error.try_into_panic()) {
                world.came_out(payload);
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
        Step::LetGo(number) => drop(world.take_handle(number)),
        Step::Cancel(place) => {
            let (_, group) = world.group(here, place);
            group.was_cancelled.set(true);
            group.scope.cancel();
        }
        Step::Panic => {
            let number = world.raised.replace(world.raised.get() + 1);
            // Says nothing on the standard error.
            resume_unwind(Box::new(number));
        }
        Step::Wait(gate) => wait(&world.gates[gate % GATES]).await,
        Step::Open(gate) => world.gates[gate % GATES].take().into_iter().for_each(Waker::wake),
    }
}

/// Ready when the gate is next opened.
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
    world.check(turns.any(|turn| turn.ready_left == 0), || "it goes on and on".into());
}

fn run_case(is_watched: bool, script: Script) -> Vec<String> {
    let world = Rc::new(World { is_watched, ..World::default() });
    let of_handler = world.clone();
    let builder = Runtime::builder().on_task_error(move |error| {
        let payload = error.try_into_panic().expect("told of panics alone");
        of_handler.came_out(payload);
    });
    let mut runtime = builder.build().unwrap();
    let root = runtime.spawn(nest(world.clone(), script));
    run_until_idle(&mut runtime, &world);
    world.check_idle();
    root.abort();
    run_until_idle(&mut runtime, &world);
    runtime.block_on(async {
        drop(world.handles.take());
        world.check(task::all().len() == 1, || format!("slots are kept: {:?}", task::all()));
    });
    world.check_end();
    // Scopes hold the loop, whose handler holds the world.
    drop(world.groups.take());
    world.complaints.take()
}

fn script() -> impl Strategy<Value = Script> {
    let number = || 0..8_usize;
    let place =
        move || prop_oneof![2 => Just(Place::Here), 1 => number().prop_map(Place::Anywhere)];
    let handle = || prop_oneof![Just(Handle::Kept), Just(Handle::LetGo)];
    let leaf = prop_oneof![
        6 => Just(Step::Yield),
        3 => number().prop_map(Step::Await),
        2 => number().prop_map(Step::Abort),
        2 => number().prop_map(Step::LetGo),
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
fn what_holds_for_each_child_holds_in_any_tree_of_scopes() {
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: SHRINKS_MAX,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&(any::<bool>(), script()), |(is_watched, script)| {
        let complaints = run_case(is_watched, script);
        prop_assert!(complaints.is_empty(), "{:#?}", complaints);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
