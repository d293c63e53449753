//! Tests of the list of waiting futures.

use super::*;

fn noop() -> Waker {
    Waker::noop().clone()
}

fn waiting(list: &mut WaiterList, n: usize) -> Vec<WaitKey> {
    let mut keys = vec![WaitKey::default(); n];
    for key in &mut keys {
        assert!(list.enqueue_waker(key, noop()).is_none());
    }
    keys
}

#[test]
fn the_longest_waiting_waiter_is_woken() {
    let mut list = WaiterList::new();
    let mut keys = waiting(&mut list, 5);
    assert!(list.enqueue_waker(&mut keys[0], noop()).is_some(), "the waiter keeps its place");
    assert!(list.remove(&mut keys[1]).is_some());
    assert!(list.remove(&mut keys[4]).is_some());
    for woken in [0, 2, 3] {
        assert!(!list.is_woken(keys[woken]));
        assert!(list.wake_one().is_some());
        assert!(list.is_woken(keys[woken]));
    }
    assert!(list.wake_one().is_none());
}

#[test]
fn all_waiters_are_woken() {
    let mut list = WaiterList::new();
    let keys = waiting(&mut list, 3);
    assert!(list.wake_one().is_some());
    assert_eq!(list.waiting(), 2);
    list.wake_all().wake();
    assert!(keys.iter().all(|key| list.is_woken(*key)) && list.waiters.len() == 3);
    assert_eq!(list.waiting(), 0);
}

#[test]
fn the_last_waiter_is_woken() {
    let mut list = WaiterList::new();
    let mut keys = waiting(&mut list, 4);
    list.remove(&mut keys[3]);
    for woken in [2, 1, 0] {
        assert!(list.last().is_some() && !list.is_woken(keys[woken]));
        assert!(list.wake_last_with(()).is_some());
        assert!(list.is_woken(keys[woken]));
    }
    assert!(list.wake_last_with(()).is_none() && list.last().is_none());
    assert!(!list.has_waiting());
}

#[test]
fn a_woken_waiter_is_taken_once() {
    let mut list = WaiterList::new();
    let mut keys = waiting(&mut list, 2);
    list.wake_one();
    assert!(!list.take_woken(&mut keys[1]) && keys[1].is_registered());
    assert!(list.take_woken(&mut keys[0]) && !keys[0].is_registered());
    assert!(!list.take_woken(&mut keys[0]) && list.waiters.len() == 1);
}

#[test]
fn the_memory_of_waiters_is_reused() {
    let mut list = WaiterList::new();
    for _ in 0..100 {
        let mut keys = waiting(&mut list, 3);
        list.wake_one();
        assert!(list.remove(&mut keys[0]).is_none(), "a woken waiter has no waker");
        assert!(list.remove(&mut keys[2]).is_some());
        assert!(list.remove(&mut keys[1]).is_some());
        assert!(!keys[1].is_registered());
    }
    assert!(list.waiters.is_empty() && list.waiters.capacity() <= 4);
}
