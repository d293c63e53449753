//! Bytes on their way from a writer to a reader.

use std::collections::VecDeque;

/// An empty queue keeps at most this many bytes of memory.
const KEPT: usize = 64 * 1024;

/// A queue of bytes that moves whole slices.
#[derive(Debug, Default)]
pub(super) struct ByteQueue(VecDeque<u8>);

impl ByteQueue {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Copies the first bytes into `buf` and leaves them in the queue. Returns how many.
    pub(super) fn peek(&self, buf: &mut [u8], limit: usize) -> usize {
        let n = buf.len().min(limit).min(self.0.len());
        let (front, back) = self.0.as_slices();
        let split = front.len().min(n);
        buf[..split].copy_from_slice(&front[..split]);
        buf[split..n].copy_from_slice(&back[..n - split]);
        n
    }

    /// Moves the first bytes into `buf`, at most `limit`. Returns how many.
    pub(super) fn read(&mut self, buf: &mut [u8], limit: usize) -> usize {
        let n = self.peek(buf, limit);
        self.discard(n);
        n
    }

    /// Removes the first `n` bytes.
    pub(super) fn discard(&mut self, n: usize) {
        self.0.drain(..n);
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = VecDeque::new();
        }
    }

    /// Removes all but the first `n` bytes.
    pub(super) fn truncate(&mut self, n: usize) {
        self.0.truncate(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_also_around_the_end_of_the_memory() {
        let mut queue = ByteQueue::default();
        let (mut pushed, mut read) = (0_u8, 0_u8);
        for round in 0..100 {
            for _ in 0..round % 7 + 1 {
                queue.push(&[pushed, pushed.wrapping_add(1)]);
                pushed = pushed.wrapping_add(2);
            }
            let mut buf = [0; 5];
            let n = queue.read(&mut buf, 4);
            assert!(n <= 4);
            for byte in &buf[..n] {
                assert_eq!(*byte, read);
                read = read.wrapping_add(1);
            }
        }
        queue.truncate(1);
        assert_eq!((queue.len(), queue.peek(&mut [0; 9], 9)), (1, 1));
    }

    #[test]
    fn an_empty_queue_returns_its_memory() {
        let mut queue = ByteQueue::default();
        queue.push(&vec![0; KEPT + 1]);
        queue.discard(KEPT + 1);
        assert_eq!(queue.0.capacity(), 0);
    }
}
