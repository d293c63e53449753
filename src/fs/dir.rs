//! What is in a directory.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, FileType, Metadata};
use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::paths::run;
use crate::blocking::{self, Kind, Work};

/// Entries that one way to a helper thread brings.
const BATCH: usize = 64;

/// The entries of a directory, in no order, without `.` and `..`; made by [`read_dir`]. A `Stream`.
#[must_use = "the entries are given by the stream, or by next_entry"]
pub struct ReadDir {
    ready: VecDeque<io::Result<DirEntry>>,
    /// Where the rest comes from; `None` while it is on a helper thread, and at the end.
    rest: Option<fs::ReadDir>,
    under_way: Option<Work<Batch>>,
}

struct Batch {
    entries: VecDeque<io::Result<DirEntry>>,
    rest: Option<fs::ReadDir>,
}

/// Something in a directory.
pub struct DirEntry {
    entry: Arc<fs::DirEntry>,
    /// Most systems tell it with the name.
    file_type: Option<FileType>,
}

/// The entries of a directory.
///
/// # Errors
///
/// As [`std::fs::read_dir`].
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let mut entries = evloop::fs::read_dir("src").await?;
///     let mut names = Vec::new();
///     while let Some(entry) = entries.next_entry().await? {
///         names.push(entry.file_name());
///     }
///     assert!(names.contains(&"lib.rs".into()));
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[doc(alias = "scandir")]
#[doc(alias = "listdir")]
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let Batch { entries, rest } = run(move || Ok(batch(fs::read_dir(&path)?))).await?;
    Ok(ReadDir { ready: entries, rest, under_way: None })
}

fn batch(mut rest: fs::ReadDir) -> Batch {
    let entries: VecDeque<_> = rest.by_ref().take(BATCH).map(DirEntry::new).collect();
    let is_over = entries.len() < BATCH;
    Batch { entries, rest: Some(rest).filter(|_| !is_over) }
}

impl ReadDir {
    /// The next entry; `None` at the end.
    ///
    /// # Errors
    ///
    /// As the system says. The entries after it can be had.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_entry(cx)).await.transpose()
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<DirEntry>>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Poll::Ready(Some(entry));
            }
            if let Some(rest) = self.rest.take() {
                self.under_way = Some(blocking::start(Kind::File, "ReadDir", move || batch(rest)));
            }
            let Some(work) = &mut self.under_way else { return Poll::Ready(None) };
            let outcome = ready!(Pin::new(work).poll(cx));
            self.under_way = None;
            match outcome.or_else(|error| error.resume()) {
                Ok(Batch { entries, rest }) => (self.ready, self.rest) = (entries, rest),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_entry(cx)
    }
}

impl DirEntry {
    fn new(entry: io::Result<fs::DirEntry>) -> io::Result<DirEntry> {
        let entry = entry?;
        let file_type = entry.file_type().ok();
        Ok(DirEntry { entry: Arc::new(entry), file_type })
    }

    /// The directory's path with the name.
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// The name.
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// Whether it is a file, a directory, or something else. Does not follow symbolic links.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::file_type`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let entry = self.entry.clone();
        run(move || entry.file_type()).await
    }

    /// The kind, the size and the age. Does not follow symbolic links.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::metadata`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let entry = self.entry.clone();
        run(move || entry.metadata()).await
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.fmt(f)
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").field("ready", &self.ready).finish_non_exhaustive()
    }
}
