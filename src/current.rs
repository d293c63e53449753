//! L0: the state of the current thread.
//!
//! | file | holds |
//! |---|---|
//! | `state` | the running loop, its running task |
//! | `budget` | how many results the running poll may still take |
//! | `debug` | whether debug mode is on |
//! | `leaf` | futures that know the line that awaits them |
//! | `locks` | which task holds a lock, and which waits for it |
//! | `read_buffer` | the buffer that all reads of the thread share |
//! | `starved` | which tasks the budget has refused, how many of their leaves skip |
//! | `task_id` | the number of a task, never reused |
//! | `waits` | what the running task waits for, and at which line |
//! | `waker_id` | the parts of a waker: loop, generation, slot |

pub(crate) mod budget;
pub(crate) mod debug;
mod leaf;
pub(crate) mod locks;
pub(crate) mod read_buffer;
mod starved;
mod state;
mod task_id;
mod waits;
mod waker_id;

pub(crate) use self::budget::Grace;
pub(crate) use self::leaf::{awaited_at, leaf};
#[cfg(all(feature = "tokio", unix, not(mio_unsupported_force_poll_poll)))]
pub(crate) use self::state::begin_hosting;
pub(crate) use self::state::{
    Outer, OuterPart, begin_other, begin_part, begin_root, begin_task, begin_turn, depth, end_task,
    is_running, loop_id, task,
};
pub use self::task_id::TaskId;
pub(crate) use self::task_id::{TaskIds, TaskMap};
pub use self::waits::WaitsFor;
pub(crate) use self::waits::{Place, Waits, get as waits, pending};
pub(crate) use self::waker_id::{LOOPS_MAX, LoopId, SLOT_MAX, WakerId};
