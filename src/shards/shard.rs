//! The handle of one shard, for its tasks.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::mailbox::{Inner as MailboxInner, Mailbox};
use super::shared::Shared;
use crate::runtime::Handle;

/// The handle of one of the loops that [`shards`](super::shards()) runs. Clones refer to the same
/// shard.
#[derive(Clone)]
pub struct Shard(Rc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    index: usize,
    /// The mailboxes that this shard has used, one for each type of messages: few.
    mailboxes: RefCell<Vec<Rc<dyn Any>>>,
}

impl Shard {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Shard {
        Shard(Rc::new(Inner { shared, index, mailboxes: RefCell::default() }))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Returns the index of this shard, from 0.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// Returns the number of shards.
    pub fn count(&self) -> usize {
        self.handles().len()
    }

    /// Returns the handles of all shards' loops, by index: each takes calls and tasks from any
    /// thread.
    pub fn handles(&self) -> &[Handle] {
        &self.shared().handles
    }

    /// Returns this shard's mailbox for messages of type `M`, to send to all shards and to receive
    /// from all. A shard has one mailbox for each type.
    ///
    /// ```
    /// enum Message {
    ///     Add(u32),
    ///     Done,
    /// }
    ///
    /// let sums = evloop::shards(2, async |shard| {
    ///     let mailbox = shard.mailbox();
    ///     if shard.index() == 1 {
    ///         for n in 1..=10 {
    ///             mailbox.send(0, Message::Add(n)).await.unwrap();
    ///         }
    ///         mailbox.send(0, Message::Done).await.unwrap();
    ///         return 0;
    ///     }
    ///     let mut sum = 0;
    ///     while let Some(Message::Add(n)) = mailbox.recv().await {
    ///         sum += n;
    ///     }
    ///     sum
    /// })?;
    /// assert_eq!(*sums[0].as_ref().unwrap(), 55);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn mailbox<M: Send + 'static>(&self) -> Mailbox<M> {
        let of_type = |inner: &Rc<dyn Any>| inner.clone().downcast().ok();
        let existing = self.0.mailboxes.borrow().iter().find_map(of_type);
        let inner = existing.unwrap_or_else(|| {
            let inner = Rc::new(MailboxInner::<M>::new(self.shared().clone(), self.index()));
            self.0.mailboxes.borrow_mut().push(inner.clone());
            inner
        });
        Mailbox::new(inner)
    }

    /// Stops all shards: their futures are dropped, and their outcomes are a cancelled
    /// [`JoinError`](crate::task::JoinError). The caller's own future is stopped too, unless it
    /// completes in this poll. Tasks are dropped with their loops.
    ///
    /// ```
    /// use std::future::pending;
    ///
    /// let outcomes = evloop::shards(2, async |shard| {
    ///     if shard.index() == 1 {
    ///         return shard.stop_all();
    ///     }
    ///     pending().await
    /// })?;
    /// assert!(outcomes[0].as_ref().unwrap_err().is_cancelled());
    /// assert!(outcomes[1].is_ok());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn stop_all(&self) {
        self.shared().stop_all();
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Shard");
        debug.field("index", &self.index()).field("count", &self.count()).finish_non_exhaustive()
    }
}
