//! The place in the code that a panic reports.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// The file and line of the last panic on this thread.
    static PLACE: RefCell<(String, u32)> = RefCell::default();
}

/// Calls a function that panics. Returns the payload, and the file and line that were reported.
pub fn catch(f: impl FnOnce()) -> (Result<(), Box<dyn Any + Send>>, (String, u32)) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let location = info.location().expect("a panic has a location");
            PLACE.set((location.file().into(), location.line()));
            previous(info);
        }));
    });
    let result = catch_unwind(AssertUnwindSafe(f));
    (result, PLACE.take())
}
