//! A `Waker` that is an integer.
//!
//! Its data pointer is never dereferenced: it *is* the [`WakerId`]. So cloning and dropping do
//! nothing; a waker may outlive its task, its loop and its thread; any thread may wake it.

use std::mem;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::local_queue;
use crate::current::WakerId;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, ignore);

/// Returns the waker of the task that `id` names.
#[allow(unsafe_code)]
pub(crate) fn waker(id: WakerId) -> Waker {
    // SAFETY: the functions of VTABLE keep RawWaker's contract for any data: they dereference no
    // pointer, and `local_queue::wake` may be called on every thread at any time.
    unsafe { Waker::new(ptr::without_provenance(id.word()), &VTABLE) }
}

/// Returns the task that `waker` wakes, if it is a waker of this crate.
pub(crate) fn woken_by(waker: &Waker) -> Option<WakerId> {
    ptr::eq(waker.vtable(), &VTABLE).then(|| WakerId::from_word(waker.data().addr()))
}

/// Wakes the task of a waker of this crate, if it belongs to the loop that is in a turn on this
/// thread. Returns the waker otherwise, or if the wake would run user code.
pub(crate) fn wake_task(waker: Waker) -> Option<Waker> {
    let id = woken_by(&waker).filter(|id| local_queue::wake_local(*id));
    if id.is_none() {
        return Some(waker);
    }
    // Dropping it would do nothing: this saves the call through the vtable.
    mem::forget(waker);
    None
}

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    local_queue::wake(WakerId::from_word(data.addr()));
}

fn ignore(_: *const ()) {}
