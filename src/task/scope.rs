//! Tasks that may borrow from the function that spawns them, and that end before it does.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Poll, ready};

use super::children::{Children, End};
use super::scoped_handle::ScopedHandle;
use super::start::{Start, Started};
use crate::current::awaited_at;
use crate::executor::SpawnOptions;
use crate::poll_with::{lazy, poll_with};

/// Spawns the children of a scope; the argument of the body of [`scope`]. A clone spawns into the
/// same scope.
#[derive(Clone)]
pub struct Scope<'env> {
    children: Rc<Children<'env>>,
}

/// Runs `body` and the children that it spawns until all have ended: asyncio's `TaskGroup`, trio's
/// nursery.
///
/// A child is a task of its own, which [`task::all`](super::all) lists, but it may borrow
/// everything that lives longer than the scope. A local variable of the body does not live that
/// long. The scope completes with the output of the body, after the body and all children have
/// ended: no child outlives the scope. Await the handle of a child for its output, or drop the
/// handle.
///
/// The task that awaits the scope polls the children, each after it was woken, in the order of the
/// wakes. To other tasks they are one task with it: they share its budget.
///
/// # Panics
///
/// Panics if it is first polled outside of a running loop. A panic of the body, and a panic of a
/// child whose handle was dropped, are resumed here; the body and the children are dropped with
/// this future.
///
/// # Cancel safety
///
/// Dropping the future drops the body, then the children in the order in which they were spawned.
///
/// ```
/// use evloop::task;
///
/// evloop::block_on(async {
///     let words = vec![String::from("to"), String::from("borrow")];
///     let lengths = task::scope(async |s| {
///         let first = s.spawn(async { words[0].len() });
///         let second = s.spawn(async { words[1].len() });
///         (first.await.unwrap(), second.await.unwrap())
///     });
///     assert_eq!(lengths.await, (2, 6));
///     assert_eq!(words.len(), 2, "they are still ours");
/// });
/// ```
///
/// A child cannot borrow from the body, since the child may live longer than the body:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// task::scope(async |s| {
///     let local = String::from("short-lived");
///     let borrowed = &local;
///     s.spawn(async move { borrowed.len() });
/// })
/// .await;
/// # });
/// ```
///
/// A handle cannot outlive what its child borrows:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// let escaped = {
///     let word = String::from("short-lived");
///     task::scope(async |s| s.spawn(async { word.as_str() })).await
/// };
/// escaped.await.unwrap();
/// # });
/// ```
#[track_caller]
pub fn scope<'env, F, T>(body: F) -> impl Future<Output = T>
where
    F: AsyncFnOnce(Scope<'env>) -> T,
{
    scope_at(Location::caller(), body)
}

/// Does the same as [`scope`]. Its task waits for the children at `place`.
pub(super) fn scope_at<'env, F, T>(
    place: &'static Location<'static>,
    body: F,
) -> impl Future<Output = T>
where
    F: AsyncFnOnce(Scope<'env>) -> T,
{
    lazy(move || {
        let children = Rc::new(Children::new());
        // Dropped after the body.
        let mut end = Some(End(children.clone()));
        let body = body(Scope { children: children.clone() });
        let mut output = None;
        poll_with(Some(body), move |mut body, cx| {
            let polled = children.poll(cx, |cx| {
                if let Some(Poll::Ready(ready)) = body.as_mut().as_pin_mut().map(|it| it.poll(cx)) {
                    output = Some(ready);
                    body.set(None);
                }
                output.is_some()
            });
            ready!(awaited_at(place, polled));
            drop(end.take());
            Poll::Ready(output.take().expect("a scope completes only after its body"))
        })
    })
}

impl<'env> Scope<'env> {
    /// Spawns a child. The scope polls it later, never inside this call.
    ///
    /// In a scope that is cancelled or has ended, the future is dropped at once, and the handle
    /// returns a cancelled [`JoinError`](super::JoinError).
    #[doc(alias = "create_task")]
    #[doc(alias = "start_soon")]
    #[track_caller]
    pub fn spawn<F: Future + 'env>(&self, future: F) -> ScopedHandle<'env, F::Output> {
        self.spawn_as(SpawnOptions::here(), future)
    }

    /// Spawns a child and waits until it is ready: trio's `Nursery.start`. Returns the value that
    /// the child passes to [`Started::set`]; the child then runs on in the scope.
    ///
    /// # Errors
    ///
    /// [`NotStarted`](super::NotStarted) if the child ends before it is ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future aborts the child, unless it is ready.
    ///
    /// ```
    /// use evloop::{sync::oneshot, task};
    ///
    /// evloop::block_on(task::scope(async |s| {
    ///     let server = async |started: task::Started<oneshot::Sender<u32>>| {
    ///         let (sender, receiver) = oneshot::channel();
    ///         started.set(sender);
    ///         assert_eq!(receiver.await, Ok(7));
    ///     };
    ///     let connection = s.start(server).await.unwrap();
    ///     connection.send(7).unwrap();
    ///
    ///     let result = s.start(async |_: task::Started<()>| "no address").await;
    ///     assert_eq!(result.unwrap_err().into_output().unwrap(), "no address");
    /// }));
    /// ```
    #[track_caller]
    pub fn start<V: 'env, T: 'env>(
        &self,
        child: impl AsyncFnOnce(Started<V>) -> T + 'env,
    ) -> Start<'env, V, T> {
        let started = Started::new();
        let state = started.state();
        let options = SpawnOptions::here();
        let handle = self.spawn_as(options, lazy(move || child(started)));
        Start::new(handle, state)
    }

    pub(super) fn spawn_as<F: Future + 'env>(
        &self,
        options: SpawnOptions,
        future: F,
    ) -> ScopedHandle<'env, F::Output> {
        self.children.spawn(future, options)
    }

    /// Cancels the children: their futures are dropped before the scope's next poll returns, never
    /// inside this call. A child that is spawned from now on is dropped at once. The body runs on.
    ///
    /// ```
    /// use evloop::task;
    ///
    /// evloop::block_on(task::scope(async |s| {
    ///     let idle = s.spawn(std::future::pending::<()>());
    ///     s.cancel();
    ///     assert!(idle.await.unwrap_err().is_cancelled());
    /// }));
    /// ```
    #[doc(alias = "cancel_scope")]
    pub fn cancel(&self) {
        self.children.cancel();
    }

    /// Returns whether the scope was cancelled or has ended.
    pub fn is_cancelled(&self) -> bool {
        self.children.is_cancelled()
    }

    /// Returns the number of children that have not ended.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Returns whether no child is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Scope");
        debug.field("len", &self.len()).field("is_cancelled", &self.is_cancelled()).finish()
    }
}

/// Programs that the compiler rejects. A child may live as long as its scope, and here it would
/// outlive what it borrows.
///
/// A child spawns a sibling that borrows from the child:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// task::scope(async |s| {
///     let siblings = s.clone();
///     s.spawn(async move {
///         let local = String::from("short-lived");
///         let borrowed = &local;
///         siblings.spawn(async move { borrowed.len() });
///     });
/// })
/// .await;
/// # });
/// ```
///
/// The body of an inner scope spawns into the outer scope:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// task::scope(async |outer| {
///     let local = String::from("short-lived");
///     task::scope(async |_| drop(outer.spawn(async { local.len() }))).await;
/// })
/// .await;
/// # });
/// ```
///
/// A scope is moved to a place where the borrowed value no longer exists:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// let escaped = {
///     let word = String::from("short-lived");
///     task::scope(async |s| {
///         s.spawn(async { word.len() });
///         s
///     })
///     .await
/// };
/// assert!(escaped.is_empty());
/// # });
/// ```
///
/// The lifetime of a scope is shortened:
///
/// ```compile_fail
/// use evloop::task::Scope;
///
/// fn shorten<'short>(s: &Scope<'static>, word: &'short str) {
///     let s: &Scope<'short> = s;
///     s.spawn(async move { word.len() });
/// }
/// ```
///
/// The borrowed value is dropped before the scope is awaited:
///
/// ```compile_fail,E0505
/// # use evloop::task;
/// # evloop::block_on(async {
/// let word = String::from("short-lived");
/// let scope = task::scope(async |s| drop(s.spawn(async { word.len() })));
/// drop(word);
/// scope.await;
/// # });
/// ```
///
/// Two children borrow the same value mutably:
///
/// ```compile_fail,E0499
/// # use evloop::task;
/// # evloop::block_on(async {
/// let mut words = Vec::new();
/// task::scope(async |s| {
///     s.spawn(async { words.push("to") });
///     s.spawn(async { words.push("borrow") });
/// })
/// .await;
/// # });
/// ```
///
/// A child is spawned from another thread:
///
/// ```compile_fail,E0277
/// # use evloop::task;
/// # evloop::block_on(async {
/// task::scope(async |s| {
///     std::thread::spawn(move || drop(s.spawn(async {})));
/// })
/// .await;
/// # });
/// ```
///
/// The same rules hold in a [`try_scope`](super::try_scope()), also for what an error borrows:
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// let result = task::try_scope(async |s| {
///     let local = String::from("short-lived");
///     let borrowed = &local;
///     s.spawn(async move { Ok::<_, ()>(borrowed.len()) });
///     Ok(())
/// });
/// result.await.unwrap();
/// # });
/// ```
///
/// ```compile_fail,E0597
/// # use evloop::task;
/// # evloop::block_on(async {
/// let result = {
///     let word = String::from("short-lived");
///     task::try_scope(async |s| {
///         s.spawn(async { Err::<(), _>(word.as_str()) });
///         Ok(())
///     })
///     .await
/// };
/// assert_eq!(result.unwrap_err().into_first(), "short-lived");
/// # });
/// ```
#[cfg(doctest)]
struct Rejected;
