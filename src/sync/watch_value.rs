//! The state that the halves of a [`watch`](super::watch) channel share.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use super::notify_list::NotifyList;

/// What the caller of a method that panics can do.
const IN_MODIFY: &str = "the closure of send_modify must use only its argument";

/// The state of a channel.
pub(super) struct Shared<T> {
    /// `None` while the value is being modified.
    value: RefCell<Option<Rc<T>>>,
    /// The number of changes.
    pub(super) version: Cell<u64>,
    pub(super) senders: Cell<usize>,
    pub(super) receivers: Cell<usize>,
    /// Notified when the value has changed, or the last sender was dropped.
    pub(super) changed: NotifyList,
    /// Notified when the last receiver was dropped.
    pub(super) closed: NotifyList,
}

/// A value as it was when it was borrowed.
///
/// It may be held for any time, also across an `await`: a change makes another value, and this one
/// stays as it is.
///
/// ```
/// let (sender, mut receiver) = evloop::sync::watch::channel(1);
/// let old = receiver.borrow_and_update();
/// sender.send(2).unwrap();
/// let new = receiver.borrow();
/// assert_eq!((*old, old.has_changed()), (1, false));
/// assert_eq!((*new, new.has_changed()), (2, true));
/// ```
pub struct Ref<T> {
    value: Rc<T>,
    has_changed: bool,
}

/// The value while it is being modified. The drop puts the value back, also after a panic of the
/// caller.
pub(super) struct Modify<'a, T> {
    shared: &'a Shared<T>,
    pub(super) value: Option<Rc<T>>,
}

impl<T> Shared<T> {
    /// Creates a channel with one sender and no receiver.
    pub(super) fn new(value: T) -> Rc<Shared<T>> {
        Rc::new(Shared {
            value: RefCell::new(Some(Rc::new(value))),
            version: Cell::new(0),
            senders: Cell::new(1),
            receivers: Cell::new(0),
            changed: NotifyList::new(false),
            closed: NotifyList::new(false),
        })
    }

    /// Returns the value, for a half that has seen the version `seen`.
    #[track_caller]
    pub(super) fn borrow(&self, seen: u64) -> Ref<T> {
        let Some(value) = self.value.borrow().clone() else {
            panic!("a watched value was borrowed while it was being modified: {IN_MODIFY}");
        };
        Ref { value, has_changed: seen != self.version.get() }
    }

    /// Takes the value out, until the result is dropped.
    #[track_caller]
    pub(super) fn modify(&self) -> Modify<'_, T> {
        let value = self.value.take();
        assert!(
            value.is_some(),
            "a watched value was changed while it was being modified: {IN_MODIFY}"
        );
        Modify { shared: self, value }
    }

    /// Counts a change, and wakes the waiting receivers.
    pub(super) fn notify_changed(&self) {
        self.version.set(self.version.get() + 1);
        self.changed.notify_all();
    }
}

impl<T> Ref<T> {
    /// Returns whether the receiver that borrowed the value had not seen it before. For a value
    /// that a sender borrowed, this is false.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Drop for Modify<'_, T> {
    fn drop(&mut self) {
        self.shared.value.replace(self.value.take());
    }
}

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
