//! L1: how futures wait for each other, and how they are woken.
//!
//! | file | holds |
//! |---|---|
//! | `wait_queue` | the futures that wait for one thing, first in first out |
//! | `wake_list` | wakers to wake once nothing is borrowed; the slot of a single waker |

mod wait_queue;
mod wake_list;

pub(crate) use self::wait_queue::{WaitKey, WaitQueue, WaiterList};
pub(crate) use self::wake_list::{WakeList, keep, wake};
