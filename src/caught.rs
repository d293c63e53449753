//! L0: panics that were caught.
//!
//! The payload of a panic is a value of user code, and its destructor may panic too. Invariant:
//! dropping a caught panic never panics. So whoever catches one may drop it anywhere, also while
//! another panic unwinds.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// A panic that was caught.
pub(crate) struct Caught(Option<Payload>);

/// Calls `f`, and catches its panic.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Caught> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| Caught(Some(payload)))
}

/// Calls `step` until it returns `false`, also after it has panicked. Then the first panic goes on,
/// unless another one unwinds already.
pub(crate) fn until_done(mut step: impl FnMut() -> bool) {
    let mut first = None;
    while let Err(panic) = catch(|| while step() {}) {
        first = first.or(Some(panic));
    }
    if let Some(panic) = first.filter(|_| !thread::panicking()) {
        panic.resume();
    }
}

impl Caught {
    /// The payload, whose destructor is then the caller's concern.
    pub(crate) fn into_payload(mut self) -> Payload {
        self.0.take().expect("only the drop takes it before")
    }

    /// The payload, to be looked at.
    pub(crate) fn payload(&self) -> &(dyn Any + Send) {
        self.0.as_deref().expect("only the drop takes it before")
    }

    /// Lets the panic go on.
    pub(crate) fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        let payload = self.0.take();
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // It may be of the same type, and so on for ever: this one is leaked.
            mem::forget(second);
        }
    }
}
