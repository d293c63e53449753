//! The objects of a program: values, panic payloads, and the record of each task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use evloop::task::TaskId;

use super::program::Payload;

/// Counts the values that were made and dropped.
#[derive(Default)]
pub struct Census {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

/// A counted value.
pub struct Value {
    pub number: usize,
    census: Arc<Census>,
}

/// The payload of a panic of the program.
pub struct Raised {
    /// The loop that ran when the payload was made.
    pub in_loop: usize,
    payload: Payload,
    /// `None` in the panic of a payload's destructor: that payload may leak.
    _value: Option<Value>,
}

/// The record of a task. Another thread may spawn a task, so all fields are atomic.
#[derive(Default)]
pub struct Task {
    pub number: usize,
    pub in_loop: AtomicUsize,
    pub id: Mutex<Option<TaskId>>,
    pub outcome: Mutex<Outcome>,
    /// The task was aborted, or its scope may have ended.
    pub may_be_cancelled: AtomicBool,
    /// A `JoinSet` returned its output.
    pub is_joined: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Outcome {
    #[default]
    None,
    Value(usize),
    Panicked,
    Dropped,
}

impl Census {
    pub fn alive(&self) -> usize {
        self.made.load(Ordering::SeqCst) - self.dropped.load(Ordering::SeqCst)
    }

    pub fn value(self: &Arc<Census>) -> Value {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        Value { number, census: self.clone() }
    }
}

impl Clone for Value {
    fn clone(&self) -> Value {
        self.census.value()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.census.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Raised {
    /// Panics without calling the panic hook.
    pub fn raise(census: &Arc<Census>, payload: Payload, in_loop: usize) -> ! {
        resume_unwind(Box::new(Raised { in_loop, payload, _value: Some(census.value()) }))
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if self.payload == Payload::PanicsInDrop && !thread::panicking() {
            let (in_loop, payload) = (self.in_loop, Payload::Plain);
            resume_unwind(Box::new(Raised { in_loop, payload, _value: None }));
        }
    }
}

/// Drops a value whose destructor may panic. Returns a panic that the program did not raise.
pub fn dispose(value: impl Any) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(|| drop(value))).err()?;
    stranger(payload)
}

/// Returns the text of a payload, unless the program made it.
pub fn stranger(payload: Box<dyn Any + Send>) -> Option<String> {
    if payload.is::<Raised>() {
        return dispose(payload);
    }
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()));
    Some(text.unwrap_or_else(|| "a payload that is not text".into()))
}

impl Task {
    pub fn outcome(&self) -> Outcome {
        *self.outcome.lock().unwrap()
    }

    pub fn end(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap() = outcome;
    }

    pub fn is_over(&self) -> bool {
        self.outcome() != Outcome::None
    }

    pub fn id(&self) -> Option<TaskId> {
        *self.id.lock().unwrap()
    }

    pub fn allow_cancel(&self) {
        self.may_be_cancelled.store(true, Ordering::SeqCst);
    }
}
