//! The heap allocations of the locks. There is none while no future waits, and none once as many
//! futures have waited at the same time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use evloop::sync::{
    Barrier, Condvar, Event, Mutex, MutexGuard, Notify, OnceCell, RwLock, RwLockWriteGuard,
    Semaphore,
};
use evloop::task::{ReentrantMutex, yield_now};
use evloop::{block_on, spawn};
use futures::FutureExt;

thread_local! {
    /// The number of allocations by this thread.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the same promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same promise.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the same promise.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

/// Returns the number of allocations that `work` makes.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    future.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
}

#[test]
fn locking_without_waiting_allocates_nothing() {
    let count = allocations(|| {
        let semaphore = Semaphore::new(5);
        drop(now(semaphore.acquire_many(3)).unwrap());
        drop(semaphore.try_acquire().unwrap());
        semaphore.close();
        let mutex = Mutex::new(0);
        *now(mutex.lock()) += 1;
        drop(mutex.try_lock().unwrap());
        let lock = RwLock::new(0);
        *now(lock.write()) += 1;
        drop(now(lock.read()));
        drop(lock.try_write().unwrap().downgrade());
        drop(now(now(lock.upgradable_read()).upgrade()).downgrade_to_upgradable());
        drop(RwLockWriteGuard::map(lock.try_write().unwrap(), |value| value));
        let other = Mutex::new(0);
        drop(MutexGuard::map(now(other.lock()), |value| value));
        let mutex = ReentrantMutex::new(0);
        drop(now(mutex.lock()));
        let notify = Notify::new();
        notify.notify_one();
        now(notify.notified());
        notify.notify_waiters();
        let event = Event::new();
        event.set();
        now(event.wait());
        let cell = OnceCell::new();
        assert_eq!(now(cell.get_or_init(async || 7)), &7);
        assert!(cell.set(8).is_err());
        assert_eq!(now(cell.wait()), &7);
        assert!(now(Barrier::new(1).wait()).is_ok());
        Condvar::new().notify_all();
    });
    assert_eq!(count, 0);
}

/// Polls, wakes and drops waiting futures of all kinds.
fn contend(all: &(Semaphore, Mutex<usize>, RwLock<usize>, Notify, Event, Condvar, Barrier)) {
    let (semaphore, mutex, lock, notify, event, condvar, barrier) = all;
    let held = semaphore.try_acquire().unwrap();
    let [mut one, mut two, mut three] = [(); 3].map(|()| semaphore.acquire());
    assert!(is_pending(&mut one) && is_pending(&mut two) && is_pending(&mut three));
    drop((two, held));
    assert!(!is_pending(&mut one));
    drop(three);
    let reading = lock.try_read().unwrap();
    let mut writing = lock.write();
    assert!(is_pending(&mut writing));
    drop(reading);
    assert!(!is_pending(&mut writing));
    drop(writing);
    let (upgradable, reading) = (lock.try_upgradable_read().unwrap(), lock.try_read().unwrap());
    let mut upgrade = pin!(upgradable.upgrade());
    assert!(is_pending(&mut upgrade) && lock.writers_waiting() == 1);
    drop(reading);
    assert!(!is_pending(&mut upgrade));
    let [mut one, mut two] = [(); 2].map(|()| notify.notified());
    assert!(is_pending(&mut one) && is_pending(&mut two));
    notify.notify_one();
    drop(one);
    assert!(!is_pending(&mut two));
    event.clear();
    let mut waits = pin!(event.wait());
    assert!(is_pending(&mut waits));
    event.set();
    assert!(!is_pending(&mut waits));
    let mut waits = pin!(condvar.wait(mutex.try_lock().unwrap()));
    assert!(is_pending(&mut waits));
    condvar.notify_one();
    let held = mutex.try_lock().unwrap();
    assert!(is_pending(&mut waits));
    drop(held);
    assert!(!is_pending(&mut waits));
    let mut waits = pin!(barrier.wait());
    assert!(is_pending(&mut waits) && now(barrier.wait()).is_ok());
    let mut outside = pin!(barrier.wait());
    assert!(is_pending(&mut outside) && !is_pending(&mut waits) && is_pending(&mut outside));
}

#[test]
fn waiting_allocates_nothing_once_the_wait_queue_is_warm() {
    let (mutex, lock) = (Mutex::default(), RwLock::default());
    let (notify, event, condvar) = (Notify::new(), Event::new(), Condvar::new());
    let all = (Semaphore::new(1), mutex, lock, notify, event, condvar, Barrier::new(2));
    assert!(allocations(|| contend(&all)) > 0);
    assert_eq!(allocations(|| (0..1000).for_each(|_| contend(&all))), 0);
}

#[test]
fn a_thousand_tasks_at_one_warm_semaphore_allocate_nothing() {
    const TASKS: usize = 1000;
    block_on(async {
        let (semaphore, rounds) = (Rc::new(Semaphore::new(5)), Rc::new(Cell::new(0)));
        for _ in 0..TASKS {
            let (semaphore, rounds) = (semaphore.clone(), rounds.clone());
            drop(spawn(async move {
                loop {
                    let _permit = semaphore.acquire().await.unwrap();
                    rounds.set(rounds.get() + 1);
                    yield_now().await;
                }
            }));
        }
        let until = async |count| {
            while rounds.get() < count {
                yield_now().await;
            }
        };
        until(2 * TASKS).await;
        let before = ALLOCATIONS.get();
        until(10 * TASKS).await;
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}
