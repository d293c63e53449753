//! Queues that count unfinished work: asyncio's `Queue`, `LifoQueue` and `PriorityQueue`.
//!
//! Any number of tasks put and get, all by reference: share a queue in an `Rc`. Waiting tasks are
//! served in the order in which they came, and a future that is dropped while it waits loses no
//! value. The queues work under any executor.
//!
//! | item | what it is |
//! |---|---|
//! | [`Queue`] | a queue: first in, first out |
//! | [`LifoQueue`] | a stack: last in, first out |
//! | [`PriorityQueue`] | a queue that returns its smallest value first |
//! | [`AnyQueue`] | the type of all three, with their methods |
//! | [`QueueStream`] | the values as a stream, made by [`AnyQueue::stream`] |
//! | [`Permit`] | a reserved slot, made by [`AnyQueue::reserve`] |
//! | [`PutError`], [`TryPutError`], [`QueueFull`] | the errors of putting: they return the value |
//! | [`TryGetError`], [`QueueEmpty`], [`QueueClosed`] | the errors of getting |
//!
//! ```
//! use std::rc::Rc;
//! use evloop::queue::Queue;
//!
//! evloop::block_on(async {
//!     let queue = Rc::new(Queue::bounded(2));
//!     for _ in 0..3 {
//!         let queue = queue.clone();
//!         evloop::spawn(async move {
//!             while let Ok(job) = queue.get().await {
//!                 println!("done: {job}");
//!                 queue.task_done();
//!             }
//!         })
//!         .detach();
//!     }
//!     for job in 0..10 {
//!         queue.put(job).await.expect("the queue is open");
//!     }
//!     queue.join().await;
//!     queue.close();
//! });
//! ```

// Layer L4. A queue works under any executor: it uses the budget and the state of this thread, no
// loop.
//
// Invariant: stored values, reserved slots and free slots together are the capacity; a queue with a
// capacity of 0 has as many slots as tasks wait to get. A value is stored until it is taken. A slot
// is reserved by a permit, or by a `put` to which it was assigned. Free slots and values that can
// be got are the permits of two semaphores, which assign them to waiting tasks.

mod any_queue;
mod container;
mod error;
mod get;
mod put;

#[doc(alias = "JoinableQueue")]
#[doc(alias = "SimpleQueue")]
pub use self::any_queue::Queue;
pub use self::any_queue::{AnyQueue, LifoQueue, PriorityQueue};
#[doc(alias = "QueueShutDown")]
pub use self::error::PutError;
#[doc(alias = "QueueShutDown")]
#[doc(alias = "ShutDown")]
pub use self::error::QueueClosed;
pub use self::error::TryGetError::{self, Empty as QueueEmpty};
pub use self::error::TryPutError::{self, Full as QueueFull};
pub use self::get::QueueStream;
pub use self::put::Permit;
