//! Functions that are called after the end of a task.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::rc::{Rc, Weak};

use evloop::task::{self, TaskEnd, yield_now};
use evloop::{JoinHandle, Runtime, block_on, spawn};

/// Records events in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn add(&self, event: impl Into<String>) {
        self.0.borrow_mut().push(event.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Returns a function that records `name` and how the task ended.
    fn of(&self, name: &'static str) -> impl FnOnce(TaskEnd) + 'static {
        let trace = self.clone();
        move |end| trace.add(format!("{name} {end:?}"))
    }
}

#[test]
fn functions_run_in_order_before_a_task_that_waits() {
    let trace = Trace::default();
    block_on(async {
        let task = spawn(ready(7));
        for name in ["first", "second", "third"] {
            task.on_end(trace.of(name));
        }
        trace.add(format!("awaited {}", task.await.unwrap()));
    });
    assert_eq!(trace.take(), ["first Returned", "second Returned", "third Returned", "awaited 7"]);
}

#[test]
fn functions_learn_how_the_task_ended() {
    let trace = Trace::default();
    block_on(async {
        let panics: JoinHandle<()> = spawn(async { panic!("odd") });
        let aborted = spawn(pending::<()>());
        let fails = spawn(async { Err::<(), i32>(7) });
        panics.on_end(trace.of("panics"));
        aborted.on_end(trace.of("aborted"));
        fails.on_end(trace.of("fails"));
        aborted.abort();
        yield_now().await;
        yield_now().await;
        assert_eq!(trace.take(), ["panics Panicked", "aborted Cancelled", "fails Returned"]);
        // After the end, and after the output was taken.
        let mut panics = panics;
        (&mut panics).await.unwrap_err();
        panics.on_end(trace.of("panics"));
        aborted.on_end(trace.of("aborted"));
        fails.on_end(trace.of("fails"));
        assert_eq!(trace.take(), [""; 0], "not inside the call");
        yield_now().await;
        assert_eq!(trace.take(), ["panics Panicked", "aborted Cancelled", "fails Returned"]);
    });
}

#[test]
fn the_panic_of_a_destructor_counts_as_a_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    let trace = Trace::default();
    block_on(async {
        let bomb = Bomb;
        let task = spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        });
        task.on_end(trace.of("task"));
        yield_now().await;
        task.cancel().await.unwrap_err();
    });
    assert_eq!(trace.take(), ["task Panicked"]);
}

#[test]
fn a_removed_function_is_dropped_and_not_called() {
    let trace = Trace::default();
    block_on(async {
        let task = spawn(ready(()));
        let value = Rc::new(());
        let held = Rc::downgrade(&value);
        task.on_end(trace.of("first"));
        let second = task.on_end(move |_| drop(value));
        task.on_end(trace.of("third"));
        assert!(second.remove());
        assert!(held.upgrade().is_none());
        assert!(!second.remove(), "it was removed");
        task.await.unwrap();
    });
    assert_eq!(trace.take(), ["first Returned", "third Returned"]);
}

#[test]
fn a_function_can_be_removed_until_it_is_called() {
    let trace = Trace::default();
    block_on(async {
        let task = spawn(ready(()));
        let removed = Rc::new(RefCell::new(None));
        let (slot, of_first) = (removed.clone(), trace.clone());
        task.on_end(move |_| of_first.add(format!("removes {}", slot.take().unwrap())));
        let second = task.on_end(trace.of("second"));
        let third = task.on_end(trace.of("third"));
        *removed.borrow_mut() = Some(second.remove());
        yield_now().await;
        yield_now().await;
        assert!(!third.remove(), "it was called");
        let late = task.on_end(trace.of("late"));
        assert!(late.remove(), "the call is pending");
        yield_now().await;
    });
    assert_eq!(trace.take(), ["removes true", "third Returned"]);
}

#[test]
fn a_detached_task_calls_its_functions() {
    let trace = Trace::default();
    block_on(async {
        let task = spawn(yield_now());
        task.on_end(trace.of("dropped"));
        drop(task);
        let task = spawn(async {
            yield_now().await;
            Ok::<(), i32>(())
        });
        task.on_end(trace.of("detached"));
        task.detach();
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(trace.take(), ["dropped Returned", "detached Returned"]);
}

#[test]
fn a_function_may_use_its_task_and_register_more() {
    let trace = Trace::default();
    block_on(async {
        let task = Rc::new(spawn(ready(())));
        let (inner, of_inner) = (task.clone(), trace.clone());
        task.on_end(move |_| {
            assert!(inner.is_finished());
            assert!(task::all().iter().all(|info| info.id() != inner.id()));
            assert_eq!(task::current().unwrap().parent(), None);
            inner.on_end(of_inner.of("registered by a function"));
        });
        for _ in 0..3 {
            yield_now().await;
        }
    });
    assert_eq!(trace.take(), ["registered by a function Returned"]);
}

#[test]
fn the_panic_of_a_function_goes_to_the_handler_and_the_others_run() {
    let trace = Trace::default();
    let of_handler = trace.clone();
    let handler = move |error: task::JoinError| {
        let line = error.spawned_at().line();
        of_handler.add(format!("{line} {}", error.into_panic().downcast::<&str>().unwrap()));
    };
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    let line = line!() + 3;
    runtime.block_on(async {
        let task = spawn(ready(()));
        task.on_end(|_| panic!("odd"));
        task.on_end(trace.of("second"));
        task.await.unwrap();
    });
    assert_eq!(trace.take(), [format!("{line} odd"), "second Returned".into()]);
}

#[test]
fn functions_of_a_task_that_the_loops_end_drops_are_dropped() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(pending::<()>());
    let value = Rc::new(trace.clone());
    let held: Weak<Trace> = Rc::downgrade(&value);
    task.on_end(move |_| value.add("called"));
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert!(held.upgrade().is_none());
    assert_eq!(trace.take(), [""; 0]);
}

#[test]
fn a_function_registered_between_two_turns_is_called() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(ready(()));
    task.on_end(trace.of("task"));
    runtime.run_until_stalled().unwrap();
    assert_eq!(trace.take(), ["task Returned"]);
}

#[test]
fn an_eager_task_that_has_ended_calls_a_function() {
    let trace = Trace::default();
    block_on(async {
        let task = task::Builder::new().eager(true).spawn(ready(()));
        assert!(task.is_finished());
        task.on_end(trace.of("eager"));
        yield_now().await;
    });
    assert_eq!(trace.take(), ["eager Returned"]);
}

#[test]
fn a_hundred_thousand_functions_are_registered_in_linear_time() {
    let calls = Rc::new(Cell::new(0));
    block_on(async {
        let task = spawn(pending::<()>());
        for i in 0..100_000 {
            let calls = calls.clone();
            let callback = task.on_end(move |_| calls.set(calls.get() + 1));
            if i % 2 == 0 {
                assert!(callback.remove());
            }
        }
        task.abort();
        while calls.get() < 50_000 {
            yield_now().await;
        }
    });
    assert_eq!(calls.get(), 50_000);
}
