//! SIGCHLD, for all children of a loop that have no descriptor of their own.
//!
//! The signal does not say whose it is, so each child that is waited for is looked at. Invariant:
//! who waits has found its child alive before, and every signal after that wakes it.
//!
//! A process that ignores SIGCHLD gets none: there, a timer takes its place. A handler would stay,
//! and the system, which reaps the children of such a process by itself, would leave zombies.

use std::cell::RefCell;
use std::collections::VecDeque;
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

/// How often children are looked at where no signal comes: late enough to cost nothing, soon enough
/// for a person who waits.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Tells of each SIGCHLD.
pub(super) struct ChildSignal {
    waiting: Rc<Waiters>,
    /// The task that listens, for as long as this lives.
    listening: JoinHandle<()>,
    home: Weak<Context>,
}

thread_local! {
    /// Of the loop that last needed one.
    static SHARED: RefCell<Weak<ChildSignal>> = const { RefCell::new(Weak::new()) };
}

impl ChildSignal {
    /// The loop's. Its children share it, and it ends with the last of them.
    pub(super) fn of(context: &Rc<Context>) -> io::Result<Rc<ChildSignal>> {
        let home = Rc::downgrade(context);
        let shared = SHARED.with_borrow(Weak::upgrade);
        if let Some(shared) = shared.filter(|shared| shared.home.ptr_eq(&home)) {
            return Ok(shared);
        }
        let waiting = Rc::new(Waiters::default());
        let kind = SignalKind::child();
        let listener = (!signal::is_ignored(kind)).then(|| signal::unix(kind)).transpose()?;
        let options = SpawnOptions { name: Some("SIGCHLD".into()), ..SpawnOptions::here() };
        let task = context.executor.spawn(listen(listener, waiting.clone()), options);
        let shared = Rc::new(ChildSignal { waiting, listening: task.abort_on_drop(), home });
        SHARED.set(Rc::downgrade(&shared));
        Ok(shared)
    }

    /// Wakes the task at the next SIGCHLD.
    pub(super) fn poll_wait<T>(
        &self,
        cx: &mut task::Context<'_>,
        waiter: &mut WaiterKey,
    ) -> Poll<io::Result<T>> {
        if self.listening.is_finished() {
            let sentence = "the event loop in which the child was started has ended";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, sentence)));
        }
        self.waiting.wait(waiter, cx.waker());
        current::pending(WaitsFor::Io)
    }

    pub(super) fn leave(&self, waiter: &mut WaiterKey) {
        self.waiting.leave(waiter);
    }
}

async fn listen(mut listener: Option<Listener>, waiting: Rc<Waiters>) {
    let mut woken = VecDeque::new();
    while next(&mut listener).await.is_ok() {
        waiting.take_wakers(&mut woken);
        WakeList::from(mem::take(&mut woken)).wake();
    }
}

/// Waits until a child may have ended.
async fn next(listener: &mut Option<Listener>) -> io::Result<()> {
    match listener {
        Some(listener) => listener.recv().await,
        None => {
            sleep(LOOK_AGAIN).await;
            Ok(())
        }
    }
}
