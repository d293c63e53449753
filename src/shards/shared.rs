//! The state that all shards share: their loops, which of them have ended, and their mailboxes.

use std::any::{Any, TypeId};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::runtime::Handle;
use crate::sync::thread_channel::{Receiver, Sender, bounded};
use crate::wait::WakeList;

/// The messages that a mailbox holds before its senders wait: enough for a burst, few enough that a
/// slow receiver is noticed.
const MAILBOX_CAPACITY: usize = 1024;

pub(super) struct Shared {
    pub(super) handles: Vec<Handle>,
    status: Mutex<Status>,
    mailboxes: Mutex<Vec<Mailboxes>>,
}

/// The mailboxes of a receiving shard, one for each type of messages: few.
type Mailboxes = Vec<Box<dyn Any + Send>>;

struct Status {
    shards: Vec<State>,
    is_stopping: bool,
    /// Wakers of receivers that wait for the end of another shard: one for each shard and message
    /// type.
    watchers: Vec<Watcher>,
}

struct Watcher {
    index: usize,
    message: TypeId,
    waker: Waker,
}

enum State {
    /// With the waker of its root future, once that has waited.
    Alive(Option<Waker>),
    Ended,
}

/// The channel of a mailbox.
struct Mailbox<M> {
    sender: Sender<M>,
    /// `None` once the receiving shard has taken it.
    receiver: Option<Receiver<M>>,
}

impl Shared {
    pub(super) fn new(handles: Vec<Handle>) -> Shared {
        let (mut shards, mut mailboxes) = (Vec::new(), Vec::new());
        for _ in &handles {
            shards.push(State::Alive(None));
            mailboxes.push(Mailboxes::new());
        }
        let status = Status { shards, is_stopping: false, watchers: Vec::new() };
        Shared { handles, status: Mutex::new(status), mailboxes: Mutex::new(mailboxes) }
    }

    /// Stops all shards.
    pub(super) fn stop_all(&self) {
        let mut status = self.status();
        status.is_stopping = true;
        let mut roots = WakeList::default();
        roots.extend(status.shards.iter_mut().filter_map(State::take_root_waker));
        drop(status);
        roots.wake();
    }

    /// Completes once the shards are to stop. Called by the root future of the shard `index`.
    pub(super) fn poll_stop(&self, index: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut status = self.status();
        if status.is_stopping {
            return Poll::Ready(());
        }
        // The root future of a loop always has the same waker, one of this crate: cloning it under
        // the lock runs no user code.
        let State::Alive(root) = &mut status.shards[index] else { return Poll::Pending };
        root.get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }

    /// Marks the shard `index` as ended: it can receive no more messages. Returns its mailboxes,
    /// for the caller to drop outside the locks.
    pub(super) fn end(&self, index: usize) -> impl Sized + use<> {
        let mut status = self.status();
        status.shards[index] = State::Ended;
        let watchers = std::mem::take(&mut status.watchers);
        drop(status);
        let mut woken = WakeList::default();
        for watcher in watchers {
            woken.extend(Some(watcher.waker));
        }
        woken.wake();
        std::mem::take(&mut self.mailboxes()[index])
    }

    /// Completes once all shards but `index` have ended. Called by the receiver of messages of the
    /// type `message` there.
    pub(super) fn poll_others_ended(
        &self,
        index: usize,
        message: TypeId,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut status = self.status();
        let mut others = status.shards.iter().enumerate().filter(|(other, _)| *other != index);
        if others.all(|(_, state)| matches!(state, State::Ended)) {
            return Poll::Ready(());
        }
        let mut watchers = status.watchers.iter_mut();
        let own = watchers.find(|watcher| watcher.index == index && watcher.message == message);
        let old = match own {
            Some(watcher) => Some(std::mem::replace(&mut watcher.waker, waker)),
            None => {
                status.watchers.push(Watcher { index, message, waker });
                None
            }
        };
        drop(status);
        drop(old);
        Poll::Pending
    }

    /// Returns the sender of a mailbox; `None` if its shard has ended.
    pub(super) fn sender<M: Send + 'static>(&self, to: usize) -> Option<Sender<M>> {
        self.with_mailbox(to, |mailbox| mailbox.sender.clone())
    }

    /// Returns the receiver of a mailbox, for its own shard, once.
    pub(super) fn take_receiver<M: Send + 'static>(&self, index: usize) -> Option<Receiver<M>> {
        self.with_mailbox(index, |mailbox| mailbox.receiver.take()).flatten()
    }

    fn with_mailbox<M: Send + 'static, T>(
        &self,
        index: usize,
        f: impl FnOnce(&mut Mailbox<M>) -> T,
    ) -> Option<T> {
        let mut mailboxes = self.mailboxes();
        // Checked under the lock: `end` marks the shard before it removes the mailboxes.
        if matches!(self.status().shards[index], State::Ended) {
            return None;
        }
        let own = &mut mailboxes[index];
        if let Some(mailbox) = own.iter_mut().find_map(|mailbox| mailbox.downcast_mut()) {
            return Some(f(mailbox));
        }
        let (sender, receiver) = bounded::<M>(MAILBOX_CAPACITY);
        let mut mailbox = Box::new(Mailbox { sender, receiver: Some(receiver) });
        let returned = f(&mut mailbox);
        own.push(mailbox);
        Some(returned)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mailboxes(&self) -> MutexGuard<'_, Vec<Mailboxes>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_root_waker(&mut self) -> Option<Waker> {
        match self {
            State::Alive(root) => root.take(),
            State::Ended => None,
        }
    }
}
