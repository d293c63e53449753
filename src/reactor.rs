//! The I/O side of the loop: the selector, the registered I/O objects, the timers. Layer L2.
//!
//! | file | holds |
//! |---|---|
//! | `selector` | `Reactor`: waits for events; holds the registered sources |
//! | `poll` | the selector: calls `mio::Poll`, or asks a simulated world |
//! | `socket` | an I/O object and its registration |
//! | `source` | the readiness of one I/O object; every operation goes through `Source::poll_io` |
//! | `waiter` | the futures that wait for a source; the waiters of `poll_` methods |
//! | `waiters` | the tasks that wait for one direction of a source |
//! | `scan` | looking at timers and sources in pieces, and at the wakers that they will wake |
//! | `timers` | sets, cancels and fires the timers of a loop |
//! | `timer_nodes` | the memory of the deadlines |
//! | `timer_wheel` | the deadlines, in a hierarchical timing wheel |

mod poll;
mod scan;
mod selector;
mod socket;
mod source;
mod timer_nodes;
mod timer_wheel;
mod timers;
mod waiter;
mod waiters;

pub(crate) use self::selector::Reactor;
pub(crate) use self::socket::Socket;
pub(crate) use self::source::{Direction, Done, Readiness, Source};
pub(crate) use self::timer_wheel::TimerKey;
pub(crate) use self::waiter::Waiter;
pub(crate) use self::waiters::{WaiterKey, Waiters};
