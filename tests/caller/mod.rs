//! Where a panic points.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// The file and line of the last panic of this thread.
    static PLACE: Cell<Option<(String, u32)>> = const { Cell::new(None) };
}

/// Asserts that `f`, a closure on the line of this call, panics with a message that contains
/// `part`, and that the panic points at that line.
#[track_caller]
pub fn assert_points_here(f: impl FnOnce(), part: &str) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = take_hook();
        set_hook(Box::new(move |info| {
            let place = info.location().map(|place| (place.file().to_owned(), place.line()));
            PLACE.set(place);
            next(info);
        }));
    });
    let here = Location::caller();
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().unwrap().to_string(),
    };
    assert!(message.contains(part), "{message}");
    assert_eq!(PLACE.take(), Some((here.file().to_owned(), here.line())), "{message}");
}
