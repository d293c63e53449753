//! `Scope::start` and `TryScope::start`: the caller waits until the child is ready.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};

use evloop::block_on;
use evloop::task::{self, NotStarted, Started, yield_now};
use probe::{Drops, Probe};

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

#[test]
fn start_waits_until_the_child_is_ready_and_the_child_runs_on() {
    let trace = RefCell::new(Vec::new());
    let add = |what| trace.borrow_mut().push(what);
    block_on(task::scope(async |s| {
        let child = async |started: Started<u32>| {
            add("child begins");
            yield_now().await;
            started.set(7);
            add("child is ready");
            yield_now().await;
            add("child ends");
        };
        add("start");
        assert_eq!(s.start(child).await.unwrap(), 7);
        add("started");
    }));
    let expected = ["start", "child begins", "child is ready", "started", "child ends"];
    assert_eq!(trace.take(), expected);
}

#[test]
fn a_child_may_be_ready_and_end_at_once() {
    block_on(task::scope(async |s| {
        let child = async |started: Started<&str>| started.set("ready");
        assert_eq!(s.start(child).await.unwrap(), "ready");
    }));
}

#[test]
fn a_child_that_ends_before_it_is_ready_returns_its_output() {
    block_on(task::scope(async |s| {
        let error = s.start(async |_: Started<()>| 7).await.unwrap_err();
        assert_eq!(error.to_string(), "the child returned before it called Started::set");
        assert!(matches!(error, NotStarted::Ended(7)));
        let error = s.start(async |_: Started<()>| panic!("no address")).await.unwrap_err();
        assert!(error.to_string().ends_with("panicked: no address"), "{error}");
        assert!(matches!(error, NotStarted::<()>::Failed(error) if error.is_panic()));
        s.cancel();
        let error = s.start(async |_: Started<()>| 7).await.unwrap_err();
        assert!(error.into_output().unwrap_err().is_cancelled());
    }));
}

#[test]
fn dropping_start_aborts_the_child_unless_it_is_ready() {
    let drops = Drops::default();
    block_on(task::scope(async |s| {
        let mut start = Box::pin(s.start(async |_: Started<()>| {
            let _value = drops.value();
            pending::<()>().await;
        }));
        assert!(Probe::new().poll(&mut start).is_pending());
        yield_now().await;
        drop(start);
        yield_now().await;
        yield_now().await;
        assert_eq!((drops.count(), s.len()), (1, 0));

        let start = s.start(async |started: Started<()>| {
            let _value = drops.value();
            started.set(());
            pending::<()>().await;
        });
        yield_now().await;
        drop(start);
        yield_now().await;
        yield_now().await;
        assert_eq!((drops.count(), s.len()), (1, 1));
        s.cancel();
    }));
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_panic_after_the_start_ends_the_scope() {
    let scope = || {
        block_on(task::scope(async |s| {
            let child = async |started: Started<()>| {
                started.set(());
                yield_now().await;
                panic!("later");
            };
            s.start(child).await.unwrap();
            pending::<()>().await;
        }));
    };
    let panic = catch_unwind(AssertUnwindSafe(scope)).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "later");
}

#[test]
fn a_child_may_borrow_and_start_others() {
    let count = Cell::new(0);
    block_on(task::scope(async |s| {
        let inner = s.clone();
        let count = &count;
        let child = async move |started: Started<u32>| {
            count.set(count.get() + 1);
            let value = inner.start(async |started: Started<u32>| started.set(3)).await;
            started.set(value.unwrap() + 1);
        };
        assert_eq!(s.start(child).await.unwrap(), 4);
    }));
    assert_eq!(count.get(), 1);
}

#[test]
fn an_error_before_the_start_does_not_end_a_try_scope_and_a_later_one_does() {
    block_on(async {
        let result = task::try_scope(async |s| {
            let error = s.start(async |_: Started<()>| Err::<(), _>("early")).await.unwrap_err();
            assert_eq!(error.into_output().unwrap(), Err("early"));
            let child = async |started: Started<u32>| {
                started.set(7);
                yield_now().await;
                Err::<(), _>("late")
            };
            assert_eq!(s.start(child).await.unwrap(), 7);
            pending::<Result<(), _>>().await
        });
        assert_eq!(result.await.unwrap_err().into_errors(), ["late"]);
    });
}

#[test]
fn no_waker_is_stored_after_the_end() {
    block_on(task::scope(async |s| {
        let probe = Probe::new();
        let mut start = Box::pin(s.start(async |started: Started<()>| {
            yield_now().await;
            started.set(());
            ready(()).await;
        }));
        assert!(probe.poll(&mut start).is_pending());
        drop(start);
        assert_eq!(probe.wakes_and_kept(), (0, 0));
    }));
}
