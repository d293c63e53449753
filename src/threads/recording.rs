//! The polls of a loop with their exact times, on their way to the thread that writes them down.
//!
//! The loop fills a buffer of its own, and appends it to the shared one when it is full or the loop
//! waits. Invariant: the shared buffer is bounded; what does not fit is counted.

use std::cell::RefCell;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The memory of all events of the process that wait to be written.
const BYTES_MAX: usize = 64 << 20;

/// The number of events after which the loop hands its buffer on.
const BUFFER: usize = 1 << 10;

/// One poll, or one wait of the loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// 0: the loop waited.
    pub(crate) task: u64,
    /// The address of the place that spawned the task.
    pub(crate) place: usize,
    /// In nanoseconds of the clock of the process.
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

/// The events that the loop has handed on.
#[derive(Debug, Default)]
pub(crate) struct Recording(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    events: Vec<Event>,
    /// The number of events that fit. 0: nothing is recorded.
    capacity: usize,
    dropped: u64,
}

/// The loop's own buffer.
#[derive(Debug, Default)]
pub(crate) struct Buffer(RefCell<Vec<Event>>);

impl Recording {
    /// Begins a recording of one of `loops` loops. Returns `false` if one is going on.
    pub(crate) fn begin(&self, loops: usize) -> bool {
        let mut shared = self.lock();
        let is_free = shared.capacity == 0;
        if is_free {
            let capacity = BYTES_MAX / size_of::<Event>() / loops.max(1);
            *shared = Shared { capacity, ..Shared::default() };
        }
        is_free
    }

    /// Takes the events since the last call.
    pub(crate) fn take(&self) -> Vec<Event> {
        mem::take(&mut self.lock().events)
    }

    /// Ends the recording. Returns the number of events that did not fit.
    pub(crate) fn end(&self) -> u64 {
        mem::take(&mut *self.lock()).dropped
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    pub(crate) fn push(&self, event: Event, to: &Recording) {
        self.0.borrow_mut().push(event);
        if self.0.borrow().len() >= BUFFER {
            self.flush(to);
        }
    }

    /// Hands the events on.
    pub(crate) fn flush(&self, to: &Recording) {
        let mut events = self.0.borrow_mut();
        if events.is_empty() {
            return;
        }
        let mut shared = to.lock();
        if shared.events.len() + events.len() <= shared.capacity {
            shared.events.append(&mut events);
        } else {
            shared.dropped += events.len() as u64;
            events.clear();
        }
    }
}
