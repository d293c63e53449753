//! A file and its cursor: one read, write or seek at a time, in the order of the calls.
//!
//! A read never requests more bytes from the system than its caller asked for. So the system's file
//! offset equals the caller's cursor, except for bytes that a dropped read has left here. They are
//! *unread*, and the next operation takes them into account. Invariant: an operation starts only
//! after the result of the pending operation has been applied to the cursor.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::paths::on_path;
use crate::blocking::{self, Kind, Work};
use crate::current::budget;
use crate::io_error::clone_error;

/// The most bytes that one operation transfers. The copy takes long compared with the way to a
/// blocking thread and back. The buffer is small enough to be kept for each file.
const PIECE_MAX: usize = 1 << 17;

pub(super) struct Cursor {
    pub(super) std: Arc<fs::File>,
    /// The path by which the file was opened, for errors.
    pub(super) path: Option<Arc<Path>>,
    /// The most bytes that one operation transfers.
    pub(super) piece_max: usize,
    /// The operation on a blocking thread. Shared: tasks that hold `&File` may wait for it.
    pending: RefCell<Option<Rc<PendingOperation>>>,
    unread: RefCell<Unread>,
    /// Seeks to start, in this order, after the pending operation.
    seeks: VecDeque<SeekFrom>,
    /// The error of the background write that failed last: accepted bytes are missing in the file.
    write_error: RefCell<Option<io::Error>>,
}

/// Bytes that were read and not yet returned. The buffer is reused by the next read.
#[derive(Default)]
struct Unread {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

/// An operation that a blocking thread carries out.
struct PendingOperation {
    operation: Operation,
    work: Work<Done>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Write,
    Seek(SeekFrom),
}

/// What the blocking thread returns. `is_rewound`: the system's file offset was moved back by the
/// unread bytes.
enum Done {
    Read { buffer: Vec<u8>, result: io::Result<usize> },
    Write { is_rewound: bool, result: io::Result<()> },
    Seek { result: io::Result<u64> },
}

/// The operation whose result was applied to the cursor.
enum Applied {
    Nothing,
    Read,
    Write,
    Seek(u64),
}

impl Cursor {
    pub(super) fn new(std: impl Into<Arc<fs::File>>, path: Option<Arc<Path>>) -> Cursor {
        Cursor {
            std: std.into(),
            path,
            piece_max: PIECE_MAX,
            pending: RefCell::default(),
            unread: RefCell::default(),
            seeks: VecDeque::new(),
            write_error: RefCell::default(),
        }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            let applied = ready!(self.poll_all_applied(cx))?;
            let n = self.unread.get_mut().move_into(buf);
            // A read of 0 bytes has found the end of the file.
            if n > 0 || matches!(applied, Applied::Read) {
                return Poll::Ready(Ok(n));
            }
            self.start_read(buf.len());
        }
    }

    /// Copies at most `piece_max` bytes, and writes them in the background. The next operation
    /// reports an error of that write.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    /// Like [`poll_write`](Cursor::poll_write), with the bytes of several buffers.
    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_idle(cx))?;
        let len = bufs.iter().map(|buf| buf.len()).sum::<usize>().min(self.piece_max);
        let mut piece = Vec::with_capacity(len);
        for buf in bufs {
            piece.extend_from_slice(&buf[..buf.len().min(len - piece.len())]);
        }
        self.start_write(piece);
        Poll::Ready(Ok(len))
    }

    /// Completes when no write is pending. Returns the error of the write that was pending. Does
    /// not wait for a pending read.
    pub(super) fn poll_written(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.operation() == Some(Operation::Write) {
            ready!(self.poll_applied(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Completes when all accepted bytes are written. If a write has failed, every call returns its
    /// error.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(cx))?;
        Poll::Ready(self.write_outcome())
    }

    /// Completes when no operation is pending and no seek is queued. Returns the error of a pending
    /// operation, or that of [`poll_flush`](Cursor::poll_flush).
    pub(super) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_all_applied(cx))?;
        Poll::Ready(self.write_outcome())
    }

    /// Queues a seek: it runs after the pending operation and before the next one.
    pub(super) fn queue_seek(&mut self, target: SeekFrom) {
        self.seeks.push_back(target);
    }

    /// Completes when the latest queued seek is done. If an operation before it fails, that error
    /// is returned and the seek is not made.
    pub(super) fn poll_queued_seek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match ready!(self.poll_all_applied(cx)) {
            Ok(Applied::Seek(position)) => Poll::Ready(Ok(position)),
            Ok(_) => unreachable!("the latest seek is the last operation"),
            Err(error) => {
                self.seeks.pop_back();
                Poll::Ready(Err(error))
            }
        }
    }

    /// Seeks by the `AsyncSeek` trait, which does not mark the first poll of a seek: a seek to the
    /// same `target` as the latest one continues that one.
    pub(super) fn poll_seek(
        &mut self,
        cx: &mut Context<'_>,
        target: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let latest = self.seeks.back().copied().map(Operation::Seek).or_else(|| self.operation());
        if latest != Some(Operation::Seek(target)) {
            self.queue_seek(target);
        }
        self.poll_queued_seek(cx)
    }

    /// Returns by how many bytes the system's file offset is ahead of the caller's cursor.
    pub(super) fn unread(&self) -> usize {
        self.unread.borrow().len()
    }

    /// Adds to an error which operation failed, and the path if it is known.
    pub(super) fn explain(&self, operation: &str, error: io::Error) -> io::Error {
        match &self.path {
            Some(path) => on_path(operation, path, error),
            None => error,
        }
    }

    /// Returns whether no operation is pending, no write has failed and no bytes are unread.
    pub(super) fn is_settled(&self) -> bool {
        let is_idle = self.operation().is_none() && self.seeks.is_empty();
        is_idle && self.unread() == 0 && self.write_error.borrow().is_none()
    }

    fn operation(&self) -> Option<Operation> {
        self.pending.borrow().as_ref().map(|pending| pending.operation)
    }

    fn write_outcome(&self) -> io::Result<()> {
        self.write_error.borrow().as_ref().map_or(Ok(()), |error| Err(clone_error(error)))
    }

    /// Completes when no operation is pending and no seek is queued. Returns the last operation.
    fn poll_all_applied(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Applied>> {
        loop {
            let applied = ready!(self.poll_applied(cx))?;
            match self.seeks.pop_front() {
                None => return Poll::Ready(Ok(applied)),
                Some(target) => self.start_seek(target)?,
            }
        }
    }

    /// Completes when the pending operation is done and its result is applied.
    fn poll_applied(&self, cx: &mut Context<'_>) -> Poll<io::Result<Applied>> {
        let Some(pending) = self.pending.borrow().clone() else {
            return Poll::Ready(Ok(Applied::Nothing));
        };
        ready!(budget::poll_left(cx));
        ready!(pending.work.poll_done(cx));
        // Another task may have taken the result.
        let Some(outcome) = pending.work.take() else { return Poll::Ready(Ok(Applied::Nothing)) };
        budget::spend();
        self.pending.take();
        let applied = outcome.or_else(|error| error.resume()).and_then(|done| self.apply(done));
        let applied = applied.map_err(|error| self.explain(pending.operation.name(), error));
        if let (Operation::Write, Err(error)) = (pending.operation, &applied) {
            self.write_error.replace(Some(clone_error(error)));
        }
        Poll::Ready(applied)
    }

    fn apply(&self, done: Done) -> io::Result<Applied> {
        let mut unread = self.unread.borrow_mut();
        match done {
            Done::Read { buffer, result } => {
                let read = Unread { buffer, begin: 0, end: *result.as_ref().unwrap_or(&0) };
                *unread = read;
                result.map(|_| Applied::Read)
            }
            Done::Write { is_rewound, result } => {
                if is_rewound {
                    unread.clear();
                }
                result.map(|()| Applied::Write)
            }
            Done::Seek { result } => {
                // A seek that failed has not moved the offset: the unread bytes stay.
                result.map(|position| {
                    unread.clear();
                    Applied::Seek(position)
                })
            }
        }
    }

    fn start_read(&mut self, len: usize) {
        let len = len.min(self.piece_max);
        // Takes `begin` and `end` too: if the work never begins, the buffer does not come back.
        let mut buffer = std::mem::take(self.unread.get_mut()).buffer;
        self.start(Operation::Read, move |mut file| {
            buffer.resize(buffer.len().max(len), 0);
            let result = blocking::uninterrupted(|| file.read(&mut buffer[..len]));
            Done::Read { buffer, result }
        });
    }

    fn start_write(&mut self, piece: Vec<u8>) {
        let unread = self.unread();
        let write = move |mut file: &fs::File| blocking::uninterrupted(|| file.write_all(&piece));
        // The bytes belong at the cursor, so the system's offset moves back to it first.
        self.start(Operation::Write, move |file| match rewind(file, unread) {
            Ok(is_rewound) => Done::Write { is_rewound, result: write(file) },
            Err(error) => Done::Write { is_rewound: false, result: Err(error) },
        });
    }

    fn start_seek(&mut self, target: SeekFrom) -> io::Result<()> {
        let from_system = match target {
            // The system's offset is ahead of the cursor.
            SeekFrom::Current(offset) => {
                let unread = i64::try_from(self.unread()).map_err(io::Error::other)?;
                let offset = offset.checked_sub(unread);
                SeekFrom::Current(offset.ok_or(ErrorKind::InvalidInput)?)
            }
            _ => target,
        };
        self.start(Operation::Seek(target), move |mut file| Done::Seek {
            result: blocking::uninterrupted(|| file.seek(from_system)),
        });
        Ok(())
    }

    fn start(&self, operation: Operation, call: impl FnOnce(&fs::File) -> Done + Send + 'static) {
        let file = self.std.clone();
        let what = "an operation on a file";
        let work = blocking::start(Kind::File, what, move || call(&file));
        self.pending.replace(Some(Rc::new(PendingOperation { operation, work })));
    }
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Seek(_) => "seek",
        }
    }
}

impl Unread {
    fn len(&self) -> usize {
        self.end - self.begin
    }

    fn clear(&mut self) {
        (self.begin, self.end) = (0, 0);
    }

    /// Moves as many bytes as fit into `buf`. Returns their number.
    fn move_into(&mut self, buf: &mut [u8]) -> usize {
        let n = self.len().min(buf.len());
        buf[..n].copy_from_slice(&self.buffer[self.begin..self.begin + n]);
        self.begin += n;
        n
    }
}

/// Moves the system's file offset back by `unread` bytes. Returns `false` if `unread` is 0, or if
/// the file is not seekable (a terminal): then the unread bytes stay.
pub(super) fn rewind(mut file: &fs::File, unread: usize) -> io::Result<bool> {
    if unread == 0 {
        return Ok(false);
    }
    let back = i64::try_from(unread).map_err(io::Error::other)?;
    match blocking::uninterrupted(|| file.seek(SeekFrom::Current(-back))) {
        Err(error) if error.kind() == ErrorKind::NotSeekable => Ok(false),
        result => result.map(|_| true),
    }
}
