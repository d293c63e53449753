//! `JoinSet` and `wait`: each task is joined once, when it ends, whatever is dropped meanwhile.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::sync::oneshot;
use evloop::task::{self, JoinMap, JoinQueue, JoinSet, ReturnWhen, yield_now};
use evloop::time::timeout;
use evloop::{Runtime, block_on};
use probe::{Drops, Probe};

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

#[test]
fn tasks_are_joined_in_the_order_of_their_ends() {
    block_on(async {
        let mut set = JoinSet::new();
        for i in [3, 1, 2] {
            set.spawn(async move {
                for _ in 0..i {
                    yield_now().await;
                }
                i
            });
        }
        assert!(set.try_join_next().is_none());
        let mut order = Vec::new();
        while let Some(output) = set.join_next().await {
            order.push(output.unwrap());
        }
        assert_eq!(order, [1, 2, 3]);
        assert!(set.is_empty() && set.try_join_next().is_none());
    });
}

#[test]
fn a_dropped_join_next_loses_no_output() {
    block_on(async {
        let mut set = JoinSet::new();
        for i in 0..3 {
            set.spawn(async move {
                yield_now().await;
                i
            });
        }
        for _ in 0..2 {
            let mut join = pin!(set.join_next());
            assert!(join.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(set.join_all().await, [0, 1, 2]);
    });
}

#[test]
fn panicked_and_aborted_tasks_are_joined_too() {
    block_on(async {
        let mut set = JoinSet::<()>::new();
        set.spawn(async { panic!("the task") });
        set.spawn(pending()).abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_panic());
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        set.spawn(pending());
        set.abort_all();
        assert_eq!(set.len(), 1, "an aborted task stays until it is joined");
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn dropping_a_set_aborts_its_tasks_and_detach_all_does_not() {
    let drops = Drops::default();
    let done = Rc::new(Cell::new(0));
    block_on(async {
        for is_detached in [false, true] {
            let mut set = JoinSet::new();
            for _ in 0..2 {
                let (value, done) = (drops.value(), done.clone());
                set.spawn(async move {
                    let _value = value;
                    yield_now().await;
                    yield_now().await;
                    done.set(done.get() + 1);
                });
            }
            yield_now().await;
            if is_detached {
                set.detach_all();
                assert!(set.is_empty());
            }
            drop(set);
            assert_eq!(drops.count(), if is_detached { 2 } else { 0 }, "never inside the call");
            yield_now().await;
            assert_eq!(drops.count(), 2);
        }
        yield_now().await;
    });
    assert_eq!((drops.count(), done.get()), (4, 2));
}

#[test]
fn join_all_resumes_a_panic_and_aborts_the_other_tasks() {
    let drops = Drops::default();
    block_on(async {
        let mut set = JoinSet::new();
        let value = drops.value();
        set.spawn(async move {
            let _value = value;
            pending::<()>().await;
        });
        set.spawn(async { panic!("of a member") });
        let mut join = Box::pin(set.join_all());
        yield_now().await;
        let mut cx = Context::from_waker(Waker::noop());
        let panic = catch_unwind(AssertUnwindSafe(|| join.as_mut().poll(&mut cx))).unwrap_err();
        assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "of a member");
        yield_now().await;
        assert_eq!(drops.count(), 1);
    });
}

/// A waker that polls the set at once finds the future dropped and no output yet.
#[test]
fn a_waker_that_polls_the_set_inside_a_wake_is_woken_again() {
    let mut runtime = Runtime::new().unwrap();
    let set = Rc::new(RefCell::new(JoinSet::new()));
    let last = Rc::new(Probe::new());
    let (inner, polled_set) = (last.clone(), set.clone());
    let first = Probe::new().on_wake(move || {
        let mut cx = Context::from_waker(&inner.waker);
        assert!(polled_set.borrow_mut().poll_join_next(&mut cx).is_pending());
    });
    let joined = runtime.block_on(async {
        set.borrow_mut().spawn(ready(7));
        let polled = set.borrow_mut().poll_join_next(&mut Context::from_waker(&first.waker));
        assert!(polled.is_pending());
        yield_now().await;
        assert_eq!(last.calls.wakes.get(), 1);
        set.borrow_mut().poll_join_next(&mut Context::from_waker(Waker::noop()))
    });
    assert!(matches!(joined, Poll::Ready(Some(Ok(7)))));
}

#[test]
fn wait_returns_at_the_chosen_condition_or_at_the_limit() {
    block_on(async {
        let fill = || {
            let mut set = JoinSet::new();
            let (sender, receiver) = oneshot::channel();
            set.spawn(async { 1 });
            set.spawn(async {
                yield_now().await;
                panic!("the second")
            });
            set.spawn(async move { receiver.await.unwrap() });
            (set, sender)
        };
        let (mut set, third) = fill();
        assert_eq!(task::wait(&mut set, ReturnWhen::FirstCompleted, None).await.len(), 1);
        assert_eq!(task::wait(&mut set, ReturnWhen::FirstException, None).await.len(), 1);
        third.send(3).unwrap();
        assert_eq!(task::wait(&mut set, ReturnWhen::All, None).await.len(), 1);
        assert!(task::wait(&mut set, ReturnWhen::FirstCompleted, None).await.is_empty());
        let (mut set, _third) = fill();
        assert_eq!(task::wait(&mut set, ReturnWhen::FirstException, None).await.len(), 2);
        set.abort_all();
        set.spawn(pending());
        // The aborted task ends before the limit, also if the thread is suspended.
        yield_now().await;
        let limit = Some(Duration::from_millis(1));
        assert_eq!(task::wait(&mut set, ReturnWhen::All, limit).await.len(), 1);
        assert_eq!(set.len(), 1, "a task that has not ended runs on");
    });
}

#[test]
fn wait_returns_all_ended_tasks_in_the_order_of_their_ends() {
    block_on(async {
        for when in [ReturnWhen::FirstCompleted, ReturnWhen::FirstException, ReturnWhen::All] {
            let mut set = JoinSet::new();
            for i in 1..=3 {
                set.spawn(async move { i });
            }
            yield_now().await;
            let outputs = task::wait(&mut set, when, None).await;
            assert!(outputs.into_iter().map(Result::unwrap).eq(1..=3), "{when:?}");
        }
    });
}

#[test]
fn detached_tasks_are_not_joined() {
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(yield_now());
        set.detach_all();
        set.spawn(pending());
        yield_now().await;
        yield_now().await;
        set.abort_all();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert!(set.join_next().await.is_none());
        assert!(set.try_join_next().is_none());
    });
}

#[test]
fn members_that_are_always_ready_do_not_starve_a_timeout() {
    block_on(async {
        let mut set = JoinSet::new();
        let endless = async {
            loop {
                set.spawn(ready(()));
                set.join_next().await;
            }
        };
        assert!(timeout(Duration::from_millis(1), endless).await.is_err());
    });
}

#[test]
fn shutdown_waits_until_all_futures_are_dropped() {
    let drops = Drops::default();
    block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            let value = drops.value();
            set.spawn(async move {
                let _value = value;
                pending::<()>().await;
            });
        }
        set.spawn(async { panic!("its panic is dropped") });
        yield_now().await;
        {
            let mut shutdown = pin!(set.shutdown());
            assert!(shutdown.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!((drops.count(), set.running()), (0, 3));
        yield_now().await;
        assert_eq!((drops.count(), set.running(), set.len()), (3, 0, 3), "they stay aborted");
        set.shutdown().await;
        assert!(set.is_empty());
        set.shutdown().await;
    });
}

#[test]
fn ids_name_tasks_that_succeed_and_fail() {
    block_on(async {
        let mut set = JoinSet::new();
        let first = set.spawn(ready(1));
        let second = set.spawn(pending());
        let third = set.spawn_blocking(|| panic!("on the pool"));
        assert!(set.try_join_next_with_id().is_none());
        second.abort();
        assert_eq!(set.join_next_with_id().await.unwrap().unwrap(), (first.id(), 1));
        assert_eq!(set.join_next_with_id().await.unwrap().unwrap_err().task_id(), second.id());
        let error = set.join_next_with_id().await.unwrap().unwrap_err();
        assert!(error.is_panic() && error.task_id() == third.id());
        assert!(error.to_string().contains("tests/join_set.rs"), "{error}");
        assert!(set.join_next_with_id().await.is_none());
    });
}

#[test]
fn tasks_spawned_elsewhere_join_a_set() {
    block_on(async {
        let tasks = [3, 1, 2].map(|i| {
            evloop::spawn(async move {
                for _ in 0..2 * i {
                    yield_now().await;
                }
                i
            })
        });
        let ids = tasks.each_ref().map(|task| task.id());
        let mut set = JoinSet::new();
        for task in tasks {
            set.insert(task);
        }
        let mut joined = Vec::new();
        while let Some(output) = set.join_next_with_id().await {
            joined.push(output.unwrap());
        }
        assert_eq!(joined, [(ids[1], 1), (ids[2], 2), (ids[0], 3)]);

        let ended = evloop::spawn(ready(4));
        yield_now().await;
        set.insert(ended);
        assert_eq!(set.try_join_next().unwrap().unwrap(), 4, "it needs no turn");
    });
}

#[test]
fn an_inserted_task_is_aborted_with_the_set_and_detached_by_detach_all() {
    let drops = Drops::default();
    block_on(async {
        for is_detached in [false, true] {
            let mut set = JoinSet::new();
            let (value, (go, wait)) = (drops.value(), evloop::sync::oneshot::channel());
            set.insert(evloop::spawn(async move {
                let _value = value;
                wait.await.unwrap();
            }));
            yield_now().await;
            assert_eq!((set.len(), set.running()), (1, 1));
            let before = task::all().len();
            if is_detached {
                set.detach_all();
            }
            drop(set);
            yield_now().await;
            yield_now().await;
            assert_eq!(drops.count(), 1);
            // The task that watches an inserted one has ended, too.
            assert_eq!(before - task::all().len(), if is_detached { 1 } else { 2 });
            assert_eq!(go.send(()).is_ok(), is_detached);
        }
        yield_now().await;
        assert_eq!((drops.count(), task::all().len()), (2, 1));
    });
}

#[test]
fn the_panic_of_an_inserted_task_is_joined() {
    block_on(async {
        let mut set = JoinSet::<()>::new();
        set.insert(evloop::spawn(async { panic!("inserted") }));
        set.insert(evloop::spawn(pending())).abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_panic());
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn aborted_work_on_the_pool_never_begins() {
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    runtime.block_on(async {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let mut set = JoinSet::new();
        set.spawn_blocking(move || wait.recv().unwrap());
        let (started, never) = std::sync::mpsc::channel();
        set.spawn_blocking(move || started.send(()).unwrap()).abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
        go.send(()).unwrap();
        set.join_next().await.unwrap().unwrap();
        assert!(never.recv().is_err(), "its function was dropped");
    });
}

#[test]
fn a_set_is_collected_and_extended() {
    block_on(async {
        let mut set: JoinSet<_> = (0..3).map(ready).collect();
        set.extend((3..5).map(ready));
        assert_eq!(set.join_all().await, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn the_place_of_a_spawn_is_that_of_the_caller() {
    block_on(async {
        let mut set: JoinSet<()> = JoinSet::from_iter([pending()]);
        set.spawn(pending());
        set.extend([pending()]);
        drop(set.spawn_limited(9, pending()).await);
        set.spawn_blocking(|| ());
        set.insert(evloop::spawn(pending()));
        yield_now().await;
        for info in task::all() {
            let file = info.spawned_at().file();
            assert!(file.ends_with("join_set.rs") && !file.contains("src"), "{info:?}");
        }
    });
}

#[test]
fn at_most_the_limit_of_tasks_run() {
    let running = Rc::new(Cell::new(0));
    block_on(async {
        let mut set = JoinSet::new();
        for i in 0..20 {
            let running = running.clone();
            set.spawn_limited(3, async move {
                running.set(running.get() + 1);
                assert!(running.get() <= 3);
                for _ in 0..i % 4 {
                    yield_now().await;
                }
                running.set(running.get() - 1);
            })
            .await;
        }
        assert_eq!(set.len(), 20);
        set.join_all().await;
    });
}

#[test]
fn a_dropped_spawn_limited_spawns_nothing() {
    let drops = Drops::default();
    block_on(async {
        let mut set = JoinSet::new();
        set.spawn(pending());
        let probe = Probe::new();
        let value = drops.value();
        let mut spawn = Box::pin(set.spawn_limited(1, async move { drop(value) }));
        assert!(probe.poll(&mut spawn).is_pending());
        drop(spawn);
        assert_eq!((drops.count(), set.len()), (1, 1));
        set.abort_all();
        yield_now().await;
        assert_eq!(probe.calls.wakes.get(), 1, "the end of a task wakes the last waiter");
    });
}

#[test]
fn a_limit_of_zero_panics() {
    block_on(async {
        let mut set = JoinSet::new();
        let spawn = || drop(set.spawn_limited(0, ready(())));
        let panic = catch_unwind(AssertUnwindSafe(spawn)).unwrap_err();
        let message = panic.downcast_ref::<&str>().unwrap();
        assert!(message.contains("needs a limit above 0"), "{message}");
    });
}

#[test]
fn wait_returns_after_a_number_of_ends() {
    block_on(async {
        let fill = || -> JoinSet<u32> {
            (1..=4)
                .map(|i| async move {
                    for _ in 0..2 * i {
                        yield_now().await;
                    }
                    i
                })
                .collect()
        };
        for (count, ended) in [(0, 0), (1, 1), (3, 3), (4, 4), (9, 4)] {
            let mut set = fill();
            let outputs = task::wait(&mut set, ReturnWhen::Count(count), None).await;
            assert!(outputs.into_iter().map(Result::unwrap).eq(1..=ended), "{count}");
        }
    });
}

#[test]
fn a_hundred_thousand_tasks_are_joined() {
    block_on(async {
        let mut set: JoinSet<_> = (0..100_000).map(ready).collect();
        let mut sum = 0u64;
        while let Some(output) = set.join_next().await {
            sum += output.unwrap();
        }
        assert_eq!(sum, 99_999 * 50_000);
    });
}

#[test]
fn a_spawn_that_panics_is_not_counted_as_running() {
    let mut set = JoinSet::new();
    let spawn = AssertUnwindSafe(|| drop(set.spawn(ready(1))));
    assert!(catch_unwind(spawn).is_err(), "no loop runs");
    assert_eq!((set.len(), set.running()), (0, 0));
    block_on(async {
        set.spawn(ready(2));
        assert_eq!(set.running(), 1);
        assert_eq!(set.join_all().await, [2]);
    });
}

#[test]
fn detach_all_detaches_inserted_tasks_whose_handles_would_abort_them() {
    let drops = Drops::default();
    block_on(async {
        let task = || {
            let value = drops.value();
            let idle = async move {
                let _value = value;
                std::future::pending().await
            };
            evloop::spawn(idle).abort_on_drop()
        };
        let (mut set, mut map, mut queue) =
            (JoinSet::<()>::new(), JoinMap::<_, ()>::new(), JoinQueue::<()>::new());
        set.insert(task());
        map.insert("key", task());
        queue.insert(task());
        set.detach_all();
        map.detach_all();
        queue.detach_all();
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(drops.count(), 0);
    });
    assert_eq!(drops.count(), 3);
}
