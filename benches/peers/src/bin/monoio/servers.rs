//! TCP on monoio, for the servers that all peers share.

use std::io;
use std::mem;
use std::net::SocketAddr;

use evloop_peers::net::Net;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};

use crate::adaptor::Monoio;

impl Net for Monoio {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn bind() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read<'a>(
        stream: &'a mut TcpStream,
        buf: &'a mut Box<[u8]>,
        from: usize,
    ) -> io::Result<usize> {
        let (got, slice) = stream.read(mem::take(buf).slice_mut(from..)).await;
        *buf = slice.into_inner();
        got
    }

    async fn write_all(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
        let (sent, sent_bytes) = stream.write_all(mem::take(bytes)).await;
        *bytes = sent_bytes;
        bytes.clear();
        sent.map(drop)
    }
}
