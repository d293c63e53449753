//! `sync::Notify`, `sync::Event`, `sync::Condvar`: which tasks are notified, in which order, and
//! which task gets the notification of a dropped future.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::{Condvar, Event, Mutex, Notify};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use probe::Probe;

/// Wakers that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;
/// Futures that wait at the same time. Dropping them would take minutes if a removal were not O(1).
const MANY: usize = 100_000;

type Waiting<'a> = (Probe, LocalBoxFuture<'a, ()>);

/// A future that was polled and waits, with its probe.
fn waiting<'a>(future: impl Future<Output = ()> + 'a) -> Waiting<'a> {
    let (probe, mut future) = (Probe::new(), future.boxed_local());
    assert!(probe.poll(&mut future).is_pending());
    (probe, future)
}

fn wakes<const N: usize>(waiting: &[Waiting<'_>; N]) -> [usize; N] {
    waiting.each_ref().map(|(probe, _)| probe.calls.wakes.get())
}

fn is_ready((probe, future): &mut Waiting<'_>) -> bool {
    probe.poll(future).is_ready()
}

/// A wait that owns a share of its `Notify`, so that wakers can hold it.
fn notified(notify: &Rc<Notify>) -> LocalBoxFuture<'static, ()> {
    let notify = notify.clone();
    async move { notify.notified().await }.boxed_local()
}

fn is_notified(notify: &Notify) -> bool {
    notify.notified().now_or_never().is_some()
}

#[test]
fn a_notification_without_a_waiting_task_is_stored_once() {
    let notify = Notify::new();
    assert!(!is_notified(&notify));
    notify.notify_one();
    notify.notify_one();
    assert!(is_notified(&notify) && !is_notified(&notify));
    notify.notify_waiters();
    assert!(!is_notified(&notify), "notify_waiters stores no permit");
}

#[test]
fn waiting_futures_are_notified_in_order() {
    let notify = Notify::new();
    let mut waiters = [(); 3].map(|()| waiting(notify.notified()));
    for i in 0..3 {
        notify.notify_one();
        assert_eq!(wakes(&waiters), std::array::from_fn(|k| usize::from(k <= i)));
        assert!(!is_notified(&notify), "a new future does not get another one's notification");
    }
    for waits in waiters.iter_mut().rev() {
        assert!(is_ready(waits));
        assert_eq!(waits.0.kept(), 0);
    }
    drop(waiters);
    assert!(!is_notified(&notify));
}

#[test]
fn dropped_futures_pass_a_notification_on_until_it_is_stored() {
    let notify = Notify::new();
    let [first, dropped, second] = [(); 3].map(|()| waiting(notify.notified()));
    notify.notify_one();
    drop(dropped.1);
    drop(first.1);
    assert_eq!((dropped.0.wakes_and_kept(), second.0.calls.wakes.get()), ((0, 0), 1));
    drop(second.1);
    assert!(is_notified(&notify) && !is_notified(&notify));
}

#[test]
fn futures_notified_together_pass_nothing_on() {
    let notify = Notify::new();
    let [mut first, second, mut third] = [(); 3].map(|()| waiting(notify.notified()));
    let never_polled = notify.notified();
    notify.notify_waiters();
    let mut late = waiting(notify.notified());
    assert!(is_ready(&mut first));
    drop(second);
    assert!(is_ready(&mut third) && !is_ready(&mut late));
    assert!(never_polled.now_or_never().is_some(), "it was created before");
    assert_eq!(late.0.calls.wakes.get(), 0);
    drop(late);
    assert!(!is_notified(&notify));
}

#[test]
fn a_dropped_future_passes_its_own_notification_on_after_one_for_all() {
    let notify = Notify::new();
    let notified = waiting(notify.notified());
    notify.notify_one();
    notify.notify_waiters();
    let mut late = waiting(notify.notified());
    drop(notified);
    assert!(is_ready(&mut late));
}

#[test]
fn a_future_created_before_a_notification_for_all_takes_no_permit() {
    let notify = Notify::new();
    let old = notify.notified();
    notify.notify_waiters();
    notify.notify_one();
    assert!(old.now_or_never().is_some());
    assert!(is_notified(&notify));
}

#[test]
fn a_notification_for_all_takes_effect_before_its_wakers_run() {
    let notify = Rc::new(Notify::new());
    let (second, late) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
    let (polls, joins, notifies) = (second.clone(), late.clone(), notify.clone());
    let probe = Probe::new().on_wake(move || {
        let mut second: Waiting<'_> = polls.take().unwrap();
        assert!(is_ready(&mut second), "it is notified, but not woken yet");
        *joins.borrow_mut() = Some(waiting(notified(&notifies)));
        notifies.notify_one();
    });
    let mut first = notified(&notify);
    assert!(probe.poll(&mut first).is_pending());
    *second.borrow_mut() = Some(waiting(notified(&notify)));
    let mut third = waiting(notify.notified());
    notify.notify_waiters();
    assert_eq!(third.0.calls.wakes.get(), 1);
    assert!(is_ready(&mut third));
    let mut late = late.take().unwrap();
    assert_eq!(late.0.calls.wakes.get(), 1, "it gets the notification for one task");
    assert!(is_ready(&mut late) && !is_notified(&notify));
}

#[test]
fn a_waker_that_panics_does_not_stop_the_other_notifications() {
    let notify = Notify::new();
    let panicking = Probe::new().on_wake(|| panic!("a panic of a waker"));
    let mut first = notify.notified().boxed_local();
    assert!(panicking.poll(&mut first).is_pending());
    let mut second = waiting(notify.notified());
    assert!(catch_unwind(AssertUnwindSafe(|| notify.notify_waiters())).is_err());
    assert_eq!(second.0.calls.wakes.get(), 1);
    assert!(is_ready(&mut second) && panicking.poll(&mut first).is_ready());
}

#[test]
fn a_waker_can_notify_while_it_is_cloned_or_dropped() {
    let notify = Rc::new(Notify::new());
    let [clones, drops] = [(); 2].map(|()| notify.clone());
    let probe = Probe::new().on_clone(move || clones.notify_one());
    assert!(probe.poll(&mut notified(&notify)).is_ready());
    assert_eq!(probe.kept(), 0);
    let old = Probe::new().on_drop(move || drops.notify_one());
    let (new, mut notified) = (Probe::new(), notified(&notify));
    assert!(old.poll(&mut notified).is_pending() && new.poll(&mut notified).is_pending());
    assert_eq!((old.wakes_and_kept(), new.wakes_and_kept()), ((0, 0), (1, 0)));
    assert!(new.poll(&mut notified).is_ready() && !is_notified(&notify));
}

#[test]
fn a_notification_passed_on_a_hundred_thousand_times_is_stored() {
    let (notify, probe) = (Notify::new(), Probe::new());
    let mut waiters = Vec::new();
    for _ in 0..MANY {
        let mut notified = notify.notified();
        assert!(probe.poll(&mut notified).is_pending());
        waiters.push(notified);
    }
    notify.notify_one();
    drop(waiters);
    assert_eq!(probe.wakes_and_kept(), (MANY, 0));
    assert!(is_notified(&notify));
}

#[test]
fn an_enabled_future_is_in_the_wait_queue_before_its_first_poll() {
    let notify = Notify::new();
    let mut first = Box::pin(notify.notified());
    assert!(!first.as_mut().enable() && !first.as_mut().enable());
    let mut second = waiting(notify.notified());
    assert_eq!(notify.waiting(), 2);
    notify.notify_one();
    assert_eq!((notify.waiting(), wakes(&[waiting(notify.notified())])), (1, [0]));
    assert!(first.as_mut().enable(), "it is notified");
    assert_eq!(second.0.calls.wakes.get(), 0);
    assert!(Probe::new().poll(&mut first).is_ready());
    notify.notify_one();
    assert!(is_ready(&mut second));
}

#[test]
fn a_completed_future_stays_notified_and_takes_no_further_notification() {
    let notify = Rc::new(Notify::new());
    let (mut future, mut owned) = (pin!(notify.notified()), pin!(notify.clone().notified_owned()));
    let probe = Probe::new();
    notify.notify_one();
    assert!(probe.poll(&mut future).is_ready() && probe.poll(&mut future).is_ready());
    notify.notify_one();
    assert!(probe.poll(&mut owned).is_ready() && probe.poll(&mut owned).is_ready());
    assert!(future.as_mut().enable() && owned.as_mut().enable());
    assert_eq!(notify.waiting(), 0);
    notify.notify_one();
    assert!(future.as_mut().enable() && probe.poll(&mut owned).is_ready());
    assert!(is_notified(&notify), "the completed futures left the notification");
}

#[test]
fn an_enabled_future_keeps_its_place_when_it_is_polled() {
    let notify = Notify::new();
    let mut first = Box::pin(notify.notified());
    first.as_mut().enable();
    let second = waiting(notify.notified());
    let probe = Probe::new();
    assert!(probe.poll(&mut first).is_pending());
    notify.notify_one();
    assert_eq!((probe.wakes_and_kept(), second.0.calls.wakes.get()), ((1, 0), 0));
}

#[test]
fn enable_takes_the_stored_permit_and_a_dropped_future_returns_it() {
    for is_owned in [false, true] {
        let notify = Rc::new(Notify::new());
        notify.notify_one();
        let (mut borrowed, mut owned) =
            (Box::pin(notify.notified()), Box::pin(notify.clone().notified_owned()));
        let enabled = if is_owned { owned.as_mut().enable() } else { borrowed.as_mut().enable() };
        assert!(enabled);
        assert!(!is_notified(&notify), "the permit is taken");
        drop((borrowed, owned));
        assert!(is_notified(&notify), "and returned");
        notify.notify_one();
        let mut taken = Box::pin(notify.notified());
        assert!(taken.as_mut().enable());
        assert!(Probe::new().poll(&mut taken).is_ready());
        drop(taken);
        assert!(!is_notified(&notify));
    }
}

#[test]
fn enable_reports_a_notification_for_all_since_the_creation() {
    let notify = Notify::new();
    let [mut first, mut second] = [(); 2].map(|()| Box::pin(notify.notified()));
    assert!(!first.as_mut().enable());
    notify.notify_waiters();
    assert!(first.as_mut().enable() && second.as_mut().enable());
    notify.notify_one();
    drop((first, second));
    assert!(is_notified(&notify), "they took no permit");
    assert!(!is_notified(&notify), "and returned none");
}

#[test]
fn notify_last_wakes_the_task_that_began_to_wait_last() {
    let notify = Notify::new();
    let waits: [Waiting<'_>; 4] = std::array::from_fn(|_| waiting(notify.notified()));
    notify.notify_last();
    assert_eq!(wakes(&waits), [0, 0, 0, 1]);
    notify.notify_one();
    assert_eq!((wakes(&waits), notify.waiting()), ([1, 0, 0, 1], 2));
    let [first, second, third, last] = waits;
    drop(last.1);
    assert_eq!([&second, &third].map(|wait| wait.0.calls.wakes.get()), [0, 1], "to the last");
    drop(first.1);
    assert_eq!(second.0.calls.wakes.get(), 1, "to the first");
    drop((second.1, third.1));
    assert!(is_notified(&notify), "both were returned: one permit");
    notify.notify_last();
    assert!(is_notified(&notify) && !is_notified(&notify));
}

#[test]
fn notify_last_while_all_are_being_notified_is_stored() {
    let notify = Rc::new(Notify::new());
    let other = notify.clone();
    let (probe, mut first) = (Probe::new().on_wake(move || other.notify_last()), notified(&notify));
    assert!(probe.poll(&mut first).is_pending());
    let mut second = waiting(notified(&notify));
    notify.notify_waiters();
    assert_eq!((probe.calls.wakes.get(), second.0.calls.wakes.get()), (1, 1));
    assert!(probe.poll(&mut first).is_ready() && is_ready(&mut second));
    assert!(is_notified(&notify) && !is_notified(&notify));
}

#[test]
fn an_owned_future_keeps_its_notify() {
    let notify = Rc::new(Notify::new());
    let mut owned = waiting(notify.clone().notified_owned());
    let dropped = waiting(notify.clone().notified_owned());
    notify.notify_one();
    drop(dropped);
    assert_eq!((owned.0.wakes_and_kept(), notify.waiting()), ((1, 0), 0));
    assert!(is_ready(&mut owned));
    drop(owned);
    let [mut first, mut second] = [(); 2].map(|()| waiting(notify.clone().notified_owned()));
    notify.notify_one();
    drop(notify);
    assert!(is_ready(&mut first) && !is_ready(&mut second));
}

#[test]
fn waiting_tasks_are_counted() {
    let (event, changed, mutex) = (Event::new(), Condvar::new(), Mutex::new(0));
    let waits = [(); 3].map(|()| waiting(event.wait()));
    assert_eq!(event.waiting(), 3);
    drop(waits);
    assert_eq!(event.waiting(), 0);
    let _wait = waiting(event.wait());
    event.set();
    assert_eq!(event.waiting(), 0, "a woken task does not wait");
    let guard = mutex.try_lock().unwrap();
    let wait = waiting(async { drop(changed.wait(guard).await) });
    assert_eq!(changed.waiting(), 1);
    changed.notify_one();
    assert_eq!((changed.waiting(), wait.0.calls.wakes.get()), (0, 1));
}

#[test]
fn an_event_stays_set_until_it_is_cleared() {
    let event = Event::new();
    assert!(!event.is_set() && event.wait().now_or_never().is_none());
    event.set();
    for _ in 0..2 {
        assert!(event.is_set() && event.wait().now_or_never().is_some());
    }
    event.clear();
    assert!(!event.is_set() && event.wait().now_or_never().is_none());
    assert_eq!(
        format!("{event:?} {:?}", Event::default().is_set()),
        "Event { is_set: false, .. } false"
    );
}

#[test]
fn released_futures_continue_after_a_clear_and_new_ones_wait() {
    let event = Event::new();
    let mut waiters = [(); 3].map(|()| waiting(event.wait()));
    let never_polled = event.wait();
    event.set();
    assert_eq!(wakes(&waiters), [1, 1, 1]);
    event.clear();
    let mut late = waiting(event.wait());
    assert!(waiters.iter_mut().all(is_ready));
    assert!(never_polled.now_or_never().is_none() && !is_ready(&mut late));
    event.set();
    event.set();
    assert_eq!((late.0.wakes_and_kept(), is_ready(&mut late)), ((1, 0), true));
}

#[test]
fn a_dropped_wait_leaves_the_event_unchanged() {
    let event = Event::new();
    let [first, second, mut third] = [(); 3].map(|()| waiting(event.wait()));
    drop(first.1);
    event.set();
    drop(second.1);
    assert_eq!((first.0.wakes_and_kept(), second.0.wakes_and_kept()), ((0, 0), (1, 0)));
    assert!(is_ready(&mut third) && event.is_set());
}

#[test]
fn an_event_cleared_by_its_first_waker_releases_all() {
    let event = Rc::new(Event::new());
    let clears = event.clone();
    let probe = Probe::new().on_wake(move || clears.clear());
    let mut first = event.wait().boxed_local();
    assert!(probe.poll(&mut first).is_pending());
    let mut second = waiting(event.wait());
    event.set();
    assert!(is_ready(&mut second) && probe.poll(&mut first).is_ready() && !event.is_set());
}

/// Returns how often a task does `work`, which is always ready, in its first poll.
async fn times(work: impl AsyncFn() + 'static) -> usize {
    let count = Rc::new(Cell::new(0));
    let counts = count.clone();
    let busy = spawn(async move {
        loop {
            work().await;
            counts.set(counts.get() + 1);
        }
    });
    yield_now().await;
    busy.abort();
    count.get()
}

#[test]
fn a_task_that_waits_for_a_set_event_in_a_loop_lets_others_run() {
    block_on(async {
        let event = Event::new();
        event.set();
        assert_eq!(times(async move || event.wait().await).await, PER_POLL);
        let notify = Rc::new(Notify::new());
        let notifies = notify.clone();
        let wait = async move || {
            notifies.notify_one();
            notifies.notified().await;
        };
        assert_eq!(times(wait).await, PER_POLL);
        assert!(is_notified(&notify), "the last wait had no budget, and took no permit");
    });
}

/// A mutex and its condition variable.
#[derive(Default)]
struct Shared(Mutex<usize>, Condvar);

impl Shared {
    /// Waits once, then decrements the value.
    async fn wait(&self) {
        let mut guard = self.1.wait(self.0.lock().await).await;
        *guard = guard.wrapping_sub(1);
    }

    fn value(&self) -> usize {
        *self.0.try_lock().unwrap()
    }
}

#[test]
fn a_condvar_wait_unlocks_and_locks_again() {
    let shared = Shared::default();
    let mut waiters = [(); 3].map(|()| waiting(shared.wait()));
    shared.1.notify_one();
    assert_eq!((wakes(&waiters), shared.value()), ([1, 0, 0], 0));
    let held = shared.0.try_lock().unwrap();
    assert!(!is_ready(&mut waiters[0]), "it is notified, and waits for the mutex");
    drop(held);
    assert!(shared.0.try_lock().is_err(), "the mutex is handed to it");
    assert!(is_ready(&mut waiters[0]));
    shared.1.notify_n(5);
    assert_eq!(wakes(&waiters), [2, 1, 1]);
    assert!(is_ready(&mut waiters[1]) && is_ready(&mut waiters[2]));
    assert_eq!(shared.value(), 0_usize.wrapping_sub(3));
}

#[test]
fn a_condvar_notification_without_a_waiting_task_is_lost() {
    let shared = Shared::default();
    shared.1.notify_one();
    shared.1.notify_all();
    let mut late = waiting(shared.wait());
    assert!(!is_ready(&mut late));
    shared.1.notify_n(0);
    assert_eq!(late.0.calls.wakes.get(), 0);
}

#[test]
fn a_dropped_condvar_wait_passes_its_notification_on() {
    for locks in [false, true] {
        let shared = Shared::default();
        let [mut first, mut second] = [(); 2].map(|()| waiting(shared.wait()));
        shared.1.notify_one();
        let held = shared.0.try_lock().unwrap();
        if locks {
            assert!(!is_ready(&mut first), "it waits for the mutex now");
        }
        drop(first.1);
        assert_eq!(second.0.calls.wakes.get(), 1);
        drop(held);
        assert!(is_ready(&mut second));
        assert_eq!(shared.value(), 0_usize.wrapping_sub(1));
    }
}

#[test]
fn a_dropped_condvar_wait_passes_its_notification_and_the_mutex_on() {
    let shared = Shared::default();
    let [mut first, mut second] = [(); 2].map(|()| waiting(shared.wait()));
    shared.1.notify_one();
    let held = shared.0.try_lock().unwrap();
    assert!(!is_ready(&mut first));
    drop(held);
    assert!(shared.0.try_lock().is_err());
    drop(first.1);
    assert!(is_ready(&mut second));
    shared.1.notify_one();
    assert_eq!(shared.value(), 0_usize.wrapping_sub(1));
}

#[test]
fn condvar_waits_notified_together_pass_nothing_on() {
    let shared = Shared::default();
    let [first, mut second] = [(); 2].map(|()| waiting(shared.wait()));
    shared.1.notify_all();
    let mut late = waiting(shared.wait());
    drop(first);
    assert_eq!((late.0.calls.wakes.get(), is_ready(&mut late)), (0, false));
    assert!(is_ready(&mut second));
}

#[test]
fn a_waker_of_the_unlock_in_a_condvar_wait_can_notify_that_wait() {
    let shared = Rc::new(Shared::default());
    let (waits, notifies) = (shared.clone(), shared.clone());
    let mut wait = async move { waits.wait().await }.boxed_local();
    let held = shared.0.try_lock().unwrap();
    let probe = Probe::new();
    assert!(probe.poll(&mut wait).is_pending());
    let mut locking = shared.0.lock().boxed_local();
    let other = Probe::new().on_wake(move || notifies.1.notify_one());
    assert!(other.poll(&mut locking).is_pending());
    drop(held);
    assert_eq!(probe.calls.wakes.get(), 1, "for the mutex");
    assert!(probe.poll(&mut wait).is_pending());
    assert_eq!((probe.calls.wakes.get(), other.calls.wakes.get()), (2, 1));
    let Poll::Ready(guard) = other.poll(&mut locking) else {
        panic!("the mutex was not handed to it")
    };
    drop(guard);
    assert!(probe.poll(&mut wait).is_ready());
}

#[test]
fn wait_for_completes_when_its_condition_is_true() {
    block_on(async {
        let shared = Rc::new(Shared::default());
        let (waits, asked) = (shared.clone(), Rc::new(Cell::new(0)));
        let asks = asked.clone();
        let task = spawn(async move {
            let guard = waits.1.wait_for(waits.0.lock().await, |value| {
                asks.set(asks.get() + 1);
                *value >= 2
            });
            let guard = guard.await;
            // The condition is true at first: this does not wait.
            *waits.1.wait_for(guard, |value| *value > 0).await
        });
        for value in 0..3 {
            assert_eq!(asked.get(), value);
            *shared.0.lock().await = value;
            shared.1.notify_one();
            yield_now().await;
        }
        assert_eq!((task.await.unwrap(), asked.get()), (2, 3));
    });
}

#[test]
fn all_types_implement_debug() {
    let notify = Notify::default();
    notify.notify_one();
    assert_eq!(format!("{notify:?}"), "Notify { has_permit: true, .. }");
    assert_eq!(
        format!("{:?} {:?}", notify.notified(), Condvar::default()),
        "Notified { .. } Condvar { .. }"
    );
}
