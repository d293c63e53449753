//! The servers on tokio: TCP for those that all peers share, a chat and a proxy of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use evloop_peers::job::announce;
use evloop_peers::net::{Buffered, Net};
use evloop_peers::peer::Peer;
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, copy_bidirectional,
    copy_bidirectional_with_sizes,
};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::adaptor::Tokio;

/// Lines that the batching chat sends with one write at most.
const BATCH: usize = 64;
/// Bytes of the proxy's buffers where they are set by hand: what evloop reads at once.
const PROXY_BUFFER: usize = 64 * 1024;

impl Net for Tokio {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn bind() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn read<'a>(
        stream: &'a mut TcpStream,
        buf: &'a mut Box<[u8]>,
        from: usize,
    ) -> impl Future<Output = io::Result<usize>> {
        stream.read(&mut buf[from..])
    }

    async fn write_all(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
        stream.write_all(bytes).await?;
        bytes.clear();
        Ok(())
    }
}

impl Buffered for Tokio {
    type Connection = BufReader<BufWriter<TcpStream>>;

    fn buffered(stream: TcpStream) -> Self::Connection {
        BufReader::new(BufWriter::new(stream))
    }

    fn read_line<'a>(
        connection: &'a mut Self::Connection,
        line: &'a mut Vec<u8>,
    ) -> impl Future<Output = io::Result<usize>> {
        connection.read_until(b'\n', line)
    }

    /// Flushes when all requests that were received are answered.
    async fn write_reply(connection: &mut Self::Connection, reply: &[u8]) -> io::Result<()> {
        connection.write_all(reply).await?;
        if connection.buffer().is_empty() {
            connection.flush().await?;
        }
        Ok(())
    }
}

type Line = Rc<[u8]>;
type Clients = RefCell<HashMap<SocketAddr, UnboundedSender<Line>>>;

/// Sends each line of a client to all clients, by `send`, which runs in a task for each client.
pub async fn chat(
    send: impl AsyncFn(UnboundedReceiver<Line>, OwnedWriteHalf) -> io::Result<()> + Copy + 'static,
) -> io::Result<()> {
    let (listener, addr) = Tokio::bind().await?;
    announce(addr);
    let clients = Rc::new(Clients::default());
    loop {
        let stream = Tokio::accept(&listener).await?;
        let (addr, clients) = (stream.peer_addr()?, clients.clone());
        Tokio::detach(Tokio::spawn(async move {
            let (reader, writer) = stream.into_split();
            let (tx, rx) = mpsc::unbounded_channel();
            Tokio::detach(Tokio::spawn(async move { send(rx, writer).await }));
            clients.borrow_mut().insert(addr, tx.clone());
            let ended = chat_with(reader, tx, &clients).await;
            clients.borrow_mut().remove(&addr);
            ended
        }));
    }
}

async fn chat_with(
    reader: OwnedReadHalf,
    tx: UnboundedSender<Line>,
    clients: &Clients,
) -> io::Result<()> {
    tx.send((*b"welcome\n").into()).ok();
    let (mut reader, mut line) = (BufReader::new(reader), Vec::new());
    while reader.read_until(b'\n', &mut line).await? > 0 {
        let shared: Line = line[..].into();
        for client in clients.borrow().values() {
            client.send(shared.clone()).ok();
        }
        line.clear();
    }
    Ok(())
}

/// The plain way: a write for each line.
pub async fn send_lines(
    mut rx: UnboundedReceiver<Line>,
    mut writer: OwnedWriteHalf,
) -> io::Result<()> {
    while let Some(line) = rx.recv().await {
        writer.write_all(&line).await?;
    }
    Ok(())
}

/// Batched by hand: a write for all lines that are there.
pub async fn send_batches(
    mut rx: UnboundedReceiver<Line>,
    mut writer: OwnedWriteHalf,
) -> io::Result<()> {
    let (mut lines, mut bytes) = (Vec::new(), Vec::new());
    while rx.recv_many(&mut lines, BATCH).await > 0 {
        bytes.clear();
        for line in lines.drain(..) {
            bytes.extend_from_slice(&line);
        }
        writer.write_all(&bytes).await?;
    }
    Ok(())
}

/// Forwards connections to `port`.
pub async fn proxy(
    port: u16,
    forward: impl AsyncFn(TcpStream, TcpStream) -> io::Result<()> + Copy + 'static,
) -> io::Result<()> {
    let (listener, addr) = Tokio::bind().await?;
    announce(addr);
    loop {
        let client = Tokio::accept(&listener).await?;
        Tokio::detach(Tokio::spawn(async move {
            let upstream = TcpStream::connect(("127.0.0.1", port)).await?;
            upstream.set_nodelay(true)?;
            forward(client, upstream).await
        }));
    }
}

/// The plain way: the buffers have tokio's 8 KiB.
pub async fn forward(mut client: TcpStream, mut upstream: TcpStream) -> io::Result<()> {
    copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}

/// With buffers of a size set by hand.
pub async fn forward_sized(mut client: TcpStream, mut upstream: TcpStream) -> io::Result<()> {
    let size = PROXY_BUFFER;
    copy_bidirectional_with_sizes(&mut client, &mut upstream, size, size).await?;
    Ok(())
}
