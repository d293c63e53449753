//! `sync::oneshot`: one value, in every order of sending, waiting, closing and dropping.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use evloop::sync::oneshot::{self, Receiver, RecvError, TryRecvError};
use evloop::task::yield_now;
use evloop::{Runtime, block_on, spawn};
use futures::executor::{self, LocalPool};
use futures::future::{Either, join, select};
use futures::stream::FuturesUnordered;
use futures::task::LocalSpawnExt;
use futures::{FutureExt, StreamExt};
use panic_place::assert_points_here;
use probe::{Drops, Probe};

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that count what happens to them.
#[allow(unreachable_pub)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

/// A value that the closure of a waker can take.
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
    assert_eq!(probe.calls.clones.get(), 0, "a receiver that does not wait stores no waker");
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

const AGAIN: &str = "a oneshot receiver was awaited again after it had returned its result";

#[test]
fn a_receiver_that_is_awaited_again_panics_at_the_await() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    assert_eq!((&mut receiver).now_or_never(), Some(Ok(7)));
    for _ in 0..2 {
        let again = catch_unwind(AssertUnwindSafe(|| (&mut receiver).now_or_never()));
        assert!(again.unwrap_err().downcast_ref::<String>().unwrap().contains(AGAIN));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    }
    assert_points_here(|| _ = async { receiver.await.map(drop) }.now_or_never(), AGAIN);
}

#[test]
fn a_receiver_is_terminated_once_it_has_returned_its_result() {
    type End = fn(oneshot::Sender<i32>);
    let ends: [(End, Result<i32, ()>); 2] =
        [(|sender| sender.send(7).unwrap(), Ok(7)), (drop, Err(()))];
    for (end, result) in ends {
        let (sender, mut receiver) = oneshot::channel();
        assert!(!receiver.is_terminated() && receiver.is_empty());
        assert_eq!((&mut receiver).now_or_never(), None);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        end(sender);
        assert!(!receiver.is_terminated());
        assert_eq!(receiver.is_empty(), result.is_err());
        assert_eq!((&mut receiver).now_or_never().unwrap().map_err(drop), result);
        assert!(receiver.is_terminated() && receiver.is_empty());
        let (sender, mut receiver) = oneshot::channel();
        end(sender);
        assert_eq!(receiver.try_recv().map_err(drop), result);
        assert!(receiver.is_terminated() && receiver.is_empty());
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    }
}

#[test]
fn poll_closed_wakes_when_the_receiver_is_closed() {
    let (mut sender, mut receiver) = oneshot::channel::<i32>();
    let probe = Probe::new();
    let mut cx = Context::from_waker(&probe.waker);
    assert!(sender.poll_closed(&mut cx).is_pending());
    receiver.close();
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert!(sender.poll_closed(&mut cx).is_ready() && sender.poll_closed(&mut cx).is_ready());
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
fn a_dropped_wait_loses_no_value() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new();
    assert!(probe.poll(&mut &mut receiver).is_pending());
    sender.send(7).unwrap();
    assert_eq!(block_on(&mut receiver), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn try_recv_returns_a_sent_value() {
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(sender.send(7), Ok(()));
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn try_recv_after_the_sender_was_dropped() {
    let (sender, mut receiver) = oneshot::channel::<i32>();
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn try_recv_after_a_close_without_a_value() {
    let (sender, mut receiver) = oneshot::channel();
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(sender.send(7), Err(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn try_recv_after_a_close_with_a_value() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_value_sent_before_a_close_is_received() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    receiver.close();
    receiver.close();
    assert_eq!(block_on(&mut receiver), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_closed_channel_refuses_the_value_and_ends_the_receiver() {
    let (sender, mut receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(block_on(&mut receiver), recv_error());
    assert_eq!(sender.send(7), Err(7));
}

#[test]
fn sending_to_a_dropped_receiver_returns_the_value() {
    let (sender, receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send("a refused value".to_string()), Err("a refused value".to_string()));
}

#[test]
fn closed_waits_until_the_receiver_is_closed_or_dropped() {
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
        assert!(
            probes[0].poll(&mut pin!(sender.closed())).is_ready(),
            "a later wait completes at once"
        );
        drop(receiver);
        assert_eq!(probes.each_ref().map(Probe::wakes_and_kept), [(0, 0), (1, 0)]);
    }
}

#[test]
fn a_value_arrives_after_a_dropped_wait_for_closed() {
    let (mut sender, mut receiver) = oneshot::channel();
    let [closing, receiving] = [Probe::new(), Probe::new()];
    assert!(receiving.poll(&mut receiver).is_pending());
    assert!(closing.poll(&mut pin!(sender.closed())).is_pending());
    sender.send(7).unwrap();
    assert_eq!(receiving.wakes_and_kept(), (1, 0));
    assert_eq!(receiving.poll(&mut receiver), Poll::Ready(Ok(7)));
}

#[test]
fn a_dropped_sender_leaves_no_waker() {
    let (mut sender, receiver) = oneshot::channel();
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
    sender.send(7).unwrap();
    assert_eq!(probe.wakes_and_kept(), (0, 0));
    drop(receiver);
    assert_eq!(probe.wakes_and_kept(), (0, 0));
}

#[test]
fn a_dropped_receiver_leaves_no_waker() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new();
    assert!(probe.poll(&mut receiver).is_pending());
    drop(receiver);
    assert_eq!(probe.wakes_and_kept(), (0, 0));
    assert_eq!(sender.send(7), Err(7));
    assert_eq!(probe.wakes_and_kept(), (0, 0));
}

#[test]
fn a_value_is_dropped_once_by_its_last_owner() {
    let drops = Drops::default();
    let (sender, receiver) = oneshot::channel();
    sender.send(drops.value()).unwrap();
    assert_eq!(drops.count(), 0);
    drop(receiver);
    assert_eq!(drops.count(), 1, "the value was not received");

    let (sender, mut receiver) = oneshot::channel();
    sender.send(drops.value()).unwrap();
    let value = receiver.try_recv().unwrap();
    drop(receiver);
    assert_eq!(drops.count(), 1);
    drop(value);
    assert_eq!(drops.count(), 2, "the value was received");

    let (sender, receiver) = oneshot::channel();
    drop(receiver);
    let refused = sender.send(drops.value());
    assert_eq!(drops.count(), 2);
    drop(refused);
    assert_eq!(drops.count(), 3, "the value was returned");

    let (sender, mut receiver) = oneshot::channel();
    sender.send(drops.value()).unwrap();
    receiver.close();
    assert_eq!(drops.count(), 3, "closing keeps the value");
    drop(receiver);
    assert_eq!(drops.count(), 4, "the value was in the closed channel");
}

/// A receiver that the closure of a waker can use.
type Shared<T> = Rc<RefCell<Option<Receiver<T>>>>;

/// Creates a channel whose receiver waits with `probe`.
fn awaited_with<T>(probe: &Probe) -> (oneshot::Sender<T>, Shared<T>) {
    let (sender, mut receiver) = oneshot::channel();
    assert!(probe.poll(&mut receiver).is_pending());
    (sender, Rc::new(RefCell::new(Some(receiver))))
}

#[test]
fn a_waker_of_a_send_can_poll_the_receiver() {
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
fn a_waker_of_a_send_can_drop_the_receiver_with_the_value() {
    let drops = Drops::default();
    let probe = Probe::new();
    let (sender, receiver) = awaited_with(&probe);
    let dropped = drops.clone();
    let probe = probe.on_wake(move || {
        drop(receiver.take());
        assert_eq!(dropped.count(), 1);
    });
    assert!(sender.send(drops.value()).is_ok(), "the receiver existed when the value was sent");
    assert_eq!(drops.count(), 1);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
}

#[test]
fn a_waker_of_a_dropped_sender_can_poll_and_drop_the_receiver() {
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
fn a_waker_of_closed_can_send_and_gets_the_value_back() {
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
fn a_waker_of_closed_can_drop_the_sender_while_the_receiver_is_dropped() {
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
fn a_send_while_a_replaced_waker_is_dropped_wakes_the_new_one() {
    let probe = Probe::new();
    let (sender, receiver) = awaited_with(&probe);
    let probe = probe.on_drop(move || sender.send(7).unwrap());
    let next = Probe::new();
    let mut receiver = receiver.take().unwrap();
    assert_eq!(next.poll(&mut receiver), Poll::Ready(Ok(7)));
    assert_eq!([&probe, &next].map(Probe::wakes_and_kept), [(0, 0), (1, 0)]);
}

#[test]
fn a_close_while_a_replaced_waker_is_dropped_wakes_the_new_one() {
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
fn a_send_while_a_waker_is_cloned_is_seen() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new().on_clone(move || sender.send(7).unwrap());
    let first = probe.poll(&mut receiver);
    assert!(first == Poll::Ready(Ok(7)) || probe.calls.wakes.get() == 1);
}

#[test]
fn a_close_while_a_waker_is_cloned_is_seen() {
    let (mut sender, receiver) = oneshot::channel::<i32>();
    let probe = Probe::new().on_clone(move || drop(receiver));
    let first = probe.poll(&mut pin!(sender.closed()));
    assert!(first.is_ready() || probe.calls.wakes.get() == 1);
}

#[test]
fn the_waker_of_a_dropped_receiver_can_drop_the_sender() {
    let drops = Drops::default();
    let probe = Probe::new();
    let (sender, receiver) = awaited_with(&probe);
    let refused = slot(drops.value());
    let value = refused.take();
    let result = refused.clone();
    let probe = probe.on_drop(move || result.set(sender.send(value.unwrap()).err()));
    drop(receiver);
    assert_eq!(drops.count(), 0);
    drop(refused.take().expect("the value was returned"));
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
fn a_value_can_use_other_channels_while_it_is_dropped() {
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
fn a_waker_that_panics_in_a_send_leaves_the_value_to_the_receiver() {
    let drops = Drops::default();
    let probe = Probe::new().on_wake(|| panic!("a panic of a waker"));
    let (sender, receiver) = awaited_with(&probe);
    assert!(panics(|| drop(sender.send(drops.value()))));
    assert_eq!(drops.count(), 0);
    drop(block_on(receiver.take().unwrap()).unwrap());
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_waker_that_panics_in_a_drop_of_the_receiver_leaves_a_closed_channel() {
    let (mut sender, receiver) = oneshot::channel();
    let probe = Probe::new().on_wake(|| panic!("a panic of a waker"));
    assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
    assert!(panics(|| drop(receiver)));
    assert!(sender.is_closed());
    assert_eq!(sender.send(7), Err(7));
}

#[test]
fn a_value_that_panics_in_its_drop_is_dropped_once() {
    let probe = Probe::new();
    let (mut sender, receiver) = oneshot::channel();
    assert!(probe.poll(&mut pin!(sender.closed())).is_pending());
    sender.send(OnDrop(Some(Box::new(|| panic!("a panic of a value"))))).ok().unwrap();
    assert!(panics(|| drop(receiver)));
    assert_eq!(probe.kept(), 0);
}

#[test]
fn a_waker_that_panics_in_its_clone_leaves_a_usable_channel() {
    let (sender, mut receiver) = oneshot::channel();
    let probe = Probe::new().on_clone(|| panic!("a panic of a waker"));
    assert!(panics(|| assert!(probe.poll(&mut receiver).is_pending())));
    let next = Probe::new();
    assert!(next.poll(&mut receiver).is_pending());
    sender.send(7).unwrap();
    assert_eq!(next.wakes_and_kept(), (1, 0));
    assert_eq!(next.poll(&mut receiver), Poll::Ready(Ok(7)));
}

/// Sends a ball `rounds` times, and waits for each answer.
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
fn receivers_in_a_set_complete_in_the_order_of_their_sends() {
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
fn a_worker_stops_when_its_receiver_is_dropped() {
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
fn ten_thousand_tasks_answer_one_task() {
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
fn one_poll_of_a_task_receives_no_more_than_its_budget() {
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
    // Ten polls use the whole budget, and one follows the yield.
    assert_eq!(polls.get(), ANSWERS / PER_POLL + 1);
}

#[test]
fn halves_and_errors_implement_debug_for_any_value() {
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
