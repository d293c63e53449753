//! A queue of bytes in one piece: filled at the end, emptied at the beginning.
//!
//! Invariant: `begin <= end <= bytes.len()`; the bytes between are the content, the others are
//! zeroed or old, so that a socket can read straight into them.

/// Room made at least when there is none.
const CHUNK: usize = 4096;
/// Room that is made ahead, for who reads as fast as it comes: more does not save system calls.
const AHEAD_MAX: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn len(&self) -> usize {
        self.end - self.begin
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    /// Room behind the content: never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() {
            self.make_room(1);
        }
        &mut self.bytes[self.end..]
    }

    /// The first `n` bytes of the room have become content. If that is all, there may be more to
    /// come than there is room for: there will be twice as much.
    pub(super) fn filled(&mut self, n: usize) {
        self.end += n;
        debug_assert!(self.end <= self.bytes.len());
        if self.end == self.bytes.len() && self.bytes.len() < AHEAD_MAX {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.end < bytes.len() {
            self.make_room(bytes.len());
        }
        self.bytes[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Drops the first `n` bytes of the content.
    pub(super) fn consume(&mut self, n: usize) {
        self.begin += n;
        debug_assert!(self.begin <= self.end);
        if self.is_empty() {
            (self.begin, self.end) = (0, 0);
        }
    }

    /// Takes the first `n` bytes of the content.
    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        let taken = self.content()[..n].to_vec();
        self.consume(n);
        taken
    }

    /// Moves the content to the beginning if that frees half of the buffer; else lets it grow.
    fn make_room(&mut self, n: usize) {
        if self.begin >= self.bytes.len().div_ceil(2) {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        let needed = self.end + n;
        if needed > self.bytes.len() {
            self.bytes.resize(needed.max(self.bytes.len() * 2).max(CHUNK), 0);
        }
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
            if step % 2 == 0 {
                buffer.push(&bytes);
            } else {
                for chunk in bytes.chunks(7) {
                    let n = buffer.room().len().min(chunk.len());
                    buffer.room()[..n].copy_from_slice(&chunk[..n]);
                    buffer.filled(n);
                    buffer.push(&chunk[n..]);
                }
            }
            let n = (step * 41 % 223).min(buffer.len());
            assert_eq!(buffer.take(n), expected.drain(..n).collect::<Vec<_>>());
        }
        assert_eq!(buffer.content(), expected.make_contiguous());
        assert!(buffer.bytes.len() < 1 << 16, "it does not grow with what has gone through");
    }
}
