//! Guards of parts of locked values, guards that own their lock, and guards that are upgraded.

use std::cell::RefMut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::{
    MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore,
};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use probe::Probe;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

type Pair = (i32, Option<String>);

fn pair() -> Pair {
    (1, Some("one".into()))
}

#[test]
fn a_mapped_mutex_guard_changes_a_part_and_unlocks_when_dropped() {
    let mutex = Mutex::new(pair());
    let (probe, mut next) = (Probe::new(), mutex.lock().boxed_local());
    let guard = mutex.try_lock().unwrap();
    assert!(probe.poll(&mut next).is_pending());
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &mutex));
    let mut number = MutexGuard::map(guard, |pair| &mut pair.0);
    *number += 1;
    assert_eq!((*number, format!("{number:?} {number}").as_str()), (2, "2 2"));
    assert!(mutex.is_locked() && mutex.waiting() == 1 && probe.calls.wakes.get() == 0);
    drop(number);
    assert_eq!((probe.calls.wakes.get(), mutex.waiting()), (1, 0));
    let Poll::Ready(guard) = probe.poll(&mut next) else { panic!("it was not handed over") };
    assert_eq!(guard.0, 2);
}

#[test]
fn try_map_returns_the_guard_if_there_is_no_such_part() {
    let mutex = Mutex::new(pair());
    let guard = mutex.try_lock().unwrap();
    let guard = MutexGuard::try_map(guard, |_| None::<&mut i32>).unwrap_err();
    let name = MutexGuard::try_map(guard, |pair| pair.1.as_mut()).unwrap();
    let name = MappedMutexGuard::try_map(name, |_| None::<&mut str>).unwrap_err();
    let mut name = MappedMutexGuard::map(name, String::as_mut_str);
    name.make_ascii_uppercase();
    assert!(mutex.try_lock().is_err());
    drop(name);
    assert_eq!(mutex.try_lock().unwrap().1.as_deref(), Some("ONE"));
}

#[test]
fn a_panic_in_map_unlocks_the_mutex() {
    let mutex = Mutex::new(pair());
    let guard = mutex.try_lock().unwrap();
    let map = AssertUnwindSafe(|| drop(MutexGuard::map(guard, |_| -> &mut i32 { panic!("odd") })));
    assert!(catch_unwind(map).is_err());
    assert_eq!(*mutex.try_lock().unwrap(), pair());
}

#[test]
fn an_owned_guard_returns_its_mutex() {
    let mutex = Rc::new(Mutex::new(1));
    let guard = mutex.clone().try_lock_owned().unwrap();
    assert!(Rc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
}

#[test]
fn mapped_read_guards_share_the_lock() {
    let lock = RwLock::new(pair());
    let one = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.0);
    let other = RwLockReadGuard::try_map(lock.try_read().unwrap(), |pair| pair.1.as_deref());
    let other = RwLockReadGuard::try_map(other.unwrap(), |_| None::<&str>).unwrap_err();
    assert_eq!((*one, &*other), (1, "one"));
    drop(one);
    assert!(lock.try_write().is_err());
    drop(other);
    assert!(lock.try_write().is_ok());
}

#[test]
fn mapped_write_guards_exclude_readers_until_they_are_dropped() {
    let lock = RwLock::new(pair());
    let guard = RwLockWriteGuard::try_map(lock.try_write().unwrap(), |_| None::<&mut i32>);
    let mut number = RwLockWriteGuard::map(guard.unwrap_err(), |pair| &mut pair.0);
    *number = 5;
    assert!(lock.try_read().is_err());
    drop(number);
    let mut whole = RwLockWriteGuard::into_mapped(lock.try_write().unwrap());
    assert_eq!(whole.0, 5);
    whole.1 = None;
    drop(whole);
    let guard = lock.try_write().unwrap();
    let guard = RwLockWriteGuard::try_downgrade_map(guard, |pair| pair.1.as_ref()).unwrap_err();
    assert!(lock.try_read().is_err(), "it is still locked for writing");
    let number = RwLockWriteGuard::try_downgrade_map(guard, |pair| Some(&pair.0)).unwrap();
    assert_eq!((*number, lock.try_read().unwrap().0), (5, 5));
    drop(number);
    let number = RwLockWriteGuard::downgrade_map(lock.try_write().unwrap(), |pair| &pair.0);
    assert!(*number == 5 && lock.try_read().is_ok() && lock.try_write().is_err());
}

#[test]
fn a_downgrade_lets_readers_in_after_its_function() {
    let lock = RwLock::new(pair());
    let probe = Probe::new();
    let mut read = Box::pin(lock.read());
    let guard = lock.try_write().unwrap();
    assert!(probe.poll(&mut read).is_pending());
    let number = RwLockWriteGuard::downgrade_map(guard, |pair| {
        assert!(probe.poll(&mut read).is_pending());
        &pair.0
    });
    let Poll::Ready(whole) = probe.poll(&mut read) else { panic!("the lock is downgraded") };
    assert_eq!((*number, whole.0), (1, 1));
    drop((number, whole));

    let guard = lock.try_write().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        drop(RwLockWriteGuard::downgrade_map(guard, |_| -> &i32 { panic!("no part") }));
    }));
    assert!(panic.is_err() && lock.try_write().is_ok(), "the panic unlocked it");
}

#[test]
fn owned_guards_of_a_read_write_lock_move_between_tasks() {
    block_on(async {
        let lock = Rc::new(RwLock::new(vec![1]));
        let mut writer = lock.clone().write_owned().await;
        assert!(lock.clone().try_read_owned().is_err() && lock.clone().try_write_owned().is_err());
        let task = spawn(async move {
            yield_now().await;
            writer.borrow_mut().push(2);
            writer.downgrade()
        });
        let reader = lock.clone().read_owned().await;
        let other = task.await.unwrap();
        assert!(*reader.borrow() == [1, 2] && other.borrow().len() == 2);
        assert!(Rc::ptr_eq(reader.rwlock(), &lock) && lock.try_write().is_err());
        drop((reader, other));
        let mut writer = lock.clone().try_write_owned().unwrap();
        *RefMut::map(writer.borrow_mut(), |values| &mut values[0]) = 7;
        assert_eq!(format!("{:?} {:?}", writer.borrow(), writer), "[7, 2] [7, 2]");
        drop(writer);
        assert_eq!(*lock.read().await, [7, 2]);
    });
}

#[test]
fn an_upgradable_reader_allows_readers_and_no_second_one() {
    let lock = RwLock::new(1);
    let upgradable = lock.try_upgradable_read().unwrap();
    let reader = lock.try_read().unwrap();
    assert!(lock.try_upgradable_read().is_err() && lock.try_write().is_err());
    let upgradable = upgradable.try_upgrade().unwrap_err();
    drop(reader);
    let mut writer = upgradable.try_upgrade().unwrap();
    *writer = 2;
    assert!(lock.try_read().is_err());
    let upgradable = writer.downgrade_to_upgradable();
    assert_eq!((*upgradable, *lock.try_read().unwrap()), (2, 2));
    let reader = RwLockUpgradableReadGuard::downgrade(upgradable);
    assert!(*reader == 2 && lock.try_upgradable_read().is_ok());
}

#[test]
fn an_upgrade_overtakes_waiting_writers_and_readers() {
    let lock = RwLock::new(vec!["new"]);
    let upgradable = lock.try_upgradable_read().unwrap();
    let reader = lock.try_read().unwrap();
    let [writes, reads, upgrades] = [(); 3].map(|()| Probe::new());
    let mut writer = lock.write().boxed_local();
    assert!(writes.poll(&mut writer).is_pending());
    let mut late = lock.read().boxed_local();
    assert!(reads.poll(&mut late).is_pending());
    let mut upgrade = upgradable.upgrade().boxed_local();
    assert!(upgrades.poll(&mut upgrade).is_pending());
    assert_eq!((lock.readers_waiting(), lock.writers_waiting()), (1, 2));
    drop(reader);
    let wakes = || [&upgrades, &writes, &reads].map(|probe| probe.calls.wakes.get());
    assert_eq!(wakes(), [1, 0, 0]);
    let Poll::Ready(mut guard) = upgrades.poll(&mut upgrade) else { panic!("not upgraded") };
    guard.push("upgraded");
    drop(guard);
    assert_eq!(wakes(), [1, 1, 0]);
    let Poll::Ready(guard) = writes.poll(&mut writer) else { panic!("not handed over") };
    assert_eq!(*guard, ["new", "upgraded"]);
    drop(guard);
    assert_eq!(wakes(), [1, 1, 1]);
}

#[test]
fn a_dropped_upgrade_unlocks_and_serves_the_next_one() {
    for is_woken in [false, true] {
        let lock = RwLock::new(());
        let upgradable = lock.try_upgradable_read().unwrap();
        let reader = lock.try_read().unwrap();
        let [upgrades, writes] = [(); 2].map(|()| Probe::new());
        let mut writer = lock.write().boxed_local();
        assert!(writes.poll(&mut writer).is_pending());
        let mut upgrade = upgradable.upgrade().boxed_local();
        assert!(upgrades.poll(&mut upgrade).is_pending());
        let mut reader = Some(reader);
        if is_woken {
            drop(reader.take());
        }
        assert_eq!(upgrades.calls.wakes.get(), usize::from(is_woken));
        drop(upgrade);
        assert_eq!(writes.calls.wakes.get(), usize::from(is_woken), "a reader holds the lock");
        drop(reader);
        assert_eq!((writes.calls.wakes.get(), upgrades.kept()), (1, 0));
        assert!(writes.poll(&mut writer).is_ready());
    }
}

#[test]
fn a_waker_that_panics_while_a_lock_is_downgraded_releases_it() {
    let lock = RwLock::new(1);
    let upgradable = lock.try_upgradable_read().unwrap();
    let probe = Probe::new().on_wake(|| panic!("odd"));
    let mut next = lock.upgradable_read().boxed_local();
    assert!(probe.poll(&mut next).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(upgradable.downgrade()))).is_err());
    let Poll::Ready(guard) = probe.poll(&mut next) else { panic!("not handed over") };
    assert!(guard.try_upgrade().is_ok(), "the panicking task holds nothing");
}

/// Returns the line of this file at which `f` panics.
fn panic_line(f: impl FnOnce()) -> u32 {
    let (result, (file, line)) = panic_place::catch(f);
    assert!(result.is_err());
    assert_eq!(file, file!());
    line
}

#[test]
fn permits_of_different_semaphores_cannot_be_merged() {
    let (one, other) = (Rc::new(Semaphore::new(1)), Rc::new(Semaphore::new(1)));
    let line = panic_line(|| {
        one.try_acquire().unwrap().merge(other.try_acquire().unwrap());
    });
    assert_eq!(line, line!() - 2);
    let line = panic_line(|| {
        let mut permit = one.clone().try_acquire_owned().unwrap();
        permit.merge(other.clone().try_acquire_owned().unwrap());
    });
    assert_eq!(line, line!() - 2);
    assert_eq!((one.available_permits(), other.available_permits()), (1, 1));
    let mut all = one.try_acquire().unwrap();
    assert!(std::ptr::eq(all.semaphore(), &*one));
    assert!(all.split(2).is_none() && all.split(1).unwrap().num_permits() == 1);
    assert_eq!((all.num_permits(), one.available_permits()), (0, 1));
}

#[test]
fn forgotten_permits_are_missing_until_they_are_added_again() {
    let semaphore = Semaphore::bounded(3);
    let held = semaphore.try_acquire().unwrap();
    assert_eq!((semaphore.forget_permits(5), semaphore.forget_permits(5)), (2, 0));
    drop(held);
    assert_eq!(semaphore.available_permits(), 1);
    assert!(semaphore.add_permits(3).is_err() && semaphore.add_permits(2).is_ok());
    assert_eq!(semaphore.available_permits(), 3);
    assert!(Semaphore::new(Semaphore::MAX_PERMITS).add_permits(1).is_err());
}
