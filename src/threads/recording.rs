//! The polls of a loop with their exact times, on their way to the thread that writes them down.
//!
//! The loop fills a buffer of its own, and hands it on when it is full or the loop waits.
//! Invariant: the memory of all buffers is bounded; what does not fit is counted.

use std::cell::RefCell;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The memory of all events of the process that wait to be written. The loops fill one half, while
/// the thread writes the other.
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
    /// Each has at most `BUFFER` events.
    buffers: Vec<Vec<Event>>,
    /// The number of buffers that fit. 0: nothing is recorded.
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
            let all = BYTES_MAX / 2 / (BUFFER * size_of::<Event>());
            let capacity = (all / loops.max(1)).max(1);
            *shared = Shared { capacity, ..Shared::default() };
        }
        is_free
    }

    /// Takes the events since the last call.
    pub(crate) fn take(&self) -> Vec<Vec<Event>> {
        mem::take(&mut self.lock().buffers)
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
        let is_full = shared.buffers.len() >= shared.capacity;
        match shared.buffers.last_mut() {
            Some(last) if last.len() + events.len() <= BUFFER => last.append(&mut events),
            _ if is_full => {
                shared.dropped += events.len() as u64;
                events.clear();
            }
            _ => {
                let capacity = events.capacity();
                let filled = mem::replace(&mut *events, Vec::with_capacity(capacity));
                shared.buffers.push(filled);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(task: u64) -> Event {
        Event { task, place: 0, begin: 0, end: 0 }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let (recording, buffer) = (Recording::default(), Buffer::default());
        assert!(recording.begin(2));
        assert!(!recording.begin(2), "one is going on");
        let fit = BYTES_MAX / 2 / size_of::<Event>() / 2;
        (0..fit as u64 + 5000).for_each(|task| buffer.push(event(task), &recording));
        buffer.flush(&recording);
        let taken: Vec<_> = recording.take().concat();
        assert_eq!(taken.len(), fit);
        assert!((0..).zip(&taken).all(|(task, event)| event.task == task));
        // What was taken leaves space for more.
        buffer.push(event(7), &recording);
        buffer.flush(&recording);
        assert_eq!(recording.take().concat()[0].task, 7);
        assert_eq!(recording.end(), 5000);
        assert!(recording.begin(1));
    }

    #[test]
    fn short_buffers_are_joined() {
        let (recording, buffer) = (Recording::default(), Buffer::default());
        assert!(recording.begin(1));
        for task in 0..3 * BUFFER as u64 {
            buffer.push(event(task), &recording);
            buffer.flush(&recording);
        }
        let buffers = recording.take();
        assert_eq!(buffers.iter().map(Vec::len).collect::<Vec<_>>(), [BUFFER; 3]);
        assert!(buffers.iter().all(|buffer| buffer.capacity() <= BUFFER));
    }
}
