//! The open connections and listeners of a server. Layer L4.
//!
//! Invariant: an entry exists until its connection, or its listener, is closed. So a server that is
//! closed and has no entry is finished.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
#[cfg(feature = "rustls")]
use std::mem::replace;
use std::rc::{Rc, Weak};

use slab::Slab;

use crate::executor::{AbortHandle, JoinHandle};
use crate::io_error::clone_error;
use crate::reactor::{Direction, Readiness, Source};
use crate::wait::WakeList;

/// The state that a server and its connections share.
pub(crate) struct Connections<T> {
    /// The entry of a listener is a `Weak` without a target.
    open: RefCell<Slab<Weak<T>>>,
    /// The tasks that accept, one for each listener. Dropping their handles aborts them.
    acceptors: RefCell<Vec<JoinHandle<()>>>,
    /// The file of a Unix socket, dropped when the server is closed; the destructor removes it.
    file: RefCell<Option<Box<dyn Any>>>,
    is_closed: Cell<bool>,
    /// The server accepts no connections for now.
    is_paused: Cell<bool>,
    /// The maximum number of handlers.
    limit: usize,
    /// The handlers that run. `None` until the task is spawned.
    handlers: RefCell<Slab<Option<AbortHandle>>>,
    /// The error of a listener that can accept no more connections.
    error: RefCell<Option<io::Error>>,
    /// The tasks that wait for a change of the fields above.
    changed: Source,
}

/// An entry of [`Connections`]; dropping it removes it.
pub(crate) struct Entry<T> {
    connections: Rc<Connections<T>>,
    key: usize,
}

/// A handler that runs; dropping it ends it.
pub(crate) struct Handler<T> {
    connections: Rc<Connections<T>>,
    key: usize,
}

/// Closes the listeners when it is dropped.
struct CloseOnDrop<'a, T>(&'a Connections<T>);

impl<T> Connections<T> {
    pub(crate) fn new(limit: Option<usize>, is_started: bool) -> Rc<Connections<T>> {
        Rc::new(Connections {
            open: RefCell::default(),
            acceptors: RefCell::default(),
            file: RefCell::default(),
            is_closed: Cell::new(false),
            is_paused: Cell::new(!is_started),
            limit: limit.unwrap_or(usize::MAX),
            handlers: RefCell::default(),
            error: RefCell::default(),
            changed: Source::new(false),
        })
    }

    /// Stores the tasks that accept connections until the server is closed.
    pub(crate) fn set_acceptors(&self, acceptors: Vec<JoinHandle<()>>) {
        self.acceptors.replace(acceptors);
    }

    /// Stores a value that is dropped when the server is closed.
    #[cfg(unix)]
    pub(crate) fn set_file(&self, file: impl Any) {
        self.file.replace(Some(Box::new(file)));
    }

    /// Adds a connection, or with `Weak::new()` a listener.
    pub(crate) fn add(self: &Rc<Self>, shared: Weak<T>) -> Entry<T> {
        Entry { connections: self.clone(), key: self.open.borrow_mut().insert(shared) }
    }

    /// Counts a handler as running. `spawn` spawns its task, which owns the [`Handler`].
    pub(crate) fn start_handler(self: &Rc<Self>, spawn: impl FnOnce(Handler<T>) -> JoinHandle<()>) {
        let key = self.handlers.borrow_mut().insert(None);
        let task = spawn(Handler { connections: self.clone(), key });
        // The task has ended already if the loop ends.
        if let Some(handler) = self.handlers.borrow_mut().get_mut(key) {
            *handler = Some(task.abort_handle());
        }
    }

    /// Aborts the tasks of the handlers that run, and returns their number.
    pub(crate) fn abort_handlers(&self) -> usize {
        // Collected first: the end of a handler removes its entry.
        let handlers: Vec<_> = self.handlers.borrow().iter().map(|(_, it)| it.clone()).collect();
        handlers.iter().flatten().for_each(AbortHandle::abort);
        handlers.len()
    }

    /// Returns whether as many handlers run as the limit allows.
    pub(crate) fn is_full(&self) -> bool {
        self.handlers.borrow().len() >= self.limit
    }

    pub(crate) fn set_paused(&self, is_paused: bool) {
        if self.is_paused.replace(is_paused) && !is_paused {
            self.notify();
        }
    }

    pub(crate) fn is_serving(&self) -> bool {
        !self.is_closed() && !self.is_paused.get()
    }

    /// Returns whether a connection may be accepted now.
    pub(crate) fn is_accepting(&self) -> bool {
        !self.is_paused.get() && !self.is_full()
    }

    /// Waits until a connection may be accepted.
    pub(crate) async fn accepting(&self) {
        if !self.is_accepting() {
            // Only a source that is registered with the selector can fail.
            let _ = self.changed.until(Direction::Read, || self.is_accepting()).await;
        }
    }

    /// Calls `f` with each open connection.
    pub(crate) fn for_each(&self, f: impl Fn(&Rc<T>)) {
        // Collected first: `f` may close a connection, which removes its entry.
        let open: Vec<_> = self.open.borrow().iter().filter_map(|(_, it)| it.upgrade()).collect();
        open.iter().for_each(f);
    }

    /// Closes the listeners.
    pub(crate) fn close(&self) {
        drop(self.acceptors.take());
        drop(self.file.take());
        if !self.is_closed.replace(true) {
            self.notify();
        }
    }

    /// Closes the listeners because one of them has failed permanently.
    pub(crate) fn fail(&self, error: io::Error) {
        self.error.borrow_mut().get_or_insert(error);
        self.close();
        self.notify();
    }

    /// Returns the error of the listener that has failed, if one has.
    fn check(&self) -> io::Result<()> {
        self.error.borrow().as_ref().map_or(Ok(()), |error| Err(clone_error(error)))
    }

    fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Waits until the server and its last connection are closed.
    pub(crate) async fn wait_closed(&self) -> io::Result<()> {
        self.changed.until(Direction::Read, || self.is_finished()).await
    }

    /// Waits until the server and its last connection are closed, and no handler runs.
    pub(crate) async fn wait_ended(&self) {
        let has_ended = || self.is_finished() && self.handlers.borrow().is_empty();
        // Only a source that is registered with the selector can fail.
        let _ = self.changed.until(Direction::Read, has_ended).await;
    }

    /// Accepts connections until the server and its last connection are closed. Closes the
    /// listeners when it completes, fails or is dropped.
    ///
    /// # Errors
    ///
    /// The error of the listener that has failed. Kind `NotConnected` if the server is closed.
    pub(crate) async fn serve_forever(&self) -> io::Result<()> {
        self.check()?;
        if self.is_closed() {
            let kind = io::ErrorKind::NotConnected;
            return Err(io::Error::new(kind, "the server was closed: start a new one"));
        }
        let _close = CloseOnDrop(self);
        self.set_paused(false);
        let is_done = || self.is_finished() || self.error.borrow().is_some();
        self.changed.until(Direction::Read, is_done).await?;
        self.check()
    }

    fn is_finished(&self) -> bool {
        self.is_closed.get() && self.open.borrow().is_empty()
    }

    fn notify(&self) {
        const CHANGED: Readiness = Readiness { read: true, write: false };
        let mut woken = Vec::new();
        self.changed.set_ready(CHANGED, &mut woken);
        WakeList::from(woken).wake();
    }
}

impl<T> Entry<T> {
    /// Replaces the connection.
    #[cfg(feature = "rustls")]
    pub(crate) fn set_target(&self, target: Weak<T>) {
        // Dropped after the borrow has ended.
        let mut open = self.connections.open.borrow_mut();
        let replaced = open.get_mut(self.key).map(|entry| replace(entry, target));
        drop(open);
        drop(replaced);
    }
}

impl<T> Drop for Handler<T> {
    fn drop(&mut self) {
        let connections = &self.connections;
        let was_full = connections.is_full();
        let handler = connections.handlers.borrow_mut().remove(self.key);
        drop(handler);
        if was_full || connections.is_closed() {
            connections.notify();
        }
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        // Dropped after the borrow has ended.
        let shared = self.connections.open.borrow_mut().remove(self.key);
        drop(shared);
        self.connections.notify();
    }
}

impl<T> Drop for CloseOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}
