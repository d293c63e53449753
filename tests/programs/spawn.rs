//! Spawns the tasks of a program, in all ways.

use std::rc::Rc;
use std::sync::Arc;

use evloop::runtime::RemoteHandle;
use evloop::{Handle, spawn as spawn_task, task};
use futures::TryFutureExt;

use super::census::Value;
use super::cx::{AnyScope, Cx, Group, KEY, Part, Tracked};
use super::handle::{AnyHandle, Entry};
use super::helper;
use super::program::{Kind, Script};
use super::run::{run, whole};
use super::world::{Late, World};

pub fn spawn(cx: &Cx, kind: Kind, script: Script) {
    match kind {
        Kind::Child => match &cx.group {
            Some(group) => spawn_child(cx, group, script),
            None => spawn(cx, Kind::Task, script),
        },
        Kind::Task => {
            let inner = cx.for_task();
            let handle = spawn_task(whole(&inner, script));
            enlist(&inner, Some(AnyHandle::Task(handle)));
        }
        Kind::Eager => {
            let inner = cx.for_task();
            let handle = task::Builder::new().eager(true).spawn(whole(&inner, script));
            enlist(&inner, Some(AnyHandle::Task(handle)));
        }
        Kind::Heir => {
            let inner = Cx { local: cx.local, ..cx.for_task() };
            let handle = spawn_task(KEY.inherit(whole(&inner, script)));
            enlist(&inner, Some(AnyHandle::Task(handle)));
        }
        Kind::Member(n) => spawn_member(cx, n, script),
        Kind::Remote => spawn_remote(cx, script),
    }
}

/// Stores the handle of a task.
pub fn enlist(cx: &Cx, handle: Option<AnyHandle>) -> Rc<Entry> {
    if let Some(AnyHandle::Task(handle)) = &handle {
        check_id(cx, handle.id());
    }
    if let Some(AnyHandle::Child(handle)) = &handle {
        check_id(cx, handle.id());
        cx.task.allow_cancel();
    }
    let entry = Rc::new(Entry::new(cx.task.clone(), handle));
    cx.world.handles.borrow_mut().push(entry.clone());
    entry
}

/// The task may have run already, and so know its id.
fn check_id(cx: &Cx, id: task::TaskId) {
    let known = cx.task.id.lock().unwrap().replace(id);
    if known.is_some_and(|known| known != id) {
        let number = cx.task.number;
        cx.world.complain(format!("task {number} ran as {known:?}, its handle has the id {id:?}"));
    }
}

fn spawn_child(cx: &Cx, group: &Group, script: Script) {
    let inner = cx.for_child(group);
    let steps = run(inner.clone(), script);
    let handle = match &group.scope {
        AnyScope::Scope(scope) => {
            let child = Tracked::new(inner.clone(), Part::Task, steps);
            scope.spawn(child.unwrap_or_else(|value| value))
        }
        AnyScope::Try(scope) => scope.spawn(Tracked::new(inner.clone(), Part::TryChild, steps)),
    };
    enlist(&inner, Some(AnyHandle::Child(handle)));
}

fn spawn_member(cx: &Cx, n: usize, script: Script) {
    let world = &cx.world;
    let Some(mut set) = world.sets[n].take() else { return };
    let inner = cx.for_task();
    let abort = set.spawn(whole(&inner, script));
    check_id(&inner, abort.id());
    world.members[n].borrow_mut().push(inner.task.clone());
    let entry = Entry { abort: Some(abort), ..Entry::new(inner.task.clone(), None) };
    world.handles.borrow_mut().push(Rc::new(entry));
    world.sets[n].set(Some(set));
}

/// Another thread spawns the task.
fn spawn_remote(cx: &Cx, script: Script) {
    let record = cx.world.new_task();
    let entry = enlist(&Cx { task: record.clone(), ..cx.for_task() }, None);
    let (handle, late): (_, Late<RemoteHandle<Value>>) = (Handle::current(), entry.late.clone());
    let is_attended = cx.is_attended && !cx.is_nested;
    let is_nested = cx.is_nested;
    helper::run(move || {
        let remote = handle.spawn(move || {
            let world = World::here();
            let task: Arc<_> = record;
            let inner = Cx { task, is_attended, is_nested, ..Cx::new(&world) };
            whole(&inner, script)
        });
        *late.lock().unwrap() = Some(remote);
    });
}
