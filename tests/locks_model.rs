//! Compares the locks with plain sequential models: random operations on both, compared at each
//! step.
//!
//! The test compares the answer, the wakes and their order, the stored wakers, and the state that
//! the lock reports. A failure prints the shortest list of operations that shows it.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::future::{pending, poll_fn};
use std::mem::take;
use std::rc::Rc;
use std::sync::{Arc, Mutex as Log};
use std::task::{Context, Poll, Wake, Waker};

use evloop::sync::{Barrier, Condvar, Event, Mutex, Notify, OnceCell, RwLock, Semaphore};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// The number of lists of operations for each kind of lock: enough for a second.
const CASES: u32 = 300;
/// The approximate number of operations in the longest list.
const STEPS_MAX: usize = 150;
/// The number of wakers that a future may be polled with.
const WAKERS: usize = 2;
/// One call of a cell in this number of calls sets it.
const RARELY: usize = 8;

/// An operation on a lock. A number selects one of the futures, modulo their count.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Begins a future of some kind, which is not polled yet.
    Begin(usize),
    Poll(usize, usize),
    Drop(usize),
    /// Calls one of the lock's functions that do not wait.
    Call(usize),
}

/// The woken futures, each with the index of the woken waker.
type Woken = Vec<(usize, usize)>;
/// The result of a future. `None` is an error.
type Answer = Option<usize>;

/// A lock or its model.
trait Lock {
    fn call(&mut self, call: usize) -> bool;
    /// The state that the lock reports.
    fn state(&self) -> Vec<usize>;
}

/// The model of a lock.
trait Model: Lock {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer>;
    fn drop(&mut self, id: usize);
    /// The index of the stored waker of a future.
    fn kept(&self, id: usize) -> Option<usize>;
    fn woken(&mut self) -> Woken;
}

/// A real lock.
trait Real: Lock {
    fn begin(&self, kind: usize, id: usize) -> LocalBoxFuture<'static, Answer>;
}

/// A queue of waiting futures, each with the index of its waker.
#[derive(Default)]
struct Waiters(VecDeque<(usize, usize)>);

impl Waiters {
    /// Enqueues a future, or replaces the waker of one that waits.
    fn wait(&mut self, id: usize, waker: usize) {
        match self.0.iter_mut().find(|(waiting, _)| *waiting == id) {
            Some(place) => place.1 = waker,
            None => self.0.push_back((id, waker)),
        }
    }

    fn remove(&mut self, id: usize) {
        self.0.retain(|(waiting, _)| *waiting != id);
    }

    fn waker(&self, id: usize) -> Option<usize> {
        self.0.iter().find(|(waiting, _)| *waiting == id).map(|(_, waker)| *waker)
    }
}

/// The model of permits: of a semaphore, a mutex, a read-write lock and a cell.
#[derive(Default)]
struct Permits {
    free: usize,
    is_closed: bool,
    waiters: Waiters,
    /// The number of permits that each future waits for, was assigned, or holds.
    counts: BTreeMap<usize, usize>,
    /// The number of permits that a future which holds some waits for in addition.
    more: BTreeMap<usize, usize>,
    assigned: Vec<usize>,
    held: Vec<usize>,
    woken: Woken,
}

impl Permits {
    fn new(free: usize) -> Permits {
        Permits { free, ..Permits::default() }
    }

    fn may_take(&self, count: usize) -> bool {
        !self.is_closed && count <= self.free && (count == 0 || self.waiters.0.is_empty())
    }

    fn poll(&mut self, id: usize, count: usize, waker: usize) -> Poll<Result<(), ()>> {
        let is_assigned = self.assigned.contains(&id);
        if is_assigned || self.may_take(count) && self.waiters.waker(id).is_none() {
            self.assigned.retain(|assigned| *assigned != id);
            self.free -= if is_assigned { 0 } else { count };
            self.held.push(id);
            self.counts.insert(id, count);
            return Poll::Ready(Ok(()));
        }
        if self.is_closed {
            return Poll::Ready(Err(()));
        }
        self.counts.insert(id, count);
        self.waiters.wait(id, waker);
        Poll::Pending
    }

    fn release(&mut self, count: usize) {
        self.free += count;
        while let Some((id, waker)) = self.waiters.0.front().copied() {
            let count = self.more.get(&id).copied().unwrap_or(self.counts[&id]);
            if count > self.free {
                break;
            }
            self.free -= count;
            self.waiters.0.pop_front();
            self.assigned.push(id);
            self.woken.push((id, waker));
        }
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.woken.extend(take(&mut self.waiters.0));
    }

    fn drop(&mut self, id: usize) {
        self.waiters.remove(id);
        let has = |ids: &Vec<usize>| ids.contains(&id);
        let more = self.more.remove(&id);
        let assigned = if has(&self.assigned) { more.unwrap_or(self.counts[&id]) } else { 0 };
        let count = if has(&self.held) { self.counts[&id] } else { 0 } + assigned;
        self.forget(id);
        self.release(count);
    }

    /// Releases all permits of a future but `left`.
    fn release_all_but(&mut self, id: usize, left: usize) {
        let count = self.counts.insert(id, left).unwrap();
        self.release(count - left);
    }

    /// Waits for `more` permits in addition to the held ones, ahead of all others.
    fn overtake(&mut self, id: usize, more: usize, waker: usize) {
        let is_assigned = self.assigned.contains(&id);
        if is_assigned || !self.more.contains_key(&id) && more <= self.free {
            self.assigned.retain(|assigned| *assigned != id);
            self.free -= if is_assigned { 0 } else { more };
            self.more.remove(&id);
            *self.counts.get_mut(&id).unwrap() += more;
        } else {
            self.more.insert(id, more);
            self.waiters.remove(id);
            self.waiters.0.push_front((id, waker));
        }
    }

    fn forget(&mut self, id: usize) {
        self.assigned.retain(|assigned| *assigned != id);
        self.held.retain(|held| *held != id);
    }
}

/// The model of a semaphore. Futures acquire 0 to 3 permits and hold them; acquire 1 and forget it;
/// try to acquire 1; acquire 3 and split 2 off; or acquire 2 and merge a third.
struct SemaphoreModel {
    permits: Permits,
    total: usize,
    limit: usize,
}

impl Lock for SemaphoreModel {
    fn call(&mut self, call: usize) -> bool {
        if call == 5 {
            let forgotten = self.permits.free.min(2);
            self.permits.free -= forgotten;
            self.total -= forgotten;
            return forgotten == 2;
        }
        if call == 6 {
            self.permits.close();
            return true;
        }
        let fits = self.total + call <= self.limit;
        if fits {
            self.total += call;
            self.permits.release(call);
        }
        fits
    }

    fn state(&self) -> Vec<usize> {
        let waiting = self.permits.waiters.0.len();
        vec![self.permits.free, usize::from(self.permits.is_closed), waiting]
    }
}

impl Model for SemaphoreModel {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        let count = [0, 1, 2, 3, 1, 1, 3, 2][kind];
        if kind == 5 && !self.permits.held.contains(&id) && !self.permits.may_take(1) {
            return Poll::Ready(None);
        }
        if self.permits.held.contains(&id) {
            match (kind, self.permits.counts[&id]) {
                (6, 3) => self.permits.release_all_but(id, 1),
                (7, 2) if self.permits.may_take(1) => {
                    self.permits.free -= 1;
                    self.permits.counts.insert(id, 3);
                }
                _ => {}
            }
            return Poll::Pending;
        }
        match self.permits.poll(id, count, waker) {
            Poll::Ready(Ok(())) if kind == 4 => {
                self.permits.forget(id);
                self.total -= 1;
                Poll::Ready(Some(1))
            }
            Poll::Ready(Err(())) => Poll::Ready(None),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn drop(&mut self, id: usize) {
        self.permits.drop(id);
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.permits.waiters.waker(id)
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.permits.woken)
    }
}

impl Lock for Rc<Semaphore> {
    fn call(&mut self, call: usize) -> bool {
        if call == 5 {
            return self.forget_permits(2) == 2;
        }
        if call == 6 {
            self.close();
            return true;
        }
        self.add_permits(call).is_ok()
    }

    fn state(&self) -> Vec<usize> {
        vec![self.available_permits(), usize::from(self.is_closed()), self.waiting()]
    }
}

impl Real for Rc<Semaphore> {
    fn begin(&self, kind: usize, _id: usize) -> LocalBoxFuture<'static, Answer> {
        let semaphore = self.clone();
        let future = async move {
            let mut _permit = match kind {
                0..4 => semaphore.acquire_many_owned(kind).await.ok()?,
                6 => {
                    let mut permits = semaphore.acquire_many_owned(3).await.ok()?;
                    pending_once().await;
                    drop(permits.split(2));
                    permits
                }
                7 => {
                    let mut permits = semaphore.clone().acquire_many_owned(2).await.ok()?;
                    loop {
                        pending_once().await;
                        if let Ok(third) = semaphore.clone().try_acquire_owned() {
                            break permits.merge(third);
                        }
                    }
                    permits
                }
                4 => {
                    semaphore.acquire().await.ok()?.forget();
                    return Some(1);
                }
                _ => semaphore.try_acquire_owned().ok()?,
            };
            pending().await
        };
        future.boxed_local()
    }
}

/// The model of a read-write lock. Futures read, write, write and downgrade, or try to read or
/// write; or read with an upgradable guard, and downgrade or upgrade it.
struct RwLockModel(Permits);

/// The permits of a writer: more than there are readers.
const ALL: usize = 1000;
/// The permits of an upgradable reader: more than half of them.
const UPGRADABLE: usize = 501;

impl Lock for RwLockModel {
    fn call(&mut self, _call: usize) -> bool {
        self.0.may_take(ALL)
    }

    fn state(&self) -> Vec<usize> {
        let waiting = self.0.waiters.0.iter().map(|(id, _)| self.0.counts[id]);
        let readers = waiting.clone().filter(|count| *count == 1).count();
        vec![usize::from(self.0.may_take(1)), readers, waiting.count() - readers]
    }
}

impl Model for RwLockModel {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        let count = match kind {
            0 | 3 => 1,
            1 | 2 | 4 | 8 => ALL,
            _ => UPGRADABLE,
        };
        if self.0.held.contains(&id) {
            match (kind, self.0.counts[&id]) {
                (2 | 7, count) if count > 1 => self.0.release_all_but(id, 1),
                (6, UPGRADABLE) => self.0.overtake(id, ALL - UPGRADABLE, waker),
                (8, ALL) => self.0.release_all_but(id, UPGRADABLE),
                _ => {}
            }
        } else if matches!(kind, 3 | 4 | 9) && !self.0.may_take(count) {
            return Poll::Ready(None);
        } else {
            let _ = self.0.poll(id, count, waker);
        }
        Poll::Pending
    }

    fn drop(&mut self, id: usize) {
        self.0.drop(id);
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.0.waiters.waker(id)
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.0.woken)
    }
}

impl Lock for Rc<RwLock<()>> {
    fn call(&mut self, _call: usize) -> bool {
        self.try_write().is_ok()
    }

    fn state(&self) -> Vec<usize> {
        let may_read = usize::from(self.try_read().is_ok());
        vec![may_read, self.readers_waiting(), self.writers_waiting()]
    }
}

/// Returns `Pending` once.
async fn pending_once() {
    let mut is_second = false;
    poll_fn(|_| match std::mem::replace(&mut is_second, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

impl Real for Rc<RwLock<()>> {
    fn begin(&self, kind: usize, _id: usize) -> LocalBoxFuture<'static, Answer> {
        let lock = self.clone();
        let future = async move {
            let (_reading, _writing, _upgradable);
            match kind {
                0 => _reading = lock.read().await,
                1 => _writing = lock.write().await,
                2 => {
                    let guard = lock.write().await;
                    pending_once().await;
                    _reading = guard.downgrade();
                }
                3 => _reading = lock.try_read().ok()?,
                4 => _writing = lock.try_write().ok()?,
                5 => _upgradable = lock.upgradable_read().await,
                6 => {
                    let guard = lock.upgradable_read().await;
                    pending_once().await;
                    _writing = guard.upgrade().await;
                }
                7 => {
                    let guard = lock.upgradable_read().await;
                    pending_once().await;
                    _reading = guard.downgrade();
                }
                8 => {
                    let guard = lock.write().await;
                    pending_once().await;
                    _upgradable = guard.downgrade_to_upgradable();
                }
                _ => _upgradable = lock.try_upgradable_read().ok()?,
            }
            pending().await
        };
        future.boxed_local()
    }
}

/// The model of a notify and of an event. Futures wait.
#[derive(Default)]
struct NotifyModel {
    is_event: bool,
    /// Whether a permit is stored, or the event is set.
    is_set: bool,
    waiters: Waiters,
    /// The futures that were notified alone, and those notified with all others.
    notified_alone: Vec<usize>,
    notified_together: Vec<usize>,
    woken: Woken,
}

impl NotifyModel {
    fn notify_one(&mut self) {
        match self.waiters.0.pop_front() {
            Some((id, waker)) => {
                self.notified_alone.push(id);
                self.woken.push((id, waker));
            }
            None => self.is_set = true,
        }
    }

    fn notify_all(&mut self) {
        for (id, waker) in take(&mut self.waiters.0) {
            self.notified_together.push(id);
            self.woken.push((id, waker));
        }
    }
}

impl Lock for NotifyModel {
    fn call(&mut self, call: usize) -> bool {
        match (self.is_event, call % 2) {
            (true, 0) => {
                self.is_set = true;
                self.notify_all();
            }
            (true, _) => self.is_set = false,
            (false, 0) => self.notify_one(),
            (false, _) => self.notify_all(),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        if self.is_event { vec![usize::from(self.is_set)] } else { vec![] }
    }
}

impl Model for NotifyModel {
    fn poll(&mut self, id: usize, _kind: usize, waker: usize) -> Poll<Answer> {
        let is_new = self.waiters.waker(id).is_none();
        let is_notified = self.notified_alone.contains(&id) || self.notified_together.contains(&id);
        if is_notified || (is_new && self.is_set) {
            self.is_set &= is_notified || self.is_event;
            self.notified_alone.retain(|notified| *notified != id);
            self.notified_together.retain(|notified| *notified != id);
            return Poll::Ready(Some(0));
        }
        self.waiters.wait(id, waker);
        Poll::Pending
    }

    fn drop(&mut self, id: usize) {
        self.waiters.remove(id);
        if self.notified_alone.contains(&id) {
            self.notified_alone.retain(|notified| *notified != id);
            self.notify_one();
        }
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.waiters.waker(id)
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.woken)
    }
}

impl Lock for Rc<Notify> {
    fn call(&mut self, call: usize) -> bool {
        match call % 2 {
            0 => self.notify_one(),
            _ => self.notify_waiters(),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        vec![]
    }
}

impl Real for Rc<Notify> {
    fn begin(&self, _kind: usize, _id: usize) -> LocalBoxFuture<'static, Answer> {
        let notify = self.clone();
        async move {
            notify.notified().await;
            Some(0)
        }
        .boxed_local()
    }
}

impl Lock for Rc<Event> {
    fn call(&mut self, call: usize) -> bool {
        match call % 2 {
            0 => self.set(),
            _ => self.clear(),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        vec![usize::from(self.is_set())]
    }
}

impl Real for Rc<Event> {
    fn begin(&self, _kind: usize, _id: usize) -> LocalBoxFuture<'static, Answer> {
        let event = self.clone();
        async move {
            event.wait().await;
            Some(0)
        }
        .boxed_local()
    }
}

/// The model of a mutex and a condition variable. Futures lock; or lock, wait, and lock again.
#[derive(Default)]
struct CondvarModel {
    mutex: Permits,
    notify: NotifyModel,
    /// The notified futures that wait for the mutex again, and whether they were notified alone.
    relocking: BTreeMap<usize, bool>,
}

impl CondvarModel {
    fn notify_one(&mut self) {
        self.notify.notify_one();
        self.notify.is_set = false;
        self.mutex.woken.append(&mut self.notify.woken);
    }
}

impl Lock for CondvarModel {
    fn call(&mut self, call: usize) -> bool {
        match call {
            0 => {
                self.notify.notify_all();
                self.mutex.woken.append(&mut self.notify.woken);
            }
            // `Condvar::notify_n(n - 1)`: a call of 1 notifies no future.
            n => (1..n).for_each(|_| self.notify_one()),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        vec![self.mutex.free]
    }
}

impl Model for CondvarModel {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        if self.mutex.held.contains(&id) {
            return Poll::Pending;
        }
        let is_alone = self.notify.notified_alone.contains(&id);
        if is_alone || self.notify.notified_together.contains(&id) {
            self.notify.notified_alone.retain(|notified| *notified != id);
            self.notify.notified_together.retain(|notified| *notified != id);
            self.relocking.insert(id, is_alone);
        } else if self.notify.waiters.waker(id).is_some() {
            self.notify.waiters.wait(id, waker);
            return Poll::Pending;
        }
        if self.mutex.poll(id, 1, waker).is_ready()
            && self.relocking.remove(&id).is_none()
            && kind > 0
        {
            self.notify.waiters.wait(id, waker);
            self.mutex.drop(id);
        }
        Poll::Pending
    }

    fn drop(&mut self, id: usize) {
        self.mutex.drop(id);
        self.notify.waiters.remove(id);
        let was_alone =
            self.notify.notified_alone.contains(&id) || self.relocking.get(&id) == Some(&true);
        self.notify.notified_alone.retain(|notified| *notified != id);
        if was_alone {
            self.notify_one();
        }
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.mutex.waiters.waker(id).or(self.notify.waiters.waker(id))
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.mutex.woken)
    }
}

impl Lock for Rc<(Mutex<()>, Condvar)> {
    fn call(&mut self, call: usize) -> bool {
        match call {
            0 => self.1.notify_all(),
            2 => self.1.notify_one(),
            n => self.1.notify_n(n - 1),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        vec![usize::from(!self.0.is_locked())]
    }
}

impl Real for Rc<(Mutex<()>, Condvar)> {
    fn begin(&self, kind: usize, _id: usize) -> LocalBoxFuture<'static, Answer> {
        let shared = self.clone();
        let future = async move {
            let mut _guard = shared.0.lock().await;
            if kind > 0 {
                _guard = shared.1.wait(_guard).await;
            }
            pending().await
        };
        future.boxed_local()
    }
}

/// The model of a barrier, after asyncio's source.
struct BarrierModel {
    parties: usize,
    state: Stage,
    /// The futures that have entered, released or not.
    inside: Vec<usize>,
    full: Waiters,
    open: Waiters,
    passed: usize,
    woken: Woken,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Filling,
    Draining,
    Resetting,
    Broken,
}

impl BarrierModel {
    fn stop_filling(&mut self, state: Stage) {
        self.state = state;
        self.woken.extend(take(&mut self.full.0));
    }

    fn start_filling(&mut self) {
        self.state = Stage::Filling;
        self.woken.extend(take(&mut self.open.0));
    }

    fn remove(&mut self, id: usize) {
        self.full.remove(id);
        self.inside.retain(|inside| *inside != id);
        if self.inside.is_empty() && matches!(self.state, Stage::Draining | Stage::Resetting) {
            self.start_filling();
        }
    }
}

impl Lock for BarrierModel {
    fn call(&mut self, call: usize) -> bool {
        match call % 2 {
            0 if self.inside.is_empty() => self.start_filling(),
            0 => self.stop_filling(Stage::Resetting),
            _ => {
                self.stop_filling(Stage::Broken);
                self.woken.extend(take(&mut self.open.0));
            }
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        let waiting = if self.state == Stage::Filling { self.inside.len() } else { 0 };
        vec![waiting, usize::from(self.state == Stage::Broken)]
    }
}

impl Model for BarrierModel {
    fn poll(&mut self, id: usize, _kind: usize, waker: usize) -> Poll<Answer> {
        if self.inside.contains(&id) {
            if self.state == Stage::Filling {
                self.full.wait(id, waker);
                return Poll::Pending;
            }
            let index = (self.state == Stage::Draining).then_some(self.passed);
            self.passed += 1;
            self.remove(id);
            return Poll::Ready(index);
        }
        match self.state {
            Stage::Draining | Stage::Resetting => {
                self.open.wait(id, waker);
                return Poll::Pending;
            }
            Stage::Broken => return Poll::Ready(None),
            Stage::Filling => self.inside.push(id),
        }
        if self.inside.len() < self.parties {
            self.full.wait(id, waker);
            return Poll::Pending;
        }
        self.passed = 0;
        self.stop_filling(Stage::Draining);
        self.remove(id);
        Poll::Ready(Some(self.parties - 1))
    }

    fn drop(&mut self, id: usize) {
        self.open.remove(id);
        if self.inside.contains(&id) {
            self.remove(id);
        }
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.full.waker(id).or(self.open.waker(id))
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.woken)
    }
}

impl Lock for Rc<Barrier> {
    fn call(&mut self, call: usize) -> bool {
        match call % 2 {
            0 => self.reset(),
            _ => self.abort(),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        vec![self.n_waiting(), usize::from(self.is_broken())]
    }
}

impl Real for Rc<Barrier> {
    fn begin(&self, _kind: usize, _id: usize) -> LocalBoxFuture<'static, Answer> {
        let barrier = self.clone();
        async move { barrier.wait().await.ok().map(|passed| passed.index()) }.boxed_local()
    }
}

/// The model of a cell. Futures need two polls to make the value, or to fail; or wait for it.
struct OnceCellModel {
    permit: Permits,
    waits: Waiters,
    value: Option<usize>,
    calls: usize,
}

impl OnceCellModel {
    fn set(&mut self, value: usize) {
        self.value = Some(value);
        self.permit.close();
        self.permit.woken.extend(take(&mut self.waits.0));
    }
}

impl Lock for OnceCellModel {
    fn call(&mut self, _call: usize) -> bool {
        self.calls += 1;
        // Not each call sets the value: otherwise no future would ever make it.
        if self.calls % RARELY > 0 {
            return self.value.is_some();
        }
        let may_set = self.permit.may_take(1);
        if may_set {
            self.set(usize::MAX);
        }
        may_set
    }

    fn state(&self) -> Vec<usize> {
        let waiting = self.permit.waiters.0.len() + self.waits.0.len();
        [waiting].into_iter().chain(self.value).collect()
    }
}

impl Model for OnceCellModel {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        if kind == 2 {
            if self.value.is_none() {
                self.waits.wait(id, waker);
            }
            return self.value.map_or(Poll::Pending, |value| Poll::Ready(Some(value)));
        }
        if self.permit.held.contains(&id) {
            if kind == 0 {
                self.set(id);
            }
            self.permit.drop(id);
            return Poll::Ready(self.value.filter(|_| kind == 0));
        }
        match self.permit.poll(id, 1, waker) {
            Poll::Ready(Err(())) => Poll::Ready(self.value),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn drop(&mut self, id: usize) {
        self.permit.drop(id);
        self.waits.remove(id);
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.permit.waiters.waker(id).or(self.waits.waker(id))
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.permit.woken)
    }
}

/// A cell, and the number of its calls.
type Cells = Rc<(OnceCell<usize>, Cell<usize>)>;

impl Lock for Cells {
    fn call(&mut self, _call: usize) -> bool {
        let (cell, calls) = &**self;
        calls.set(calls.get() + 1);
        if calls.get() % RARELY > 0 {
            return cell.is_initialized();
        }
        cell.set(usize::MAX).is_ok()
    }

    fn state(&self) -> Vec<usize> {
        [self.0.waiting()].into_iter().chain(self.0.get().copied()).collect()
    }
}

impl Real for Cells {
    fn begin(&self, kind: usize, id: usize) -> LocalBoxFuture<'static, Answer> {
        let cell = self.clone();
        let future = async move {
            if kind == 2 {
                return Some(*cell.0.wait().await);
            }
            let make = async || {
                pending_once().await;
                if kind == 0 { Ok(id) } else { Err(()) }
            };
            cell.0.get_or_try_init(make).await.ok().copied()
        };
        future.boxed_local()
    }
}

/// The wakers of one future.
struct LogWakers([(Arc<LogWaker>, Waker); WAKERS]);

struct LogWaker {
    name: (usize, usize),
    log: Arc<Log<Woken>>,
}

impl Wake for LogWaker {
    fn wake(self: Arc<Self>) {
        self.log.lock().unwrap().push(self.name);
    }
}

impl LogWakers {
    fn new(id: usize, log: &Arc<Log<Woken>>) -> LogWakers {
        LogWakers(std::array::from_fn(|waker| {
            let waker = Arc::new(LogWaker { name: (id, waker), log: log.clone() });
            (waker.clone(), Waker::from(waker))
        }))
    }

    /// Returns how many clones of each waker the lock stores.
    fn kept(&self) -> [usize; WAKERS] {
        self.0.each_ref().map(|(waker, _)| Arc::strong_count(waker) - 2)
    }
}

struct Begun {
    kind: usize,
    future: LocalBoxFuture<'static, Answer>,
    wakers: LogWakers,
}

/// A model and a real lock, side by side.
struct Pair<M, R> {
    model: M,
    real: R,
    begun: BTreeMap<usize, Begun>,
    log: Arc<Log<Woken>>,
    /// The number of the step. Ids are the numbers of their steps.
    step: usize,
}

impl<M: Model, R: Real> Pair<M, R> {
    /// Returns the id of the n-th future, modulo their count.
    fn id(&self, n: usize) -> Option<usize> {
        self.begun.keys().nth(n % self.begun.len().max(1)).copied()
    }

    fn apply(&mut self, op: Op) -> Option<()> {
        self.step += 1;
        match op {
            Op::Begin(kind) => {
                let wakers = LogWakers::new(self.step, &self.log);
                let future = self.real.begin(kind, self.step);
                self.begun.insert(self.step, Begun { kind, future, wakers });
            }
            Op::Poll(n, waker) => {
                let id = self.id(n)?;
                let Begun { kind, future, wakers } = self.begun.get_mut(&id)?;
                let polled = future.poll_unpin(&mut Context::from_waker(&wakers.0[waker].1));
                assert_eq!(polled, self.model.poll(id, *kind, waker), "the answer");
                if polled.is_ready() {
                    self.begun.remove(&id);
                }
            }
            Op::Drop(n) => {
                let id = self.id(n)?;
                self.begun.remove(&id);
                self.model.drop(id);
            }
            Op::Call(call) => assert_eq!(self.real.call(call), self.model.call(call), "the call"),
        }
        self.compare();
        Some(())
    }

    fn compare(&mut self) {
        assert_eq!(take(&mut *self.log.lock().unwrap()), self.model.woken(), "the wakes");
        assert_eq!(self.real.state(), self.model.state(), "the state");
        for (id, begun) in &self.begun {
            let kept = self.model.kept(*id);
            let expected = std::array::from_fn(|waker| usize::from(kept == Some(waker)));
            assert_eq!(begun.wakers.kept(), expected, "the stored wakers of {id}");
        }
    }
}

/// Random operations with `kinds` kinds of futures and `calls` kinds of calls.
fn ops(kinds: usize, calls: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        5 => (0..kinds).prop_map(Op::Begin),
        10 => (0..8_usize, 0..WAKERS).prop_map(|(n, waker)| Op::Poll(n, waker)),
        4 => (0..8_usize).prop_map(Op::Drop),
        4 => (0..calls).prop_map(Op::Call),
    ];
    vec(op, 1..STEPS_MAX)
}

fn check<M: Model, R: Real>(
    (kinds, calls): (usize, usize),
    model: impl Fn(usize) -> M,
    real: impl Fn(usize) -> R,
) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    let result = TestRunner::new(config).run(&(1..4_usize, ops(kinds, calls)), |(n, ops)| {
        let (model, real, log) = (model(n), real(n), Arc::default());
        let mut pair = Pair { model, real, begun: BTreeMap::new(), log, step: 0 };
        for op in ops {
            pair.apply(op);
        }
        while pair.apply(Op::Drop(pair.step)).is_some() {}
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn a_semaphore_behaves_like_its_model() {
    let model = |limit, total| SemaphoreModel { permits: Permits::new(total), total, limit };
    check((8, 7), |n| model(usize::MAX, n), |n| Rc::new(Semaphore::new(n)));
    check((8, 6), |n| model(n, n), |n| Rc::new(Semaphore::bounded(n)));
}

#[test]
fn a_read_write_lock_behaves_like_its_model() {
    check((10, 1), |_| RwLockModel(Permits::new(ALL)), |_| Rc::new(RwLock::new(())));
}

#[test]
fn a_notify_behaves_like_its_model() {
    check((1, 2), |_| NotifyModel::default(), |_| Rc::new(Notify::new()));
}

#[test]
fn an_event_behaves_like_its_model() {
    let model = |_| NotifyModel { is_event: true, ..NotifyModel::default() };
    check((1, 2), model, |_| Rc::new(Event::new()));
}

#[test]
fn a_mutex_and_a_condvar_behave_like_their_model() {
    let model = |_| CondvarModel { mutex: Permits::new(1), ..CondvarModel::default() };
    check((3, 4), model, |_| Rc::<(Mutex<()>, Condvar)>::default());
}

#[test]
fn a_barrier_behaves_like_its_model() {
    let model = |parties| BarrierModel {
        parties,
        state: Stage::Filling,
        inside: Vec::new(),
        full: Waiters::default(),
        open: Waiters::default(),
        passed: 0,
        woken: Woken::new(),
    };
    check((1, 2), model, |parties| Rc::new(Barrier::new(parties)));
}

#[test]
fn a_cell_behaves_like_its_model() {
    let model = |_| OnceCellModel {
        permit: Permits::new(1),
        waits: Waiters::default(),
        value: None,
        calls: 0,
    };
    check((3, 1), model, |_| Cells::default());
}
