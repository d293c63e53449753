//! Random numbers that a simulated world repeats: of its seed there, of the system outside.
//!
//! | item | purpose |
//! |---|---|
//! | [`u64()`] | a number of 64 random bits |
//! | [`range`] | a number of a range, each as likely |
//! | [`shuffle`] | brings a slice into random order |
//! | [`fill`] | fills a buffer with random bytes |
//!
//! A program that takes its random numbers from here behaves the same in each run of one seed of a
//! simulated world (the feature `sim`). The numbers are good enough for jitter, sampling and
//! choices. They are not for cryptography: a secret needs the system's generator.
//!
//! ```
//! use std::time::Duration;
//!
//! let jitter = Duration::from_millis(evloop::random::range(0..50));
//! assert!(jitter < Duration::from_millis(50));
//! ```

// Layer L4. Outside of a world each thread has a generator of its own (SplitMix64), whose state
// comes from the keys that std takes from the system for its hash tables.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::world::{self, Here};

thread_local! {
    /// The state of the generator. `None` before the first number.
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Returns a number of 64 random bits.
///
/// ```
/// assert_ne!(evloop::random::u64(), evloop::random::u64());
/// ```
#[doc(alias = "rand")]
pub fn u64() -> u64 {
    match world::here() {
        None => system(),
        Some(here) => in_world(here),
    }
}

/// Returns a number of `range`, each with the same probability.
///
/// # Panics
///
/// If the range is empty.
///
/// ```
/// assert!((1..7).contains(&evloop::random::range(1..7)));
/// ```
#[doc(alias = "gen_range")]
#[doc(alias = "randrange")]
#[track_caller]
pub fn range(range: Range<u64>) -> u64 {
    assert!(!range.is_empty(), "random::range was called with the empty range {range:?}");
    range.start + below(range.end - range.start)
}

/// Brings `items` into random order, each order with the same probability.
///
/// ```
/// let mut items = [1, 2, 3, 4];
/// evloop::random::shuffle(&mut items);
/// items.sort();
/// assert_eq!(items, [1, 2, 3, 4]);
/// ```
pub fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last as u64 + 1) as usize);
    }
}

/// Fills `buf` with random bytes. Not for secrets.
///
/// ```
/// let mut nonce = [0; 16];
/// evloop::random::fill(&mut nonce);
/// assert_ne!(nonce, [0; 16]);
/// ```
#[doc(alias = "getrandom")]
#[doc(alias = "randbytes")]
pub fn fill(buf: &mut [u8]) {
    for chunk in buf.chunks_mut(8) {
        chunk.copy_from_slice(&u64().to_le_bytes()[..chunk.len()]);
    }
}

/// Returns a number below `end`, which is not 0. A product of two numbers has no bias if its low
/// half is at least `2^64 % end` (D. Lemire, Fast random integer generation in an interval).
fn below(end: u64) -> u64 {
    loop {
        let product = u128::from(u64()) * u128::from(end);
        if product as u64 >= end.wrapping_neg() % end {
            return (product >> 64) as u64;
        }
    }
}

#[cold]
fn in_world(here: Here) -> u64 {
    here.program_random()
}

/// Returns the next number of the thread's generator.
fn system() -> u64 {
    let state = STATE.get().unwrap_or_else(|| RandomState::new().hash_one(0));
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    STATE.set(Some(state));
    let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}
