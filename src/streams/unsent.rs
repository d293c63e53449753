//! The unsent bytes of a writer, and the water marks of `drain`.
//!
//! Invariant: the writer is paused from the moment it exceeds the high-water mark until it reaches
//! the low-water mark.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;

use crate::io::Buffer;

/// The numbers of unsent bytes above which `drain` waits, and down to which it waits. These are
/// asyncio's defaults.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;

/// How many buffers a thread keeps for reuse, and how large they are at most. A turn rarely writes
/// to more connections.
const SPARE_BUFFERS: usize = 16;
const SPARE_MAX: usize = 32 * 1024;

thread_local! {
    /// The memory of buffers whose bytes were sent. So a connection without unsent bytes holds no
    /// memory for them, and a turn that writes allocates none.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

pub(super) struct Unsent {
    bytes: RefCell<Buffer>,
    /// The number of bytes that are lent to the connection, which is sending them. They precede
    /// `bytes`. 0 if they were discarded meanwhile.
    lent: Cell<usize>,
    is_paused: Cell<bool>,
    low_water: Cell<usize>,
    high_water: Cell<usize>,
}

/// The bytes while they are sent. They are not borrowed: an object that is no socket may use its
/// own streams then. Its drop puts back those that were not sent, unless all were discarded.
struct Sending<'a> {
    unsent: &'a Unsent,
    bytes: Buffer,
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
        self.update_pause(self.len());
    }

    /// Calls `push` to append bytes.
    pub(super) fn push(&self, push: impl FnOnce(&mut Buffer)) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            *bytes = Buffer::with_memory(take_spare());
        }
        push(&mut bytes);
        self.update_pause(bytes.len());
    }

    /// Appends `bytes` to others, if fewer than `limit` bytes are unsent then. Returns whether it
    /// has.
    #[inline]
    pub(super) fn push_below(&self, limit: usize, bytes: &[u8]) -> bool {
        let mut queued = self.bytes.borrow_mut();
        let unsent = self.lent.get() + queued.len() + bytes.len();
        let fits = unsent < limit && !queued.is_empty();
        if fits {
            queued.push(bytes);
            self.is_paused.set(self.is_paused.get() || unsent > self.high_water.get());
        }
        fits
    }

    /// Discards all bytes.
    pub(super) fn clear(&self) {
        self.lent.set(0);
        drop(self.bytes.take());
        self.update_pause(0);
    }

    /// Calls `send` once with the bytes, which may be none, and drops those that it has sent.
    /// Returns how many it has sent beyond them; `None` if the system accepts none now.
    pub(super) fn send(
        &self,
        send: impl FnOnce(&[u8]) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        let bytes = self.bytes.take();
        self.lent.set(bytes.len());
        let mut sending = Sending { unsent: self, bytes };
        let n = match send(sending.bytes.content()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            sent => sent?,
        };
        let beyond = n.saturating_sub(sending.bytes.len());
        sending.consume(n - beyond);
        drop(sending);
        self.update_pause(self.len());
        Ok(Some(beyond))
    }

    /// Compares the number of unsent bytes with the marks.
    fn update_pause(&self, unsent: usize) {
        let is_low = unsent <= self.low_water.get();
        self.is_paused.set(unsent > self.high_water.get() || self.is_paused.get() && !is_low);
    }
}

impl Sending<'_> {
    #[inline]
    fn consume(&mut self, n: usize) {
        if n == self.bytes.len() {
            give_spare(mem::take(&mut self.bytes).into_memory());
        } else {
            self.bytes.consume(n);
        }
    }
}

impl Drop for Sending<'_> {
    #[inline]
    fn drop(&mut self) {
        // Zero: all were sent, or were discarded meanwhile.
        if self.unsent.lent.take() > 0 && !self.bytes.is_empty() {
            // Written meanwhile, by the object itself.
            let later = self.unsent.bytes.replace(mem::take(&mut self.bytes));
            self.unsent.bytes.borrow_mut().push(later.content());
        }
    }
}

fn take_spare() -> Vec<u8> {
    // At the end of the thread there is none.
    SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

fn give_spare(memory: Vec<u8>) {
    if memory.capacity() <= SPARE_MAX {
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_BUFFERS {
                spare.push(memory);
            }
        });
    }
}
