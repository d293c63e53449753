//! Runs a program: its loops, one by one on this thread.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use evloop::{spawn, time};

use super::census::{Census, Outcome, Task, Value};
use super::cx::Cx;
use super::program::{Driver, Life, Program, Script, Step};
use super::run::whole;
use super::world::{Loop, World};

/// The number of turns after the first task has ended.
const TURNS_AFTER: usize = 3;

/// Runs the program. Returns the violations that it found.
pub fn drive(program: &Program) -> Vec<String> {
    let census = Arc::new(Census::default());
    let world = World::new(census.clone(), is_crowded(program));
    for life in &program.loops {
        if world.complaints().is_empty() {
            world.begin_life();
            drive_life(&world, life);
        }
    }
    world.end();
    World::leave();
    let mut complaints = world.complaints();
    let world = Rc::try_unwrap(world);
    if world.is_err() {
        complaints.push("a future, a handle or a scope was never dropped".into());
    }
    drop(world);
    if census.alive() != 0 && complaints.is_empty() {
        complaints.push(format!("{} values were never dropped", census.alive()));
    }
    complaints
}

/// Returns whether tasks may wait long for their turn.
fn is_crowded(program: &Program) -> bool {
    fn any(script: &mut Script) -> bool {
        script.iter_mut().any(|step| {
            matches!(step, Step::Crowd(..) | Step::Tower(..))
                || step.scripts_mut().into_iter().any(any)
        })
    }
    program.clone().loops.iter_mut().any(|life| any(&mut life.root))
}

fn drive_life(world: &Rc<World>, life: &Life) {
    match life.driver {
        Driver::BlockOn => block_on(world, life.root.clone()),
        Driver::Runtime => {
            let mut looped = world.new_loop();
            let number = looped.number;
            let result = world.inside(number, || {
                let cx = Cx::new(world);
                let root = root(world, &cx, life.root.clone());
                let runtime = looped.runtime.as_mut().unwrap();
                (cx.task.clone(), catch(|| runtime.block_on(root)))
            });
            judge_root(world, &result.0, result.1);
            drop(looped);
        }
        Driver::Turn => turn(world, world.new_loop(), life.root.clone(), Duration::ZERO),
        Driver::TurnAndWait => {
            turn(world, world.new_loop(), life.root.clone(), Duration::from_millis(1));
        }
    }
}

/// The future of `block_on`: it checks the program every few hundred microseconds.
fn root(world: &Rc<World>, cx: &Cx, script: Script) -> impl Future<Output = Option<Value>> + use<> {
    let (world, root) = (world.clone(), whole(cx, script));
    async move {
        drop(spawn(metronome(&world)));
        until_given_up(&world, root).await
    }
}

fn block_on(world: &Rc<World>, script: Script) {
    let number = world.begin_loop();
    let (task, result) = world.inside(number, || {
        let cx = Cx::new(world);
        let root = root(world, &cx, script);
        (cx.task.clone(), catch(|| evloop::block_on(root)))
    });
    world.end_loop(number);
    judge_root(world, &task, result);
}

/// Compares the result of `block_on` with the recorded outcome of its future.
fn judge_root(world: &World, task: &Task, result: thread::Result<Option<Value>>) {
    let outcome = task.outcome();
    let is_right = match (&result, outcome) {
        (Ok(Some(value)), Outcome::Value(number)) => value.number == number,
        (Ok(None), _) => world.given_up.get(),
        (Err(_), Outcome::Panicked) => true,
        (Err(_), _) => world.end_may_panic.get(),
        _ => false,
    };
    if !is_right {
        let output = result.as_ref().map(|value| value.as_ref().map(|value| value.number));
        let output = output.map_err(|_| "a panic");
        world.complain(format!(
            "block_on's future had {outcome:?}, and block_on returned {output:?}"
        ));
    }
    if let Err(payload) = result {
        world.check_payload(payload);
    }
}

fn turn(world: &Rc<World>, mut looped: Loop, script: Script, limit: Duration) {
    let number = looped.number;
    world.counts_turns.set(true);
    world.inside(number, || {
        let runtime = looped.runtime.as_mut().unwrap();
        let cx = Cx::new(world);
        let mut root = pin!(runtime.spawn(whole(&cx, script)));
        *cx.task.id.lock().unwrap() = Some(root.id());
        let mut turn = || match catch(|| runtime.turn(Some(limit))) {
            Ok(turned) => drop(turned.unwrap()),
            Err(payload) => {
                world.complain("a panic came out of a turn");
                world.check_payload(payload);
            }
        };
        while !root.is_finished() && !world.given_up.get() {
            turn();
            world.end_round();
        }
        for _ in 0..TURNS_AFTER {
            turn();
            world.end_round();
        }
        let mut cx_noop = Context::from_waker(Waker::noop());
        match Pin::new(&mut root).poll(&mut cx_noop) {
            Poll::Ready(output) => world.judge(&cx.task, output),
            Poll::Pending => {}
        }
    });
    world.counts_turns.set(false);
    drop(looped);
}

/// Checks the program every few hundred microseconds.
fn metronome(world: &Rc<World>) -> impl Future<Output = ()> + use<> {
    let world = world.clone();
    async move {
        loop {
            time::sleep(Duration::from_micros(300)).await;
            world.end_round();
            if world.given_up.get() {
                pending::<()>().await;
            }
        }
    }
}

/// Ends with the root, or when the program is abandoned.
async fn until_given_up(world: &World, root: impl Future<Output = Value>) -> Option<Value> {
    let mut root = pin!(root);
    poll_fn(|context| {
        if world.given_up.get() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(value) = root.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        world.root_waker.replace(Some(context.waker().clone()));
        Poll::Pending
    })
    .await
}

/// Catches a panic that a loop propagates.
fn catch<T>(f: impl FnOnce() -> T) -> thread::Result<T> {
    catch_unwind(AssertUnwindSafe(f))
}
