//! `coroutine`: the values passed both ways, where it may suspend, and its ends: by return, panic,
//! close or drop.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use evloop::coroutine::{Co, Coroutine, Step};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::future::{join, select};
use probe::Drops;
use proptest::prelude::*;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that record what was done with them.
#[allow(dead_code, unreachable_pub)]
mod probe;

const ENDED: &str = "send was called on a coroutine that has ended: it cannot receive the value";

fn message(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().unwrap().to_string(),
    }
}

/// Yields the sum of the values it was sent; when it is sent a zero, returns their number.
fn adder<'a>() -> Coroutine<'a, i32, i32, usize> {
    Coroutine::new(async |co| {
        let mut sent = Vec::new();
        loop {
            match co.yield_(sent.iter().sum()).await {
                0 => return sent.len(),
                n => sent.push(n),
            }
        }
    })
}

#[test]
fn coroutine_and_caller_run_in_turn() {
    let trace = RefCell::new(Vec::new());
    let record = |text: &str| trace.borrow_mut().push(text.to_string());
    let mut coroutine = Coroutine::new(async |co| {
        record("in: start");
        for out in ["a", "b"] {
            let got: i32 = co.yield_(out).await;
            record(&format!("in: {got}"));
        }
        record("in: end");
        "done"
    });
    record("out: next");
    record(&format!("out: {:?}", coroutine.next()));
    record(&format!("out: {:?}", coroutine.send(1)));
    record(&format!("out: {:?}", coroutine.send(2)));
    let expected = [
        "out: next",
        "in: start",
        "out: Some(\"a\")",
        "in: 1",
        "out: Yielded(\"b\")",
        "in: 2",
        "in: end",
        "out: Returned(\"done\")",
    ];
    assert_eq!(*trace.borrow(), expected);
}

#[test]
fn a_coroutine_receives_values_and_returns() {
    let mut adder = adder();
    assert_eq!(adder.next(), Some(0));
    assert_eq!(adder.send(3), Step::Yielded(3));
    assert_eq!(adder.send(4).yielded(), Some(7));
    assert!(!adder.is_finished());
    assert_eq!(adder.send(0), Step::Returned(2));
    assert!(adder.is_finished());
    assert_eq!((adder.next(), adder.next(), adder.take_returned()), (None, None, None));
    assert_eq!(message(|| _ = adder.send(1)), ENDED);
}

#[test]
fn steps_return_their_values() {
    let steps: [Step<u8, &str>; 2] = [Step::Yielded(1), Step::Returned("end")];
    assert_eq!(steps.map(Step::yielded), [Some(1), None]);
    assert_eq!(steps.map(Step::returned), [None, Some("end")]);
}

#[test]
fn the_body_does_not_run_before_the_first_next() {
    let ran = Cell::new(false);
    let mut coroutine = Coroutine::new(async |co| {
        ran.set(true);
        let _: u8 = co.yield_(()).await;
    });
    let sentence = "send was called on a coroutine that has not started: call next first";
    assert_eq!(message(|| _ = coroutine.send(1)), sentence);
    assert!(!ran.get() && !coroutine.is_finished() && !coroutine.is_suspended());
    assert_eq!(coroutine.next(), Some(()));
    assert!(ran.get() && coroutine.is_suspended());
    assert_eq!(coroutine.send(1), Step::Returned(()));
    assert!(!coroutine.is_suspended());
}

#[test]
fn next_panics_on_a_coroutine_that_waits_for_a_value() {
    let mut adder = adder();
    adder.next();
    let sentence = "next was called on a coroutine that waits for a value: call send";
    assert_eq!(message(|| _ = adder.next()), sentence);
    assert_eq!(adder.send(5), Step::Yielded(5), "it can be resumed");
}

#[test]
fn a_coroutine_without_input_is_an_iterator() {
    let squares = |n| {
        Coroutine::new(async move |co| {
            for i in 0..n {
                co.yield_(i * i).await;
            }
            "end"
        })
    };
    assert_eq!(squares(4).collect::<Vec<_>>(), [0, 1, 4, 9]);
    let mut three = squares(3);
    assert_eq!(three.next(), Some(0), "the inherent next resumes it too");
    assert_eq!(Iterator::next(&mut three), Some(1));
    assert_eq!(three.send(()), Step::Yielded(4));
    assert_eq!(three.by_ref().count(), 0);
    assert_eq!((three.take_returned(), three.take_returned()), (Some("end"), None));
    assert_eq!([three.next(), three.next()], [None, None]);
    assert_eq!(squares(0).sum::<i32>(), 0);
}

#[test]
fn an_endless_coroutine_works_with_iterator_adapters() {
    let numbers: Coroutine<_> = Coroutine::new(async |co| {
        for i in 0.. {
            co.yield_(i).await;
        }
    });
    assert_eq!(numbers.skip(2).step_by(3).take(3).collect::<Vec<i32>>(), [2, 5, 8]);
}

#[test]
fn a_coroutine_can_borrow() {
    let words = ["a".to_string(), "b".to_string()];
    let mut lengths = Vec::new();
    let mut coroutine = Coroutine::new(async |co| {
        for word in &words {
            lengths.push(co.yield_(word.as_str()).await);
        }
    });
    assert_eq!(coroutine.next(), Some("a"));
    assert_eq!(coroutine.send(1), Step::Yielded("b"));
    assert_eq!(coroutine.send(2), Step::Returned(()));
    drop(coroutine);
    assert_eq!(lengths, [1, 2]);
}

#[test]
fn a_function_can_yield_for_its_calling_coroutine() {
    async fn leaves(co: &Co<u32>, from: u32, depth: u32) -> u32 {
        if depth == 0 {
            co.yield_(from).await;
            return 1;
        }
        let left = Box::pin(leaves(co, from, depth - 1)).await;
        left + Box::pin(leaves(co, from + left, depth - 1)).await
    }
    let mut tree = Coroutine::new(async |co| leaves(&co, 0, 3).await);
    assert!(tree.by_ref().eq(0..8));
    assert_eq!(tree.take_returned(), Some(8));
}

#[test]
fn ready_futures_can_be_awaited() {
    let coroutine: Coroutine<_> = Coroutine::new(async |co| {
        co.yield_(ready(1).await).await;
        co.yield_(async { 2 }.await).await;
    });
    assert!(coroutine.eq([1, 2]));
}

#[test]
fn awaiting_a_pending_future_panics_with_a_sentence_and_ends_it() {
    let drops = Drops::default();
    let counted = drops.value();
    let mut coroutine = Coroutine::new(async move |co| {
        let _counted = counted;
        let _: u8 = co.yield_(1).await;
        pending::<()>().await;
    });
    assert_eq!(coroutine.next(), Some(1));
    let text = message(|| _ = coroutine.send(2));
    assert!(
        text.starts_with("a coroutine awaited a future that is not ready and is not yield_: "),
        "{text}"
    );
    assert_eq!((coroutine.is_finished(), drops.count()), (true, 1));
    assert_eq!(message(|| _ = coroutine.send(3)), ENDED);
    assert_eq!(coroutine.next(), None);
    let mut yields_to_the_loop: Coroutine<()> = Coroutine::new(async |_co| yield_now().await);
    assert!(message(|| _ = yields_to_the_loop.next()).contains("is not yield_"));
}

#[test]
fn panics_of_misuse_report_the_place_of_the_caller() {
    let place = |misuse: &dyn Fn(&mut Coroutine<'_, i32, i32, usize>), line| {
        let (result, place) = panic_place::catch(|| misuse(&mut adder()));
        assert!(result.is_err());
        assert_eq!(place, (file!().to_string(), line));
    };
    place(&|adder| _ = adder.send(1), line!());
    let next_twice = |adder: &mut Coroutine<'_, i32, i32, usize>| {
        adder.next();
        adder.next();
    };
    place(&next_twice, line!() - 2);
    let send_after_the_end = |adder: &mut Coroutine<'_, i32, i32, usize>| {
        adder.close();
        adder.send(1);
    };
    place(&send_after_the_end, line!() - 2);
    let awaits = |_: &mut Coroutine<'_, i32, i32, usize>| {
        let mut waits: Coroutine<()> = Coroutine::new(async |_co| yield_now().await);
        Iterator::next(&mut waits);
    };
    place(&awaits, line!() - 2);
}

#[test]
fn a_panic_of_the_body_reaches_the_caller_and_ends_it() {
    let mut coroutine = Coroutine::new(async |co| {
        let divisor: i32 = co.yield_(0).await;
        assert!(divisor != 0, "by zero");
    });
    coroutine.next();
    assert_eq!(message(|| _ = coroutine.send(0)), "by zero");
    assert!(coroutine.is_finished());
    assert_eq!((coroutine.next(), coroutine.take_returned()), (None, None));
    assert_eq!(message(|| _ = coroutine.send(1)), ENDED);
}

#[test]
fn closing_drops_the_variables_of_the_body() {
    let drops = Drops::default();
    for starts in [false, true] {
        let (outer, inner) = (drops.value(), drops.clone());
        let mut coroutine = Coroutine::new(async move |co| {
            let (_outer, _inner) = (outer, inner.value());
            co.yield_(()).await;
            unreachable!("it was closed before");
        });
        let before = drops.count();
        assert!(!starts || coroutine.next().is_some());
        coroutine.close();
        coroutine.close();
        assert_eq!(drops.count(), before + 1 + usize::from(starts));
        assert!(coroutine.is_finished() && coroutine.next().is_none());
        assert_eq!(message(|| _ = coroutine.send(())), ENDED);
    }
}

#[test]
fn dropping_a_coroutine_closes_it() {
    let drops = Drops::default();
    let counted = drops.value();
    let mut coroutine: Coroutine<_> = Coroutine::new(async move |co| {
        co.yield_(1).await;
        drop(counted);
    });
    coroutine.next();
    drop(coroutine);
    assert_eq!(drops.count(), 1);
}

#[test]
fn values_in_transit_are_dropped_once() {
    let drops = Drops::default();
    let inner = drops.clone();
    let mut coroutine = Coroutine::new(async move |co| {
        let got = co.yield_(inner.value()).await;
        drop(select(co.yield_(inner.value()), ready(())).await);
        got
    });
    drop(coroutine.next());
    assert_eq!(drops.count(), 1);
    assert!(matches!(coroutine.send(drops.value()), Step::Returned(_)));
    assert_eq!(drops.count(), 3, "the withdrawn value, and the returned one");
}

#[test]
fn the_value_of_a_dropped_yield_is_withdrawn() {
    let mut coroutine = Coroutine::new(async |co| {
        drop(select(co.yield_("withdrawn"), ready(())).await);
        let first: i32 = co.yield_("first").await;
        let mut dropped = co.yield_("withdrawn too");
        assert!((&mut dropped).now_or_never().is_none());
        drop(dropped);
        first + co.yield_("last").await
    });
    assert_eq!(coroutine.next(), Some("first"));
    assert_eq!(coroutine.send(1), Step::Yielded("last"));
    assert_eq!(coroutine.send(2), Step::Returned(3));
}

#[test]
fn a_value_sent_to_a_dropped_yield_is_lost() {
    let mut coroutine = Coroutine::new(async |co| {
        let mut polls = 0;
        let mut waits = Some(co.yield_("dropped"));
        poll_fn(|cx| {
            polls += 1;
            match polls {
                1 => waits.as_mut().unwrap().poll_unpin(cx).map(|_: i32| ()),
                _ => {
                    drop(waits.take());
                    Poll::Ready(())
                }
            }
        })
        .await;
        co.yield_("next").await
    });
    assert_eq!(coroutine.next(), Some("dropped"));
    assert_eq!(coroutine.send(1), Step::Yielded("next"));
    assert_eq!(coroutine.send(2), Step::Returned(2));
}

#[test]
fn two_yields_at_once_panic_with_a_sentence() {
    let mut coroutine: Coroutine<i32, ()> =
        Coroutine::new(async |co| _ = join(co.yield_(1), co.yield_(2)).await);
    let sentence = "a coroutine awaited two yield_ at once: it yields one value at a time";
    assert_eq!(message(|| _ = coroutine.next()), sentence);
    assert!(coroutine.is_finished());
}

#[test]
fn a_yield_joined_with_another_future_returns_its_value() {
    let mut coroutine = Coroutine::new(async |co| {
        let mut polls = 0;
        let counts = poll_fn(|_| {
            polls += 1;
            if polls == 2 { Poll::Ready("counted") } else { Poll::Pending }
        });
        let (got, counted) = join(co.yield_(1), counts).await;
        (got, counted)
    });
    assert_eq!(coroutine.next(), Some(1));
    assert_eq!(coroutine.send(5), Step::Returned((5, "counted")));
}

#[test]
fn a_yield_outside_of_its_coroutine_panics_with_a_sentence() {
    let leaked = Rc::new(RefCell::new(None));
    let leaks = leaked.clone();
    let mut coroutine: Coroutine<i32, (), ()> = Coroutine::new(async move |co| {
        leaks.replace(Some(co));
        panic!("its co was leaked");
    });
    assert!(message(|| _ = coroutine.next()).contains("leaked"));
    let co = leaked.take().unwrap();
    let text = message(|| _ = co.yield_(1).now_or_never());
    assert_eq!(text, "yield_ was awaited outside of its coroutine, which is not running");
}

#[test]
fn a_yield_polled_after_it_completed_panics() {
    let mut coroutine: Coroutine<i32, ()> = Coroutine::new(async |co| {
        let mut yields = co.yield_(1);
        (&mut yields).await;
        yields.await;
    });
    coroutine.next();
    assert_eq!(message(|| _ = coroutine.send(())), "a yield_ was polled after it completed");
}

#[test]
fn a_coroutine_that_resumes_itself_is_already_borrowed() {
    let itself = Rc::new(RefCell::new(None::<Coroutine<'static, bool>>));
    let inner = Rc::downgrade(&itself);
    *itself.borrow_mut() = Some(Coroutine::new(async move |co| {
        let itself = inner.upgrade().unwrap();
        let is_borrowed = itself.try_borrow_mut().is_err();
        drop(itself);
        co.yield_(is_borrowed).await;
    }));
    assert_eq!(itself.borrow_mut().as_mut().unwrap().next(), Some(true));
}

#[test]
fn coroutines_nest() {
    let mut outer: Coroutine<_> = Coroutine::new(async |co| {
        let mut inner: Coroutine<_> = Coroutine::new(async |inner| {
            for i in 0..3 {
                inner.yield_(i).await;
            }
        });
        while let Some(i) = inner.next() {
            co.yield_(i * 10).await;
        }
    });
    assert!(outer.by_ref().eq([0, 10, 20]));
}

#[test]
fn a_task_can_own_a_coroutine() {
    block_on(async {
        let task = spawn(async {
            let mut adder = adder();
            adder.next();
            let mut last = 0;
            for n in 1..=3 {
                yield_now().await;
                last = adder.send(n).yielded().unwrap();
            }
            last
        });
        assert_eq!(task.await.unwrap(), 6);
    });
}

#[test]
fn debug_shows_the_state() {
    let mut adder = adder();
    let state = |adder: &Coroutine<'_, i32, i32, usize>| format!("{adder:?}");
    let text = |is_suspended, is_finished| {
        format!("Coroutine {{ is_suspended: {is_suspended}, is_finished: {is_finished}, .. }}")
    };
    assert_eq!(state(&adder), text(false, false));
    adder.next();
    assert_eq!(state(&adder), text(true, false));
    adder.close();
    assert_eq!(state(&adder), text(false, true));
}

/// An operation on a coroutine.
#[derive(Clone, Copy, Debug)]
enum Op {
    Next,
    Send(i32),
    Close,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Compares it with a loop over the same values. Misuse panics and changes nothing.
    #[test]
    fn a_coroutine_matches_its_model(
        ops in proptest::collection::vec(
            prop_oneof![
                2 => Just(Op::Next),
                10 => (0..6).prop_map(Op::Send),
                1 => Just(Op::Close),
            ],
            0..30,
        ),
    ) {
        let mut coroutine = adder();
        let (mut sent, mut has_started, mut has_ended) = (Vec::new(), false, false);
        for op in ops {
            let done = catch_unwind(AssertUnwindSafe(|| match op {
                Op::Next => coroutine.next().map(Step::Yielded),
                Op::Send(n) => Some(coroutine.send(n)),
                Op::Close => {
                    coroutine.close();
                    None
                }
            }));
            match op {
                Op::Next if has_ended => assert_eq!(done.unwrap(), None),
                Op::Next if has_started => assert!(done.is_err()),
                Op::Next => {
                    has_started = true;
                    assert_eq!(done.unwrap(), Some(Step::Yielded(0)));
                }
                Op::Send(_) if !has_started || has_ended => assert!(done.is_err()),
                Op::Send(0) => {
                    has_ended = true;
                    assert_eq!(done.unwrap(), Some(Step::Returned(sent.len())));
                }
                Op::Send(n) => {
                    sent.push(n);
                    assert_eq!(done.unwrap(), Some(Step::Yielded(sent.iter().sum())));
                }
                Op::Close => has_ended = true,
            }
            assert_eq!(coroutine.is_finished(), has_ended);
        }
    }
}
