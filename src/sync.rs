//! Locks, events and channels for the tasks of one thread.
//!
//! | item | use it to |
//! |---|---|
//! | [`Mutex`] | let one task at a time use a value, also across an `await` |
//! | [`RwLock`] | let many tasks read a value, or one task change it |
//! | [`Semaphore`] | limit how many tasks do something at a time |
//! | [`Event`] | let tasks wait until a flag is set |
//! | [`Notify`] | wake one waiting task, or all of them |
//! | [`Condvar`] | wait until the value in a [`Mutex`] has changed |
//! | [`Barrier`] | let a number of tasks continue together |
//! | [`OnceCell`] | set a value once, by the first task that needs it |
//! | [`Shared`] | wait for one result in many tasks |
//! | [`CapacityLimiter`] | limit how many borrowers do something, each once |
//! | [`CancellationToken`] | request tasks to stop |
//! | [`oneshot`] | send one value to one receiver |
//! | [`mpsc`] | send values from many senders to one receiver |
//! | [`broadcast`] | send every value to every receiver |
//! | [`watch`] | let many receivers see the newest value |
//! | [`thread_channel`] | send values between threads |
//!
//! What a completed wait returns:
//!
//! | wait | result |
//! |---|---|
//! | [`Mutex::lock`], [`Mutex::lock_owned`] | [`MutexGuard`], [`OwnedMutexGuard`] |
//! | [`MutexGuard::map`] | [`MappedMutexGuard`] |
//! | [`RwLock::read`], [`RwLock::read_owned`] | [`RwLockReadGuard`], [`OwnedRwLockReadGuard`] |
//! | [`RwLock::write`], [`RwLock::write_owned`] | [`RwLockWriteGuard`], [`OwnedRwLockWriteGuard`] |
//! | [`RwLock::upgradable_read`] | [`RwLockUpgradableReadGuard`] |
//! | [`RwLockWriteGuard::map`] | [`RwLockMappedWriteGuard`] |
//! | [`Semaphore::acquire`] | [`SemaphorePermit`] |
//! | [`Semaphore::acquire_owned`] | [`OwnedSemaphorePermit`] |
//! | [`CapacityLimiter::acquire`] | [`CapacityToken`] |
//! | [`Barrier::wait`] | [`BarrierWaitResult`] |
//!
//! [`Notify::notified`] and [`Notify::notified_owned`] return their futures as named types,
//! [`Notified`] and [`OwnedNotified`].
//!
//! [`queue`](crate::queue) has queues with many receivers, and
//! [`ReentrantMutex`](crate::task::ReentrantMutex) is a mutex that its owner can lock again.
//!
//! All but [`thread_channel`] are made for one thread: they use no atomic and no lock. A waiting
//! future allocates nothing once the wait queue has its memory. Waiting tasks are served first
//! come, first served. Each future is cancel safe: its documentation says what a drop loses. These
//! types work under any executor.
//!
//! ```
//! use std::rc::Rc;
//! use evloop::sync::{Event, Mutex, mpsc};
//!
//! evloop::block_on(async {
//!     let (total, start) = (Rc::new(Mutex::new(0)), Rc::new(Event::new()));
//!     let (sender, mut done) = mpsc::unbounded();
//!     for n in 1..=3 {
//!         let (total, start, sender) = (total.clone(), start.clone(), sender.clone());
//!         evloop::spawn(async move {
//!             start.wait().await;
//!             *total.lock().await += n;
//!             sender.send(n).unwrap();
//!         });
//!     }
//!     drop(sender);
//!     start.set();
//!     while done.recv().await.is_some() {}
//!     assert_eq!(*total.lock().await, 6);
//! });
//! ```
//!
//! # Errors
//!
//! | error | reported by |
//! |---|---|
//! | [`TryLockError`] | the `try_` methods of [`Mutex`] and [`RwLock`] |
//! | [`AcquireError`], [`TryAcquireError`], [`AddPermitsError`] | [`Semaphore`] |
//! | [`BrokenBarrier`] | [`Barrier::wait`] |
//! | [`SetError`] | [`OnceCell::set`] |
//! | [`AlreadyBorrowed`], [`TryBorrowError`] | [`CapacityLimiter`] |
//! | [`NeverSet`] | [`Shared::wait`] |
//!
//! Each converts into an [`io::Error`](std::io::Error), as do the errors of the channels. An error
//! that holds a value converts if the value is `Send` and `Sync`.

// Layer 4. The wait queues and the waker slots are in `wait`.
//
// | private file | holds |
// |---|---|
// | `raw_semaphore` | permits: the base of the locks, the semaphore, the cell and the queues |
// | `notify_list` | notifications: the base of `Notify`, `Event`, `Condvar`, `Barrier`, `watch` |
// | `mpsc_queue`, `thread_queue`, `broadcast_queue`, `watch_value` | the state of a channel |
// | `channel_slots` | the capacity of the channels with many senders and one receiver |
// | `blocked` | a thread that blocks until a future completes |
//
// Invariant: no user code (a waker, a destructor) runs while a cell is borrowed or a lock is held.

mod barrier;
mod blocked;
pub mod broadcast;
mod broadcast_error;
mod broadcast_queue;
mod broadcast_receiver;
mod broadcast_sender;
mod cancellation_token;
mod capacity_limiter;
mod channel_slots;
mod condvar;
mod event;
mod mapped_guard;
pub mod mpsc;
mod mpsc_error;
mod mpsc_permit;
mod mpsc_queue;
mod mpsc_receiver;
mod mpsc_reserve;
mod mpsc_sender;
mod mpsc_unbounded;
mod mpsc_weak;
mod mutex;
mod notify;
pub(crate) mod notify_list;
mod once_cell;
pub mod oneshot;
pub(crate) mod raw_semaphore;
mod rw_lock;
mod rw_lock_guard;
mod semaphore;
mod semaphore_error;
mod shared;
pub mod thread_channel;
mod thread_permit;
mod thread_queue;
mod thread_receiver;
mod thread_reserve;
mod thread_sender;
mod thread_unbounded;
mod thread_weak;
pub mod watch;
mod watch_receiver;
mod watch_sender;
mod watch_value;

#[doc(alias = "BrokenBarrierError")]
pub use self::barrier::BrokenBarrier;
pub use self::barrier::{Barrier, BarrierWaitResult};
#[doc(alias = "CancelScope")]
pub use self::cancellation_token::CancellationToken;
pub use self::cancellation_token::DropGuard;
pub use self::capacity_limiter::{AlreadyBorrowed, CapacityLimiter, CapacityToken, TryBorrowError};
#[doc(alias = "Condition")]
pub use self::condvar::Condvar;
pub use self::event::Event;
pub use self::mapped_guard::{MappedGuard, MappedMutexGuard, RwLockMappedWriteGuard};
#[doc(alias = "Lock")]
#[doc(alias = "StrictFIFOLock")]
pub use self::mutex::Mutex;
pub use self::mutex::MutexGuard;
#[doc(alias = "MutexGuardArc")]
#[doc(alias = "OwnedMappedMutexGuard")]
pub use self::mutex::OwnedMutexGuard;
#[doc(alias = "WouldBlock")]
pub use self::mutex::TryLockError;
#[doc(alias = "ParkingLot")]
pub use self::notify::Notify;
pub use self::notify::{Notified, OwnedNotified};
#[doc(alias = "SetOnce")]
pub use self::once_cell::OnceCell;
#[doc(alias = "SetOnceError")]
pub use self::once_cell::SetError;
#[doc(alias = "RwLockReadGuardArc")]
pub use self::rw_lock::OwnedRwLockReadGuard;
#[doc(alias = "RwLockWriteGuardArc")]
#[doc(alias = "OwnedRwLockMappedWriteGuard")]
pub use self::rw_lock::OwnedRwLockWriteGuard;
pub use self::rw_lock::RwLock;
pub use self::rw_lock_guard::{RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard};
#[doc(alias = "SemaphoreGuardArc")]
pub use self::semaphore::OwnedSemaphorePermit;
#[doc(alias = "BoundedSemaphore")]
pub use self::semaphore::Semaphore;
#[doc(alias = "SemaphoreGuard")]
pub use self::semaphore::SemaphorePermit;
pub use self::semaphore_error::{AcquireError, AddPermitsError, TryAcquireError};
#[doc(alias = "AsyncResult")]
#[doc(alias = "Future")]
pub use self::shared::Shared;
pub use self::shared::{NeverSet, SharedSetter};
