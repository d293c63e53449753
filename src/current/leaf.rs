//! The line of code at which a task waits.
//!
//! An `await` calls `poll` with its own line as the caller. So a leaf future whose `poll` has
//! `#[track_caller]` knows the line of the user that awaits it, and records the line when it is
//! pending. A future of a function, such as `std::future::poll_fn` returns, hides the line: the
//! leaves of this crate are made by [`leaf`] instead.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waits::set_place;

/// A future made of a function that polls; [`leaf`] returns it.
#[must_use = "a future does nothing unless it is awaited"]
pub(crate) struct Leaf<F>(F);

/// Makes a future of a function, as `std::future::poll_fn` does. It records the line that awaits
/// it.
#[inline]
pub(crate) fn leaf<T, F: FnMut(&mut Context<'_>) -> Poll<T>>(poll: F) -> Leaf<F> {
    Leaf(poll)
}

/// Records `place`, if `polled` is pending: for futures that poll others in several steps, and know
/// only the line that made them.
#[inline]
pub(crate) fn awaited_at<T>(place: &'static Location<'static>, polled: Poll<T>) -> Poll<T> {
    if polled.is_pending() {
        set_place(place);
    }
    polled
}

/// The function is called through a reference only, and never pinned.
impl<F> Unpin for Leaf<F> {}

impl<T, F: FnMut(&mut Context<'_>) -> Poll<T>> Future for Leaf<F> {
    type Output = T;

    #[inline]
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        awaited_at(Location::caller(), (self.0)(cx))
    }
}
