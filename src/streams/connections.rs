//! The connections of a server, and its listeners: who is there until what is closed.
//!
//! Invariant: an entry is there until its connection, or its listener, is closed; so once the
//! server is closed and there is none, nothing of it is left.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};

use slab::Slab;

use crate::executor::JoinHandle;
use crate::io_error::clone_error;
use crate::reactor::{Direction, Readiness, Source};
use crate::wait::WakeList;

/// What a server and its connections share.
pub(super) struct Connections<T> {
    /// A listener's entry points nowhere.
    open: RefCell<Slab<Weak<T>>>,
    /// The tasks that accept, one for each listener; they end with their handles.
    acceptors: RefCell<Vec<JoinHandle<()>>>,
    /// Removed by its destructor when the server is closed.
    file: RefCell<Option<Box<dyn Any>>>,
    is_closed: Cell<bool>,
    /// Why no connection can be accepted any more.
    error: RefCell<Option<io::Error>>,
    /// Who waits for a change of the above.
    changed: Source,
}

/// An entry among [`Connections`], while it lives.
pub(super) struct Entry<T> {
    connections: Rc<Connections<T>>,
    key: usize,
}

impl<T> Connections<T> {
    pub(super) fn new() -> Rc<Connections<T>> {
        let (open, acceptors, file, is_closed, error) = Default::default();
        let changed = Source::new(false);
        Rc::new(Connections { open, acceptors, file, is_closed, error, changed })
    }

    /// What accepts connections until the server is closed.
    pub(super) fn set_acceptors(&self, acceptors: Vec<JoinHandle<()>>) {
        self.acceptors.replace(acceptors);
    }

    /// What is dropped when the server is closed.
    #[cfg(unix)]
    pub(super) fn set_file(&self, file: impl Any) {
        self.file.replace(Some(Box::new(file)));
    }

    /// Adds a connection, or with `Weak::new()` a listener.
    pub(super) fn add(self: &Rc<Self>, shared: Weak<T>) -> Entry<T> {
        Entry { connections: self.clone(), key: self.open.borrow_mut().insert(shared) }
    }

    /// Calls `f` with each connection that is open.
    pub(super) fn for_each(&self, f: impl Fn(&Rc<T>)) {
        let open: Vec<_> = self.open.borrow().iter().filter_map(|(_, it)| it.upgrade()).collect();
        open.iter().for_each(f);
    }

    /// Closes the listeners.
    pub(super) fn close(&self) {
        drop(self.acceptors.take());
        drop(self.file.take());
        if !self.is_closed.replace(true) {
            self.notify();
        }
    }

    /// The same, since a listener has failed for good.
    pub(super) fn fail(&self, error: io::Error) {
        self.error.borrow_mut().get_or_insert(error);
        self.close();
        self.notify();
    }

    /// Why the server was closed, if a listener had failed.
    pub(super) fn check(&self) -> io::Result<()> {
        self.error.borrow().as_ref().map_or(Ok(()), |error| Err(clone_error(error)))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Waits until the server is closed and the last connection is.
    pub(super) async fn all_gone(&self) -> io::Result<()> {
        self.changed.until(Direction::Read, || self.is_over()).await
    }

    /// The same, or until a listener has failed.
    ///
    /// # Errors
    ///
    /// The listener's.
    pub(super) async fn all_served(&self) -> io::Result<()> {
        let is_over = || self.is_over() || self.error.borrow().is_some();
        self.changed.until(Direction::Read, is_over).await?;
        self.check()
    }

    fn is_over(&self) -> bool {
        self.is_closed.get() && self.open.borrow().is_empty()
    }

    fn notify(&self) {
        const CHANGED: Readiness = Readiness { read: true, write: false, special: false };
        let mut woken = VecDeque::new();
        self.changed.set_ready(CHANGED, &mut woken);
        WakeList::from(woken).wake();
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        let shared = self.connections.open.borrow_mut().remove(self.key);
        drop(shared);
        self.connections.notify();
    }
}
