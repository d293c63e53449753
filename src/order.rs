//! L0: sorting by numbers.
//!
//! The timers, the tasks and their locks share one sort that is not generic: each instance of a
//! generic one adds 6 KB to a program.

/// Sorts pairs by their first numbers. Those with equal ones keep their order.
pub(crate) fn sort_by_first(pairs: &mut [(u64, u32)]) {
    pairs.sort_by_key(|(first, _)| *first);
}

/// Returns the indices of `items` in the order of their numbers, with the numbers.
pub(crate) fn in_order<T>(items: &[T], number: impl Fn(&T) -> u64) -> Vec<(u64, u32)> {
    let mut order = Vec::with_capacity(items.len());
    for item in items {
        order.push((number(item), order.len() as u32));
    }
    sort_by_first(&mut order);
    order
}

/// Sorts items by their numbers. Those with equal ones keep their order.
pub(crate) fn sort<T>(items: &mut [T], number: impl Fn(&T) -> u64) {
    let mut order = in_order(items, number);
    // Moves the items along each cycle of the order; a place whose item has arrived names itself.
    for start in 0..order.len() {
        let mut place = start;
        loop {
            let from = order[place].1 as usize;
            order[place].1 = place as u32;
            if from == start {
                break;
            }
            items.swap(place, from);
            place = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_keep_their_order() {
        let mut pairs = [(2, 7), (1, 9), (2, 3), (1, 0)];
        sort_by_first(&mut pairs);
        assert_eq!(pairs, [(1, 9), (1, 0), (2, 7), (2, 3)]);
    }

    #[test]
    fn many_numbers_are_sorted_too() {
        let mut pairs: Vec<_> = (0..1000).map(|index| (u64::from(index * 7 % 13), index)).collect();
        let mut expected = pairs.clone();
        // The indices rise, so that the order of whole pairs is that of equal numbers too.
        expected.sort_unstable();
        sort_by_first(&mut pairs);
        assert_eq!(pairs, expected);
    }

    #[test]
    fn items_of_any_type_are_sorted() {
        let texts = (0..1000).map(|index| (index * 7 % 13, index.to_string()));
        let mut sorted: Vec<_> = texts.collect();
        let mut expected = sorted.clone();
        expected.sort_by_key(|(number, _)| *number);
        sort(&mut sorted, |(number, _)| *number);
        assert_eq!(sorted, expected);
    }

    #[test]
    fn the_indices_follow_the_numbers() {
        let items = ["three", "one", "two"];
        let number = |item: &&str| item.len() as u64;
        assert_eq!(in_order(&items, number), [(3, 1), (3, 2), (5, 0)]);
        assert_eq!(in_order(&[], number), []);
    }
}
