//! A file with its place in it: one read, write or seek at a time, in the order of the calls.
//!
//! A read never takes more from the system than its caller asked for. So the system's own place in
//! the file is the caller's, except for bytes that a dropped read has left here: they are `unread`,
//! and whatever else comes next takes them into account. Invariant: nothing begins before what is
//! under way has *landed*: its result has been taken in.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::blocking::{self, Kind, Work};
use crate::current::budget;
use crate::io_error::clone_error;

/// The most that goes to a helper thread at once: large beside the cost of going there, small
/// enough to be kept for each file.
const PIECE_MAX: usize = 1 << 17;

pub(super) struct Cursor {
    pub(super) std: Arc<fs::File>,
    under_way: RefCell<Option<Rc<UnderWay>>>,
    unread: RefCell<Unread>,
    /// Seeks to make, in this order, once what is under way has landed.
    seeks: VecDeque<SeekFrom>,
    /// Why bytes that were taken over are not in the file.
    lost: RefCell<Option<io::Error>>,
}

/// Bytes that were read and not yet given out; the room stays for the next read.
#[derive(Default)]
struct Unread {
    room: Vec<u8>,
    begin: usize,
    end: usize,
}

struct UnderWay {
    operation: Operation,
    work: Work<Done>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Write,
    Seek(SeekFrom),
}

/// What comes back from the helper thread.
enum Done {
    Read { room: Vec<u8>, result: io::Result<usize> },
    Write { is_rewound: bool, result: io::Result<()> },
    Seek { result: io::Result<u64> },
}

/// What has been taken in.
enum Landed {
    Nothing,
    Read,
    Write,
    Seek(u64),
}

impl Cursor {
    pub(super) fn new(std: fs::File) -> Cursor {
        Cursor {
            std: Arc::new(std),
            under_way: RefCell::default(),
            unread: RefCell::default(),
            seeks: VecDeque::new(),
            lost: RefCell::default(),
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
            let landed = ready!(self.poll_landed(cx))?;
            let n = self.unread.get_mut().give(buf);
            if n > 0 || matches!(landed, Landed::Read) {
                return Poll::Ready(Ok(n));
            }
            self.start_read(buf.len());
        }
    }

    /// Takes over what fits, and writes it in the background. The error of that is told by the
    /// next operation.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_idle(cx))?;
        let piece = &buf[..buf.len().min(PIECE_MAX)];
        self.start_write(piece.to_vec());
        Poll::Ready(Ok(piece.len()))
    }

    /// Completes once no write is under way. An error is that of what was. A read that is under way
    /// does not matter.
    pub(super) fn poll_written(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.operation() == Some(Operation::Write) {
            ready!(self.poll_under_way(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Completes once everything is written. If anything never will be, the error is the same at
    /// every call.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(cx))?;
        Poll::Ready(self.nothing_lost())
    }

    /// Completes once nothing is under way or left to do. An error is that of what was, or that of
    /// [`poll_flush`](Cursor::poll_flush).
    pub(super) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_landed(cx))?;
        Poll::Ready(self.nothing_lost())
    }

    /// Makes a seek after what is under way, and before whatever comes next.
    pub(super) fn begin_seek(&mut self, target: SeekFrom) {
        self.seeks.push_back(target);
    }

    /// Completes the latest seek that was begun. If something before it failed, it is not made.
    pub(super) fn poll_sought(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match ready!(self.poll_landed(cx)) {
            Ok(Landed::Seek(position)) => Poll::Ready(Ok(position)),
            Ok(_) => unreachable!("the latest seek lands last"),
            Err(error) => {
                self.seeks.pop_back();
                Poll::Ready(Err(error))
            }
        }
    }

    /// The latest seek is taken for the one that was polled before if it has the same `target`.
    pub(super) fn poll_seek(
        &mut self,
        cx: &mut Context<'_>,
        target: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let latest = self.seeks.back().copied().map(Operation::Seek).or_else(|| self.operation());
        if latest != Some(Operation::Seek(target)) {
            self.begin_seek(target);
        }
        self.poll_sought(cx)
    }

    /// How many bytes the system's place in the file is ahead of the caller's.
    pub(super) fn unread(&self) -> usize {
        self.unread.borrow().len()
    }

    fn operation(&self) -> Option<Operation> {
        self.under_way.borrow().as_ref().map(|under_way| under_way.operation)
    }

    fn nothing_lost(&self) -> io::Result<()> {
        self.lost.borrow().as_ref().map_or(Ok(()), |error| Err(clone_error(error)))
    }

    /// Completes once nothing is under way and no seek is left to make. Returns what landed last.
    fn poll_landed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Landed>> {
        loop {
            let landed = ready!(self.poll_under_way(cx))?;
            match self.seeks.pop_front() {
                None => return Poll::Ready(Ok(landed)),
                Some(target) => self.start_seek(target)?,
            }
        }
    }

    /// Completes once what is under way has landed.
    fn poll_under_way(&self, cx: &mut Context<'_>) -> Poll<io::Result<Landed>> {
        let Some(under_way) = self.under_way.borrow().clone() else {
            return Poll::Ready(Ok(Landed::Nothing));
        };
        ready!(budget::poll_left(cx));
        ready!(under_way.work.poll_done(cx));
        // Another task may have taken it in.
        let Some(outcome) = under_way.work.take() else { return Poll::Ready(Ok(Landed::Nothing)) };
        budget::spend();
        self.under_way.take();
        let landed = outcome.or_else(|error| error.resume()).and_then(|done| self.land(done));
        if let (Operation::Write, Err(error)) = (under_way.operation, &landed) {
            self.lost.replace(Some(clone_error(error)));
        }
        Poll::Ready(landed)
    }

    fn land(&self, done: Done) -> io::Result<Landed> {
        let mut unread = self.unread.borrow_mut();
        match done {
            Done::Read { room, result } => {
                let read = Unread { room, begin: 0, end: *result.as_ref().unwrap_or(&0) };
                *unread = read;
                result.map(|_| Landed::Read)
            }
            Done::Write { is_rewound, result } => {
                if is_rewound {
                    unread.clear();
                }
                result.map(|()| Landed::Write)
            }
            Done::Seek { result } => {
                // If it failed nothing has moved.
                result.map(|position| {
                    unread.clear();
                    Landed::Seek(position)
                })
            }
        }
    }

    fn start_read(&mut self, len: usize) {
        let len = len.min(PIECE_MAX);
        // With its marks: if the work never begins, the room does not come back.
        let mut room = std::mem::take(self.unread.get_mut()).room;
        self.start(Operation::Read, move |mut file| {
            room.resize(room.len().max(len), 0);
            let result = blocking::uninterrupted(|| file.read(&mut room[..len]));
            Done::Read { room, result }
        });
    }

    fn start_write(&mut self, piece: Vec<u8>) {
        let unread = self.unread();
        let write = move |mut file: &fs::File| blocking::uninterrupted(|| file.write_all(&piece));
        self.start(Operation::Write, move |file| match rewind(file, unread) {
            Ok(is_rewound) => Done::Write { is_rewound, result: write(file) },
            Err(error) => Done::Write { is_rewound: false, result: Err(error) },
        });
    }

    fn start_seek(&mut self, target: SeekFrom) -> io::Result<()> {
        let from_system = match target {
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

    fn start(
        &self,
        operation: Operation,
        carry_out: impl FnOnce(&fs::File) -> Done + Send + 'static,
    ) {
        let file = self.std.clone();
        let what = "an operation on a file";
        let work = blocking::start(Kind::File, what, move || carry_out(&file));
        self.under_way.replace(Some(Rc::new(UnderWay { operation, work })));
    }
}

impl Unread {
    fn len(&self) -> usize {
        self.end - self.begin
    }

    fn clear(&mut self) {
        (self.begin, self.end) = (0, 0);
    }

    /// Moves what fits into `buf`. Returns how much that was.
    fn give(&mut self, buf: &mut [u8]) -> usize {
        let n = self.len().min(buf.len());
        buf[..n].copy_from_slice(&self.room[self.begin..self.begin + n]);
        self.begin += n;
        n
    }
}

/// Takes the system's place in the file back by `unread` bytes. `false`: there is nothing to take
/// back, or the file has no places, as a terminal: then what is unread stays.
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
