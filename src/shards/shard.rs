//! One of several loops, as its tasks see it and the others.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::mailbox::{Ends, Mailbox};
use super::shared::Shared;
use crate::runtime::Handle;

/// One of several loops that [`shards`](super::shards()) runs. Its clones are the same shard.
#[derive(Clone)]
pub struct Shard(Rc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    index: usize,
    /// This shard's mailboxes that were asked for, by the type of their messages.
    mailboxes: RefCell<BTreeMap<TypeId, Rc<dyn Any>>>,
}

impl Shard {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Shard {
        Shard(Rc::new(Inner { shared, index, mailboxes: RefCell::default() }))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Which one it is: 0 and up.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.handles().len()
    }

    /// The loops of all shards, by index: each takes calls and tasks from any thread.
    pub fn handles(&self) -> &[Handle] {
        &self.shared().handles
    }

    /// The way to send messages of type `M` to the others, and to receive theirs. A shard has one
    /// mailbox for each type.
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
        let known = self.0.mailboxes.borrow().get(&TypeId::of::<M>()).cloned();
        let ends = known.and_then(|known| known.downcast().ok()).unwrap_or_else(|| {
            let ends = Rc::new(Ends::<M>::new(self.shared().clone(), self.index()));
            self.0.mailboxes.borrow_mut().insert(TypeId::of::<M>(), ends.clone());
            ends
        });
        Mailbox::new(ends)
    }

    /// Ends all shards: their futures are dropped, this one's too unless it ends by itself now, and
    /// give a cancelled [`JoinError`](crate::task::JoinError). Tasks are dropped with their loops.
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
