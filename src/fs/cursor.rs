//! A file with its place in it: one read, write or seek at a time, in the order of the calls.
//!
//! A read never takes more from the system than its caller asked for. So the system's own place in
//! the file is the caller's, except for bytes that a dropped read has left here: they are `unread`,
//! and whatever else comes next takes them into account. Invariant: nothing begins before what is
//! under way has *landed*: its result has been taken in.

use std::cell::RefCell;
use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::blocking::{self, Kind, Work};
use crate::budget;

/// The most that goes to a helper thread at once: large beside the cost of going there, small
/// enough to be kept for each file.
const PIECE_MAX: usize = 1 << 17;

pub(super) struct Cursor {
    pub(super) std: Arc<fs::File>,
    under_way: RefCell<Option<Rc<UnderWay>>>,
    unread: RefCell<Unread>,
}

/// Bytes that were read and not yet given out; the room stays for the next read.
#[derive(Default)]
struct Unread {
    room: Vec<u8>,
    begin: usize,
    end: usize,
}

struct UnderWay {
    is_write: bool,
    work: Work<Done>,
}

/// What comes back from the helper thread.
enum Done {
    Read { room: Vec<u8>, result: io::Result<usize> },
    Write { is_rewound: bool, result: io::Result<()> },
    Seek { target: SeekFrom, result: io::Result<u64> },
}

/// What has been taken in.
enum Landed {
    Nothing,
    Read,
    Write,
    Seek(SeekFrom, u64),
}

impl Cursor {
    pub(super) fn new(std: fs::File) -> Cursor {
        Cursor { std: Arc::new(std), under_way: RefCell::default(), unread: RefCell::default() }
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
        ready!(self.poll_landed(cx))?;
        let piece = &buf[..buf.len().min(PIECE_MAX)];
        self.start_write(piece.to_vec());
        Poll::Ready(Ok(piece.len()))
    }

    /// Completes once everything is written. A read that is under way does not matter.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_writing = |under_way: &Rc<UnderWay>| under_way.is_write;
        if self.under_way.borrow().as_ref().is_some_and(is_writing) {
            ready!(self.poll_landed(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// A seek that is under way with the same `target` is taken for the one that was polled before.
    pub(super) fn poll_seek(
        &mut self,
        cx: &mut Context<'_>,
        target: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        loop {
            match ready!(self.poll_landed(cx))? {
                Landed::Seek(sought, position) if sought == target => {
                    return Poll::Ready(Ok(position));
                }
                _ => self.start_seek(target)?,
            }
        }
    }

    /// Completes once nothing is under way. An error is that of what was.
    pub(super) fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_landed(cx).map_ok(|_| ())
    }

    /// How many bytes the system's place in the file is ahead of the caller's.
    pub(super) fn unread(&self) -> usize {
        self.unread.borrow().len()
    }

    fn poll_landed(&self, cx: &mut Context<'_>) -> Poll<io::Result<Landed>> {
        let Some(under_way) = self.under_way.borrow().clone() else {
            return Poll::Ready(Ok(Landed::Nothing));
        };
        ready!(budget::poll_left(cx));
        ready!(under_way.work.poll_done(cx));
        // Another task may have taken it in.
        let Some(outcome) = under_way.work.take() else { return Poll::Ready(Ok(Landed::Nothing)) };
        budget::spend();
        self.under_way.take();
        let mut unread = self.unread.borrow_mut();
        Poll::Ready(match outcome.or_else(|error| error.resume())? {
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
            Done::Seek { target, result } => {
                // If it failed nothing has moved.
                result.map(|position| {
                    unread.clear();
                    Landed::Seek(target, position)
                })
            }
        })
    }

    fn start_read(&mut self, len: usize) {
        let len = len.min(PIECE_MAX);
        // With its marks: if the work never begins, the room does not come back.
        let mut room = std::mem::take(self.unread.get_mut()).room;
        self.start(false, move |mut file| {
            room.resize(room.len().max(len), 0);
            let result = blocking::uninterrupted(|| file.read(&mut room[..len]));
            Done::Read { room, result }
        });
    }

    fn start_write(&mut self, piece: Vec<u8>) {
        let unread = self.unread();
        self.start(true, move |mut file| match rewind(file, unread) {
            Ok(is_rewound) => Done::Write { is_rewound, result: file.write_all(&piece) },
            Err(error) => Done::Write { is_rewound: false, result: Err(error) },
        });
    }

    pub(super) fn start_seek(&mut self, target: SeekFrom) -> io::Result<()> {
        let from_system = match target {
            SeekFrom::Current(offset) => {
                let unread = i64::try_from(self.unread()).map_err(io::Error::other)?;
                let offset = offset.checked_sub(unread);
                SeekFrom::Current(offset.ok_or(ErrorKind::InvalidInput)?)
            }
            _ => target,
        };
        self.start(false, move |mut file| Done::Seek { target, result: file.seek(from_system) });
        Ok(())
    }

    fn start(&self, is_write: bool, operation: impl FnOnce(&fs::File) -> Done + Send + 'static) {
        let file = self.std.clone();
        let work = blocking::start(Kind::File, "an operation on a file", move || operation(&file));
        self.under_way.replace(Some(Rc::new(UnderWay { is_write, work })));
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
    match file.seek(SeekFrom::Current(-back)) {
        Err(error) if error.kind() == ErrorKind::NotSeekable => Ok(false),
        result => result.map(|_| true),
    }
}
