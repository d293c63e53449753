//! L1: the state that a loop shares with other threads.
//!
//! | file | holds |
//! |---|---|
//! | `beacon`, `recording` | what a loop shows to the thread that watches it |
//! | `inbox` | the wakes, calls and requests of other threads to a loop; facts about the loop |
//! | `registry` | finds the inbox of a loop, for wakers |
//! | `pool`, `pool_settings` | the blocking pool: the threads of a loop that run blocking work |

pub(crate) mod beacon;
mod inbox;
mod pool;
mod pool_settings;
mod recording;
pub(crate) mod registry;

pub(crate) use self::beacon::{Beacon, KnownPlaces, LAG_CLASSES, Phase, View, Watch, class, shown};
pub(crate) use self::inbox::{Call, Drained, Inbox, LoopInfo};
pub(crate) use self::pool::{Job, Kind, Pool, is_job_abandoned};
pub(crate) use self::pool_settings::PoolSettings;
pub(crate) use self::recording::{Buffer, Event};
pub(crate) use self::registry::LoopName;
