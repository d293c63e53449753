//! `sync::watch`: the newest value, what counts as seen, values held across a change, closing,
//! wakers and values that call back; and random operations against a plain sequential model.

// A `recv` or `changed` of the model is dropped before its receiver is borrowed again.
#![allow(clippy::await_holding_refcell_ref)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use evloop::sync::watch::{self, Receiver, Ref, SendError};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use panic_place::assert_points_here;
use probe::{Drops, Probe};
use proptest::collection::vec;
use proptest::prelude::*;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that count what happens to them.
#[allow(unreachable_pub)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

fn message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().unwrap().to_string(),
    }
}

#[test]
fn receivers_see_the_newest_value() {
    let (sender, mut receiver) = watch::channel(0);
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (Ok(false), 0));
    assert!(receiver.changed().now_or_never().is_none());
    (1..4).for_each(|i| sender.send(i).unwrap());
    assert_eq!(receiver.has_changed(), Ok(true));
    assert_eq!(*receiver.borrow(), 3, "borrow does not mark it as seen");
    assert_eq!(receiver.changed().now_or_never(), Some(Ok(())), "one change stands for three");
    assert_eq!((receiver.has_changed(), *sender.borrow()), (Ok(false), 3));
    sender.send(4).unwrap();
    assert_eq!(*receiver.borrow_and_update(), 4);
    assert!(receiver.changed().now_or_never().is_none());
}

#[test]
fn a_new_receiver_has_seen_the_value_and_a_clone_keeps_its_state() {
    let (sender, old) = watch::channel('a');
    sender.send('b').unwrap();
    assert_eq!(sender.subscribe().has_changed(), Ok(false));
    assert_eq!(old.clone().has_changed(), Ok(true));
    assert_eq!(sender.receiver_count(), 1);
}

#[test]
fn a_held_value_stays_unchanged() {
    let (sender, receiver) = watch::channel(vec![1]);
    let held = receiver.borrow();
    sender.send(vec![2]).unwrap();
    assert_eq!((&*held, &*receiver.borrow()), (&vec![1], &vec![2]));
    let held = sender.borrow();
    sender.send_modify(|value| value.push(3));
    assert!(sender.send_if_modified(|value| value.pop() == Some(3)));
    sender.send_modify(|value| value.push(4));
    drop(sender);
    assert_eq!((&*held, &*receiver.borrow()), (&vec![2], &vec![2, 4]));
    assert_eq!(format!("{held:?}"), "[2]");
}

#[test]
fn a_value_that_is_not_held_is_modified_in_place() {
    #[derive(Default)]
    struct Counts(Rc<Cell<usize>>);
    impl Clone for Counts {
        fn clone(&self) -> Counts {
            self.0.set(self.0.get() + 1);
            Counts(self.0.clone())
        }
    }
    let clones = Rc::new(Cell::new(0));
    let (sender, receiver) = watch::channel(Counts(clones.clone()));
    sender.send_modify(|_| {});
    assert_eq!(clones.get(), 0);
    let held = receiver.borrow();
    sender.send_modify(|_| {});
    sender.send_modify(|_| {});
    assert_eq!(clones.get(), 1);
    drop(held);
}

#[test]
fn send_if_modified_notifies_only_if_it_returns_true() {
    let (sender, receiver) = watch::channel(1);
    assert!(!sender.send_if_modified(|value| *value > 1));
    assert_eq!(receiver.has_changed(), Ok(false));
    assert!(sender.send_if_modified(|value| {
        *value += 1;
        true
    }));
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (Ok(true), 2));
}

#[test]
fn use_of_the_value_while_it_is_modified_panics() {
    let (sender, receiver) = watch::channel(1);
    let changed = "a watched value was changed while it was being modified";
    let borrowed = "a watched value was borrowed while it was being modified";
    assert_points_here(|| sender.send_modify(|_| _ = sender.send(5)), changed);
    assert_points_here(|| sender.send_modify(|_| sender.send_modify(|_| {})), changed);
    assert_points_here(|| sender.send_modify(|_| _ = sender.send_replace(5)), changed);
    assert_points_here(|| sender.send_modify(|_| drop(receiver.borrow())), borrowed);
    assert_points_here(|| sender.send_modify(|_| drop(sender.borrow())), borrowed);
    let panics = |value: &mut i32| {
        *value = 7;
        panic!("a panic of the caller")
    };
    assert_eq!(message(|| sender.send_modify(panics)), "a panic of the caller");
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (Ok(false), 7));
    sender.send(8).unwrap();
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (Ok(true), 8));
}

#[test]
fn send_without_receivers_returns_the_value_and_send_modify_changes_it() {
    let (sender, receiver) = watch::channel(1);
    drop(receiver);
    assert!(sender.is_closed() && sender.send(2) == Err(SendError(2)));
    assert_eq!(*sender.borrow(), 1);
    sender.send_modify(|value| *value = 3);
    assert_eq!(*sender.subscribe().borrow(), 3);
}

#[test]
fn senders_of_a_watch_channel_are_counted() {
    let (sender, receiver) = watch::channel(0);
    let (other, _) = watch::channel(0);
    let clone = sender.clone();
    assert_eq!(sender.sender_count(), 2);
    assert!(sender.same_channel(&clone) && !sender.same_channel(&other));
    assert!(
        receiver.same_channel(&sender.subscribe()) && !receiver.same_channel(&other.subscribe())
    );
    drop(clone);
    assert!(sender.sender_count() == 1 && !receiver.is_closed());
    drop(sender);
    assert!(receiver.is_closed());
}

#[test]
fn send_replace_needs_no_receiver_and_returns_the_old_value() {
    let sender = watch::Sender::new(vec![1]);
    assert_eq!((sender.receiver_count(), sender.send_replace(vec![2])), (0, vec![1]));
    let (mut receiver, held) = (sender.subscribe(), sender.borrow());
    let probe = Probe::new();
    {
        let mut changed = Box::pin(receiver.changed());
        assert!(probe.poll(&mut changed).is_pending());
        assert_eq!(sender.receivers_waiting(), 1);
        assert_eq!(sender.send_replace(vec![3]), [2], "a clone, since it is held");
        assert_eq!((probe.wakes_and_kept(), sender.receivers_waiting()), ((1, 0), 0));
    }
    assert_eq!((&*held, &*receiver.borrow_and_update()), (&vec![2], &vec![3]));
}

#[test]
fn a_value_can_be_marked_as_seen_or_not_seen() {
    let (sender, mut receiver) = watch::channel(1);
    receiver.mark_changed();
    assert_eq!(receiver.has_changed(), Ok(true));
    assert_eq!(receiver.clone().has_changed(), Ok(true));
    assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
    assert!(receiver.changed().now_or_never().is_none(), "once");
    sender.send(2).unwrap();
    receiver.mark_unchanged();
    assert_eq!(receiver.has_changed(), Ok(false));
    drop(sender);
    receiver.mark_changed();
    assert_eq!(receiver.changed().now_or_never(), Some(Ok(())), "also without senders");
    assert!(receiver.changed().now_or_never().unwrap().is_err());
}

#[test]
fn a_borrowed_value_knows_whether_it_was_seen_before() {
    let (sender, mut receiver) = watch::channel(1);
    assert!(!receiver.borrow().has_changed() && !sender.borrow().has_changed());
    sender.send(2).unwrap();
    assert!(receiver.borrow().has_changed() && !sender.borrow().has_changed());
    let held = receiver.borrow_and_update();
    assert!(held.has_changed() && !receiver.borrow().has_changed());
    let same = receiver.wait_for(|value| *value == 2).now_or_never().unwrap().unwrap();
    assert!(!same.has_changed() && held.has_changed());
    sender.send(3).unwrap();
    let new = receiver.wait_for(|value| *value == 3).now_or_never().unwrap().unwrap();
    assert_eq!((*new, new.has_changed()), (3, true));
}

#[test]
fn receivers_see_the_last_change_before_the_end() {
    let (sender, mut receiver) = watch::channel(1);
    let other = sender.clone();
    let probe = Probe::new();
    let mut waits = receiver.clone();
    let mut changed = async move { waits.changed().await }.boxed_local();
    assert!(probe.poll(&mut changed).is_pending());
    drop(sender);
    assert_eq!(probe.wakes_and_kept(), (0, 1));
    drop(other);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert!(matches!(probe.poll(&mut changed), Poll::Ready(Err(_))));
    assert!(receiver.has_changed().is_err() && *receiver.borrow() == 1);
    let (sender, mut late) = watch::channel(1);
    sender.send(2).unwrap();
    drop(sender);
    assert_eq!(late.has_changed(), Ok(true));
    assert_eq!(late.changed().now_or_never(), Some(Ok(())));
    let error = late.changed().now_or_never().unwrap().unwrap_err();
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(error.to_string(), "the value will not change: its senders were dropped");
    assert!(receiver.wait_for(|value| *value == 1).now_or_never().unwrap().is_ok());
    assert!(receiver.wait_for(|value| *value == 2).now_or_never().unwrap().is_err());
}

#[test]
fn closed_waits_for_the_last_receiver() {
    let (sender, receiver) = watch::channel(());
    let other = receiver.clone();
    let probe = Probe::new();
    let mut closed = async { sender.closed().await }.boxed_local();
    assert!(probe.poll(&mut closed).is_pending());
    drop(receiver);
    assert_eq!(probe.wakes_and_kept(), (0, 1));
    drop(other);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    let back = sender.subscribe();
    assert!(probe.poll(&mut closed).is_pending(), "there is a receiver again");
    drop(back);
    assert!(probe.poll(&mut closed).is_ready());
    assert_eq!(sender.closed().now_or_never(), Some(()));
}

#[test]
fn wait_for_checks_the_newest_value_at_each_poll() {
    block_on(async {
        let (sender, mut receiver) = watch::channel(0);
        let waits = spawn(async move {
            let mut asked = Vec::new();
            let value = receiver.wait_for(|value| {
                asked.push(*value);
                *value >= 3
            });
            let value = *value.await.unwrap();
            (value, asked, receiver.has_changed())
        });
        for i in [1, 2, 5] {
            yield_now().await;
            sender.send(i).unwrap();
        }
        let (value, asked, has_changed) = waits.await.unwrap();
        assert_eq!((value, asked), (5, vec![0, 1, 2, 5]));
        assert_eq!(has_changed, Ok(false));
    });
}

#[test]
fn waiting_receivers_are_woken_in_order() {
    block_on(async {
        let (sender, receiver) = watch::channel(0);
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..3)
            .map(|i| {
                let (mut receiver, order) = (receiver.clone(), order.clone());
                spawn(async move {
                    while receiver.changed().await.is_ok() {
                        order.borrow_mut().push((i, *receiver.borrow()));
                    }
                })
            })
            .collect();
        for value in [7, 8] {
            yield_now().await;
            sender.send(value).unwrap();
        }
        yield_now().await;
        drop(sender);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), [(0, 7), (1, 7), (2, 7), (0, 8), (1, 8), (2, 8)]);
    });
}

#[test]
fn a_dropped_wait_loses_no_change_and_leaves_no_waker() {
    let (sender, mut receiver) = watch::channel(0);
    let probe = Probe::new();
    for woken in [false, true] {
        let mut changed = async { receiver.changed().await }.boxed_local();
        assert!(probe.poll(&mut changed).is_pending());
        if woken {
            sender.send(5).unwrap();
        }
        drop(changed);
        assert_eq!(probe.wakes_and_kept(), (usize::from(woken), 0));
    }
    assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
}

#[test]
fn wakers_and_values_can_use_the_channel() {
    struct Uses(Option<watch::Sender<Uses>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            if let Some(sender) = self.0.take() {
                assert!(sender.send(Uses(None)).is_ok());
                drop(sender.borrow());
            }
        }
    }
    let (sender, receiver) = watch::channel(Uses(None));
    assert!(sender.send(Uses(Some(sender.clone()))).is_ok());
    assert!(sender.send(Uses(None)).is_ok());
    assert!(receiver.borrow().0.is_none());

    let (sender, receiver) = watch::channel(0);
    let (wakes, clones, drops) = (sender.clone(), sender.clone(), sender.clone());
    let probe = Probe::new()
        .on_wake(move || wakes.send(2).unwrap())
        .on_clone(move || drop(clones.borrow()))
        .on_drop(move || drop(drops));
    let mut waits = receiver.clone();
    let mut changed = async move { waits.changed().await.map(|()| *waits.borrow()) }.boxed_local();
    assert!(probe.poll(&mut changed).is_pending());
    sender.send(1).unwrap();
    assert_eq!(probe.poll(&mut changed), Poll::Ready(Ok(2)));
}

#[test]
fn a_change_while_a_waker_is_cloned_is_seen() {
    let (sender, mut receiver) = watch::channel(0);
    let probe = Probe::new().on_clone(move || sender.send(5).unwrap());
    let mut changed = async { receiver.changed().await }.boxed_local();
    assert_eq!(probe.poll(&mut changed), Poll::Ready(Ok(())));
    assert_eq!(probe.kept(), 0);
}

#[test]
fn values_are_dropped_once() {
    let drops = Drops::default();
    let (sender, receiver) = watch::channel(drops.value());
    let held = receiver.borrow();
    assert!(sender.send(drops.value()).is_ok());
    assert_eq!(drops.count(), 0);
    drop(held);
    assert_eq!(drops.count(), 1);
    drop((sender, receiver));
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_receiver_that_never_waits_lets_others_run() {
    block_on(async {
        let (sender, mut receiver) = watch::channel(0);
        for waits in [false, true] {
            let ran = Rc::new(Cell::new(false));
            let set = ran.clone();
            drop(spawn(async move { set.set(true) }));
            let mut turns = 0;
            while !ran.get() {
                turns += 1;
                sender.send(turns).unwrap();
                match waits {
                    true => drop(receiver.wait_for(|value| *value == turns).await.unwrap()),
                    false => receiver.changed().await.unwrap(),
                }
            }
            assert!(turns <= PER_POLL + 1);
        }
    });
}

#[test]
fn halves_implement_debug() {
    let (sender, receiver) = watch::channel(0);
    sender.send(1).unwrap();
    let text = "Sender { version: 1, .. } Receiver { seen: 0, .. }";
    assert_eq!(format!("{sender:?} {receiver:?}"), text);
}

/// An operation on a channel. A number selects one of the receivers, modulo their count.
#[derive(Clone, Copy, Debug)]
enum Op {
    Send,
    Modify(bool),
    Subscribe,
    Clone(usize),
    /// Begins or continues a `changed`.
    Changed(usize),
    /// Drops a `changed`, if there is one, and borrows the value as seen.
    Update(usize),
    /// Borrows the value, and holds it until the end.
    Hold(usize),
    Drop(usize),
    Close,
}

/// A waker that records the receiver it wakes.
struct LogWaker(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for LogWaker {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

type Watching = (Rc<RefCell<Receiver<usize>>>, Option<LocalBoxFuture<'static, bool>>);

/// The channel and its model.
struct Both {
    log: Arc<Mutex<Vec<usize>>>,
    sender: Option<watch::Sender<usize>>,
    /// The receivers, each with its `changed`, if one has begun.
    receivers: BTreeMap<usize, Watching>,
    held: Vec<(Ref<usize>, usize)>,
    /// The model: the value, the receivers that have not seen it, and the waiting receivers.
    value: usize,
    unseen: BTreeMap<usize, bool>,
    waiting: Vec<usize>,
}

impl Both {
    fn add(&mut self, id: usize, receiver: Receiver<usize>, unseen: bool) {
        self.receivers.insert(id, (Rc::new(RefCell::new(receiver)), None));
        self.unseen.insert(id, unseen);
    }

    fn pick(&self, n: usize) -> Option<usize> {
        self.receivers.keys().nth(n % self.receivers.len().max(1)).copied()
    }

    /// Applies an operation to both. Returns the receivers to be woken, or `None` if the operation
    /// is impossible now.
    fn apply(&mut self, step: usize, op: Op) -> Option<Vec<usize>> {
        match op {
            Op::Send | Op::Modify(_) => return self.change(step, op),
            Op::Subscribe => {
                let receiver = self.sender.as_ref()?.subscribe();
                self.add(step, receiver, false);
            }
            Op::Clone(n) => {
                let id = self.pick(n)?;
                let (receiver, changed) = &self.receivers[&id];
                // A `changed` borrows its receiver.
                let clone = changed.is_none().then(|| receiver.borrow().clone())?;
                self.add(step, clone, self.unseen[&id]);
            }
            Op::Changed(n) => self.poll(self.pick(n)?),
            Op::Update(n) => self.look(self.pick(n)?, false),
            Op::Hold(n) => self.look(self.pick(n)?, true),
            Op::Drop(n) => {
                let id = self.pick(n)?;
                self.receivers.remove(&id);
                self.unseen.remove(&id);
                self.waiting.retain(|waits| *waits != id);
            }
            Op::Close => {
                drop(self.sender.take());
                return Some(std::mem::take(&mut self.waiting));
            }
        }
        Some(Vec::new())
    }

    fn change(&mut self, step: usize, op: Op) -> Option<Vec<usize>> {
        let sender = self.sender.as_ref()?;
        let notifies = match op {
            Op::Modify(is_modified) => {
                let modify = |value: &mut usize| {
                    *value = step;
                    is_modified
                };
                assert_eq!(sender.send_if_modified(modify), is_modified);
                self.value = step;
                is_modified
            }
            _ => {
                let is_sent = sender.send(step).is_ok();
                assert_eq!(is_sent, !self.receivers.is_empty());
                self.value = if is_sent { step } else { self.value };
                is_sent
            }
        };
        if !notifies {
            return Some(Vec::new());
        }
        self.unseen.values_mut().for_each(|unseen| *unseen = true);
        Some(std::mem::take(&mut self.waiting))
    }

    fn poll(&mut self, id: usize) {
        let (receiver, changed) = self.receivers.get_mut(&id).unwrap();
        let mut polls = changed.take().unwrap_or_else(|| {
            let receiver = receiver.clone();
            async move { receiver.borrow_mut().changed().await.is_ok() }.boxed_local()
        });
        let waker = Waker::from(Arc::new(LogWaker(id, self.log.clone())));
        let polled = polls.poll_unpin(&mut Context::from_waker(&waker));
        let is_unseen = self.unseen.insert(id, false).unwrap();
        if is_unseen || self.sender.is_none() {
            assert_eq!(polled, Poll::Ready(is_unseen));
            return;
        }
        assert_eq!(polled, Poll::Pending);
        *changed = Some(polls);
        if !self.waiting.contains(&id) {
            self.waiting.push(id);
        }
    }

    fn look(&mut self, id: usize, holds: bool) {
        let (receiver, changed) = self.receivers.get_mut(&id).unwrap();
        drop(changed.take());
        self.waiting.retain(|waits| *waits != id);
        let mut receiver = receiver.borrow_mut();
        let is_unseen = self.unseen[&id];
        let known = (is_unseen || self.sender.is_some()).then_some(is_unseen);
        assert_eq!(receiver.has_changed().ok(), known);
        if holds {
            self.held.push((receiver.borrow(), self.value));
        } else {
            assert_eq!(*receiver.borrow_and_update(), self.value);
            self.unseen.insert(id, false);
        }
    }
}

fn run(ops: Vec<Op>) {
    let (sender, first) = watch::channel(0);
    let mut both = Both {
        log: Arc::default(),
        sender: Some(sender),
        receivers: BTreeMap::new(),
        held: Vec::new(),
        value: 0,
        unseen: BTreeMap::new(),
        waiting: Vec::new(),
    };
    both.add(0, first, false);
    for (step, op) in (1..).zip(ops) {
        let Some(woken) = both.apply(step, op) else { continue };
        assert_eq!(std::mem::take(&mut *both.log.lock().unwrap()), woken);
        assert!(both.held.iter().all(|(held, value)| **held == *value));
        if let Some(sender) = &both.sender {
            let state = (sender.receiver_count(), *sender.borrow());
            assert_eq!(state, (both.receivers.len(), both.value));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_channel_behaves_like_its_model(
        ops in vec(
            prop_oneof![
                4 => Just(Op::Send),
                2 => any::<bool>().prop_map(Op::Modify),
                1 => Just(Op::Subscribe),
                1 => (0..8_usize).prop_map(Op::Clone),
                8 => (0..8_usize).prop_map(Op::Changed),
                3 => (0..8_usize).prop_map(Op::Update),
                1 => (0..8_usize).prop_map(Op::Hold),
                2 => (0..8_usize).prop_map(Op::Drop),
            ],
            0..100,
        ),
        after in vec((0..8_usize).prop_map(Op::Changed), 0..30),
    ) {
        run(ops.into_iter().chain([Op::Close]).chain(after).collect());
    }
}
