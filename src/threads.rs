//! L1: what this loop and other threads share.
//!
//! | file | holds |
//! |---|---|
//! | `inbox` | the wakes and calls that other threads send to a loop |
//! | `pool` | the threads of a loop that run blocking work |

pub(crate) mod inbox;
mod pool;

pub(crate) use self::inbox::{Call, Drained, Inbox};
pub(crate) use self::pool::{Job, Kind, Pool};
