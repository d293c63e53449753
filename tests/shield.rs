//! Shielded blocks: they run to their end although the future that awaits them is dropped.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use evloop::task::{self, JoinError, shielded, yield_now};
use evloop::{Runtime, block_on, spawn};

type Trace = Rc<RefCell<Vec<&'static str>>>;

/// A block of three steps.
fn block(trace: &Trace) -> impl Future<Output = u32> + use<> {
    let trace = trace.clone();
    async move {
        for step in ["first", "second", "third"] {
            trace.borrow_mut().push(step);
            yield_now().await;
        }
        7
    }
}

#[test]
fn a_block_begins_at_once_and_returns_its_output() {
    let trace = Trace::default();
    block_on(async {
        let shielded = shielded(block(&trace));
        assert_eq!(*trace.borrow(), ["first"]);
        assert_eq!(shielded.await, 7);
    });
    assert_eq!(*trace.borrow(), ["first", "second", "third"]);
}

#[test]
fn a_block_runs_on_wherever_the_awaiting_future_is_dropped() {
    for polls in 0..4 {
        let trace = Trace::default();
        block_on(async {
            {
                let mut awaiting = pin!(async { shielded(block(&trace)).await });
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..=polls {
                    if awaiting.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                    yield_now().await;
                }
            }
            for _ in 0..4 {
                yield_now().await;
            }
        });
        assert_eq!(*trace.borrow(), ["first", "second", "third"], "dropped after {polls} polls");
    }
}

#[test]
fn a_block_runs_on_when_the_awaiting_task_is_aborted() {
    let trace = Trace::default();
    block_on(async {
        let block = block(&trace);
        let task = spawn(async move { shielded(block).await });
        yield_now().await;
        assert!(task.cancel().await.unwrap_err().is_cancelled());
        for _ in 0..4 {
            yield_now().await;
        }
    });
    assert_eq!(*trace.borrow(), ["first", "second", "third"]);
}

#[test]
fn a_panic_of_a_block_is_resumed_where_it_is_awaited() {
    let run = || block_on(shielded_panic(true));
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "odd");
}

#[test]
fn a_panic_of_an_abandoned_block_goes_to_the_handler() {
    let texts = Rc::new(RefCell::new(Vec::new()));
    let seen = texts.clone();
    let handler = move |error: JoinError| seen.borrow_mut().push(error.to_string());
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    runtime.block_on(shielded_panic(false));
    let texts = texts.borrow();
    assert!(texts.len() == 1 && texts[0].ends_with(") panicked: odd"), "{texts:?}");
}

async fn shielded_panic(is_awaited: bool) {
    let shielded = shielded(async {
        yield_now().await;
        panic!("odd");
    });
    if is_awaited {
        shielded.await
    }
    drop(spawn(yield_now()).await);
}

#[test]
fn an_aborted_block_panics_where_it_is_awaited() {
    let run = || {
        block_on(async {
            let shielded = shielded(pending::<()>());
            task::all().iter().for_each(task::TaskInfo::abort);
            shielded.await;
        });
    };
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("a shielded block did not end: task "), "{text}");
    assert!(text.ends_with(" was cancelled"), "{text}");
}
