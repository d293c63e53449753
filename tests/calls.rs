//! Functions that the loop calls: their order, their time, their cancellation.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use evloop::runtime::{CallHandle, call_at, call_later, call_soon};
use evloop::task::{self, yield_now};
use evloop::time::{now, sleep_until};
use evloop::{Runtime, block_on, spawn};

/// The calls, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<&'static str>>>);

impl Trace {
    fn add(&self, event: &'static str) -> impl FnOnce() + use<> {
        let trace = self.clone();
        move || trace.0.borrow_mut().push(event)
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }
}

#[test]
fn call_soon_runs_calls_in_the_next_turn_in_order() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    {
        let _guard = runtime.enter();
        call_soon(trace.add("first"));
        let inner = trace.clone();
        drop(spawn(async move { inner.add("task")() }));
        let inner = trace.clone();
        call_soon(move || {
            call_soon(inner.add("inner"));
            inner.add("second")();
        });
        call_soon(trace.add("third"));
    }
    assert_eq!(trace.take(), [""; 0], "the function is not called by `call_soon` itself");
    runtime.run_until_stalled().unwrap();
    assert_eq!(trace.take(), ["first", "task", "second", "third", "inner"]);
}

#[test]
fn call_soon_inside_a_call_runs_in_the_next_turn() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let inner = trace.clone();
    drop(runtime.spawn(async move {
        let outer = inner.clone();
        call_soon(move || {
            outer.add("first")();
            call_soon(outer.add("of first"));
            call_soon(outer.add("of first, again"));
        });
        call_soon(inner.add("second"));
        drop(spawn(async move { inner.add("task")() }));
    }));
    let mut turn = || {
        runtime.turn(Some(Duration::ZERO)).unwrap();
        trace.take()
    };
    assert_eq!(turn(), [""; 0]);
    assert_eq!(turn(), ["first", "second", "task"]);
    assert_eq!(turn(), ["of first", "of first, again"]);
    assert_eq!(turn(), [""; 0]);
    drop(handle);
}

#[test]
fn tasks_that_end_early_move_no_call_into_the_current_turn() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    let inner = trace.clone();
    drop(runtime.spawn(async move {
        // The first child is queued when the second one ends the scope.
        let ended = task::try_scope(async |s| {
            drop(s.spawn(async {
                yield_now().await;
                Ok(())
            }));
            drop(s.spawn(async {
                call_soon(inner.add("call"));
                Err::<(), _>("ended")
            }));
            Ok(())
        });
        assert!(ended.await.is_err());
    }));
    runtime.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(trace.take(), [""; 0]);
    runtime.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(trace.take(), ["call"]);
}

#[test]
fn a_yield_resumes_after_earlier_calls() {
    let trace = Trace::default();
    block_on(async {
        call_soon(trace.add("call"));
        yield_now().await;
        trace.add("task")();
    });
    assert_eq!(trace.take(), ["call", "task"]);
}

#[test]
fn a_call_that_stops_the_loop_leaves_its_own_calls_to_the_next_run() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let inner = trace.clone();
    {
        let _guard = runtime.enter();
        let stop = handle.clone();
        call_soon(move || {
            call_soon(inner.add("left"));
            inner.add("stopped")();
            stop.stop();
        });
    }
    runtime.run().unwrap();
    assert_eq!(trace.take(), ["stopped"]);
    handle.stop();
    runtime.run().unwrap();
    assert_eq!(trace.take(), ["left"]);
}

#[test]
fn call_threadsafe_keeps_the_order_of_calls_on_the_loops_thread() {
    let trace = Rc::new(RefCell::new(Vec::new()));
    let (sender, receiver) = std::sync::mpsc::channel();
    let received = |by: char| {
        let sender = sender.clone();
        move || sender.send(by).unwrap()
    };
    block_on(async {
        let handle = evloop::Handle::current();
        call_soon(received('a'));
        handle.call_threadsafe(received('b'));
        call_soon(received('c'));
        handle.call_threadsafe(received('d'));
        for _ in 0..3 {
            yield_now().await;
        }
        trace.borrow_mut().extend(receiver.try_iter());
    });
    assert_eq!(*trace.borrow(), ['a', 'b', 'c', 'd']);
}

#[test]
fn a_chain_of_calls_runs_one_call_a_turn() {
    fn call_again(called: Rc<Cell<usize>>) {
        called.set(called.get() + 1);
        call_soon(move || call_again(called));
    }
    let called = Rc::new(Cell::new(0));
    let mut runtime = Runtime::new().unwrap();
    {
        let _guard = runtime.enter();
        call_again(called.clone());
    }
    for turns in 2..10 {
        runtime.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(called.get(), turns);
    }
}

#[test]
fn timed_calls_run_in_the_order_of_instants_then_of_calls() {
    let trace = Trace::default();
    block_on(async {
        let begin = now();
        let at = |millis| begin + Duration::from_millis(millis);
        call_at(at(6), trace.add("c"));
        call_at(at(3), trace.add("a1"));
        call_at(at(3), trace.add("a2"));
        let last = call_later(Duration::from_millis(6), trace.add("d"));
        assert!(last.when() >= at(6));
        assert_eq!(call_at(at(4), trace.add("b")).when(), at(4));
        sleep_until(last.when()).await;
        assert!(now() >= last.when());
        yield_now().await;
    });
    assert_eq!(trace.take(), ["a1", "a2", "b", "c", "d"]);
}

#[test]
fn a_timed_call_is_not_early() {
    let seen = Rc::new(Cell::new(None));
    block_on(async {
        let (called, when) = (seen.clone(), now() + Duration::from_micros(1500));
        call_at(when, move || called.set(Some(now())));
        while seen.get().is_none() {
            yield_now().await;
        }
        assert!(seen.get().unwrap() >= when);
    });
}

#[test]
fn past_calls_run_at_once_and_far_calls_wait() {
    let trace = Trace::default();
    block_on(async {
        call_at(now() - Duration::from_millis(1), trace.add("past"));
        call_later(Duration::ZERO, trace.add("zero"));
        call_later(Duration::MAX, trace.add("far"));
        while trace.0.borrow().len() < 2 {
            yield_now().await;
        }
    });
    assert_eq!(trace.take(), ["past", "zero"]);
}

#[test]
fn cancelled_calls_are_dropped() {
    let trace = Trace::default();
    let held = Rc::new(());
    let holds = |trace: &Trace| {
        let (held, f) = (held.clone(), trace.add("cancelled"));
        move || {
            let _held = held;
            f();
        }
    };
    block_on(async {
        let calls = [
            call_soon(holds(&trace)),
            call_later(Duration::ZERO, holds(&trace)),
            call_at(now() + Duration::from_secs(60), holds(&trace)),
        ];
        calls.iter().for_each(CallHandle::cancel);
        assert_eq!(Rc::strong_count(&held), 4);
        yield_now().await;
        yield_now().await;
        assert_eq!(Rc::strong_count(&held), 1);
        calls.iter().for_each(CallHandle::cancel);
    });
    assert_eq!(trace.take(), [""; 0]);
}

#[test]
fn a_call_cancels_the_next_and_itself() {
    let trace = Trace::default();
    block_on(async {
        let handles: Rc<RefCell<Vec<CallHandle>>> = Rc::default();
        let (calls, of_call) = (handles.clone(), trace.clone());
        let first = call_soon(move || {
            calls.borrow().iter().for_each(CallHandle::cancel);
            of_call.add("first")();
        });
        let second = call_soon(trace.add("second"));
        handles.borrow_mut().extend([first, second]);
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(trace.take(), ["first"]);
}

#[test]
fn dropping_the_handle_does_not_cancel_the_call() {
    let trace = Trace::default();
    block_on(async {
        drop(call_soon(trace.add("called")));
        yield_now().await;
    });
    assert_eq!(trace.take(), ["called"]);
}

#[test]
fn a_panic_is_reported_although_the_handle_is_alive() {
    let panics = Rc::new(RefCell::new(Vec::new()));
    let seen = panics.clone();
    let on_task_error =
        move |error: evloop::task::JoinError| seen.borrow_mut().push(error.to_string());
    let mut runtime = Runtime::builder().on_task_error(on_task_error).build().unwrap();
    runtime.block_on(async {
        let line = line!() + 1;
        let call = call_soon(|| panic!("out of paper"));
        yield_now().await;
        let text = format!("(spawned at {}:{line}:20) panicked: out of paper", file!());
        assert!(panics.borrow()[0].ends_with(&text), "{:?}", panics.borrow());
        call.cancel();
    });
    assert_eq!(panics.borrow().len(), 1);
}

#[test]
fn calls_panic_outside_a_running_loop() {
    let check = |name: &str, call: fn() -> CallHandle| {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let message =
            format!("{name} was called outside of a running loop: call it inside evloop::block_on");
        assert_eq!(*panic.downcast::<String>().unwrap(), message);
    };
    check("call_soon", || call_soon(|| ()));
    check("call_later", || call_later(Duration::ZERO, || ()));
    check("call_at", || call_at(now(), || ()));
}
