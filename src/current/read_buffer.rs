//! One buffer that all reads of a thread share.
//!
//! A connection on which nothing happens needs no buffer of its own: bytes are read into this
//! buffer, and only those that are left over are kept. Invariant: nothing is borrowed while the
//! buffer is lent, so its user may call anything.

use std::cell::Cell;

/// As much as one read takes in: more does not save system calls worth mentioning.
const SIZE: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `f` with the buffer, whose content is arbitrary.
pub(crate) fn lend<T>(f: impl FnOnce(&mut [u8]) -> T) -> T {
    // Lent already, or at the end of the thread, there is none: then it is made.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.resize(SIZE, 0);
    let result = f(&mut buffer);
    let _ = BUFFER.try_with(|slot| slot.set(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_room_may_lend_another() {
        let at = |buffer: &mut [u8]| buffer.as_ptr() as usize;
        let (outer, inner) = lend(|buffer| (at(buffer), lend(at)));
        assert_ne!(outer, inner);
        assert_eq!(lend(|buffer| buffer.len()), SIZE);
    }

    #[test]
    fn it_is_there_again() {
        let at = |buffer: &mut [u8]| buffer.as_ptr() as usize;
        assert_eq!(lend(at), lend(at));
    }
}
