//! The unsent bytes of a writer, and the water marks of `drain`.
//!
//! Invariant: the writer is paused from the moment it exceeds the high-water mark until it reaches
//! the low-water mark.

use std::cell::{Cell, RefCell};
use std::io;

use super::buffer::Buffer;

/// The numbers of unsent bytes above which `drain` waits, and down to which it waits. These are
/// asyncio's defaults.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;

pub(super) struct Unsent {
    bytes: RefCell<Buffer>,
    is_paused: Cell<bool>,
    low_water: Cell<usize>,
    high_water: Cell<usize>,
}

impl Unsent {
    pub(super) fn new() -> Unsent {
        Unsent {
            bytes: RefCell::default(),
            is_paused: Cell::new(false),
            low_water: Cell::new(LOW_WATER),
            high_water: Cell::new(HIGH_WATER),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.borrow().is_empty()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    /// Returns the low-water and the high-water mark.
    pub(super) fn marks(&self) -> (usize, usize) {
        (self.low_water.get(), self.high_water.get())
    }

    pub(super) fn set_marks(&self, low: usize, high: usize) {
        self.low_water.set(low);
        self.high_water.set(high);
        self.update_pause();
    }

    /// Calls `push` to append bytes.
    pub(super) fn push(&self, push: impl FnOnce(&mut Buffer)) {
        push(&mut self.bytes.borrow_mut());
        self.update_pause();
    }

    pub(super) fn clear(&self) {
        drop(self.bytes.take());
        self.update_pause();
    }

    /// Calls `send` once, if any byte is unsent, and drops the bytes that it has sent. Returns
    /// `false` if the system accepts none now.
    pub(super) fn send(&self, send: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            return Ok(true);
        }
        match send(bytes.content()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            sent => bytes.consume(sent?),
        }
        drop(bytes);
        self.update_pause();
        Ok(true)
    }

    /// Compares the number of unsent bytes with the marks.
    fn update_pause(&self) {
        let unsent = self.len();
        let is_low = unsent <= self.low_water.get();
        self.is_paused.set(unsent > self.high_water.get() || self.is_paused.get() && !is_low);
    }
}
