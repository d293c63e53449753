//! A channel against a plain sequential model: random operations on both, compared at each step.
//!
//! What is compared: the answer, who is woken and in which order, the counts that the halves tell,
//! which wakers are kept, and how many values live. A failure prints the shortest list of
//! operations that shows it.

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

/// Lists of operations: enough for a second or two.
const CASES: u32 = 500;
/// The longest of the lists has about so many operations.
const STEPS_MAX: usize = 150;
/// A future is polled with one or the other of so many wakers.
const WAKERS: usize = 2;
/// In the place of a future's id: the receiver.
const RECEIVER: usize = usize::MAX;

/// What is done to a queue. A number stands for one of the senders, or of the futures that began;
/// it counts round.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Begins a future, which is not polled yet: `send`, `reserve`, or a `try_reserve` whose permit
    /// is held.
    Begin(Kind, usize),
    Poll(usize, usize),
    /// Gives a permit its value.
    Fill(usize),
    /// Drops a future: never polled, waiting, chosen, or with a permit.
    Drop(usize),
    TrySend(usize),
    Clone(usize),
    DropSender(usize),
    /// A `recv` that is polled once and dropped.
    Recv(usize),
    TryRecv,
    Close,
    DropReceiver,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Send,
    Reserve,
    TryReserve,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Pending,
    /// With the value that came back, where there was one.
    Full(Option<usize>),
    Closed(Option<usize>),
    Value(usize),
    Empty,
}

/// Who was woken: a future, or the receiver; and with which of its wakers.
type Woken = Vec<(usize, usize)>;

/// What the queue should be: all that its halves know, in plain collections.
struct Model {
    capacity: usize,
    values: VecDeque<usize>,
    /// Futures that wait for a slot.
    line: VecDeque<usize>,
    futures: BTreeMap<usize, Plan>,
    senders: BTreeSet<usize>,
    is_closed: bool,
    has_receiver: bool,
    /// The waker of a receiver that waits.
    receiver: Option<usize>,
    woken: Woken,
    /// Ids are the numbers of the steps; so are the values.
    step: usize,
}

struct Plan {
    kind: Kind,
    value: usize,
    state: State,
    waker: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    New,
    Waiting,
    Chosen,
    Holding,
}

impl Model {
    fn new(capacity: usize) -> Model {
        Model {
            capacity,
            values: VecDeque::new(),
            line: VecDeque::new(),
            futures: BTreeMap::new(),
            senders: BTreeSet::from([0]),
            is_closed: false,
            has_receiver: true,
            receiver: None,
            woken: Woken::new(),
            step: 0,
        }
    }

    /// The same operation with the ids of what there is; `None`, if it can not be done now.
    fn resolve(&self, op: Op) -> Option<Op> {
        let sender = |n: usize| self.senders.iter().nth(n % self.senders.len().max(1)).copied();
        let future = |n: usize, may: fn(&Plan) -> bool| {
            let ids: Vec<_> = self.futures.iter().filter(|(_, plan)| may(plan)).collect();
            (!ids.is_empty()).then(|| *ids[n % ids.len()].0)
        };
        let holds = |plan: &Plan| plan.state == State::Holding;
        Some(match op {
            Op::Begin(kind, n) => Op::Begin(kind, sender(n)?),
            Op::TrySend(n) => Op::TrySend(sender(n)?),
            Op::Clone(n) => Op::Clone(sender(n)?),
            Op::DropSender(n) => Op::DropSender(sender(n)?),
            Op::Poll(n, waker) => {
                Op::Poll(future(n, |plan| plan.state != State::Holding)?, waker % WAKERS)
            }
            Op::Fill(n) => Op::Fill(future(n, holds)?),
            Op::Drop(n) => Op::Drop(future(n, |_| true)?),
            Op::Recv(waker) => Op::Recv(waker % WAKERS),
            Op::TryRecv | Op::Close | Op::DropReceiver => op,
        })
        .filter(|op| {
            let receives = matches!(op, Op::Recv(_) | Op::TryRecv | Op::Close | Op::DropReceiver);
            self.has_receiver || !receives
        })
    }

    fn apply(&mut self, op: Op) -> Answer {
        let id = self.step;
        match op {
            Op::Begin(kind, _) => {
                let plan = Plan { kind, value: id, state: State::New, waker: 0 };
                self.futures.insert(id, plan);
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
            Op::Clone(_) => drop(self.senders.insert(id)),
            Op::DropSender(id) => {
                self.senders.remove(&id);
                self.after_a_sender();
            }
            Op::Recv(_) | Op::TryRecv => return self.receive(op),
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
        let plan = self.futures.get_mut(&id).unwrap();
        let came_back = (plan.kind == Kind::Send).then_some(plan.value);
        if is_closed {
            self.end(id);
            return Answer::Closed(came_back);
        }
        let is_free = plan.state == State::New && free > 0;
        if !is_free && plan.state != State::Chosen {
            if plan.kind == Kind::TryReserve {
                self.end(id);
                return Answer::Full(None);
            }
            if plan.state == State::New {
                self.line.push_back(id);
            }
            (plan.state, plan.waker) = (State::Waiting, waker);
            return Answer::Pending;
        }
        plan.state = State::Holding;
        match plan.kind {
            Kind::Send => self.fill(id),
            Kind::Reserve | Kind::TryReserve => return Answer::Pending,
        }
        Answer::Done
    }

    fn fill(&mut self, id: usize) {
        let value = self.futures[&id].value;
        self.futures.get_mut(&id).unwrap().state = State::New;
        self.push(value);
        self.end(id);
    }

    fn drop_future(&mut self, id: usize) {
        let state = self.futures[&id].state;
        self.futures.get_mut(&id).unwrap().state = State::New;
        self.line.retain(|waiting| *waiting != id);
        if matches!(state, State::Chosen | State::Holding) {
            self.release();
            if self.is_closed {
                self.wake_receiver();
            }
        }
        self.end(id);
    }

    /// The future is gone, and its sender with it if that was dropped.
    fn end(&mut self, id: usize) {
        self.futures.remove(&id);
        self.after_a_sender();
    }

    fn after_a_sender(&mut self) {
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
        if self.kept() == 0 && (self.is_closed || !self.has_senders()) {
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

    fn close(&mut self) {
        self.is_closed = true;
        for plan in self.futures.values_mut().filter(|plan| plan.state == State::Chosen) {
            plan.state = State::New;
        }
        for id in std::mem::take(&mut self.line) {
            let plan = self.futures.get_mut(&id).unwrap();
            plan.state = State::New;
            self.woken.push((id, plan.waker));
        }
    }

    /// A slot came free: it goes to who waited longest.
    fn release(&mut self) {
        if let Some(id) = self.line.pop_front() {
            let plan = self.futures.get_mut(&id).unwrap();
            plan.state = State::Chosen;
            self.woken.push((id, plan.waker));
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

    /// Slots that are kept for somebody.
    fn kept(&self) -> usize {
        let keeps = |plan: &&Plan| matches!(plan.state, State::Chosen | State::Holding);
        self.futures.values().filter(keeps).count()
    }

    fn free(&self) -> usize {
        self.capacity - self.values.len() - self.kept()
    }

    /// Values in the queue and in futures that did not send theirs.
    fn live_values(&self) -> usize {
        let unsent = self.futures.values().filter(|plan| plan.kind == Kind::Send).count();
        self.values.len() + unsent
    }
}

/// The queue itself, and the futures that use it.
struct Real {
    /// A sender lives as long as a future that borrows it.
    senders: BTreeMap<usize, Rc<Sender<Value>>>,
    receiver: Option<Receiver<Value>>,
    futures: BTreeMap<usize, Begun>,
    bells: Bells,
    log: Arc<Mutex<Woken>>,
    live: Rc<Cell<usize>>,
    step: usize,
}

struct Begun {
    future: LocalBoxFuture<'static, Answer>,
    /// What its permit is to send.
    fill: Rc<Cell<Option<Value>>>,
    bells: Bells,
}

/// Counts the values that live.
#[derive(Debug)]
struct Value(usize, Rc<Cell<usize>>);

/// Notes who is woken.
struct Bell(usize, usize, Arc<Mutex<Woken>>);

struct Bells([(Arc<Bell>, Waker); WAKERS]);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.2.lock().unwrap().push((self.0, self.1));
    }
}

impl Bells {
    fn new(id: usize, log: &Arc<Mutex<Woken>>) -> Bells {
        Bells(std::array::from_fn(|waker| {
            let bell = Arc::new(Bell(id, waker, log.clone()));
            (bell.clone(), Waker::from(bell))
        }))
    }

    fn context(&self, waker: usize) -> Context<'_> {
        Context::from_waker(&self.0[waker].1)
    }

    /// Of each waker, how many clones the queue keeps.
    fn kept(&self) -> [usize; WAKERS] {
        self.0.each_ref().map(|(bell, _)| Arc::strong_count(bell) - 2)
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
            bells: Bells::new(RECEIVER, &log),
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
            let permit = match kind {
                Kind::Send => {
                    return match sender.send(value.unwrap()).await {
                        Ok(()) => Answer::Done,
                        Err(SendError(value)) => Answer::Closed(Some(value.0)),
                    };
                }
                Kind::Reserve => {
                    sender.reserve().await.map_err(|SendError(())| Answer::Closed(None))
                }
                Kind::TryReserve => sender.try_reserve().map_err(|error| match error {
                    TrySendError::Full(()) => Answer::Full(None),
                    TrySendError::Closed(()) => Answer::Closed(None),
                }),
            };
            let filled = poll_fn(|_| filling.take().map_or(Poll::Pending, Poll::Ready));
            match permit {
                Ok(permit) => permit.send(filled.await),
                Err(answer) => return answer,
            }
            Answer::Done
        };
        Begun { future: future.boxed_local(), fill, bells: Bells::new(self.step, &self.log) }
    }

    fn apply(&mut self, op: Op) -> Answer {
        match op {
            Op::Begin(kind, sender) => {
                drop(self.futures.insert(self.step, self.begin(kind, sender)));
            }
            Op::Poll(id, waker) => return self.poll(id, waker),
            Op::Fill(id) => {
                self.futures[&id].fill.set(Some(self.value()));
                return self.poll(id, 0);
            }
            Op::Drop(id) => drop(self.futures.remove(&id)),
            Op::TrySend(sender) => match self.senders[&sender].try_send(self.value()) {
                Ok(()) => {}
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
                return match recv.poll_unpin(&mut self.bells.context(waker)) {
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
            Op::Close => self.receiver.as_mut().unwrap().close(),
            Op::DropReceiver => drop(self.receiver.take()),
        }
        Answer::Done
    }

    fn poll(&mut self, id: usize, waker: usize) -> Answer {
        let begun = self.futures.get_mut(&id).unwrap();
        match begun.future.poll_unpin(&mut begun.bells.context(waker)) {
            Poll::Ready(answer) => {
                self.futures.remove(&id);
                answer
            }
            Poll::Pending => Answer::Pending,
        }
    }
}

/// What both tell of themselves after a step.
fn assert_alike(model: &mut Model, real: &Real) {
    assert_eq!(std::mem::take(&mut *real.log.lock().unwrap()), std::mem::take(&mut model.woken));
    assert_eq!(real.live.get(), model.live_values());
    assert!(model.line.is_empty() || model.is_closed || model.free() == 0);
    if let Some(receiver) = &real.receiver {
        assert_eq!(receiver.len(), model.values.len());
        assert_eq!(receiver.is_empty(), model.values.is_empty());
    }
    for sender in real.senders.values() {
        assert_eq!(sender.is_closed(), model.is_closed);
        assert!(model.is_closed || sender.free() == model.free());
    }
    let kept = |waker: Option<usize>| std::array::from_fn(|i| usize::from(Some(i) == waker));
    assert_eq!(real.bells.kept(), kept(model.receiver));
    assert!(real.futures.keys().eq(model.futures.keys()));
    for (begun, plan) in real.futures.values().zip(model.futures.values()) {
        let waits = plan.state == State::Waiting;
        assert_eq!(begun.bells.kept(), kept(waits.then_some(plan.waker)));
    }
}

fn run(capacity: usize, ops: &[Op]) {
    let (mut model, mut real) = (Model::new(capacity), Real::new(capacity));
    for op in ops {
        model.step += 1;
        real.step += 1;
        if let Some(op) = model.resolve(*op) {
            assert_eq!(real.apply(op), model.apply(op), "{op:?}");
            assert_alike(&mut model, &real);
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
        3 => n().prop_map(|n| Op::Begin(Kind::Reserve, n)),
        1 => n().prop_map(|n| Op::Begin(Kind::TryReserve, n)),
        12 => (n(), 0..WAKERS).prop_map(|(n, waker)| Op::Poll(n, waker)),
        3 => n().prop_map(Op::Fill),
        4 => n().prop_map(Op::Drop),
        3 => n().prop_map(Op::TrySend),
        1 => n().prop_map(Op::Clone),
        1 => n().prop_map(Op::DropSender),
        6 => (0..WAKERS).prop_map(Op::Recv),
        3 => Just(Op::TryRecv),
    ]
}

/// Operations that end the queue, by one end or the other, amid those that use it.
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
fn a_bounded_queue_does_what_the_model_does() {
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
fn an_unbounded_queue_does_what_a_deque_does() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    // Below 3: send. Below 5: wait for a value. 5: take one if it is there.
    let strategy = (vec(0..6_usize, 0..STEPS_MAX), any::<bool>());
    let result = TestRunner::new(config).run(&strategy, |(ops, is_closed)| {
        let (sender, mut receiver) = channel::unbounded();
        let log = Arc::default();
        let bells = Bells::new(RECEIVER, &log);
        let (mut model, mut waits) = (VecDeque::new(), false);
        for (i, op) in ops.into_iter().enumerate() {
            let mut expected = Woken::new();
            if op < 3 {
                assert_eq!(sender.clone().send(i), Ok(()));
                model.push_back(i);
                expected.extend(waits.then_some((RECEIVER, 0)));
                waits = false;
            } else if op < 5 {
                let received = receiver.poll_recv(&mut bells.context(0));
                let value = model.pop_front();
                waits |= value.is_none();
                assert_eq!(received, value.map_or(Poll::Pending, |value| Poll::Ready(Some(value))));
            } else {
                assert_eq!(receiver.try_recv(), model.pop_front().ok_or(TryRecvError::Empty));
            }
            assert_eq!(receiver.len(), model.len());
            assert_eq!(std::mem::take(&mut *log.lock().unwrap()), expected);
            assert_eq!(bells.kept(), [usize::from(waits), 0]);
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
