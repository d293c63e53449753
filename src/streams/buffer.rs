//! A queue of bytes in one piece: filled at the end, emptied at the beginning.
//!
//! Invariant: the content is `bytes[begin..]`; when it is empty, no memory is held, so that a
//! connection on which nothing happens costs none.

#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    begin: usize,
}

impl Buffer {
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
        if self.is_empty() {
            // Exactly as much: most often it is taken whole.
            self.bytes = bytes.to_vec();
            return;
        }
        // Moved only if that frees half: else a byte in and a byte out would move all each time.
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

    /// Takes the first `n` bytes of the content.
    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        if self.begin == 0 && n == self.bytes.len() {
            return std::mem::take(&mut self.bytes);
        }
        let taken = self.content()[..n].to_vec();
        self.consume(n);
        taken
    }

    /// Takes all of the content.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        self.take(self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
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
        assert!(buffer.bytes.capacity() < 1 << 16, "it does not grow with what has gone through");
    }

    #[test]
    fn a_byte_in_and_a_byte_out_move_little() {
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
    fn empty_it_holds_no_memory() {
        let mut buffer = Buffer::default();
        buffer.push(&[0; 1000]);
        buffer.consume(1000);
        assert_eq!(buffer.bytes.capacity(), 0);
        buffer.push(&[1; 1000]);
        assert_eq!(buffer.take_all(), [1; 1000]);
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
