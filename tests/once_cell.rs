//! `sync::OnceCell`: which task makes the value, which tasks wait, and which task tries next.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::{OnceCell, SetError};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, pending, ready};
use probe::{Drops, Probe};

/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

type Getting = LocalBoxFuture<'static, usize>;

/// A `get_or_init` that makes `value` once `makes` completes.
fn getting(
    cell: &Rc<OnceCell<usize>>,
    value: usize,
    makes: impl Future<Output = ()> + 'static,
) -> Getting {
    let cell = cell.clone();
    let get = async move {
        let make = async || {
            makes.await;
            value
        };
        *cell.get_or_init(make).await
    };
    get.boxed_local()
}

/// A `get_or_init` that was polled and waits, with its probe.
fn waiting(cell: &Rc<OnceCell<usize>>, value: usize) -> (Probe, Getting) {
    let (probe, mut getting) = (Probe::new(), getting(cell, value, ready(())));
    assert!(probe.poll(&mut getting).is_pending());
    (probe, getting)
}

/// A `get_or_init` that has begun to make a value and never completes.
fn making(cell: &Rc<OnceCell<usize>>) -> Getting {
    let mut making = getting(cell, 0, pending());
    assert!((&mut making).now_or_never().is_none());
    making
}

#[test]
fn a_value_is_set_once() {
    let drops = Drops::default();
    let mut cell = OnceCell::new();
    assert!(cell.get().is_none() && !cell.is_initialized());
    assert!(cell.set(drops.value()).is_ok());
    let refused = cell.set(drops.value()).unwrap_err();
    assert!(matches!(refused, SetError::AlreadySet(_)));
    drop(refused.into_inner());
    assert_eq!(drops.count(), 1);
    assert!(cell.get().is_some() && cell.get_mut().is_some() && cell.is_initialized());
    drop(cell.take());
    assert_eq!((drops.count(), cell.is_initialized()), (2, false));
    assert!(cell.set(drops.value()).is_ok(), "it can be set again");
    drop(cell.into_inner());
    assert_eq!(drops.count(), 3);
    assert_eq!(OnceCell::from(5).set(6).unwrap_err().into_inner(), 6);
}

#[test]
fn a_value_that_is_set_is_returned_at_once() {
    let cell = OnceCell::from(7);
    let made = cell.get_or_init(async || unreachable!()).now_or_never();
    assert_eq!(made, Some(&7));
    let tried: Result<_, ()> = cell.get_or_try_init(async || Err(())).now_or_never().unwrap();
    assert_eq!(tried, Ok(&7));
}

#[test]
fn one_task_makes_the_value_and_the_others_wait() {
    block_on(async {
        let (cell, made) = (Rc::new(OnceCell::new()), Rc::new(Cell::new(0)));
        let tasks: Vec<_> = (0..5)
            .map(|i| {
                let (cell, made) = (cell.clone(), made.clone());
                spawn(async move {
                    let make = async || {
                        yield_now().await;
                        made.set(made.get() + 1);
                        i
                    };
                    *cell.get_or_init(make).await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 0);
        }
        assert_eq!(made.get(), 1);
    });
}

#[test]
fn all_waiting_futures_are_woken_when_the_value_is_set() {
    let cell = Rc::new(OnceCell::new());
    let (probe, done) = (Probe::new(), Rc::new(Cell::new(false)));
    let finished = done.clone();
    let make = std::future::poll_fn(move |_| match finished.get() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    });
    let mut making = getting(&cell, 1, make);
    assert!(probe.poll(&mut making).is_pending());
    let mut waiters = [2, 3].map(|value| waiting(&cell, value));
    assert!(matches!(cell.set(9), Err(SetError::Initializing(9))));
    done.set(true);
    assert!(probe.poll(&mut making) == Poll::Ready(1));
    for (probe, getting) in &mut waiters {
        assert_eq!(probe.wakes_and_kept(), (1, 0));
        assert!(probe.poll(getting) == Poll::Ready(1));
    }
}

#[test]
fn a_dropped_initializer_lets_the_next_future_try() {
    let cell = Rc::new(OnceCell::new());
    let making = making(&cell);
    let [first, (probe, mut second), (other, mut third)] =
        [1, 2, 3].map(|value| waiting(&cell, value));
    drop(making);
    assert_eq!((first.0.calls.wakes.get(), probe.calls.wakes.get()), (1, 0));
    assert!(
        matches!(cell.set(9), Err(SetError::Initializing(9))),
        "the permit is assigned to the first one"
    );
    drop(first.1);
    assert_eq!((probe.calls.wakes.get(), other.calls.wakes.get()), (1, 0));
    assert!(probe.poll(&mut second) == Poll::Ready(2));
    assert!(other.poll(&mut third) == Poll::Ready(2));
}

#[test]
fn a_cell_can_be_set_after_all_initializers_are_dropped() {
    let cell = Rc::new(OnceCell::new());
    let making = making(&cell);
    let waits = waiting(&cell, 1);
    drop(waits);
    drop(making);
    assert!(cell.set(5).is_ok() && cell.get() == Some(&5));
}

#[test]
fn a_failed_initializer_returns_its_error_and_lets_the_next_future_try() {
    let cell = OnceCell::new();
    let (first, second) = (Probe::new(), Probe::new());
    let fails = Cell::new(false);
    let make = async || {
        std::future::poll_fn(|_| if fails.get() { Poll::Ready(()) } else { Poll::Pending }).await;
        Err("no")
    };
    let mut failing = cell.get_or_try_init(make).boxed_local();
    assert!(first.poll(&mut failing).is_pending());
    let mut next = cell.get_or_init(async || 2).boxed_local();
    assert!(second.poll(&mut next).is_pending());
    fails.set(true);
    assert!(first.poll(&mut failing) == Poll::Ready(Err("no")));
    assert_eq!(second.calls.wakes.get(), 1);
    assert!(second.poll(&mut next) == Poll::Ready(&2));
}

#[test]
fn a_panicking_initializer_lets_the_next_future_try() {
    let cell = OnceCell::new();
    let make = || cell.get_or_init(async || panic!("a panic of an initializer")).now_or_never();
    assert!(catch_unwind(AssertUnwindSafe(make)).is_err());
    assert_eq!(cell.get_or_init(async || 2).now_or_never(), Some(&2));
}

#[test]
fn a_waker_of_the_next_initializer_can_drop_the_future_behind_it() {
    let cell = Rc::new(OnceCell::new());
    let making = making(&cell);
    let second = Rc::new(RefCell::new(None));
    let (gets, drops) = (cell.clone(), second.clone());
    let probe = Probe::new().on_wake(move || {
        drop(drops.take());
        assert_eq!(gets.get(), None);
    });
    let mut first = getting(&cell, 1, ready(()));
    assert!(probe.poll(&mut first).is_pending());
    *second.borrow_mut() = Some(waiting(&cell, 2));
    drop(making);
    assert!(probe.poll(&mut first) == Poll::Ready(1));
    let probe = Probe::new();
    assert!(probe.poll(&mut getting(&cell, 3, ready(()))) == Poll::Ready(1));
}

#[test]
fn a_task_that_reads_a_set_value_in_a_loop_lets_others_run() {
    block_on(async {
        let cell = OnceCell::from(1);
        let other = spawn(async {});
        for _ in 0..10_000 {
            cell.get_or_init(async || 2).await;
        }
        assert!(other.is_finished());
        other.await.unwrap();
    });
}

#[test]
fn errors_convert_and_all_types_implement_debug() {
    let cell = Rc::new(OnceCell::default());
    let making = making(&cell);
    let error = cell.set(1).unwrap_err();
    assert_eq!(error.to_string(), "the cell's value is being made");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
    drop(making);
    assert_eq!(format!("{cell:?}"), "OnceCell(None)");
    cell.set(1).unwrap();
    let error = cell.set(1).unwrap_err();
    assert_eq!(format!("{error:?} {cell:?}"), "SetError(the cell has a value) OnceCell(Some(1))");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AlreadyExists);
}
