//! A signal that requests tasks to stop.

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::task::Poll;

use slab::Slab;

use super::notify_list::{NotifyList, Waiter};
use crate::caught::until_done;
use crate::current::budget;
use crate::poll_with::poll_with;

/// A signal that requests tasks to stop: tokio-util's `CancellationToken`.
///
/// The tasks wait for the signal beside their work, or run the work in
/// [`run_until_cancelled`](CancellationToken::run_until_cancelled). A token stays cancelled. Its
/// clones are the same token. A [child](CancellationToken::child_token) is cancelled with its
/// parent, and can be cancelled alone.
///
/// [`task::scope`](crate::task::scope) and [`JoinHandle::abort`](crate::JoinHandle::abort) end
/// tasks without their help; a token asks them.
///
/// ```
/// use evloop::sync::CancellationToken;
///
/// evloop::block_on(async {
///     let token = CancellationToken::new();
///     let worker = evloop::spawn({
///         let token = token.clone();
///         async move {
///             let mut steps = 0;
///             while token.run_until_cancelled(evloop::task::yield_now()).await.is_some() {
///                 steps += 1;
///             }
///             steps // … cleans up …
///         }
///     });
///     evloop::task::yield_now().await;
///     token.cancel();
///     assert!(worker.await.unwrap() >= 1);
/// });
/// ```
#[doc(alias = "CancelScope")]
pub struct CancellationToken {
    node: Rc<Node>,
}

/// Cancels its token when it is dropped; [`CancellationToken::drop_guard`] makes it.
#[must_use = "dropping the guard cancels the token: bind it to a variable"]
pub struct DropGuard {
    /// `Some` until the guard is disarmed.
    token: Option<CancellationToken>,
}

/// A token in the tree. A parent and its children refer to each other until the child is cancelled,
/// or its last handle is dropped: then its children become children of its parent.
struct Node {
    handles: Cell<usize>,
    is_cancelled: Cell<bool>,
    /// The parent, and the key of this node in it.
    parent: RefCell<Option<(Rc<Node>, usize)>>,
    children: RefCell<Slab<Rc<Node>>>,
    waiters: NotifyList,
}

/// Waits for a token while a future runs.
struct Running<B: Borrow<CancellationToken>> {
    token: B,
    /// `Some` from the first poll on.
    waiter: Option<Waiter>,
}

impl CancellationToken {
    /// Creates a token that is not cancelled.
    pub fn new() -> CancellationToken {
        CancellationToken { node: Rc::new(Node::new()) }
    }

    /// Creates a token that is cancelled when this one is. Cancelling it does not cancel this one.
    /// The child of a cancelled token is cancelled.
    ///
    /// ```
    /// use evloop::sync::CancellationToken;
    ///
    /// let server = CancellationToken::new();
    /// let [one, other] = [server.child_token(), server.child_token()];
    /// one.cancel();
    /// assert!(!other.is_cancelled() && !server.is_cancelled());
    /// server.cancel();
    /// assert!(other.is_cancelled() && server.child_token().is_cancelled());
    /// ```
    pub fn child_token(&self) -> CancellationToken {
        let child = CancellationToken::new();
        child.node.is_cancelled.set(self.is_cancelled());
        if !self.is_cancelled() {
            child.node.move_to(&self.node);
        }
        child
    }

    /// Cancels this token and all its descendants. All of them are cancelled before the first
    /// waiting task is woken. Those of this token are woken first, then those of its children, and
    /// so on. Cancelling again does nothing.
    pub fn cancel(&self) {
        if self.is_cancelled() {
            return;
        }
        drop(self.node.leave_parent());
        self.node.is_cancelled.set(true);
        let mut cancelled = vec![self.node.clone()];
        let mut next = 0;
        while let Some(node) = cancelled.get(next) {
            next += 1;
            for (_, child) in node.children.take() {
                child.is_cancelled.set(true);
                drop(child.parent.take());
                cancelled.push(child);
            }
        }
        let mut nodes = cancelled.into_iter();
        // Wakers are user code: a panic of one does not stop the others.
        until_done(&mut || nodes.next().map(|node| node.waiters.notify_all()).is_some());
    }

    /// Returns whether the token was cancelled.
    #[doc(alias = "cancel_called")]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled.get()
    }

    /// Waits until the token is cancelled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[doc(alias = "WaitForCancellationFuture")]
    pub async fn cancelled(&self) {
        if !self.is_cancelled() {
            return self.node.waiters.wait().await;
        }
        budget::unit().await;
    }

    /// Waits like [`cancelled`](CancellationToken::cancelled). The future owns the token.
    #[doc(alias = "WaitForCancellationFutureOwned")]
    pub async fn cancelled_owned(self) {
        self.cancelled().await;
    }

    /// Runs `future` until it completes or the token is cancelled. Returns `None`, and drops the
    /// future, if the token is cancelled first.
    ///
    /// The future of a token that is cancelled already is not polled. Otherwise `future` is polled
    /// first: a future that completes together with the cancellation returns its output. This is
    /// also tokio-util's `with_cancellation_token`.
    ///
    /// ```
    /// use evloop::sync::CancellationToken;
    ///
    /// evloop::block_on(async {
    ///     let token = CancellationToken::new();
    ///     assert_eq!(token.run_until_cancelled(async { 7 }).await, Some(7));
    ///     token.cancel();
    ///     assert_eq!(token.run_until_cancelled(async { 7 }).await, None);
    /// });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// That of `future`: it is dropped at an await.
    #[doc(alias = "with_cancellation_token")]
    pub fn run_until_cancelled<F: Future>(
        &self,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> {
        run_until_cancelled(self, future)
    }

    /// Runs `future` like [`run_until_cancelled`](CancellationToken::run_until_cancelled). The
    /// returned future owns the token.
    #[doc(alias = "with_cancellation_token_owned")]
    pub fn run_until_cancelled_owned<F: Future>(
        self,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> {
        run_until_cancelled(self, future)
    }

    /// Returns a guard that cancels this token when it is dropped.
    ///
    /// ```
    /// use evloop::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let guard = token.clone().drop_guard();
    /// let token = guard.disarm();
    /// assert!(!token.is_cancelled());
    /// drop(token.clone().drop_guard());
    /// assert!(token.is_cancelled());
    /// ```
    #[doc(alias = "drop_guard_ref")]
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }

    /// Returns the number of tasks that wait for this token, without those of its children. Takes
    /// time in proportion to that number.
    #[doc(alias = "statistics")]
    pub fn waiting(&self) -> usize {
        self.node.waiters.waiting()
    }
}

impl DropGuard {
    /// Returns the token, which the guard does not cancel any more.
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect(ARMED)
    }

    /// Returns the token.
    pub fn token(&self) -> &CancellationToken {
        self.token.as_ref().expect(ARMED)
    }
}

/// Runs `future` until `token`, borrowed or owned, is cancelled.
fn run_until_cancelled<F: Future>(
    token: impl Borrow<CancellationToken>,
    future: F,
) -> impl Future<Output = Option<F::Output>> {
    let mut running = Running { token, waiter: None };
    poll_with(future, move |future, cx| {
        let Running { token, waiter } = &mut running;
        let token: &CancellationToken = (*token).borrow();
        if waiter.is_none() && token.is_cancelled() {
            return budget::poll_unit(cx).map(|()| None);
        }
        let list = &token.node.waiters;
        let waiter = waiter.get_or_insert_with(|| Waiter::new(list));
        match future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => waiter.poll(list, cx).map(|()| None),
        }
    })
}

impl<B: Borrow<CancellationToken>> Drop for Running<B> {
    fn drop(&mut self) {
        if let Some(waiter) = &mut self.waiter {
            waiter.leave(&self.token.borrow().node.waiters);
        }
    }
}

/// The message of a broken invariant.
const ARMED: &str = "a guard has its token until it is disarmed";

impl Node {
    /// Makes the node of a new handle.
    fn new() -> Node {
        Node {
            handles: Cell::new(1),
            is_cancelled: Cell::new(false),
            parent: RefCell::new(None),
            children: RefCell::new(Slab::new()),
            waiters: NotifyList::new(false),
        }
    }

    /// Makes this a child of `parent`, and of no other node.
    fn move_to(self: &Rc<Node>, parent: &Rc<Node>) {
        let key = parent.children.borrow_mut().insert(self.clone());
        self.parent.replace(Some((parent.clone(), key)));
    }

    /// Removes this node from its parent. Returns the parent.
    fn leave_parent(&self) -> Option<Rc<Node>> {
        let (parent, key) = self.parent.take()?;
        parent.children.borrow_mut().remove(key);
        Some(parent)
    }

    /// Leaves the tree: the last handle is dropped, so nothing can cancel this node alone any more.
    fn leave_tree(&self) {
        let parent = self.leave_parent();
        for (_, child) in self.children.take() {
            match &parent {
                Some(parent) => child.move_to(parent),
                None => drop(child.parent.take()),
            }
        }
    }
}

impl Clone for CancellationToken {
    fn clone(&self) -> CancellationToken {
        self.node.handles.set(self.node.handles.get() + 1);
        CancellationToken { node: self.node.clone() }
    }
}

impl Drop for CancellationToken {
    fn drop(&mut self) {
        self.node.handles.set(self.node.handles.get() - 1);
        if self.node.handles.get() == 0 {
            self.node.leave_tree();
        }
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}

impl Default for CancellationToken {
    fn default() -> CancellationToken {
        CancellationToken::new()
    }
}

/// Handles are equal if they are clones of each other.
impl PartialEq for CancellationToken {
    fn eq(&self, other: &CancellationToken) -> bool {
        Rc::ptr_eq(&self.node, &other.node)
    }
}

impl Eq for CancellationToken {}

impl Hash for CancellationToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.node).hash(state);
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("is_cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DropGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DropGuard").field("token", &self.token).finish()
    }
}
