//! Compares a channel with a plain sequential model: random operations on both, compared at each
//! step.
//!
//! The test compares the answer, the wakes and their order, the counts that the halves report, the
//! stored wakers, and the number of live values. A failure prints the shortest list of operations
//! that shows it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::channel::{self, Receiver, SendError, Sender, TryRecvError, TrySendError};

/// The number of lists of operations: enough for a second or two.
const CASES: u32 = 500;
/// The approximate number of operations in the longest list.
const STEPS_MAX: usize = 150;
/// The number of wakers that a future may be polled with.
const WAKERS: usize = 2;
/// The id that stands for the receiver.
const RECEIVER: usize = usize::MAX;

/// An operation on a channel. A number selects one of the senders, or of the futures that have
/// begun, modulo their count.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Begins a future, which is not polled yet: `send`, `reserve_many`, or a `try_reserve_many`
    /// whose permits are held.
    Begin(Kind, usize),
    Poll(usize, usize),
    /// Sends a value by one of the permits of a future.
    Fill(usize),
    /// Drops a future: never polled, waiting, woken, or with a permit.
    Drop(usize),
    TrySend(usize),
    ForceSend(usize),
    Clone(usize),
    DropSender(usize),
    /// Polls a `recv` once and drops it.
    Recv(usize),
    TryRecv,
    /// Polls a `recv_many` of up to so many values once and drops it.
    RecvMany(usize, usize),
    Close,
    DropReceiver,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Send,
    Reserve(usize),
    TryReserve(usize),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Pending,
    /// With the returned value, if there is one.
    Full(Option<usize>),
    Closed(Option<usize>),
    Value(usize),
    Values(Vec<usize>),
    Empty,
}

/// The woken futures, or the receiver, each with the index of the woken waker.
type Woken = Vec<(usize, usize)>;

/// The expected channel: its whole state, in plain collections.
struct Model {
    capacity: usize,
    values: VecDeque<usize>,
    /// Futures that wait for a slot, in order.
    waiters: VecDeque<usize>,
    futures: BTreeMap<usize, ModelFuture>,
    senders: BTreeSet<usize>,
    is_closed: bool,
    has_receiver: bool,
    /// The waker of a waiting receiver.
    receiver: Option<usize>,
    woken: Woken,
    /// The number of the step. Ids and values are the numbers of their steps.
    step: usize,
}

struct ModelFuture {
    kind: Kind,
    value: usize,
    state: State,
    waker: usize,
    /// The number of slots that it wants, or holds.
    slots: usize,
    /// The number of slots that were assigned to it while it waits.
    given: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    New,
    Waiting,
    Woken,
    Holding,
}

impl Model {
    fn new(capacity: usize) -> Model {
        Model {
            capacity,
            values: VecDeque::new(),
            waiters: VecDeque::new(),
            futures: BTreeMap::new(),
            senders: BTreeSet::from([0]),
            is_closed: false,
            has_receiver: true,
            receiver: None,
            woken: Woken::new(),
            step: 0,
        }
    }

    /// Returns the operation with the ids of existing objects, or `None` if it is impossible now.
    fn resolve(&self, op: Op) -> Option<Op> {
        let sender = |n: usize| self.senders.iter().nth(n % self.senders.len().max(1)).copied();
        let future = |n: usize, may: fn(&ModelFuture) -> bool| {
            let ids: Vec<_> = self.futures.iter().filter(|(_, future)| may(future)).collect();
            (!ids.is_empty()).then(|| *ids[n % ids.len()].0)
        };
        let holds = |future: &ModelFuture| future.state == State::Holding;
        Some(match op {
            Op::Begin(kind, n) => Op::Begin(kind.limited(self.capacity), sender(n)?),
            Op::ForceSend(n) => Op::ForceSend(sender(n)?),
            Op::TrySend(n) => Op::TrySend(sender(n)?),
            Op::Clone(n) => Op::Clone(sender(n)?),
            Op::DropSender(n) => Op::DropSender(sender(n)?),
            Op::Poll(n, waker) => {
                Op::Poll(future(n, |future| future.state != State::Holding)?, waker % WAKERS)
            }
            Op::Fill(n) => Op::Fill(future(n, holds)?),
            Op::Drop(n) => Op::Drop(future(n, |_| true)?),
            Op::Recv(waker) => Op::Recv(waker % WAKERS),
            Op::RecvMany(limit, waker) => Op::RecvMany(limit, waker % WAKERS),
            Op::TryRecv | Op::Close | Op::DropReceiver => op,
        })
        .filter(|op| match op {
            Op::Recv(_) | Op::RecvMany(..) | Op::TryRecv => self.has_receiver,
            Op::Close | Op::DropReceiver => self.has_receiver,
            _ => true,
        })
    }

    fn apply(&mut self, op: Op) -> Answer {
        let id = self.step;
        match op {
            Op::Begin(kind, _) => {
                let (state, slots) = (State::New, kind.slots());
                let future = ModelFuture { kind, value: id, state, waker: 0, slots, given: 0 };
                self.futures.insert(id, future);
            }
            Op::Poll(id, waker) => return self.poll(id, waker),
            Op::Fill(id) => {
                self.futures.get_mut(&id).unwrap().value = self.step;
                self.fill(id);
            }
            Op::Drop(id) => self.drop_future(id),
            Op::TrySend(_) if self.is_closed => return Answer::Closed(Some(id)),
            Op::TrySend(_) if self.free() == 0 => return Answer::Full(Some(id)),
            Op::TrySend(_) => self.push(id),
            Op::ForceSend(_) if self.is_closed => return Answer::Closed(Some(id)),
            Op::ForceSend(_) if self.free() > 0 => self.push(id),
            Op::ForceSend(_) => match self.values.pop_front() {
                None => return Answer::Full(Some(id)),
                Some(oldest) => {
                    self.push(id);
                    return Answer::Value(oldest);
                }
            },
            Op::Clone(_) => drop(self.senders.insert(id)),
            Op::DropSender(id) => {
                self.senders.remove(&id);
                self.wake_receiver_without_senders();
            }
            Op::Recv(_) | Op::TryRecv => return self.receive(op),
            Op::RecvMany(limit, _) => return self.receive_many(op, limit),
            Op::Close => self.close(),
            Op::DropReceiver => {
                self.close();
                self.has_receiver = false;
                self.receiver = None;
                self.values.clear();
            }
        }
        Answer::Done
    }

    fn poll(&mut self, id: usize, waker: usize) -> Answer {
        let (free, is_closed) = (self.free(), self.is_closed);
        let future = self.futures.get_mut(&id).unwrap();
        let returned = (future.kind == Kind::Send).then_some(future.value);
        if is_closed {
            self.end(id);
            return Answer::Closed(returned);
        }
        let is_free = future.state == State::New && free >= future.slots;
        if !is_free && future.state != State::Woken {
            if matches!(future.kind, Kind::TryReserve(_)) {
                self.end(id);
                return Answer::Full(None);
            }
            if future.state == State::New {
                self.waiters.push_back(id);
                future.given = free;
            }
            (future.state, future.waker) = (State::Waiting, waker);
            return Answer::Pending;
        }
        future.state = State::Holding;
        match future.kind {
            Kind::Send => self.fill(id),
            Kind::Reserve(_) | Kind::TryReserve(_) => return Answer::Pending,
        }
        Answer::Done
    }

    fn fill(&mut self, id: usize) {
        let future = self.futures.get_mut(&id).unwrap();
        future.slots -= 1;
        let (value, is_last) = (future.value, future.slots == 0);
        self.push(value);
        if is_last {
            self.end(id);
        }
    }

    fn drop_future(&mut self, id: usize) {
        let future = self.futures.get_mut(&id).unwrap();
        let state = std::mem::replace(&mut future.state, State::New);
        future.given = 0;
        self.waiters.retain(|waiting| *waiting != id);
        self.release();
        let is_end = self.is_closed && self.reserved() == 0;
        if is_end && matches!(state, State::Woken | State::Holding) {
            self.wake_receiver();
        }
        self.end(id);
    }

    /// Removes a future, and the share of its sender.
    fn end(&mut self, id: usize) {
        self.futures.remove(&id);
        self.wake_receiver_without_senders();
    }

    fn wake_receiver_without_senders(&mut self) {
        if self.has_senders() {
            return;
        }
        self.wake_receiver();
    }

    fn has_senders(&self) -> bool {
        !self.senders.is_empty() || !self.futures.is_empty()
    }

    fn receive(&mut self, op: Op) -> Answer {
        if let Some(value) = self.values.pop_front() {
            self.release();
            return Answer::Value(value);
        }
        if self.reserved() == 0 && (self.is_closed || !self.has_senders()) {
            return Answer::Closed(None);
        }
        match op {
            Op::Recv(waker) => {
                self.receiver = Some(waker);
                Answer::Pending
            }
            _ => Answer::Empty,
        }
    }

    fn receive_many(&mut self, op: Op, limit: usize) -> Answer {
        if limit == 0 {
            return Answer::Values(vec![]);
        }
        if self.values.is_empty() {
            return match self.receive(Op::TryRecv) {
                Answer::Closed(None) => Answer::Values(vec![]),
                _ => {
                    let Op::RecvMany(_, waker) = op else { unreachable!() };
                    self.receiver = Some(waker);
                    Answer::Pending
                }
            };
        }
        let received = self.values.drain(..limit.min(self.values.len())).collect();
        self.release();
        Answer::Values(received)
    }

    fn close(&mut self) {
        self.is_closed = true;
        for future in self.futures.values_mut().filter(|future| future.state == State::Woken) {
            future.state = State::New;
        }
        for id in std::mem::take(&mut self.waiters) {
            let future = self.futures.get_mut(&id).unwrap();
            (future.state, future.given) = (State::New, 0);
            self.woken.push((id, future.waker));
        }
    }

    /// Assigns the free slots to the longest-waiting futures.
    fn release(&mut self) {
        while let (Some(&id), free @ 1..) = (self.waiters.front(), self.free()) {
            let future = self.futures.get_mut(&id).unwrap();
            future.given += free.min(future.slots - future.given);
            if future.given == future.slots {
                (future.state, future.given) = (State::Woken, 0);
                self.woken.push((id, future.waker));
                self.waiters.pop_front();
            }
        }
    }

    fn push(&mut self, value: usize) {
        if !self.has_receiver {
            return;
        }
        self.values.push_back(value);
        self.wake_receiver();
    }

    fn wake_receiver(&mut self) {
        self.woken.extend(self.receiver.take().map(|waker| (RECEIVER, waker)));
    }

    /// Returns the number of reserved and assigned slots.
    fn reserved(&self) -> usize {
        let kept = |future: &ModelFuture| match future.state {
            State::Woken | State::Holding => future.slots,
            State::New | State::Waiting => future.given,
        };
        self.futures.values().map(kept).sum()
    }

    fn free(&self) -> usize {
        self.capacity - self.values.len() - self.reserved()
    }

    /// Returns the number of values in the channel and in futures that have not sent theirs.
    fn live_values(&self) -> usize {
        let unsent = self.futures.values().filter(|future| future.kind == Kind::Send).count();
        self.values.len() + unsent
    }
}

impl Kind {
    fn slots(self) -> usize {
        match self {
            Kind::Send => 1,
            Kind::Reserve(slots) | Kind::TryReserve(slots) => slots,
        }
    }

    /// Returns the same kind with no more slots than the capacity.
    fn limited(self, capacity: usize) -> Kind {
        match self {
            Kind::Send => Kind::Send,
            Kind::Reserve(slots) => Kind::Reserve(slots.min(capacity)),
            Kind::TryReserve(slots) => Kind::TryReserve(slots.min(capacity)),
        }
    }
}

/// The channel itself, and the futures that use it.
struct Real {
    /// In an `Rc`: a sender lives as long as a future that borrows it.
    senders: BTreeMap<usize, Rc<Sender<Value>>>,
    receiver: Option<Receiver<Value>>,
    futures: BTreeMap<usize, Begun>,
    wakers: LogWakers,
    log: Arc<Mutex<Woken>>,
    live: Rc<Cell<usize>>,
    step: usize,
}

struct Begun {
    future: LocalBoxFuture<'static, Answer>,
    /// The value for its permit to send.
    fill: Rc<Cell<Option<Value>>>,
    wakers: LogWakers,
}

/// A value that counts the live values.
#[derive(Debug)]
struct Value(usize, Rc<Cell<usize>>);

/// A waker that records its id and index when it is woken.
struct LogWaker(usize, usize, Arc<Mutex<Woken>>);

struct LogWakers([(Arc<LogWaker>, Waker); WAKERS]);

impl Wake for LogWaker {
    fn wake(self: Arc<Self>) {
        self.2.lock().unwrap().push((self.0, self.1));
    }
}

impl LogWakers {
    fn new(id: usize, log: &Arc<Mutex<Woken>>) -> LogWakers {
        LogWakers(std::array::from_fn(|waker| {
            let waker = Arc::new(LogWaker(id, waker, log.clone()));
            (waker.clone(), Waker::from(waker))
        }))
    }

    fn context(&self, waker: usize) -> Context<'_> {
        Context::from_waker(&self.0[waker].1)
    }

    /// Returns how many clones of each waker the channel stores.
    fn kept(&self) -> [usize; WAKERS] {
        self.0.each_ref().map(|(waker, _)| Arc::strong_count(waker) - 2)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
    }
}

impl Real {
    fn new(capacity: usize) -> Real {
        let (sender, receiver) = channel::bounded(capacity);
        let log = Arc::default();
        Real {
            senders: BTreeMap::from([(0, Rc::new(sender))]),
            receiver: Some(receiver),
            futures: BTreeMap::new(),
            wakers: LogWakers::new(RECEIVER, &log),
            log,
            live: Rc::default(),
            step: 0,
        }
    }

    fn value(&self) -> Value {
        self.live.set(self.live.get() + 1);
        Value(self.step, self.live.clone())
    }

    fn begin(&self, kind: Kind, sender: usize) -> Begun {
        let sender = self.senders[&sender].clone();
        let fill = Rc::new(Cell::new(None));
        let filling = fill.clone();
        let value = (kind == Kind::Send).then(|| self.value());
        let future = async move {
            let permits = match kind {
                Kind::Send => {
                    return match sender.send(value.unwrap()).await {
                        Ok(()) => Answer::Done,
                        Err(SendError(value)) => Answer::Closed(Some(value.0)),
                    };
                }
                Kind::Reserve(slots) => {
                    let reserved = sender.reserve_many(slots).await;
                    reserved.map_err(|SendError(())| Answer::Closed(None))
                }
                Kind::TryReserve(slots) => {
                    sender.try_reserve_many(slots).map_err(|error| match error {
                        TrySendError::Full(()) => Answer::Full(None),
                        TrySendError::Closed(()) => Answer::Closed(None),
                    })
                }
            };
            match permits {
                Ok(permits) => {
                    for permit in permits {
                        let filled = poll_fn(|_| filling.take().map_or(Poll::Pending, Poll::Ready));
                        permit.send(filled.await);
                    }
                }
                Err(answer) => return answer,
            }
            Answer::Done
        };
        Begun { future: future.boxed_local(), fill, wakers: LogWakers::new(self.step, &self.log) }
    }

    fn apply(&mut self, op: Op) -> Answer {
        match op {
            Op::Begin(kind, sender) => {
                drop(self.futures.insert(self.step, self.begin(kind, sender)));
            }
            Op::Poll(id, waker) => return self.poll(id, waker),
            Op::Fill(id) => {
                self.futures[&id].fill.set(Some(self.value()));
                self.poll(id, 0);
            }
            Op::Drop(id) => drop(self.futures.remove(&id)),
            Op::TrySend(sender) => match self.senders[&sender].try_send(self.value()) {
                Ok(()) => {}
                Err(TrySendError::Full(value)) => return Answer::Full(Some(value.0)),
                Err(TrySendError::Closed(value)) => return Answer::Closed(Some(value.0)),
            },
            Op::ForceSend(sender) => match self.senders[&sender].force_send(self.value()) {
                Ok(None) => {}
                Ok(Some(oldest)) => return Answer::Value(oldest.0),
                Err(TrySendError::Full(value)) => return Answer::Full(Some(value.0)),
                Err(TrySendError::Closed(value)) => return Answer::Closed(Some(value.0)),
            },
            Op::Clone(sender) => {
                let clone = Sender::clone(&self.senders[&sender]);
                self.senders.insert(self.step, Rc::new(clone));
            }
            Op::DropSender(sender) => drop(self.senders.remove(&sender)),
            Op::Recv(waker) => {
                let mut recv = pin!(self.receiver.as_mut().unwrap().recv());
                return match recv.poll_unpin(&mut self.wakers.context(waker)) {
                    Poll::Ready(value) => {
                        value.map_or(Answer::Closed(None), |v| Answer::Value(v.0))
                    }
                    Poll::Pending => Answer::Pending,
                };
            }
            Op::TryRecv => {
                return match self.receiver.as_mut().unwrap().try_recv() {
                    Ok(value) => Answer::Value(value.0),
                    Err(TryRecvError::Empty) => Answer::Empty,
                    Err(TryRecvError::Closed) => Answer::Closed(None),
                };
            }
            Op::RecvMany(limit, waker) => {
                let mut buffer = Vec::new();
                let receiver = self.receiver.as_mut().unwrap();
                let received = pin!(receiver.recv_many(&mut buffer, limit))
                    .poll_unpin(&mut self.wakers.context(waker));
                return match received {
                    Poll::Ready(count) => {
                        assert_eq!(count, buffer.len());
                        Answer::Values(buffer.iter().map(|value| value.0).collect())
                    }
                    Poll::Pending => Answer::Pending,
                };
            }
            Op::Close => self.receiver.as_mut().unwrap().close(),
            Op::DropReceiver => drop(self.receiver.take()),
        }
        Answer::Done
    }

    fn poll(&mut self, id: usize, waker: usize) -> Answer {
        let begun = self.futures.get_mut(&id).unwrap();
        match begun.future.poll_unpin(&mut begun.wakers.context(waker)) {
            Poll::Ready(answer) => {
                self.futures.remove(&id);
                answer
            }
            Poll::Pending => Answer::Pending,
        }
    }
}

/// Compares the states of both after a step.
fn compare(model: &mut Model, real: &Real) {
    assert_eq!(std::mem::take(&mut *real.log.lock().unwrap()), std::mem::take(&mut model.woken));
    assert_eq!(real.live.get(), model.live_values());
    assert!(model.waiters.is_empty() || model.is_closed || model.free() == 0);
    if let Some(receiver) = &real.receiver {
        assert_eq!(receiver.len(), model.values.len());
        assert_eq!(receiver.is_empty(), model.values.is_empty());
        assert_eq!(receiver.is_closed(), model.is_closed || !model.has_senders());
        assert_eq!(receiver.max_capacity(), model.capacity);
    }
    for sender in real.senders.values() {
        assert_eq!(sender.is_closed(), model.is_closed);
        assert!(model.is_closed || sender.free() == model.free());
        assert_eq!(sender.senders_waiting(), model.waiters.len());
        assert_eq!(sender.receivers_waiting(), usize::from(model.receiver.is_some()));
        assert_eq!((sender.len(), sender.max_capacity()), (model.values.len(), model.capacity));
    }
    let kept = |waker: Option<usize>| std::array::from_fn(|i| usize::from(Some(i) == waker));
    assert_eq!(real.wakers.kept(), kept(model.receiver));
    assert!(real.futures.keys().eq(model.futures.keys()));
    for (begun, future) in real.futures.values().zip(model.futures.values()) {
        let waits = future.state == State::Waiting;
        assert_eq!(begun.wakers.kept(), kept(waits.then_some(future.waker)));
    }
}

fn run(capacity: usize, ops: &[Op]) {
    let (mut model, mut real) = (Model::new(capacity), Real::new(capacity));
    for op in ops {
        model.step += 1;
        real.step += 1;
        if let Some(op) = model.resolve(*op) {
            assert_eq!(real.apply(op), model.apply(op), "{op:?}");
            compare(&mut model, &real);
        }
    }
    let live = real.live.clone();
    drop(real);
    assert_eq!(live.get(), 0);
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..8_usize;
    prop_oneof![
        6 => n().prop_map(|n| Op::Begin(Kind::Send, n)),
        4 => (1..4_usize, n()).prop_map(|(slots, n)| Op::Begin(Kind::Reserve(slots), n)),
        2 => (1..4_usize, n()).prop_map(|(slots, n)| Op::Begin(Kind::TryReserve(slots), n)),
        12 => (n(), 0..WAKERS).prop_map(|(n, waker)| Op::Poll(n, waker)),
        3 => n().prop_map(Op::Fill),
        4 => n().prop_map(Op::Drop),
        3 => n().prop_map(Op::TrySend),
        1 => n().prop_map(Op::Clone),
        1 => n().prop_map(Op::DropSender),
        6 => (0..WAKERS).prop_map(Op::Recv),
        3 => Just(Op::TryRecv),
        3 => (0..4_usize, 0..WAKERS).prop_map(|(limit, waker)| Op::RecvMany(limit, waker)),
        1 => n().prop_map(Op::ForceSend),
    ]
}

/// Operations that end the channel, by one end or the other, between operations that use it.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let end = prop_oneof![
        2 => Just(Op::Close),
        1 => Just(Op::DropReceiver),
        1 => Just(Op::DropSender(0)),
    ];
    (vec(op(), 1..STEPS_MAX), end, vec(op(), 0..STEPS_MAX / 3))
        .prop_map(|(before, end, after)| before.into_iter().chain([end]).chain(after).collect())
}

#[test]
fn a_bounded_channel_behaves_like_its_model() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    let strategy = (1..4_usize, ops());
    let result = TestRunner::new(config).run(&strategy, |(capacity, ops)| {
        run(capacity, &ops);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn an_unbounded_channel_behaves_like_a_deque() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    // Below 3: send. Below 5: wait for a value. 5: receive a value if one is available.
    let strategy = (vec(0..6_usize, 0..STEPS_MAX), any::<bool>());
    let result = TestRunner::new(config).run(&strategy, |(ops, is_closed)| {
        let (sender, mut receiver) = channel::unbounded();
        let log = Arc::default();
        let wakers = LogWakers::new(RECEIVER, &log);
        let (mut model, mut waits) = (VecDeque::new(), false);
        for (i, op) in ops.into_iter().enumerate() {
            let mut expected = Woken::new();
            if op < 3 {
                assert_eq!(sender.clone().send(i), Ok(()));
                model.push_back(i);
                expected.extend(waits.then_some((RECEIVER, 0)));
                waits = false;
            } else if op < 5 {
                let received = receiver.poll_recv(&mut wakers.context(0));
                let value = model.pop_front();
                waits |= value.is_none();
                assert_eq!(received, value.map_or(Poll::Pending, |value| Poll::Ready(Some(value))));
            } else {
                assert_eq!(receiver.try_recv(), model.pop_front().ok_or(TryRecvError::Empty));
            }
            assert_eq!(receiver.len(), model.len());
            assert_eq!(std::mem::take(&mut *log.lock().unwrap()), expected);
            assert_eq!(wakers.kept(), [usize::from(waits), 0]);
        }
        if is_closed {
            receiver.close();
            assert_eq!(sender.send(0), Err(SendError(0)));
        }
        drop(sender);
        let rest: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        assert_eq!(rest, Vec::from(model));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
