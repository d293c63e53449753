//! A contiguous byte queue: pushed at the end, consumed at the beginning.
//!
//! Invariant: the content is `bytes[begin..]`. An empty buffer holds no memory, so that an idle
//! connection needs none.

/// A piece of so many bytes is not copied if fewer bytes follow it.
const LARGE: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    begin: usize,
}

impl Buffer {
    /// Makes a buffer that reuses memory. The first bytes should be pushed at once.
    pub(crate) fn with_memory(mut bytes: Vec<u8>) -> Buffer {
        bytes.clear();
        Buffer { bytes, begin: 0 }
    }

    /// Drops the content, and returns the memory.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.begin
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.begin == self.bytes.len()
    }

    /// Returns how many bytes can be appended without an allocation.
    #[inline]
    pub(crate) fn spare(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    #[inline]
    pub(crate) fn content(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > self.spare() {
            return self.push_beyond(bytes);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes for which the memory has to grow, or the content to move.
    #[inline(never)]
    fn push_beyond(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            // No spare capacity: most often the content is taken whole.
            self.bytes = bytes.to_vec();
            return;
        }
        // Moves the content only if that frees half of the memory. Otherwise a byte pushed for each
        // byte consumed would move all of it each time.
        if self.begin >= self.len() {
            self.bytes.drain(..self.begin);
            self.begin = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends what `read` reads into the spare capacity, which is at least `n` bytes. It must not
    /// change the content. Returns its result.
    pub(crate) fn fill<T>(&mut self, n: usize, read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.bytes.drain(..self.begin);
        self.begin = 0;
        self.bytes.reserve_exact(n);
        let result = read(&mut self.bytes);
        if self.is_empty() {
            *self = Buffer::default();
        }
        result
    }

    /// Drops the first `n` bytes of the content.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        self.begin += n;
        debug_assert!(self.begin <= self.bytes.len());
        if self.is_empty() {
            *self = Buffer::default();
        }
    }

    /// Removes the first `n` bytes of the content and returns them.
    pub(crate) fn take(&mut self, n: usize) -> Vec<u8> {
        if self.begin == 0 && n == self.bytes.len() {
            return std::mem::take(&mut self.bytes);
        }
        if self.begin == 0 && n >= LARGE && n > self.bytes.len() - n {
            // Copies the fewer bytes.
            let rest = self.bytes.split_off(n);
            return std::mem::replace(&mut self.bytes, rest);
        }
        let taken = self.content()[..n].to_vec();
        self.consume(n);
        taken
    }

    /// Removes all of the content and returns it.
    pub(crate) fn take_all(&mut self) -> Vec<u8> {
        self.take(self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushed_bytes_are_taken_in_order() {
        let mut buffer = Buffer::default();
        let mut next = 0u8;
        let mut expected = std::collections::VecDeque::new();
        for step in 0..5000usize {
            let bytes: Vec<u8> = (0..step * 37 % 211)
                .map(|_| {
                    next = next.wrapping_add(1);
                    next
                })
                .collect();
            expected.extend(&bytes);
            buffer.push(&bytes);
            let n = (step * 41 % 223).min(buffer.len());
            assert_eq!(buffer.take(n), expected.drain(..n).collect::<Vec<_>>());
        }
        assert_eq!(buffer.content(), expected.make_contiguous());
        assert!(
            buffer.bytes.capacity() < 1 << 16,
            "the capacity does not grow with the bytes that have passed"
        );
    }

    #[test]
    fn pushing_and_consuming_single_bytes_moves_the_content_rarely() {
        let mut buffer = Buffer::default();
        buffer.push(&[0; 1000]);
        let mut moves = 0;
        for _ in 0..100_000 {
            buffer.consume(1);
            let begin = buffer.begin;
            buffer.push(&[0]);
            moves += usize::from(buffer.begin < begin);
        }
        assert!((1..=100).contains(&moves), "{moves} moves of 1,000 bytes");
        assert!(buffer.bytes.capacity() <= 4096);
    }

    #[test]
    fn a_fill_appends_to_the_content_and_keeps_no_memory_for_nothing() {
        let mut buffer = Buffer::default();
        buffer.fill(1000, |bytes| assert!(bytes.capacity() >= 1000));
        assert_eq!(buffer.bytes.capacity(), 0);
        buffer.push(b"12345");
        buffer.consume(2);
        buffer.fill(1000, |bytes| bytes.extend_from_slice(b"678"));
        assert_eq!(buffer.content(), b"345678");
        assert!(buffer.spare() >= 997);
    }

    #[test]
    fn a_large_piece_is_taken_without_a_copy() {
        let mut buffer = Buffer::default();
        buffer.push(&[1; LARGE + 100]);
        let at = buffer.content().as_ptr();
        let piece = buffer.take(LARGE);
        assert_eq!((piece.as_ptr(), piece), (at, vec![1; LARGE]));
        assert_eq!(buffer.take_all(), [1; 100]);
    }

    #[test]
    fn an_empty_buffer_holds_no_memory() {
        let mut buffer = Buffer::default();
        buffer.push(&[0; 1000]);
        buffer.consume(1000);
        assert_eq!(buffer.bytes.capacity(), 0);
        buffer.push(&[1; 1000]);
        assert_eq!(buffer.take_all(), [1; 1000]);
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
