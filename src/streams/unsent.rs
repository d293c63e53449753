//! The unsent bytes of a writer, and the water marks of `drain`.
//!
//! Invariant: the writer is paused from the moment it exceeds the high-water mark until it reaches
//! the low-water mark. Nothing is borrowed while bytes are sent: the connection may be an object of
//! user code, which may use the writer.

use std::cell::{Cell, RefCell};
use std::io;

use super::buffer::Buffer;

/// The numbers of unsent bytes above which `drain` waits, and down to which it waits. These are
/// asyncio's defaults.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;

pub(super) struct Unsent {
    bytes: RefCell<Buffer>,
    /// The number of bytes that are lent to the connection, which is sending them. They precede
    /// `bytes`.
    lent: Cell<usize>,
    is_paused: Cell<bool>,
    low_water: Cell<usize>,
    high_water: Cell<usize>,
}

impl Unsent {
    pub(super) fn new() -> Unsent {
        Unsent {
            bytes: RefCell::default(),
            lent: Cell::new(0),
            is_paused: Cell::new(false),
            low_water: Cell::new(LOW_WATER),
            high_water: Cell::new(HIGH_WATER),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lent.get() + self.bytes.borrow().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether a write may be tried at once. Lent bytes are not counted, since a connection
    /// that has some accepts no others: so a write needs no second check.
    pub(super) fn may_send_more(&self) -> bool {
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
        self.lent.set(0);
        drop(self.bytes.take());
        self.update_pause();
    }

    /// Calls `send` once, if any byte is unsent, and drops the bytes that it has sent. Returns
    /// `false` if the system accepts none now.
    pub(super) fn send(&self, send: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        let mut bytes = self.bytes.take();
        if bytes.is_empty() {
            return Ok(true);
        }
        self.lent.set(bytes.len());
        let sent = send(bytes.content());
        // Zero: the bytes were cleared meanwhile.
        if self.lent.take() > 0 {
            bytes.consume(*sent.as_ref().unwrap_or(&0));
            let later = self.bytes.take();
            bytes.push(later.content());
            self.bytes.replace(bytes);
        }
        self.update_pause();
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            sent => sent.map(|_| true),
        }
    }

    /// Compares the number of unsent bytes with the marks.
    fn update_pause(&self) {
        let unsent = self.len();
        let is_low = unsent <= self.low_water.get();
        self.is_paused.set(unsent > self.high_water.get() || self.is_paused.get() && !is_low);
    }
}
