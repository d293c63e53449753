//! The locks against plain sequential models: random operations on both, compared at each step.
//!
//! What is compared: the answer, who is woken and in which order, which wakers are kept, and what
//! the lock tells of itself. A failure prints the shortest list of operations that shows it.

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

/// Lists of operations for each kind of lock: enough for a second.
const CASES: u32 = 300;
/// The longest of the lists has about so many operations.
const STEPS_MAX: usize = 150;
/// A future is polled with one or the other of so many wakers.
const WAKERS: usize = 2;
/// One of so many calls of a cell sets it.
const RARELY: usize = 8;

/// What is done to a lock. A number stands for one of what there is; it counts round.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Begins a future of some kind, which is not polled yet.
    Begin(usize),
    Poll(usize, usize),
    Drop(usize),
    /// Calls one of the lock's functions that do not wait.
    Call(usize),
}

/// Which future was woken, by which of its wakers.
type Woken = Vec<(usize, usize)>;
/// `None`: an error.
type Answer = Option<usize>;

/// A lock, or what it should be.
trait Lock {
    fn call(&mut self, call: usize) -> bool;
    /// What it tells of itself.
    fn state(&self) -> Vec<usize>;
}

/// What a lock should be.
trait Model: Lock {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer>;
    fn drop(&mut self, id: usize);
    /// The waker that is kept of a future.
    fn kept(&self, id: usize) -> Option<usize>;
    fn woken(&mut self) -> Woken;
}

/// A real lock.
trait Real: Lock {
    fn begin(&self, kind: usize, id: usize) -> LocalBoxFuture<'static, Answer>;
}

/// Futures in a line, with the wakers by which they are woken.
#[derive(Default)]
struct Line(VecDeque<(usize, usize)>);

impl Line {
    /// Waits at the end, or where it is, with another waker.
    fn wait(&mut self, id: usize, waker: usize) {
        match self.0.iter_mut().find(|(waiting, _)| *waiting == id) {
            Some(place) => place.1 = waker,
            None => self.0.push_back((id, waker)),
        }
    }

    fn leave(&mut self, id: usize) {
        self.0.retain(|(waiting, _)| *waiting != id);
    }

    fn waker(&self, id: usize) -> Option<usize> {
        self.0.iter().find(|(waiting, _)| *waiting == id).map(|(_, waker)| *waker)
    }
}

/// Permits, as a semaphore, a mutex and a read-write lock have them.
#[derive(Default)]
struct Permits {
    free: usize,
    is_closed: bool,
    line: Line,
    /// By future: how many it waits for, was given, or has.
    counts: BTreeMap<usize, usize>,
    given: Vec<usize>,
    held: Vec<usize>,
    woken: Woken,
}

impl Permits {
    fn new(free: usize) -> Permits {
        Permits { free, ..Permits::default() }
    }

    fn may_take(&self, count: usize) -> bool {
        !self.is_closed && count <= self.free && (count == 0 || self.line.0.is_empty())
    }

    fn poll(&mut self, id: usize, count: usize, waker: usize) -> Poll<Result<(), ()>> {
        let is_given = self.given.contains(&id);
        if is_given || self.may_take(count) && self.line.waker(id).is_none() {
            self.given.retain(|given| *given != id);
            self.free -= if is_given { 0 } else { count };
            self.held.push(id);
            self.counts.insert(id, count);
            return Poll::Ready(Ok(()));
        }
        if self.is_closed {
            return Poll::Ready(Err(()));
        }
        self.counts.insert(id, count);
        self.line.wait(id, waker);
        Poll::Pending
    }

    fn give(&mut self, count: usize) {
        self.free += count;
        while let Some((id, waker)) = self.line.0.front().copied() {
            let count = self.counts[&id];
            if count > self.free {
                break;
            }
            self.free -= count;
            self.line.0.pop_front();
            self.given.push(id);
            self.woken.push((id, waker));
        }
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.woken.extend(take(&mut self.line.0));
    }

    fn drop(&mut self, id: usize) {
        self.line.leave(id);
        let has = |ids: &Vec<usize>| ids.contains(&id);
        let count = if has(&self.given) || has(&self.held) { self.counts[&id] } else { 0 };
        self.forget(id);
        self.give(count);
    }

    /// Keeps `left` of those it has.
    fn keep(&mut self, id: usize, left: usize) {
        let count = self.counts.insert(id, left).unwrap();
        self.give(count - left);
    }

    fn forget(&mut self, id: usize) {
        self.given.retain(|given| *given != id);
        self.held.retain(|held| *held != id);
    }
}

/// Semaphore: futures want 0 to 3 permits and hold them, want 1 and forget it, or try to get 1.
struct Permitting {
    permits: Permits,
    total: usize,
    limit: usize,
}

impl Lock for Permitting {
    fn call(&mut self, call: usize) -> bool {
        if call == 5 {
            self.permits.close();
            return true;
        }
        let fits = self.total + call <= self.limit;
        if fits {
            self.total += call;
            self.permits.give(call);
        }
        fits
    }

    fn state(&self) -> Vec<usize> {
        vec![self.permits.free, usize::from(self.permits.is_closed)]
    }
}

impl Model for Permitting {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        let count = if kind < 4 { kind } else { 1 };
        if kind == 5 && !self.permits.held.contains(&id) && !self.permits.may_take(1) {
            return Poll::Ready(None);
        }
        if self.permits.held.contains(&id) {
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
        self.permits.line.waker(id)
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.permits.woken)
    }
}

impl Lock for Rc<Semaphore> {
    fn call(&mut self, call: usize) -> bool {
        if call == 5 {
            self.close();
            return true;
        }
        self.add_permits(call).is_ok()
    }

    fn state(&self) -> Vec<usize> {
        vec![self.available_permits(), usize::from(self.is_closed())]
    }
}

impl Real for Rc<Semaphore> {
    fn begin(&self, kind: usize, _id: usize) -> LocalBoxFuture<'static, Answer> {
        let semaphore = self.clone();
        let future = async move {
            let _permit = match kind {
                0..4 => semaphore.acquire_many_owned(kind).await.ok()?,
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

/// A read-write lock: futures read, write, write and then read, or try to read or write.
struct Sharing(Permits);

/// More than readers ever are.
const ALL: usize = 1000;

impl Lock for Sharing {
    fn call(&mut self, _call: usize) -> bool {
        self.0.may_take(ALL)
    }

    fn state(&self) -> Vec<usize> {
        vec![usize::from(self.0.may_take(1))]
    }
}

impl Model for Sharing {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        let count = if kind == 0 || kind == 3 { 1 } else { ALL };
        if self.0.held.contains(&id) {
            if kind == 2 {
                self.0.keep(id, 1);
            }
        } else if kind >= 3 && !self.0.may_take(count) {
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
        self.0.line.waker(id)
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
        vec![usize::from(self.try_read().is_ok())]
    }
}

/// `Pending`, once.
async fn stop() {
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
            let (_reading, _writing);
            match kind {
                0 => _reading = lock.read().await,
                1 => _writing = lock.write().await,
                2 => {
                    let guard = lock.write().await;
                    stop().await;
                    _reading = guard.downgrade();
                }
                3 => _reading = lock.try_read().ok()?,
                _ => _writing = lock.try_write().ok()?,
            }
            pending().await
        };
        future.boxed_local()
    }
}

/// Notify, and Event: futures wait.
#[derive(Default)]
struct Ringing {
    is_event: bool,
    /// The permit, or whether the event is set.
    is_set: bool,
    line: Line,
    /// Told alone; told with all.
    one: Vec<usize>,
    all: Vec<usize>,
    woken: Woken,
}

impl Ringing {
    fn one(&mut self) {
        match self.line.0.pop_front() {
            Some((id, waker)) => {
                self.one.push(id);
                self.woken.push((id, waker));
            }
            None => self.is_set = true,
        }
    }

    fn all(&mut self) {
        for (id, waker) in take(&mut self.line.0) {
            self.all.push(id);
            self.woken.push((id, waker));
        }
    }
}

impl Lock for Ringing {
    fn call(&mut self, call: usize) -> bool {
        match (self.is_event, call % 2) {
            (true, 0) => {
                self.is_set = true;
                self.all();
            }
            (true, _) => self.is_set = false,
            (false, 0) => self.one(),
            (false, _) => self.all(),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        if self.is_event { vec![usize::from(self.is_set)] } else { vec![] }
    }
}

impl Model for Ringing {
    fn poll(&mut self, id: usize, _kind: usize, waker: usize) -> Poll<Answer> {
        let is_new = self.line.waker(id).is_none();
        let is_told = self.one.contains(&id) || self.all.contains(&id);
        if is_told || (is_new && self.is_set) {
            self.is_set &= is_told || self.is_event;
            self.one.retain(|told| *told != id);
            self.all.retain(|told| *told != id);
            return Poll::Ready(Some(0));
        }
        self.line.wait(id, waker);
        Poll::Pending
    }

    fn drop(&mut self, id: usize) {
        self.line.leave(id);
        if self.one.contains(&id) {
            self.one.retain(|told| *told != id);
            self.one();
        }
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.line.waker(id)
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

/// A mutex and a condition variable: futures lock; or lock, wait, and have it locked again.
#[derive(Default)]
struct Conditional {
    mutex: Permits,
    bell: Ringing,
    /// Those that wait for the second time for the mutex, and whether they were told alone.
    told: BTreeMap<usize, bool>,
}

impl Conditional {
    fn ring(&mut self) {
        self.bell.one();
        self.bell.is_set = false;
        self.mutex.woken.append(&mut self.bell.woken);
    }
}

impl Lock for Conditional {
    fn call(&mut self, call: usize) -> bool {
        match call {
            0 => {
                self.bell.all();
                self.mutex.woken.append(&mut self.bell.woken);
            }
            // One too many is none.
            n => (1..n).for_each(|_| self.ring()),
        }
        true
    }

    fn state(&self) -> Vec<usize> {
        vec![self.mutex.free]
    }
}

impl Model for Conditional {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        if self.mutex.held.contains(&id) {
            return Poll::Pending;
        }
        let is_alone = self.bell.one.contains(&id);
        if is_alone || self.bell.all.contains(&id) {
            self.bell.one.retain(|told| *told != id);
            self.bell.all.retain(|told| *told != id);
            self.told.insert(id, is_alone);
        } else if self.bell.line.waker(id).is_some() {
            self.bell.line.wait(id, waker);
            return Poll::Pending;
        }
        if self.mutex.poll(id, 1, waker).is_ready() && self.told.remove(&id).is_none() && kind > 0 {
            self.bell.line.wait(id, waker);
            self.mutex.drop(id);
        }
        Poll::Pending
    }

    fn drop(&mut self, id: usize) {
        self.mutex.drop(id);
        self.bell.line.leave(id);
        let was_alone = self.bell.one.contains(&id) || self.told.get(&id) == Some(&true);
        self.bell.one.retain(|told| *told != id);
        if was_alone {
            self.ring();
        }
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.mutex.line.waker(id).or(self.bell.line.waker(id))
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

/// A barrier, as asyncio's source tells it.
struct Meeting {
    parties: usize,
    state: Stage,
    /// Came in: let go or not.
    inside: Vec<usize>,
    full: Line,
    open: Line,
    gone: usize,
    woken: Woken,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Filling,
    Draining,
    Resetting,
    Broken,
}

impl Meeting {
    fn stop(&mut self, state: Stage) {
        self.state = state;
        self.woken.extend(take(&mut self.full.0));
    }

    fn fill(&mut self) {
        self.state = Stage::Filling;
        self.woken.extend(take(&mut self.open.0));
    }

    fn leave(&mut self, id: usize) {
        self.full.leave(id);
        self.inside.retain(|inside| *inside != id);
        if self.inside.is_empty() && matches!(self.state, Stage::Draining | Stage::Resetting) {
            self.fill();
        }
    }
}

impl Lock for Meeting {
    fn call(&mut self, call: usize) -> bool {
        match call % 2 {
            0 if self.inside.is_empty() => self.fill(),
            0 => self.stop(Stage::Resetting),
            _ => {
                self.stop(Stage::Broken);
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

impl Model for Meeting {
    fn poll(&mut self, id: usize, _kind: usize, waker: usize) -> Poll<Answer> {
        if self.inside.contains(&id) {
            if self.state == Stage::Filling {
                self.full.wait(id, waker);
                return Poll::Pending;
            }
            let index = (self.state == Stage::Draining).then_some(self.gone);
            self.gone += 1;
            self.leave(id);
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
        self.gone = 0;
        self.stop(Stage::Draining);
        self.leave(id);
        Poll::Ready(Some(self.parties - 1))
    }

    fn drop(&mut self, id: usize) {
        self.open.leave(id);
        if self.inside.contains(&id) {
            self.leave(id);
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

/// A cell: futures need two polls to make the value, or to fail to.
struct Making {
    turn: Permits,
    value: Option<usize>,
    calls: usize,
}

impl Making {
    fn set(&mut self, value: usize) {
        self.value = Some(value);
        self.turn.close();
    }
}

impl Lock for Making {
    fn call(&mut self, _call: usize) -> bool {
        self.calls += 1;
        // Not each time, or nobody would ever make it.
        if self.calls % RARELY > 0 {
            return self.value.is_some();
        }
        let may_set = self.turn.may_take(1);
        if may_set {
            self.set(usize::MAX);
        }
        may_set
    }

    fn state(&self) -> Vec<usize> {
        self.value.into_iter().collect()
    }
}

impl Model for Making {
    fn poll(&mut self, id: usize, kind: usize, waker: usize) -> Poll<Answer> {
        if self.turn.held.contains(&id) {
            if kind == 0 {
                self.set(id);
            }
            self.turn.drop(id);
            return Poll::Ready(self.value.filter(|_| kind == 0));
        }
        match self.turn.poll(id, 1, waker) {
            Poll::Ready(Err(())) => Poll::Ready(self.value),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn drop(&mut self, id: usize) {
        self.turn.drop(id);
    }

    fn kept(&self, id: usize) -> Option<usize> {
        self.turn.line.waker(id)
    }

    fn woken(&mut self) -> Woken {
        take(&mut self.turn.woken)
    }
}

/// A cell, and how often it was called.
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
        self.0.get().copied().into_iter().collect()
    }
}

impl Real for Cells {
    fn begin(&self, kind: usize, id: usize) -> LocalBoxFuture<'static, Answer> {
        let cell = self.clone();
        let future = async move {
            let make = async || {
                stop().await;
                if kind == 0 { Ok(id) } else { Err(()) }
            };
            cell.0.get_or_try_init(make).await.ok().copied()
        };
        future.boxed_local()
    }
}

/// The wakers of one future.
struct Bells([(Arc<Bell>, Waker); WAKERS]);

struct Bell {
    name: (usize, usize),
    log: Arc<Log<Woken>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.log.lock().unwrap().push(self.name);
    }
}

impl Bells {
    fn new(id: usize, log: &Arc<Log<Woken>>) -> Bells {
        Bells(std::array::from_fn(|waker| {
            let bell = Arc::new(Bell { name: (id, waker), log: log.clone() });
            (bell.clone(), Waker::from(bell))
        }))
    }

    /// Of each waker, how many clones the lock keeps.
    fn kept(&self) -> [usize; WAKERS] {
        self.0.each_ref().map(|(bell, _)| Arc::strong_count(bell) - 2)
    }
}

struct Begun {
    kind: usize,
    future: LocalBoxFuture<'static, Answer>,
    bells: Bells,
}

/// A model and a real lock, side by side.
struct Pair<M, R> {
    model: M,
    real: R,
    begun: BTreeMap<usize, Begun>,
    log: Arc<Log<Woken>>,
    /// Ids are the numbers of the steps.
    step: usize,
}

impl<M: Model, R: Real> Pair<M, R> {
    /// The n-th of the futures that there are.
    fn id(&self, n: usize) -> Option<usize> {
        self.begun.keys().nth(n % self.begun.len().max(1)).copied()
    }

    fn apply(&mut self, op: Op) -> Option<()> {
        self.step += 1;
        match op {
            Op::Begin(kind) => {
                let bells = Bells::new(self.step, &self.log);
                let future = self.real.begin(kind, self.step);
                self.begun.insert(self.step, Begun { kind, future, bells });
            }
            Op::Poll(n, waker) => {
                let id = self.id(n)?;
                let Begun { kind, future, bells } = self.begun.get_mut(&id)?;
                let polled = future.poll_unpin(&mut Context::from_waker(&bells.0[waker].1));
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
        assert_eq!(take(&mut *self.log.lock().unwrap()), self.model.woken(), "who was woken");
        assert_eq!(self.real.state(), self.model.state(), "the state");
        for (id, begun) in &self.begun {
            let kept = self.model.kept(*id);
            let expected = std::array::from_fn(|waker| usize::from(kept == Some(waker)));
            assert_eq!(begun.bells.kept(), expected, "the wakers kept of {id}");
        }
    }
}

/// Random operations with so many kinds of futures and of calls.
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
fn a_semaphore_does_what_the_model_does() {
    let model = |limit, total| Permitting { permits: Permits::new(total), total, limit };
    check((6, 6), |n| model(usize::MAX, n), |n| Rc::new(Semaphore::new(n)));
    check((6, 5), |n| model(n, n), |n| Rc::new(Semaphore::bounded(n)));
}

#[test]
fn a_read_write_lock_does_what_the_model_does() {
    check((5, 1), |_| Sharing(Permits::new(ALL)), |_| Rc::new(RwLock::new(())));
}

#[test]
fn a_notify_does_what_the_model_does() {
    check((1, 2), |_| Ringing::default(), |_| Rc::new(Notify::new()));
}

#[test]
fn an_event_does_what_the_model_does() {
    let model = |_| Ringing { is_event: true, ..Ringing::default() };
    check((1, 2), model, |_| Rc::new(Event::new()));
}

#[test]
fn a_mutex_and_a_condvar_do_what_the_model_does() {
    let model = |_| Conditional { mutex: Permits::new(1), ..Conditional::default() };
    check((3, 4), model, |_| Rc::<(Mutex<()>, Condvar)>::default());
}

#[test]
fn a_barrier_does_what_the_model_does() {
    let model = |parties| Meeting {
        parties,
        state: Stage::Filling,
        inside: Vec::new(),
        full: Line::default(),
        open: Line::default(),
        gone: 0,
        woken: Woken::new(),
    };
    check((1, 2), model, |parties| Rc::new(Barrier::new(parties)));
}

#[test]
fn a_cell_does_what_the_model_does() {
    let model = |_| Making { turn: Permits::new(1), value: None, calls: 0 };
    check((2, 1), model, |_| Cells::default());
}
