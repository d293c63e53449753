//! Permits, given to one after the other: what [`Semaphore`](super::Semaphore) gives out, and what
//! [`Mutex`](super::Mutex), [`RwLock`](super::RwLock), [`OnceCell`](super::OnceCell),
//! [`ReentrantMutex`](crate::task::ReentrantMutex) and the [queues](crate::queue) are made of: a
//! queue's free slots are permits to put, its values permits to get.
//!
//! A request while others wait goes to the end of the queue, even if enough permits are free: so a
//! request for many is not overtaken for ever. Invariant: while a request waits, fewer permits are
//! free than the first in the queue asks for; every permit is free, taken, or assigned to a woken
//! waiter.

use std::cell::Cell;
use std::ops::Deref;
use std::task::{Context, Poll, ready};

use crate::current::{self, WaitsFor, budget, debug};
use crate::wait::{WaitKey, WaitQueue};

/// A number of permits.
pub(crate) struct RawSemaphore {
    free: Cell<usize>,
    state: Cell<State>,
    /// A note is the number of permits that a waiter asks for, or was assigned.
    waiters: WaitQueue<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What is free can be taken, but nobody waits for more.
    Ended,
    /// Nothing is given any more.
    Closed,
}

/// The note of waiters that get nothing.
const REFUSED: usize = 0;

/// What has permits to give: a primitive.
pub(crate) trait HasSemaphore {
    /// Its name, if a task should not end while it has the permits.
    const LOCK: Option<&'static str> = None;

    /// What a task is said to wait for.
    const WAITS_FOR: WaitsFor = WaitsFor::Lock;

    fn semaphore(&self) -> &RawSemaphore;
}

/// Asks for permits. `D` is how the primitive is held: borrowed, or by an `Rc`.
pub(crate) struct Acquire<D: Deref<Target: HasSemaphore>> {
    /// `None`: it has completed.
    of: Option<D>,
    want: usize,
    key: WaitKey,
}

/// Permits that were taken. Gives them back when it is dropped.
pub(crate) struct RawPermit<D: Deref<Target: HasSemaphore>> {
    of: D,
    count: usize,
}

/// Why nothing was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too little is free, or others wait.
    Short,
    /// Nothing is given any more.
    Closed,
}

impl RawSemaphore {
    pub(crate) const fn new(free: usize) -> RawSemaphore {
        RawSemaphore {
            free: Cell::new(free),
            state: Cell::new(State::Open),
            waiters: WaitQueue::new(),
        }
    }

    pub(crate) fn free(&self) -> usize {
        self.free.get()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.get() == State::Closed
    }

    /// Gives permits back, or new ones.
    #[inline]
    pub(crate) fn give(&self, count: usize) {
        self.free.set(self.free.get() + count);
        if self.waiters.has_waiting() {
            self.assign();
        }
    }

    /// No permit is assigned any more. Woken waiters keep theirs.
    pub(crate) fn close(&self) {
        self.state.set(State::Closed);
        self.refuse();
    }

    /// No more will come: nobody has to wait for it.
    pub(crate) fn end(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Ended);
            self.refuse();
        }
    }

    /// No permit is assigned any more, and those of woken waiters that did not take them yet are
    /// free again. The waiters are to be [refused](RawSemaphore::refuse).
    pub(crate) fn close_now(&self) {
        self.state.set(State::Closed);
        let given = self.waiters.revoke(REFUSED);
        self.free.set(self.free.get() + given);
    }

    /// Wakes all waiters; they get nothing.
    pub(crate) fn refuse(&self) {
        self.waiters.call(|waiters| waiters.wake_one_with(REFUSED));
    }

    /// Takes all that are free.
    pub(crate) fn take_all(&self) {
        self.free.set(0);
    }

    /// Takes permits that can be had at once, for who counts them himself.
    #[inline]
    pub(crate) fn try_take(&self, count: usize) -> Result<(), Refusal> {
        let refusal = match self.state.get() {
            State::Open => Refusal::Short,
            State::Ended => Refusal::Closed,
            State::Closed => return Err(Refusal::Closed),
        };
        let left = self.free.get().checked_sub(count).ok_or(refusal)?;
        if count > 0 && self.waiters.has_waiting() {
            return Err(refusal);
        }
        self.free.set(left);
        Ok(())
    }

    /// Assigns free permits to waiters, in their order.
    fn assign(&self) {
        self.waiters.call(|waiters| {
            if self.is_closed() {
                // They are about to be refused.
                return None;
            }
            let left = self.free.get().checked_sub(waiters.first()?)?;
            self.free.set(left);
            waiters.wake_one()
        });
    }

    fn is_ready(&self, key: WaitKey, want: usize) -> bool {
        if key.is_registered() {
            return self.waiters.woken(key).is_some();
        }
        let is_enough = self.free.get() >= want && (want == 0 || !self.waiters.has_waiting());
        is_enough || self.state.get() != State::Open
    }
}

impl<D: Deref<Target: HasSemaphore>> Acquire<D> {
    pub(crate) fn new(of: D, want: usize) -> Acquire<D> {
        Acquire { of: Some(of), want, key: WaitKey::default() }
    }

    /// Waits for the permits.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`], and no other.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawPermit<D>, Refusal>> {
        self.poll_uncounted(cx).map_ok(|of| RawPermit::new(of, self.want))
    }

    /// The same, for who counts what he takes himself: dropping what comes gives nothing back.
    #[inline]
    pub(crate) fn poll_uncounted(&mut self, cx: &mut Context<'_>) -> Poll<Result<D, Refusal>> {
        if !self.key.is_registered() && budget::is_left() {
            // The way of most: nobody waits, and it is there.
            if let Some(of) = self.of.take_if(|of| of.semaphore().try_take(self.want).is_ok()) {
                budget::spend();
                return Poll::Ready(Ok(of));
            }
        }
        self.poll_waiters(cx)
    }

    #[cold]
    fn poll_waiters(&mut self, cx: &mut Context<'_>) -> Poll<Result<D, Refusal>> {
        let Acquire { of, want, key } = self;
        let permits = of.as_ref().expect("it is not polled after it completed").semaphore();
        if permits.waiters.poll(key, *want, cx, |key| permits.is_ready(key, *want)).is_pending() {
            return current::pending(D::Target::WAITS_FOR);
        }
        ready!(budget::poll_left(cx));
        let was_given = key.is_registered() && permits.waiters.leave(key).0 != Some(REFUSED);
        // Who was refused may still find what another passed on since.
        let taken = if was_given { Ok(()) } else { permits.try_take(*want) };
        budget::spend();
        let of = of.take().expect("it was there");
        Poll::Ready(taken.map(|()| of))
    }

    /// Leaves the queue.
    #[cold]
    fn leave(&mut self) {
        let Some(of) = &self.of else { return };
        let permits = of.semaphore();
        let (woken, _waker) = permits.waiters.leave(&mut self.key);
        // A woken waiter hands its permits on; without the first waiter, the next may have enough.
        permits.give(woken.unwrap_or(0));
    }

    /// The same, for what is never closed.
    #[inline]
    pub(crate) fn poll_lock(&mut self, cx: &mut Context<'_>) -> Poll<RawPermit<D>> {
        self.poll(cx).map(|taken| taken.expect("a lock is never closed"))
    }
}

impl<D: Deref<Target: HasSemaphore>> RawPermit<D> {
    #[inline]
    fn new(of: D, count: usize) -> RawPermit<D> {
        if let Some(lock) = D::Target::LOCK {
            debug::locked(lock, &raw const *of.semaphore());
        }
        RawPermit { of, count }
    }

    /// Takes permits that can be had at once.
    #[inline]
    pub(crate) fn try_new(of: D, count: usize) -> Result<RawPermit<D>, Refusal> {
        of.semaphore().try_take(count)?;
        Ok(RawPermit::new(of, count))
    }

    /// What the permits are of.
    pub(crate) fn of(&self) -> &D {
        &self.of
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Does not give the permits back. Returns how many there were.
    pub(crate) fn forget(mut self) -> usize {
        std::mem::take(&mut self.count)
    }

    /// Gives back all but `count` of them.
    pub(crate) fn keep(&mut self, count: usize) {
        let rest = self.count - count;
        self.count = count;
        self.of.semaphore().give(rest);
    }
}

impl<D: Deref<Target: HasSemaphore>> Drop for Acquire<D> {
    #[inline]
    fn drop(&mut self) {
        if self.key.is_registered() {
            self.leave();
        }
    }
}

impl<D: Deref<Target: HasSemaphore>> Drop for RawPermit<D> {
    #[inline]
    fn drop(&mut self) {
        if D::Target::LOCK.is_some() {
            debug::unlocked(&raw const *self.of.semaphore());
        }
        self.of.semaphore().give(self.count);
    }
}
