//! SIGCHLD, for all children of a loop that have no descriptor of their own.
//!
//! The signal does not say whose it is, so each child that is waited for is looked at. Invariant:
//! who waits has found its child alive before, and every signal after that wakes it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::rc::{Rc, Weak};
use std::task::{self, Poll};

use crate::context::Context;
use crate::current::{self, WaitsFor};
use crate::info::Birth;
use crate::join::JoinHandle;
use crate::signal::{self, Listener, SignalKind};
use crate::source::WaiterKey;
use crate::waiters::Waiters;
use crate::woken::Woken;

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
        let listener = signal::unix(SignalKind::child())?;
        let birth = Birth { name: Some("SIGCHLD".into()), ..Birth::here() };
        let task = context.executor.spawn(listen(listener, waiting.clone()), birth);
        let shared = Rc::new(ChildSignal { waiting, listening: task.abort_on_drop(), home });
        SHARED.set(Rc::downgrade(&shared));
        Ok(shared)
    }

    /// Wakes the task at the next SIGCHLD.
    pub(super) fn poll_wait<T>(
        &self,
        cx: &mut task::Context<'_>,
        place: &mut WaiterKey,
    ) -> Poll<io::Result<T>> {
        if self.listening.is_finished() {
            let sentence = "the event loop in which the child was started has ended";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, sentence)));
        }
        self.waiting.wait(place, cx.waker());
        current::pending(WaitsFor::Io)
    }

    pub(super) fn leave(&self, place: &mut WaiterKey) {
        self.waiting.leave(place);
    }
}

async fn listen(mut listener: Listener, waiting: Rc<Waiters>) {
    let mut woken = VecDeque::new();
    while listener.recv().await.is_ok() {
        waiting.take_wakers(&mut woken);
        Woken::from(mem::take(&mut woken)).wake();
    }
}
