//! Feeding a child and taking in what it says, all at once: so that neither waits for the other.
//!
//! Invariant: what was written and read is noted before the next await, so that a talk that was
//! given up goes on where it was.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::current::read_buffer;
use crate::net::pipe::{Receiver, Sender};
use crate::reactor::Direction;

/// How far a talk has come.
#[derive(Debug, Default)]
pub(super) struct Communicate {
    /// Bytes of the input that were written.
    pub(super) written: usize,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Communicate {
    /// Talks until the input is written or refused, and both outputs have ended. Each pipe is
    /// closed when it is done with.
    pub(super) async fn run(
        &mut self,
        input: &[u8],
        stdin: &mut Option<Sender>,
        stdout: &mut Option<Receiver>,
        stderr: &mut Option<Receiver>,
    ) -> io::Result<()> {
        let feed = pin!(feed(stdin, input, &mut self.written));
        let out = pin!(take_in(stdout, &mut self.stdout));
        let err = pin!(take_in(stderr, &mut self.stderr));
        all([feed, out, err]).await
    }
}

/// Writes the rest of the input. A child that does not want it is no error.
async fn feed(stdin: &mut Option<Sender>, input: &[u8], written: &mut usize) -> io::Result<()> {
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

/// Reads to the end.
async fn take_in(pipe: &mut Option<Receiver>, into: &mut Vec<u8>) -> io::Result<()> {
    if let Some(receiver) = pipe {
        let mut read = || {
            read_buffer::with_buffer(|room| {
                let done = receiver.receive(room)?;
                into.extend_from_slice(&room[..done.value]);
                Ok(done)
            })
        };
        while receiver.source().io(Direction::Read, &mut read).await? > 0 {}
    }
    *pipe = None;
    Ok(())
}

/// Runs all of them until each has completed, or one fails.
async fn all<const N: usize>(
    futures: [Pin<&mut dyn Future<Output = io::Result<()>>>; N],
) -> io::Result<()> {
    let mut left = futures.map(Some);
    poll_fn(|cx: &mut Context<'_>| {
        for slot in &mut left {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => *slot = None,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        match left.iter().all(Option::is_none) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    })
    .await
}
