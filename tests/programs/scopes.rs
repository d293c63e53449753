//! Scopes and their children.

use evloop::task;
use futures::future::LocalBoxFuture;

use super::cx::{AnyScope, Cx, Flow, Part, Tracked};
use super::program::{Leaf, Script, Step};
use super::run::{branch, run, whole};

pub async fn scope(cx: &Cx, script: Script) -> Flow {
    let outer = cx.clone();
    let body = async move |scope| branch(&outer.with_group(AnyScope::Scope(scope)), script).await;
    task::scope(body).await.map(drop).map_err(drop)
}

pub async fn try_scope(cx: &Cx, script: Script) -> Flow {
    let outer = cx.clone();
    let body = async move |scope| branch(&outer.with_group(AnyScope::Try(scope)), script).await;
    drop(task::try_scope(body).await);
    Ok(())
}

/// The children of a gather: each has a context of its own.
fn children(cx: &Cx, scripts: Vec<Script>, part: Part) -> impl Iterator<Item = Tracked> {
    let outer = cx.clone();
    scripts.into_iter().map(move |script| {
        let (local, is_attended) = (outer.local, outer.is_attended);
        let cx = Cx { local, is_attended, ..outer.for_task() };
        Tracked::new(cx.clone(), part, run(cx, script))
    })
}

pub async fn gather(cx: &Cx, scripts: Vec<Script>) {
    let len = scripts.len();
    let outputs = task::gather(children(cx, scripts, Part::Task)).await;
    if outputs.len() != len {
        cx.world.complain(format!("gather returned {} outputs of {len}", outputs.len()));
    }
}

pub async fn try_gather(cx: &Cx, scripts: Vec<Script>) {
    let len = scripts.len();
    match task::try_gather(children(cx, scripts, Part::TryChild)).await {
        Ok(outputs) if outputs.len() != len => {
            cx.world.complain(format!("try_gather returned {} outputs of {len}", outputs.len()));
        }
        Ok(_) | Err(_) => {}
    }
}

pub fn tower(cx: Cx, height: usize, script: Script) -> LocalBoxFuture<'static, Flow> {
    if height == 0 {
        return run(cx, script);
    }
    Box::pin(async move {
        task::scope(async move |scope| {
            let inner = cx.with_group(AnyScope::Scope(scope.clone()));
            let child = inner.for_child(inner.group.as_ref().unwrap());
            drop(scope.spawn(tower_child(child, height - 1, script)));
        })
        .await;
        Ok(())
    })
}

async fn tower_child(cx: Cx, height: usize, script: Script) {
    let inner = tower(cx.clone(), height, script);
    drop(Tracked::new(cx, Part::Task, inner).await);
}

pub async fn crowd(cx: &Cx, children: usize, times: usize) {
    let outer = cx.clone();
    task::scope(async move |scope| {
        let inner = outer.with_group(AnyScope::Scope(scope.clone()));
        for _ in 0..children {
            let child = inner.for_child(inner.group.as_ref().unwrap());
            let script = vec![
                Step::Busy(Leaf::Semaphore, times),
                Step::Yield,
                Step::Busy(Leaf::Queue, times),
            ];
            drop(scope.spawn(whole(&child, script)));
        }
    })
    .await;
}
