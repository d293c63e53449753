//! `sync::Shared`: one result for many tasks.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::{NeverSet, Shared};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use probe::{Drops, Probe};

/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

type Waiting<T> = (Probe, LocalBoxFuture<'static, Result<T, NeverSet>>);

fn waiting<T: Clone + 'static>(shared: &Shared<T>) -> Waiting<T> {
    let (probe, shared) = (Probe::new(), shared.clone());
    let mut waits = async move { shared.wait().await }.boxed_local();
    assert!(probe.poll(&mut waits).is_pending());
    (probe, waits)
}

#[test]
fn all_waiting_tasks_get_the_value_in_their_order() {
    block_on(async {
        let (setter, shared) = Shared::new();
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let (shared, order) = (shared.clone(), order.clone());
                spawn(async move {
                    let value = shared.wait().await;
                    order.borrow_mut().push((n, value));
                })
            })
            .collect();
        yield_now().await;
        assert!(shared.waiting() == 3 && !shared.is_set() && shared.get().is_none());
        setter.set("a");
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), [(0, Ok("a")), (1, Ok("a")), (2, Ok("a"))]);
        assert_eq!((shared.wait().await, shared.get()), (Ok("a"), Some(Ok("a"))));
    });
}

#[test]
fn a_dropped_setter_is_an_error_of_all_waits() {
    let (setter, shared) = Shared::<u32>::new();
    let mut waits = [waiting(&shared), waiting(&shared)];
    drop(setter);
    for (probe, waits) in &mut waits {
        assert_eq!(probe.wakes_and_kept(), (1, 0));
        let Poll::Ready(Err(error)) = probe.poll(waits) else { panic!("it waits") };
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    }
    assert!(shared.is_set() && shared.get().unwrap().is_err());
}

#[test]
fn a_dropped_wait_loses_nothing() {
    let (setter, shared) = Shared::new();
    let [first, mut second] = [waiting(&shared), waiting(&shared)];
    drop(first.1);
    setter.set(1);
    assert_eq!((first.0.wakes_and_kept(), second.0.wakes_and_kept()), ((0, 0), (1, 0)));
    let third = waiting_or_set(&shared);
    assert_eq!((second.0.poll(&mut second.1), third), (Poll::Ready(Ok(1)), Ok(1)));
}

fn waiting_or_set<T: Clone>(shared: &Shared<T>) -> Result<T, NeverSet> {
    shared.wait().now_or_never().expect("it is set")
}

#[test]
fn a_future_runs_once_and_the_next_task_goes_on_with_it() {
    let (polls, drops) = (Rc::new(Cell::new(0)), Drops::default());
    let (counted, held) = (polls.clone(), drops.value());
    let shared = Shared::from_future(async move {
        let _held = held;
        poll_fn(|_| {
            counted.set(counted.get() + 1);
            if counted.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        "done"
    });
    assert_eq!(polls.get(), 0);
    let [first, mut second, mut third] = [(); 3].map(|()| waiting(&shared));
    assert_eq!((polls.get(), shared.waiting()), (1, 2), "one task polls it");
    drop(first.1);
    assert_eq!([&second, &third].map(|(probe, _)| probe.calls.wakes.get()), [1, 0]);
    assert!(second.0.poll(&mut second.1).is_pending() && polls.get() == 2);
    assert_eq!(second.0.poll(&mut second.1), Poll::Ready(Ok("done")));
    assert_eq!((drops.count(), third.0.calls.wakes.get()), (1, 1));
    assert_eq!(third.0.poll(&mut third.1), Poll::Ready(Ok("done")));
    assert_eq!((waiting_or_set(&shared), polls.get()), (Ok("done"), 3));
}

#[test]
fn a_panic_of_the_future_is_an_error_of_the_other_waits() {
    block_on(async {
        let shared = Shared::<u32>::from_future(async {
            yield_now().await;
            panic!("odd");
        });
        let [first, second] = [(); 2].map(|()| {
            let shared = shared.clone();
            spawn(async move { shared.wait().await })
        });
        assert!(first.await.unwrap_err().is_panic());
        assert!(second.await.unwrap().is_err());
        assert!(shared.wait().await.unwrap_err().to_string().contains("panicked"));
    });
}

#[test]
fn the_panic_of_a_future_or_of_its_destructor_is_an_outcome_at_once() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("odd");
        }
    }
    let held = Panics;
    let in_destructor = poll_fn(move |_| {
        let _ = &held;
        Poll::Ready(7)
    });
    let in_poll = Shared::<u32>::from_future(async { panic!("odd") });
    for shared in [in_poll, Shared::from_future(in_destructor)] {
        let wait = AssertUnwindSafe(|| shared.wait().now_or_never());
        assert!(catch_unwind(wait).is_err());
        assert!(shared.is_set() && shared.get().unwrap().is_err());
    }
}

#[test]
fn a_future_that_nobody_needs_is_dropped() {
    let drops = Drops::default();
    let held = drops.value();
    let shared = Shared::from_future(async move {
        let _held = held;
        pending::<u32>().await
    });
    let waits = waiting(&shared);
    drop(shared);
    assert_eq!(drops.count(), 0);
    drop(waits.1);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_waker_of_set_can_read_the_value_and_drop_the_others() {
    let (setter, shared) = Shared::new();
    let other = Rc::new(RefCell::new(None));
    let (inside, drops) = (shared.clone(), other.clone());
    let probe = Probe::new().on_wake(move || {
        assert_eq!(inside.get(), Some(Ok(7)));
        drop(drops.borrow_mut().take());
    });
    let owned = shared.clone();
    let mut first = async move { owned.wait().await }.boxed_local();
    assert!(probe.poll(&mut first).is_pending());
    let (second, waits) = waiting(&shared);
    *other.borrow_mut() = Some(waits);
    setter.set(7);
    assert_eq!((probe.poll(&mut first), second.wakes_and_kept()), (Poll::Ready(Ok(7)), (0, 0)));
}
