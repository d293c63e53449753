//! `sync::Semaphore`: order, several permits at once, cancellation in each state, closing, and
//! wakers that call back.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::executor::LocalPool;
use futures::future::LocalBoxFuture;
use futures::task::LocalSpawnExt;
use probe::Probe;

/// Wakers that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;
/// Futures that wait at the same time. Dropping them would take minutes if a removal were not O(1).
const MANY: usize = 100_000;

type Acquiring = LocalBoxFuture<'static, Result<OwnedSemaphorePermit, AcquireError>>;

fn semaphore(permits: usize) -> Rc<Semaphore> {
    Rc::new(Semaphore::new(permits))
}

fn acquiring(semaphore: &Rc<Semaphore>, count: usize) -> Acquiring {
    semaphore.clone().acquire_many_owned(count).boxed_local()
}

/// A future that waits for `count` permits and was polled, with its probe.
fn waiting(semaphore: &Rc<Semaphore>, count: usize) -> (Probe, Acquiring) {
    let (probe, mut acquiring) = (Probe::new(), acquiring(semaphore, count));
    assert!(probe.poll(&mut acquiring).is_pending());
    (probe, acquiring)
}

fn wakes<const N: usize>(waiting: &[(Probe, Acquiring); N]) -> [usize; N] {
    waiting.each_ref().map(|(probe, _)| probe.calls.wakes.get())
}

/// Returns the permit of a woken future.
fn permit((probe, acquiring): &mut (Probe, Acquiring)) -> OwnedSemaphorePermit {
    match probe.poll(acquiring) {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("{other:?}"),
    }
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn permits_are_counted() {
    let semaphore = semaphore(3);
    let one = semaphore.try_acquire().unwrap();
    let two = semaphore.try_acquire_many(2).unwrap();
    assert_eq!((one.num_permits(), two.num_permits(), semaphore.available_permits()), (1, 2, 0));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    drop(two);
    assert_eq!(semaphore.available_permits(), 2);
    assert_eq!(semaphore.try_acquire_many(3).unwrap_err(), TryAcquireError::NoPermits);
    drop(one);
    let owned = semaphore.clone().try_acquire_many_owned(3).unwrap();
    assert_eq!((owned.num_permits(), Rc::strong_count(owned.semaphore())), (3, 2));
    assert!(semaphore.clone().try_acquire_owned().is_err());
    drop(owned);
    assert_eq!((semaphore.available_permits(), Rc::strong_count(&semaphore)), (3, 1));
}

#[test]
fn waiting_futures_are_served_in_order() {
    let semaphore = semaphore(0);
    let mut waiters = [1, 1, 1].map(|count| waiting(&semaphore, count));
    for i in 0..3 {
        semaphore.add_permits(1).unwrap();
        assert_eq!(wakes(&waiters), std::array::from_fn(|k| usize::from(k <= i)));
        assert_eq!(semaphore.available_permits(), 0, "it is assigned to the woken future");
        assert!(semaphore.try_acquire().is_err());
    }
    // The futures are polled in another order.
    for i in [2, 0, 1] {
        permit(&mut waiters[i]).forget();
        assert_eq!(waiters[i].0.wakes_and_kept(), (1, 0));
    }
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_request_for_many_permits_is_not_overtaken() {
    let semaphore = semaphore(2);
    let mut waiters = [3, 1, 1].map(|count| waiting(&semaphore, count));
    assert_eq!(semaphore.available_permits(), 2);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits, "others wait");
    semaphore.add_permits(1).unwrap();
    assert_eq!(wakes(&waiters), [1, 0, 0]);
    let three = permit(&mut waiters[0]);
    assert_eq!((three.num_permits(), semaphore.available_permits()), (3, 0));
    drop(three);
    assert_eq!(wakes(&waiters), [1, 1, 1]);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn dropping_a_request_for_many_permits_serves_the_requests_behind_it() {
    let semaphore = semaphore(2);
    let [many, one, two, other] = [3, 1, 1, 1].map(|count| waiting(&semaphore, count));
    drop(many.1);
    assert_eq!(many.0.wakes_and_kept(), (0, 0));
    assert_eq!(wakes(&[one, two, other]), [1, 1, 0]);
    assert_eq!(
        semaphore.available_permits(),
        2,
        "dropped futures release the permits assigned to them"
    );
}

#[test]
fn a_dropped_waiting_future_leaves_the_wait_queue() {
    for dropped in 0..3 {
        let semaphore = semaphore(0);
        let mut waiters: Vec<_> = (0..3).map(|_| waiting(&semaphore, 1)).collect();
        let (probe, acquiring) = waiters.remove(dropped);
        drop(acquiring);
        assert_eq!(probe.wakes_and_kept(), (0, 0));
        for woken in &mut waiters {
            semaphore.add_permits(1).unwrap();
            permit(woken).forget();
        }
        assert_eq!(semaphore.available_permits(), 0);
    }
}

#[test]
fn a_dropped_woken_future_hands_its_permits_on() {
    let semaphore = semaphore(0);
    let mut waiters = [2, 1, 1, 1].map(|count| waiting(&semaphore, count));
    semaphore.add_permits(2).unwrap();
    assert_eq!(wakes(&waiters), [1, 0, 0, 0]);
    waiters[0].1 = std::future::pending().boxed_local();
    assert_eq!(wakes(&waiters), [1, 1, 1, 0]);
    permit(&mut waiters[2]).forget();
    waiters[1].1 = std::future::pending().boxed_local();
    assert_eq!(wakes(&waiters), [1, 1, 1, 1]);
    waiters[3].1 = std::future::pending().boxed_local();
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_future_that_was_never_polled_changes_nothing() {
    let semaphore = semaphore(1);
    drop(acquiring(&semaphore, 1));
    let held = acquiring(&semaphore, 1).now_or_never().unwrap().unwrap();
    drop(acquiring(&semaphore, 1));
    drop(held);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn zero_permits_can_be_acquired_at_any_time() {
    let semaphore = semaphore(0);
    let _line = waiting(&semaphore, 1);
    assert_eq!(semaphore.try_acquire_many(0).unwrap().num_permits(), 0);
    assert!(acquiring(&semaphore, 0).now_or_never().unwrap().is_ok());
    semaphore.close();
    assert_eq!(semaphore.try_acquire_many(0).unwrap_err(), TryAcquireError::Closed);
    assert!(acquiring(&semaphore, 0).now_or_never().unwrap().is_err());
}

#[test]
fn forgotten_permits_can_be_added_again() {
    let semaphore = Rc::new(Semaphore::bounded(2));
    assert!(semaphore.add_permits(1).is_err());
    semaphore.try_acquire_many(2).unwrap().forget();
    semaphore.add_permits(1).unwrap();
    assert!(semaphore.add_permits(2).is_err());
    assert_eq!(semaphore.available_permits(), 1, "a refused call adds none");
    let held = semaphore.clone().try_acquire_owned().unwrap();
    semaphore.add_permits(1).unwrap();
    assert!(semaphore.add_permits(1).is_err(), "a held permit is not forgotten");
    held.forget();
    semaphore.add_permits(1).unwrap();
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn permits_are_counted_up_to_the_largest_number() {
    let semaphore = semaphore(usize::MAX);
    assert!(semaphore.add_permits(1).is_err());
    let all = semaphore.try_acquire_many(usize::MAX).unwrap();
    assert!(semaphore.add_permits(1).is_err());
    assert_eq!(semaphore.available_permits(), 0);
    all.forget();
    semaphore.add_permits(7).unwrap();
    assert_eq!(semaphore.available_permits(), 7);
}

#[test]
fn close_wakes_all_waiters_and_woken_ones_keep_their_permits() {
    let semaphore = semaphore(0);
    let mut waiters = [1, 1, 5, 1].map(|count| waiting(&semaphore, count));
    semaphore.add_permits(2).unwrap();
    semaphore.close();
    semaphore.close();
    assert_eq!(wakes(&waiters), [1, 1, 1, 1]);
    assert!(semaphore.is_closed());
    let held = permit(&mut waiters[0]);
    for (probe, acquiring) in &mut waiters[2..] {
        assert!(probe.poll(acquiring).map(|result| result.is_err()) == Poll::Ready(true));
        assert_eq!(probe.kept(), 0);
    }
    drop((waiters, held));
    assert_eq!(semaphore.available_permits(), 2);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    assert!(acquiring(&semaphore, 1).now_or_never().unwrap().is_err());
    semaphore.add_permits(1).unwrap();
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn refused_futures_that_are_dropped_release_nothing() {
    let semaphore = semaphore(0);
    let waiters = [1, 2].map(|count| waiting(&semaphore, count));
    semaphore.close();
    drop(waiters);
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_permit_released_during_a_close_is_assigned_to_no_waiter() {
    let semaphore = semaphore(1);
    let held = semaphore.clone().try_acquire_owned().unwrap();
    let mut acquiring = acquiring(&semaphore, 1);
    let first = Probe::new().on_wake(move || drop(held));
    assert!(first.poll(&mut acquiring).is_pending());
    let (probe, mut second) = waiting(&semaphore, 1);
    semaphore.close();
    assert_eq!(probe.calls.wakes.get(), 1);
    assert!(probe.poll(&mut second).map(|result| result.is_err()) == Poll::Ready(true));
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_waker_of_a_release_can_acquire_and_release_again() {
    let semaphore = semaphore(0);
    let order = Rc::new(RefCell::new(Vec::new()));
    let futures = [0, 1, 2].map(|i| {
        let future = Rc::new(RefCell::new(acquiring(&semaphore, 1)));
        let (polled, order) = (future.clone(), order.clone());
        let probe = Probe::new().on_wake(move || {
            let permit = (&mut *polled.borrow_mut()).now_or_never().unwrap().unwrap();
            order.borrow_mut().push(i);
            drop(permit);
        });
        assert!(probe.poll(&mut *future.borrow_mut()).is_pending());
        future
    });
    semaphore.add_permits(1).unwrap();
    assert_eq!(*order.borrow(), [0, 1, 2]);
    drop(futures);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_waker_of_a_release_can_drop_the_next_waiter() {
    let semaphore = semaphore(0);
    let next = Rc::new(Cell::new(None));
    let dropped = next.clone();
    let first = Probe::new().on_wake(move || drop(dropped.take()));
    let mut acquiring = acquiring(&semaphore, 1);
    assert!(first.poll(&mut acquiring).is_pending());
    let (second, waits) = waiting(&semaphore, 1);
    next.set(Some(waits));
    let mut third = waiting(&semaphore, 1);
    semaphore.add_permits(2).unwrap();
    assert_eq!((second.wakes_and_kept(), third.0.calls.wakes.get()), ((0, 0), 1));
    permit(&mut third).forget();
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_permit_added_while_a_waker_is_cloned_is_taken() {
    let semaphore = semaphore(0);
    let adds = semaphore.clone();
    let probe = Probe::new().on_clone(move || adds.add_permits(1).unwrap());
    let result = probe.poll(&mut acquiring(&semaphore, 1));
    assert!(result.is_ready());
    assert_eq!((probe.kept(), semaphore.available_permits()), (0, 0));
    drop(result);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_permit_taken_while_an_unneeded_waker_is_dropped_is_waited_for() {
    let semaphore = semaphore(0);
    let (adds, takes) = (semaphore.clone(), semaphore.clone());
    let probe = Probe::new()
        .on_clone(move || adds.add_permits(1).unwrap())
        .on_drop(move || takes.try_acquire().unwrap().forget());
    let mut acquiring = acquiring(&semaphore, 1);
    assert!(probe.poll(&mut acquiring).is_pending());
    assert_eq!((probe.kept(), semaphore.available_permits()), (1, 0));
    semaphore.add_permits(1).unwrap();
    assert!(probe.poll(&mut acquiring).is_ready());
}

#[test]
fn a_permit_added_while_a_replaced_waker_is_dropped_wakes_the_new_one() {
    let semaphore = semaphore(0);
    let adds = semaphore.clone();
    let mut acquiring = acquiring(&semaphore, 1);
    let old = Probe::new().on_drop(move || adds.add_permits(1).unwrap());
    assert!(old.poll(&mut acquiring).is_pending());
    let new = Probe::new();
    assert!(new.poll(&mut acquiring).is_pending());
    assert_eq!((old.wakes_and_kept(), new.wakes_and_kept()), ((0, 0), (1, 0)));
    assert!(new.poll(&mut acquiring).is_ready());
}

#[test]
fn the_waker_of_a_dropped_future_is_dropped_after_the_next_waiter_is_served() {
    let semaphore = semaphore(1);
    let looks = semaphore.clone();
    let seen = Rc::new(Cell::new(0));
    let (saw, mut many) = (seen.clone(), acquiring(&semaphore, 2));
    let probe = Probe::new().on_drop(move || saw.set(looks.available_permits() + 10));
    assert!(probe.poll(&mut many).is_pending());
    let mut one = waiting(&semaphore, 1);
    drop(many);
    assert_eq!(seen.get(), 10, "the waiter behind it has its permit already");
    permit(&mut one).forget();
}

#[test]
fn a_waker_that_panics_does_not_stop_the_other_wakes() {
    for closes in [false, true] {
        let semaphore = semaphore(0);
        let mut first = acquiring(&semaphore, 1);
        let probe = Probe::new().on_wake(|| panic!("a panic of a waker"));
        assert!(probe.poll(&mut first).is_pending());
        let mut rest = [1, 1].map(|count| waiting(&semaphore, count));
        let wake = || match closes {
            true => semaphore.close(),
            false => semaphore.add_permits(3).unwrap(),
        };
        assert!(panics(wake));
        assert_eq!(wakes(&rest), [1, 1]);
        assert!(probe.poll(&mut first).map(|result| result.is_err()) == Poll::Ready(closes));
        for (probe, acquiring) in &mut rest {
            assert!(probe.poll(acquiring).map(|result| result.is_err()) == Poll::Ready(closes));
        }
    }
}

#[test]
fn a_hundred_thousand_waiting_futures_can_be_dropped_in_any_order() {
    let semaphore = semaphore(0);
    let probe = Probe::new();
    for stride in [1, 7, MANY - 1] {
        let mut waiters: Vec<_> = (0..MANY)
            .map(|_| {
                let mut acquiring = acquiring(&semaphore, 1);
                assert!(probe.poll(&mut acquiring).is_pending());
                Some(acquiring)
            })
            .collect();
        let mut i = 0;
        for _ in 0..MANY {
            drop(waiters[i].take().unwrap());
            i = (i + stride) % MANY;
        }
        assert_eq!(probe.wakes_and_kept(), (0, 0));
    }
    semaphore.add_permits(1).unwrap();
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn one_poll_of_a_task_acquires_no_more_than_its_budget() {
    block_on(async {
        let semaphore = semaphore(1);
        let acquired = Rc::new(Cell::new(0));
        let count = acquired.clone();
        let busy = spawn(async move {
            loop {
                drop(semaphore.acquire().await.unwrap());
                count.set(count.get() + 1);
            }
        });
        for turn in 0..3 {
            assert_eq!(acquired.get(), turn * PER_POLL);
            yield_now().await;
        }
        busy.abort();
    });
}

#[test]
fn a_task_without_budget_keeps_its_place_in_the_wait_queue() {
    block_on(async {
        let (free, gate) = (semaphore(PER_POLL), semaphore(0));
        let order = Rc::new(RefCell::new(Vec::new()));
        let enter = |name: &'static str, times: usize| {
            let (free, gate, order) = (free.clone(), gate.clone(), order.clone());
            spawn(async move {
                for _ in 0..times {
                    free.acquire().await.unwrap().forget();
                }
                gate.acquire().await.unwrap().forget();
                order.borrow_mut().push(name);
            })
        };
        let tasks = [enter("spent", PER_POLL), enter("fresh", 0)];
        yield_now().await;
        gate.add_permits(2).unwrap();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), ["spent", "fresh"]);
    });
}

#[test]
fn a_semaphore_works_under_another_executor() {
    let (semaphore, mut pool) = (semaphore(2), LocalPool::new());
    let (inside, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for _ in 0..20 {
        let (semaphore, inside, most) = (semaphore.clone(), inside.clone(), most.clone());
        let work = async move {
            let _permit = semaphore.acquire().await.unwrap();
            inside.set(inside.get() + 1);
            most.set(most.get().max(inside.get()));
            yield_now().await;
            inside.set(inside.get() - 1);
        };
        pool.spawner().spawn_local(work).unwrap();
    }
    pool.run();
    assert_eq!((inside.get(), most.get(), semaphore.available_permits()), (0, 2, 2));
}

#[test]
fn a_semaphore_can_be_created_in_a_const() {
    thread_local! {
        static FIVE: Semaphore = const { Semaphore::new(5) };
    }
    FIVE.with(|five| assert_eq!(five.try_acquire_many(5).unwrap().num_permits(), 5));
}

#[test]
fn errors_convert_and_all_types_implement_debug() {
    let semaphore = semaphore(1);
    let one = semaphore.clone().try_acquire_owned().unwrap();
    assert_eq!(format!("{one:?}"), "OwnedSemaphorePermit(1)");
    let kind = |error: io::Error| error.kind();
    let short = semaphore.try_acquire().unwrap_err();
    assert_eq!(kind(short.into()), io::ErrorKind::WouldBlock);
    assert_eq!(short.to_string(), "too few permits are free, or others wait for them");
    let bound = Semaphore::bounded(1).add_permits(1).unwrap_err();
    assert_eq!(kind(bound.into()), io::ErrorKind::InvalidInput);
    assert_eq!(bound.to_string(), "more permits were added than the semaphore may have");
    semaphore.close();
    let closed = semaphore.try_acquire().unwrap_err();
    assert_eq!(kind(closed.into()), io::ErrorKind::BrokenPipe);
    let refused = semaphore.acquire().now_or_never().unwrap().unwrap_err();
    assert_eq!(kind(refused.into()), io::ErrorKind::BrokenPipe);
    assert_eq!((closed.to_string(), refused.to_string()).0, "the semaphore was closed");
    let text = "Semaphore { available_permits: 0, is_closed: true, .. }";
    assert_eq!(format!("{semaphore:?}"), text);
}
