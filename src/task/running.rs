//! Futures of an iterator, a limited number of which run at a time.
//!
//! Invariant: the number of futures that were taken from the iterator and whose outputs were not
//! returned is at most the limit.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::children::{self, Children};
use crate::current::{awaited_at, budget};
use crate::executor::SpawnOptions;
use crate::poll_with::poll_with;

/// Runs the futures of an iterator as the children of a scope that has no body.
pub(super) struct Running<'env, I: Iterator<Item: Future>> {
    /// Created at the first poll. Dropped first.
    children: Option<children::End<'env>>,
    /// `None` after its last future.
    futures: Option<I>,
    options: SpawnOptions,
    ended: Ended<<I::Item as Future>::Output>,
    /// The index of the next future.
    next: usize,
    /// The number of futures that were taken and whose outputs were not returned.
    taken: usize,
}

/// The index and the output of a future that has ended. The output is `None` if it was aborted.
type End<T> = (usize, Option<T>);

/// The futures that have ended, in that order.
type Ended<T> = Rc<RefCell<VecDeque<End<T>>>>;

/// The output of a child, in the child. Its destructor reports the end of the child.
struct Slot<T> {
    index: usize,
    output: Option<T>,
    ended: Ended<T>,
}

impl<'env, I> Running<'env, I>
where
    I: Iterator,
    I::Item: Future + 'env,
{
    pub(super) fn new(futures: I, options: SpawnOptions) -> Running<'env, I> {
        let (ended, futures) = (Rc::default(), Some(futures));
        Running { children: None, futures, options, ended, next: 0, taken: 0 }
    }

    /// Takes futures while fewer than `limit` run. Returns the index and the output of the next one
    /// that ends; `None` after the last.
    pub(super) fn poll_ended(
        &mut self,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<End<<I::Item as Future>::Output>>> {
        while self.taken < limit && self.spawn_next() {}
        let is_ready = |running: &Self| running.taken == 0 || !running.ended.borrow().is_empty();
        if !is_ready(self) {
            let children = self.children.as_ref().expect("the first spawn creates it");
            let polled = awaited_at(self.options.spawned_at, children.0.poll(cx, |_| false));
            if !is_ready(self) {
                return polled.map(|()| None);
            }
        }
        ready!(budget::poll_unit(cx));
        let first = self.ended.borrow_mut().pop_front();
        self.taken -= usize::from(first.is_some());
        Poll::Ready(first)
    }

    /// Spawns the next future. Returns `false` if there is none.
    fn spawn_next(&mut self) -> bool {
        let Some(future) = self.futures.as_mut().and_then(Iterator::next) else {
            self.futures = None;
            return false;
        };
        let mut slot = Slot { index: self.next, output: None, ended: self.ended.clone() };
        self.next += 1;
        self.taken += 1;
        let children = self.children.get_or_insert_with(|| children::End(Rc::new(Children::new())));
        // The slot reports the end when it is dropped: after the future.
        let child = poll_with(future, move |future, cx| {
            slot.fill(ready!(future.poll(cx)));
            Poll::Ready(())
        });
        // Without a handle, a panic of the child is resumed by the poll.
        drop(children.0.spawn(child, self.options.clone()));
        true
    }
}

impl<T> Slot<T> {
    fn fill(&mut self, output: T) {
        self.output = Some(output);
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        self.ended.borrow_mut().push_back((self.index, self.output.take()));
    }
}
