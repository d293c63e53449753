//! The hash of a run: wyhash's folded multiplication over the words of its entries.
//!
//! Invariant: the value depends on the words alone, not on the platform or the build, and on their
//! order. It is not for tables that an attacker fills.

/// Constants of wyhash: odd, half of the bits set.
const SECRET: [u64; 3] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3];

/// The hash of all words so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunHash(u64);

impl RunHash {
    pub(crate) fn new() -> RunHash {
        RunHash(SECRET[0])
    }

    /// Adds four words.
    #[inline]
    pub(crate) fn add(&mut self, [a, b, c, d]: [u64; 4]) {
        // The two products do not wait for each other. A factor of zero would forget the state: the
        // state is added again.
        let low = fold(a ^ SECRET[1], b ^ self.0);
        let high = fold(c ^ SECRET[2], d ^ self.0);
        self.0 = (self.0 ^ low).rotate_left(23).wrapping_add(high);
    }

    /// Returns the hash.
    pub(crate) fn value(self) -> u64 {
        fold(self.0 ^ SECRET[1], SECRET[2])
    }
}

/// Returns the hash of a text.
pub(crate) fn of_text(text: &str) -> u64 {
    let mut hash = RunHash::new();
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash.add([u64::from_le_bytes(word), chunk.len() as u64, 0, 0]);
    }
    hash.value()
}

/// Multiplies to 128 bits and combines the halves.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of_words(words: &[[u64; 4]]) -> u64 {
        let mut hash = RunHash::new();
        words.iter().for_each(|&four| hash.add(four));
        hash.value()
    }

    #[test]
    fn values_never_change() {
        assert_eq!(of_words(&[]), 0x09ec_1eb6_8f0b_b84a);
        assert_eq!(of_words(&[[1, 2, 3, 4]]), 0xdacd_3672_eb8f_0b80);
        assert_eq!(of_words(&[[1, 2, 3, 4], [u64::MAX; 4], [0; 4]]), 0x5c53_7fc0_ef8b_c62c);
        assert_eq!(of_text("a note, é"), 0xa930_02fd_f5c2_3e0a);
    }

    #[test]
    fn every_bit_of_an_entry_counts() {
        let mut seen = BTreeSet::from([of_words(&[[0; 4], [7; 4]])]);
        for bit in 0..256 {
            let mut words = [0; 4];
            words[bit / 64] = 1 << (bit % 64);
            assert!(seen.insert(of_words(&[words, [7; 4]])), "bit {bit}");
            assert!(seen.insert(of_words(&[[7; 4], words])), "bit {bit} of the second entry");
        }
    }

    #[test]
    fn a_factor_of_zero_keeps_what_came_before() {
        let zero = [SECRET[1], 5, SECRET[2], 6];
        assert_ne!(of_words(&[[1; 4], zero]), of_words(&[[2; 4], zero]));
    }

    #[test]
    fn texts_differ_by_their_zeros() {
        let texts = ["", "\0", "\0\0", "a", "a\0", "12345678", "12345678\0"];
        let hashes: BTreeSet<u64> = texts.into_iter().map(of_text).collect();
        assert_eq!(hashes.len(), texts.len());
    }
}
