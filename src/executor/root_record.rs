//! The record of a root: the future of `block_on`, which stays on the caller's stack.

use std::panic::Location;
use std::thread;

use super::header::Header;
use super::run_queue::ROOT;
use super::task_end::TaskEnd;
use super::tasks::Executor;

/// Keeps the record of a root while the root runs. Its drop makes the root's wakers stale.
pub(crate) struct RootRecord<'a>(pub(super) &'a Executor);

impl Executor {
    /// Queues a root, and stores its record until the returned guard is dropped.
    pub(crate) fn begin_root(&self, spawned_at: &'static Location<'static>) -> RootRecord<'_> {
        let header = Header::new(self.ids.next(), spawned_at);
        header
            .waker_id
            .set(self.local_queue.with(|queue| queue.insert_root(self.local_queue.id())));
        // Its description can set a name, but cannot reach the record.
        header.attach();
        self.root_id.set(Some(header.id));
        self.root_returned.set(false);
        self.root.replace(Some(header));
        if self.has_observers() {
            self.observe_spawn_of_root(spawned_at);
        }
        RootRecord(self)
    }
}

impl RootRecord<'_> {
    /// Removes the record of a root that has completed. Resumes the panic of an instrument that
    /// observes the end.
    pub(crate) fn complete(self) {
        let executor = self.0;
        drop(self);
        if let Some(panic) = executor.take_hook_panic() {
            panic.resume();
        }
    }

    fn end(&self) -> TaskEnd {
        if self.0.root_returned.get() {
            TaskEnd::Returned
        } else if thread::panicking() {
            TaskEnd::Panicked
        } else {
            TaskEnd::Cancelled
        }
    }
}

impl Drop for RootRecord<'_> {
    fn drop(&mut self) {
        if self.0.has_observers() {
            self.0.observe_end_of_root(self.end());
        }
        // Dropped after the borrow has ended, as everything that user code may have attached.
        self.0.root_id.set(None);
        let header = self.0.root.replace(None);
        drop(header);
        self.0.local_queue.with(|queue| queue.remove(ROOT));
    }
}
