//! Spawning the futures of hyper. Layer L4.

use std::future::Future;

use crate::context;
use crate::executor::SpawnOptions;

/// Spawns the futures of hyper on the running loop, as detached tasks. They need not be `Send`.
///
/// hyper uses one for HTTP/2, whose requests run in tasks of their own, and for the connections of
/// a client.
///
/// # Panics
///
/// `execute` panics outside of a running loop.
///
/// ```
/// use std::rc::Rc;
///
/// use hyper::rt::Executor as _;
///
/// evloop::block_on(async {
///     let (sender, receiver) = evloop::sync::oneshot::channel();
///     let value = Rc::new(7);
///     evloop::hyper::Executor.execute(async move { drop(sender.send(*value)) });
///     assert_eq!(receiver.await, Ok(7));
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> ::hyper::rt::Executor<F> for Executor
where
    F: Future + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        let context = context::expect("hyper::Executor::execute");
        drop(context.executor.spawn(future, SpawnOptions::here()));
    }
}
