//! Tests of the run queue.

use super::*;

fn drain(queue: &mut RunQueue<u8>) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop()).map(|(slot, _)| slot).collect()
}

fn queue_of(tasks: u8) -> (RunQueue<u8>, Vec<WakerId>) {
    let mut queue = RunQueue::new();
    let ids = (0..tasks).map(|task| queue.insert(1, task, false).unwrap()).collect();
    (queue, ids)
}

#[test]
fn a_ready_task_is_queued_behind_the_others_when_it_is_inserted() {
    let (mut queue, ids) = queue_of(2);
    queue.push(ids[1]);
    for task in [7, 8] {
        let id = queue.insert(1, task, true).unwrap();
        queue.push(id);
    }
    assert_eq!(queue.len(), 3);
    assert_eq!(drain(&mut queue), [2, 3, 4]);
    queue.push(ids[0]);
    assert_eq!(drain(&mut queue), [1]);
}

#[test]
fn slots_run_first_in_first_out_and_once() {
    let (mut queue, ids) = queue_of(4);
    for i in [2, 0, 2, 3, 0] {
        queue.push(ids[i]);
    }
    assert_eq!(queue.len(), 3);
    assert_eq!(queue.pop(), Some((3, Some(2))));
    assert_eq!(drain(&mut queue), [1, 4]);
    assert_eq!(queue.len(), 0);
    queue.push(ids[1]);
    assert_eq!(drain(&mut queue), [2]);
}

#[test]
fn slots_are_added_together_and_taken_lowest_first() {
    let (queue, ids) = queue_of(200);
    assert!(ids.iter().map(|id| id.slot()).eq(1..=200));
    assert_eq!(queue.slots() as usize, 200_usize.next_multiple_of(ADDED));
}

#[test]
fn a_stale_wake_is_ignored() {
    let (mut queue, ids) = queue_of(1);
    assert_eq!(queue.remove(1), Some(0));
    queue.push(ids[0]);
    assert_eq!(queue.pop(), None);
    let new = queue.insert(1, 7, false).unwrap();
    assert_eq!(new.slot(), 1, "the slot is reused");
    queue.push(ids[0]);
    assert_eq!(queue.pop(), None);
    queue.push(new);
    assert_eq!(queue.pop(), Some((1, Some(7))));
    queue.push(WakerId::new(1, 0, 99));
    assert_eq!(queue.pop(), None, "a slot that never existed");
}

#[test]
fn a_queued_slot_is_not_reused() {
    let (mut queue, ids) = queue_of(2);
    queue.push(ids[0]);
    queue.push(ids[1]);
    assert_eq!(queue.remove(1), Some(0));
    assert_eq!(queue.insert(1, 9, false).unwrap().slot(), 3);
    assert_eq!(drain(&mut queue), [2]);
    assert_eq!(queue.insert(1, 9, false).unwrap().slot(), 1);
}

#[test]
fn a_wrapped_generation_keeps_the_lists_intact() {
    let (mut queue, ids) = queue_of(2);
    for _ in 0..u16::MAX {
        queue.remove(1);
        assert_eq!(queue.insert(1, 0, false).unwrap().slot(), 1);
    }
    queue.remove(1);
    queue.push(ids[0]);
    queue.push(ids[1]);
    assert_eq!(drain(&mut queue), [2], "the slot is vacant");
    assert_eq!(queue.insert(1, 0, false).unwrap(), ids[0]);
}

#[test]
fn slots_are_freed_after_a_burst() {
    let (mut queue, kept) = queue_of(3);
    let burst: Vec<_> = (0..100_000).map(|_| queue.insert(1, 9, false).unwrap()).collect();
    queue.remove(kept[1].slot());
    let (stays, ends) = burst.split_at(1000);
    for id in ends {
        queue.remove(id.slot());
        queue.shrink();
    }
    assert!(queue.slots.capacity() <= KEPT_MAX);
    // Vacant slots are reused, the lowest first, and the wakers of the burst are stale.
    assert_eq!(queue.insert(1, 7, false).unwrap().slot(), kept[1].slot());
    let reused: Vec<_> = ends.iter().map(|_| queue.insert(1, 8, false).unwrap()).collect();
    assert!(reused.iter().map(|id| id.slot()).eq(ends.iter().map(|id| id.slot())));
    ends.iter().for_each(|id| queue.push(*id));
    assert_eq!(queue.len(), 0);
    let all: Vec<_> = stays.iter().chain(&reused).map(|id| id.slot()).collect();
    stays.iter().chain(&reused).for_each(|id| queue.push(*id));
    assert_eq!(drain(&mut queue), all);
}

#[test]
fn slots_in_use_are_not_freed() {
    let (mut queue, _) = queue_of(3);
    let burst: Vec<_> = (0..100_000).map(|_| queue.insert(1, 9, false).unwrap()).collect();
    let (last, others) = burst.split_last().unwrap();
    queue.push(others[1]);
    others.iter().for_each(|id| _ = queue.remove(id.slot()));
    queue.shrink();
    assert_eq!(queue.pop(), None, "a slot was queued when its task was removed");
    queue.shrink();
    queue.push(*last);
    assert_eq!(queue.pop(), Some((last.slot(), Some(9))));
    assert!(queue.slots.len() > 100_000);
    queue.push(*last);
    queue.remove(last.slot());
    queue.shrink();
    assert!(queue.slots.len() > 100_000, "the slot is queued");
    assert_eq!(queue.pop(), None);
    queue.shrink();
    assert_eq!(queue.slots.len(), KEPT_MAX);
}

#[cfg(feature = "sim")]
#[test]
fn a_slot_is_brought_forward() {
    let (mut queue, ids) = queue_of(5);
    ids.iter().for_each(|id| queue.push(*id));
    // The task of slot 3 is 2, that of slot 5 is 4: they keep their order.
    let keeps_order = |task: &u8| *task == 2 || *task == 4;
    queue.bring_forward(0, keeps_order);
    queue.bring_forward(1, keeps_order);
    queue.bring_forward(4, keeps_order);
    assert_eq!(drain(&mut queue), [3, 2, 1, 4, 5]);
    ids.iter().for_each(|id| queue.push(*id));
    queue.bring_forward(4, |_| false);
    queue.push(ids[4]);
    assert_eq!(drain(&mut queue), [5, 1, 2, 3, 4]);
    ids.iter().for_each(|id| queue.push(*id));
    assert_eq!(drain(&mut queue), [1, 2, 3, 4, 5]);
}

#[test]
fn the_root_slot_holds_no_task() {
    let (mut queue, _) = queue_of(1);
    let root = queue.insert_root(1);
    queue.insert_root(1);
    assert_eq!(queue.pop(), Some((ROOT, None)));
    queue.push(root);
    assert_eq!(queue.remove(ROOT), None);
    queue.insert_root(1);
    assert_eq!(drain(&mut queue), [ROOT]);
    queue.push(root);
    assert_eq!(queue.pop(), None);
    assert_eq!(queue.tasks().collect::<Vec<_>>(), [&0]);
}
