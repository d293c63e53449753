//! L4: queues with a count of unfinished work: asyncio's `Queue`, `LifoQueue`, `PriorityQueue`.
//!
//! Many put, many get, all by reference: share a queue in an `Rc`. Whoever waits is served first
//! come, first served, and whoever is dropped while it waits loses nothing. They work under any
//! executor.
//!
//! ```
//! use std::rc::Rc;
//! use evloop::queue::Queue;
//!
//! evloop::block_on(async {
//!     let queue = Rc::new(Queue::bounded(2));
//!     for _ in 0..3 {
//!         let queue = queue.clone();
//!         drop(evloop::spawn(async move {
//!             while let Ok(job) = queue.get().await {
//!                 println!("done: {job}");
//!                 queue.task_done();
//!             }
//!         }));
//!     }
//!     for job in 0..10 {
//!         queue.put(job).await.expect("nobody closes it yet");
//!     }
//!     queue.join().await;
//!     queue.close();
//! });
//! ```
//!
//! Invariant: values, kept slots and free slots together are the capacity, where a value is in the
//! container until it is taken, and a slot is kept by a permit or by a `put` that was chosen. A
//! free slot may be filled by whom it is given to, a value be got: both are given out as the
//! permits of a semaphore are.

mod any_queue;
mod container;
mod error;

pub use self::any_queue::{AnyQueue, LifoQueue, Permit, PriorityQueue, Queue};
pub use self::error::TryGetError::{self, Empty as QueueEmpty};
pub use self::error::TryPutError::{self, Full as QueueFull};
pub use self::error::{PutError, QueueClosed};
