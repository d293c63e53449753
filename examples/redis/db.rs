//! The values and the subscriptions. All handlers share them; no lock is needed on one thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evloop::sync::mpsc;
use evloop::time::{Delay, DelayQueue};

type Bytes = Rc<[u8]>;

#[derive(Default)]
pub(crate) struct Db {
    values: RefCell<HashMap<Bytes, Value>>,
    /// The keys that expire.
    expiring: RefCell<DelayQueue<Bytes>>,
    /// The subscribers of each channel. Those whose connection has ended are removed when the
    /// channel is used next.
    channels: RefCell<HashMap<Bytes, Vec<mpsc::Sender<Message>>>>,
}

struct Value {
    bytes: Bytes,
    /// The place of the key in `expiring`.
    delay: Option<Delay>,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) channel: Bytes,
    pub(crate) text: Bytes,
}

impl Db {
    pub(crate) fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.values.borrow().get(key).map(|value| value.bytes.clone())
    }

    /// Sets a value, which does not expire any more.
    pub(crate) fn set(&self, key: &[u8], bytes: &[u8]) {
        let value = Value { bytes: bytes.into(), delay: None };
        let old = self.values.borrow_mut().insert(key.into(), value);
        if let Some(delay) = old.and_then(|old| old.delay) {
            self.expiring.borrow_mut().remove(&delay);
        }
    }

    /// Increments a number. Returns `None` if the value is none, or has reached its maximum.
    pub(crate) fn increment(&self, key: &[u8]) -> Option<i64> {
        let mut values = self.values.borrow_mut();
        let Some(value) = values.get_mut(key) else {
            values.insert(key.into(), Value { bytes: (*b"1").into(), delay: None });
            return Some(1);
        };
        let number = crate::protocol::parse::<i64>(&value.bytes)?.checked_add(1)?;
        value.bytes = number.to_string().into_bytes().into();
        Some(number)
    }

    /// Lets a key expire. Returns whether it exists.
    pub(crate) fn expire(&self, key: &[u8], seconds: u64) -> bool {
        let mut expiring = self.expiring.borrow_mut();
        let mut values = self.values.borrow_mut();
        let Some(value) = values.get_mut(key) else { return false };
        let after = Duration::from_secs(seconds);
        match &value.delay {
            Some(delay) => expiring.reset(delay, after),
            None => value.delay = Some(expiring.insert(key.into(), after)),
        }
        true
    }

    /// Removes each key when it expires. The queue is borrowed for one poll at a time, so that the
    /// handlers can insert while this waits.
    pub(crate) async fn remove_expired(&self) -> Infallible {
        loop {
            let expired = poll_fn(|cx| match self.expiring.borrow_mut().poll_expired(cx) {
                Poll::Ready(Some(expired)) => Poll::Ready(expired),
                // The next insertion into an empty queue wakes this task, too.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            });
            let expired = expired.await;
            self.values.borrow_mut().remove(expired.get_ref());
        }
    }

    pub(crate) fn subscribe(&self, channel: &[u8], subscriber: &mpsc::Sender<Message>) {
        let mut channels = self.channels.borrow_mut();
        let subscribers = channels.entry(channel.into()).or_default();
        subscribers.retain(|other| !other.is_closed() && !other.same_channel(subscriber));
        subscribers.push(subscriber.clone());
    }

    /// Sends a message to the subscribers of a channel, and returns how many receive it.
    pub(crate) fn publish(&self, channel: &[u8], text: &[u8]) -> i64 {
        let mut channels = self.channels.borrow_mut();
        let Some(subscribers) = channels.get_mut(channel) else { return 0 };
        subscribers.retain(|subscriber| !subscriber.is_closed());
        let message = Message { channel: channel.into(), text: text.into() };
        let received = subscribers.iter().filter(|it| it.try_send(message.clone()).is_ok()).count();
        if subscribers.is_empty() {
            channels.remove(channel);
        }
        received as i64
    }
}
