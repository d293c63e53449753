//! A contiguous byte queue: pushed at the end, consumed at the beginning.
//!
//! Invariant: the content is `bytes[begin..]`. An empty buffer holds no memory, so that an idle
//! connection needs none.

#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    begin: usize,
}

impl Buffer {
    /// Makes a buffer that reuses memory. The first bytes should be pushed at once.
    pub(super) fn with_memory(mut bytes: Vec<u8>) -> Buffer {
        bytes.clear();
        Buffer { bytes, begin: 0 }
    }

    /// Drops the content, and returns the memory.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.begin
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begin == self.bytes.len()
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            // No spare capacity: most often the content is taken whole.
            self.bytes = bytes.to_vec();
            return;
        }
        // Moves the content only if that frees half of the memory. Otherwise a byte pushed for each
        // byte consumed would move all of it each time.
        if self.bytes.len() + bytes.len() > self.bytes.capacity() && self.begin >= self.len() {
            self.bytes.drain(..self.begin);
            self.begin = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops the first `n` bytes of the content.
    pub(super) fn consume(&mut self, n: usize) {
        self.begin += n;
        debug_assert!(self.begin <= self.bytes.len());
        if self.is_empty() {
            *self = Buffer::default();
        }
    }

    /// Removes the first `n` bytes of the content and returns them.
    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        if self.begin == 0 && n == self.bytes.len() {
            return std::mem::take(&mut self.bytes);
        }
        let taken = self.content()[..n].to_vec();
        self.consume(n);
        taken
    }

    /// Removes all of the content and returns it.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
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
