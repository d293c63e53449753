//! `join!`, `try_join!` and `race`: outputs, and the order of polls and drops.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use evloop::sync::mpsc;
use evloop::task::{race, yield_now};
use evloop::time::sleep;
use evloop::{block_on, join, spawn, try_join};
use traced::traced;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Futures that record their polls and drops.
#[allow(unreachable_pub)]
mod traced;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn join_returns_a_tuple_of_different_types() {
    block_on(async {
        let text = String::from("abc");
        let mut list = vec![1];
        let joined = join!(
            async { text.len() },
            async {
                yield_now().await;
                list.push(2);
                "second"
            },
            spawn(async { 'c' }),
        );
        assert_eq!((joined.0, joined.1, joined.2.unwrap()), (3, "second", 'c'));
        assert_eq!((join!(ready(1)), list), ((1,), vec![1, 2]));
    });
}

#[test]
fn join_without_futures_is_ready() {
    block_on(async {
        let () = join!();
        let () = join!(biased;);
        let result: Result<(), u8> = try_join!();
        assert_eq!(result, Ok(()));
    });
}

#[test]
fn each_poll_of_join_begins_with_the_next_future() {
    let trace = RefCell::default();
    let f = traced(&trace);
    assert_eq!(block_on(async { join!(f('a', 4), f('b', 2), f('c', 3)) }), ('a', 'b', 'c'));
    // A future is dropped when it completes.
    assert_eq!(trace.take(), "abcbBcacCaaA");
}

#[test]
fn biased_join_polls_in_order() {
    let trace = RefCell::default();
    let f = traced(&trace);
    block_on(async { join!(biased; f('a', 3), f('b', 1), f('c', 2)) });
    assert_eq!(trace.take(), "abBcacCaA");
    assert_eq!(block_on(async { try_join!(biased; ready(Ok::<_, ()>(1)),) }), Ok((1,)));
}

#[test]
fn a_dropped_join_drops_its_futures_in_order() {
    let trace = RefCell::default();
    let f = traced(&trace);
    let mut joined = Box::pin(async { join!(f('a', 9), f('b', 1), f('c', 9)) });
    assert!(block_on(poll_fn(|cx| Poll::Ready(joined.as_mut().poll(cx)))).is_pending());
    drop(joined);
    assert_eq!(trace.take(), "abBcAC");
}

#[test]
fn the_first_error_ends_try_join() {
    let trace = RefCell::default();
    let f = traced(&trace);
    let fails = async |polls| Err::<u8, char>(f('x', polls).await);
    let works = async |name, polls| Ok::<char, char>(f(name, polls).await);
    block_on(async {
        assert_eq!(try_join!(works('a', 1), works('b', 2)), Ok(('a', 'b')));
        assert_eq!(trace.take(), "aAbbB");
        assert_eq!(try_join!(works('a', 9), fails(2), works('c', 9)), Err('x'));
        assert_eq!(trace.take(), "axcxXAC");
        assert_eq!(try_join!(biased; fails(1), works('c', 9)), Err('x'));
        assert_eq!(trace.take(), "xX");
    });
}

#[test]
fn try_join_works_with_the_question_mark() {
    async fn sum(a: &str, b: &str) -> Result<i32, std::num::ParseIntError> {
        let (a, b) = try_join!(async { a.parse::<i32>() }, async { b.parse::<i32>() })?;
        Ok(a + b)
    }
    assert_eq!(block_on(sum("1", "2")), Ok(3));
    assert!(block_on(sum("1", "two")).is_err());
}

#[test]
fn a_borrowed_future_can_be_joined() {
    block_on(async {
        let mut work = pin!(async { 1 });
        let boxed: Pin<Box<dyn Future<Output = i32>>> = Box::pin(ready(2));
        assert_eq!(join!(&mut work, boxed, &mut Box::pin(async { 3 })), (1, 2, 3));
    });
}

/// A future that is always ready takes the units of each poll; the others end all the same.
#[test]
fn a_busy_future_does_not_starve_the_others() {
    block_on(async {
        let (sender, mut receiver) = mpsc::bounded(1024);
        let is_done = Cell::new(false);
        let busy = async {
            while !is_done.get() {
                while sender.try_send(()).is_ok() {}
                receiver.recv().await.unwrap();
            }
        };
        let timer = async {
            sleep(Duration::from_millis(5)).await;
            is_done.set(true);
        };
        join!(busy, timer);
    });
}

#[test]
fn there_may_be_many_futures() {
    macro_rules! join_of {
        ($($n:literal)*) => { join!($(async { $n }),*) };
    }
    block_on(async {
        let joined = join_of!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25
            26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54);
        assert_eq!((joined.0, joined.54), (0, 54));
    });
}

#[test]
fn race_returns_the_first_output_and_drops_the_others() {
    let trace = RefCell::default();
    let f = traced(&trace);
    let name = block_on(race([f('a', 4), f('b', 3), f('c', 9)]));
    assert_eq!(name, 'b');
    let trace = trace.take();
    assert!(trace.ends_with("ABC"), "{trace}");
    assert_eq!(trace.matches('b').count(), 3, "{trace}");
}

#[test]
fn racers_that_are_always_ready_win_in_turn() {
    let mut winners = String::new();
    block_on(async {
        for _ in 0..12 {
            winners.push(race(['a', 'b', 'c'].map(ready)).await);
        }
    });
    let rotations = ["abc", "bca", "cab"].map(|rotation| rotation.repeat(4));
    assert!(rotations.contains(&winners), "{winners}");
}

#[test]
fn race_works_with_one_future_and_outside_of_a_loop() {
    assert_eq!(futures_lite::future::block_on(race(Some(ready(1)))), 1);
}

#[test]
fn race_polls_no_future_after_the_first_output() {
    block_on(async {
        let (a, mut from_a) = mpsc::bounded(8);
        let (b, mut from_b) = mpsc::bounded(8);
        for n in 0..4 {
            a.try_send(n).unwrap();
            b.try_send(n + 4).unwrap();
        }
        let mut received = Vec::new();
        drop((a, b));
        for _ in 0..8 {
            let timeout = evloop::time::timeout(HOUR, async {
                race([&mut from_a, &mut from_b].map(|receiver| async {
                    match receiver.recv().await {
                        Some(n) => n,
                        None => pending().await,
                    }
                }))
                .await
            });
            received.push(timeout.await.unwrap());
        }
        received.sort_unstable();
        assert_eq!(received, (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn race_without_a_future_panics_at_the_place_of_the_caller() {
    let line = line!() + 1;
    let (result, place) = panic_place::catch(|| drop(race(Vec::<std::future::Ready<()>>::new())));
    let message = *result.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "task::race was called without a future: it would wait for ever");
    assert_eq!(place, (file!().to_string(), line));
}
