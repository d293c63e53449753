//! What the count of an operation says of what is left.

use std::io;

use crate::reactor::Done;

/// `n` bytes were moved that one buffer of `room` bytes was for.
#[inline]
pub(super) fn counted(n: io::Result<usize>, room: usize) -> io::Result<Done<usize>> {
    n.map(|n| Done { value: n, short: n < room && n > 0 })
}

/// A result of which the number says nothing about what is left. So it is also with several
/// buffers: the system takes at most IOV_MAX at once, and few bytes need not mean that it is done.
#[inline]
pub(super) fn whole<T>(result: io::Result<T>) -> io::Result<Done<T>> {
    result.map(|value| Done { value, short: false })
}
