//! L1: the state that a loop shares with other threads.
//!
//! | file | holds |
//! |---|---|
//! | `inbox` | the wakes and calls that other threads send to a loop |
//! | `pool` | the blocking pool: the threads of a loop that run blocking work |

pub(crate) mod inbox;
mod pool;

pub(crate) use self::inbox::{Call, Drained, Inbox};
pub(crate) use self::pool::{Job, Kind, Pool};
