//! `queue`: order, capacity, unfinished work, closing, cancellation in each state, and wakers,
//! values and comparisons that use the queue.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use evloop::queue::{
    LifoQueue, PriorityQueue, PutError, Queue, QueueClosed, QueueEmpty, QueueFull, TryGetError,
    TryPutError,
};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::future::LocalBoxFuture;
use futures::task::LocalSpawnExt;
use probe::{Drops, Probe};

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub)]
mod probe;

/// Futures that wait at once: if removing one were not O(1), dropping them would take minutes.
const MANY: usize = 100_000;
/// The operations that one poll of a task may complete: src/current/budget.rs.
const PER_POLL: usize = 128;

type Putting<T> = LocalBoxFuture<'static, Result<(), PutError<T>>>;
type Getting<T> = LocalBoxFuture<'static, Result<T, QueueClosed>>;

/// A put that owns its queue, so that a hook can own it.
fn putting<T: 'static>(queue: &Rc<Queue<T>>, value: T) -> Putting<T> {
    let queue = queue.clone();
    async move { queue.put(value).await }.boxed_local()
}

fn getting<T: 'static>(queue: &Rc<Queue<T>>) -> Getting<T> {
    let queue = queue.clone();
    async move { queue.get().await }.boxed_local()
}

/// `N` waiting futures, each polled with a probe of its own.
fn waiting<F: futures::Future + Unpin, const N: usize>(
    begin: impl Fn(usize) -> F,
) -> [(Probe, F); N] {
    std::array::from_fn(|i| {
        let (probe, mut future) = (Probe::new(), begin(i));
        assert!(probe.poll(&mut future).is_pending());
        (probe, future)
    })
}

fn wakes<F, const N: usize>(waiting: &[(Probe, F); N]) -> [usize; N] {
    waiting.each_ref().map(|(probe, _)| probe.calls.wakes.get())
}

/// A queue of capacity 1 that holds the value 0.
fn full() -> Rc<Queue<usize>> {
    let queue = Rc::new(Queue::bounded(1));
    queue.try_put(0).unwrap();
    queue
}

fn message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().unwrap().to_string(),
    }
}

#[test]
fn each_queue_has_its_order() {
    let (fifo, lifo, smallest) =
        (Queue::unbounded(), LifoQueue::unbounded(), PriorityQueue::unbounded());
    for value in [3, 1, 2] {
        fifo.try_put(value).unwrap();
        lifo.try_put(value).unwrap();
        smallest.try_put(value).unwrap();
    }
    let three = || [(); 3].map(|()| fifo.try_get().unwrap());
    assert_eq!(three(), [3, 1, 2]);
    assert_eq!([(); 3].map(|()| lifo.try_get().unwrap()), [2, 1, 3]);
    assert_eq!([(); 3].map(|()| smallest.try_get().unwrap()), [1, 2, 3]);
}

#[test]
fn a_getter_takes_the_next_value_at_the_time_when_it_runs() {
    block_on(async {
        let queue = Rc::new(PriorityQueue::unbounded());
        let queues = [queue.clone(), queue.clone()];
        let [first, second] = queues.map(|queue| spawn(async move { queue.get().await }));
        yield_now().await;
        queue.try_put(5).unwrap();
        queue.try_put(1).unwrap();
        assert_eq!(first.await.unwrap(), Ok(1), "the smallest at this time");
        assert_eq!(second.await.unwrap(), Ok(5));
    });
}

#[test]
fn the_capacity_is_exact() {
    for capacity in [1, 2, 100] {
        let queue = Queue::bounded(capacity);
        assert_eq!(queue.capacity(), Some(capacity));
        for round in 0..3 {
            for i in 0..capacity {
                assert_eq!((queue.len(), queue.is_full()), (i, false), "round {round}");
                queue.try_put(i).unwrap();
            }
            assert!(queue.is_full());
            assert!(matches!(queue.try_put(7), Err(QueueFull(7))));
            assert!(matches!(queue.try_reserve(), Err(TryPutError::Full(()))));
            (0..capacity).for_each(|i| assert_eq!(queue.try_get(), Ok(i)));
            assert!(queue.is_empty());
            assert!(matches!(queue.try_get(), Err(QueueEmpty)));
        }
    }
}

#[test]
fn an_unbounded_queue_is_never_full() {
    let queue = LifoQueue::unbounded();
    assert_eq!(queue.capacity(), None);
    (0..1000).for_each(|i| queue.try_put(i).unwrap());
    assert!(!queue.is_full() && queue.len() == 1000);
}

#[test]
fn waiting_puts_complete_in_order() {
    let queue = full();
    let mut waiting: [_; 3] = waiting(|i| putting(&queue, i + 1));
    for i in 0..3 {
        assert_eq!(queue.try_get(), Ok(i));
        assert_eq!(wakes(&waiting), std::array::from_fn(|k| usize::from(k <= i)));
        assert!(queue.is_full(), "the slot is assigned");
        assert_eq!(queue.try_put(9), Err(TryPutError::Full(9)));
        let (probe, putting) = &mut waiting[i];
        assert!(probe.poll(putting) == Poll::Ready(Ok(())));
    }
    assert_eq!(queue.try_get(), Ok(3));
    assert!(!queue.is_full());
}

#[test]
fn waiting_gets_complete_in_order() {
    let queue = Rc::new(Queue::unbounded());
    let mut waiting: [_; 3] = waiting(|_| getting(&queue));
    for i in 0..3 {
        queue.try_put(i).unwrap();
        assert_eq!(wakes(&waiting), std::array::from_fn(|k| usize::from(k <= i)));
        assert_eq!((queue.len(), queue.is_empty()), (0, true), "the value is assigned");
        assert_eq!(queue.try_get(), Err(TryGetError::Empty));
        let (probe, getting) = &mut waiting[i];
        assert!(probe.poll(getting) == Poll::Ready(Ok(i)));
    }
}

#[test]
fn a_waiting_future_keeps_its_place_with_another_waker() {
    let queue = Rc::new(Queue::unbounded());
    let mut waiting: [_; 2] = waiting(|_| getting(&queue));
    let other = Probe::new();
    assert!(other.poll(&mut waiting[0].1).is_pending());
    queue.try_put(0).unwrap();
    assert_eq!((other.wakes_and_kept(), wakes(&waiting)), ((1, 0), [0, 0]));
    assert_eq!(waiting[0].0.kept(), 0);
}

#[test]
fn a_woken_getter_that_is_dropped_hands_its_value_to_the_next() {
    let queue = Rc::new(Queue::unbounded());
    let [(probe, first), (next, mut second)] = waiting(|_| getting(&queue));
    queue.try_put(7).unwrap();
    assert_eq!(probe.wakes_and_kept(), (1, 0));
    drop(first);
    assert_eq!(next.wakes_and_kept(), (1, 0));
    assert!(next.poll(&mut second) == Poll::Ready(Ok(7)));
}

#[test]
fn the_value_of_a_dropped_woken_getter_stays_in_the_queue() {
    let queue = Rc::new(Queue::unbounded());
    let [(_, first)] = waiting(|_| getting(&queue));
    queue.try_put(7).unwrap();
    drop(first);
    assert_eq!((queue.len(), queue.try_get()), (1, Ok(7)));
}

#[test]
fn a_woken_putter_that_is_dropped_hands_its_slot_to_the_next() {
    let queue = full();
    let [(_, first), (next, mut second)] = waiting(|i| putting(&queue, i + 1));
    assert_eq!(queue.try_get(), Ok(0));
    drop(first);
    assert_eq!(next.wakes_and_kept(), (1, 0));
    assert!(next.poll(&mut second) == Poll::Ready(Ok(())));
    assert_eq!(queue.try_get(), Ok(2));
}

#[test]
fn a_dropped_waiting_future_is_not_woken() {
    let queue = full();
    let [(probe, first), (next, _second)] = waiting(|i| putting(&queue, i + 1));
    drop(first);
    assert_eq!(probe.wakes_and_kept(), (0, 0));
    assert_eq!(queue.try_get(), Ok(0));
    assert_eq!(next.wakes_and_kept(), (1, 0));
}

#[test]
fn futures_that_were_never_polled_do_nothing() {
    let queue = full();
    drop((queue.put(1), queue.get(), queue.join(), queue.reserve()));
    assert_eq!((queue.len(), queue.try_get()), (1, Ok(0)));
    assert!(!queue.is_full());
}

#[test]
fn a_value_that_was_not_put_is_dropped_with_its_future() {
    let (queue, drops) = (Rc::new(Queue::bounded(1)), Drops::default());
    queue.try_put(drops.value()).unwrap();
    let [(_, waits)] = waiting(|_| putting(&queue, drops.value()));
    drop(waits);
    assert_eq!((drops.count(), queue.len()), (1, 1));
    drop(queue);
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_permit_reserves_a_slot() {
    block_on(async {
        let queue = Queue::bounded(2);
        let permit = queue.reserve().await.unwrap();
        assert!(!queue.is_full());
        let other = queue.try_reserve().unwrap();
        assert!(queue.is_full() && queue.is_empty());
        drop(other);
        queue.put(1).await.unwrap();
        permit.put(2);
        assert_eq!([queue.try_get(), queue.try_get()], [Ok(1), Ok(2)]);
    });
}

#[test]
fn removing_a_waiting_future_takes_constant_time() {
    let queue = full();
    let probe = Probe::new();
    let mut futures: Vec<_> = (0..MANY).map(|i| putting(&queue, i)).collect();
    assert!(futures.iter_mut().all(|putting| probe.poll(putting).is_pending()));
    assert_eq!(probe.kept(), MANY);
    drop(futures);
    assert_eq!(probe.kept(), 0);
}

#[test]
fn join_waits_until_all_work_is_done() {
    let queue = Rc::new(Queue::unbounded());
    assert_eq!(queue.join().now_or_never(), Some(()));
    (0..2).for_each(|i| queue.try_put(i).unwrap());
    let joining = |_| {
        let queue = queue.clone();
        async move { queue.join().await }.boxed_local()
    };
    let mut waiting: [_; 2] = waiting(joining);
    assert_eq!(queue.try_get(), Ok(0));
    queue.task_done();
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(wakes(&waiting), [0, 0]);
    queue.task_done();
    assert_eq!(wakes(&waiting), [1, 1]);
    queue.try_put(2).unwrap();
    for (probe, joining) in &mut waiting {
        assert!(probe.poll(joining).is_ready(), "all work was done at one time");
    }
    assert!(queue.join().now_or_never().is_none());
}

#[test]
fn task_done_once_too_often_panics_with_a_sentence() {
    let queue = Queue::unbounded();
    queue.try_put(()).unwrap();
    queue.task_done();
    let message = message(|| queue.task_done());
    assert_eq!(
        message,
        "task_done was called more often than values were put: call it once a value"
    );
}

#[test]
fn producers_and_consumers_do_all_the_work() {
    block_on(async {
        let (queue, sum) = (Rc::new(Queue::bounded(3)), Rc::new(Cell::new(0)));
        for _ in 0..4 {
            let (queue, sum) = (queue.clone(), sum.clone());
            drop(spawn(async move {
                while let Ok(value) = queue.get().await {
                    yield_now().await;
                    sum.set(sum.get() + value);
                    queue.task_done();
                }
            }));
        }
        let producers = (0..5).map(|i| {
            let queue = queue.clone();
            spawn(async move {
                for k in 0..20 {
                    queue.put(i * 20 + k).await.unwrap();
                }
            })
        });
        for producer in producers.collect::<Vec<_>>() {
            producer.await.unwrap();
        }
        queue.join().await;
        assert_eq!(sum.get(), (0..100).sum::<i32>());
        queue.close();
    });
}

#[test]
fn a_closed_queue_is_drained() {
    let queue = full();
    let mut waiting: [_; 2] = waiting(|i| putting(&queue, i + 1));
    queue.close();
    queue.close();
    assert!(queue.is_closed());
    assert_eq!(wakes(&waiting), [1, 1]);
    for (i, (probe, putting)) in waiting.iter_mut().enumerate() {
        assert!(probe.poll(putting) == Poll::Ready(Err(PutError(i + 1))));
    }
    assert_eq!(queue.try_put(8), Err(TryPutError::Closed(8)));
    assert_eq!(queue.put(8).now_or_never(), Some(Err(PutError(8))));
    assert_eq!(queue.reserve().now_or_never().unwrap().err(), Some(QueueClosed));
    assert!(matches!(queue.try_reserve(), Err(TryPutError::Closed(()))));
    assert_eq!(queue.get().now_or_never(), Some(Ok(0)));
    assert_eq!(queue.get().now_or_never(), Some(Err(QueueClosed)));
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
}

#[test]
fn closing_wakes_getters_with_an_error() {
    let queue = Rc::new(Queue::<()>::unbounded());
    let mut waiting: [_; 2] = waiting(|_| getting(&queue));
    queue.close();
    assert_eq!(wakes(&waiting), [1, 1]);
    for (probe, getting) in &mut waiting {
        assert!(probe.poll(getting) == Poll::Ready(Err(QueueClosed)));
    }
}

#[test]
fn a_woken_getter_gets_its_value_after_the_close() {
    let queue = Rc::new(Queue::unbounded());
    let [(first, mut assigned), (second, mut next), (third, mut refused)] =
        waiting(|_| getting(&queue));
    queue.try_put(7).unwrap();
    queue.close();
    assert_eq!([&first, &second, &third].map(Probe::wakes_and_kept), [(1, 0); 3]);
    assert_eq!(queue.try_get(), Err(TryGetError::Closed), "the value is assigned");
    assert!(first.poll(&mut assigned) == Poll::Ready(Ok(7)));
    assert!(second.poll(&mut next) == Poll::Ready(Err(QueueClosed)));
    assert!(third.poll(&mut refused) == Poll::Ready(Err(QueueClosed)));
}

#[test]
fn a_woken_getter_dropped_after_the_close_hands_its_value_to_the_next() {
    let queue = Rc::new(Queue::unbounded());
    let [(_, assigned), (second, mut next)] = waiting(|_| getting(&queue));
    queue.try_put(7).unwrap();
    queue.close();
    drop(assigned);
    assert!(second.poll(&mut next) == Poll::Ready(Ok(7)));
}

#[test]
fn a_woken_putter_is_refused_after_the_close() {
    let queue = full();
    let [(probe, mut assigned)] = waiting(|_| putting(&queue, 1));
    assert_eq!(queue.try_get(), Ok(0));
    queue.close();
    assert_eq!(queue.try_get(), Err(TryGetError::Closed));
    assert!(probe.poll(&mut assigned) == Poll::Ready(Err(PutError(1))));
}

#[test]
fn a_permit_can_be_used_after_the_close() {
    let queue = Rc::new(Queue::bounded(2));
    let permits = [queue.try_reserve().unwrap(), queue.try_reserve().unwrap()];
    let mut waiting: [_; 2] = waiting(|_| getting(&queue));
    queue.close();
    assert_eq!(wakes(&waiting), [0, 0]);
    assert_eq!(queue.try_get(), Err(TryGetError::Empty), "a permit may still put a value");
    let [first, second] = permits;
    first.put(5);
    assert_eq!(wakes(&waiting), [1, 0]);
    drop(second);
    assert_eq!(wakes(&waiting), [1, 1]);
    let got = waiting.each_mut().map(|(probe, getting)| probe.poll(getting));
    assert!(got == [Poll::Ready(Ok(5)), Poll::Ready(Err(QueueClosed))]);
}

#[test]
fn close_now_drops_the_values_and_counts_them_as_done() {
    let (queue, drops) = (Rc::new(Queue::bounded(3)), Drops::default());
    (0..3).for_each(|_| queue.try_put(drops.value()).unwrap());
    drop(queue.try_get().unwrap());
    let permit = queue.try_reserve().unwrap();
    let joining = |_| {
        let queue = queue.clone();
        async move { queue.join().await }.boxed_local()
    };
    let [(probe, mut joining)] = waiting(joining);
    queue.close_now();
    assert_eq!((drops.count(), queue.len()), (3, 0));
    assert!(probe.poll(&mut joining).is_pending(), "the value that was got is not done");
    permit.put(drops.value());
    assert_eq!((drops.count(), queue.len(), queue.is_full()), (4, 0, false));
    queue.task_done();
    assert!(probe.poll(&mut joining).is_ready());
    assert_eq!(queue.get().now_or_never().unwrap().err(), Some(QueueClosed));
    assert!(message(|| queue.task_done()).contains("more often"));
}

#[test]
fn close_now_revokes_the_value_of_a_woken_getter() {
    let (queue, drops) = (Rc::new(Queue::unbounded()), Drops::default());
    let [(probe, mut assigned), (next, _next_get)] = waiting(|_| getting(&queue));
    queue.try_put(drops.value()).unwrap();
    queue.close_now();
    assert_eq!((drops.count(), next.wakes_and_kept()), (1, (1, 0)));
    assert!(matches!(probe.poll(&mut assigned), Poll::Ready(Err(QueueClosed))));
    assert_eq!(queue.join().now_or_never(), Some(()));
}

#[test]
fn destructors_that_close_now_runs_may_use_the_queue() {
    struct Uses(Rc<Queue<Option<Uses>>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            assert!(self.0.try_get().is_err() && self.0.try_put(None).is_err());
            assert!(self.0.join().now_or_never().is_some());
            self.0.close_now();
        }
    }
    let queue = Rc::new(Queue::unbounded());
    (0..2).for_each(|_| queue.try_put(Some(Uses(queue.clone()))).unwrap());
    queue.close_now();
    assert_eq!(Rc::strong_count(&queue), 1);
}

/// Lets the waker of a waiting getter run `hook`, then lets `act` wake it.
fn hook_on_wake(hook: fn(&Queue<usize>), act: fn(&Queue<usize>)) -> Rc<Queue<usize>> {
    let queue = full();
    let uses = queue.clone();
    let probe = Probe::new().on_wake(move || hook(&uses));
    assert_eq!(queue.try_get(), Ok(0));
    let mut getting = getting(&queue);
    assert!(probe.poll(&mut getting).is_pending());
    act(&queue);
    assert_eq!(probe.calls.wakes.get(), 1);
    queue.clone()
}

#[test]
fn wakers_may_use_the_queue() {
    let hooks: [fn(&Queue<usize>); 5] = [
        |queue| _ = queue.try_get(),
        |queue| _ = queue.try_put(9),
        |queue| _ = queue.get().now_or_never(),
        Queue::close,
        Queue::close_now,
    ];
    let acts: [fn(&Queue<usize>); 3] =
        [|queue| queue.try_put(1).unwrap(), Queue::close, Queue::close_now];
    for hook in hooks {
        for act in acts {
            let queue = hook_on_wake(hook, act);
            queue.close_now();
            assert_eq!((queue.len(), queue.is_full()), (0, false));
        }
    }
}

#[test]
fn a_waker_that_polls_the_woken_future_gets_its_value() {
    let queue = Rc::new(Queue::unbounded());
    let getting = Rc::new(RefCell::new(getting(&queue)));
    let got = Rc::new(Cell::new(None));
    let (polled, seen) = (getting.clone(), got.clone());
    let probe = Probe::new().on_wake(move || seen.set((&mut *polled.borrow_mut()).now_or_never()));
    assert!(probe.poll(&mut *getting.borrow_mut()).is_pending());
    queue.try_put(3).unwrap();
    assert_eq!(got.get(), Some(Ok(3)));
}

#[test]
fn a_value_put_while_a_waker_is_cloned_is_not_missed() {
    let queue = Rc::new(Queue::unbounded());
    let puts = queue.clone();
    let probe = Probe::new().on_clone(move || puts.try_put(5).unwrap());
    assert!(probe.poll(&mut getting(&queue)) == Poll::Ready(Ok(5)));
    let closes = queue.clone();
    let probe = Probe::new().on_clone(move || closes.close_now());
    assert!(probe.poll(&mut getting(&queue)) == Poll::Ready(Err(QueueClosed)));
    assert_eq!(probe.kept(), 0);
}

#[test]
fn a_waker_may_use_the_queue_when_it_is_dropped() {
    let queue = Rc::new(Queue::unbounded());
    let mut waits = getting(&queue);
    let puts = queue.clone();
    let old = Probe::new().on_drop(move || puts.try_put(1).unwrap());
    assert!(old.poll(&mut waits).is_pending());
    let new = Probe::new();
    assert!(new.poll(&mut waits).is_pending());
    assert_eq!((new.wakes_and_kept(), old.kept()), ((1, 0), 0));
    assert!(new.poll(&mut waits) == Poll::Ready(Ok(1)));
    let puts = queue.clone();
    let last = Probe::new().on_drop(move || puts.try_put(2).unwrap());
    let mut waits = getting(&queue);
    assert!(last.poll(&mut waits).is_pending());
    drop(waits);
    assert_eq!(queue.try_get(), Ok(2));
}

#[test]
fn a_waker_that_panics_does_not_stop_the_other_wakes() {
    let queue = Rc::new(Queue::<()>::unbounded());
    let panics = Probe::new().on_wake(|| panic!("the waker"));
    let mut first = getting(&queue);
    assert!(panics.poll(&mut first).is_pending());
    let others: [_; 2] = waiting(|_| getting(&queue));
    assert_eq!(message(|| queue.close()), "the waker");
    assert_eq!(wakes(&others), [1, 1]);
}

/// Compares by the number, and calls the function at each comparison.
struct Hooked(u8, Rc<dyn Fn()>);

impl PartialEq for Hooked {
    fn eq(&self, other: &Hooked) -> bool {
        self.0 == other.0
    }
}

impl Eq for Hooked {}

impl Ord for Hooked {
    fn cmp(&self, other: &Hooked) -> Ordering {
        self.1();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Hooked {
    fn partial_cmp(&self, other: &Hooked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[test]
fn a_comparison_that_panics_leaves_the_queue_usable() {
    let (queue, panics) = (PriorityQueue::bounded(4), Rc::new(Cell::new(false)));
    let panicking = panics.clone();
    let compare: Rc<dyn Fn()> = Rc::new(move || assert!(!panicking.get(), "the comparison"));
    (0..3).for_each(|i| assert!(queue.try_put(Hooked(i, compare.clone())).is_ok()));
    panics.set(true);
    assert_eq!(message(|| drop(queue.try_put(Hooked(3, compare.clone())))), "the comparison");
    assert_eq!((queue.len(), queue.is_full()), (4, true));
    assert_eq!(message(|| drop(queue.try_get())), "the comparison");
    assert_eq!((queue.len(), queue.is_full()), (3, false));
    panics.set(false);
    let mut left: Vec<_> = std::iter::from_fn(|| queue.try_get().ok()).map(|v| v.0).collect();
    left.sort();
    assert_eq!((left, queue.len()), (vec![1, 2, 3], 0));
}

#[test]
fn a_comparison_that_uses_the_queue_panics_with_a_sentence() {
    let queue = Rc::new(PriorityQueue::unbounded());
    let uses = Rc::downgrade(&queue);
    let compare: Rc<dyn Fn()> = Rc::new(move || drop(uses.upgrade().unwrap().try_get()));
    assert!(queue.try_put(Hooked(0, compare.clone())).is_ok());
    let message = message(|| drop(queue.try_put(Hooked(1, compare.clone()))));
    assert!(message.contains("a comparison or a clone of values used the queue that holds them"));
}

#[test]
fn a_queue_that_is_always_ready_starves_no_other_task() {
    block_on(async {
        let (queue, ran) = (Queue::unbounded(), Rc::new(Cell::new(false)));
        let set = ran.clone();
        drop(spawn(async move { set.set(true) }));
        let mut turns = 0;
        while !ran.get() {
            queue.put(turns).await.unwrap();
            assert_eq!(queue.get().await, Ok(turns));
            turns += 1;
        }
        assert!(turns <= PER_POLL);
        ran.set(false);
        let set = ran.clone();
        drop(spawn(async move { set.set(true) }));
        let empty = Queue::<()>::unbounded();
        for _ in 0..=PER_POLL {
            empty.join().await;
        }
        assert!(ran.get());
    });
}

#[test]
fn a_queue_works_under_another_executor() {
    let (mut pool, queue) = (LocalPool::new(), Rc::new(Queue::bounded(1)));
    let puts = queue.clone();
    let spawner = pool.spawner();
    let producer = async move {
        for i in 0..10 {
            puts.put(i).await.unwrap();
        }
        puts.close();
    };
    spawner.spawn_local(producer).unwrap();
    let sum = pool.run_until(async {
        let mut sum = 0;
        while let Ok(i) = queue.get().await {
            sum += i;
        }
        sum
    });
    assert_eq!(sum, 45);
}

#[test]
fn an_aborted_task_leaves_the_wait_queue() {
    block_on(async {
        let queue = full();
        let waits = spawn(putting(&queue, 1));
        let next = spawn(putting(&queue, 2));
        let other = spawn(pending::<()>());
        yield_now().await;
        waits.abort();
        other.abort();
        yield_now().await;
        assert_eq!(queue.try_get(), Ok(0));
        next.await.unwrap().unwrap();
        assert_eq!(queue.try_get(), Ok(2));
    });
}

#[test]
fn errors_have_messages_and_convert_into_io_errors() {
    let errors: [(io::Error, io::ErrorKind, &str); 5] = [
        (QueueClosed.into(), io::ErrorKind::UnexpectedEof, "closed, and no more values will come"),
        (TryGetError::Empty.into(), io::ErrorKind::WouldBlock, "the queue is empty"),
        (TryGetError::Closed.into(), io::ErrorKind::UnexpectedEof, "no more values will come"),
        (TryPutError::Full(1).into(), io::ErrorKind::WouldBlock, "the queue is full"),
        (PutError(1).into(), io::ErrorKind::BrokenPipe, "the queue is closed"),
    ];
    for (error, kind, text) in errors {
        assert!(error.kind() == kind && error.to_string().contains(text), "{error:?}");
    }
    assert_eq!(format!("{:?}", PutError(Cell::new(1))), "PutError(the queue is closed)");
    assert_eq!(TryPutError::Closed(4).into_inner(), 4);
    let queue = full();
    let text = "Queue { len: 1, unfinished: 1, is_closed: false, .. }";
    assert_eq!(format!("{queue:?}"), text);
}
