//! A TLS connection from its first byte on: the handshake, then the stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::pki_types::ServerName;
use futures_rustls::{FallibleAccept, FallibleConnect, TlsAcceptor, TlsConnector, TlsStream};

use super::info::TlsInfo;
use crate::io_error::explain;

/// TLS over another connection. Each operation first completes the handshake.
pub(crate) struct Tls<T>(State<T>);

enum State<T> {
    Connecting(FallibleConnect<T>),
    Accepting(FallibleAccept<T>),
    Open(Box<TlsStream<T>>),
    /// The handshake has failed, and its error was returned. The user closes the connection.
    Failed {
        _io: T,
    },
}

impl<T: AsyncRead + AsyncWrite + Unpin> Tls<T> {
    /// The side of the client.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if `name` is neither a DNS name nor an IP address.
    pub(crate) fn connect(io: T, name: &str, connector: &TlsConnector) -> io::Result<Tls<T>> {
        let name = ServerName::try_from(name).map_err(|_| bad_name(name))?.to_owned();
        Ok(Tls(State::Connecting(connector.connect(name, io).into_fallible())))
    }

    /// The side of the server.
    pub(crate) fn accept(io: T, acceptor: &TlsAcceptor) -> Tls<T> {
        Tls(State::Accepting(acceptor.accept(io).into_fallible()))
    }

    /// Returns what the handshake has agreed on; `None` before its end.
    pub(crate) fn info(&self) -> Option<TlsInfo> {
        match &self.0 {
            State::Open(stream) => Some(match &**stream {
                TlsStream::Client(client) => TlsInfo::new(client.get_ref().1, None),
                TlsStream::Server(server) => {
                    let session = server.get_ref().1;
                    TlsInfo::new(session, session.server_name())
                }
            }),
            _ => None,
        }
    }

    /// Completes the handshake, and returns the stream.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<T>>>> {
        let opened = match &mut self.0 {
            State::Open(_) => None,
            State::Connecting(connect) => {
                Some(ready!(Pin::new(connect).poll(cx)).map(TlsStream::from))
            }
            State::Accepting(accept) => {
                Some(ready!(Pin::new(accept).poll(cx)).map(TlsStream::from))
            }
            State::Failed { .. } => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        match opened {
            None => {}
            Some(Ok(stream)) => self.0 = State::Open(Box::new(stream)),
            Some(Err((error, io))) => {
                self.0 = State::Failed { _io: io };
                let message = format!("the TLS handshake failed: {error}");
                return Poll::Ready(Err(explain(error, message)));
            }
        }
        let State::Open(stream) = &mut self.0 else { unreachable!("it was just opened") };
        Poll::Ready(Ok(Pin::new(&mut **stream)))
    }
}

#[cold]
fn bad_name(name: &str) -> io::Error {
    let sentence = format!(
        "{name:?} is not the name of a TLS server: pass a DNS name or an IP address, without a port"
    );
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Tls<T> {
    /// An end without `close_notify` is an error of kind `UnexpectedEof`: an attacker may have cut
    /// the stream (RFC 8446, section 6.1).
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Tls<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_flush(cx)
    }

    /// Sends `close_notify` and ends the write direction; reads continue.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_close(cx)
    }
}
