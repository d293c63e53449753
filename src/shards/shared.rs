//! What all shards share: their loops, who is left of them, and their mailboxes.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::runtime::Handle;
use crate::sync::thread_channel::{Receiver, Sender, bounded};
use crate::wait::WakeList;

/// Messages that a mailbox holds before its senders wait: enough for a burst, few enough to notice
/// a receiver that does not keep up.
const MAILBOX_CAPACITY: usize = 1024;

pub(super) struct Shared {
    pub(super) handles: Vec<Handle>,
    life: Mutex<Life>,
    mailboxes: Mutex<Mailboxes>,
}

/// By the type of the messages and the shard that receives them.
type Mailboxes = BTreeMap<(TypeId, usize), Box<dyn Any + Send>>;

struct Life {
    shards: Vec<State>,
    is_stopping: bool,
    /// Who wants to know when another shard ends: for each shard and type one who receives.
    watchers: BTreeMap<(usize, TypeId), Waker>,
}

enum State {
    /// With the waker of its root, once that has waited.
    Alive(Option<Waker>),
    Ended,
}

/// The ends of a mailbox.
struct Mailbox<M> {
    sender: Sender<M>,
    /// Until the shard that it belongs to has taken it.
    receiver: Option<Receiver<M>>,
}

impl Shared {
    pub(super) fn new(handles: Vec<Handle>) -> Shared {
        let shards = handles.iter().map(|_| State::Alive(None)).collect();
        let life = Life { shards, is_stopping: false, watchers: BTreeMap::new() };
        Shared { handles, life: Mutex::new(life), mailboxes: Mutex::default() }
    }

    /// Stops all shards.
    pub(super) fn stop_all(&self) {
        let mut life = self.life();
        life.is_stopping = true;
        let mut roots = WakeList::default();
        roots.extend(life.shards.iter_mut().filter_map(State::take_root));
        drop(life);
        roots.wake();
    }

    /// Completes once the shards are to stop; called by the root of the shard `index`.
    pub(super) fn poll_stop(&self, index: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut life = self.life();
        if life.is_stopping {
            return Poll::Ready(());
        }
        // The root of a loop always has the same waker, one of ours: cloning it runs nothing.
        let State::Alive(root) = &mut life.shards[index] else { return Poll::Pending };
        root.get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }

    /// The shard `index` has ended: nothing can be sent to it any more. Returns its mailboxes, to
    /// be dropped outside of the locks.
    pub(super) fn end(&self, index: usize) -> impl Sized + use<> {
        let mut life = self.life();
        life.shards[index] = State::Ended;
        let watchers = std::mem::take(&mut life.watchers);
        drop(life);
        let mut woken = WakeList::default();
        woken.extend(watchers.into_values());
        woken.wake();
        let mut mailboxes = self.mailboxes();
        let all = std::mem::take(&mut *mailboxes).into_iter();
        let (own, others): (Mailboxes, _) = all.partition(|((_, receiver), _)| *receiver == index);
        *mailboxes = others;
        own
    }

    /// Completes once all shards but `index` have ended; called by who receives messages of the
    /// type `message` there.
    pub(super) fn poll_alone(
        &self,
        index: usize,
        message: TypeId,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut life = self.life();
        let mut others = life.shards.iter().enumerate().filter(|(other, _)| *other != index);
        if others.all(|(_, state)| matches!(state, State::Ended)) {
            return Poll::Ready(());
        }
        let old = life.watchers.insert((index, message), waker);
        drop(life);
        drop(old);
        Poll::Pending
    }

    /// The way into a mailbox; `None` if its shard has ended.
    pub(super) fn sender<M: Send + 'static>(&self, to: usize) -> Option<Sender<M>> {
        self.with_mailbox(to, |mailbox| mailbox.sender.clone())
    }

    /// The way out of a mailbox, for the shard that it belongs to.
    pub(super) fn take_receiver<M: Send + 'static>(&self, index: usize) -> Option<Receiver<M>> {
        self.with_mailbox(index, |mailbox| mailbox.receiver.take()).flatten()
    }

    fn with_mailbox<M: Send + 'static, T>(
        &self,
        index: usize,
        f: impl FnOnce(&mut Mailbox<M>) -> T,
    ) -> Option<T> {
        let mut mailboxes = self.mailboxes();
        // Asked under the lock: `end` marks the shard before it takes the mailboxes away.
        if matches!(self.life().shards[index], State::Ended) {
            return None;
        }
        let mailbox = mailboxes.entry((TypeId::of::<M>(), index)).or_insert_with(|| {
            let (sender, receiver) = bounded::<M>(MAILBOX_CAPACITY);
            Box::new(Mailbox { sender, receiver: Some(receiver) })
        });
        mailbox.downcast_mut().map(f)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mailboxes(&self) -> MutexGuard<'_, Mailboxes> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_root(&mut self) -> Option<Waker> {
        match self {
            State::Alive(root) => root.take(),
            State::Ended => None,
        }
    }
}
