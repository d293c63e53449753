//! `JoinMap` and `JoinQueue`: tasks by key, and in the order in which they were spawned.

use std::future::{pending, ready};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use evloop::block_on;
use evloop::sync::oneshot;
use evloop::task::{self, JoinMap, JoinQueue, yield_now};
use probe::Drops;

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// Waits, and owns a value.
async fn idle(value: impl Sized) -> u32 {
    let _value = value;
    pending().await
}

#[test]
fn tasks_are_joined_with_their_keys_in_the_order_of_their_ends() {
    block_on(async {
        let mut map = JoinMap::new();
        for (key, turns) in [("c", 3), ("a", 1), ("b", 2)] {
            map.spawn(key, async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                turns
            });
        }
        assert!(map.keys().eq(&["c", "a", "b"]) && map.contains_key("a"));
        assert!(map.try_join_next().is_none());
        for (key, turns) in [("a", 1), ("b", 2), ("c", 3)] {
            let (joined, output) = map.join_next().await.unwrap();
            assert_eq!((joined, output.unwrap()), (key, turns));
            assert!(!map.contains_key(key));
        }
        assert!(map.join_next().await.is_none() && map.is_empty());
    });
}

#[test]
fn a_key_that_is_spawned_again_replaces_the_older_task() {
    let drops = Drops::default();
    block_on(async {
        let mut map = JoinMap::new();
        let older = map.spawn("key", idle(drops.value()));
        yield_now().await;
        let newer = map.spawn("key", ready(7));
        assert!(map.len() == 1 && !map.contains_task(older.id()) && map.contains_task(newer.id()));
        assert_eq!(drops.count(), 0, "never inside the call");
        let (key, output) = map.join_next().await.unwrap();
        assert_eq!((key, output.unwrap(), drops.count()), ("key", 7, 1));

        // The older task has ended and was not joined: its output is dropped.
        map.spawn("key", ready(1));
        yield_now().await;
        map.spawn("key", ready(2));
        assert!(map.try_join_next().is_none());
        assert_eq!(map.join_next().await.unwrap().1.unwrap(), 2);
        assert!(map.join_next().await.is_none());
    });
}

#[test]
fn the_end_of_a_replaced_task_does_not_end_the_next_one_in_its_place() {
    block_on(async {
        let mut map = JoinMap::new();
        map.spawn(1, pending::<u32>());
        map.spawn(2, pending());
        yield_now().await;
        map.spawn(1, pending());
        map.spawn(3, pending());
        yield_now().await;
        yield_now().await;
        assert!(map.try_join_next().is_none() && map.len() == 3);
        let mut join = pin!(map.join_next());
        assert!(join.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
    block_on(async {
        let mut map = JoinMap::new();
        map.spawn(1, pending());
        yield_now().await;
        map.spawn(1, pending());
        // In the place of the older task.
        map.spawn(3, yield_now());
        map.spawn(2, ready(()));
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!([2, 3], [(); 2].map(|()| map.try_join_next().unwrap().0));
    });
}

#[test]
fn tasks_are_aborted_by_key_and_by_a_function() {
    block_on(async {
        let mut map = JoinMap::new();
        for key in 0..6 {
            map.spawn(key.to_string(), pending::<()>());
        }
        assert!(map.abort("3") && !map.abort("9"));
        assert_eq!(map.len(), 6, "an aborted task stays until it is joined");
        let (key, output) = map.join_next().await.unwrap();
        assert!(key == "3" && output.unwrap_err().is_cancelled());
        map.abort_matching(|key| ["1", "3", "5"].contains(&&**key));
        let mut aborted = vec![map.join_next().await.unwrap().0];
        aborted.extend(std::iter::from_fn(|| map.try_join_next()).map(|(key, _)| key));
        assert_eq!(aborted, ["1", "5"]);
        map.shutdown().await;
        assert!(map.is_empty() && map.keys().next().is_none() && !map.contains_key("0"));
    });
}

#[test]
fn dropping_a_map_aborts_its_tasks_and_detach_all_does_not() {
    let drops = Drops::default();
    block_on(async {
        let mut map = JoinMap::new();
        map.spawn("key", idle(drops.value()));
        map.detach_all();
        assert!(map.is_empty() && !map.contains_key("key"));
        yield_now().await;
        assert_eq!(drops.count(), 0);
        map.spawn("key", idle(drops.value()));
        yield_now().await;
        drop(map);
        assert_eq!(drops.count(), 0, "never inside the call");
        yield_now().await;
        assert_eq!(drops.count(), 1);
    });
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_map_takes_work_and_tasks_spawned_elsewhere() {
    block_on(async {
        let mut map = JoinMap::new();
        map.spawn_blocking("pool", || 1);
        map.insert("task", evloop::spawn(ready(2)));
        let mut outputs = Vec::new();
        while let Some((key, output)) = map.join_next().await {
            outputs.push((key, output.unwrap()));
        }
        outputs.sort_unstable();
        assert_eq!(outputs, [("pool", 1), ("task", 2)]);
    });
}

#[test]
fn a_queue_returns_outputs_in_the_order_of_the_spawns() {
    block_on(async {
        let mut queue = JoinQueue::new();
        let (go, wait) = oneshot::channel();
        let first = queue.spawn(async { wait.await.unwrap() });
        let second = queue.spawn(ready(2));
        queue.insert(evloop::spawn(ready(3)));
        queue.spawn_blocking(|| 4);
        yield_now().await;
        assert!(second.is_finished() && queue.try_join_next().is_none());
        {
            let mut join = pin!(queue.join_next());
            assert!(join.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        go.send(1).unwrap();
        assert_eq!(queue.join_next_with_id().await.unwrap().unwrap(), (first.id(), 1));
        let mut cx = Context::from_waker(Waker::noop());
        let polled = queue.poll_join_next_with_id(&mut cx).map(|next| next.unwrap().unwrap());
        assert_eq!(polled, Poll::Ready((second.id(), 2)));
        assert_eq!(queue.join_all().await, [3, 4]);
        assert!(JoinQueue::<()>::new().join_next().await.is_none());
    });
}

#[test]
fn a_queue_shuts_down_detaches_and_aborts() {
    let drops = Drops::default();
    block_on(async {
        let mut queue = JoinQueue::new();
        queue.spawn(idle(drops.value()));
        queue.spawn(idle(drops.value()));
        yield_now().await;
        queue.shutdown().await;
        assert_eq!((queue.len(), drops.count()), (0, 2));
        queue.spawn(idle(drops.value()));
        yield_now().await;
        queue.detach_all();
        yield_now().await;
        assert_eq!((queue.len(), drops.count()), (0, 2));
        queue.spawn(idle(drops.value()));
        drop(queue);
        yield_now().await;
        assert_eq!((drops.count(), task::all().len()), (3, 2));
    });
    assert_eq!(drops.count(), 4);
}

#[test]
fn keys_are_dropped_with_the_map() {
    let key = Rc::new(());
    block_on(async {
        let mut map = JoinMap::new();
        for _ in 0..3 {
            map.spawn(key.clone(), ready(()));
        }
        map.join_next().await.unwrap().1.unwrap();
        assert_eq!(Rc::strong_count(&key), 1);
        map.spawn(key.clone(), pending());
    });
    assert_eq!(Rc::strong_count(&key), 1);
}
