//! The worker's side of a pool of processes: reads jobs, answers them.
//!
//! Parent and worker share a socket, which the worker receives as its stdin. A job is its length (8
//! bytes, little-endian) and its bytes. An answer is a tag (1 byte), its length and its bytes.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process;

use crate::caught::catch;

/// Names the socket that a worker has as its stdin. A process that inherits the variable and has
/// another stdin is no worker.
pub(super) const VARIABLE: &str = "EVLOOP_WORKER";

/// The tag of an answer with the output of the job.
pub(super) const RETURNED: u8 = 0;
/// The tag of an answer with the message of a panic.
pub(super) const PANICKED: u8 = 1;

pub(super) const LENGTH_SIZE: usize = 8;

/// Runs the jobs of a [`Pool`](super::Pool) if this process is one of its workers; otherwise
/// returns at once.
///
/// Call it first in `main`: the workers of a pool run the same program as their parent. In a worker
/// it calls `run` for each job, one at a time, sends back the bytes that `run` returns, and never
/// returns itself: the process exits when the pool ends or its parent process dies. What belongs to
/// the worker, such as a cache or a connection, is made before the call and captured by `run`.
///
/// In a worker stdin is empty; stdout and stderr are those of the parent. A panic of `run` is
/// returned to the caller of [`Pool::run`](super::Pool::run), and the worker continues. The pool
/// marks its workers by the environment variable `EVLOOP_WORKER`; a process that a job starts
/// inherits the variable, and is no worker.
///
/// See [`Pool`](super::Pool) for an example.
pub fn worker(run: impl FnMut(Vec<u8>) -> Vec<u8>) {
    if !is_unclaimed_worker() {
        return;
    }
    let served = claim_socket().and_then(|socket| serve(socket, run));
    process::exit(i32::from(served.is_err()))
}

/// Returns whether this process was started as a worker and has not called [`worker`].
pub(super) fn is_unclaimed_worker() -> bool {
    let Some(expected) = env::var_os(VARIABLE) else { return false };
    identity(io::stdin().as_fd()).is_ok_and(|identity| expected == *identity)
}

/// Returns the text that names a socket, the same in each process that has it.
pub(super) fn identity(socket: BorrowedFd<'_>) -> io::Result<String> {
    let stat = rustix::fs::fstat(socket)?;
    Ok(format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Moves the socket away from stdin, so that a job cannot read the next job, and a process that a
/// job starts does not inherit it.
fn claim_socket() -> io::Result<UnixStream> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket.into())
}

/// Answers jobs until the parent closes its end.
fn serve(mut socket: UnixStream, mut run: impl FnMut(Vec<u8>) -> Vec<u8>) -> io::Result<()> {
    while let Some(job) = read_job(&mut socket)? {
        let (tag, answer) = match catch(|| run(job)) {
            Ok(output) => (RETURNED, output),
            Err(panic) => {
                let text = panic.payload().downcast_ref::<&'static str>().copied();
                let text = text.or_else(|| panic.payload().downcast_ref().map(String::as_str));
                (PANICKED, text.unwrap_or("a payload that is not text").into())
            }
        };
        socket.write_all(&[tag])?;
        socket.write_all(&length(&answer))?;
        socket.write_all(&answer)?;
    }
    Ok(())
}

/// Reads the next job. Returns `None` if the parent has closed its end.
fn read_job(socket: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; LENGTH_SIZE];
    match socket.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut job = vec![0; parse_length(length)?];
    socket.read_exact(&mut job)?;
    Ok(Some(job))
}

pub(super) fn length(bytes: &[u8]) -> [u8; LENGTH_SIZE] {
    (bytes.len() as u64).to_le_bytes()
}

pub(super) fn parse_length(bytes: [u8; LENGTH_SIZE]) -> io::Result<usize> {
    usize::try_from(u64::from_le_bytes(bytes)).map_err(io::Error::other)
}
