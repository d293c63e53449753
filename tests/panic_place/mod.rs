//! The place in the code that a panic reports.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, Location, catch_unwind};
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

/// Calls a function that panics with a text. Returns the text, and the file and line that were
/// reported.
pub fn message_and_place(f: impl FnOnce()) -> (String, (String, u32)) {
    let (result, place) = catch(f);
    let message = match result.expect_err("it panics").downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().expect("a text").to_string(),
    };
    (message, place)
}

/// Asserts that `f`, a closure on the line of this call, panics with a message that contains
/// `part`, and that the panic points at that line.
#[track_caller]
pub fn assert_points_here(f: impl FnOnce(), part: &str) {
    let here = Location::caller();
    let (message, place) = message_and_place(f);
    assert!(message.contains(part), "{message}");
    assert_eq!(place, (here.file().to_owned(), here.line()), "{message}");
}
