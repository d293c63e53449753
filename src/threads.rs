//! L1: the state that a loop shares with other threads.
//!
//! | file | holds |
//! |---|---|
//! | `inbox` | the wakes and calls that other threads send to a loop |
//! | `loop_info` | the facts about a loop that its handles report |
//! | `pool`, `pool_settings` | the blocking pool: the threads of a loop that run blocking work |

pub(crate) mod inbox;
mod loop_info;
mod pool;
mod pool_settings;

pub(crate) use self::inbox::{Call, Drained, Inbox};
pub(crate) use self::loop_info::LoopInfo;
pub(crate) use self::pool::{Job, Kind, Pool, is_job_abandoned};
pub(crate) use self::pool_settings::PoolSettings;
