//! L1: the state that a loop shares with other threads.
//!
//! | file | holds |
//! |---|---|
//! | `beacon`, `recording` | what a loop shows to the thread that watches it |
//! | `no_beacon` | in place of these without the feature `inspect` |
//! | `inbox` | the wakes, calls and requests of other threads to a loop; facts about the loop |
//! | `registry` | finds the inbox of a loop, for wakers |
//! | `pool`, `pool_settings` | the blocking pool: the threads of a loop that run blocking work |

#[cfg_attr(not(feature = "inspect"), path = "threads/no_beacon.rs")]
pub(crate) mod beacon;
mod inbox;
mod pool;
mod pool_settings;
#[cfg(feature = "inspect")]
mod recording;
pub(crate) mod registry;

pub(crate) use self::beacon::{Beacon, Buffer, KnownPlaces, Watch};
#[cfg(feature = "inspect")]
pub(crate) use self::beacon::{LAG_CLASSES, Phase, View, class};
pub(crate) use self::inbox::{Call, Drained, Inbox, LoopInfo};
#[cfg(feature = "inspect")]
pub(crate) use self::pool::start_thread;
pub(crate) use self::pool::{Job, Kind, Pool, is_job_abandoned};
pub(crate) use self::pool_settings::PoolSettings;
#[cfg(feature = "inspect")]
pub(crate) use self::recording::Event;
pub(crate) use self::registry::LoopName;
