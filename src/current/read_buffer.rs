//! The buffer that all reads of a thread share.
//!
//! Bytes are read into this buffer, and only unconsumed bytes are copied into a buffer of their
//! connection. So an idle connection needs no buffer. Invariant: no `RefCell` is borrowed while the
//! buffer is lent, so the closure may run any code.

use std::cell::Cell;

/// The maximum size of one read. A larger buffer would save only few system calls.
const SIZE: usize = 64 * 1024;

thread_local! {
    /// `None` until the first read, and while the buffer is lent.
    static BUFFER: Cell<Option<Box<[u8; SIZE]>>> = const { Cell::new(None) };
}

/// Calls `f` with the buffer. Its contents are arbitrary.
#[inline]
pub(crate) fn with_buffer<T>(f: impl FnOnce(&mut [u8]) -> T) -> T {
    // An outer call may have it, or the thread may be ending: then a new buffer is made.
    let lent = BUFFER.try_with(Cell::take).ok().flatten();
    let mut buffer = lent.unwrap_or_else(new_buffer);
    let result = f(&mut *buffer);
    let _ = BUFFER.try_with(|slot| slot.set(Some(buffer)));
    result
}

#[cold]
fn new_buffer() -> Box<[u8; SIZE]> {
    // By way of a vector: an array would pass through the stack.
    vec![0; SIZE].try_into().expect("the vector has the length of the array")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_calls_get_different_buffers() {
        let at = |buffer: &mut [u8]| buffer.as_ptr() as usize;
        let (outer, inner) = with_buffer(|buffer| (at(buffer), with_buffer(at)));
        assert_ne!(outer, inner);
        assert_eq!(with_buffer(|buffer| buffer.len()), SIZE);
    }

    #[test]
    fn later_calls_get_the_same_buffer() {
        let at = |buffer: &mut [u8]| buffer.as_ptr() as usize;
        assert_eq!(with_buffer(at), with_buffer(at));
    }
}
