//! L1: waiting futures and their wakers.
//!
//! | file | holds |
//! |---|---|
//! | `wait_queue` | the futures that wait for one event, first in first out |
//! | `wake_list` | wakers to wake after all borrows have ended; the slot of a single waker |

mod wait_queue;
mod wake_list;

pub(crate) use self::wait_queue::{WaitKey, WaitQueue, WaiterList};
pub(crate) use self::wake_list::{WakeList, store_waker, wake};
