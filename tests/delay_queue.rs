//! `DelayQueue`: values leave it at their deadlines.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::task::yield_now;
use evloop::time::{DelayQueue, now, sleep, timeout};
use evloop::{block_on, spawn};
use futures::StreamExt;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;

const MS: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_secs(3600);

fn poll_once<T>(queue: &mut DelayQueue<T>) -> Poll<Option<T>> {
    let polled = queue.poll_expired(&mut Context::from_waker(Waker::noop()));
    polled.map(|expired| expired.map(|expired| expired.into_inner()))
}

#[test]
fn values_come_in_the_order_of_deadlines_then_of_insertion() {
    block_on(async {
        let mut queue = DelayQueue::new();
        let begin = now();
        for (value, after) in [("c", 3), ("a", 1), ("d", 3), ("b", 2), ("e", 3)] {
            queue.insert_at(value, begin + after * MS);
        }
        let mut order = String::new();
        while let Some(expired) = queue.expired().await {
            assert!(expired.deadline() <= now() && expired.deadline() > begin);
            order.push_str(expired.get_ref());
        }
        assert_eq!(order, "abcde");
    });
}

#[test]
fn a_value_is_never_early_and_one_in_the_past_needs_no_wait() {
    block_on(async {
        let mut queue = DelayQueue::with_capacity(2);
        assert_eq!(poll_once(&mut queue), Poll::Ready(None));
        queue.insert("late", LATE);
        assert!(poll_once(&mut queue).is_pending());
        queue.insert("now", Duration::ZERO);
        assert_eq!(poll_once(&mut queue), Poll::Ready(Some("now")));
        assert!(poll_once(&mut queue).is_pending());
        let begin = now();
        queue.insert("soon", 2 * MS);
        assert_eq!(queue.next().await.unwrap().into_inner(), "soon");
        assert!(now() - begin >= 2 * MS);
        assert_eq!(queue.len(), 1);
    });
}

#[test]
fn a_key_never_names_another_value() {
    block_on(async {
        let mut queue = DelayQueue::new();
        let first = queue.insert(1, LATE);
        assert_eq!(queue.remove(&first).into_inner(), 1);
        let second = queue.insert(2, LATE);
        assert!(first != second && queue.try_remove(&first).is_none());
        let mut other = DelayQueue::new();
        other.insert(0, LATE);
        assert_eq!(queue.len(), 1);
        queue.reset(&second, Duration::ZERO);
        let expired = queue.expired().await.unwrap();
        assert_eq!((expired.delay(), *expired.get_ref()), (second, 2));
        assert!(queue.try_remove(&second).is_none());
    });
}

#[test]
fn a_key_of_a_value_that_has_left_panics_at_the_caller() {
    fn place(call: impl FnOnce()) -> String {
        let (message, (file, _)) = panic_place::message_and_place(call);
        assert_eq!(message, "the value has left the DelayQueue: it expired, or was removed");
        file
    }
    let mut queue = DelayQueue::new();
    let key = queue.insert((), LATE);
    queue.clear();
    let places = [
        place(|| _ = queue.remove(&key)),
        place(|| queue.reset(&key, LATE)),
        place(|| queue.reset_at(&key, now())),
        place(|| _ = queue.deadline(&key)),
    ];
    assert!(places.iter().all(|place| place.contains("delay_queue.rs")), "{places:?}");
    assert!(places.iter().all(|place| !place.contains("src")), "{places:?}");
}

#[test]
fn reset_moves_a_value_behind_others_with_its_deadline() {
    block_on(async {
        let mut queue = DelayQueue::new();
        let deadline = now() + MS;
        let keys = ["a", "b", "c"].map(|value| queue.insert_at(value, deadline));
        queue.reset_at(&keys[0], deadline);
        assert_eq!((queue.peek(), queue.deadline(&keys[0])), (Some(keys[1]), deadline));
        let order: Vec<_> = queue.map(|expired| expired.into_inner()).collect().await;
        assert_eq!(order, ["b", "c", "a"]);
    });
}

/// Returns a task that waits for the next value of a shared queue.
fn next_of(queue: &Rc<RefCell<DelayQueue<u32>>>) -> evloop::JoinHandle<Option<u32>> {
    let queue = queue.clone();
    spawn(async move {
        let expired = poll_fn(|cx| queue.borrow_mut().poll_expired(cx)).await;
        expired.map(|expired| expired.into_inner())
    })
}

#[test]
fn a_waiting_task_is_woken_for_an_earlier_value() {
    block_on(async {
        let queue = Rc::new(RefCell::new(DelayQueue::new()));
        let first = queue.borrow_mut().insert(1, LATE);
        let waiter = next_of(&queue);
        yield_now().await;
        queue.borrow_mut().insert(2, 2 * MS);
        assert_eq!(waiter.await.unwrap(), Some(2));

        let waiter = next_of(&queue);
        yield_now().await;
        queue.borrow_mut().reset(&first, Duration::ZERO);
        assert_eq!(waiter.await.unwrap(), Some(1));
    });
}

#[test]
fn a_waiting_task_waits_longer_when_the_first_value_is_removed_or_moved() {
    block_on(async {
        let queue = Rc::new(RefCell::new(DelayQueue::new()));
        let first = queue.borrow_mut().insert(1, 50 * MS);
        let second = queue.borrow_mut().insert(2, LATE);
        let waiter = next_of(&queue);
        yield_now().await;
        queue.borrow_mut().reset(&first, LATE);
        sleep(60 * MS).await;
        assert!(!waiter.is_finished());
        queue.borrow_mut().remove(&first);
        queue.borrow_mut().reset(&second, MS);
        assert_eq!(waiter.await.unwrap(), Some(2));
    });
}

#[test]
fn a_waiting_task_learns_that_the_queue_has_become_empty() {
    block_on(async {
        for is_cleared in [false, true] {
            let queue = Rc::new(RefCell::new(DelayQueue::new()));
            let key = queue.borrow_mut().insert(1, LATE);
            let waiter = next_of(&queue);
            yield_now().await;
            if is_cleared {
                queue.borrow_mut().clear();
            } else {
                queue.borrow_mut().remove(&key);
            }
            assert_eq!(waiter.await.unwrap(), None);
        }
    });
}

#[test]
fn an_insertion_wakes_the_task_that_found_the_queue_empty() {
    block_on(async {
        let queue = Rc::new(RefCell::new(DelayQueue::<&str>::new()));
        let trace = Rc::new(RefCell::new(String::new()));
        for (first, second) in [("one", "two"), ("three", "four")] {
            let (polled, traced) = (queue.clone(), trace.clone());
            let waiter = spawn(poll_fn(move |cx| {
                let expired = polled.borrow_mut().poll_expired(cx);
                let (state, next) = match expired {
                    Poll::Ready(Some(expired)) => (expired.into_inner(), Poll::Ready(())),
                    Poll::Ready(None) => ("empty", Poll::Pending),
                    Poll::Pending => ("wait", Poll::Pending),
                };
                traced.borrow_mut().push_str(&format!("{state} "));
                next
            }));
            yield_now().await;
            let late = queue.borrow_mut().insert(first, LATE);
            yield_now().await;
            assert!(trace.borrow().ends_with("empty wait "), "{}", trace.borrow());
            // The task waits for the first value: a later one does not wake it.
            let later = queue.borrow_mut().insert(second, 2 * LATE);
            yield_now().await;
            queue.borrow_mut().reset(&late, MS);
            timeout(LATE, waiter).await.unwrap().unwrap();
            queue.borrow_mut().remove(&later);
        }
        assert_eq!(*trace.borrow(), "empty wait one empty wait three ");
    });
}

#[test]
fn a_dropped_wait_loses_no_value() {
    block_on(async {
        let mut queue = DelayQueue::new();
        queue.insert(1, MS);
        {
            let mut wait = pin!(queue.expired());
            assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            sleep(3 * MS).await;
        }
        assert_eq!(queue.expired().await.unwrap().into_inner(), 1);
    });
}

#[test]
fn values_that_are_always_due_do_not_starve_a_timeout() {
    block_on(async {
        let mut queue = DelayQueue::new();
        let endless = async {
            loop {
                queue.insert((), Duration::ZERO);
                queue.expired().await;
            }
        };
        assert!(timeout(MS, endless).await.is_err());
    });
}

#[test]
fn a_hundred_thousand_values_expire_in_order() {
    block_on(async {
        let mut queue = DelayQueue::new();
        let begin = now();
        for i in 0..100_000u64 {
            // Visits all numbers below in a mixed order.
            let i = i * 7919 % 100_000;
            queue.insert_at(i, begin + Duration::from_nanos(i));
        }
        let mut next = 0;
        while let Some(expired) = queue.expired().await {
            assert_eq!(expired.into_inner(), next);
            next += 1;
        }
        assert_eq!(next, 100_000);
    });
}
