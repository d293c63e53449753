//! A worker process of a pool, as its parent sees it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix;
use std::process::ExitStatus;
use std::time::Duration;

use super::child::Child;
use super::command::Command;
use super::pool_error::PoolError;
use super::worker::{self, LENGTH_SIZE, PANICKED, RETURNED};
use crate::net::UnixStream;
use crate::time::timeout;

/// The time for which a worker that has closed its socket may still run: a process closes its
/// descriptors shortly before it ends.
const GRACE: Duration = Duration::from_secs(1);

/// The number of bytes of an answer for which a buffer is made at once. A longer answer is read in
/// pieces, since a program that is no worker may send any length.
const PIECE: usize = 64 * 1024;

/// A worker. Dropping it kills the process.
pub(super) struct PoolWorker {
    child: Child,
    socket: UnixStream,
    /// The number of jobs that were sent to it.
    pub(super) jobs: usize,
}

impl PoolWorker {
    pub(super) async fn start(mut command: Command) -> io::Result<PoolWorker> {
        let (ours, theirs) = unix::net::UnixStream::pair()?;
        command.env(worker::VARIABLE, worker::identity(theirs.as_fd())?);
        command.stdin(OwnedFd::from(theirs)).kill_on_drop(true);
        let socket = UnixStream::from_std(ours)?;
        let child = command.spawn_async().await?;
        Ok(PoolWorker { child, socket, jobs: 0 })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns whether the process has not ended, as far as the system reports it.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a job and receives the answer. After a drop or an error other than a panic of the job
    /// the worker cannot be used again.
    pub(super) async fn run(&mut self, job: &[u8]) -> Result<Vec<u8>, PoolError> {
        self.jobs += 1;
        match self.exchange(job).await {
            Ok((PANICKED, message)) => {
                Err(PoolError::Panicked(String::from_utf8_lossy(&message).into_owned()))
            }
            Ok((_, output)) => Ok(output),
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset => Err(PoolError::Broken(self.end().await?)),
                _ => Err(error.into()),
            },
        }
    }

    /// Returns the tag and the bytes of the answer.
    async fn exchange(&self, job: &[u8]) -> io::Result<(u8, Vec<u8>)> {
        self.socket.write_all(&worker::length(job)).await?;
        self.socket.write_all(job).await?;
        let (mut tag, mut length) = ([0], [0; LENGTH_SIZE]);
        self.socket.read_exact(&mut tag).await?;
        self.socket.read_exact(&mut length).await?;
        if ![RETURNED, PANICKED].contains(&tag[0]) {
            return Err(no_answer());
        }
        Ok((tag[0], self.read(worker::parse_length(length)?).await?))
    }

    /// Reads `len` bytes. Each piece is as long as all before it.
    async fn read(&self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let begin = bytes.len();
            bytes.resize(len.min(begin + begin.max(PIECE)), 0);
            self.socket.read_exact(&mut bytes[begin..]).await?;
        }
        Ok(bytes)
    }

    /// Waits until a process that has closed its socket has ended, and kills it if it does not.
    async fn end(&mut self) -> io::Result<ExitStatus> {
        if let Ok(ended) = timeout(GRACE, self.child.wait()).await {
            return ended;
        }
        self.child.kill()?;
        self.child.wait().await
    }

    /// Closes the socket, which ends an idle worker, and returns the process.
    pub(super) fn close(self) -> Child {
        self.child
    }
}

#[cold]
fn no_answer() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the worker process has sent bytes that are no answer (its `main` must call \
         `evloop::process::worker` first)",
    )
}
