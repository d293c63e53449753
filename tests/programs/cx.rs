//! The context of a piece of a program: its task, its task-local, its scope.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use evloop::task::{self, Scope, TryScope};
use futures::future::LocalBoxFuture;

use super::census::{Outcome, Task, Value};
use super::world::World;

evloop::task_local! {
    pub static KEY: usize;
}

/// How a script ends.
pub type Flow = Result<(), ()>;

#[derive(Clone)]
pub struct Cx {
    pub world: Rc<World>,
    pub task: Arc<Task>,
    pub group: Option<Group>,
    /// The value of the task-local.
    pub local: Option<usize>,
    /// Whether a loop polls this piece when it is woken.
    pub is_attended: bool,
    /// The piece runs in a runtime that takes only a few turns.
    pub is_nested: bool,
    /// Another task may drop this piece.
    pub is_left: bool,
}

/// The innermost scope around a piece.
#[derive(Clone)]
pub struct Group {
    pub scope: AnyScope,
    /// The context of the scope: its children see the same task-local.
    pub local: Option<usize>,
    pub is_attended: bool,
}

#[derive(Clone)]
pub enum AnyScope {
    Scope(Scope<'static>),
    Try(TryScope<'static, Value>),
}

/// A future of a program: checks each poll and its drop.
pub struct Tracked {
    cx: Cx,
    kind: Part,
    inner: Option<LocalBoxFuture<'static, Flow>>,
    is_over: Cell<bool>,
    is_polled: Cell<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// A whole task.
    Task,
    /// A child whose error ends its scope.
    TryChild,
    /// A piece of a task.
    Branch,
}

/// Records the end of a poll or a drop that panics.
struct Unwound<'a>(&'a Tracked);

impl Cx {
    pub fn new(world: &Rc<World>) -> Cx {
        Cx {
            world: world.clone(),
            task: world.new_task(),
            group: None,
            local: None,
            is_attended: true,
            is_nested: false,
            is_left: false,
        }
    }

    /// Returns the context of a task that this one spawns.
    pub fn for_task(&self) -> Cx {
        let is_nested = self.is_nested;
        Cx { is_nested, is_attended: !is_nested, ..Cx::new(&self.world) }
    }

    /// Returns the context of a child of the innermost scope.
    pub fn for_child(&self, group: &Group) -> Cx {
        let (local, is_attended) = (group.local, group.is_attended);
        let group = Some(group.clone());
        Cx { group, local, is_attended, ..self.for_task() }
    }

    pub fn with_group(&self, scope: AnyScope) -> Cx {
        let group = Group { scope, local: self.local, is_attended: self.is_attended };
        Cx { group: Some(group), ..self.clone() }
    }

    /// Compares the current task and task-local with the expected ones.
    pub fn check(&self, place: &str) {
        let number = self.task.number;
        let current = task::current().map(|task| task.id());
        if current != self.task.id() {
            self.world.complain(format!(
                "{place}: task {number} is {:?}, but the current task {current:?}",
                self.task.id()
            ));
        }
        let local = KEY.try_with(|value| *value).ok();
        if local != self.local {
            self.world.complain(format!(
                "{place}: the task-local of task {number} is {local:?} instead of {:?}",
                self.local
            ));
        }
    }

    /// Checks the task of a destructor: its own, or none.
    pub fn check_in_destructor(&self, place: &str) {
        if self.is_left || self.task.id().is_none() {
            return;
        }
        let current = task::current().map(|task| task.id());
        if current.is_some() && current != self.task.id() {
            self.world.complain(format!(
                "{place}: a destructor of task {} ({:?}) runs in task {current:?}",
                self.task.number,
                self.task.id()
            ));
        }
    }
}

impl Tracked {
    pub fn new(cx: Cx, kind: Part, inner: LocalBoxFuture<'static, Flow>) -> Tracked {
        let (is_over, is_polled) = Default::default();
        Tracked { cx, kind, inner: Some(inner), is_over, is_polled }
    }

    fn begin_poll(&self) {
        let Cx { world, task, .. } = &self.cx;
        if self.is_over.get() {
            world.complain(format!("a future of task {} is polled after its end", task.number));
        }
        if self.kind != Part::Branch {
            let mut id = task.id.lock().unwrap();
            if id.is_none() {
                *id = task::current().map(|task| task.id());
            }
        }
        self.cx.check("a poll");
        if self.is_polled.replace(true) {
            world.complain(format!("a future of task {} is polled inside itself", task.number));
        }
    }

    fn end(&self, outcome: Outcome) {
        self.is_over.set(true);
        if self.kind != Part::Branch {
            self.cx.task.end(outcome);
        }
    }
}

impl Future for Tracked {
    type Output = Result<Value, Value>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.begin_poll();
        let Some(mut inner) = self.inner.take() else { return Poll::Pending };
        let polled = {
            let unwound = Unwound(&self);
            let polled = inner.as_mut().poll(cx);
            std::mem::forget(unwound);
            polled
        };
        self.is_polled.set(false);
        self.cx.check("the end of a poll");
        let Poll::Ready(flow) = polled else {
            self.inner = Some(inner);
            return Poll::Pending;
        };
        let value = self.cx.world.census.value();
        if self.kind == Part::TryChild && flow.is_err() {
            self.cx.task.allow_cancel();
            self.end(Outcome::Dropped);
        } else {
            self.end(Outcome::Value(value.number));
        }
        Poll::Ready(if flow.is_ok() { Ok(value) } else { Err(value) })
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.cx.check_in_destructor("the drop of a future");
        if self.is_polled.get() && !thread::panicking() {
            self.cx.world.complain("a future is dropped while it is polled");
        }
        if !self.is_over.get() {
            self.end(Outcome::Dropped);
        }
        let inner = self.inner.take();
        let unwound = Unwound(self);
        drop(inner);
        std::mem::forget(unwound);
    }
}

impl Drop for Unwound<'_> {
    fn drop(&mut self) {
        self.0.is_polled.set(false);
        self.0.end(Outcome::Panicked);
    }
}
