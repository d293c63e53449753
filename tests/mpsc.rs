//! `sync::mpsc`: order, capacity, cancellation at each state, closing, and wakers that call back.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::mem::{self};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::mpsc::{self, Receiver, SendError, Sender, TryRecvError, TrySendError};
use evloop::task::yield_now;
use evloop::{Runtime, block_on, spawn};
use futures::executor::{self, LocalPool};
use futures::future::{LocalBoxFuture, join};
use futures::stream::FuturesUnordered;
use futures::task::LocalSpawnExt;
use futures::{FutureExt, Stream, StreamExt};
use probe::{Counted, Drops, Probe};

/// Runs a test in a process of its own.
#[cfg(target_os = "linux")]
#[allow(unreachable_pub)]
mod alone;

/// The live bytes on the heap, counted by this program's allocator.
#[cfg(target_os = "linux")]
#[allow(unreachable_pub)]
mod heap;

/// Wakers and values that count what happens to them.
#[allow(unreachable_pub)]
mod probe;

/// Senders that wait at the same time. Dropping them would take minutes if a removal were not O(1).
const MANY: usize = 100_000;
/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

/// Runs its closure when it is dropped.
struct OnDrop(Option<Box<dyn FnOnce()>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.take().expect("it is dropped once")();
    }
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// A send that owns its sender, polled or not, so that wakers can hold it.
type Sending<T> = LocalBoxFuture<'static, Result<(), SendError<T>>>;

/// Sends that wait, with a probe each.
type Waiting<const N: usize> = [(Probe, Sending<usize>); N];

fn sending<T: 'static>(sender: &Sender<T>, value: T) -> Sending<T> {
    let sender = sender.clone();
    async move { sender.send(value).await }.boxed_local()
}

/// Returns a send of `value` that was polled with `probe` and waits.
fn waiting<T: 'static>(sender: &Sender<T>, value: T, probe: &Probe) -> Sending<T> {
    let mut sending = sending(sender, value);
    assert!(probe.poll(&mut sending).is_pending());
    sending
}

/// Waits for a slot, and holds its permit until the future is dropped.
fn holding<T: 'static>(sender: &Sender<T>) -> LocalBoxFuture<'static, ()> {
    let sender = sender.clone();
    let hold = async move {
        let _permit = sender.reserve().await.ok().unwrap();
        pending().await
    };
    hold.boxed_local()
}

/// Creates a full channel of capacity 1 that holds the value 0. `N` senders wait with a probe each,
/// with the values from 1 on.
fn full<const N: usize>() -> (Sender<usize>, Receiver<usize>, Waiting<N>) {
    let (sender, receiver) = mpsc::bounded(1);
    sender.try_send(0).unwrap();
    let waiting = std::array::from_fn(|i| {
        let probe = Probe::new();
        let sending = waiting(&sender, i + 1, &probe);
        (probe, sending)
    });
    (sender, receiver, waiting)
}

fn wakes<const N: usize>(waiting: &Waiting<N>) -> [usize; N] {
    waiting.each_ref().map(|(probe, _)| probe.calls.wakes.get())
}

/// Receives all available values.
fn drain<T>(receiver: &mut Receiver<T>) -> Vec<T> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

fn slot<T>(value: T) -> Rc<Cell<Option<T>>> {
    Rc::new(Cell::new(Some(value)))
}

#[test]
fn values_are_received_in_the_order_of_their_sends() {
    let (sender, mut receiver) = mpsc::bounded(3);
    for round in 0..10 {
        for i in 0..3 {
            sender.try_send(round * 3 + i).unwrap();
        }
        let three: Vec<_> = (0..3).map(|i| round * 3 + i).collect();
        assert_eq!(drain(&mut receiver), three);
    }
}

#[test]
fn values_of_several_senders_are_received_in_the_order_of_their_sends() {
    let (sender, mut receiver) = mpsc::unbounded();
    let senders = [sender.clone(), sender.clone(), sender];
    for i in 0..9 {
        senders[i * 2 % 3].send(i).unwrap();
    }
    assert_eq!(drain(&mut receiver), (0..9).collect::<Vec<_>>());
}

#[test]
fn the_capacity_is_exact() {
    for capacity in [1, 2, 3, 100] {
        let (sender, mut receiver) = mpsc::bounded(capacity);
        for round in 0..3 {
            for i in 0..capacity {
                assert_eq!((sender.free(), receiver.len()), (capacity - i, i), "round {round}");
                sender.try_send(i).unwrap();
            }
            assert!(sender.try_send(capacity) == Err(TrySendError::Full(capacity)));
            assert!(sender.try_reserve().is_err_and(|error| error == TrySendError::Full(())));
            assert_eq!((sender.free(), receiver.len()), (0, capacity));
            assert_eq!(drain(&mut receiver).len(), capacity);
            assert!(receiver.is_empty());
        }
    }
}

#[test]
fn the_largest_capacity_is_counted() {
    let (sender, mut receiver) = mpsc::bounded(usize::MAX);
    sender.try_send(7).unwrap();
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(sender.free(), usize::MAX);
}

#[test]
fn waiting_senders_are_served_in_order() {
    let (_sender, mut receiver, mut waiting) = full::<3>();
    for i in 0..3 {
        assert_eq!(receiver.try_recv(), Ok(i));
        let woken = std::array::from_fn(|k| usize::from(k <= i));
        assert_eq!(wakes(&waiting), woken, "one slot wakes one sender");
        let (probe, sending) = &mut waiting[i];
        assert!(probe.poll(sending) == Poll::Ready(Ok(())));
    }
    assert_eq!(drain(&mut receiver), [3]);
    assert_eq!(wakes(&waiting), [1, 1, 1]);
}

#[test]
fn a_waiting_sender_keeps_its_place_with_another_waker() {
    let (_sender, mut receiver, mut waiting) = full::<2>();
    let next = Probe::new();
    assert!(next.poll(&mut waiting[0].1).is_pending());
    assert_eq!(waiting[0].0.kept(), 0);
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(next.wakes_and_kept(), (1, 0));
    assert_eq!(wakes(&waiting), [0, 0]);
}

#[test]
fn woken_senders_may_be_polled_in_any_order() {
    let (sender, mut receiver) = mpsc::bounded(3);
    (0..3).for_each(|i| sender.try_send(i).unwrap());
    let probes: [Probe; 3] = std::array::from_fn(|_| Probe::new());
    let mut sendings: Vec<_> =
        (0..3).map(|i| waiting(&sender, 10 + i, &probes[i as usize])).collect();
    assert_eq!(drain(&mut receiver), [0, 1, 2]);
    assert_eq!(probes.each_ref().map(Probe::wakes_and_kept), [(1, 0); 3]);
    for i in (0..3).rev() {
        assert!(probes[i].poll(&mut sendings[i]) == Poll::Ready(Ok(())));
    }
    assert_eq!(drain(&mut receiver), [12, 11, 10], "a slot is no place among the values");
}

#[test]
fn the_slot_of_a_woken_sender_is_reserved() {
    let (sender, mut receiver, mut waiting) = full::<1>();
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!((sender.free(), receiver.len()), (0, 0));
    assert!(sender.try_send(9) == Err(TrySendError::Full(9)));
    let late = Probe::new();
    let mut sending = self::waiting(&sender, 2, &late);
    assert_eq!(late.calls.wakes.get(), 0);
    let (probe, first) = &mut waiting[0];
    assert!(probe.poll(first) == Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(late.calls.wakes.get(), 1);
    assert!(late.poll(&mut sending) == Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sender.free(), 1);
}

#[test]
fn a_dropped_waiting_sender_leaves_the_wait_queue() {
    for dropped in 0..3 {
        let (sender, mut receiver, waiting) = full::<3>();
        let mut left = Vec::new();
        for (i, (probe, sending)) in waiting.into_iter().enumerate() {
            match i == dropped {
                true => {
                    drop(sending);
                    assert_eq!(probe.wakes_and_kept(), (0, 0));
                }
                false => left.push((i + 1, probe, sending)),
            }
        }
        assert_eq!(receiver.try_recv(), Ok(0));
        for (i, probe, mut sending) in left {
            assert_eq!(probe.calls.wakes.get(), 1, "without {dropped}");
            assert!(probe.poll(&mut sending) == Poll::Ready(Ok(())));
            assert_eq!(receiver.try_recv(), Ok(i));
        }
        assert_eq!(sender.free(), 1);
    }
}

#[test]
fn a_dropped_woken_sender_passes_its_slot_on() {
    let (sender, mut receiver, [first, second, (third, mut sending)]) = full::<3>();
    assert_eq!(receiver.try_recv(), Ok(0));
    let wakes = || [&first.0, &second.0, &third].map(|probe| probe.calls.wakes.get());
    assert_eq!(wakes(), [1, 0, 0]);
    drop(first.1);
    assert_eq!(wakes(), [1, 1, 0]);
    drop(second.1);
    assert_eq!(wakes(), [1, 1, 1]);
    assert_eq!(sender.free(), 0);
    assert!(third.poll(&mut sending) == Poll::Ready(Ok(())));
    assert_eq!(drain(&mut receiver), [3]);
    assert_eq!(sender.free(), 1);
}

#[test]
fn the_last_dropped_woken_sender_frees_its_slot() {
    let (sender, mut receiver, [(_, sending)]) = full::<1>();
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(sender.free(), 0);
    drop(sending);
    assert_eq!(sender.free(), 1);
    sender.try_send(7).unwrap();
    assert_eq!(drain(&mut receiver), [7]);
}

#[test]
fn a_dropped_send_drops_its_value_once_in_each_state() {
    let drops = Drops::default();
    let (sender, mut receiver) = mpsc::bounded(1);
    drop(sending(&sender, drops.value()));
    assert_eq!(drops.count(), 1, "not polled");
    sender.try_send(drops.value()).ok().unwrap();
    let probe = Probe::new();
    drop(waiting(&sender, drops.value(), &probe));
    assert_eq!(drops.count(), 2, "waiting");
    let woken = waiting(&sender, drops.value(), &probe);
    drop(receiver.try_recv());
    assert_eq!(drops.count(), 3, "received");
    drop(woken);
    assert_eq!(drops.count(), 4, "woken");
    sender.try_send(drops.value()).ok().unwrap();
    let mut refused = waiting(&sender, drops.value(), &probe);
    drop(receiver);
    assert_eq!(drops.count(), 5, "in the channel");
    let Poll::Ready(error) = probe.poll(&mut refused) else { panic!("it is closed") };
    assert_eq!(drops.count(), 5);
    drop(error);
    assert_eq!(drops.count(), 6, "refused");
    drop(refused);
    assert_eq!(drops.count(), 6);
}

#[test]
fn a_completed_send_leaves_its_value_when_it_is_dropped() {
    let (sender, mut receiver) = mpsc::bounded(1);
    let probe = Probe::new();
    let mut sending = sending(&sender, 7);
    assert!(probe.poll(&mut sending) == Poll::Ready(Ok(())));
    drop(sending);
    assert_eq!(drain(&mut receiver), [7]);
    assert_eq!((probe.calls.clones.get(), sender.free()), (0, 1));
}

#[test]
fn close_wakes_each_waiting_sender_once_and_returns_the_values() {
    let (sender, mut receiver, mut waiting) = full::<3>();
    receiver.close();
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(wakes(&waiting), [1, 1, 1]);
    for (i, (probe, sending)) in waiting.iter_mut().enumerate() {
        assert!(probe.poll(sending) == Poll::Ready(Err(SendError(i + 1))));
        assert_eq!(probe.kept(), 0);
    }
    assert_eq!(receiver.try_recv(), Ok(0), "a value sent before the close stays");
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_sender_woken_before_a_close_sees_it_without_another_wake() {
    let (_sender, mut receiver, mut waiting) = full::<2>();
    assert_eq!(receiver.try_recv(), Ok(0));
    receiver.close();
    assert_eq!(wakes(&waiting), [1, 1]);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed), "its slot cannot be filled");
    for (i, (probe, sending)) in waiting.iter_mut().enumerate() {
        assert!(probe.poll(sending) == Poll::Ready(Err(SendError(i + 1))));
    }
}

#[test]
fn senders_dropped_after_a_close_wake_no_sender() {
    for is_dropped in [false, true] {
        let (sender, mut receiver, [first, second, third]) = full::<3>();
        assert_eq!(receiver.try_recv(), Ok(0));
        receiver.close();
        if is_dropped {
            drop(receiver);
        }
        drop((second.1, first.1, third.1));
        for probe in [first.0, second.0, third.0] {
            assert_eq!(probe.wakes_and_kept(), (1, 0));
        }
        assert!(sender.try_send(9) == Err(TrySendError::Closed(9)));
    }
}

#[test]
fn a_closed_channel_refuses_each_value() {
    let (sender, mut receiver) = mpsc::bounded(2);
    receiver.close();
    assert!(sender.send(1).now_or_never() == Some(Err(SendError(1))));
    assert!(sender.reserve().now_or_never().unwrap().is_err_and(|error| error == SendError(())));
    assert!(sender.try_reserve().is_err_and(|error| error == TrySendError::Closed(())));
    assert!(sender.try_send(2) == Err(TrySendError::Closed(2)));
    assert_eq!(sender.try_send(3).unwrap_err().into_inner(), 3);
    assert_eq!(executor::block_on(receiver.recv()), None);
    let (sender, mut receiver) = mpsc::unbounded();
    receiver.close();
    assert!(sender.is_closed());
    assert!(sender.send(4) == Err(SendError(4)));
    assert_eq!(executor::block_on(receiver.recv()), None);
}

#[test]
fn a_full_and_closed_channel_reports_closed() {
    let (sender, mut receiver, []) = full::<0>();
    assert!(sender.try_send(1) == Err(TrySendError::Full(1)));
    receiver.close();
    assert!(sender.try_send(1) == Err(TrySendError::Closed(1)));
}

#[test]
fn a_permit_reserves_its_slot_until_it_is_dropped() {
    let (sender, receiver) = mpsc::bounded::<i32>(2);
    let [first, second] = [(); 2].map(|()| sender.try_reserve().ok().unwrap());
    assert_eq!((sender.free(), receiver.len()), (0, 0));
    assert!(sender.try_send(9) == Err(TrySendError::Full(9)));
    drop(first);
    assert_eq!(sender.free(), 1);
    drop(second);
    assert_eq!(sender.free(), 2);
}

#[test]
fn a_permit_can_send_after_later_values() {
    let (sender, mut receiver) = mpsc::bounded(2);
    let permit = sender.reserve().now_or_never().unwrap().ok().unwrap();
    sender.try_send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    permit.send(2);
    assert_eq!(probe.calls.wakes.get(), 1);
    assert_eq!(drain(&mut receiver), [2]);
    assert_eq!(sender.free(), 2);
}

#[test]
fn the_slot_of_a_dropped_permit_goes_to_the_longest_waiting_sender() {
    let (sender, mut receiver) = mpsc::bounded(1);
    let permit = sender.try_reserve().ok().unwrap();
    let probes = [Probe::new(), Probe::new()];
    let mut first = waiting(&sender, 1, &probes[0]);
    let _second = waiting(&sender, 2, &probes[1]);
    drop(permit);
    assert_eq!(probes.each_ref().map(|probe| probe.calls.wakes.get()), [1, 0]);
    assert_eq!(sender.free(), 0);
    assert!(probes[0].poll(&mut first) == Poll::Ready(Ok(())));
    assert_eq!(drain(&mut receiver), [1]);
    assert_eq!(probes.each_ref().map(|probe| probe.calls.wakes.get()), [1, 1]);
}

#[test]
fn recv_waits_for_the_permits_after_a_close() {
    let (sender, mut receiver) = mpsc::bounded(3);
    let [filled, dropped] = [(); 2].map(|()| sender.try_reserve().ok().unwrap());
    sender.try_send(1).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    filled.send(2);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert!(probe.poll(&mut pin!(receiver.recv())) == Poll::Ready(Some(2)));
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    drop(dropped);
    assert_eq!(probe.wakes_and_kept(), (2, 0), "the last reserved slot is released");
    assert!(probe.poll(&mut pin!(receiver.recv())) == Poll::Ready(None));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_permit_drops_its_value_after_the_receiver_was_dropped() {
    let drops = Drops::default();
    let (sender, receiver) = mpsc::bounded(1);
    let permit = sender.try_reserve().ok().unwrap();
    drop(receiver);
    permit.send(drops.value());
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_that_owns_its_sender_is_dropped_by_a_permit_without_a_receiver() {
    let drops = Drops::default();
    let (sender, receiver) = mpsc::bounded::<(Counted, Box<dyn std::any::Any>)>(1);
    let permit = sender.try_reserve().ok().unwrap();
    drop(receiver);
    permit.send((drops.value(), Box::new(sender.clone())));
    drop(sender);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_forgotten_permit_costs_its_slot_but_not_the_end_of_stream() {
    let (sender, mut receiver) = mpsc::bounded(2);
    mem::forget(sender.try_reserve());
    sender.try_send(7).unwrap();
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(receiver.recv().now_or_never(), Some(None));
}

#[test]
fn each_way_of_sending_wakes_the_receiver() {
    let (sender, mut receiver) = mpsc::bounded(4);
    let probe = Probe::new();
    let mut expected = 0;
    let ways: [fn(&Sender<i32>); 3] = [
        |sender| sender.try_send(7).unwrap(),
        |sender| sender.try_reserve().ok().unwrap().send(7),
        |sender| assert!(sender.send(7).now_or_never() == Some(Ok(()))),
    ];
    for way in ways {
        assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
        way(&sender);
        way(&sender);
        expected += 1;
        assert_eq!(probe.wakes_and_kept(), (expected, 0), "the receiver is woken once");
        assert_eq!(drain(&mut receiver), [7, 7]);
    }
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    drop(sender);
    assert_eq!(probe.wakes_and_kept(), (expected + 1, 0));
    assert!(probe.poll(&mut pin!(receiver.recv())) == Poll::Ready(None));
}

#[test]
fn the_latest_waker_of_the_receiver_is_woken() {
    let (sender, mut receiver) = mpsc::unbounded();
    let probes = [Probe::new(), Probe::new()];
    for probe in &probes {
        assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
        assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
        assert_eq!(probe.calls.clones.get(), 1, "the same waker is not cloned twice");
    }
    sender.send(7).unwrap();
    assert_eq!(probes.each_ref().map(Probe::wakes_and_kept), [(0, 0), (1, 0)]);
}

#[test]
fn a_dropped_recv_loses_no_value() {
    let (sender, mut receiver) = mpsc::bounded(1);
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    sender.try_send(7).unwrap();
    assert_eq!(probe.calls.wakes.get(), 1, "then the recv is dropped instead of polled");
    drop(receiver.recv());
    assert_eq!(receiver.recv().now_or_never(), Some(Some(7)));
}

#[test]
fn the_drop_of_the_last_sender_ends_the_stream() {
    let (sender, mut receiver) = mpsc::bounded::<i32>(1);
    let probe = Probe::new();
    let clones = [sender.clone(), sender.clone()];
    drop(sender);
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    let [first, second] = clones;
    drop(first);
    assert_eq!(probe.calls.wakes.get(), 0);
    drop(second.clone());
    assert_eq!(probe.calls.wakes.get(), 0);
    drop(second);
    assert_eq!(probe.calls.wakes.get(), 1);
    assert!(probe.poll(&mut pin!(receiver.recv())) == Poll::Ready(None));
}

#[test]
fn remaining_values_are_received_after_the_senders_are_dropped() {
    let (sender, mut receiver) = mpsc::unbounded();
    (0..3).for_each(|i| sender.clone().send(i).unwrap());
    drop(sender);
    assert_eq!(executor::block_on((&mut receiver).collect::<Vec<_>>()), [0, 1, 2]);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_dropped_receiver_drops_the_remaining_values_and_its_waker() {
    let drops = Drops::default();
    let (sender, mut receiver) = mpsc::bounded(4);
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    drop(receiver);
    assert_eq!(probe.wakes_and_kept(), (0, 0));
    drop(sender.try_send(drops.value()));
    assert_eq!(drops.count(), 1);

    let (sender, receiver) = mpsc::bounded(4);
    (0..3).for_each(|_| sender.try_send(drops.value()).ok().unwrap());
    drop(receiver);
    assert_eq!(drops.count(), 4);
}

#[test]
fn the_receiver_is_a_stream_that_stays_ended() {
    fn assert_stream<S: Stream<Item = i32> + Unpin>(_: &S) {}
    let (sender, mut receiver) = mpsc::unbounded();
    assert_stream(&receiver);
    (0..4).for_each(|i| sender.send(i).unwrap());
    drop(sender);
    assert_eq!(executor::block_on((&mut receiver).take(3).collect::<Vec<_>>()), [0, 1, 2]);
    assert_eq!(receiver.next().now_or_never(), Some(Some(3)));
    for _ in 0..2 {
        assert_eq!(receiver.next().now_or_never(), Some(None));
    }
}

#[test]
fn a_waker_of_a_receive_can_poll_its_sender() {
    let (sender, mut receiver, [(probe, sending)]) = full::<1>();
    let sending = slot(sending);
    let probe = probe.on_wake(move || {
        let next = Probe::new();
        assert!(next.poll(&mut sending.take().unwrap()) == Poll::Ready(Ok(())));
    });
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!((receiver.len(), sender.free()), (1, 0), "the sender filled the slot at once");
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!((probe.calls.wakes.get(), sender.free()), (1, 1));
}

#[test]
fn a_waker_of_a_receive_can_drop_its_sender_and_the_next_one_gets_the_slot() {
    let (sender, mut receiver, [(first, sending), (second, mut next)]) = full::<2>();
    let first = first.on_wake(move || drop(sending));
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!([&first, &second].map(Probe::wakes_and_kept), [(1, 0), (1, 0)]);
    assert!(second.poll(&mut next) == Poll::Ready(Ok(())));
    assert_eq!(drain(&mut receiver), [2]);
    assert_eq!(sender.free(), 1);
}

#[test]
fn a_waker_of_a_receive_can_drop_the_senders_behind_it() {
    let (sender, mut receiver, [(first, mut sending), (second, next), (third, last)]) = full::<3>();
    let first = first.on_wake(move || drop((next, last)));
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!([&second, &third].map(Probe::wakes_and_kept), [(0, 0), (0, 0)]);
    assert!(first.poll(&mut sending) == Poll::Ready(Ok(())));
    assert_eq!(drain(&mut receiver), [1]);
    assert_eq!(sender.free(), 1);
}

#[test]
fn a_waker_of_a_send_can_receive() {
    let (sender, mut receiver) = mpsc::bounded(1);
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    let got = slot(None);
    let (receiver, received) = (slot(receiver), got.clone());
    let probe = probe.on_wake(move || {
        let mut receiver = receiver.take().unwrap();
        received.set(Some(receiver.recv().now_or_never()));
    });
    sender.try_send(7).unwrap();
    assert_eq!(got.take(), Some(Some(Some(7))));
    assert!(sender.is_closed(), "the closure of the waker dropped the receiver");
    assert_eq!(probe.wakes_and_kept(), (1, 0));
}

#[test]
fn a_waker_of_the_last_dropped_sender_can_drop_the_receiver() {
    let (sender, mut receiver) = mpsc::unbounded::<i32>();
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    let probe = probe.on_wake(move || {
        assert_eq!(receiver.recv().now_or_never(), Some(None));
        drop(receiver);
    });
    drop(sender);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
}

#[test]
fn a_waker_of_a_close_can_poll_and_drop_other_senders() {
    let (sender, mut receiver, [(first, mut sending), (second, mut next), (third, last)]) =
        full::<3>();
    let refused = slot(Poll::Pending);
    let result = refused.clone();
    let first = first.on_wake(move || {
        result.set(Some(Probe::new().poll(&mut next)));
        assert!(Probe::new().poll(&mut sending) == Poll::Ready(Err(SendError(1))));
        assert!(sender.try_send(9) == Err(TrySendError::Closed(9)));
        drop(last);
    });
    receiver.close();
    assert!(refused.take() == Some(Poll::Ready(Err(SendError(2)))));
    let wakes = [&first, &second, &third].map(Probe::wakes_and_kept);
    assert_eq!(
        wakes,
        [(1, 0); 3],
        "all were removed from the wait queue before the first waker ran"
    );
    assert_eq!(drain(&mut receiver), [0]);
}

#[test]
fn a_waker_of_a_dropped_permit_can_drop_the_receiver() {
    let (sender, receiver) = mpsc::bounded::<i32>(1);
    let mut hold = holding(&sender);
    assert!(Probe::new().poll(&mut hold).is_pending());
    let probe = Probe::new();
    let mut sending = waiting(&sender, 1, &probe);
    let probe = probe.on_wake(move || drop(receiver));
    drop(hold);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert!(sender.is_closed());
    assert!(probe.poll(&mut sending) == Poll::Ready(Err(SendError(1))));
}

#[test]
fn a_send_while_a_replaced_waker_is_dropped_wakes_the_new_one() {
    let (sender, mut receiver) = mpsc::bounded(1);
    let probe = Probe::new();
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    let _probe = probe.on_drop(move || sender.try_send(7).unwrap());
    let next = Probe::new();
    assert!(next.poll(&mut pin!(receiver.recv())).is_pending());
    assert_eq!(next.wakes_and_kept(), (1, 0));
    assert_eq!(next.poll(&mut pin!(receiver.recv())), Poll::Ready(Some(7)));
}

#[test]
fn a_receive_while_a_replaced_waker_is_dropped_wakes_the_new_one() {
    let (sender, mut receiver, [(probe, mut sending)]) = full::<1>();
    let got = slot(Err(TryRecvError::Empty));
    let result = got.clone();
    let receiver_again = slot(None);
    let back = receiver_again.clone();
    let _probe = probe.on_drop(move || {
        result.set(Some(receiver.try_recv()));
        back.set(Some(Some(receiver)));
    });
    let next = Probe::new();
    assert!(next.poll(&mut sending).is_pending());
    assert_eq!(got.take(), Some(Ok(0)));
    assert_eq!(next.wakes_and_kept(), (1, 0));
    assert!(next.poll(&mut sending) == Poll::Ready(Ok(())));
    let mut receiver = receiver_again.take().flatten().unwrap();
    assert_eq!(drain(&mut receiver), [1]);
    assert_eq!(sender.free(), 1);
}

#[test]
fn the_waker_of_a_dropped_sender_can_drop_the_sender_behind_it() {
    let (sender, mut receiver, [(first, sending), (second, next), (third, mut last)]) = full::<3>();
    let first = first.on_drop(move || drop(next));
    drop(sending);
    assert_eq!([&first, &second].map(Probe::wakes_and_kept), [(0, 0), (0, 0)]);
    assert_eq!(receiver.try_recv(), Ok(0));
    assert!(third.poll(&mut last) == Poll::Ready(Ok(())));
    assert_eq!(drain(&mut receiver), [3]);
    assert_eq!(sender.free(), 1);
}

#[test]
fn values_can_use_their_own_channel_while_they_are_dropped() {
    let (sender, receiver) = mpsc::bounded::<OnDrop>(2);
    let refused = Rc::new(Cell::new(0));
    for _ in 0..2 {
        let (own, refused) = (sender.clone(), refused.clone());
        let value = OnDrop(Some(Box::new(move || {
            let result = own.try_send(OnDrop(Some(Box::new(|| ()))));
            assert!(matches!(result, Err(TrySendError::Closed(_))));
            refused.set(refused.get() + 1);
        })));
        assert!(sender.try_send(value).is_ok());
    }
    drop(receiver);
    assert_eq!(refused.get(), 2);
}

#[test]
fn a_send_while_the_receivers_waker_is_cloned_is_seen() {
    let (sender, mut receiver) = mpsc::unbounded();
    let other = sender.clone();
    let probe = Probe::new().on_clone(move || other.send(7).unwrap());
    let first = probe.poll(&mut pin!(receiver.recv()));
    assert!(first == Poll::Ready(Some(7)) || probe.calls.wakes.get() == 1);
    drop(sender);
}

#[test]
fn a_receive_while_a_senders_waker_is_cloned_is_seen() {
    let (sender, receiver, []) = full::<0>();
    let receiver = Rc::new(RefCell::new(receiver));
    let of_waker = receiver.clone();
    let probe = Probe::new().on_clone(move || {
        assert_eq!(of_waker.borrow_mut().try_recv(), Ok(0));
    });
    let first = probe.poll(&mut sending(&sender, 1));
    assert!(first.is_ready() || probe.calls.wakes.get() == 1);
}

#[test]
fn a_close_while_a_senders_waker_is_cloned_is_seen() {
    let (sender, receiver, []) = full::<0>();
    let probe = Probe::new().on_clone(move || drop(receiver));
    let mut sending = sending(&sender, 1);
    let first = probe.poll(&mut sending);
    assert!(first.is_ready() || probe.calls.wakes.get() == 1);
}

#[test]
fn a_close_while_a_waiting_senders_next_waker_is_cloned_is_seen() {
    let (_sender, receiver, [(_first, mut sending)]) = full::<1>();
    let probe = Probe::new().on_clone(move || drop(receiver));
    let first = probe.poll(&mut sending);
    assert!(first == Poll::Ready(Err(SendError(1))) || probe.calls.wakes.get() == 1);
}

#[test]
fn a_receive_while_a_waiting_senders_next_waker_is_cloned_is_seen() {
    let (sender, receiver, [(first, mut sending)]) = full::<1>();
    let receiver = Rc::new(RefCell::new(receiver));
    let of_waker = receiver.clone();
    let probe = Probe::new().on_clone(move || {
        assert_eq!(of_waker.borrow_mut().try_recv(), Ok(0));
    });
    assert!(probe.poll(&mut sending).is_ready());
    assert_eq!(first.calls.wakes.get(), 1, "the sender had the slot before it waited again");
    assert_eq!(sender.free(), 0, "the value fills the slot");
}

#[test]
fn a_waker_that_panics_in_a_send_leaves_the_value_in_the_channel() {
    let drops = Drops::default();
    let (sender, mut receiver) = mpsc::bounded(1);
    let probe = Probe::new().on_wake(|| panic!("a panic of a waker"));
    assert!(probe.poll(&mut pin!(receiver.recv())).is_pending());
    assert!(panics(|| drop(sender.try_send(drops.value()))));
    assert_eq!((drops.count(), receiver.len(), sender.free()), (0, 1, 0));
    drop(receiver.try_recv().unwrap());
    assert_eq!((drops.count(), sender.free()), (1, 1));
}

#[test]
fn a_waker_that_panics_in_a_close_does_not_stop_the_other_wakes() {
    let (_sender, mut receiver, [first, second, third]) = full::<3>();
    let _first = (first.0.on_wake(|| panic!("a panic of a waker")), first.1);
    assert!(panics(|| receiver.close()));
    assert_eq!([second.0, third.0].map(|probe| probe.calls.wakes.get()), [1, 1]);
}

#[test]
fn a_waker_that_panics_in_a_drop_of_a_sender_keeps_the_passed_slot() {
    let (sender, mut receiver, [(_, sending), (second, mut next)]) = full::<2>();
    let second = second.on_wake(|| panic!("a panic of a waker"));
    assert_eq!(receiver.try_recv(), Ok(0));
    assert!(panics(|| drop(sending)));
    assert!(second.poll(&mut next) == Poll::Ready(Ok(())));
    assert_eq!(drain(&mut receiver), [2]);
    assert_eq!(sender.free(), 1);
}

#[test]
fn a_value_that_panics_in_its_drop_leaves_a_closed_channel() {
    let drops = Drops::default();
    let (sender, receiver) = mpsc::unbounded();
    let counted = drops.value();
    let bad = OnDrop(Some(Box::new(move || panic!("a panic of a value: {counted:?}"))));
    sender.send(bad).ok().unwrap();
    let counted = drops.value();
    sender.send(OnDrop(Some(Box::new(move || drop(counted))))).ok().unwrap();
    assert!(panics(|| drop(receiver)));
    assert_eq!(drops.count(), 2, "the values behind it are dropped too");
    assert!(sender.is_closed());
}

/// Receives values, and sends each one plus 1.
async fn relay(mut from: Receiver<usize>, to: Sender<usize>) {
    while let Some(value) = from.recv().await {
        to.send(value + 1).await.unwrap();
    }
}

/// Returns whether values arrive in order through a chain of channels. A task of its own runs each
/// link.
async fn chain(links: usize, values: usize, spawn: impl Fn(LocalBoxFuture<'static, ()>)) -> bool {
    let (sender, mut end) = mpsc::bounded(1);
    for _ in 0..links {
        let (next, next_end) = mpsc::bounded(3);
        spawn(relay(end, next).boxed_local());
        end = next_end;
    }
    let sends = async move {
        for value in 0..values {
            sender.send(value).await.unwrap();
        }
    };
    let (received, ()) = join(end.collect::<Vec<_>>(), sends).await;
    received == (links..links + values).collect::<Vec<_>>()
}

#[test]
fn a_chain_of_channels_under_each_executor() {
    let ours = block_on(chain(5, 1000, |link| drop(spawn(link))));
    assert!(ours);
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    assert!(pool.run_until(chain(5, 1000, |link| spawner.spawn_local(link).unwrap())));
    let links = RefCell::new(FuturesUnordered::new());
    let mut chain = pin!(chain(5, 1000, |link| links.borrow().push(link)));
    let theirs = executor::block_on(poll_fn(|cx| {
        let result = chain.as_mut().poll(cx);
        while let Poll::Ready(Some(())) = links.borrow_mut().poll_next_unpin(cx) {}
        result
    }));
    assert!(theirs);
}

#[test]
fn many_senders_use_one_slot_in_turn() {
    const SENDERS: usize = 50;
    let order = block_on(async {
        let (sender, receiver) = mpsc::bounded(1);
        sender.try_send(SENDERS).unwrap();
        for id in 0..SENDERS {
            let sender = sender.clone();
            drop(spawn(async move {
                for _ in 0..10 {
                    sender.send(id).await.unwrap();
                }
            }));
        }
        drop(sender);
        yield_now().await;
        receiver.collect::<Vec<_>>().await
    });
    assert_eq!(order[0], SENDERS, "the value that was sent first");
    let round_robin: Vec<_> = (0..10).flat_map(|_| 0..SENDERS).collect();
    assert_eq!(order[1..], round_robin);
}

/// Returns the index of the n-th of `MANY` to be dropped.
type Order = fn(usize) -> usize;

/// The orders in which dropping could be slow.
fn orders() -> [(&'static str, Order); 4] {
    [
        ("first to last", |i| i),
        ("last to first", |i| MANY - 1 - i),
        ("from both ends", |i| if i % 2 == 0 { i / 2 } else { MANY - 1 - i / 2 }),
        // 7 and MANY have no common divisor.
        ("scattered", |i| i * 7 % MANY),
    ]
}

#[test]
fn a_hundred_thousand_waiting_sends_can_be_dropped_in_any_order() {
    let drops = Drops::default();
    let (sender, mut receiver) = mpsc::bounded(1);
    let probe = Probe::new();
    for (round, (name, order)) in orders().iter().enumerate() {
        sender.try_send(drops.value()).ok().unwrap();
        let mut waiting: Vec<_> =
            (0..MANY).map(|_| Some(waiting(&sender, drops.value(), &probe))).collect();
        assert_eq!(probe.kept(), MANY);
        for i in 0..MANY {
            drop(waiting[order(i)].take());
            assert_eq!(probe.kept(), MANY - 1 - i, "{name}");
        }
        drop(receiver.try_recv().unwrap());
        assert_eq!(drops.count(), (round + 1) * (MANY + 1));
        assert_eq!((probe.calls.wakes.get(), sender.free(), receiver.len()), (0, 1, 0));
    }
}

#[test]
fn a_slot_passed_on_by_a_hundred_thousand_senders_becomes_free() {
    let (sender, mut receiver, []) = full::<0>();
    let probe = Probe::new();
    let waiting: Vec<_> = (0..MANY).map(|i| waiting(&sender, i, &probe)).collect();
    assert_eq!(receiver.try_recv(), Ok(0));
    for (passed, sending) in (1..).zip(waiting) {
        assert_eq!((probe.calls.wakes.get(), sender.free()), (passed, 0));
        drop(sending);
    }
    assert_eq!((probe.wakes_and_kept(), sender.free()), ((MANY, 0), 1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_channel_frees_all_its_memory_and_a_warm_one_allocates_none() {
    use std::task::{Context, Waker};
    if !alone::is_here("a_channel_frees_all_its_memory_and_a_warm_one_allocates_none") {
        return;
    }
    let none = heap::live();
    let waker = Waker::noop();
    let (sender, mut receiver) = mpsc::bounded(100);
    let mut warm = 0;
    for round in 0..3 {
        (0..100).for_each(|i| sender.try_send(i).unwrap());
        let before = heap::live();
        let waiting: Vec<_> = (0..MANY)
            .map(|i| {
                let mut sending = Box::pin(sender.send(i));
                assert!(sending.poll_unpin(&mut Context::from_waker(waker)).is_pending());
                sending
            })
            .collect();
        drop(waiting);
        assert_eq!(drain(&mut receiver).len(), 100);
        match round {
            0 => warm = heap::live(),
            _ => assert_eq!((before, heap::live()), (warm, warm)),
        }
    }
    receiver.close();
    drop((sender, receiver));
    assert_eq!(heap::live(), none);
}

#[cfg(target_os = "linux")]
#[test]
fn sends_that_wait_in_turn_use_the_memory_of_one() {
    if !alone::is_here("sends_that_wait_in_turn_use_the_memory_of_one") {
        return;
    }
    let (sender, _receiver, []) = full::<0>();
    let mut live = Vec::new();
    for i in 0..MANY {
        assert_eq!(sender.send(i).now_or_never(), None);
        if i % (MANY / 4) == 0 {
            live.push(heap::live());
        }
    }
    // The first reading is taken before `live` itself allocates.
    assert_eq!(live[1..], [live[1]; 3]);
}

/// Returns how often a task that awaits `busy` is polled until it completes.
fn polls(busy: impl Future<Output = ()> + 'static) -> usize {
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(async move {
        let mut busy = pin!(busy);
        poll_fn(|cx| {
            counted.set(counted.get() + 1);
            busy.as_mut().poll(cx)
        })
        .await;
    });
    runtime.run_until_stalled().unwrap();
    assert!(task.is_finished());
    polls.get()
}

#[test]
fn one_poll_of_a_task_receives_no_more_than_its_budget() {
    let (sender, mut receiver) = mpsc::unbounded();
    (0..10 * PER_POLL).for_each(|i| sender.send(i).unwrap());
    drop(sender);
    let polls = polls(async move {
        for i in 0..10 * PER_POLL {
            assert_eq!(receiver.recv().await, Some(i));
        }
        assert_eq!(receiver.recv().await, None);
    });
    assert_eq!(polls, 11, "ten polls that use the whole budget, and one for the end");
}

#[test]
fn one_poll_of_a_task_sends_no_more_than_its_budget() {
    let (sender, mut receiver) = mpsc::bounded(10 * PER_POLL);
    let polls = polls(async move {
        for i in 0..10 * PER_POLL {
            sender.send(i).await.unwrap();
        }
        yield_now().await;
    });
    assert_eq!(polls, 11, "ten polls that use the whole budget, and one after the yield");
    assert_eq!(drain(&mut receiver).len(), 10 * PER_POLL);
}

#[test]
fn a_receiver_that_never_waits_lets_others_run() {
    let longest = block_on(async {
        let (sender, mut receiver) = mpsc::unbounded();
        let since = Rc::new(Cell::new(0));
        let neighbour = since.clone();
        drop(spawn(async move {
            loop {
                neighbour.set(0);
                yield_now().await;
            }
        }));
        let mut longest = 0;
        for _ in 0..10 * PER_POLL {
            sender.send(()).unwrap();
            receiver.recv().await.unwrap();
            since.set(since.get() + 1);
            longest = longest.max(since.get());
        }
        longest
    });
    assert_eq!(longest, PER_POLL);
}

#[test]
fn a_receiver_without_budget_loses_no_value_and_is_polled_again() {
    let (sender, mut receiver) = mpsc::unbounded();
    let polls = polls(async move {
        for i in 0..=PER_POLL {
            sender.send(i).unwrap();
        }
        for i in 0..PER_POLL {
            assert_eq!(receiver.recv().await, Some(i));
        }
        assert_eq!(receiver.recv().now_or_never(), None, "the budget is spent");
        assert_eq!(receiver.try_recv(), Ok(PER_POLL), "the value stays in the channel");
    });
    assert_eq!(polls, 1);
}

#[test]
fn errors_and_halves_implement_debug_for_any_value() {
    struct Opaque;
    let (sender, mut receiver) = mpsc::bounded(1);
    assert_eq!(receiver.try_recv().err().unwrap().to_string(), "the queue is empty");
    let permit = sender.try_reserve().ok().unwrap();
    assert_eq!(format!("{permit:?}"), "Permit(Queue { len: 0, is_closed: false, .. })");
    permit.send(Opaque);
    let full = sender.try_send(Opaque).unwrap_err();
    assert_eq!(format!("{full:?}, {full}"), "TrySendError(the queue is full), the queue is full");
    receiver.close();
    assert_eq!(format!("{sender:?}"), "Sender(Queue { len: 1, is_closed: true, .. })");
    assert_eq!(format!("{receiver:?}"), "Receiver(Queue { len: 1, is_closed: true, .. })");
    let error: Box<dyn std::error::Error> = Box::new(sender.try_send(Opaque).unwrap_err());
    assert_eq!(error.to_string(), "the receiver was dropped or closed");
    let error = sender.send(Opaque).now_or_never().unwrap().unwrap_err();
    assert_eq!(format!("{error:?}"), "SendError(the receiver was dropped or closed)");
}
