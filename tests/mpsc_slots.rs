//! Slots of `sync::mpsc`: many at once, with their sender, with a time limit, by force; and values
//! received many at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evloop::sync::mpsc::{self, SendError, SendTimeoutError, TrySendError};
use evloop::task::yield_now;
use evloop::{Runtime, block_on, spawn};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use panic_place::assert_points_here;
use probe::{Drops, Probe};

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

#[test]
fn a_capacity_of_zero_is_refused_at_the_caller() {
    assert_points_here(|| drop(mpsc::bounded::<i32>(0)), "queue::Queue::bounded(0)");
}

#[test]
fn more_slots_than_the_capacity_are_refused_at_the_caller() {
    let (sender, _receiver) = mpsc::bounded::<i32>(2);
    let part = "3 slots cannot be reserved: the capacity of the channel is 2";
    assert_points_here(|| drop(sender.reserve_many(3)), part);
    assert_eq!(sender.try_reserve_many(3).err(), Some(TrySendError::Full(())));
    assert_eq!(sender.free(), 2);
}

#[test]
fn many_permits_hold_their_slots_until_they_are_used_or_dropped() {
    let (sender, mut receiver) = mpsc::bounded(4);
    let mut permits = sender.reserve_many(3).now_or_never().unwrap().unwrap();
    assert_eq!((permits.len(), sender.free(), receiver.len()), (3, 1, 0));
    permits.next().unwrap().send(1);
    let second = permits.next();
    assert_eq!((permits.size_hint(), sender.free(), receiver.len()), ((1, Some(1)), 1, 1));
    drop(permits);
    assert_eq!(sender.free(), 2);
    second.unwrap().send(2);
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(1), Ok(2)));
    assert_eq!((sender.free(), sender.max_capacity()), (4, 4));
    let mut none = sender.reserve_many(0).now_or_never().unwrap().unwrap();
    assert!(none.next().is_none() && none.next().is_none());
    let all = sender.try_reserve_many(4).unwrap();
    assert_eq!(all.map(|permit| permit.send(7)).count(), 4);
}

#[test]
fn two_that_want_all_slots_get_them_one_after_the_other() {
    let (sender, mut receiver) = mpsc::bounded(3);
    (0..2).for_each(|i| sender.try_send(i).unwrap());
    let [first, second, third] = [Probe::new(), Probe::new(), Probe::new()];
    let mut one = Box::pin(sender.reserve_many(3));
    let mut two = Box::pin(sender.reserve_many(2));
    let mut three = Box::pin(sender.reserve());
    assert!(first.poll(&mut one).is_pending());
    assert_eq!(sender.free(), 0, "the free slot is assigned to the first");
    assert!(second.poll(&mut two).is_pending() && third.poll(&mut three).is_pending());
    assert!(sender.try_send(9) == Err(TrySendError::Full(9)));
    let wakes = || [&first, &second, &third].map(|probe| probe.calls.wakes.get());
    receiver.try_recv().unwrap();
    assert_eq!((wakes(), sender.senders_waiting()), ([0, 0, 0], 3));
    receiver.try_recv().unwrap();
    assert_eq!((wakes(), sender.senders_waiting()), ([1, 0, 0], 2), "it has all");
    let Poll::Ready(Ok(permits)) = first.poll(&mut one) else { panic!("it was woken") };
    drop(permits);
    assert_eq!((wakes(), sender.senders_waiting()), ([1, 1, 1], 0));
    assert!(second.poll(&mut two).is_ready() && third.poll(&mut three).is_ready());
    assert_eq!(sender.free(), 3);
}

#[test]
fn a_dropped_wait_for_many_slots_passes_its_slots_on() {
    let (sender, mut receiver) = mpsc::bounded(3);
    sender.try_send(0).unwrap();
    let [first, second, third] = [Probe::new(), Probe::new(), Probe::new()];
    let mut one = Box::pin(sender.reserve_many(3));
    let mut two = Box::pin(sender.reserve());
    let mut three = Box::pin(sender.reserve());
    assert!(first.poll(&mut one).is_pending());
    assert!(second.poll(&mut two).is_pending() && third.poll(&mut three).is_pending());
    drop(one);
    assert_eq!(first.wakes_and_kept(), (0, 0));
    assert_eq!([second.calls.wakes.get(), third.calls.wakes.get()], [1, 1]);
    drop((two, three));
    assert_eq!(sender.free(), 2);
    receiver.try_recv().unwrap();
    assert_eq!(sender.free(), 3);
}

#[test]
fn a_close_frees_the_slots_of_those_that_wait_for_many() {
    let (sender, mut receiver) = mpsc::bounded(2);
    sender.try_send(7).unwrap();
    let probe = Probe::new();
    let mut many = Box::pin(sender.reserve_many(2));
    assert!(probe.poll(&mut many).is_pending());
    receiver.close();
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert!(probe.poll(&mut many).map(Result::err) == Poll::Ready(Some(SendError(()))));
    assert_eq!((receiver.try_recv(), receiver.max_capacity()), (Ok(7), 2));
    assert_eq!(receiver.recv().now_or_never(), Some(None));
    assert_eq!(sender.try_reserve_many(1).err(), Some(TrySendError::Closed(())));
}

#[test]
fn a_channel_with_permits_ends_after_the_last_one() {
    let (sender, mut receiver) = mpsc::bounded(3);
    let mut permits = sender.try_reserve_many(3).unwrap();
    receiver.close();
    let probe = Probe::new();
    assert!(probe.poll(&mut Box::pin(receiver.recv())).is_pending());
    permits.next().unwrap().send(1);
    assert_eq!(receiver.recv().now_or_never(), Some(Some(1)));
    assert!(probe.poll(&mut Box::pin(receiver.recv())).is_pending());
    drop(permits);
    assert_eq!(probe.wakes_and_kept(), (2, 0));
    assert_eq!(receiver.recv().now_or_never(), Some(None));
}

#[test]
fn only_the_last_permit_wakes_the_receiver_of_a_closed_channel() {
    let (sender, mut receiver) = mpsc::bounded::<u8>(2);
    let (first, second) = (sender.try_reserve().unwrap(), sender.try_reserve().unwrap());
    receiver.close();
    let probe = Probe::new();
    let mut recv = Box::pin(receiver.recv());
    assert!(probe.poll(&mut recv).is_pending());
    drop(first);
    assert_eq!(probe.calls.wakes.get(), 0, "the second permit can still send");
    drop(second);
    assert_eq!(probe.calls.wakes.get(), 1);
    assert!(probe.poll(&mut recv) == Poll::Ready(None));
}

#[test]
fn an_owned_permit_returns_its_sender() {
    let (sender, mut receiver) = mpsc::bounded(1);
    let permit = sender.reserve_owned().now_or_never().unwrap().unwrap();
    assert_eq!(format!("{permit:?}"), "OwnedPermit(Queue { len: 0, is_closed: false, .. })");
    let sender = permit.send(1);
    let Err(TrySendError::Full(sender)) = sender.try_reserve_owned() else { panic!("it is full") };
    assert_eq!(receiver.try_recv(), Ok(1));
    let sender = sender.try_reserve_owned().unwrap().release();
    assert_eq!(sender.free(), 1);
    let probe = Probe::new();
    assert!(probe.poll(&mut Box::pin(receiver.recv())).is_pending());
    drop(sender.try_reserve_owned().unwrap());
    assert_eq!((probe.calls.wakes.get(), receiver.free()), (1, 1), "its sender was the last");
    assert_eq!(receiver.recv().now_or_never(), Some(None));
    let (sender, receiver) = mpsc::bounded::<i32>(1);
    drop(receiver);
    let Err(TrySendError::Closed(sender)) = sender.try_reserve_owned() else { panic!("closed") };
    assert!(sender.reserve_owned().now_or_never().unwrap().is_err_and(|e| e == SendError(())));
}

#[test]
fn a_dropped_reserve_owned_drops_its_sender_and_passes_its_slot_on() {
    let (sender, mut receiver) = mpsc::bounded(1);
    sender.try_send(0).unwrap();
    let [first, second] = [Probe::new(), Probe::new()];
    let mut owned = Box::pin(sender.clone().reserve_owned());
    let mut next = Box::pin(sender.reserve());
    assert!(first.poll(&mut owned).is_pending() && second.poll(&mut next).is_pending());
    assert_eq!(sender.strong_count(), 2);
    receiver.try_recv().unwrap();
    assert_eq!([first.calls.wakes.get(), second.calls.wakes.get()], [1, 0]);
    drop(owned);
    assert_eq!((second.calls.wakes.get(), sender.strong_count()), (1, 1));
    assert!(second.poll(&mut next).is_ready());
}

#[test]
fn force_send_replaces_the_oldest_value() {
    let drops = Drops::default();
    let (sender, mut receiver) = mpsc::bounded(2);
    let probe = Probe::new();
    assert!(probe.poll(&mut Box::pin(receiver.recv())).is_pending());
    assert!(sender.force_send((1, drops.value())).unwrap().is_none());
    assert_eq!(probe.calls.wakes.get(), 1);
    assert!(sender.force_send((2, drops.value())).unwrap().is_none());
    let waiting = Probe::new();
    let mut sending = Box::pin(sender.send((9, drops.value())));
    assert!(waiting.poll(&mut sending).is_pending());
    let oldest = sender.force_send((3, drops.value())).unwrap().unwrap();
    assert_eq!((oldest.0, drops.count(), waiting.calls.wakes.get()), (1, 0, 0));
    assert_eq!([(); 2].map(|()| receiver.try_recv().unwrap().0), [2, 3]);
    assert_eq!(waiting.calls.wakes.get(), 1);
    drop(sending);
    let permits = sender.try_reserve_many(2).unwrap();
    let refused = sender.force_send((4, drops.value()));
    assert!(matches!(refused, Err(TrySendError::Full((4, _)))), "nothing can be replaced");
    drop(permits);
    receiver.close();
    assert!(matches!(sender.force_send((5, drops.value())), Err(TrySendError::Closed((5, _)))));
}

#[test]
fn send_timeout_returns_the_value_of_a_full_channel() {
    block_on(async {
        let (sender, mut receiver) = mpsc::bounded(1);
        let limit = Duration::from_millis(5);
        assert_eq!(sender.send_timeout(1, limit).await, Ok(()));
        let error = sender.send_timeout(2, limit).await.unwrap_err();
        assert_eq!(error, SendTimeoutError::Timeout(2));
        assert_eq!(error.to_string(), "the queue was full until the time limit");
        assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
        assert_eq!((sender.senders_waiting(), receiver.len()), (0, 1));
        let clone = sender.clone();
        let forever = Duration::from_secs(3600);
        let waits = spawn(async move { clone.send_timeout(3, forever).await });
        yield_now().await;
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(waits.await.unwrap(), Ok(()));
        assert_eq!(receiver.recv().await, Some(3));
        receiver.close();
        let closed = sender.send_timeout(4, forever).await.unwrap_err();
        assert_eq!((closed, closed.into_inner()), (SendTimeoutError::Closed(4), 4));
        assert_eq!(format!("{closed:?}"), "SendTimeoutError(the receiver was dropped or closed)");
    });
}

#[test]
fn recv_many_moves_up_to_its_limit() {
    let (sender, mut receiver) = mpsc::bounded(5);
    (0..5).for_each(|i| sender.try_send(i).unwrap());
    let mut buffer = vec![9];
    assert_eq!(receiver.recv_many(&mut buffer, 0).now_or_never(), Some(0));
    assert_eq!(receiver.recv_many(&mut buffer, 3).now_or_never(), Some(3));
    assert_eq!((&buffer[..], sender.free()), (&[9, 0, 1, 2][..], 3));
    assert_eq!(receiver.recv_many(&mut buffer, usize::MAX).now_or_never(), Some(2));
    let probe = Probe::new();
    assert!(probe.poll(&mut Box::pin(receiver.recv_many(&mut buffer, 3))).is_pending());
    assert_eq!(probe.wakes_and_kept(), (0, 1));
    sender.try_send(5).unwrap();
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert_eq!(receiver.recv_many(&mut buffer, 3).now_or_never(), Some(1));
    assert_eq!(buffer, [9, 0, 1, 2, 3, 4, 5]);
    drop(sender);
    assert_eq!(receiver.recv_many(&mut buffer, 3).now_or_never(), Some(0), "the end");
}

#[test]
fn recv_many_wakes_a_sender_for_each_slot() {
    let (sender, mut receiver) = mpsc::bounded(3);
    (0..3).for_each(|i| sender.try_send(i).unwrap());
    let probes: [Probe; 4] = std::array::from_fn(|_| Probe::new());
    let mut sends: Vec<_> = (0..4).map(|i| Box::pin(sender.send(i))).collect();
    for (probe, send) in probes.iter().zip(&mut sends) {
        assert!(probe.poll(send).is_pending());
    }
    let mut buffer = Vec::new();
    assert_eq!(receiver.recv_many(&mut buffer, 2).now_or_never(), Some(2));
    assert_eq!(probes.each_ref().map(|probe| probe.calls.wakes.get()), [1, 1, 0, 0]);
}

#[test]
fn a_send_while_the_waker_of_recv_many_is_cloned_is_seen() {
    let (sender, mut receiver) = mpsc::unbounded();
    let other = sender.clone();
    let probe = Probe::new().on_clone(move || other.send(7).unwrap());
    let mut buffer = Vec::new();
    let first = probe.poll(&mut Box::pin(receiver.recv_many(&mut buffer, 2)));
    assert!(first == Poll::Ready(1) && buffer == [7]);
}

#[test]
fn one_recv_many_counts_as_one_receive_in_the_budget() {
    let polls = Rc::new(RefCell::new(0));
    let counted = polls.clone();
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(async move {
        let (sender, mut receiver) = mpsc::unbounded();
        (0..10 * PER_POLL).for_each(|i| sender.send(i).unwrap());
        let mut buffer = Vec::new();
        let mut receive = Box::pin(async move {
            for _ in 0..2 * PER_POLL {
                assert_eq!(receiver.recv_many(&mut buffer, 5).await, 5);
            }
        });
        std::future::poll_fn(|cx| {
            *counted.borrow_mut() += 1;
            receive.poll_unpin(cx)
        })
        .await;
    });
    runtime.run_until_stalled().unwrap();
    assert!(task.is_finished());
    assert_eq!(*polls.borrow(), 2);
}

#[test]
fn batches_pass_a_small_channel_under_another_executor() {
    let mut pool = LocalPool::new();
    let (sender, mut receiver) = mpsc::bounded(3);
    let sends = async move {
        for batch in 0..100 {
            for (i, permit) in sender.reserve_many(1 + batch % 3).await.unwrap().enumerate() {
                permit.send((batch, i));
            }
        }
    };
    pool.spawner().spawn_local(sends).unwrap();
    let received = pool.run_until(async move {
        let mut all = Vec::new();
        while receiver.recv_many(&mut all, 2).await > 0 {}
        all
    });
    let expected: Vec<_> =
        (0..100).flat_map(|batch| (0..1 + batch % 3).map(move |i| (batch, i))).collect();
    assert_eq!(received, expected);
}
