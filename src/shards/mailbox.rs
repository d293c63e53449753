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

/// A shard's end of the way to and from the others, for messages of type `M`; made by
/// [`Shard::mailbox`](super::Shard::mailbox). Its clones are the same mailbox.
///
/// A mailbox holds 1024 messages; while it is full, who sends to it waits. So shards that send to
/// each other should receive in another task than the one that sends, or all may wait for ever.
pub struct Mailbox<M>(Rc<Ends<M>>);

pub(super) struct Ends<M> {
    shared: Arc<Shared>,
    index: usize,
    /// By shard; `None`: it had ended already.
    senders: Vec<Option<Sender<M>>>,
    /// `None`: this shard has ended.
    receiver: Option<Mutex<Receiver<M>>>,
}

impl<M: Send + 'static> Ends<M> {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Ends<M> {
        let senders = (0..shared.handles.len()).map(|to| shared.sender(to)).collect();
        let receiver = shared.take_receiver(index).map(Mutex::new);
        Ends { shared, index, senders, receiver }
    }
}

impl<M: Send + 'static> Mailbox<M> {
    pub(super) fn new(ends: Rc<Ends<M>>) -> Mailbox<M> {
        Mailbox(ends)
    }

    /// Sends a message to the shard `to`, which may be this one. Messages from one shard to another
    /// arrive in the order in which they were sent.
    ///
    /// # Errors
    ///
    /// If that shard has ended, the message comes back.
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

    /// Waits for the next message to this shard. Tasks that wait get messages first come, first
    /// served. `None` once all other shards have ended and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// No message is lost.
    pub async fn recv(&self) -> Option<M> {
        let Ends { shared, index, receiver, .. } = &*self.0;
        let mut receiver = receiver.as_ref()?.lock().await;
        poll_fn(|cx| {
            if let Poll::Ready(message) = receiver.poll_recv(cx) {
                return Poll::Ready(message);
            }
            ready!(shared.poll_alone(*index, TypeId::of::<M>(), cx));
            // The last one may have sent something before it ended.
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
