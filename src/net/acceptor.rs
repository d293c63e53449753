//! Accepts a listener's connections, and hands each to a function of the server. Layer L4.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use super::connection::Connection;
use super::connections::{Connections, Entry};
use super::listener::Listener;
use super::transport::Transport;
use crate::context;
use crate::executor::{JoinHandle, SpawnOptions};
use crate::sys::{AcceptFailure, accept_failure};
use crate::time::sleep;

/// How long an acceptor waits after an error that may repeat at once: it must not spin.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// A listener of a server.
pub(crate) struct Acceptor<K: Transport, T, F> {
    listener: Listener<K>,
    /// Serves a connection, in a task that it spawns.
    serve: F,
    connections: Rc<Connections<T>>,
    /// Where the server was started; reported as the place where its tasks were spawned.
    started_at: &'static Location<'static>,
    /// Dropped last: a task that waits for it may listen on the address again.
    _entry: Entry<T>,
}

impl<K, T, F> Acceptor<K, T, F>
where
    K: Transport,
    T: 'static,
    F: Fn(Connection<K>, K::Addr) + 'static,
{
    pub(crate) fn new(
        listener: Listener<K>,
        connections: &Rc<Connections<T>>,
        started_at: &'static Location<'static>,
        serve: F,
    ) -> Acceptor<K, T, F> {
        let _entry = connections.add(Weak::new());
        Acceptor { listener, serve, connections: connections.clone(), started_at, _entry }
    }

    /// Spawns a task that accepts until the handle is dropped.
    pub(crate) fn start(self) -> JoinHandle<()> {
        let started_at = self.started_at;
        spawn_server_task(self.run(), started_at).abort_on_drop()
    }

    async fn run(self) {
        loop {
            let error = match self.accept().await {
                Ok((connection, peer)) => {
                    (self.serve)(connection, peer);
                    continue;
                }
                Err(error) => error,
            };
            let failure = accept_failure(&error);
            if failure != AcceptFailure::Connection {
                report(format!("could not accept a connection: {error}"));
            }
            match failure {
                // The next `accept` waits until it may succeed.
                AcceptFailure::Connection | AcceptFailure::Starved => {}
                AcceptFailure::Transient => sleep(RETRY_DELAY).await,
                AcceptFailure::Permanent => return self.connections.fail(error),
            }
        }
    }

    /// Waits for a connection, and while the server is paused or full.
    async fn accept(&self) -> io::Result<(Connection<K>, K::Addr)> {
        let mut accept = pin!(self.listener.accept());
        loop {
            self.connections.accepting().await;
            // A connection that arrives during a pause ends the wait here: it stays in the backlog.
            let polled = poll_fn(|cx| match self.connections.is_accepting() {
                true => accept.as_mut().poll(cx).map(Some),
                false => Poll::Ready(None),
            });
            if let Some(accepted) = polled.await {
                return accepted;
            }
        }
    }
}

/// Spawns a task of a server that was started at `spawned_at`.
pub(crate) fn spawn_server_task(
    future: impl Future<Output = ()> + 'static,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<()> {
    let options = SpawnOptions::at(spawned_at);
    context::expect("a server").executor.spawn(future, options)
}

/// Reports the error of a connection, which the running task serves, to the loop's error handler.
pub(crate) fn report_connection_error(peer: Option<SocketAddr>, error: String) {
    report(match peer {
        Some(peer) => format!("connection from {peer}: {error}"),
        None => error,
    });
}

/// Reports an error of the running task to the loop's error handler.
fn report(error: String) {
    if let Some(context) = context::current() {
        context.executor.report_error(Location::caller(), error);
    }
}
