//! Messages between shards.

use std::any::TypeId;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};

use super::shared::Shared;
use crate::sync::Mutex;
use crate::sync::thread_channel::{Receiver, SendError, Sender};

/// A shard's mailbox for messages of type `M`: sends to all shards, receives from all; returned by
/// [`Shard::mailbox`](super::Shard::mailbox). Clones share the mailbox.
///
/// A mailbox holds 1024 messages. While it is full, senders to it wait. So shards that send to each
/// other should receive in another task than the one that sends; otherwise all of them may wait
/// forever.
pub struct Mailbox<M>(Rc<Inner<M>>);

pub(super) struct Inner<M> {
    shared: Arc<Shared>,
    index: usize,
    /// By shard; `None` if the shard had already ended.
    senders: Vec<Option<Sender<M>>>,
    /// `None` if this shard has ended.
    receiver: Option<Mutex<Receiver<M>>>,
}

impl<M: Send + 'static> Inner<M> {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Inner<M> {
        let senders = (0..shared.handles.len()).map(|to| shared.sender(to)).collect();
        let receiver = shared.take_receiver(index).map(Mutex::new);
        Inner { shared, index, senders, receiver }
    }
}

impl<M: Send + 'static> Mailbox<M> {
    pub(super) fn new(inner: Rc<Inner<M>>) -> Mailbox<M> {
        Mailbox(inner)
    }

    /// Sends a message to the shard `to`, which may be this one. Messages from one shard to another
    /// arrive in the order in which they were sent. Waits while the mailbox of `to` is full.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the message if that shard has ended.
    ///
    /// # Panics
    ///
    /// If there is no shard `to`.
    ///
    /// # Cancel safety
    ///
    /// A message that was not sent is dropped with the future.
    pub async fn send(&self, to: usize, message: M) -> Result<(), SendError<M>> {
        let count = self.0.senders.len();
        assert!(to < count, "there is no shard {to}: there are {count}");
        match &self.0.senders[to] {
            Some(sender) => sender.send(message).await,
            None => Err(SendError(message)),
        }
    }

    /// Waits for the next message to this shard. Several waiting tasks receive messages in the
    /// order in which they began to wait. Returns `None` once all other shards have ended and no
    /// message is left.
    ///
    /// # Cancel safety
    ///
    /// No message is lost.
    pub async fn recv(&self) -> Option<M> {
        let Inner { shared, index, receiver, .. } = &*self.0;
        let mut receiver = receiver.as_ref()?.lock().await;
        poll_fn(|cx| {
            if let Poll::Ready(message) = receiver.poll_recv(cx) {
                return Poll::Ready(message);
            }
            ready!(shared.poll_others_ended(*index, TypeId::of::<M>(), cx));
            // The last other shard may have sent a message after the receiver was polled and before
            // it ended.
            Poll::Ready(receiver.try_recv().ok())
        })
        .await
    }
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Mailbox<M> {
        Mailbox(self.0.clone())
    }
}

impl<M> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("index", &self.0.index).finish_non_exhaustive()
    }
}
