//! A semaphore of permits: the base of [`Semaphore`](super::Semaphore), [`Mutex`](super::Mutex),
//! [`RwLock`](super::RwLock), [`OnceCell`](super::OnceCell),
//! [`CapacityLimiter`](super::CapacityLimiter), [`Shared`](super::Shared),
//! [`ReentrantMutex`](crate::task::ReentrantMutex) and the [queues](crate::queue). A queue's free
//! slots are permits to put, its values are permits to get.
//!
//! A request that arrives while others wait goes to the end of the wait queue, even if enough
//! permits are free. So a request for many permits is not overtaken forever. Invariant: while a
//! request waits, fewer permits are free than the first waiter asks for. Every permit is free,
//! held, or assigned to a woken waiter.

use std::cell::Cell;
use std::mem;
use std::ops::Deref;
use std::task::{Context, Poll, Waker, ready};

use crate::current::{self, WaitsFor, budget, locks};
use crate::wait::{WaitKey, WaitQueue};

/// A number of permits, and the futures that wait for them.
pub(crate) struct RawSemaphore {
    free: Cell<usize>,
    state: Cell<State>,
    /// A waiter's note is the number of permits that it asks for, or that were assigned to it.
    waiters: WaitQueue<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Free permits can be taken, but no future waits for more.
    Ended,
    /// No permit can be taken or assigned any more.
    Closed,
}

/// The note of refused waiters, which get no permits.
const REFUSED: usize = 0;

/// A primitive that has a semaphore.
pub(crate) trait HasSemaphore {
    /// The name of a lock, in debug mode's report of a task that ends while it holds the lock.
    /// `None` for a primitive whose permits a task may hold when it ends.
    const LOCK: Option<&'static str> = None;

    /// What a waiting task is reported to wait for.
    const WAITS_FOR: WaitsFor = WaitsFor::Lock;

    fn semaphore(&self) -> &RawSemaphore;

    /// Releases permits that were acquired or assigned.
    #[inline]
    fn release(&self, count: usize) {
        self.semaphore().give(count);
    }
}

/// A request for permits. `D` is how the primitive is held: borrowed, or by an `Rc`.
pub(crate) struct Acquire<D: Deref<Target: HasSemaphore>> {
    /// `None` once the request has completed.
    owner: Option<D>,
    want: usize,
    key: WaitKey,
}

/// Held permits. Releases them when it is dropped.
pub(crate) struct RawPermit<D: Deref<Target: HasSemaphore>> {
    owner: D,
    count: usize,
}

/// Why a request got no permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too few permits are free, or other futures wait.
    Short,
    /// No permit will be assigned any more.
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

    /// Adds permits, released or new ones, and assigns them to waiters.
    #[inline]
    pub(crate) fn give(&self, count: usize) {
        self.free.set(self.free.get() + count);
        if self.waiters.has_waiting() {
            self.assign();
        }
    }

    /// Closes the semaphore: no permit is assigned any more. Woken waiters keep theirs.
    pub(crate) fn close(&self) {
        self.state.set(State::Closed);
        self.refuse();
    }

    /// Ends the supply: no permit will be added, so no future waits for one.
    pub(crate) fn end(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Ended);
            self.refuse();
        }
    }

    /// Closes the semaphore, and frees the permits of woken waiters that did not take them yet. The
    /// caller must [refuse](RawSemaphore::refuse) the waiters, once its own state is complete: that
    /// calls wakers.
    pub(crate) fn close_now(&self) {
        self.state.set(State::Closed);
        let revoked = self.waiters.revoke(REFUSED);
        self.free.set(self.free.get() + revoked);
    }

    /// Wakes all waiters, without permits.
    pub(crate) fn refuse(&self) {
        self.waiters.call(|waiters| waiters.wake_one_with(REFUSED));
    }

    /// Takes all free permits.
    pub(crate) fn take_all(&self) {
        self.free.set(0);
    }

    /// Returns the number of futures that wait for a number of permits that `is_counted` accepts.
    /// Takes time in proportion to the number of waiters.
    pub(crate) fn waiting(&self, is_counted: impl Fn(usize) -> bool) -> usize {
        self.waiters.count(is_counted)
    }

    /// Takes up to `count` free permits, and returns their number. Permits that are assigned to a
    /// waiter are not free.
    pub(crate) fn take_up_to(&self, count: usize) -> usize {
        let taken = self.free.get().min(count);
        self.free.set(self.free.get() - taken);
        taken
    }

    /// Takes permits that are available at once, for a caller that counts the permits itself.
    #[inline]
    pub(crate) fn try_take(&self, count: usize) -> Result<(), Refusal> {
        self.take(count, false)
    }

    /// Takes permits that are available at once. A request that overtakes the waiters takes permits
    /// that are too few for the first of them.
    #[inline]
    fn take(&self, count: usize, overtakes: bool) -> Result<(), Refusal> {
        let refusal = match self.state.get() {
            State::Open => Refusal::Short,
            State::Ended => Refusal::Closed,
            State::Closed => return Err(Refusal::Closed),
        };
        let left = self.free.get().checked_sub(count).ok_or(refusal)?;
        if count > 0 && !overtakes && self.waiters.has_waiting() {
            return Err(refusal);
        }
        self.free.set(left);
        Ok(())
    }

    /// Assigns free permits to waiters, in their order.
    fn assign(&self) {
        self.waiters.call(|waiters| {
            if self.is_closed() {
                // The caller that closed the semaphore is about to refuse them.
                return None;
            }
            let left = self.free.get().checked_sub(waiters.first()?)?;
            self.free.set(left);
            waiters.wake_one()
        });
    }

    fn is_ready(&self, key: WaitKey, want: usize, overtakes: bool) -> bool {
        if key.is_registered() {
            return self.waiters.woken(key).is_some();
        }
        let is_next = want == 0 || overtakes || !self.waiters.has_waiting();
        is_next && self.free.get() >= want || self.state.get() != State::Open
    }
}

/// The lock of an [erased](RawPermit::erase) permit.
impl HasSemaphore for RawSemaphore {
    const LOCK: Option<&str> = Some("lock");

    fn semaphore(&self) -> &RawSemaphore {
        self
    }
}

impl<D: Deref<Target: HasSemaphore>> Acquire<D> {
    pub(crate) fn new(owner: D, want: usize) -> Acquire<D> {
        Acquire { owner: Some(owner), want, key: WaitKey::default() }
    }

    /// Polls for the permits.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::Closed`], and no other error.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawPermit<D>, Refusal>> {
        self.poll_uncounted(cx).map_ok(|owner| RawPermit::new(owner, self.want, Some(cx.waker())))
    }

    /// Polls for the permits, for a caller that counts them itself: dropping the result releases
    /// nothing.
    #[inline]
    pub(crate) fn poll_uncounted(&mut self, cx: &mut Context<'_>) -> Poll<Result<D, Refusal>> {
        if !self.key.is_registered() && budget::is_left() {
            // The fast path: no future waits, and the permits are free.
            if let Some(owner) =
                self.owner.take_if(|owner| owner.semaphore().try_take(self.want).is_ok())
            {
                budget::spend();
                return Poll::Ready(Ok(owner));
            }
        }
        self.poll_waiters(cx, false)
    }

    #[cold]
    fn poll_waiters(&mut self, cx: &mut Context<'_>, overtakes: bool) -> Poll<Result<D, Refusal>> {
        let Acquire { owner, want, key } = self;
        let permits = owner.as_ref().expect("a request was polled after it completed").semaphore();
        let is_ready = |key| permits.is_ready(key, *want, overtakes);
        if permits.waiters.poll(key, *want, cx, is_ready).is_pending() {
            if overtakes {
                permits.waiters.move_first(*key);
            } else if matches!(D::Target::WAITS_FOR, WaitsFor::Lock) {
                locks::waits(D::Target::LOCK, &raw const *permits, cx.waker());
            }
            return current::pending(D::Target::WAITS_FOR);
        }
        ready!(budget::poll_left(cx));
        let was_assigned =
            key.is_registered() && permits.waiters.deregister(key).0 != Some(REFUSED);
        // A refused waiter may still find permits that another future released since.
        let taken = if was_assigned { Ok(()) } else { permits.take(*want, overtakes) };
        budget::spend();
        let owner = owner.take().expect("a pending request has its primitive");
        Poll::Ready(taken.map(|()| owner))
    }

    /// Removes this request from the wait queue.
    #[cold]
    fn deregister(&mut self) {
        let Some(owner) = &self.owner else { return };
        let permits = owner.semaphore();
        if matches!(D::Target::WAITS_FOR, WaitsFor::Lock) {
            locks::stops_waiting(&raw const *permits);
        }
        let (woken, _waker) = permits.waiters.deregister(&mut self.key);
        // A woken waiter hands its permits on. A removed first waiter may leave enough permits for
        // the next one, also if it holds none.
        owner.release(woken.unwrap_or(0));
    }

    /// Polls for the permits of a semaphore that is never closed.
    #[inline]
    pub(crate) fn poll_lock(&mut self, cx: &mut Context<'_>) -> Poll<RawPermit<D>> {
        self.poll(cx).map(|taken| taken.expect("a lock is never closed"))
    }

    /// Polls for the permits of a semaphore that is never closed, ahead of all other waiters: they
    /// wait for permits that the caller holds. One request at a time may overtake.
    pub(crate) fn poll_overtaking(&mut self, cx: &mut Context<'_>) -> Poll<RawPermit<D>> {
        let taken = ready!(self.poll_waiters(cx, true));
        let owner = taken.expect("a lock is never closed");
        Poll::Ready(RawPermit::new(owner, self.want, Some(cx.waker())))
    }
}

impl<D: Deref<Target: HasSemaphore>> RawPermit<D> {
    /// Makes the permit of taken permits. `waker` polled for them.
    #[inline]
    fn new(owner: D, count: usize, waker: Option<&Waker>) -> RawPermit<D> {
        if let Some(lock) = D::Target::LOCK {
            locks::locked(lock, &raw const *owner.semaphore(), waker);
        }
        RawPermit { owner, count }
    }

    /// Takes permits that are available at once.
    #[inline]
    pub(crate) fn try_new(owner: D, count: usize) -> Result<RawPermit<D>, Refusal> {
        owner.semaphore().try_take(count)?;
        Ok(RawPermit::new(owner, count, None))
    }

    /// Takes permits that are available at once, ahead of all waiters.
    pub(crate) fn try_overtaking(owner: D, count: usize) -> Result<RawPermit<D>, Refusal> {
        owner.semaphore().take(count, true)?;
        Ok(RawPermit::new(owner, count, None))
    }

    /// Returns the primitive of the permits.
    pub(crate) fn owner(&self) -> &D {
        &self.owner
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Drops the permits without releasing them. Returns their number.
    pub(crate) fn forget(mut self) -> usize {
        mem::take(&mut self.count)
    }

    /// Releases all permits but `count`.
    pub(crate) fn release_all_but(&mut self, count: usize) {
        let released = self.count - count;
        self.count = count;
        self.owner.release(released);
    }

    /// Adds the permits of `other`, which has the same primitive.
    pub(crate) fn merge(&mut self, other: RawPermit<D>) {
        self.count += other.forget();
    }

    /// Takes `count` permits out of these, if there are as many.
    pub(crate) fn split(&mut self, count: usize) -> Option<RawPermit<D>>
    where
        D: Clone,
    {
        self.count = self.count.checked_sub(count)?;
        Some(RawPermit::new(self.owner.clone(), count, None))
    }

    /// Marks a permit that another task may release: debug mode does not expect it to stay with the
    /// task that acquired it.
    pub(crate) fn movable(self) -> RawPermit<D> {
        locks::movable(&raw const *self.owner.semaphore());
        self
    }
}

impl<'a, P: HasSemaphore + ?Sized> RawPermit<&'a P> {
    /// Forgets the type of the primitive.
    pub(crate) fn erase(self) -> RawPermit<&'a RawSemaphore> {
        let erased = RawPermit { owner: self.owner.semaphore(), count: self.count };
        mem::forget(self);
        erased
    }
}

impl<D: Deref<Target: HasSemaphore>> Drop for Acquire<D> {
    #[inline]
    fn drop(&mut self) {
        if self.key.is_registered() {
            self.deregister();
        }
    }
}

impl<D: Deref<Target: HasSemaphore>> Drop for RawPermit<D> {
    #[inline]
    fn drop(&mut self) {
        if D::Target::LOCK.is_some() {
            locks::unlocked(&raw const *self.owner.semaphore());
        }
        self.owner.release(self.count);
    }
}
