//! Runs the steps of a script.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use evloop::task::yield_now;
use futures::TryFutureExt;
use futures::future::{Either, LocalBoxFuture, join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};

use super::census::{Raised, Value};
use super::cx::{AnyScope, Cx, Flow, KEY, Part, Tracked};
use super::left::{Guard, leave, leave_foreign, take_turns};
use super::limit::{limited, sleep, take_ready};
use super::program::{Script, Step};
use super::scopes::{crowd, gather, scope, tower, try_gather, try_scope};
use super::spawn::spawn;
use super::talk;
use super::wait::Wait;
use super::wakes::{call_twice, open_gate, wait_gate, wake_from_thread};
use super::world::World;

pub fn run(cx: Cx, script: Script) -> LocalBoxFuture<'static, Flow> {
    Box::pin(async move {
        let mut guards = Vec::new();
        for step in script {
            cx.check("a step");
            if let Step::Guard(deed) = step {
                guards.push(Guard { cx: cx.clone(), deed: Some(deed) });
                continue;
            }
            run_step(&cx, step).await?;
            cx.check("the end of a step");
            cx.world.note_progress();
        }
        Ok(())
    })
}

/// A future that is a piece of its task.
pub fn branch(cx: &Cx, script: Script) -> Tracked {
    Tracked::new(cx.clone(), Part::Branch, run(cx.clone(), script))
}

/// The whole future of a task.
pub fn whole(cx: &Cx, script: Script) -> impl Future<Output = Value> + use<> {
    let tracked = Tracked::new(cx.clone(), Part::Task, run(cx.clone(), script));
    tracked.unwrap_or_else(|value| value)
}

/// Waits for `future`, or until the program is released.
pub async fn wait<F: Future>(
    cx: &Cx,
    what: &str,
    is_due: impl Fn(&World) -> bool + 'static,
    future: F,
) -> Option<F::Output> {
    let what = format!("{what} of task {}", cx.task.number);
    wait_as(cx, Wait::new(what, cx.is_attended, is_due), future).await
}

pub async fn wait_as<F: Future>(cx: &Cx, wait: Wait, future: F) -> Option<F::Output> {
    let waiting = cx.world.begin_wait(wait);
    let mut future = pin!(future);
    let output = poll_fn(|context| {
        if cx.world.released.get() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        let old = waiting.wait.waker.replace(Some(context.waker().clone()));
        drop(old);
        Poll::Pending
    });
    let output = output.await;
    cx.world.note_progress();
    output
}

async fn run_step(cx: &Cx, step: Step) -> Flow {
    match step {
        Step::Yield => drop(wait(cx, "a yield", |_| true, yield_now()).await),
        Step::Sleep(ms) => sleep(cx, ms).await,
        Step::Busy(leaf, times) => {
            for _ in 0..times {
                take_ready(cx, leaf).await;
            }
        }
        Step::Spin(leaf) => {
            while !cx.world.released.get() {
                take_ready(cx, leaf).await;
            }
        }
        Step::Spawn(kind, script) => spawn(cx, kind, script),
        Step::Scope(script) => return scope(cx, script).await,
        Step::TryScope(script) => return try_scope(cx, script).await,
        Step::CancelScope => match cx.group.as_ref().map(|group| &group.scope) {
            Some(AnyScope::Scope(scope)) => scope.cancel(),
            Some(AnyScope::Try(scope)) => scope.cancel(),
            None => {}
        },
        Step::Gather(scripts) => gather(cx, scripts).await,
        Step::TryGather(scripts) => try_gather(cx, scripts).await,
        Step::Limit(limit, ms, script) => return limited(cx, limit, ms, script).await,
        Step::Join(scripts) => {
            drop(join_all(scripts.into_iter().map(|script| branch(cx, script))).await);
        }
        Step::Unordered(scripts) => {
            let all: FuturesUnordered<_> =
                scripts.into_iter().map(|script| branch(cx, script)).collect();
            drop(all.collect::<Vec<_>>().await);
        }
        Step::Select(first, second) => {
            let (first, second) = (branch(cx, first), branch(cx, second));
            match select(first, second).await {
                Either::Left((output, loser)) => drop((output, loser)),
                Either::Right((output, loser)) => drop((output, loser)),
            }
        }
        Step::Tower(height, script) => return tower(cx.clone(), height, script).await,
        Step::Crowd(children, times) => crowd(cx, children, times).await,
        Step::Local(script) => {
            let value = cx.task.number;
            let inner = Cx { local: Some(value), ..cx.clone() };
            return KEY.scope(value, branch(&inner, script)).await.map(drop).map_err(drop);
        }
        Step::Turns(turns, script) => take_turns(cx, turns, script),
        Step::Fail => return Err(()),
        Step::Panic(payload) => {
            Raised::raise(&cx.world.census, payload, cx.world.in_loop.get());
        }
        Step::Leave(script) => leave(cx, script).await,
        Step::LeaveForeign(payload) => leave_foreign(cx, payload),
        Step::DropLeft(n) => {
            let mut left = cx.world.left.borrow_mut();
            let place = n.checked_rem(left.len());
            let dropped = place.map(|place| left.swap_remove(place));
            drop(left);
            drop(dropped);
        }
        Step::WaitGate(n) => wait_gate(cx, n).await,
        Step::OpenGate(n, via) => open_gate(cx, n, via),
        Step::CallTwice => call_twice(cx),
        Step::WakeFromThread => wake_from_thread(cx).await,
        step => talk::run_step(cx, step).await?,
    }
    Ok(())
}
