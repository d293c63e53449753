//! `sync::broadcast`: delivery to every receiver, lagging, cancellation, closing, wakers and values
//! that call back; and random operations against a plain sequential model.

// A `recv` or `changed` of the model is dropped before its receiver is borrowed again.
#![allow(clippy::await_holding_refcell_ref)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use evloop::sync::broadcast::{self, Receiver, RecvError, SendError, Sender, TryRecvError};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::future::LocalBoxFuture;
use panic_place::assert_points_here;
use probe::Probe;
use proptest::collection::vec;
use proptest::prelude::*;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that count what happens to them.
#[allow(dead_code, unreachable_pub)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

type Receiving<T> = LocalBoxFuture<'static, (Receiver<T>, Result<T, RecvError>)>;

/// A `recv` that owns its receiver, and returns it.
fn receiving<T: Clone + 'static>(mut receiver: Receiver<T>) -> Receiving<T> {
    async move {
        let received = receiver.recv().await;
        (receiver, received)
    }
    .boxed_local()
}

fn drain<T: Clone>(receiver: &mut Receiver<T>) -> Vec<T> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

#[test]
fn every_receiver_gets_every_value() {
    let (sender, first) = broadcast::channel(4);
    let mut receivers = [first, sender.subscribe(), sender.subscribe()];
    (0..4).for_each(|i| assert!(sender.send(i) == Ok(3)));
    for receiver in &mut receivers {
        assert_eq!(drain(receiver), [0, 1, 2, 3]);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn a_receiver_gets_the_values_sent_after_its_creation() {
    let (sender, mut first) = broadcast::channel(4);
    sender.send(1).unwrap();
    let mut second = sender.subscribe();
    sender.send(2).unwrap();
    assert_eq!((drain(&mut first), drain(&mut second)), (vec![1, 2], vec![2]));
}

#[test]
fn a_slow_receiver_gets_the_number_of_missed_values() {
    let (sender, mut slow) = broadcast::channel(2);
    let mut fast = sender.subscribe();
    for i in 0..5 {
        sender.send(i).unwrap();
        assert_eq!(fast.try_recv(), Ok(i));
    }
    assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(3)));
    assert_eq!(drain(&mut slow), [3, 4]);
    (5..8).for_each(|i| _ = sender.send(i));
    assert_eq!(slow.recv().now_or_never(), Some(Err(RecvError::Lagged(1))));
    assert_eq!(drain(&mut slow), [6, 7]);
}

#[test]
fn a_capacity_of_zero_is_refused_at_the_caller() {
    let part = "a broadcast channel needs a capacity of at least 1";
    assert_points_here(|| drop(broadcast::channel::<i32>(0)), part);
    assert_points_here(|| drop(Sender::<i32>::new(0)), part);
}

#[test]
fn a_channel_may_begin_without_a_receiver() {
    let sender = Sender::new(2);
    assert!((sender.receiver_count(), sender.send(1)) == (0, Err(SendError(1))));
    let [mut one, mut two] = [sender.subscribe(), sender.subscribe()];
    assert!(sender.is_empty() && sender.send(2) == Ok(2));
    assert_eq!((drain(&mut one), drain(&mut two)), (vec![2], vec![2]));
}

#[test]
fn the_length_of_a_receiver_counts_missed_values() {
    let (sender, mut slow) = broadcast::channel(2);
    let mut fast = sender.subscribe();
    (0..3).for_each(|i| assert!(sender.send(i) == Ok(2)));
    assert_eq!((sender.len(), slow.len(), fast.len()), (2, 3, 3));
    assert_eq!(fast.try_recv(), Err(TryRecvError::Lagged(1)));
    assert_eq!((fast.len(), drain(&mut fast), fast.is_empty()), (2, vec![1, 2], true));
    assert_eq!((sender.len(), slow.len()), (2, 3), "slow has to receive both");
    let resubscribed = slow.resubscribe();
    assert!(resubscribed.is_empty() && resubscribed.same_channel(&slow));
    assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(1)));
    assert_eq!(drain(&mut slow), [1, 2]);
    assert!(sender.is_empty() && sender.receiver_count() == 3);
    let (other, of_other) = broadcast::channel::<i32>(1);
    assert!(!slow.same_channel(&of_other) && !sender.same_channel(&other));
    assert!(sender.same_channel(&sender.clone()));
}

#[test]
fn closed_waits_until_there_is_no_receiver() {
    let (sender, receiver) = broadcast::channel::<i32>(2);
    let probe = Probe::new();
    let mut closed = Box::pin(sender.closed());
    assert!(probe.poll(&mut closed).is_pending());
    let second = sender.subscribe();
    drop(receiver);
    assert_eq!(probe.wakes_and_kept(), (0, 1));
    drop(second);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    let third = sender.subscribe();
    assert!(probe.poll(&mut closed).is_pending(), "there is a receiver again");
    drop(third);
    assert!(probe.poll(&mut closed).is_ready());
    let mut dropped = Box::pin(sender.closed());
    assert!(probe.poll(&mut dropped).is_ready(), "at once");
}

#[test]
fn waiting_receivers_are_counted() {
    let (sender, receiver) = broadcast::channel(2);
    let probe = Probe::new();
    let mut waits = [receiver.resubscribe(), receiver].map(receiving);
    assert_eq!(sender.receivers_waiting(), 0);
    waits.iter_mut().for_each(|wait| assert!(probe.poll(wait).is_pending()));
    assert_eq!(sender.receivers_waiting(), 2);
    let [first, _second] = waits;
    drop(first);
    assert_eq!(sender.receivers_waiting(), 1);
    sender.send(1).unwrap();
    assert_eq!(sender.receivers_waiting(), 0);
}

#[test]
fn a_broadcast_channel_is_closed_without_strong_senders() {
    let (sender, mut receiver) = broadcast::channel::<i32>(2);
    let weak = sender.downgrade();
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 1));
    let upgraded = weak.upgrade().unwrap();
    assert_eq!((receiver.sender_strong_count(), receiver.sender_weak_count()), (2, 1));
    assert_eq!((weak.strong_count(), weak.clone().weak_count()), (2, 2));
    let probe = Probe::new();
    {
        let mut receiving = Box::pin(receiver.recv());
        assert!(probe.poll(&mut receiving).is_pending());
        drop(sender);
        assert_eq!(probe.calls.wakes.get(), 0);
        drop(upgraded);
        assert_eq!(probe.calls.wakes.get(), 1);
    }
    assert!(receiver.is_closed() && weak.upgrade().is_none());
    drop(receiver);
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
}

#[test]
fn send_without_receivers_returns_the_value() {
    let (sender, receiver) = broadcast::channel(1);
    assert_eq!(sender.receiver_count(), 1);
    drop(receiver);
    assert!(sender.send(7) == Err(SendError(7)));
    assert_eq!(sender.receiver_count(), 0);
    let mut later = sender.subscribe();
    assert!(sender.send(8) == Ok(1));
    assert_eq!(later.try_recv(), Ok(8));
}

#[test]
fn values_sent_before_the_end_are_received() {
    let (sender, mut receiver) = broadcast::channel(4);
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    other.send(2).unwrap();
    let late = Probe::new();
    let mut waits = receiving(other.subscribe());
    assert!(late.poll(&mut waits).is_pending());
    drop(other);
    assert_eq!(late.wakes_and_kept(), (1, 0));
    assert!(matches!(late.poll(&mut waits), Poll::Ready((_, Err(RecvError::Closed)))));
    assert_eq!(drain(&mut receiver), [1, 2]);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(receiver.recv().now_or_never(), Some(Err(RecvError::Closed)));
}

#[test]
fn waiting_receivers_are_woken_in_order_and_once() {
    block_on(async {
        let (sender, first) = broadcast::channel(2);
        let order = Rc::new(RefCell::new(Vec::new()));
        let receivers = [first, sender.subscribe(), sender.subscribe()];
        let tasks = receivers.into_iter().enumerate().map(|(i, mut receiver)| {
            let order = order.clone();
            spawn(async move {
                while let Ok(value) = receiver.recv().await {
                    order.borrow_mut().push((i, value));
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for value in ["a", "b"] {
            yield_now().await;
            sender.send(value).unwrap();
        }
        drop(sender);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), [(0, "a"), (1, "a"), (2, "a"), (0, "b"), (1, "b"), (2, "b")]);
    });
}

#[test]
fn a_dropped_recv_loses_no_value_and_leaves_no_waker() {
    let (sender, mut receiver) = broadcast::channel(2);
    let probe = Probe::new();
    for woken in [false, true] {
        let mut recv = async { receiver.recv().await }.boxed_local();
        assert!(probe.poll(&mut recv).is_pending());
        if woken {
            sender.send(5).unwrap();
        }
        drop(recv);
        assert_eq!(probe.wakes_and_kept(), (usize::from(woken), 0));
    }
    assert_eq!(receiver.try_recv(), Ok(5));
}

#[test]
fn the_last_receiver_gets_the_value_itself() {
    #[derive(Debug)]
    struct Counts(Rc<Cell<usize>>);
    impl Clone for Counts {
        fn clone(&self) -> Counts {
            self.0.set(self.0.get() + 1);
            Counts(self.0.clone())
        }
    }
    let clones = Rc::new(Cell::new(0));
    let (sender, mut first) = broadcast::channel(2);
    let mut second = sender.subscribe();
    sender.send(Counts(clones.clone())).unwrap();
    drop(first.try_recv().unwrap());
    assert_eq!(clones.get(), 1);
    let last = second.try_recv().unwrap();
    assert_eq!((clones.get(), Rc::strong_count(&clones)), (1, 2), "{last:?} is the only one left");
}

#[test]
fn values_can_use_the_channel_while_they_are_cloned_and_dropped() {
    struct Uses(Sender<Option<Uses>>, Rc<Cell<usize>>);
    impl Clone for Uses {
        fn clone(&self) -> Uses {
            _ = self.0.send(None);
            Uses(self.0.clone(), self.1.clone())
        }
    }
    impl Drop for Uses {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            drop(self.0.subscribe());
        }
    }
    let (sender, mut first) = broadcast::channel(2);
    let (second, ends) = (sender.subscribe(), Rc::new(Cell::new(0)));
    _ = sender.send(Some(Uses(sender.clone(), ends.clone())));
    drop(first.try_recv());
    assert_eq!(ends.get(), 1);
    (0..3).for_each(|_| _ = sender.send(None));
    assert_eq!(ends.get(), 2, "the full channel dropped it");
    _ = sender.send(Some(Uses(sender.clone(), ends.clone())));
    drop((first, second));
    assert_eq!(ends.get(), 3, "no receiver was left");
}

#[test]
fn wakers_can_use_the_channel() {
    let (sender, receiver) = broadcast::channel(2);
    let uses = sender.clone();
    let probe = Probe::new().on_wake(move || {
        uses.send(2).unwrap();
        drop(uses.subscribe());
    });
    let cloned = sender.clone();
    let probe = probe.on_clone(move || drop(cloned));
    let dropped = sender.clone();
    let other = Probe::new().on_drop(move || drop(dropped));
    let mut waits = receiving(receiver);
    assert!(other.poll(&mut waits).is_pending() && probe.poll(&mut waits).is_pending());
    sender.send(1).unwrap();
    let Poll::Ready((mut receiver, received)) = probe.poll(&mut waits) else {
        panic!("the value is there")
    };
    assert_eq!((received, drain(&mut receiver)), (Ok(1), vec![2]));
}

#[test]
fn a_send_while_a_waker_is_cloned_is_seen() {
    let (sender, receiver) = broadcast::channel(1);
    let probe = Probe::new().on_clone(move || _ = sender.send(5).unwrap());
    let Poll::Ready((_, received)) = probe.poll(&mut receiving(receiver)) else {
        panic!("the value is there")
    };
    assert_eq!((received, probe.kept()), (Ok(5), 0));
}

#[test]
fn a_receiver_that_never_waits_lets_others_run() {
    block_on(async {
        let (sender, mut receiver) = broadcast::channel(1);
        let ran = Rc::new(Cell::new(false));
        let set = ran.clone();
        drop(spawn(async move { set.set(true) }));
        let mut turns = 0;
        while !ran.get() {
            sender.send(turns).unwrap();
            assert_eq!(receiver.recv().await, Ok(turns));
            turns += 1;
        }
        assert!(turns <= PER_POLL + 1);
    });
}

#[test]
fn a_channel_works_under_another_executor() {
    let (sender, mut receiver) = broadcast::channel(8);
    (0..3).for_each(|i| _ = sender.send(i));
    let sum = LocalPool::new().run_until(async {
        drop(sender);
        let mut sum = 0;
        while let Ok(i) = receiver.recv().await {
            sum += i;
        }
        sum
    });
    assert_eq!(sum, 3);
}

#[test]
fn errors_have_messages_and_convert_to_io_errors() {
    let errors: [(io::Error, io::ErrorKind, &str); 3] = [
        (RecvError::Lagged(3).into(), io::ErrorKind::Other, "3 values were missed"),
        (RecvError::Closed.into(), io::ErrorKind::UnexpectedEof, "the senders were dropped"),
        (TryRecvError::Empty.into(), io::ErrorKind::WouldBlock, "no value is there"),
    ];
    for (error, kind, text) in errors {
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    }
    let (sender, receiver) = broadcast::channel::<u8>(1);
    assert_eq!(
        format!("{sender:?} {receiver:?}"),
        "Sender { receivers: 1, .. } Receiver { next: 0, .. }"
    );
}

/// An operation on a channel. A number selects one of the receivers, modulo their count.
#[derive(Clone, Copy, Debug)]
enum Op {
    Send,
    Subscribe,
    /// Begins or continues a `recv`.
    Poll(usize),
    /// Drops a `recv`, if there is one, and calls `try_recv`.
    TryRecv(usize),
    Drop(usize),
    Close,
}

/// A value that counts the live values.
struct Value(usize, Rc<Cell<usize>>);

impl Value {
    fn new(step: usize, live: &Rc<Cell<usize>>) -> Value {
        live.set(live.get() + 1);
        Value(step, live.clone())
    }
}

impl Clone for Value {
    fn clone(&self) -> Value {
        Value::new(self.0, &self.1)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
    }
}

/// A waker that records the receiver it wakes.
struct LogWaker(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for LogWaker {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

type Recv = LocalBoxFuture<'static, Result<Value, RecvError>>;
type WithRecv = (Rc<RefCell<Receiver<Value>>>, Option<Recv>);

/// The channel and its model.
struct Both {
    capacity: usize,
    live: Rc<Cell<usize>>,
    log: Arc<Mutex<Vec<usize>>>,
    sender: Option<Sender<Value>>,
    /// The receivers, each with its `recv`, if one has begun.
    receivers: BTreeMap<usize, WithRecv>,
    /// The model: all values, the next value of each receiver, and the waiting receivers.
    sent: Vec<usize>,
    next: BTreeMap<usize, usize>,
    waiting: Vec<usize>,
}

impl Both {
    fn add(&mut self, id: usize, receiver: Receiver<Value>) {
        self.receivers.insert(id, (Rc::new(RefCell::new(receiver)), None));
        self.next.insert(id, self.sent.len());
    }

    fn pick(&self, n: usize) -> Option<usize> {
        self.receivers.keys().nth(n % self.receivers.len().max(1)).copied()
    }

    /// Applies an operation to both. Returns the receivers to be woken, or `None` if the operation
    /// is impossible now.
    fn apply(&mut self, step: usize, op: Op) -> Option<Vec<usize>> {
        match op {
            Op::Send => {
                let result = self.sender.as_ref()?.send(Value::new(step, &self.live));
                let result = result.map_err(|SendError(value)| value.0);
                if self.receivers.is_empty() {
                    assert_eq!(result, Err(step));
                } else {
                    assert_eq!(result, Ok(self.receivers.len()));
                    self.sent.push(step);
                    return Some(std::mem::take(&mut self.waiting));
                }
            }
            Op::Subscribe => {
                let receiver = self.sender.as_ref()?.subscribe();
                self.add(step, receiver);
            }
            Op::Poll(n) => self.poll(self.pick(n)?),
            Op::TryRecv(n) => self.try_recv(self.pick(n)?),
            Op::Drop(n) => {
                let id = self.pick(n)?;
                self.receivers.remove(&id);
                self.next.remove(&id);
                self.waiting.retain(|waits| *waits != id);
            }
            Op::Close => {
                drop(self.sender.take());
                return Some(std::mem::take(&mut self.waiting));
            }
        }
        Some(Vec::new())
    }

    fn expect(&mut self, id: usize) -> Result<usize, TryRecvError> {
        let (oldest, mine) = (self.sent.len().saturating_sub(self.capacity), self.next[&id]);
        if mine < oldest {
            self.next.insert(id, oldest);
            return Err(TryRecvError::Lagged((oldest - mine) as u64));
        }
        let value = self.sent.get(mine).copied();
        self.next.insert(id, mine + usize::from(value.is_some()));
        value.ok_or(match self.sender {
            Some(_) => TryRecvError::Empty,
            None => TryRecvError::Closed,
        })
    }

    fn try_recv(&mut self, id: usize) {
        let expected = self.expect(id);
        let (receiver, recv) = self.receivers.get_mut(&id).unwrap();
        drop(recv.take());
        self.waiting.retain(|waits| *waits != id);
        assert_eq!(receiver.borrow_mut().try_recv().map(|value| value.0), expected);
    }

    fn poll(&mut self, id: usize) {
        let expected = self.expect(id);
        let (receiver, recv) = self.receivers.get_mut(&id).unwrap();
        let mut polls = recv.take().unwrap_or_else(|| {
            let receiver = receiver.clone();
            async move { receiver.borrow_mut().recv().await }.boxed_local()
        });
        let waker = Waker::from(Arc::new(LogWaker(id, self.log.clone())));
        let polled = polls.poll_unpin(&mut Context::from_waker(&waker));
        let polled = polled.map(|r| r.map(|value| value.0).map_err(TryRecvError::from));
        if expected != Err(TryRecvError::Empty) {
            assert_eq!(polled, Poll::Ready(expected));
            return;
        }
        assert_eq!(polled, Poll::Pending);
        *recv = Some(polls);
        if !self.waiting.contains(&id) {
            self.waiting.push(id);
        }
    }

    fn compare(&self) {
        let oldest = self.sent.len().saturating_sub(self.capacity);
        let is_unread = |i: &usize| self.next.values().any(|next| next <= i);
        assert_eq!(self.live.get(), (oldest..self.sent.len()).filter(is_unread).count());
        if let Some(sender) = &self.sender {
            assert_eq!(sender.receiver_count(), self.receivers.len());
        }
    }
}

fn run(capacity: usize, ops: Vec<Op>) {
    let (sender, first) = broadcast::channel(capacity);
    let mut both = Both {
        capacity,
        live: Rc::default(),
        log: Arc::default(),
        sender: Some(sender),
        receivers: BTreeMap::new(),
        sent: Vec::new(),
        next: BTreeMap::new(),
        waiting: Vec::new(),
    };
    both.add(0, first);
    for (step, op) in (1..).zip(ops) {
        let Some(woken) = both.apply(step, op) else { continue };
        assert_eq!(std::mem::take(&mut *both.log.lock().unwrap()), woken);
        both.compare();
    }
    let live = both.live.clone();
    drop(both);
    assert_eq!(live.get(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_channel_behaves_like_its_model(
        capacity in 1..4_usize,
        ops in vec(
            prop_oneof![
                10 => Just(Op::Send),
                2 => Just(Op::Subscribe),
                8 => (0..8_usize).prop_map(Op::Poll),
                8 => (0..8_usize).prop_map(Op::TryRecv),
                2 => (0..8_usize).prop_map(Op::Drop),
            ],
            0..100,
        ),
        after in vec((0..8_usize).prop_map(Op::Poll), 0..30),
    ) {
        run(capacity, ops.into_iter().chain([Op::Close]).chain(after).collect());
    }
}
