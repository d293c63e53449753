//! `coroutine::stream`: what its body may await, and its ends; and `yield_from`.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evloop::coroutine::{self, Co, Coroutine, CoroutineStream, Step};
use evloop::sync::mpsc;
use evloop::task::{gather, scope, yield_now};
use evloop::time::{sleep, timeout};
use evloop::{block_on, select, spawn};
use futures::stream::FusedStream;
use futures::{StreamExt, TryStreamExt};
use probe::{Drops, Probe};

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that record what was done with them.
#[allow(dead_code, unreachable_pub)]
mod probe;

/// Yields the numbers below `n`, and yields to the loop before each.
fn numbers<'a>(n: u32) -> CoroutineStream<'a, u32> {
    coroutine::stream(async move |y| {
        for i in 0..n {
            yield_now().await;
            y.yield_(i).await;
        }
    })
}

#[test]
fn body_and_consumer_run_in_turn() {
    let trace = RefCell::new(String::new());
    let note = |text: &str| trace.borrow_mut().push_str(text);
    block_on(async {
        let mut stream = coroutine::stream(async |y| {
            note("a");
            y.yield_(1).await;
            note("b");
            yield_now().await;
            note("c");
            y.yield_(2).await;
            note("d");
        });
        note("-");
        while let Some(n) = stream.next().await {
            note(&n.to_string());
        }
        note(".");
        assert!(stream.next().await.is_none() && stream.is_terminated());
    });
    assert_eq!(trace.take(), "-a1bc2d.");
}

#[test]
fn it_is_a_stream_for_other_crates() {
    block_on(async {
        let doubled: Vec<_> = numbers(4).map(|n| n * 2).collect().await;
        assert_eq!(doubled, [0, 2, 4, 6]);
        let results = coroutine::stream(async |y| {
            y.yield_(Ok(1)).await;
            y.yield_(Err("broken")).await;
        });
        assert_eq!(results.try_collect::<Vec<i32>>().await, Err("broken"));
    });
    assert_eq!(format!("{:?}", numbers(1)), "CoroutineStream { is_terminated: false, .. }");
}

#[test]
fn the_body_may_await_timers_channels_and_tasks() {
    block_on(async {
        let (sender, mut receiver) = mpsc::bounded(1);
        drop(spawn(async move {
            for n in 0..3 {
                sender.send(n).await.unwrap();
            }
        }));
        let stream = coroutine::stream(async move |y| {
            while let Some(n) = receiver.recv().await {
                sleep(Duration::from_millis(1)).await;
                y.yield_(spawn(async move { n * 10 }).await.unwrap()).await;
            }
        });
        assert_eq!(stream.collect::<Vec<_>>().await, [0, 10, 20]);
    });
}

#[test]
fn streams_nest_and_functions_yield_for_them() {
    async fn twice(y: &Co<u32>, n: u32) {
        y.yield_(n).await;
        y.yield_(n).await;
    }
    block_on(async {
        let stream = coroutine::stream(async |y| {
            let mut inner = numbers(2);
            while let Some(n) = inner.next().await {
                twice(&y, n).await;
            }
            let three = Coroutine::new(async |co| co.yield_(3).await);
            y.yield_from(three).await;
        });
        assert_eq!(stream.collect::<Vec<_>>().await, [0, 0, 1, 1, 3]);
    });
}

#[test]
fn a_dropped_next_loses_no_value() {
    block_on(async {
        let polls = Cell::new(0);
        let mut stream = coroutine::stream(async |y| {
            for n in 0..3 {
                for _ in 0..4 {
                    polls.set(polls.get() + 1);
                    yield_now().await;
                }
                y.yield_(n).await;
            }
        });
        let mut received = Vec::new();
        loop {
            select! {
                biased;
                next = stream.next() => match next {
                    Some(n) => received.push(n),
                    None => break,
                },
                () = ready(()) => yield_now().await,
            }
        }
        assert_eq!((received, polls.get()), (vec![0, 1, 2], 12));
        let mut slow = coroutine::stream(async |_: Co<u32>| pending().await);
        assert!(timeout(Duration::from_millis(1), slow.next()).await.is_err());
    });
}

#[test]
fn dropping_the_stream_drops_its_body() {
    let drops = Drops::default();
    block_on(async {
        let counted = drops.value();
        let mut stream = coroutine::stream(async move |y| {
            let _counted = counted;
            y.yield_(1).await;
            unreachable!("it is dropped before");
        });
        assert_eq!(stream.next().await, Some(1));
        drop(stream);
        assert_eq!(drops.count(), 1);
        let counted = drops.value();
        let mut ends = coroutine::stream(async move |_: Co<()>| drop(counted));
        assert!(ends.next().await.is_none());
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn a_panic_of_the_body_ends_the_stream() {
    let mut stream = coroutine::stream(async |y| {
        y.yield_(1).await;
        panic!("broken");
    });
    block_on(async {
        assert_eq!(stream.next().await, Some(1));
        let next = AssertUnwindSafe(stream.next());
        let panic = futures::FutureExt::catch_unwind(next).await.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "broken");
        assert!(stream.is_terminated() && stream.next().await.is_none());
    });
}

/// Children of a scope are polled only when they were woken: `yield_` has to wake its own.
#[test]
fn a_yield_in_a_child_of_a_scope_is_resumed() {
    block_on(async {
        let stream = coroutine::stream(async |y| {
            let y = &y;
            scope(async |s| {
                s.spawn(async move {
                    for n in 0..3 {
                        y.yield_(n).await;
                    }
                });
            })
            .await;
            gather([async { y.yield_(3).await }]).await;
        });
        assert_eq!(stream.collect::<Vec<_>>().await, [0, 1, 2, 3]);
    });
    let mut coroutine: Coroutine<_> = Coroutine::new(async |co| {
        let mut yields: futures::stream::FuturesUnordered<_> =
            (0..1).map(|n| co.yield_(n)).collect();
        yields.next().await;
    });
    assert_eq!(coroutine.by_ref().collect::<Vec<_>>(), [0]);
}

/// The consumer's own waker is not woken by its own poll: that would cost a poll for each item.
#[test]
fn a_resumed_yield_does_not_wake_the_polling_task() {
    let probe = Probe::new();
    let mut stream = coroutine::stream(async |y| {
        y.yield_(1).await;
        y.yield_(2).await;
        pending().await
    });
    for n in 1..=2 {
        assert_eq!(probe.poll(&mut stream.select_next_some()), Poll::Ready(n));
    }
    assert!(probe.poll(&mut stream.select_next_some()).is_pending());
    assert_eq!(probe.calls.wakes.get(), 0);
}

#[test]
fn a_body_that_selects_between_a_yield_and_another_future() {
    block_on(async {
        let mut polls = 0;
        let stream = coroutine::stream(async |y| {
            let mut second_poll = poll_fn(|_| {
                polls += 1;
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            });
            select! {
                biased;
                () = &mut second_poll => y.yield_("other").await,
                () = y.yield_("yielded") => {}
            }
        });
        assert_eq!(stream.collect::<Vec<_>>().await, ["yielded", "other"]);
    });
}

#[test]
fn a_yield_outside_of_its_stream_panics() {
    let leaked = Rc::new(RefCell::new(None));
    let leaks = leaked.clone();
    let mut stream = coroutine::stream(async move |y: Co<u32>| {
        leaks.replace(Some(y));
        pending().await
    });
    let probe = Probe::new();
    assert!(probe.poll(&mut stream.select_next_some()).is_pending());
    let y = leaked.take().unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| _ = probe.poll(&mut y.yield_(1))));
    let message = *result.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "yield_ was awaited outside of its coroutine, which is not running");
}

/// Yields `from` until it is sent a zero; returns the sum.
fn sum<'a>(from: i32) -> Coroutine<'a, i32, i32, i32> {
    Coroutine::new(async move |co| {
        let mut sum = from;
        loop {
            match co.yield_(sum).await {
                0 => return sum,
                n => sum += n,
            }
        }
    })
}

#[test]
fn yield_from_passes_values_both_ways_and_returns() {
    let mut outer = Coroutine::new(async |co| {
        let first = co.yield_from(sum(1)).await;
        let second = co.yield_from(sum(100)).await;
        let third = co.yield_(-1).await;
        [first, second, third]
    });
    assert_eq!(outer.next(), Some(1));
    assert_eq!(outer.send(2), Step::Yielded(3));
    assert_eq!(outer.send(0), Step::Yielded(100));
    assert_eq!(outer.send(0), Step::Yielded(-1));
    assert_eq!(outer.send(7), Step::Returned([3, 100, 7]));
}

#[test]
fn closing_the_outer_coroutine_closes_the_inner_one() {
    let drops = Drops::default();
    let counted = drops.value();
    let mut outer = Coroutine::new(async |co| {
        let inner = Coroutine::new(async move |co| {
            let _counted = counted;
            let _: () = co.yield_(1).await;
            unreachable!("it is closed before");
        });
        co.yield_from(inner).await
    });
    assert_eq!(outer.next(), Some(1));
    outer.close();
    assert_eq!(drops.count(), 1);
}

#[test]
fn yield_from_of_a_started_coroutine_panics_at_the_place_of_the_caller() {
    let mut outer = Coroutine::<_, _, i32>::new(async |co| {
        let mut inner = sum(1);
        inner.next();
        co.yield_from(inner).await
    });
    let line = line!() - 2;
    let (result, place) = panic_place::catch(|| _ = outer.next());
    let message = *result.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(
        message,
        "yield_from was called with a coroutine that has started: yield its values in a loop"
    );
    assert_eq!(place, (file!().to_string(), line));
    let mut outer = Coroutine::<_, _, i32>::new(async |co| {
        let mut inner = sum(1);
        inner.close();
        co.yield_from(inner).await
    });
    let (result, place) = panic_place::catch(|| _ = outer.next());
    let message = *result.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "yield_from was called with a coroutine that has ended");
    assert_eq!(place.0, file!());
}
