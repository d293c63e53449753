//! SIGCHLD, for the children of a loop that have no pidfd.
//!
//! The signal does not name a process, so it wakes every task that waits for a child, and each task
//! checks its own child. Invariant: a task registers after it has found its child alive, and every
//! later signal wakes it.
//!
//! A process that ignores SIGCHLD receives none: a timer replaces the signal there. A handler would
//! stay installed, and the system would then leave zombies instead of reaping the children itself.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::rc::{Rc, Weak};
use std::task::{self, Poll};
use std::time::Duration;

use crate::context::Context;
use crate::current::{self, WaitsFor};
use crate::executor::{JoinHandle, SpawnOptions};
use crate::reactor::{WaiterKey, Waiters};
use crate::signal::{self, Listener, SignalKind};
use crate::time::sleep;
use crate::wait::WakeList;

/// The interval of checking the children where SIGCHLD is ignored: long enough to cost nothing,
/// short enough for an interactive program.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Wakes tasks at each SIGCHLD.
pub(super) struct ChildSignal {
    waiters: Rc<Waiters>,
    /// The task that receives the signal. It is aborted when this is dropped.
    listener_task: JoinHandle<()>,
    home: Weak<Context>,
}

thread_local! {
    /// The one of the loop that used one last.
    static SHARED: RefCell<Weak<ChildSignal>> = const { RefCell::new(Weak::new()) };
}

impl ChildSignal {
    /// Returns the one of the loop. The children of the loop share it, and the last of them drops
    /// it.
    pub(super) fn of(context: &Rc<Context>) -> io::Result<Rc<ChildSignal>> {
        let home = Rc::downgrade(context);
        let shared = SHARED.with_borrow(Weak::upgrade);
        if let Some(shared) = shared.filter(|shared| shared.home.ptr_eq(&home)) {
            return Ok(shared);
        }
        let waiters = Rc::new(Waiters::default());
        let kind = SignalKind::child();
        let listener = (!signal::is_ignored(kind)).then(|| signal::unix(kind)).transpose()?;
        let options = SpawnOptions { name: Some("SIGCHLD".into()), ..SpawnOptions::here() };
        let task = context.executor.spawn_boxed(listen(listener, waiters.clone()), options);
        let shared = Rc::new(ChildSignal { waiters, listener_task: task.abort_on_drop(), home });
        SHARED.set(Rc::downgrade(&shared));
        Ok(shared)
    }

    /// Registers the task to be woken at the next SIGCHLD.
    pub(super) fn poll_wait<T>(
        &self,
        cx: &mut task::Context<'_>,
        waiter: &mut WaiterKey,
    ) -> Poll<io::Result<T>> {
        if self.listener_task.is_finished() {
            let sentence = "the event loop in which the child was started has ended";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, sentence)));
        }
        self.waiters.wait(waiter, cx.waker());
        current::pending(WaitsFor::Io)
    }

    /// Removes the waiter.
    pub(super) fn deregister(&self, waiter: &mut WaiterKey) {
        self.waiters.deregister(waiter);
    }
}

async fn listen(mut listener: Option<Listener>, waiters: Rc<Waiters>) {
    let mut woken = Vec::new();
    while next(&mut listener).await.is_ok() {
        // Taken first, woken afterwards: a waker is user code and may register again.
        waiters.take_wakers(&mut woken);
        WakeList::from(mem::take(&mut woken)).wake();
    }
}

/// Waits until a child may have ended.
async fn next(listener: &mut Option<Listener>) -> io::Result<()> {
    match listener {
        Some(listener) => listener.recv().await,
        None => {
            sleep(CHECK_INTERVAL).await;
            Ok(())
        }
    }
}
