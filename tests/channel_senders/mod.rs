//! The senders of a channel: weak ones, their counts, which are of the same channel, and `closed`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use evloop::{block_on, spawn};
use futures::FutureExt;

use crate::channel;
use crate::probe::Probe;

#[test]
fn a_weak_sender_does_not_keep_the_channel_open() {
    let (sender, mut receiver) = channel::bounded(2);
    let weak = sender.downgrade();
    let probe = Probe::new();
    assert!(probe.poll(&mut Box::pin(receiver.recv())).is_pending());
    let upgraded = weak.upgrade().unwrap();
    upgraded.try_send(1).unwrap();
    drop(sender);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert_eq!(receiver.recv().now_or_never(), Some(Some(1)));
    assert!(!receiver.is_closed());
    assert!(probe.poll(&mut Box::pin(receiver.recv())).is_pending());
    drop(upgraded);
    assert_eq!(probe.wakes_and_kept(), (2, 0), "the last sender is gone");
    assert!(receiver.is_closed() && weak.upgrade().is_none());
    assert_eq!(receiver.recv().now_or_never(), Some(None));
    assert!(weak.upgrade().is_none(), "it never opens again");
}

#[test]
fn a_weak_sender_outlives_the_channel() {
    let (sender, receiver) = channel::bounded::<i32>(1);
    let weak = sender.downgrade();
    drop(receiver);
    assert!(weak.upgrade().unwrap().is_closed());
    drop(sender);
    assert!(weak.upgrade().is_none() && weak.clone().upgrade().is_none());
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
    let (sender, receiver) = channel::unbounded::<i32>();
    let weak = sender.downgrade();
    drop((sender, receiver));
    assert!(weak.upgrade().is_none());
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 0));
}

#[test]
fn senders_are_counted() {
    let (sender, receiver) = channel::bounded::<i32>(1);
    let (weak, clone) = (sender.downgrade(), sender.clone());
    let weaks = [weak.clone(), sender.downgrade()];
    assert_eq!((sender.strong_count(), clone.weak_count()), (2, 3));
    assert_eq!((weak.strong_count(), weak.weak_count()), (2, 3));
    assert_eq!((receiver.sender_strong_count(), receiver.sender_weak_count()), (2, 3));
    let permit = clone.try_reserve_owned().ok().unwrap();
    assert_eq!(receiver.sender_strong_count(), 2, "a permit holds its sender");
    drop((weaks, permit));
    assert_eq!((receiver.sender_strong_count(), receiver.sender_weak_count()), (1, 1));
    let upgraded = weak.upgrade();
    assert_eq!(receiver.sender_strong_count(), 2);
    drop((upgraded, sender));
    assert_eq!((receiver.sender_strong_count(), weak.strong_count()), (0, 0));
}

#[test]
fn unbounded_senders_are_counted() {
    let (sender, receiver) = channel::unbounded();
    let weak = sender.downgrade();
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 1));
    weak.upgrade().unwrap().send(7).unwrap();
    assert_eq!((sender.len(), sender.is_empty(), receiver.len()), (1, false, 1));
    assert_eq!(receiver.max_capacity(), usize::MAX);
    assert_eq!((weak.strong_count(), weak.weak_count()), (1, 1));
    assert_eq!(receiver.free(), usize::MAX - 1);
}

#[test]
fn same_channel_compares_channels() {
    let [(one, _first), (other, _second)] = [(); 2].map(|()| channel::bounded::<i32>(1));
    assert!(one.same_channel(&one.clone()) && !one.same_channel(&other));
    let [first, second] =
        [&one, &other].map(|sender| sender.clone().try_reserve_owned().ok().unwrap());
    assert!(first.same_channel(&first) && !first.same_channel(&second));
    assert!(first.same_channel_as_sender(&one) && !first.same_channel_as_sender(&other));
    let [(one, _first), (other, _second)] = [(); 2].map(|()| channel::unbounded::<i32>());
    assert!(one.same_channel(&one.clone()) && !one.same_channel(&other));
}

#[test]
fn closed_waits_until_the_receiver_is_closed_or_dropped() {
    for is_dropped in [false, true] {
        let (sender, mut receiver) = channel::bounded::<i32>(1);
        sender.try_send(0).unwrap();
        let probes: [Probe; 3] = std::array::from_fn(|_| Probe::new());
        let mut closed = Box::pin(sender.closed());
        let mut dropped = Box::pin(sender.closed());
        let mut sending = Box::pin(sender.send(1));
        assert!(probes[0].poll(&mut closed).is_pending());
        assert!(probes[1].poll(&mut dropped).is_pending());
        assert!(probes[2].poll(&mut sending).is_pending());
        drop(dropped);
        assert_eq!(probes[1].wakes_and_kept(), (0, 0));
        match is_dropped {
            false => receiver.close(),
            true => drop(receiver),
        }
        assert_eq!(probes[0].wakes_and_kept(), (1, 0));
        assert_eq!(probes[2].wakes_and_kept(), (1, 0));
        assert!(probes[0].poll(&mut closed).is_ready());
        assert_eq!(sender.closed().now_or_never(), Some(()), "at once");
    }
    let (sender, receiver) = channel::unbounded::<i32>();
    let probe = Probe::new();
    let mut closed = Box::pin(sender.closed());
    assert!(probe.poll(&mut closed).is_pending());
    drop(receiver);
    assert!(probe.poll(&mut closed).is_ready());
}

#[test]
fn a_waker_that_panics_in_a_close_stops_no_wait_for_closed() {
    for panicking in 0..3 {
        let (sender, mut receiver) = channel::bounded::<i32>(1);
        sender.try_send(0).unwrap();
        let probes: [Probe; 3] = std::array::from_fn(|i| match i == panicking {
            true => Probe::new().on_wake(|| panic!("a panic of a waker")),
            false => Probe::new(),
        });
        let [mut one, mut two] = [(); 2].map(|()| Box::pin(sender.closed()));
        let mut sending = Box::pin(sender.send(1));
        assert!(probes[0].poll(&mut one).is_pending() && probes[1].poll(&mut two).is_pending());
        assert!(probes[2].poll(&mut sending).is_pending());
        assert!(catch_unwind(AssertUnwindSafe(|| receiver.close())).is_err());
        assert_eq!(probes.map(|probe| probe.calls.wakes.get()), [1, 1, 1]);
    }
}

#[test]
fn a_close_while_a_waker_of_closed_is_cloned_is_seen() {
    let (sender, receiver) = channel::bounded::<i32>(1);
    let probe = Probe::new().on_clone(move || drop(receiver));
    let mut closed = Box::pin(sender.closed());
    let first = probe.poll(&mut closed);
    assert!(first.is_ready() || probe.calls.wakes.get() == 1);
}

#[test]
fn a_weak_sender_is_used_in_a_loop() {
    let received = block_on(async {
        let (sender, mut receiver) = channel::unbounded();
        let weak = sender.downgrade();
        let ticker = spawn(async move {
            let mut sent = 0;
            while let Some(sender) = weak.upgrade() {
                sender.send(sent).unwrap();
                sent += 1;
                drop(sender);
                evloop::task::yield_now().await;
            }
            sent
        });
        assert_eq!(receiver.recv().await, Some(0));
        drop(sender);
        let sent = ticker.await.unwrap();
        let rest = std::iter::from_fn(|| receiver.try_recv().ok()).count();
        (sent, rest)
    });
    assert_eq!(received.0, received.1 + 1, "the task ended, and each value was received");
}
