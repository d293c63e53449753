//! The order in which deadlines fire, also in several calls, and the memory they leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

/// Records when it was woken: the number of wakes before it.
struct Mark(Arc<AtomicUsize>, AtomicUsize);

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.1.store(self.0.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

fn noop() -> Waker {
    Waker::noop().clone()
}

/// A pseudo-random sequence, the same each time.
fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    }
}

/// Moves the current time to `now` and calls `advance` until no work is left.
fn advance(timers: &mut Timers, now: u64, fired: &mut Vec<Waker>) {
    timers.advance(now, fired);
    while timers.is_behind() {
        timers.advance(now, fired);
    }
}

#[test]
fn fires_in_the_order_of_deadline_then_insertion() {
    let mut timers = Timers::new();
    let mut random = numbers(7);
    let wakes = Arc::new(AtomicUsize::new(0));
    let mut marks: Vec<(u64, Arc<Mark>)> = Vec::new();
    for _ in 0..5000 {
        // Many deadlines are equal, some are years away.
        let deadline = (2000 + random() % 3000 * (random() % 3)) << (random() % 50);
        let mark = Arc::new(Mark(wakes.clone(), AtomicUsize::new(usize::MAX)));
        timers.insert(deadline, mark.clone().into());
        marks.push((deadline, mark));
    }
    let mut now = 1;
    let mut fired = Vec::new();
    while let Some(next) = timers.next() {
        assert!(next > now, "due deadlines have fired");
        now = next + random() % 2 * (random() % next);
        advance(&mut timers, now, &mut fired);
        assert!(!fired.is_empty(), "nothing was removed, so `next` was a deadline");
        fired.drain(..).for_each(Waker::wake);
        for (deadline, mark) in &marks {
            assert_eq!(mark.1.load(Ordering::Relaxed) != usize::MAX, *deadline <= now);
        }
    }
    marks.sort_by_key(|(deadline, _)| *deadline);
    for (order, (_, mark)) in marks.iter().enumerate() {
        assert_eq!(mark.1.load(Ordering::Relaxed), order);
    }
}

#[test]
fn insertions_and_removals_between_two_calls_keep_the_order() {
    let mut random = numbers(13);
    for round in 0..20 {
        let mut timers = Timers::new();
        let wakes = Arc::new(AtomicUsize::new(0));
        let mut live: Vec<(u64, Arc<Mark>, TimerKey)> = Vec::new();
        let begin = 1 << (20 + round);
        // From one deadline for all timers to a few timers for each deadline.
        let spread = 1 << (random() % 20);
        let (mut fired, mut inserted) = (Vec::new(), 0);
        while inserted < 40_000 || !timers.is_empty() {
            let more = if inserted == 0 { 30_000 } else { random() % 100 };
            for _ in 0..more {
                let deadline = begin + random() % spread;
                if inserted < 40_000 && !timers.has_fired(deadline) {
                    let mark = Arc::new(Mark(wakes.clone(), AtomicUsize::new(usize::MAX)));
                    let key = timers.insert(deadline, mark.clone().into());
                    live.push((deadline, mark, key));
                }
                inserted += 1;
            }
            for _ in 0..random() % 50 {
                let index = random() as usize % live.len();
                if !timers.has_fired(live[index].0) {
                    assert!(timers.remove(live.remove(index).2).is_some());
                }
            }
            timers.advance(begin + spread, &mut fired);
            assert!(fired.len() <= FIRED_MAX);
            fired.drain(..).for_each(Waker::wake);
        }
        live.sort_by_key(|(deadline, ..)| *deadline);
        let orders: Vec<_> =
            live.iter().map(|(_, mark, _)| mark.1.load(Ordering::Relaxed)).collect();
        assert!(orders.is_sorted(), "round {round}");
        assert_eq!(orders.last(), Some(&(live.len() - 1)), "each has fired once");
    }
}

#[test]
fn a_call_passes_a_limited_number_of_slots() {
    let mut timers = Timers::new();
    let deadline = |i| (i as u64 + 1) * 1_000_000;
    (0..3 * STEPS_MAX).for_each(|i| _ = timers.insert(deadline(i), noop()));
    let mut fired = Vec::new();
    timers.advance(u64::MAX, &mut fired);
    assert!(timers.is_behind() && !timers.has_fired(deadline(STEPS_MAX + SORTED_MAX)));
    advance(&mut timers, u64::MAX, &mut fired);
    assert_eq!(fired.len(), 3 * STEPS_MAX);
}

#[test]
fn the_rest_of_a_slot_that_moves_down_can_be_removed() {
    let mut timers = Timers::new();
    let deadline = |i| (1 << 40) + i;
    let mut keys: Vec<_> =
        (0..3 * STEPS_MAX as u64).map(|i| timers.insert(deadline(i), noop())).collect();
    let mut fired = Vec::new();
    timers.advance(1 << 40, &mut fired);
    assert!(fired.is_empty() && timers.is_behind());
    let left = keys.split_off(1);
    left.into_iter().for_each(|key| drop(timers.remove(key)));
    let last = timers.insert(deadline(7), noop());
    timers.advance(deadline(6), &mut fired);
    assert_eq!((fired.len(), timers.next()), (1, Some(deadline(7))));
    assert!(timers.remove(last).is_some() && timers.is_empty());
    assert!(timers.nodes.len() <= KEPT_MAX);
}

#[test]
fn next_is_the_nearest_deadline_of_a_slot() {
    let mut timers = Timers::new();
    let (near, far) = ((1 << 30) + 5, (1 << 30) + (1 << 20));
    timers.insert(near, noop());
    timers.insert(far, noop());
    assert_eq!(timers.slot(near), timers.slot(far));
    assert_eq!(timers.next(), Some(near));
    let mut fired = Vec::new();
    timers.advance(near - 1, &mut fired);
    assert!(fired.is_empty());
    timers.advance(near, &mut fired);
    assert_eq!((fired.len(), timers.next()), (1, Some(far)));
}

#[test]
fn removed_deadlines_do_not_fire_and_leave_nothing() {
    let mut timers = Timers::new();
    let mut random = numbers(11);
    let mut fired = Vec::new();
    for round in 0..100 {
        let begin = timers.now + 1;
        let mut keys: Vec<_> = (0..100)
            .map(|_| timers.insert(begin + random() % (1 << (round % 60)), noop()))
            .collect();
        while !keys.is_empty() {
            drop(timers.remove(keys.swap_remove(random() as usize % keys.len())));
        }
        assert_eq!(timers.next(), None);
        timers.advance(timers.now + random() % 50_000_000, &mut fired);
    }
    assert!(fired.is_empty());
}

#[test]
fn the_nearest_and_the_farthest_possible_deadline_fire() {
    let mut timers = Timers::new();
    timers.insert(u64::MAX, noop());
    timers.insert(1, noop());
    assert_eq!(timers.next(), Some(1));
    let mut fired = Vec::new();
    timers.advance(1, &mut fired);
    assert_eq!(fired.len(), 1);
    assert!(timers.has_fired(1) && !timers.has_fired(2));
    timers.advance(u64::MAX - 1, &mut fired);
    assert_eq!((fired.len(), timers.next()), (1, Some(u64::MAX)));
    timers.advance(u64::MAX, &mut fired);
    assert_eq!((fired.len(), timers.is_empty()), (2, true));
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut timers = Timers::new();
    let mut fired = Vec::new();
    timers.insert(5000, noop());
    timers.advance(4000, &mut fired);
    timers.advance(100, &mut fired);
    assert!(timers.has_fired(4000) && fired.is_empty());
    assert_eq!(timers.next(), Some(5000));
    timers.advance(5000, &mut fired);
    assert_eq!(fired.len(), 1);
}

#[test]
fn a_single_deadline_needs_one_call() {
    let mut timers = Timers::new();
    let day = 86_400_000_000_000;
    timers.insert(day, noop());
    assert_eq!(timers.next(), Some(day));
    timers.advance(day, &mut Vec::new());
    assert_eq!(timers.next(), None);
}

#[test]
fn the_memory_of_a_burst_is_freed() {
    let mut timers = Timers::new();
    let insert = |timers: &mut Timers| -> Vec<_> {
        (0..100_000).map(|i| timers.insert(1_000_000 + i, noop())).collect()
    };
    let keys = insert(&mut timers);
    assert!(timers.nodes.len() >= 100_000);
    keys.into_iter().for_each(|key| drop(timers.remove(key)));
    assert!(timers.nodes.len() <= KEPT_MAX);
    insert(&mut timers);
    let mut fired = Vec::new();
    advance(&mut timers, 2_000_000, &mut fired);
    assert_eq!(fired.len(), 100_000);
    assert!(timers.nodes.len() <= KEPT_MAX);
}
