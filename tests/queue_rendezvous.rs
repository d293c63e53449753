//! Queues with a capacity of 0, and looking at values without taking them.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use evloop::queue::{
    LifoQueue, PriorityQueue, PutError, Queue, QueueClosed, QueueEmpty, QueueFull, TryGetError,
};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::StreamExt;
use futures::future::{FutureExt, LocalBoxFuture};
use probe::{Drops, Probe};

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

type Putting = LocalBoxFuture<'static, Result<(), PutError<u32>>>;
type Getting = LocalBoxFuture<'static, Result<u32, QueueClosed>>;

fn putting(queue: &Rc<Queue<u32>>, value: u32) -> (Probe, Putting) {
    let queue = queue.clone();
    let (probe, mut put) = (Probe::new(), async move { queue.put(value).await }.boxed_local());
    assert!(probe.poll(&mut put).is_pending());
    (probe, put)
}

fn getting(queue: &Rc<Queue<u32>>) -> (Probe, Getting) {
    let queue = queue.clone();
    let (probe, mut get) = (Probe::new(), async move { queue.get().await }.boxed_local());
    assert!(probe.poll(&mut get).is_pending());
    (probe, get)
}

#[test]
fn a_put_completes_when_a_task_gets() {
    block_on(async {
        let (queue, order) = (Rc::new(Queue::bounded(0)), Rc::new(RefCell::new(Vec::new())));
        let (putting, log) = (queue.clone(), order.clone());
        let put = spawn(async move {
            for n in 0..3 {
                putting.put(n).await.unwrap();
                log.borrow_mut().push(format!("put {n}"));
            }
        });
        for n in 0..3 {
            for _ in 0..5 {
                yield_now().await;
            }
            order.borrow_mut().push("get".into());
            assert_eq!(queue.get().await, Ok(n));
        }
        put.await.unwrap();
        assert_eq!(*order.borrow(), ["get", "put 0", "get", "put 1", "get", "put 2"]);
        assert_eq!((queue.len(), queue.capacity(), queue.unfinished()), (0, Some(0), 3));
    });
}

#[test]
fn tasks_meet_in_the_order_in_which_they_came() {
    let queue = Rc::new(Queue::bounded(0));
    let mut puts = [putting(&queue, 1), putting(&queue, 2)];
    assert_eq!((queue.putters_waiting(), queue.is_full()), (2, true));
    let mut gets = [getting(&queue), getting(&queue)];
    assert_eq!((queue.putters_waiting(), queue.getters_waiting()), (0, 2));
    let wakes = |puts: &[(Probe, Putting)]| [0, 1].map(|i| puts[i].0.calls.wakes.get());
    assert_eq!(wakes(&puts), [1, 1]);
    for i in [0, 1] {
        let (probe, put) = &mut puts[i];
        assert_eq!(probe.poll(put), Poll::Ready(Ok(())));
    }
    let got = gets.each_mut().map(|(probe, get)| probe.poll(get));
    assert_eq!(got, [Poll::Ready(Ok(1)), Poll::Ready(Ok(2))]);
}

#[test]
fn try_put_needs_a_waiting_task() {
    let queue = Rc::new(Queue::bounded(0));
    assert!(matches!(queue.try_put(1), Err(QueueFull(1))));
    let (probe, mut get) = getting(&queue);
    assert!(!queue.is_full());
    queue.try_put(1).unwrap();
    assert!(matches!(queue.try_put(2), Err(QueueFull(2))), "the task gets one value");
    assert_eq!((probe.calls.wakes.get(), probe.poll(&mut get)), (1, Poll::Ready(Ok(1))));
    let permits = {
        let (_probe, _get) = getting(&queue);
        queue.try_reserve().map(drop).unwrap();
        queue.try_reserve().map(drop)
    };
    assert!(permits.is_ok(), "a dropped permit frees the slot");
    assert!(queue.try_put(3).is_err(), "nobody waits any more");
}

#[test]
fn a_value_whose_task_was_dropped_is_got_by_the_next_one() {
    let queue = Rc::new(Queue::bounded(0));
    // Dropped before the put was polled, and after.
    let (_, get) = getting(&queue);
    let permit = queue.try_reserve().unwrap();
    drop(get);
    permit.put(1);
    assert_eq!((queue.len(), queue.try_get()), (1, Ok(1)));
    let (_, get) = getting(&queue);
    queue.try_put(2).unwrap();
    drop(get);
    assert_eq!(queue.peek().now_or_never(), Some(Ok(2)));
    let (probe, put) = putting(&queue, 3);
    assert_eq!(queue.get().now_or_never(), Some(Ok(2)));
    assert_eq!(probe.calls.wakes.get(), 0, "no task gets");
    // A put that is dropped after it was woken leaves no slot behind.
    let (_, get) = getting(&queue);
    assert_eq!(probe.calls.wakes.get(), 1);
    drop(get);
    drop(put);
    assert!(queue.try_put(4).is_err());
}

#[test]
fn closing_ends_both_sides() {
    for is_now in [false, true] {
        let queue = Rc::new(Queue::bounded(0));
        let (probe, mut put) = putting(&queue, 1);
        match is_now {
            true => queue.close_now(),
            false => queue.close(),
        }
        assert_eq!(probe.poll(&mut put), Poll::Ready(Err(PutError(1))));
        assert_eq!(queue.try_get(), Err(TryGetError::Closed));
        let queue = Rc::new(Queue::bounded(0));
        let (probe, mut get) = getting(&queue);
        let permit = queue.try_reserve().unwrap();
        match is_now {
            true => queue.close_now(),
            false => queue.close(),
        }
        permit.put(2);
        let expected = if is_now { Err(QueueClosed) } else { Ok(2) };
        assert_eq!(probe.poll(&mut get), Poll::Ready(expected));
        assert_eq!(queue.get().now_or_never(), Some(Err(QueueClosed)));
    }
}

#[test]
fn a_peek_returns_the_next_value_and_leaves_it() {
    block_on(async {
        let queue = Rc::new(Queue::bounded(1));
        assert!(matches!(queue.try_peek(), Err(QueueEmpty)));
        let [peeked, got] = [true, false].map(|peeks| {
            let queue = queue.clone();
            spawn(async move { if peeks { queue.peek().await } else { queue.get().await } })
        });
        yield_now().await;
        assert_eq!(queue.getters_waiting(), 2);
        queue.try_put(1).unwrap();
        assert_eq!((peeked.await.unwrap(), got.await.unwrap()), (Ok(1), Ok(1)));
        queue.close();
        assert_eq!(
            (queue.peek().await, queue.try_peek()),
            (Err(QueueClosed), Err(TryGetError::Closed))
        );
    });
}

#[test]
fn a_dropped_peek_wakes_the_next_task() {
    let queue = Rc::new(Queue::bounded(1));
    let (peeks, owned) = (Probe::new(), queue.clone());
    let mut peek = async move { owned.peek().await }.boxed_local();
    assert!(peeks.poll(&mut peek).is_pending());
    let (gets, mut get) = getting(&queue);
    queue.try_put(1).unwrap();
    assert_eq!((peeks.calls.wakes.get(), gets.calls.wakes.get()), (1, 0));
    drop(peek);
    assert_eq!((gets.calls.wakes.get(), gets.poll(&mut get)), (1, Poll::Ready(Ok(1))));
}

#[test]
fn a_snapshot_has_the_order_of_getting() {
    let (queue, stack, heap) =
        (Queue::unbounded(), LifoQueue::unbounded(), PriorityQueue::unbounded());
    for n in [2, 3, 1] {
        queue.try_put(n).unwrap();
        stack.try_put(n).unwrap();
        heap.try_put(n).unwrap();
    }
    assert_eq!(queue.snapshot(), [2, 3, 1]);
    assert_eq!((stack.snapshot(), heap.snapshot()), (vec![1, 3, 2], vec![1, 2, 3]));
    assert_eq!((stack.try_peek(), heap.try_peek()), (Ok(1), Ok(1)));
    assert_eq!([queue.len(), stack.len(), heap.len()], [3; 3]);
}

#[test]
fn streams_share_the_values_until_the_queue_is_closed() {
    block_on(async {
        let queue = Rc::new(Queue::bounded(1));
        let tasks = [(); 2].map(|()| {
            let queue = queue.clone();
            spawn(async move { queue.stream().collect::<Vec<_>>().await })
        });
        for n in 0..6 {
            queue.put(n).await.unwrap();
            yield_now().await;
        }
        queue.close();
        let mut values = Vec::new();
        for task in tasks {
            let part = task.await.unwrap();
            assert!(!part.is_empty() && part.is_sorted());
            values.extend(part);
        }
        values.sort_unstable();
        assert_eq!(values, [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn a_dropped_stream_loses_no_value() {
    let (queue, drops) = (Rc::new(Queue::bounded(1)), Drops::default());
    let (probe, other) = (Probe::new(), Probe::new());
    let mut stream = queue.stream();
    assert!(probe.poll(&mut stream.next()).is_pending());
    let mut get = queue.get().boxed_local();
    assert!(other.poll(&mut get).is_pending());
    queue.try_put(drops.value()).unwrap();
    assert_eq!((probe.calls.wakes.get(), other.calls.wakes.get()), (1, 0));
    drop(stream);
    assert_eq!((other.calls.wakes.get(), drops.count()), (1, 0));
    assert!(other.poll(&mut get).is_ready());
}

#[test]
fn task_done_called_too_often_panics_at_its_caller() {
    let queue = Queue::<()>::unbounded();
    let (result, place) = panic_place::catch(|| queue.task_done());
    assert!(result.is_err());
    assert_eq!(place, (file!().to_string(), line!() - 2));
}

/// A waker that panics.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

#[test]
fn a_get_that_ends_with_the_panic_of_a_waker_does_not_count_as_waiting() {
    let queue = Rc::new(Queue::bounded(0));
    let mut put = Box::pin(queue.put(1));
    let waker = Waker::from(Arc::new(Panics));
    assert!(put.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let get = AssertUnwindSafe(|| drop(getting(&queue)));
    assert_eq!(catch_unwind(get).unwrap_err().downcast_ref(), Some(&"a waker"));
    drop(put);
    assert!(queue.try_put(2).is_err(), "no task gets");
}
