//! Room to read into, shared by all of a thread.
//!
//! A connection on which nothing happens needs no buffer of its own: what comes is read into this
//! room, and only what is left over is kept. Invariant: nothing is borrowed while the room is lent,
//! so whoever has it may call anything.

use std::cell::Cell;

/// As much as one read takes in: more does not save system calls worth mentioning.
const SIZE: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `f` with the room, which holds anything.
pub(crate) fn lend<T>(f: impl FnOnce(&mut [u8]) -> T) -> T {
    // Lent already, or at the end of the thread, there is none: then it is made.
    let mut room = SCRATCH.try_with(Cell::take).unwrap_or_default();
    room.resize(SIZE, 0);
    let result = f(&mut room);
    let _ = SCRATCH.try_with(|scratch| scratch.set(room));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_room_may_lend_another() {
        let at = |room: &mut [u8]| room.as_ptr() as usize;
        let (outer, inner) = lend(|room| (at(room), lend(at)));
        assert_ne!(outer, inner);
        assert_eq!(lend(|room| room.len()), SIZE);
    }

    #[test]
    fn it_is_there_again() {
        let at = |room: &mut [u8]| room.as_ptr() as usize;
        assert_eq!(lend(at), lend(at));
    }
}
