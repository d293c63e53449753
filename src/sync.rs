//! L4: passing values between the tasks of one thread, and waiting for each other.
//!
//! Made for one thread: no atomic, no lock, no allocation for a waiter. First come, first served;
//! dropping a future loses nothing. These work under any executor.

mod barrier;
mod blocked;
pub mod broadcast;
mod broadcast_error;
mod condvar;
mod event;
pub mod mpsc;
mod mpsc_error;
mod mpsc_queue;
mod mutex;
mod notify;
pub(crate) mod notify_list;
mod once_cell;
pub mod oneshot;
pub(crate) mod raw_semaphore;
mod rw_lock;
mod semaphore;
mod semaphore_error;
pub mod thread_channel;
mod thread_queue;
pub mod watch;

pub use self::barrier::{Barrier, BarrierWaitResult, BrokenBarrier};
pub use self::condvar::Condvar;
pub use self::event::Event;
pub use self::mutex::{Mutex, MutexGuard, OwnedMutexGuard, TryLockError};
pub use self::notify::{Notified, Notify};
pub use self::once_cell::{OnceCell, SetError};
pub use self::rw_lock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use self::semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
pub use self::semaphore_error::{AcquireError, AddPermitsError, TryAcquireError};
