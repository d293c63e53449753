//! `gather_limit`, `buffered` and `buffer_unordered`: at most so many futures at a time.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use evloop::task::{self, buffer_unordered, buffered, gather_limit, try_gather_limit, yield_now};
use evloop::time::timeout;
use evloop::{Runtime, block_on};
use futures::{Stream, StreamExt};
use probe::{Drops, Probe};

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// Records when futures are taken from their iterator, begin and end.
#[derive(Default)]
struct Trace(RefCell<Vec<String>>);

impl Trace {
    fn add(&self, what: &str, i: usize) {
        self.0.borrow_mut().push(format!("{what}{i}"));
    }

    fn take(&self) -> String {
        self.0.take().join(" ")
    }

    /// Returns futures that yield `turns[i]` times.
    fn futures<'a>(&'a self, turns: &'a [usize]) -> impl Iterator<Item: Future<Output = usize>> {
        turns.iter().enumerate().map(move |(i, &turns)| {
            self.add("take", i);
            async move {
                self.add("begin", i);
                for _ in 0..turns {
                    yield_now().await;
                }
                self.add("end", i);
                i
            }
        })
    }
}

fn poll_once<S: Stream + Unpin>(stream: &mut S) -> std::task::Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_future_is_taken_when_another_has_ended() {
    let trace = Trace::default();
    block_on(async {
        assert_eq!(gather_limit(2, trace.futures(&[1, 0, 0, 1])).await, [0, 1, 2, 3]);
    });
    assert_eq!(
        trace.take(),
        "take0 take1 begin0 begin1 end1 take2 begin2 end2 take3 begin3 end0 end3"
    );
}

#[test]
fn a_limit_above_the_number_of_futures_runs_all() {
    block_on(async {
        assert_eq!(gather_limit(usize::MAX, (0..3).map(ready)).await, [0, 1, 2]);
        assert!(gather_limit(1, [] as [std::future::Ready<()>; 0]).await.is_empty());
        assert_eq!(try_gather_limit(9, [ready(Ok::<_, ()>(1))]).await, Ok(vec![1]));
        assert_eq!(buffered(9, (0..3).map(ready)).collect::<Vec<_>>().await, [0, 1, 2]);
    });
}

#[test]
fn futures_may_borrow_and_are_listed_as_tasks() {
    block_on(async {
        let words = [String::from("to"), String::from("borrow")];
        let lengths = gather_limit(
            1,
            words.iter().map(|word| async {
                let info = task::current().unwrap();
                assert!(info.spawned_at().file().ends_with("gather_limit.rs"), "{info:?}");
                assert_eq!(task::all().len(), 2);
                word.len()
            }),
        );
        assert_eq!(lengths.await, [2, 6]);
    });
}

#[test]
fn the_first_error_drops_the_other_futures_and_the_iterator() {
    let (drops, taken) = (Drops::default(), Cell::new(0));
    block_on(async {
        let futures = (0..9).map(|i| {
            taken.set(taken.get() + 1);
            let value = drops.value();
            async move {
                let _value = value;
                if i == 1 {
                    return Err("one");
                }
                pending().await
            }
        });
        let result: Result<Vec<()>, _> = try_gather_limit(3, futures).await;
        assert_eq!(result, Err("one"));
    });
    assert_eq!((taken.get(), drops.count()), (3, 3));
}

#[test]
fn dropping_it_drops_the_futures() {
    let drops = Drops::default();
    block_on(async {
        let futures = (0..9).map(|_| {
            let value = drops.value();
            async move {
                let _value = value;
                pending::<()>().await;
            }
        });
        let mut gather = Box::pin(gather_limit(2, futures));
        assert!(Probe::new().poll(&mut gather).is_pending());
        assert_eq!(drops.count(), 0);
        drop(gather);
        assert_eq!((drops.count(), task::all().len()), (2, 1));
    });
}

#[test]
fn a_panic_is_resumed_and_drops_the_others() {
    let drops = Drops::default();
    let value = drops.value();
    let futures = [None, Some(value)].into_iter().map(|value| async move {
        if value.is_some() {
            pending::<()>().await;
        }
        panic!("in a future");
    });
    let gather = || block_on(async { gather_limit(2, futures).await });
    let panic = catch_unwind(AssertUnwindSafe(gather)).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "in a future");
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_limit_of_zero_panics_at_the_caller() {
    let none = || (0..0).map(ready);
    let calls: [(&str, &dyn Fn()); 4] = [
        ("gather_limit", &|| drop(gather_limit(0, none()))),
        ("try_gather_limit", &|| {
            drop(try_gather_limit(0, none().map(|_| ready(Ok::<(), ()>(())))))
        }),
        ("buffered", &|| drop(buffered(0, none()))),
        ("buffer_unordered", &|| drop(buffer_unordered(0, none()))),
    ];
    for (name, call) in calls {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let message = *panic.downcast_ref::<&str>().unwrap();
        assert_eq!(message, format!("task::{name} needs a limit above 0: no future could run"));
    }
}

#[test]
fn buffered_returns_outputs_in_order_and_holds_at_most_the_limit() {
    let trace = Trace::default();
    block_on(async {
        let mut outputs = buffered(2, trace.futures(&[3, 0, 0, 0]));
        assert!(poll_once(&mut outputs).is_pending());
        assert_eq!(trace.take(), "take0 take1 begin0 begin1 end1");
        yield_now().await;
        assert!(poll_once(&mut outputs).is_pending());
        assert_eq!(trace.take(), "", "an output that waits for an earlier one counts");
        assert_eq!(outputs.next().await, Some(0));
        assert_eq!(outputs.next().await, Some(1));
        assert_eq!(outputs.next().await, Some(2));
        assert_eq!(trace.take(), "end0 take2 take3 begin2 end2 begin3 end3");
        assert_eq!(outputs.collect::<Vec<_>>().await, [3]);
    });
}

#[test]
fn buffer_unordered_returns_outputs_as_they_come() {
    let trace = Trace::default();
    block_on(async {
        let outputs = buffer_unordered(2, trace.futures(&[5, 0, 1, 0]));
        assert_eq!(outputs.collect::<Vec<_>>().await, [1, 2, 3, 0]);
    });
}

#[test]
fn an_ended_stream_stays_ended() {
    block_on(async {
        let mut outputs = pin!(buffered(2, (0..1).map(ready)));
        assert_eq!(outputs.next().await, Some(0));
        assert_eq!(outputs.next().await, None);
        assert_eq!(outputs.next().await, None);
    });
}

#[test]
fn a_stream_is_created_outside_of_a_loop_and_panics_when_polled_there() {
    let mut outputs = buffer_unordered(2, (0..3).map(ready));
    assert_eq!(block_on(outputs.next()).map(|i| i < 3), Some(true));
    let mut unused = buffer_unordered(2, (0..3).map(ready));
    let poll = || poll_once(&mut unused).is_pending();
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
}

#[test]
fn a_dropped_next_loses_no_output() {
    block_on(async {
        let mut outputs = buffered(
            3,
            (0..9).map(|i| async move {
                yield_now().await;
                i
            }),
        );
        let mut found = Vec::new();
        loop {
            match Probe::new().poll(&mut outputs.next()) {
                std::task::Poll::Ready(Some(i)) => found.push(i),
                std::task::Poll::Ready(None) => break,
                std::task::Poll::Pending => yield_now().await,
            }
        }
        assert!(found.into_iter().eq(0..9));
    });
}

#[test]
fn futures_that_are_always_ready_do_not_starve_a_timeout() {
    block_on(async {
        let endless = gather_limit(2, std::iter::repeat_with(|| ready(())));
        assert!(timeout(Duration::from_millis(1), endless).await.is_err());
        let endless = buffered(2, std::iter::repeat_with(|| ready(()))).count();
        assert!(timeout(Duration::from_millis(1), endless).await.is_err());
    });
}

#[test]
fn other_tasks_run_beside_many_ready_futures() {
    block_on(async {
        let turns = std::rc::Rc::new(Cell::new(0));
        let counter = turns.clone();
        let other = evloop::spawn(async move {
            loop {
                counter.set(counter.get() + 1);
                yield_now().await;
            }
        });
        assert_eq!(gather_limit(100, (0..10_000).map(ready)).await.len(), 10_000);
        assert!(turns.get() >= 10_000 / 128, "{}", turns.get());
        other.abort();
    });
}

#[test]
fn a_hundred_thousand_futures_take_linear_time() {
    block_on(async {
        let polls = Cell::new(0u64);
        let futures = (0..100_000).map(|i: u64| {
            let (mut has_yielded, polls) = (false, &polls);
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                if std::mem::replace(&mut has_yielded, true) {
                    return std::task::Poll::Ready(i);
                }
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
        });
        let outputs = gather_limit(50_000, futures).await;
        assert_eq!((outputs.len(), outputs[99_999], polls.get()), (100_000, 99_999, 200_000));
    });
}

#[test]
fn a_loop_that_ends_drops_the_futures() {
    let drops = Drops::default();
    let mut runtime = Runtime::new().unwrap();
    let value = drops.value();
    drop(runtime.spawn(async move {
        let futures = [Some(value)].into_iter().map(|value| async move {
            let _value = value;
            pending::<()>().await;
        });
        gather_limit(1, futures).await
    }));
    runtime.run_until_stalled().unwrap();
    assert_eq!(drops.count(), 0);
    drop(runtime);
    assert_eq!(drops.count(), 1);
}
