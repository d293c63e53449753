//! Accepts a listener's connections, and spawns a task for each.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use super::connections::{Connections, Entry};
use super::open::pair;
use super::reader::StreamReader;
use super::server_options::ServerOptions;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::writer::StreamWriter;
use crate::context;
pub use crate::executor::TaskOutput as HandlerOutput;
use crate::executor::{JoinHandle, SpawnOptions};
use crate::net::{Connection, Listener, Transport};
use crate::sys::{AcceptFailure, accept_failure};
use crate::time::sleep;

/// How long an acceptor waits after an error that may repeat at once: it must not spin.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// A listener of a server.
pub(super) struct Acceptor<K: Transport, F> {
    listener: Listener<K>,
    handler: Rc<F>,
    options: ServerOptions,
    connections: Rc<Connections<SharedStream>>,
    /// Where the server was started; reported as the place where its tasks were spawned.
    started_at: &'static Location<'static>,
    /// Dropped last: a task that waits for it may listen on the address again.
    _entry: Entry<SharedStream>,
}

impl<K, F, T> Acceptor<K, F>
where
    K: Transport,
    StreamSocket: From<Connection<K>>,
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    pub(super) fn new(
        listener: Listener<K>,
        handler: Rc<F>,
        options: ServerOptions,
        connections: &Rc<Connections<SharedStream>>,
        started_at: &'static Location<'static>,
    ) -> Acceptor<K, F> {
        let _entry = connections.add(Weak::new());
        Acceptor {
            listener,
            handler,
            options,
            connections: connections.clone(),
            started_at,
            _entry,
        }
    }

    /// Spawns a task that accepts until the handle is dropped.
    pub(super) fn start(self) -> JoinHandle<()> {
        let started_at = self.started_at;
        spawn(self.run(), started_at).abort_on_drop()
    }

    async fn run(self) {
        loop {
            let error = match self.accept().await {
                Ok((connection, peer)) => {
                    self.serve(connection, K::ip_addr(peer));
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

    /// Spawns the handler of a connection.
    fn serve(&self, connection: Connection<K>, peer: Option<SocketAddr>) {
        let socket = StreamSocket::from(connection);
        if self.options.keepalive {
            socket.set_keepalive();
        }
        let (reader, writer) = pair(socket, &self.options.streams);
        writer.shared.known_peer.set(peer);
        writer.shared.set_entry(self.connections.add(Rc::downgrade(&writer.shared)));
        let handler = self.handler.clone();
        self.connections.start_handler(|running| {
            let task = async move {
                let _running = running;
                if let Some(error) = handler(reader, writer).await.error() {
                    report(match peer {
                        Some(peer) => format!("connection from {peer}: {error}"),
                        None => error,
                    });
                }
            };
            spawn(task, self.started_at)
        });
    }
}

fn spawn(
    future: impl Future<Output = ()> + 'static,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<()> {
    let options = SpawnOptions::at(spawned_at);
    context::expect("start_server").executor.spawn(future, options)
}

/// Reports an error of the running task to the loop's error handler.
fn report(error: String) {
    if let Some(context) = context::current() {
        context.executor.report_error(Location::caller(), error);
    }
}
