//! The servers on evloop: TCP for those that all peers share, a chat and a proxy of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use evloop::io::copy_bidirectional;
use evloop::net::{TcpListener, TcpStream};
use evloop::streams::{self, StreamOptions};
use evloop::{StreamReader, StreamWriter};
use evloop_peers::job::announce;
use evloop_peers::net::{Buffered, Net};

use crate::Evloop;

impl Net for Evloop {
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

impl Buffered for Evloop {
    type Connection = (StreamReader, StreamWriter);

    fn buffered(stream: TcpStream) -> Self::Connection {
        streams::from_tcp(stream, &StreamOptions::default()).expect("a connection")
    }

    fn read_line<'a>(
        (reader, _): &'a mut Self::Connection,
        line: &'a mut Vec<u8>,
    ) -> impl Future<Output = io::Result<usize>> {
        reader.read_line_into(line)
    }

    async fn write_reply((_, writer): &mut Self::Connection, reply: &[u8]) -> io::Result<()> {
        writer.write(reply);
        writer.drain().await
    }
}

/// Sends each line of a client to all clients. What a task writes before it yields goes out
/// together, so that there is nothing to batch by hand.
pub async fn chat() -> io::Result<()> {
    let clients = Rc::new(RefCell::new(HashMap::new()));
    let server = evloop::start_server("127.0.0.1:0", async move |mut reader, writer| {
        let (addr, writer) = (writer.peer_addr()?, Rc::new(writer));
        clients.borrow_mut().insert(addr, writer.clone());
        let ended = chat_with(&mut reader, &writer, &clients).await;
        clients.borrow_mut().remove(&addr);
        ended
    });
    let server = server.await?;
    announce(server.local_addrs()[0]);
    server.serve_forever().await
}

async fn chat_with(
    reader: &mut StreamReader,
    writer: &StreamWriter,
    clients: &RefCell<HashMap<SocketAddr, Rc<StreamWriter>>>,
) -> io::Result<()> {
    writer.write("welcome\n");
    let mut line = Vec::new();
    while reader.read_line_into(&mut line).await? > 0 {
        for client in clients.borrow().values() {
            client.write(&line);
        }
        line.clear();
    }
    Ok(())
}

/// Forwards connections to `port`.
pub async fn proxy(port: u16) -> io::Result<()> {
    let (listener, addr) = Evloop::bind().await?;
    announce(addr);
    loop {
        let client = Evloop::accept(&listener).await?;
        drop(evloop::spawn(async move {
            let upstream = TcpStream::connect(("127.0.0.1", port)).await?;
            upstream.set_nodelay(true)?;
            copy_bidirectional(client, upstream).await
        }));
    }
}
