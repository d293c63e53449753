//! L4: passing values between the tasks of one thread.
//!
//! Made for one thread: no atomic, no lock, no allocation for a waiter. First come, first served;
//! dropping a future loses nothing. These work under any executor.

pub mod mpsc;
mod mpsc_error;
mod mpsc_queue;
pub mod oneshot;
