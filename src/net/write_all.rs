//! The future that writes all of a buffer. Layer L4.
//!
//! Invariant: the buffer begins with the first byte that is not written yet.

use std::borrow::BorrowMut;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::transport::IoObject;
use crate::reactor::{Direction, Done, Socket, WaiterKey};

/// Writes all of `buf`, and advances it past the bytes that were written.
#[must_use = "a future does nothing unless it is awaited"]
pub(super) struct WriteAll<'a, 'b, S: IoObject, B, W> {
    buf: B,
    /// The key of its waiter, which is removed when it is dropped.
    key: WaiterKey,
    socket: &'a Socket<S>,
    write: W,
    bytes: PhantomData<&'b [u8]>,
}

impl<'a, 'b, S, B, W> WriteAll<'a, 'b, S, B, W>
where
    S: IoObject,
    B: BorrowMut<&'b [u8]>,
    W: Fn(&S, &[u8]) -> io::Result<Done<usize>>,
{
    pub(super) fn new(socket: &'a Socket<S>, buf: B, write: W) -> Self {
        WriteAll { buf, key: WaiterKey::default(), socket, write, bytes: PhantomData }
    }

    /// Writes until the buffer is empty. Out of line, since it is rarely called.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let WriteAll { buf, key, socket, write, .. } = self;
        let rest = buf.borrow_mut();
        while !rest.is_empty() {
            match ready!(socket.poll_io(Direction::Write, cx, key, |io| write(io, rest)))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *rest = &rest[n..],
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Nothing in it is pinned.
impl<S: IoObject, B, W> Unpin for WriteAll<'_, '_, S, B, W> {}

impl<'b, S, B, W> Future for WriteAll<'_, 'b, S, B, W>
where
    S: IoObject,
    B: BorrowMut<&'b [u8]>,
    W: Fn(&S, &[u8]) -> io::Result<Done<usize>>,
{
    type Output = io::Result<()>;

    /// Inlined as far as a message needs that the socket takes at once: it is one write.
    #[inline(always)]
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let WriteAll { buf, socket, write, .. } = &mut *self;
        let rest = buf.borrow_mut();
        if !rest.is_empty() {
            match socket.try_ready(Direction::Write, |io| write(io, rest)) {
                Poll::Ready(Ok(n)) if n >= rest.len() => {
                    *rest = &rest[rest.len()..];
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(n)) if n > 0 => *rest = &rest[n..],
                Poll::Ready(Ok(_)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        self.poll_rest(cx)
    }
}

impl<S: IoObject, B, W> Drop for WriteAll<'_, '_, S, B, W> {
    #[inline]
    fn drop(&mut self) {
        if self.key.is_registered() {
            self.socket.deregister(Direction::Write, &mut self.key);
        }
    }
}
