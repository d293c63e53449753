//! The `Read` and `Write` of std over an I/O object of a loop, for code on other threads.
//!
//! The object stays with a task of the loop. A call of the bridge sends that task a function
//! pointer and a buffer, and blocks until both come back: so the object need not be `Send`.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::context;
use crate::executor::{JoinHandle, SpawnOptions};
use crate::sync::thread_channel::{self, Receiver, Sender};

/// The maximum number of bytes of one call.
const CHUNK: usize = 64 * 1024;

/// Implements `Read` and `Write` of std on another thread; see [`sync_bridge`].
pub struct SyncIoBridge<T> {
    requests: Sender<Request<T>>,
    replies: Receiver<Reply>,
    /// The buffer of the last call.
    buffer: Vec<u8>,
}

/// An operation on the object. A read fills the buffer, whose length is the maximum.
type Op<T> = fn(&mut T, &mut Context<'_>, &mut Vec<u8>) -> Poll<io::Result<usize>>;

type Request<T> = (Op<T>, Vec<u8>);
type Reply = (io::Result<usize>, Vec<u8>);

/// Returns the blocking `Read` and `Write` of std for an I/O object of the running loop. The bridge
/// can be moved to another thread, for instance into
/// [`spawn_blocking`](crate::task::spawn_blocking), for a library that knows only these traits.
///
/// Each call of the bridge blocks its thread while a task of the loop reads or writes. That task
/// ends when the bridge is dropped; the handle then returns the object, still open. Dropping the
/// handle is right if the object is not used later: the task drops it.
///
/// The methods of the bridge return an error of kind `BrokenPipe` if that task has ended: because
/// its loop has ended, its handle was aborted, or the object panicked.
///
/// # Panics
///
/// Outside of a running loop. The methods of the bridge panic on the thread of a running loop,
/// which they would block.
///
#[cfg_attr(feature = "streams", doc = "```")]
#[cfg_attr(not(feature = "streams"), doc = "```ignore")]
/// use std::io::{BufRead, BufReader, Write};
///
/// evloop::block_on(async {
///     let (one, other) = evloop::io::duplex(64);
///     let (mut reader, writer) = evloop::streams::from_io(one);
///     let (bridge, handle) = evloop::io::sync_bridge(other);
///     let upper = evloop::task::spawn_blocking(move || {
///         let mut line = String::new();
///         let mut bridge = BufReader::new(bridge);
///         bridge.read_line(&mut line)?;
///         bridge.get_mut().write_all(line.to_uppercase().as_bytes())
///     });
///     writer.write("hello\n");
///     assert_eq!(reader.read_line().await?, b"HELLO\n");
///     upper.await.unwrap()?;
///     let _other = handle.await.unwrap();
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn sync_bridge<T: 'static>(io: T) -> (SyncIoBridge<T>, JoinHandle<T>) {
    let (requests, received) = thread_channel::bounded(1);
    let (reply, replies) = thread_channel::bounded(1);
    let context = context::expect("sync_bridge");
    let handle = context.executor.spawn(serve(io, received, reply), SpawnOptions::here());
    (SyncIoBridge { requests, replies, buffer: Vec::new() }, handle)
}

/// Serves a bridge until it is dropped.
async fn serve<T>(mut io: T, mut requests: Receiver<Request<T>>, replies: Sender<Reply>) -> T {
    while let Some((op, mut buffer)) = requests.recv().await {
        let result = poll_fn(|cx| op(&mut io, cx, &mut buffer)).await;
        if replies.send((result, buffer)).await.is_err() {
            break;
        }
    }
    io
}

impl<T> SyncIoBridge<T> {
    /// Runs `op` in the task of the loop. The buffer has its result.
    fn call(&mut self, op: Op<T>) -> io::Result<usize> {
        let request = (op, std::mem::take(&mut self.buffer));
        self.requests.blocking_send(request).map_err(|_| task_ended())?;
        let (result, buffer) = self.replies.blocking_recv().ok_or_else(task_ended)?;
        self.buffer = buffer;
        result
    }
}

impl<T: AsyncWrite + Unpin> SyncIoBridge<T> {
    /// Flushes the object and ends its write direction, as `poll_close` does.
    ///
    /// # Errors
    ///
    /// The error of the object.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.call(|io, cx, _| Pin::new(io).poll_close(cx).map_ok(|()| 0)).map(drop)
    }
}

impl<T: AsyncRead + Unpin> Read for SyncIoBridge<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.buffer.resize(buf.len().min(CHUNK), 0);
        let n = self.call(|io, cx, buffer| Pin::new(io).poll_read(cx, buffer))?;
        buf[..n].copy_from_slice(&self.buffer[..n]);
        Ok(n)
    }
}

impl<T: AsyncWrite + Unpin> Write for SyncIoBridge<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.buffer.clear();
        self.buffer.extend_from_slice(&buf[..buf.len().min(CHUNK)]);
        self.call(|io, cx, buffer| Pin::new(io).poll_write(cx, buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.call(|io, cx, _| {
            ready!(Pin::new(io).poll_flush(cx))?;
            Poll::Ready(Ok(0))
        })
        .map(drop)
    }
}

#[cold]
fn task_ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::BrokenPipe,
        "the task of this SyncIoBridge has ended: its event loop has ended, its handle was \
         aborted, or its object panicked",
    )
}

impl<T> fmt::Debug for SyncIoBridge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncIoBridge").finish_non_exhaustive()
    }
}
