//! `queue` against a plain sequential model: random operations on both, compared at each step.
//!
//! The test compares the results, the wakes and their order, the counts that the queue returns,
//! the wakers that it stores, and the number of live values. A failure prints the shortest list of
//! operations that shows it.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use evloop::queue::{LifoQueue, PriorityQueue, PutError, Queue, TryGetError, TryPutError};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Lists of operations: enough for some seconds without optimization.
const CASES: u32 = 250;
/// The approximate length of the longest list.
const STEPS_MAX: usize = 150;
/// The number of wakers with which a future is polled.
const WAKERS: usize = 2;

/// An operation on a queue. A number selects one of the futures that exist, modulo their count.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Makes a future, which is not polled yet.
    Begin(Kind),
    Poll(usize, usize),
    /// Puts a value with a permit.
    Fill(usize),
    /// Drops a future: never polled, waiting, woken, or with a permit.
    Drop(usize),
    TryPut,
    TryGet,
    TryPeek,
    TaskDone,
    Close,
    CloseNow,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Put,
    /// The future then holds its permit.
    Reserve,
    TryReserve,
    Get,
    Peek,
    Join,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Fifo,
    Lifo,
    Smallest,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Pending,
    /// With the value that was returned, if there was one.
    Full(Option<usize>),
    Closed(Option<usize>),
    Value(usize),
    Empty,
}

/// The futures that were woken, each with the waker that was used.
type Woken = Vec<(usize, usize)>;

/// The expected state of the queue, in plain collections.
struct Model {
    order: Order,
    /// Whether the capacity is 0: there is a free slot for each future that gets.
    is_rendezvous: bool,
    /// In the order in which they were put.
    values: Vec<usize>,
    slots: WaitQueue,
    items: WaitQueue,
    joining: WaitQueue,
    unfinished: usize,
    is_closed: bool,
    is_closed_now: bool,
    futures: BTreeMap<usize, ModelFuture>,
    woken: Woken,
    /// Ids are the numbers of the steps.
    step: usize,
}

/// Free slots or values, and the futures that wait for one.
#[derive(Default)]
struct WaitQueue {
    free: usize,
    waiting: VecDeque<usize>,
}

struct ModelFuture {
    kind: Kind,
    value: usize,
    state: State,
    /// The waker that is stored for it.
    waker: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    New,
    Waiting,
    Woken,
    Holding,
}

/// Returns the value of a step. All values differ, and they are not sorted.
fn value_of(step: usize) -> usize {
    step * 37 % 1000
}

impl Model {
    fn new(order: Order, capacity: usize) -> Model {
        Model {
            order,
            is_rendezvous: capacity == 0,
            values: Vec::new(),
            slots: WaitQueue { free: capacity, ..WaitQueue::default() },
            items: WaitQueue::default(),
            joining: WaitQueue::default(),
            unfinished: 0,
            is_closed: false,
            is_closed_now: false,
            futures: BTreeMap::new(),
            woken: Woken::new(),
            step: 0,
        }
    }

    /// Replaces numbers by ids of existing futures. Returns `None` if the operation is impossible.
    fn resolve(&self, op: Op) -> Option<Op> {
        let future = |n: usize, may: fn(&ModelFuture) -> bool| {
            let ids: Vec<_> = self.futures.iter().filter(|(_, future)| may(future)).collect();
            (!ids.is_empty()).then(|| *ids[n % ids.len()].0)
        };
        Some(match op {
            Op::Poll(n, waker) => {
                Op::Poll(future(n, |future| future.state != State::Holding)?, waker)
            }
            Op::Fill(n) => Op::Fill(future(n, |future| future.state == State::Holding)?),
            Op::Drop(n) => Op::Drop(future(n, |_| true)?),
            Op::TaskDone if self.unfinished == 0 => return None,
            _ => op,
        })
    }

    fn apply(&mut self, op: Op) -> Answer {
        let (id, value) = (self.step, value_of(self.step));
        match op {
            Op::Begin(kind) => {
                self.futures
                    .insert(id, ModelFuture { kind, value, state: State::New, waker: None });
            }
            Op::Poll(id, waker) => return self.poll(id, waker),
            Op::Fill(id) => {
                self.futures.remove(&id);
                self.fill(value);
            }
            Op::Drop(id) => self.drop_future(id),
            Op::TryPut if self.is_closed => return Answer::Closed(Some(value)),
            Op::TryPut if self.slots.free == 0 => return Answer::Full(Some(value)),
            Op::TryPut => {
                self.slots.free -= 1;
                self.fill(value);
            }
            Op::TryGet if self.items.free > 0 => {
                self.items.free -= 1;
                return Answer::Value(self.take());
            }
            Op::TryPeek if self.items.free > 0 => return Answer::Value(self.values[self.next()]),
            Op::TryGet | Op::TryPeek if self.is_ended() => return Answer::Closed(None),
            Op::TryGet | Op::TryPeek => return Answer::Empty,
            Op::TaskDone => {
                self.unfinished -= 1;
                self.notify_joining();
            }
            Op::Close => self.close(),
            Op::CloseNow => self.close_now(),
        }
        Answer::Done
    }

    fn poll(&mut self, id: usize, waker: usize) -> Answer {
        let ModelFuture { kind, value, state, .. } = self.futures[&id];
        let is_new = state == State::New;
        let (is_available, is_ended) = match kind {
            _ if state == State::Woken => (true, false),
            Kind::Join => (is_new && self.unfinished == 0, false),
            Kind::Get | Kind::Peek => {
                (is_new && !self.is_closed_now && self.items.free > 0, self.is_ended())
            }
            _ => (is_new && !self.is_closed && self.slots.free > 0, self.is_closed),
        };
        if is_available {
            let free = &mut self.wait_queue(kind).free;
            *free -= usize::from(is_new && kind != Kind::Join);
            return self.complete(id);
        }
        if is_ended || kind == Kind::TryReserve {
            self.wait_queue(kind).waiting.retain(|waiting| *waiting != id);
            self.futures.remove(&id);
            let returned = (kind == Kind::Put).then_some(value);
            return if is_ended { Answer::Closed(returned) } else { Answer::Full(None) };
        }
        if is_new {
            self.wait_queue(kind).waiting.push_back(id);
        }
        let future = self.futures.get_mut(&id).unwrap();
        (future.state, future.waker) = (State::Waiting, Some(waker));
        self.balance();
        Answer::Pending
    }

    fn complete(&mut self, id: usize) -> Answer {
        let ModelFuture { kind, value, .. } = self.futures[&id];
        if let Kind::Reserve | Kind::TryReserve = kind {
            self.futures.get_mut(&id).unwrap().state = State::Holding;
            return Answer::Pending;
        }
        self.futures.remove(&id);
        match kind {
            Kind::Put => self.fill(value),
            Kind::Get => return Answer::Value(self.take()),
            Kind::Peek => {
                let value = self.values[self.next()];
                self.release(Kind::Get);
                return Answer::Value(value);
            }
            _ => {}
        }
        Answer::Done
    }

    fn wait_queue(&mut self, kind: Kind) -> &mut WaitQueue {
        match kind {
            Kind::Get | Kind::Peek => &mut self.items,
            Kind::Join => &mut self.joining,
            _ => &mut self.slots,
        }
    }

    fn fill(&mut self, value: usize) {
        if self.is_closed_now {
            self.slots.free += 1;
            return;
        }
        self.values.push(value);
        self.unfinished += 1;
        self.release(Kind::Get);
        self.refuse_getting();
    }

    /// Returns the index of the value that is taken next.
    fn next(&self) -> usize {
        let last = self.values.len() - 1;
        match self.order {
            Order::Fifo => 0,
            Order::Lifo => last,
            Order::Smallest => (0..=last).min_by_key(|i| self.values[*i]).unwrap(),
        }
    }

    fn take(&mut self) -> usize {
        let value = self.values.remove(self.next());
        match self.is_rendezvous {
            true => self.balance(),
            false => self.release(Kind::Put),
        }
        value
    }

    /// Adds or removes free slots, so that each future that gets has one slot or value.
    fn balance(&mut self) {
        let count = |is_counted: fn(&ModelFuture) -> bool| {
            self.futures.values().filter(|future| is_counted(future)).count()
        };
        let is_getting = |future: &ModelFuture| {
            future.kind == Kind::Get && matches!(future.state, State::Waiting | State::Woken)
        };
        let has_slot = |future: &ModelFuture| {
            matches!(future.kind, Kind::Put | Kind::Reserve | Kind::TryReserve)
                && matches!(future.state, State::Woken | State::Holding)
        };
        let (getting, used) = (count(is_getting), count(has_slot) + self.values.len());
        let wanted = getting.saturating_sub(used);
        if !self.is_rendezvous || self.is_closed || self.slots.free == wanted {
            return;
        }
        if self.slots.free > wanted {
            self.slots.free = wanted;
        } else {
            self.release(Kind::Put);
            self.balance();
        }
    }

    fn drop_future(&mut self, id: usize) {
        let ModelFuture { kind, state, .. } = self.futures.remove(&id).unwrap();
        self.wait_queue(kind).waiting.retain(|waiting| *waiting != id);
        if matches!(state, State::Woken | State::Holding) && kind != Kind::Join {
            self.release(kind);
            self.refuse_getting();
        }
        self.balance();
    }

    /// Assigns a free slot or value to the future that has waited longest.
    fn release(&mut self, kind: Kind) {
        match self.wait_queue(kind).waiting.pop_front() {
            Some(id) => self.assign(id),
            None => self.wait_queue(kind).free += 1,
        }
    }

    fn assign(&mut self, id: usize) {
        self.wake(id);
        self.futures.get_mut(&id).unwrap().state = State::Woken;
    }

    fn wake(&mut self, id: usize) {
        let waker = self.futures.get_mut(&id).unwrap().waker.take();
        self.woken.extend(waker.map(|waker| (id, waker)));
    }

    fn notify_joining(&mut self) {
        if self.unfinished == 0 {
            std::mem::take(&mut self.joining.waiting).into_iter().for_each(|id| self.assign(id));
        }
    }

    fn refuse_getting(&mut self) {
        if self.is_ended() {
            for id in std::mem::take(&mut self.items.waiting) {
                self.wake(id);
                self.futures.get_mut(&id).unwrap().state = State::New;
            }
        }
    }

    /// Wakes the waiting futures, and revokes the slots or values of those that were woken before.
    fn refuse_waiting(&mut self, is_in_queue: fn(Kind) -> bool) -> usize {
        let kind = if is_in_queue(Kind::Get) { Kind::Get } else { Kind::Put };
        for id in std::mem::take(&mut self.wait_queue(kind).waiting) {
            self.wake(id);
        }
        let mut revoked = 0;
        for future in self.futures.values_mut().filter(|future| is_in_queue(future.kind)) {
            revoked += usize::from(future.state == State::Woken);
            if future.state != State::Holding {
                future.state = State::New;
            }
        }
        self.wait_queue(kind).free += revoked;
        revoked
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.refuse_waiting(|kind| !matches!(kind, Kind::Get | Kind::Peek | Kind::Join));
        self.refuse_getting();
    }

    fn close_now(&mut self) {
        self.is_closed = true;
        self.is_closed_now = true;
        self.refuse_waiting(|kind| !matches!(kind, Kind::Get | Kind::Peek | Kind::Join));
        self.refuse_waiting(|kind| matches!(kind, Kind::Get | Kind::Peek));
        self.items.free = 0;
        self.slots.free += self.values.len();
        self.unfinished = self.unfinished.saturating_sub(self.values.len());
        self.values.clear();
        self.notify_joining();
    }

    /// Returns whether no value can come any more.
    fn is_ended(&self) -> bool {
        let holds = |future: &ModelFuture| future.state == State::Holding;
        self.is_closed_now || (self.is_closed && !self.futures.values().any(holds))
    }

    /// Returns the number of values in the queue and in futures that did not put theirs yet.
    fn live_values(&self) -> usize {
        self.values.len() + self.futures.values().filter(|future| future.kind == Kind::Put).count()
    }
}

/// A queue in one of the orders.
enum Queues {
    Fifo(Queue<Value>),
    Lifo(LifoQueue<Value>),
    Smallest(PriorityQueue<Value>),
}

/// Evaluates an expression for a queue in any order.
macro_rules! with {
    ($queues:expr, $queue:ident => $do:expr) => {
        match $queues {
            Queues::Fifo($queue) => $do,
            Queues::Lifo($queue) => $do,
            Queues::Smallest($queue) => $do,
        }
    };
}

/// The queue itself, and the futures that use it.
struct Real {
    queues: Rc<Queues>,
    futures: BTreeMap<usize, Started>,
    log: Arc<Mutex<Woken>>,
    live: Rc<Cell<usize>>,
    step: usize,
}

struct Started {
    future: LocalBoxFuture<'static, Answer>,
    /// The value that its permit will put.
    fill: Rc<Cell<Option<Value>>>,
    wakers: [(Arc<RecordingWaker>, Waker); WAKERS],
}

/// A value that counts the live values.
#[derive(Debug)]
struct Value(usize, Rc<Cell<usize>>);

/// Records the future and the waker of each wake.
struct RecordingWaker(usize, usize, Arc<Mutex<Woken>>);

impl Wake for RecordingWaker {
    fn wake(self: Arc<Self>) {
        self.2.lock().unwrap().push((self.0, self.1));
    }
}

impl Clone for Value {
    fn clone(&self) -> Value {
        self.1.set(self.1.get() + 1);
        Value(self.0, self.1.clone())
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.0 == other.0
    }
}

impl Eq for Value {}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
    }
}

impl Started {
    fn poll(&mut self, waker: usize) -> Poll<Answer> {
        self.future.poll_unpin(&mut Context::from_waker(&self.wakers[waker].1))
    }

    /// Returns for each waker the number of clones that the queue stores.
    fn stored_wakers(&self) -> [usize; WAKERS] {
        self.wakers.each_ref().map(|(waker, _)| Arc::strong_count(waker) - 2)
    }
}

impl Real {
    fn new(order: Order, capacity: usize) -> Real {
        let queues = match order {
            Order::Fifo => Queues::Fifo(Queue::bounded(capacity)),
            Order::Lifo => Queues::Lifo(LifoQueue::bounded(capacity)),
            Order::Smallest => Queues::Smallest(PriorityQueue::bounded(capacity)),
        };
        Real {
            queues: Rc::new(queues),
            futures: BTreeMap::new(),
            log: Arc::default(),
            live: Rc::default(),
            step: 0,
        }
    }

    fn value(&self) -> Value {
        self.live.set(self.live.get() + 1);
        Value(value_of(self.step), self.live.clone())
    }

    fn begin(&self, kind: Kind) -> Started {
        let queues = self.queues.clone();
        let fill = Rc::new(Cell::new(None));
        let filling = fill.clone();
        let value = (kind == Kind::Put).then(|| self.value());
        let future = async move {
            with!(&*queues, queue => {
                let permit = match kind {
                    Kind::Put => {
                        let put = queue.put(value.unwrap()).await;
                        return put.map_or_else(
                            |PutError(value)| Answer::Closed(Some(value.0)),
                            |()| Answer::Done,
                        );
                    }
                    Kind::Get => {
                        let got = queue.get().await;
                        return got.map_or(Answer::Closed(None), |value| Answer::Value(value.0));
                    }
                    Kind::Peek => {
                        let next = queue.peek().await;
                        return next.map_or(Answer::Closed(None), |value| Answer::Value(value.0));
                    }
                    Kind::Join => {
                        queue.join().await;
                        return Answer::Done;
                    }
                    Kind::Reserve => queue.reserve().await.map_err(|_| Answer::Closed(None)),
                    Kind::TryReserve => queue.try_reserve().map_err(|error| match error {
                        TryPutError::Full(()) => Answer::Full(None),
                        TryPutError::Closed(()) => Answer::Closed(None),
                    }),
                };
                let filled = poll_fn(|_| filling.take().map_or(Poll::Pending, Poll::Ready));
                match permit {
                    Ok(permit) => permit.put(filled.await),
                    Err(answer) => return answer,
                }
                Answer::Done
            })
        };
        let wakers = std::array::from_fn(|i| {
            let waker = Arc::new(RecordingWaker(self.step, i, self.log.clone()));
            (waker.clone(), Waker::from(waker))
        });
        Started { future: future.boxed_local(), fill, wakers }
    }

    fn apply(&mut self, op: Op) -> Answer {
        let queues = self.queues.clone();
        match op {
            Op::Begin(kind) => drop(self.futures.insert(self.step, self.begin(kind))),
            Op::Poll(id, waker) => return self.poll(id, waker),
            Op::Fill(id) => {
                self.futures[&id].fill.set(Some(self.value()));
                return self.poll(id, 0);
            }
            Op::Drop(id) => drop(self.futures.remove(&id)),
            Op::TryPut => match with!(&*queues, queue => queue.try_put(self.value())) {
                Ok(()) => {}
                Err(TryPutError::Full(value)) => return Answer::Full(Some(value.0)),
                Err(TryPutError::Closed(value)) => return Answer::Closed(Some(value.0)),
            },
            Op::TryGet | Op::TryPeek => {
                let got = match op {
                    Op::TryGet => with!(&*queues, queue => queue.try_get()),
                    _ => with!(&*queues, queue => queue.try_peek()),
                };
                return match got {
                    Ok(value) => Answer::Value(value.0),
                    Err(TryGetError::Empty) => Answer::Empty,
                    Err(TryGetError::Closed) => Answer::Closed(None),
                };
            }
            Op::TaskDone => with!(&*queues, queue => queue.task_done()),
            Op::Close => with!(&*queues, queue => queue.close()),
            Op::CloseNow => with!(&*queues, queue => queue.close_now()),
        }
        Answer::Done
    }

    fn poll(&mut self, id: usize, waker: usize) -> Answer {
        match self.futures.get_mut(&id).unwrap().poll(waker) {
            Poll::Ready(answer) => {
                self.futures.remove(&id);
                answer
            }
            Poll::Pending => Answer::Pending,
        }
    }
}

/// Compares the queue with the model after a step.
fn assert_equal(model: &mut Model, real: &Real) {
    assert_eq!(std::mem::take(&mut *real.log.lock().unwrap()), std::mem::take(&mut model.woken));
    assert_eq!(real.live.get(), model.live_values());
    with!(&*real.queues, queue => {
        assert_eq!((queue.len(), queue.is_empty()), (model.items.free, model.items.free == 0));
        assert_eq!(queue.is_full(), model.slots.free == 0);
        assert_eq!(queue.is_closed(), model.is_closed);
        assert_eq!(queue.unfinished(), model.unfinished);
        assert_eq!(queue.getters_waiting(), model.items.waiting.len());
        assert_eq!(queue.putters_waiting(), model.slots.waiting.len());
        let mut left: Vec<_> = queue.snapshot().iter().map(|value| value.0).collect();
        if let Order::Lifo = model.order {
            left.reverse();
        }
        let mut values = model.values.clone();
        if let Order::Smallest = model.order {
            values.sort_unstable();
        }
        assert_eq!(left, values);
    });
    assert!(real.futures.keys().eq(model.futures.keys()));
    for (started, expected) in real.futures.values().zip(model.futures.values()) {
        let stored = std::array::from_fn(|i| usize::from(Some(i) == expected.waker));
        assert_eq!(started.stored_wakers(), stored);
    }
}

fn run(order: Order, capacity: usize, ops: &[Op]) {
    let (mut model, mut real) = (Model::new(order, capacity), Real::new(order, capacity));
    for op in ops {
        model.step += 1;
        real.step += 1;
        if let Some(op) = model.resolve(*op) {
            assert_eq!(real.apply(op), model.apply(op), "{op:?}");
            assert_equal(&mut model, &real);
        }
    }
    let live = real.live.clone();
    drop(real);
    assert_eq!(live.get(), 0);
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..8_usize;
    prop_oneof![
        6 => Just(Op::Begin(Kind::Put)),
        6 => Just(Op::Begin(Kind::Get)),
        2 => Just(Op::Begin(Kind::Peek)),
        3 => Just(Op::Begin(Kind::Reserve)),
        1 => Just(Op::Begin(Kind::TryReserve)),
        2 => Just(Op::Begin(Kind::Join)),
        20 => (n(), 0..WAKERS).prop_map(|(n, waker)| Op::Poll(n, waker)),
        3 => n().prop_map(Op::Fill),
        4 => n().prop_map(Op::Drop),
        3 => Just(Op::TryPut),
        3 => Just(Op::TryGet),
        1 => Just(Op::TryPeek),
        5 => Just(Op::TaskDone),
    ]
}

/// Operations that close the queue, in one way or both, between others that use it.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let end = || prop_oneof![2 => Just(Op::Close), 1 => Just(Op::CloseNow)];
    (vec(op(), 1..STEPS_MAX), end(), vec(op(), 0..STEPS_MAX / 3), end(), vec(op(), 0..20)).prop_map(
        |(before, first_end, between, second_end, after)| {
            before
                .into_iter()
                .chain([first_end])
                .chain(between)
                .chain([second_end])
                .chain(after)
                .collect()
        },
    )
}

#[test]
fn a_queue_matches_its_model() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    let order = prop_oneof![Just(Order::Fifo), Just(Order::Lifo), Just(Order::Smallest)];
    let strategy = (order, prop_oneof![1 => Just(0), 2 => 1..4_usize], ops());
    let result = TestRunner::new(config).run(&strategy, |(order, capacity, ops)| {
        run(order, capacity, &ops);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
