//! `sync::oneshot`: one value, in every order of sending, waiting, closing and dropping.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::oneshot::{self, Receiver, RecvError, TryRecvError};
use evloop::task::yield_now;
use evloop::{Runtime, block_on, spawn};
use futures::executor::{self, LocalPool};
use futures::future::{Either, join, select};
use futures::stream::FuturesUnordered;
use futures::task::LocalSpawnExt;
use futures::{FutureExt, StreamExt};
use probe::{Drops, Probe};

/// Wakers and values that tell what was done with them.
#[allow(unreachable_pub)]
mod probe;

/// What one poll of a task may take from leaves that are always ready: src/current/budget.rs.
const PER_POLL: usize = 128;

/// Something that a hook can take.
fn slot<T>(value: T) -> Rc<Cell<Option<T>>> {
    Rc::new(Cell::new(Some(value)))
}

fn recv_error<T>() -> Result<T, RecvError> {
    let (sender, receiver) = oneshot::channel::<T>();
    drop(sender);
    Err(receiver.now_or_never().unwrap().err().unwrap())
}

#[test]
fn sent_then_polled() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new();
    assert_eq!(sender.send(7), Ok(()));
    assert_eq!(probe.poll(&mut receiver), Poll::Ready(Ok(7)));
    assert_eq!(probe.wakes_and_kept(), (0, 0));
    assert_eq!(probe.calls.clones.get(), 0, "who does not wait keeps no waker");
}

#[test]
fn polled_sent_woken_polled() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new();
    assert!(probe.poll(&mut receiver).is_pending());
    assert_eq!(probe.wakes_and_kept(), (0, 1));
    assert_eq!(sender.send(7), Ok(()));
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert_eq!(probe.poll(&mut receiver), Poll::Ready(Ok(7)));
}

#[test]
fn polled_sender_dropped_woken_polled() {
    let (sender, mut receiver) = oneshot::channel::<i32>();
    let probe = Probe::new();
    assert!(probe.poll(&mut receiver).is_pending());
    drop(sender);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert_eq!(probe.poll(&mut receiver), Poll::Ready(recv_error()));
}

#[test]
fn a_completed_receiver_gives_an_error_at_every_further_poll() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new();
    sender.send(7).unwrap();
    assert_eq!(probe.poll(&mut receiver), Poll::Ready(Ok(7)));
    for _ in 0..2 {
        assert_eq!(probe.poll(&mut receiver), Poll::Ready(recv_error()));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    }
    assert_eq!(probe.calls.clones.get(), 0);
}

#[test]
fn a_receiver_that_was_refused_gives_an_error_at_every_further_poll() {
    let (sender, mut receiver) = oneshot::channel::<i32>();
    let probe = Probe::new();
    drop(sender);
    for _ in 0..2 {
        assert_eq!(probe.poll(&mut receiver), Poll::Ready(recv_error()));
    }
}

#[test]
fn the_latest_waker_is_woken_and_the_earlier_ones_are_dropped() {
    let (sender, mut receiver) = oneshot::channel();
    let probes = [Probe::new(), Probe::new()];
    for probe in &probes {
        assert!(probe.poll(&mut receiver).is_pending());
        assert!(probe.poll(&mut receiver).is_pending());
        assert_eq!(probe.calls.clones.get(), 1, "the same waker is not cloned twice");
    }
    assert_eq!(probes[0].wakes_and_kept(), (0, 0));
    sender.send(7).unwrap();
    assert_eq!(probes.each_ref().map(Probe::wakes_and_kept), [(0, 0), (1, 0)]);
}

#[test]
fn a_wait_that_is_given_up_loses_no_value() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new();
    assert!(probe.poll(&mut &mut receiver).is_pending());
    sender.send(7).unwrap();
    assert_eq!(block_on(&mut receiver), Ok(7));
    assert_eq!(block_on(receiver), recv_error());
}

#[test]
fn try_recv_of_a_value() {
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(sender.send(7), Ok(()));
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn try_recv_when_the_sender_was_dropped() {
    let (sender, mut receiver) = oneshot::channel::<i32>();
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn try_recv_when_it_was_closed_and_nothing_had_come() {
    let (sender, mut receiver) = oneshot::channel();
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(sender.send(7), Err(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn try_recv_when_it_was_closed_after_a_value_came() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn sent_closed_awaited() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    receiver.close();
    receiver.close();
    assert_eq!(block_on(&mut receiver), Ok(7));
    assert_eq!(block_on(receiver), recv_error());
}

#[test]
fn closed_then_awaited_is_an_error_at_once_and_sending_gives_the_value_back() {
    let (sender, mut receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(block_on(&mut receiver), recv_error());
    assert_eq!(sender.send(7), Err(7));
    assert_eq!(block_on(receiver), recv_error());
}

#[test]
fn sending_to_a_receiver_that_was_dropped_gives_the_value_back() {
    let (sender, receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send("it comes back".to_string()), Err("it comes back".to_string()));
}

#[test]
fn closed_waits_for_the_receiver_to_be_closed_or_dropped() {
    let ends: [fn(&mut Option<Receiver<i32>>); 2] =
        [|receiver| receiver.as_mut().unwrap().close(), |receiver| drop(receiver.take())];
    for end in ends {
        let (mut sender, receiver) = oneshot::channel();
        let mut receiver = Some(receiver);
        let probes = [Probe::new(), Probe::new()];
        {
            let mut closed = pin!(sender.closed());
            for probe in probes.iter().chain(&probes[1..]) {
                assert!(probe.poll(&mut closed).is_pending());
            }
            assert_eq!(probes[1].calls.clones.get(), 1);
            end(&mut receiver);
            assert_eq!(probes.each_ref().map(Probe::wakes_and_kept), [(0, 0), (1, 0)]);
            assert!(probes[1].poll(&mut closed).is_ready());
        }
        assert!(probes[0].poll(&mut pin!(sender.closed())).is_ready(), "and from then on at once");
        drop(receiver);
        assert_eq!(probes.each_ref().map(Probe::wakes_and_kept), [(0, 0), (1, 0)]);
    }
}

#[test]
fn closed_is_given_up_and_the_value_still_arrives() {
    let (mut sender, mut receiver) = oneshot::channel();
    let [closing, receiving] = [Probe::new(), Probe::new()];
    assert!(receiving.poll(&mut receiver).is_pending());
    assert!(closing.poll(&mut pin!(sender.closed())).is_pending());
    sender.send(7).unwrap();
    assert_eq!(receiving.wakes_and_kept(), (1, 0));
    assert_eq!(receiving.poll(&mut receiver), Poll::Ready(Ok(7)));
}

#[test]
fn a_sender_that_is_gone_leaves_no_waker_and_is_not_woken() {
    let (mut sender, receiver) = oneshot::channel();
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
    sender.send(7).unwrap();
    assert_eq!(probe.wakes_and_kept(), (0, 0));
    drop(receiver);
    assert_eq!(probe.wakes_and_kept(), (0, 0));
}

#[test]
fn a_receiver_that_is_dropped_leaves_no_waker_and_is_not_woken() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new();
    assert!(probe.poll(&mut receiver).is_pending());
    drop(receiver);
    assert_eq!(probe.wakes_and_kept(), (0, 0));
    assert_eq!(sender.send(7), Err(7));
    assert_eq!(probe.wakes_and_kept(), (0, 0));
}

#[test]
fn a_value_is_dropped_once_by_whoever_has_it_last() {
    let drops = Drops::default();
    let (sender, receiver) = oneshot::channel();
    sender.send(drops.value()).unwrap();
    assert_eq!(drops.count(), 0);
    drop(receiver);
    assert_eq!(drops.count(), 1, "nobody took it");

    let (sender, mut receiver) = oneshot::channel();
    sender.send(drops.value()).unwrap();
    let value = receiver.try_recv().unwrap();
    drop(receiver);
    assert_eq!(drops.count(), 1);
    drop(value);
    assert_eq!(drops.count(), 2, "it was taken");

    let (sender, receiver) = oneshot::channel();
    drop(receiver);
    let refused = sender.send(drops.value());
    assert_eq!(drops.count(), 2);
    drop(refused);
    assert_eq!(drops.count(), 3, "it came back");

    let (sender, mut receiver) = oneshot::channel();
    sender.send(drops.value()).unwrap();
    receiver.close();
    assert_eq!(drops.count(), 3, "closing keeps it");
    drop(receiver);
    assert_eq!(drops.count(), 4, "it was closed in");
}

/// A receiver that hooks can reach, and what they got from it.
type Shared<T> = Rc<RefCell<Option<Receiver<T>>>>;

/// A channel whose receiver waits with `probe`.
fn awaited_with<T>(probe: &Probe) -> (oneshot::Sender<T>, Shared<T>) {
    let (sender, mut receiver) = oneshot::channel();
    assert!(probe.poll(&mut receiver).is_pending());
    (sender, Rc::new(RefCell::new(Some(receiver))))
}

#[test]
fn the_wake_of_a_send_polls_the_receiver() {
    let probe = Probe::new();
    let (sender, receiver) = awaited_with(&probe);
    let got = slot(Poll::Pending);
    let (polled, result) = (receiver.clone(), got.clone());
    let probe = probe.on_wake(move || {
        result.set(Some(Probe::new().poll(polled.borrow_mut().as_mut().unwrap())));
    });
    assert_eq!(sender.send(7), Ok(()));
    assert_eq!(got.take(), Some(Poll::Ready(Ok(7))));
    assert_eq!(receiver.take().unwrap().try_recv(), Err(TryRecvError::Closed));
    assert_eq!(probe.wakes_and_kept(), (1, 0));
}

#[test]
fn the_wake_of_a_send_drops_the_receiver_and_the_value_with_it() {
    let drops = Drops::default();
    let probe = Probe::new();
    let (sender, receiver) = awaited_with(&probe);
    let dropped = drops.clone();
    let probe = probe.on_wake(move || {
        drop(receiver.take());
        assert_eq!(dropped.count(), 1);
    });
    assert!(sender.send(drops.value()).is_ok(), "it was there when the value came");
    assert_eq!(drops.count(), 1);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
}

#[test]
fn the_wake_of_a_dropped_sender_polls_and_drops_the_receiver() {
    let probe = Probe::new();
    let (sender, receiver) = awaited_with::<i32>(&probe);
    let got = slot(Poll::Pending);
    let result = got.clone();
    let probe = probe.on_wake(move || {
        result.set(Some(Probe::new().poll(&mut receiver.take().unwrap())));
    });
    drop(sender);
    assert_eq!(got.take(), Some(Poll::Ready(recv_error())));
    assert_eq!(probe.wakes_and_kept(), (1, 0));
}

#[test]
fn the_wake_of_closed_sends_and_the_value_comes_back() {
    for is_dropped in [false, true] {
        let (mut sender, mut receiver) = oneshot::channel();
        let probe = Probe::new();
        assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
        let refused = slot(Ok(()));
        let result = refused.clone();
        let probe = probe.on_wake(move || result.set(Some(sender.send(7))));
        receiver.close();
        assert_eq!(refused.take(), Some(Err(7)));
        assert_eq!(block_on(&mut receiver), recv_error());
        if is_dropped {
            drop(receiver);
        }
        assert_eq!(probe.wakes_and_kept(), (1, 0));
    }
}

#[test]
fn the_wake_of_closed_drops_the_sender_while_the_receiver_is_dropped() {
    let (mut sender, mut receiver) = oneshot::channel::<i32>();
    let [closing, receiving] = [Probe::new(), Probe::new()];
    assert!(closing.poll(&mut pin!(sender.closed())).is_pending());
    assert!(receiving.poll(&mut receiver).is_pending());
    let closing = closing.on_wake(move || drop(sender));
    drop(receiver);
    assert_eq!(closing.wakes_and_kept(), (1, 0));
    assert_eq!(receiving.kept(), 0);
}

#[test]
fn the_drop_of_a_replaced_waker_sends_and_the_new_one_is_woken() {
    let probe = Probe::new();
    let (sender, receiver) = awaited_with(&probe);
    let probe = probe.on_drop(move || sender.send(7).unwrap());
    let next = Probe::new();
    let mut receiver = receiver.take().unwrap();
    assert_eq!(next.poll(&mut receiver), Poll::Ready(Ok(7)));
    assert_eq!([&probe, &next].map(Probe::wakes_and_kept), [(0, 0), (1, 0)]);
}

#[test]
fn the_drop_of_a_replaced_waker_closes_and_the_new_one_of_closed_is_woken() {
    let (mut sender, receiver) = oneshot::channel::<i32>();
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
    let _probe = probe.on_drop(move || drop(receiver));
    let next = Probe::new();
    let mut closed = pin!(sender.closed());
    assert!(next.poll(&mut closed).is_ready());
    assert_eq!(next.wakes_and_kept(), (1, 0));
}

#[test]
fn the_clone_of_a_waker_sends_and_the_receiver_learns_it() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new().on_clone(move || sender.send(7).unwrap());
    let first = probe.poll(&mut receiver);
    assert!(first == Poll::Ready(Ok(7)) || probe.calls.wakes.get() == 1);
}

#[test]
fn the_clone_of_a_waker_closes_and_the_sender_learns_it() {
    let (mut sender, receiver) = oneshot::channel::<i32>();
    let probe = Probe::new().on_clone(move || drop(receiver));
    let first = probe.poll(&mut pin!(sender.closed()));
    assert!(first.is_ready() || probe.calls.wakes.get() == 1);
}

#[test]
fn a_dropped_waker_drops_the_sender_while_the_receiver_is_dropped() {
    let drops = Drops::default();
    let probe = Probe::new();
    let (sender, receiver) = awaited_with(&probe);
    let refused = slot(drops.value());
    let value = refused.take();
    let result = refused.clone();
    let probe = probe.on_drop(move || result.set(sender.send(value.unwrap()).err()));
    drop(receiver);
    assert_eq!(drops.count(), 0);
    drop(refused.take().expect("it came back"));
    assert_eq!((drops.count(), probe.kept()), (1, 0));
}

/// Runs its closure when it is dropped.
struct OnDrop(Option<Box<dyn FnOnce()>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.take().expect("it is dropped once")();
    }
}

#[test]
fn a_value_that_uses_other_channels_as_it_is_dropped() {
    let (next, next_receiver) = oneshot::channel();
    let (sender, receiver) = oneshot::channel();
    sender.send(OnDrop(Some(Box::new(move || next.send(7).unwrap())))).ok().unwrap();
    drop(receiver);
    assert_eq!(block_on(next_receiver), Ok(7));
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn a_wake_that_panics_in_send_leaves_the_value_to_the_receiver() {
    let drops = Drops::default();
    let probe = Probe::new().on_wake(|| panic!("the waker's own"));
    let (sender, receiver) = awaited_with(&probe);
    assert!(panics(|| drop(sender.send(drops.value()))));
    assert_eq!(drops.count(), 0);
    drop(block_on(receiver.take().unwrap()).unwrap());
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_wake_that_panics_as_the_receiver_is_dropped_leaves_a_closed_channel() {
    let (mut sender, receiver) = oneshot::channel();
    let probe = Probe::new().on_wake(|| panic!("the waker's own"));
    assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
    assert!(panics(|| drop(receiver)));
    assert!(sender.is_closed());
    assert_eq!(sender.send(7), Err(7));
}

#[test]
fn a_value_that_panics_as_it_is_dropped_is_dropped_once() {
    let probe = Probe::new();
    let (mut sender, receiver) = oneshot::channel();
    assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
    sender.send(OnDrop(Some(Box::new(|| panic!("the value's own"))))).ok().unwrap();
    assert!(panics(|| drop(receiver)));
    assert_eq!(probe.kept(), 0);
}

#[test]
fn a_clone_that_panics_leaves_a_channel_that_works() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new().on_clone(|| panic!("the waker's own"));
    assert!(panics(|| assert!(probe.poll(&mut receiver).is_pending())));
    let next = Probe::new();
    assert!(next.poll(&mut receiver).is_pending());
    sender.send(7).unwrap();
    assert_eq!(next.wakes_and_kept(), (1, 0));
    assert_eq!(next.poll(&mut receiver), Poll::Ready(Ok(7)));
}

/// Two tasks of any executor: each answers the other's question before it asks the next.
async fn ping(mut to: oneshot::Sender<Ball>, rounds: usize) -> usize {
    for round in 0..rounds {
        let (back, returned) = oneshot::channel();
        assert!(to.send(Ball { hits: round, back }).is_ok());
        to = returned.await.unwrap();
    }
    rounds
}

async fn pong(mut from: Receiver<Ball>) -> usize {
    let mut hits = 0;
    while let Ok(ball) = from.await {
        assert_eq!(ball.hits, hits);
        hits += 1;
        let (next, coming) = oneshot::channel();
        ball.back.send(next).unwrap();
        from = coming;
    }
    hits
}

struct Ball {
    hits: usize,
    back: oneshot::Sender<oneshot::Sender<Ball>>,
}

#[test]
fn a_thousand_exchanges_under_each_executor() {
    const ROUNDS: usize = 1000;
    let (sender, receiver) = oneshot::channel();
    let ours = block_on(async {
        let pong = spawn(pong(receiver));
        (ping(sender, ROUNDS).await, pong.await.unwrap())
    });
    assert_eq!(ours, (ROUNDS, ROUNDS));

    let (sender, receiver) = oneshot::channel();
    let theirs = executor::block_on(join(ping(sender, ROUNDS), pong(receiver)));
    assert_eq!(theirs, (ROUNDS, ROUNDS));

    let mut pool = LocalPool::new();
    let (sender, receiver) = oneshot::channel();
    let pong = pool.spawner().spawn_local_with_handle(pong(receiver)).unwrap();
    assert_eq!(pool.run_until(join(ping(sender, ROUNDS), pong)), (ROUNDS, ROUNDS));
}

#[test]
fn receivers_in_a_set_complete_in_the_order_of_sending() {
    let received = executor::block_on(async {
        let mut set = FuturesUnordered::new();
        let mut senders = Vec::new();
        for _ in 0..100 {
            let (sender, receiver) = oneshot::channel();
            set.push(receiver);
            senders.push(sender);
        }
        assert_eq!(set.next().now_or_never(), None);
        for (i, sender) in senders.into_iter().enumerate().rev() {
            sender.send(i).unwrap();
        }
        set.collect::<Vec<_>>().await
    });
    let sent: Vec<_> = (0..100).rev().map(Ok).collect();
    assert_eq!(received, sent);
}

#[test]
fn a_worker_stops_when_nobody_awaits_its_answer() {
    block_on(async {
        let (mut sender, receiver) = oneshot::channel::<i32>();
        let worker = spawn(async move {
            let work = std::future::pending::<()>();
            match select(pin!(sender.closed()), work).await {
                Either::Left(_) => "stopped",
                Either::Right(_) => "worked",
            }
        });
        yield_now().await;
        drop(receiver);
        assert_eq!(worker.await.unwrap(), "stopped");
    });
}

#[test]
fn ten_thousand_tasks_each_answer_one() {
    let sum = block_on(async {
        let mut sum = 0;
        for i in 0..10_000_u64 {
            let (sender, receiver) = oneshot::channel();
            drop(spawn(async move { sender.send(i) }));
            sum += receiver.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 49_995_000);
}

#[test]
fn one_poll_of_a_task_takes_no_more_answers_than_its_budget() {
    const ANSWERS: usize = 10 * PER_POLL;
    let mut receivers = Vec::new();
    for i in 0..ANSWERS {
        let (sender, receiver) = oneshot::channel();
        sender.send(i).unwrap();
        receivers.push(receiver);
    }
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(async move {
        let mut all = pin!(async {
            for (i, receiver) in receivers.into_iter().enumerate() {
                assert_eq!(receiver.await, Ok(i));
            }
            yield_now().await;
        });
        poll_fn(|cx| {
            counted.set(counted.get() + 1);
            all.as_mut().poll(cx)
        })
        .await;
    });
    runtime.run_until_stalled().unwrap();
    assert!(task.is_finished());
    // Ten that are full, and one that comes back from the yield.
    assert_eq!(polls.get(), ANSWERS / PER_POLL + 1);
}

#[test]
fn halves_and_errors_are_printed_whatever_the_value() {
    struct Opaque;
    let (sender, mut receiver) = oneshot::channel::<Opaque>();
    assert_eq!(format!("{sender:?}"), "Sender { is_closed: false, .. }");
    assert_eq!(format!("{receiver:?}"), "Receiver { is_sent: false, .. }");
    let empty = receiver.try_recv().err().unwrap();
    assert_eq!(empty.to_string(), "the value has not come yet");
    drop(sender);
    let error: Box<dyn std::error::Error> = Box::new(block_on(receiver).err().unwrap());
    assert_eq!(error.to_string(), "nothing was sent before the channel was closed");
}
