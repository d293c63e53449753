//! L0: putting things in the order of numbers.
//!
//! All of the loop share one sort: each instance of a generic one adds 6 KB to a program.

/// Sorts pairs by their first numbers. Those with equal ones keep their order.
pub(crate) fn sort_by_first(pairs: &mut [(u64, u32)]) {
    pairs.sort_by_key(|(first, _)| *first);
}

/// Returns the indices of `items` in the order of their numbers, with the numbers.
pub(crate) fn in_order<T>(items: &[T], number: impl Fn(&T) -> u64) -> Vec<(u64, u32)> {
    let mut order: Vec<_> = items.iter().map(number).zip(0..).collect();
    sort_by_first(&mut order);
    order
}
