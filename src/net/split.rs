//! The two halves of a connection, for two owners.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use super::connection::Connection;
use super::tcp_stream::Tcp;
use super::transport::Transport;

/// The reading half of a [`Connection`]; see [`Connection::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf<T: Transport = Tcp>(Rc<Connection<T>>);

/// The writing half of a [`Connection`]; see [`Connection::into_split`]. Dropping it ends the write
/// direction, so the peer reads to its end.
#[derive(Debug)]
pub struct OwnedWriteHalf<T: Transport = Tcp> {
    stream: Rc<Connection<T>>,
    shutdown_on_drop: bool,
}

/// The two halves given to [`OwnedReadHalf::reunite`] are of two connections. Holds both.
#[derive(Debug)]
pub struct ReuniteError<T: Transport = Tcp>(pub OwnedReadHalf<T>, pub OwnedWriteHalf<T>);

impl<T: Transport> Connection<T> {
    /// Two halves that can be owned by two tasks. The connection closes when both are dropped.
    pub fn into_split(self) -> (OwnedReadHalf<T>, OwnedWriteHalf<T>) {
        let stream = Rc::new(self);
        (OwnedReadHalf(stream.clone()), OwnedWriteHalf { stream, shutdown_on_drop: true })
    }
}

impl<T: Transport> OwnedReadHalf<T> {
    /// Makes the stream of its two halves again.
    ///
    /// # Errors
    ///
    /// If they are not of the same stream.
    pub fn reunite(self, mut write: OwnedWriteHalf<T>) -> Result<Connection<T>, ReuniteError<T>> {
        if !Rc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.shutdown_on_drop = false;
        drop(write);
        Ok(Rc::into_inner(self.0).expect("a stream has two halves"))
    }

    /// See [`Connection::read`].
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).await
    }

    /// See [`Connection::read_exact`].
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(buf).await
    }

    /// See [`Connection::peek`].
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buf).await
    }
}

impl<T: Transport> OwnedWriteHalf<T> {
    /// See [`Connection::write`].
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf).await
    }

    /// See [`Connection::write_all`].
    pub fn write_all(&self, buf: &[u8]) -> impl Future<Output = io::Result<()>> {
        self.stream.write_all(buf)
    }

    /// See [`Connection::write_all_buf`].
    pub fn write_all_buf(&self, buf: &mut &[u8]) -> impl Future<Output = io::Result<()>> {
        self.stream.write_all_buf(buf)
    }

    /// Ends the write direction; see [`Connection::shutdown`].
    pub fn shutdown(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

impl<T: Transport> AsRef<Connection<T>> for OwnedReadHalf<T> {
    fn as_ref(&self) -> &Connection<T> {
        &self.0
    }
}

impl<T: Transport> AsRef<Connection<T>> for OwnedWriteHalf<T> {
    fn as_ref(&self) -> &Connection<T> {
        &self.stream
    }
}

impl<T: Transport> Drop for OwnedWriteHalf<T> {
    fn drop(&mut self) {
        if self.shutdown_on_drop {
            // It fails only for a connection that is gone already.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

impl<T: Transport> fmt::Display for ReuniteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are not of the same connection")
    }
}

impl<T: Transport> Error for ReuniteError<T> {}
