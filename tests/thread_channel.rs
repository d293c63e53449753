//! `sync::thread_channel`: threads and loops, in both directions; closing from both ends; one wake
//! for each wait. `thread_channel_model` compares it with the model of `sync::mpsc`.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, JoinHandle};

use evloop::sync::thread_channel::{
    self, Receiver, SendError, Sender, TryRecvError, TrySendError, UnboundedSender,
};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use panic_place::assert_points_here;
use probe::{Drops, Probe};

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that count what happens to them.
#[allow(unreachable_pub)]
mod probe;

/// The number of values sent between threads: enough to meet in every state.
const MANY: usize = 20_000;
/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

type Sending<T> = LocalBoxFuture<'static, Result<(), SendError<T>>>;

/// A send that owns its sender, so that wakers can hold it.
fn sending<T: 'static>(sender: &Sender<T>, value: T) -> Sending<T> {
    let sender = sender.clone();
    async move { sender.send(value).await }.boxed_local()
}

/// Creates a full channel of capacity 1 that holds the value 0.
fn full() -> (Sender<usize>, Receiver<usize>) {
    let (sender, receiver) = thread_channel::bounded(1);
    sender.try_send(0).unwrap();
    (sender, receiver)
}

/// Runs `f` on a thread. The thread blocks, or is about to, once the caller has waited for `began`.
fn thread<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> (Arc<Barrier>, JoinHandle<T>) {
    let began = Arc::new(Barrier::new(2));
    let begins = began.clone();
    let thread = thread::spawn(move || {
        begins.wait();
        f()
    });
    (began, thread)
}

#[test]
fn the_halves_are_send_and_sync() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<(Sender<u8>, UnboundedSender<u8>, Receiver<u8>)>();
}

#[test]
fn a_thread_sends_to_a_loop() {
    for capacity in [1, 3, MANY] {
        let (sender, mut receiver) = thread_channel::bounded(capacity);
        let thread = thread::spawn(move || {
            (0..MANY).for_each(|i| sender.blocking_send(i).unwrap());
        });
        let received = block_on(async {
            let mut received = Vec::new();
            while let Some(i) = receiver.recv().await {
                received.push(i);
            }
            received
        });
        thread.join().unwrap();
        assert!(received.into_iter().eq(0..MANY));
    }
}

#[test]
fn a_loop_sends_to_a_thread() {
    for capacity in [1, 3, MANY] {
        let (sender, mut receiver) = thread_channel::bounded(capacity);
        let thread =
            thread::spawn(move || std::iter::from_fn(|| receiver.blocking_recv()).eq(0..MANY));
        block_on(async {
            for i in 0..MANY {
                sender.send(i).await.unwrap();
            }
        });
        drop(sender);
        assert!(thread.join().unwrap());
    }
}

#[test]
fn many_threads_send_without_a_limit() {
    let (sender, receiver) = thread_channel::unbounded();
    let threads: Vec<_> = (0..4)
        .map(|k| {
            let sender = sender.clone();
            thread::spawn(move || (0..MANY / 4).for_each(|i| sender.send((k, i)).unwrap()))
        })
        .collect();
    drop(sender);
    let received: Vec<_> = block_on(receiver.collect());
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(received.len(), MANY);
    for k in 0..4 {
        let of_one = received.iter().filter(|(of, _)| *of == k).map(|(_, i)| *i);
        assert!(of_one.eq(0..MANY / 4), "each sender's values are in order");
    }
}

#[test]
fn threads_send_to_a_thread() {
    let (sender, mut receiver) = thread_channel::bounded(2);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            thread::spawn(move || (0..MANY / 10).for_each(|i| sender.blocking_send(i).unwrap()))
        })
        .collect();
    drop(sender);
    let sum: usize = std::iter::from_fn(|| receiver.blocking_recv()).sum();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(sum, 3 * (0..MANY / 10).sum::<usize>());
}

#[test]
fn two_loops_play_ping_pong() {
    let (ping, mut pings) = thread_channel::bounded(1);
    let (pong, mut pongs) = thread_channel::bounded(1);
    let thread = thread::spawn(move || {
        block_on(async {
            while let Some(i) = pings.recv().await {
                pong.send(i + 1).await.unwrap();
            }
        });
    });
    block_on(async {
        for i in 0..MANY / 10 {
            ping.send(i).await.unwrap();
            assert_eq!(pongs.recv().await, Some(i + 1));
        }
        drop(ping);
        assert_eq!(pongs.recv().await, None);
    });
    thread.join().unwrap();
}

#[test]
fn a_thread_and_a_task_wait_in_one_queue() {
    let (sender, mut receiver) = full();
    let probes = [Probe::new(), Probe::new()];
    let mut first = sending(&sender, 1);
    assert!(probes[0].poll(&mut first).is_pending() && probes[0].poll(&mut first).is_pending());
    assert_eq!(probes[0].calls.clones.get(), 1, "its waker is stored once");
    let blocks = sender.clone();
    let (began, thread) = thread(move || blocks.blocking_send(2));
    began.wait();
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(probes[0].wakes_and_kept(), (1, 0), "the slot is assigned to the task");
    assert!(probes[0].poll(&mut first) == Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.blocking_recv(), Some(2));
    thread.join().unwrap().unwrap();
}

#[test]
fn a_blocked_receiver_returns_when_the_senders_are_dropped() {
    let (sender, mut receiver) = thread_channel::bounded::<u8>(1);
    let other = sender.clone();
    let (began, thread) = thread(move || receiver.blocking_recv());
    began.wait();
    drop((sender, other));
    assert_eq!(thread.join().unwrap(), None);
}

#[test]
fn blocked_senders_return_when_the_receiver_is_closed_or_dropped() {
    for closes in [true, false] {
        let (sender, mut receiver) = full();
        let threads: Vec<_> = (1..4)
            .map(|i| {
                let sender = sender.clone();
                thread(move || sender.blocking_send(i))
            })
            .collect();
        threads.iter().for_each(|(began, _)| _ = began.wait());
        if closes {
            receiver.close();
            assert_eq!(receiver.blocking_recv(), Some(0), "the value was sent before");
            assert_eq!(receiver.blocking_recv(), None);
        } else {
            drop(receiver);
        }
        for ((_, thread), i) in threads.into_iter().zip(1..) {
            assert!(thread.join().unwrap() == Err(SendError(i)));
        }
        assert!(sender.is_closed() && sender.free() == 0);
    }
}

#[test]
fn blocking_on_the_thread_of_a_running_loop_panics() {
    block_on(async {
        let (sender, mut receiver) = thread_channel::bounded(1);
        let text = " was called on the thread of a running loop";
        assert_points_here(|| _ = sender.blocking_send(1), &format!("blocking_send{text}"));
        assert_points_here(|| _ = receiver.blocking_recv(), &format!("blocking_recv{text}"));
        let mut buffer = Vec::new();
        let text = format!("blocking_recv_many{text}");
        assert_points_here(|| _ = receiver.blocking_recv_many(&mut buffer, 1), &text);
        assert!(receiver.is_empty());
    });
}

#[test]
fn blocking_calls_that_need_not_wait_return() {
    let (sender, mut receiver) = thread_channel::bounded(2);
    assert!(sender.blocking_send(1) == Ok(()));
    assert_eq!((sender.free(), receiver.len()), (1, 1));
    assert_eq!(receiver.blocking_recv(), Some(1));
    (1..3).for_each(|i| sender.try_send(i).unwrap());
    let mut buffer = Vec::new();
    assert_eq!(receiver.blocking_recv_many(&mut buffer, 1), 1);
    assert_eq!((receiver.blocking_recv_many(&mut buffer, 9), &buffer[..]), (1, &[1, 2][..]));
    drop(receiver);
    assert!(sender.blocking_send(2) == Err(SendError(2)));
}

#[test]
fn a_capacity_of_zero_is_refused_at_the_caller() {
    assert_points_here(|| drop(thread_channel::bounded::<i32>(0)), "a capacity of at least 1");
}

#[test]
fn several_values_wake_a_receiver_once() {
    let (sender, mut receiver) = thread_channel::unbounded();
    let probe = Probe::new();
    let mut recv = async move { receiver.recv().await }.boxed_local();
    assert!(probe.poll(&mut recv).is_pending());
    assert!(probe.poll(&mut recv).is_pending());
    assert_eq!((probe.wakes_and_kept(), probe.calls.clones.get()), ((0, 1), 1));
    (0..3).for_each(|i| sender.send(i).unwrap());
    drop(sender);
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    assert!(probe.poll(&mut recv) == Poll::Ready(Some(0)));
}

#[test]
fn a_parked_loop_is_woken_from_another_thread_once() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (sender, mut receiver) = thread_channel::unbounded();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut cx).is_pending());
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(i).unwrap())
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((count.0.load(Ordering::SeqCst), receiver.len()), (1, 4));
}

#[test]
fn permits_reserve_slots_and_stay_valid_after_a_close() {
    let (sender, mut receiver) = thread_channel::bounded(2);
    let [first, second] = [sender.try_reserve().unwrap(), sender.try_reserve().unwrap()];
    assert!(sender.try_send(1) == Err(TrySendError::Full(1)));
    receiver.close();
    let probe = Probe::new();
    let mut recv = async { receiver.recv().await }.boxed_local();
    assert!(probe.poll(&mut recv).is_pending(), "a permit can still send");
    first.send(5);
    assert!(probe.poll(&mut recv) == Poll::Ready(Some(5)));
    drop(recv);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let mut recv = async { receiver.recv().await }.boxed_local();
    assert!(probe.poll(&mut recv).is_pending());
    drop(second);
    assert_eq!(probe.wakes_and_kept(), (2, 0));
    assert!(probe.poll(&mut recv) == Poll::Ready(None));
}

#[test]
fn a_dropped_woken_sender_passes_its_slot_on() {
    let (sender, mut receiver) = full();
    let probes = [Probe::new(), Probe::new()];
    let [mut first, mut second] = [sending(&sender, 1), sending(&sender, 2)];
    assert!(probes[0].poll(&mut first).is_pending() && probes[1].poll(&mut second).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    drop(first);
    assert_eq!(probes.each_ref().map(Probe::wakes_and_kept), [(1, 0), (1, 0)]);
    assert!(probes[1].poll(&mut second) == Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
}

#[test]
fn values_are_dropped_outside_of_the_lock() {
    struct Uses(UnboundedSender<Option<Uses>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            assert!(self.0.is_closed() && self.0.send(None).is_err());
        }
    }
    let (sender, receiver) = thread_channel::unbounded();
    (0..2).for_each(|_| assert!(sender.send(Some(Uses(sender.clone()))).is_ok()));
    drop(receiver);
    let (drops, (sender, receiver)) = (Drops::default(), thread_channel::bounded(2));
    let permit = sender.try_reserve().unwrap();
    sender.try_send(drops.value()).unwrap();
    drop(receiver);
    assert_eq!(drops.count(), 1);
    permit.send(drops.value());
    assert_eq!(drops.count(), 2);
}

#[test]
fn wakers_can_use_the_channel() {
    let acts: [fn(&mut Receiver<usize>); 2] = [|receiver| _ = receiver.try_recv(), Receiver::close];
    for act in acts {
        let (sender, mut receiver) = full();
        let uses = sender.clone();
        let probe = Probe::new().on_wake(move || drop((uses.try_send(9), uses.free(), uses)));
        let mut sending = sending(&sender, 1);
        assert!(probe.poll(&mut sending).is_pending());
        act(&mut receiver);
        assert_eq!(probe.wakes_and_kept(), (1, 0));
    }
    let (sender, mut receiver) = full();
    let clones = sender.clone();
    let probe = Probe::new().on_clone(move || drop(clones));
    let drops = sender.clone();
    let last = Probe::new().on_drop(move || assert_eq!(drops.free(), 0));
    let mut sending = sending(&sender, 1);
    assert!(last.poll(&mut sending).is_pending() && probe.poll(&mut sending).is_pending());
    drop(sending);
    assert_eq!((last.kept(), probe.kept(), receiver.try_recv()), (0, 0, Ok(0)));
}

#[test]
fn only_the_last_permit_wakes_the_receiver_of_a_closed_channel() {
    let (sender, mut receiver) = thread_channel::bounded::<u8>(2);
    let (first, second) = (sender.try_reserve().unwrap(), sender.try_reserve().unwrap());
    receiver.close();
    let probe = Probe::new();
    let mut recv = async { receiver.recv().await }.boxed_local();
    assert!(probe.poll(&mut recv).is_pending());
    drop(first);
    assert_eq!(probe.calls.wakes.get(), 0, "the second permit can still send");
    drop(second);
    assert_eq!(probe.calls.wakes.get(), 1);
    assert!(probe.poll(&mut recv) == Poll::Ready(None));
}

#[test]
fn a_send_while_a_waker_is_cloned_is_seen() {
    let (sender, mut receiver) = thread_channel::unbounded();
    let probe = Probe::new().on_clone(move || sender.send(5).unwrap());
    let mut recv = async { receiver.recv().await }.boxed_local();
    assert!(probe.poll(&mut recv) == Poll::Ready(Some(5)));
    assert_eq!(probe.kept(), 0);
}

#[test]
fn a_task_that_never_waits_lets_others_run() {
    block_on(async {
        let (sender, mut receiver) = thread_channel::bounded(1);
        let ran = Rc::new(std::cell::Cell::new(false));
        let set = ran.clone();
        drop(spawn(async move { set.set(true) }));
        let mut turns = 0;
        while !ran.get() {
            sender.send(turns).await.unwrap();
            assert_eq!(receiver.recv().await, Some(turns));
            turns += 1;
        }
        assert!(turns <= PER_POLL);
        yield_now().await;
    });
}

#[test]
fn halves_implement_debug() {
    let (sender, receiver) = full();
    assert_eq!(format!("{sender:?}"), "Sender(Queue { len: 1, is_closed: false, .. })");
    drop(sender);
    assert_eq!(format!("{receiver:?}"), "Receiver(Queue { len: 1, is_closed: false, .. })");
}

#[test]
fn a_blocked_receiver_gets_many_values_at_once() {
    let (sender, mut receiver) = thread_channel::unbounded();
    let (began, thread) = thread(move || {
        let (mut buffer, mut batches) = (Vec::new(), 0);
        while receiver.blocking_recv_many(&mut buffer, MANY) > 0 {
            batches += 1;
        }
        (buffer, batches)
    });
    began.wait();
    (0..MANY).for_each(|i| sender.send(i).unwrap());
    drop(sender);
    let (buffer, batches) = thread.join().unwrap();
    assert_eq!(buffer, (0..MANY).collect::<Vec<_>>());
    assert!((1..=MANY).contains(&batches));
}

#[test]
fn threads_upgrade_a_weak_sender_while_the_last_sender_is_dropped() {
    for _ in 0..200 {
        let (sender, mut receiver) = thread_channel::unbounded();
        let weak = sender.downgrade();
        let (began, thread) = thread(move || weak.upgrade().is_some_and(|s| s.send(1).is_ok()));
        began.wait();
        drop(sender);
        let was_sent = thread.join().unwrap();
        assert_eq!(receiver.blocking_recv(), was_sent.then_some(1));
        assert_eq!(receiver.blocking_recv(), None);
    }
}
