//! Writes the input of a child and reads its outputs at the same time, so that the child and its
//! parent never both wait for the other.
//!
//! Invariant: progress is stored before the next await, so that a call after a dropped future
//! continues where that one stopped.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::current::read_buffer;
use crate::net::pipe::{Receiver, Sender};
use crate::reactor::Direction;

/// The progress of one communication.
#[derive(Debug, Default)]
pub(super) struct Communicate {
    /// The number of bytes of the input that were written.
    pub(super) written: usize,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Communicate {
    /// Completes when the input is written or its pipe is closed by the child, and both outputs
    /// have ended. Closes each pipe at its end.
    pub(super) async fn run(
        &mut self,
        input: &[u8],
        stdin: &mut Option<Sender>,
        stdout: &mut Option<Receiver>,
        stderr: &mut Option<Receiver>,
    ) -> io::Result<()> {
        let input = pin!(write_input(stdin, input, &mut self.written));
        let out = pin!(read_to_end(stdout, &mut self.stdout));
        let err = pin!(read_to_end(stderr, &mut self.stderr));
        all([input, out, err]).await
    }
}

/// Writes the rest of the input. It is no error if the child closes its end of the pipe.
async fn write_input(
    stdin: &mut Option<Sender>,
    input: &[u8],
    written: &mut usize,
) -> io::Result<()> {
    if let Some(sender) = stdin {
        while *written < input.len() {
            match sender.write(&input[*written..]).await {
                Ok(n) => *written += n,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error),
            }
        }
    }
    *stdin = None;
    Ok(())
}

/// Reads the pipe to its end.
async fn read_to_end(pipe: &mut Option<Receiver>, into: &mut Vec<u8>) -> io::Result<()> {
    if let Some(receiver) = pipe {
        let mut read = || {
            read_buffer::with_buffer(|buf| {
                let done = receiver.receive(buf)?;
                into.extend_from_slice(&buf[..done.value]);
                Ok(done)
            })
        };
        while receiver.source().io(Direction::Read, &mut read).await? > 0 {}
    }
    *pipe = None;
    Ok(())
}

/// Polls all futures until each has completed, or one fails.
async fn all<const N: usize>(
    futures: [Pin<&mut dyn Future<Output = io::Result<()>>>; N],
) -> io::Result<()> {
    let mut slots = futures.map(Some);
    poll_fn(|cx: &mut Context<'_>| {
        for slot in &mut slots {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => *slot = None,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        match slots.iter().all(Option::is_none) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    })
    .await
}
