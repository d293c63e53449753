//! The connections of a server, and its listeners: who is there until what is closed.
//!
//! Invariant: an entry is there until its connection, or its listener, is closed; so once the
//! server is closed and there is none, nothing of it is left.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};
use std::task::Waker;

use slab::Slab;

use super::link::Link;
use crate::source::{Direction, Readiness, Source};

/// What a server and its connections share.
pub(super) struct Clients {
    /// A listener's entry points nowhere.
    open: RefCell<Slab<Weak<Link>>>,
    is_closed: Cell<bool>,
    /// Who waits for the server to be closed, or for the last to go.
    changed: Source,
}

/// An entry among [`Clients`], while it lives.
pub(super) struct Client {
    clients: Rc<Clients>,
    key: usize,
}

impl Clients {
    pub(super) fn new() -> Rc<Clients> {
        let (open, is_closed) = Default::default();
        Rc::new(Clients { open, is_closed, changed: Source::new(false) })
    }

    /// Adds a connection, or with `Weak::new()` a listener.
    pub(super) fn add(self: &Rc<Self>, link: Weak<Link>) -> Client {
        Client { clients: self.clone(), key: self.open.borrow_mut().insert(link) }
    }

    /// Calls `f` with each connection that is open.
    pub(super) fn for_each(&self, f: impl Fn(&Rc<Link>)) {
        let open: Vec<_> = self.open.borrow().iter().filter_map(|(_, it)| it.upgrade()).collect();
        open.iter().for_each(f);
    }

    pub(super) fn close(&self) {
        if !self.is_closed.replace(true) {
            self.notify();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Waits until the server is closed and the last connection is.
    pub(super) async fn all_gone(&self) -> io::Result<()> {
        let is_over = || self.is_closed.get() && self.open.borrow().is_empty();
        self.changed.until(Direction::Read, is_over).await
    }

    fn notify(&self) {
        const CHANGED: Readiness = Readiness { read: true, write: false, special: false };
        let mut woken = VecDeque::new();
        self.changed.set_ready(CHANGED, &mut woken);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let link = self.clients.open.borrow_mut().remove(self.key);
        drop(link);
        self.clients.notify();
    }
}
