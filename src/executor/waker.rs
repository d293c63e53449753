//! A `Waker` that is an integer.
//!
//! Its data pointer is never followed: it *is* the [`WakerId`]. So cloning and dropping do nothing,
//! a waker may outlive its task, its loop and its thread, and waking is right from anywhere.

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::local_queue;
use crate::current::WakerId;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, ignore);

/// The waker of the task that `id` names.
#[allow(unsafe_code)]
pub(crate) fn waker(id: WakerId) -> Waker {
    // SAFETY: the functions of VTABLE keep RawWaker's contract for any data at all: they follow no
    // pointer, and `local_queue::wake` may be called on every thread at every time.
    unsafe { Waker::new(ptr::without_provenance(id.word()), &VTABLE) }
}

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    local_queue::wake(WakerId::from_word(data.addr()));
}

fn ignore(_: *const ()) {}
