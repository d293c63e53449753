//! `sync::Mutex`, `sync::RwLock`, `task::ReentrantMutex`: the order of locking, and the state after
//! futures and guards are dropped.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::{Event, Mutex, OwnedMutexGuard, RwLock};
use evloop::task::{self, ReentrantMutex, WaitsFor, yield_now};
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::executor::{self, LocalPool};
use futures::future::{LocalBoxFuture, join};
use futures::task::LocalSpawnExt;
use probe::{Drops, Probe};

/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

type Locking = LocalBoxFuture<'static, OwnedMutexGuard<usize>>;

/// A future that was polled and waits, with its probe.
fn waiting(mutex: &Rc<Mutex<usize>>) -> (Probe, Locking) {
    let (probe, mut locking) = (Probe::new(), mutex.clone().lock_owned().boxed_local());
    assert!(probe.poll(&mut locking).is_pending());
    (probe, locking)
}

fn wakes<const N: usize>(waiting: &[(Probe, Locking); N]) -> [usize; N] {
    waiting.each_ref().map(|(probe, _)| probe.calls.wakes.get())
}

fn guard((probe, locking): &mut (Probe, Locking)) -> OwnedMutexGuard<usize> {
    match probe.poll(locking) {
        Poll::Ready(guard) => guard,
        Poll::Pending => panic!("the mutex was not handed to it"),
    }
}

#[test]
fn one_guard_at_a_time_has_the_value() {
    let mut mutex = Mutex::from(1);
    let mut guard = mutex.try_lock().unwrap();
    assert!(mutex.is_locked() && mutex.try_lock().is_err());
    *guard += 1;
    drop(guard);
    assert!(!mutex.is_locked());
    *mutex.get_mut() += 1;
    assert_eq!(*mutex.lock().now_or_never().unwrap(), 3);
    assert_eq!(mutex.into_inner(), 3);
    assert_eq!(Mutex::<u8>::default().into_inner(), 0);
}

#[test]
fn an_owned_guard_holds_the_value() {
    let drops = Drops::default();
    let mutex = Rc::new(Mutex::new((drops.value(), 1)));
    let mut guard = mutex.clone().try_lock_owned().unwrap();
    assert!(mutex.clone().try_lock_owned().is_err() && mutex.is_locked());
    guard.1 += 1;
    drop(guard);
    let guard = mutex.clone().lock_owned().now_or_never().unwrap();
    assert_eq!((guard.1, drops.count()), (2, 0));
    drop(mutex);
    assert_eq!(drops.count(), 0);
    drop(guard);
    assert_eq!(drops.count(), 1);
}

#[test]
fn an_unlocked_mutex_is_handed_to_the_longest_waiting_future() {
    let mutex = Rc::new(Mutex::new(0));
    let first = mutex.clone().try_lock_owned().unwrap();
    let mut waiters = [(); 3].map(|()| waiting(&mutex));
    drop(first);
    for i in 0..3 {
        assert_eq!(wakes(&waiters), std::array::from_fn(|k| usize::from(k <= i)));
        assert!(mutex.is_locked() && mutex.try_lock().is_err());
        let mut guard = guard(&mut waiters[i]);
        assert_eq!(*guard, i);
        *guard += 1;
    }
    assert_eq!(*mutex.try_lock().unwrap(), 3);
}

#[test]
fn a_dropped_future_hands_its_lock_to_the_next_one() {
    let mutex = Rc::new(Mutex::new(0));
    let held = mutex.clone().try_lock_owned().unwrap();
    let [first, second, mut third] = [(); 3].map(|()| waiting(&mutex));
    drop(second.1);
    drop(held);
    assert_eq!((first.0.calls.wakes.get(), third.0.calls.wakes.get()), (1, 0));
    drop(first.1);
    assert_eq!((second.0.calls.wakes.get(), third.0.calls.wakes.get()), (0, 1));
    drop(guard(&mut third));
    drop(third);
    assert!(!mutex.is_locked());
}

#[test]
fn a_panic_unlocks_without_poisoning() {
    let mutex = Mutex::new(0);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = mutex.try_lock().unwrap();
        *guard = 7;
        panic!("a test of a panic");
    }));
    assert!(panicked.is_err());
    assert_eq!(*mutex.try_lock().unwrap(), 7);
}

#[test]
fn a_forgotten_guard_keeps_the_mutex_locked() {
    let mut mutex = Mutex::new(7);
    std::mem::forget(mutex.try_lock().unwrap());
    assert!(mutex.try_lock().is_err());
    assert_eq!(*mutex.get_mut(), 7, "a mutable borrow needs no lock");
    assert_eq!(mutex.into_inner(), 7);
}

#[test]
fn a_waker_of_an_unlock_can_lock_and_use_the_value() {
    let mutex = Rc::new(Mutex::new(0));
    let held = mutex.clone().try_lock_owned().unwrap();
    let locking = Rc::new(RefCell::new(mutex.clone().lock_owned().boxed_local()));
    let hook = locking.clone();
    let probe = Probe::new().on_wake(move || {
        let mut guard = (&mut *hook.borrow_mut()).now_or_never().unwrap();
        *guard += 1;
    });
    assert!(probe.poll(&mut *locking.borrow_mut()).is_pending());
    let mut last = waiting(&mutex);
    drop(held);
    assert_eq!(*guard(&mut last), 1);
}

#[test]
fn a_borrowed_guard_ends_its_borrow_before_it_wakes() {
    let mutex = Rc::new(Mutex::new(0));
    let uses = mutex.clone();
    let mut locking = mutex.clone().lock_owned().boxed_local();
    let held = mutex.try_lock().unwrap();
    let probe = Probe::new().on_wake(move || assert_eq!(format!("{uses:?}"), "Mutex { value: 0 }"));
    assert!(probe.poll(&mut locking).is_pending());
    assert_eq!(format!("{mutex:?} {held:?}"), "Mutex { value: <locked> } 0");
    drop(held);
    assert_eq!(probe.calls.wakes.get(), 1);
    assert_eq!(format!("{}", locking.now_or_never().unwrap()), "0");
}

#[test]
fn tasks_lock_in_turn() {
    block_on(async {
        let (mutex, order) = (Rc::new(Mutex::new(())), Rc::new(RefCell::new(String::new())));
        let task = |name: char| {
            let (mutex, order) = (mutex.clone(), order.clone());
            spawn(async move {
                for _ in 0..3 {
                    let _guard = mutex.lock().await;
                    order.borrow_mut().push(name);
                    yield_now().await;
                }
            })
        };
        for task in ['a', 'b', 'c'].map(task) {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), "abcabcabc");
    });
}

#[test]
fn a_task_that_locks_a_free_mutex_in_a_loop_lets_others_run() {
    block_on(async {
        let locked = Rc::new(Cell::new(0));
        let count = locked.clone();
        let busy = spawn(async move {
            let mutex = Mutex::new(());
            loop {
                drop(mutex.lock().await);
                count.set(count.get() + 1);
            }
        });
        yield_now().await;
        assert_eq!(locked.get(), PER_POLL);
        busy.abort();
    });
}

#[test]
fn readers_share_the_lock_and_a_writer_excludes_all() {
    let mut lock = RwLock::from(1);
    let (one, other) = (lock.try_read().unwrap(), lock.try_read().unwrap());
    assert_eq!(*one + *other, 2);
    assert!(lock.try_write().is_err());
    drop((one, other));
    let mut writer = lock.try_write().unwrap();
    *writer += 1;
    assert!(lock.try_read().is_err() && lock.try_write().is_err());
    drop(writer);
    *lock.get_mut() += 1;
    assert_eq!(*lock.read().now_or_never().unwrap(), 3);
    *lock.write().now_or_never().unwrap() += 1;
    assert_eq!(lock.into_inner(), 4);
    assert_eq!(RwLock::<u8>::default().into_inner(), 0);
}

#[test]
fn a_waiting_writer_holds_back_new_readers_which_then_read_together() {
    let lock = RwLock::new(0);
    let reader = lock.try_read().unwrap();
    let probes: [Probe; 4] = std::array::from_fn(|_| Probe::new());
    let wakes = || probes.each_ref().map(|probe| probe.calls.wakes.get());
    let mut writer = lock.write().boxed_local();
    assert!(probes[0].poll(&mut writer).is_pending());
    assert!(lock.try_read().is_err(), "a writer waits");
    let [mut one, mut two] = [(); 2].map(|()| lock.read().boxed_local());
    assert!(probes[1].poll(&mut one).is_pending() && probes[2].poll(&mut two).is_pending());
    let mut last = lock.write().boxed_local();
    assert!(probes[3].poll(&mut last).is_pending());
    drop(reader);
    assert_eq!(wakes(), [1, 0, 0, 0]);
    let Poll::Ready(mut guard) = probes[0].poll(&mut writer) else {
        panic!("the lock was not handed to it")
    };
    *guard += 1;
    drop(guard);
    assert_eq!(wakes(), [1, 1, 1, 0]);
    let Poll::Ready(reading) = probes[1].poll(&mut one) else {
        panic!("the lock was not handed to it")
    };
    assert_eq!(*reading, 1);
    drop(reading);
    drop(two);
    assert_eq!(wakes(), [1, 1, 1, 1], "the dropped reader released its lock");
    assert!(probes[3].poll(&mut last).is_ready());
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_dropped_waiting_writer_lets_the_readers_behind_it_read() {
    let lock = RwLock::new(0);
    let _reader = lock.try_read().unwrap();
    let (probe, other) = (Probe::new(), Probe::new());
    let mut writer = lock.write().boxed_local();
    assert!(probe.poll(&mut writer).is_pending());
    let mut reader = lock.read().boxed_local();
    assert!(other.poll(&mut reader).is_pending());
    drop(writer);
    assert_eq!((probe.wakes_and_kept(), other.calls.wakes.get()), ((0, 0), 1));
    assert!(other.poll(&mut reader).is_ready());
}

#[test]
fn downgrade_lets_no_writer_in_between() {
    let lock = RwLock::new(0);
    let mut writer = lock.try_write().unwrap();
    let (reads, writes) = (Probe::new(), Probe::new());
    let mut reader = lock.read().boxed_local();
    assert!(reads.poll(&mut reader).is_pending());
    let mut next = lock.write().boxed_local();
    assert!(writes.poll(&mut next).is_pending());
    *writer = 7;
    let read = writer.downgrade();
    assert_eq!((*read, reads.calls.wakes.get(), writes.calls.wakes.get()), (7, 1, 0));
    let Poll::Ready(other) = reads.poll(&mut reader) else {
        panic!("the lock was not handed to it")
    };
    assert_eq!(*other, 7);
    drop((read, other));
    assert_eq!(writes.calls.wakes.get(), 1);
}

#[test]
fn an_unsized_value_can_be_locked() {
    let lock: Box<RwLock<[i32]>> = Box::new(RwLock::new([1, 2, 3]));
    lock.try_write().unwrap()[1] = 5;
    assert_eq!(lock.try_read().unwrap().iter().sum::<i32>(), 9);
    let mutex: Box<ReentrantMutex<[i32]>> = Box::new(ReentrantMutex::new([1, 2]));
    assert_eq!(mutex.try_lock().unwrap().len(), 2);
}

#[test]
fn an_owner_locks_again_and_other_tasks_wait_for_its_last_guard() {
    block_on(async {
        let mutex = Rc::new(ReentrantMutex::new(Cell::new(0)));
        let outer = mutex.lock().await;
        let inner = mutex.lock().await;
        let again = mutex.try_lock().unwrap();
        inner.set(1);
        let locks = mutex.clone();
        let other = spawn(async move {
            assert!(locks.try_lock().is_err());
            let guard = locks.lock().await;
            let inner = locks.lock().await;
            guard.set(guard.get() + 1);
            inner.get()
        });
        yield_now().await;
        for guard in [outer, again, inner] {
            assert!(mutex.is_locked() && !other.is_finished());
            drop(guard);
            yield_now().await;
        }
        assert_eq!(other.await.unwrap(), 2);
        assert!(!mutex.is_locked());
    });
}

#[test]
fn owners_take_turns_in_the_order_of_their_waits() {
    block_on(async {
        let mutex = Rc::new(ReentrantMutex::new(RefCell::new(String::new())));
        let task = |name: char| {
            let mutex = mutex.clone();
            spawn(async move {
                for _ in 0..2 {
                    let outer = mutex.lock().await;
                    yield_now().await;
                    mutex.lock().await.borrow_mut().push(name);
                    drop(outer);
                }
            })
        };
        let [a, b, c] = ['a', 'b', 'c'].map(task);
        yield_now().await;
        b.abort();
        a.await.unwrap();
        c.await.unwrap();
        assert_eq!(*mutex.lock().await.borrow(), "acac");
    });
}

#[test]
fn a_waiting_future_completes_when_its_task_becomes_the_owner() {
    block_on(async {
        let mutex = Rc::new(ReentrantMutex::new(()));
        let locks = mutex.clone();
        let held = mutex.lock().await;
        let task = spawn(async move {
            let both = join(locks.lock(), locks.lock()).await;
            assert!(locks.try_lock().is_ok());
            drop(both);
        });
        yield_now().await;
        drop(held);
        task.await.unwrap();
        assert!(!mutex.is_locked());
    });
}

#[test]
fn a_future_that_completes_because_its_task_is_the_owner_leaves_the_wait_queue() {
    block_on(async {
        let mutex = Rc::new(ReentrantMutex::new(()));
        let locks = mutex.clone();
        let held = mutex.lock().await;
        let task = spawn(async move {
            // The pinned futures outlive their completion.
            let (mut one, mut other) = (pin!(locks.lock()), pin!(locks.lock()));
            drop(join(one.as_mut(), other.as_mut()).await);
            assert!(locks.try_lock().is_ok());
        });
        yield_now().await;
        drop(held);
        task.await.unwrap();
    });
}

#[test]
fn a_child_task_of_a_scope_is_another_owner() {
    block_on(async {
        let mutex = ReentrantMutex::new(Cell::new(0));
        task::scope(async |s| {
            let held = mutex.lock().await;
            let child = s.spawn(async {
                assert!(mutex.try_lock().is_err());
                mutex.lock().await.set(locked_again(&mutex));
            });
            yield_now().await;
            assert!(mutex.try_lock().is_ok(), "the body still owns it");
            drop(held);
            child.await.unwrap();
        })
        .await;
        assert_eq!(mutex.try_lock().unwrap().get(), 2);
    });
}

/// Locks a mutex that the caller has locked.
fn locked_again(mutex: &ReentrantMutex<Cell<i32>>) -> i32 {
    mutex.try_lock().unwrap().get() + 2
}

#[test]
fn a_guard_that_another_task_drops_unlocks_for_its_owner() {
    block_on(async {
        let mutex = &ReentrantMutex::new(());
        let guard = mutex.lock().await;
        let other = async move {
            assert!(mutex.try_lock().is_err());
            drop(guard);
            assert!(mutex.try_lock().is_ok());
        };
        task::scope(async |s| s.spawn(other).await.unwrap()).await;
        assert!(!mutex.is_locked());
    });
}

#[test]
fn a_lock_outside_of_a_task_has_no_owner() {
    let mutex = ReentrantMutex::new(7);
    let guard = mutex.try_lock().unwrap();
    assert!(mutex.try_lock().is_err() && mutex.lock().now_or_never().is_none());
    assert!(block_on(async { mutex.try_lock().is_err() }));
    drop(guard);
    assert_eq!(*executor::block_on(mutex.lock()), 7);
    let mut pool = LocalPool::new();
    let mutex = Rc::new(mutex);
    let locks = mutex.clone();
    pool.spawner().spawn_local(async move { assert_eq!(*locks.lock().await, 7) }).unwrap();
    pool.run();
    assert_eq!(Rc::into_inner(mutex).unwrap().into_inner(), 7);
}

#[test]
fn errors_convert_and_all_types_implement_debug() {
    let lock = RwLock::new(5);
    let write = lock.try_write().unwrap();
    let error = lock.try_read().unwrap_err();
    assert_eq!(error.to_string(), "the lock is held, or others wait for it");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
    assert_eq!(format!("{lock:?} {write:?} {write}"), "RwLock { value: <locked> } 5 5");
    let read = write.downgrade();
    assert_eq!(format!("{lock:?} {read:?} {read}"), "RwLock { value: 5 } 5 5");
    let mutex = ReentrantMutex::from(5);
    let guard = mutex.try_lock().unwrap();
    let text = "ReentrantMutex { owner: None, value: 5, .. } 5 5";
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), text);
    assert_eq!(ReentrantMutex::<u8>::default().into_inner(), 0);
}

#[test]
fn task_info_reports_a_wait_for_a_lock_or_an_event() {
    block_on(async {
        let (mutex, event) = (Rc::new(Mutex::new(())), Rc::new(Event::new()));
        let guard = mutex.lock().await;
        let (locks, waits) = (mutex.clone(), event.clone());
        let task = spawn(async move {
            drop(locks.lock().await);
            waits.wait().await;
        });
        let id = task.id();
        let waits_for = || task::all().iter().find(|info| info.id() == id).unwrap().waits_for();
        yield_now().await;
        assert_eq!(waits_for(), Some(WaitsFor::Lock));
        drop(guard);
        yield_now().await;
        assert_eq!(waits_for(), Some(WaitsFor::Event));
        event.set();
        task.await.unwrap();
    });
}
