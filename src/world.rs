//! L0: a simulated world: virtual time, hosts, a network, and the sockets in it.
//!
//! It is a data structure. It imports nothing of the crate, calls no user code and no waker, and
//! has no thread. The driver makes a host current, runs its loop, and advances the time when no
//! host is runnable. One world a thread.

mod here;
mod skeleton;

mod trace;
mod trace_difference;
mod trace_entry;
mod trace_events;
mod trace_hash;
mod trace_mermaid;
mod trace_record;
mod trace_text;

pub(crate) use self::here::{Here, here, note_registration, ordinal, reset};
#[allow(unused_imports)]
pub(crate) use skeleton::*;

#[cfg(test)]
mod trace_tests;
