//! The handler of a server's connections, and the task in which it runs.

use std::net::SocketAddr;
use std::panic::Location;
use std::rc::Rc;

use super::open::pair;
use super::reader::StreamReader;
use super::server_options::ServerOptions;
use super::shared_stream::SharedStream;
use super::socket::StreamSocket;
use super::writer::StreamWriter;
pub use crate::executor::TaskOutput as HandlerOutput;
use crate::net::{Connections, report_connection_error, spawn_server_task};

/// What a server does with a connection.
pub(super) struct ConnectionHandler<F> {
    pub(super) handler: Rc<F>,
    pub(super) options: ServerOptions,
    pub(super) connections: Rc<Connections<SharedStream>>,
    pub(super) started_at: &'static Location<'static>,
}

impl<F, T> ConnectionHandler<F>
where
    F: AsyncFn(StreamReader, StreamWriter) -> T + 'static,
    T: HandlerOutput + 'static,
{
    /// Spawns the handler of a connection.
    pub(super) fn serve(&self, socket: StreamSocket, peer: Option<SocketAddr>) {
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
                    report_connection_error(peer, error);
                }
            };
            spawn_server_task(task, self.started_at)
        });
    }
}
