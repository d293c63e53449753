//! What a runtime must offer to run the servers: TCP, each call as its user would write it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use crate::peer::Peer;

/// Connections of TCP.
pub trait Net: Peer {
    type Listener;
    type Stream: 'static;

    /// Listens on a free port of 127.0.0.1.
    fn bind() -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>>;

    /// Accepts a connection, and sets TCP_NODELAY.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;

    /// Reads into `buf[from..]`. The buffer is boxed because some runtimes own it while they read.
    fn read<'a>(
        stream: &'a mut Self::Stream,
        buf: &'a mut Box<[u8]>,
        from: usize,
    ) -> impl Future<Output = io::Result<usize>>;

    /// Writes all of `bytes`, and empties it.
    fn write_all(
        stream: &mut Self::Stream,
        bytes: &mut Vec<u8>,
    ) -> impl Future<Output = io::Result<()>>;
}

/// Connections with a buffer in both directions.
pub trait Buffered: Net {
    type Connection: 'static;

    fn buffered(stream: Self::Stream) -> Self::Connection;

    /// Appends a line with its `\n` to `line`; returns its length, 0 at the end of the stream.
    fn read_line<'a>(
        connection: &'a mut Self::Connection,
        line: &'a mut Vec<u8>,
    ) -> impl Future<Output = io::Result<usize>>;

    /// Writes one reply. It may stay in the buffer while further requests are there to be read.
    fn write_reply(
        connection: &mut Self::Connection,
        reply: &[u8],
    ) -> impl Future<Output = io::Result<()>>;
}
