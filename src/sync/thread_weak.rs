//! Senders that do not keep a channel between threads open.

use std::fmt;
use std::sync::{Arc, Weak};

use super::thread_queue::ThreadQueue;
use super::thread_sender::Sender;
use super::thread_unbounded::UnboundedSender;

/// A sender of a bounded channel that does not keep the channel open: the stream of the receiver
/// ends without it. [`Sender::downgrade`] creates it.
///
/// ```
/// evloop::block_on(async {
///     let (sender, mut receiver) = evloop::sync::thread_channel::bounded(1);
///     let weak = sender.downgrade();
///     weak.upgrade().unwrap().send(7).await.unwrap();
///     drop(sender);
///     assert!(weak.upgrade().is_none());
///     assert_eq!(receiver.recv().await, Some(7));
///     assert_eq!(receiver.recv().await, None);
/// });
/// ```
pub struct WeakSender<T> {
    queue: Weak<ThreadQueue<T>>,
}

/// A sender of an unbounded channel that does not keep the channel open: the stream of the receiver
/// ends without it. [`UnboundedSender::downgrade`] creates it.
pub struct WeakUnboundedSender<T> {
    queue: Weak<ThreadQueue<T>>,
}

impl<T> Sender<T> {
    /// Creates a weak sender, which does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { queue: Arc::downgrade(&self.queue) }
    }
}

impl<T> UnboundedSender<T> {
    /// Creates a weak sender, which does not keep the channel open.
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender { queue: Arc::downgrade(&self.queue) }
    }
}

impl<T> WeakSender<T> {
    /// Returns a sender, or `None` if all senders were dropped: the channel never opens again.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.queue.upgrade()?.upgrade().map(|queue| Sender { queue })
    }

    /// Returns the number of senders.
    pub fn strong_count(&self) -> usize {
        self.queue.upgrade().map_or(0, |queue| queue.senders())
    }

    /// Returns the number of weak senders, and 0 once the receiver and all senders were dropped.
    pub fn weak_count(&self) -> usize {
        self.queue.weak_count()
    }
}

impl<T> WeakUnboundedSender<T> {
    /// Returns a sender, or `None` if all senders were dropped: the channel never opens again.
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        self.queue.upgrade()?.upgrade().map(|queue| UnboundedSender { queue })
    }

    /// Returns the number of senders.
    pub fn strong_count(&self) -> usize {
        self.queue.upgrade().map_or(0, |queue| queue.senders())
    }

    /// Returns the number of weak senders, and 0 once the receiver and all senders were dropped.
    pub fn weak_count(&self) -> usize {
        self.queue.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender { queue: self.queue.clone() }
    }
}

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender { queue: self.queue.clone() }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakUnboundedSender").finish_non_exhaustive()
    }
}
