//! The children of a scope: their list, and running those that were woken.
//!
//! Invariant: after the scope has ended the list is empty and stays empty.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::thread;

use slab::Slab;

use super::scoped_handle::ScopedHandle;
use crate::caught::catch;
use crate::context;
use crate::current::{self, WaitsFor, budget};
use crate::executor::{
    ByScope, Flag, Owner, Runnable, ScopeState, SpawnOptions, local_queue, wake_waiter,
};
use crate::order::sort_by_first;
use crate::world;

/// The children that a scope's body and its children spawn.
pub(super) struct Children<'env> {
    context: Rc<context::Context>,
    scope_state: Rc<ScopeState>,
    list: RefCell<Slab<Owner<'env>>>,
    /// The children are dropped at the next poll, and a new child is dropped at once.
    is_cancelled: Cell<bool>,
}

/// Ends a scope when it is dropped, even if the scope has not completed.
pub(super) struct End<'env>(pub(super) Rc<Children<'env>>);

/// Marks the scope as being polled until this is dropped.
struct Polled<'a>(&'a ScopeState);

impl<'env> Children<'env> {
    /// Returns the empty list of a scope in the running loop.
    ///
    /// # Panics
    ///
    /// Panics outside of a running loop.
    pub(super) fn new() -> Children<'env> {
        Children {
            context: context::expect("task::scope"),
            scope_state: Rc::default(),
            list: RefCell::default(),
            is_cancelled: Cell::new(false),
        }
    }

    pub(super) fn spawn<F: Future + 'env>(
        &self,
        future: F,
        options: SpawnOptions,
    ) -> ScopedHandle<'env, F::Output> {
        let executor = &self.context.executor;
        let key = self.list.borrow().vacant_key() as u32;
        let scope = ByScope { scope_state: self.scope_state.clone(), key };
        let child = executor.insert_child(future, options, scope);
        if self.is_cancelled.get() || executor.is_closing() {
            executor.observe_child(child.header());
            executor.cancel(child.owner());
        } else {
            self.list.borrow_mut().insert(child.owner().clone());
            executor.observe_child(child.header());
            self.scope_state.mark_ready(child.header(), key);
        }
        ScopedHandle::new(child)
    }

    /// Returns the number of children that have not ended.
    pub(super) fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Drops the children when the scope is next polled.
    pub(super) fn cancel(&self) {
        self.is_cancelled.set(true);
        self.scope_state.wake();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    /// Polls the body, then the children that were woken before. `poll_body` returns whether the
    /// body is done. Returns `Ready` when the body is done and no child is left.
    pub(super) fn poll(
        &self,
        cx: &mut Context<'_>,
        mut poll_body: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Poll<()> {
        self.scope_state.begin_poll(cx.waker());
        let polled = Polled(&self.scope_state);
        let is_done = poll_body(cx);
        self.run_woken(cx);
        if self.is_cancelled.get() {
            self.clear();
        }
        // Last: what was dropped above may have held the handle of a child that has panicked, and
        // dropping that handle leaves the panic to the scope.
        if let Some(panic) = self.scope_state.take_panic() {
            resume_unwind(panic.into_panic());
        }
        drop(polled);
        if is_done && self.len() == 0 {
            ready!(budget::poll_unit(cx));
            return Poll::Ready(());
        }
        if self.scope_state.ready() > 0 {
            cx.waker().wake_by_ref();
        }
        current::pending(WaitsFor::Task)
    }

    /// Runs the children that were woken before this poll: the first in any case, the others while
    /// the budget lasts. Each child costs a unit after it has run, so that nested scopes cost
    /// nothing.
    ///
    /// In a simulated world with a seeded order, only the child that the seed chooses runs.
    ///
    /// A child that wakes itself runs in the next poll: otherwise it would keep the scope in this
    /// loop for ever.
    fn run_woken(&self, cx: &mut Context<'_>) {
        // Starts the budget of this poll, so that the first child is counted too.
        budget::is_left();
        let ready = match world::here() {
            None => self.scope_state.ready(),
            Some(here) => self.scope_state.choose(here),
        };
        for i in 0..ready {
            if i > 0 && budget::poll_left(cx).is_pending() {
                return;
            }
            let Some(key) = self.scope_state.take_ready() else { return };
            let Some(task) = self.begin(key) else { continue };
            if self.context.executor.run_inside(&task) {
                self.end(key, &task);
            }
            budget::spend();
        }
    }

    /// Returns the child at `key`, which is about to run.
    fn begin(&self, key: u32) -> Option<Owner<'env>> {
        let task = self.list.borrow().get(key as usize)?.clone();
        task.header().set(Flag::IsReady, false);
        Some(task)
    }

    /// Removes a child that has ended, and reports its panic if no handle can return it.
    fn end(&self, key: u32, task: &Owner<'env>) {
        let child = self.list.borrow_mut().try_remove(key as usize);
        drop(child);
        let executor = &self.context.executor;
        executor.remove_task(task.header());
        if let Some(unhandled) = wake_waiter(task).and_then(|panic| self.scope_state.fail(panic)) {
            executor.report(unhandled);
        }
    }

    /// Drops all children in the order in which they were spawned, even if a waker or the loop's
    /// handler panics when the end of a child is reported.
    fn clear(&self) {
        if self.len() == 0 {
            return;
        }
        let mut panic = None;
        let mut list = mem::take(&mut *self.list.borrow_mut());
        let of_child = |(key, task): (usize, &Owner<'_>)| (task.header().id.number(), key as u32);
        let mut order: Vec<_> = list.iter().map(of_child).collect();
        sort_by_first(&mut order);
        for (_, key) in order {
            let task = list.remove(key as usize);
            panic = panic.or(catch(|| self.context.executor.cancel_inside(&task)).err());
        }
        // While the thread unwinds, a second panic would abort the process.
        if let Some(panic) = panic.filter(|_| !thread::panicking()) {
            panic.resume();
        }
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_cancelled.set(true);
        if let Some(unhandled) = self.0.scope_state.end() {
            local_queue::store_unhandled(self.0.context.executor.loop_id(), unhandled);
        }
        self.0.clear();
    }
}

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        self.0.end_poll();
    }
}
