//! L0: caught panics.
//!
//! The payload of a panic is a value of user code, and its destructor may panic too. Invariant:
//! dropping a `Caught` never panics. So it may be dropped anywhere, also while another panic
//! unwinds.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// The payload of a panic.
pub(crate) type Payload = Box<dyn Any + Send>;

/// A caught panic.
pub(crate) struct Caught(Option<Payload>);

/// Calls `f`, and catches its panic.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Caught> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| Caught(Some(payload)))
}

/// Calls `step` until it returns `false`, also after a panic of `step`. Then resumes the first
/// panic, unless another one is unwinding already.
pub(crate) fn until_done(step: &mut dyn FnMut() -> bool) {
    let mut first = None;
    while let Err(panic) = catch(|| while step() {}) {
        first = first.or(Some(panic));
    }
    if let Some(panic) = first.filter(|_| !thread::panicking()) {
        panic.resume();
    }
}

impl Caught {
    /// Returns the payload. Its destructor may panic: the caller must handle that.
    pub(crate) fn into_payload(mut self) -> Payload {
        self.0.take().expect("only the drop takes it before")
    }

    /// Returns a reference to the payload.
    pub(crate) fn payload(&self) -> &(dyn Any + Send) {
        self.0.as_deref().expect("only the drop takes it before")
    }

    /// Resumes the panic.
    pub(crate) fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        let payload = self.0.take();
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // The payload of the second panic may panic in its drop too, and so on: leak it.
            mem::forget(second);
        }
    }
}
