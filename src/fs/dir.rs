//! The entries of a directory.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, FileType, Metadata};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::paths::{on_path, run_on};
use crate::blocking::{self, Kind, Work};
use crate::current::leaf;

/// The number of entries that one call on a blocking thread reads.
const BATCH: usize = 64;

/// A stream of the entries of a directory, in no order, without `.` and `..`.
///
/// [`read_dir`] creates it. [`next_entry`](ReadDir::next_entry) returns the entries, and so does
/// its `Stream` implementation.
#[must_use = "the stream and next_entry return the entries"]
pub struct ReadDir {
    path: Arc<Path>,
    ready: VecDeque<io::Result<DirEntry>>,
    /// The iterator of the remaining entries. `None` while a blocking thread has it, and at the
    /// end.
    rest: Option<fs::ReadDir>,
    pending: Option<Work<Batch>>,
}

struct Batch {
    entries: VecDeque<io::Result<DirEntry>>,
    rest: Option<fs::ReadDir>,
}

/// An entry of a directory.
///
/// See [`read_dir`] for an example.
pub struct DirEntry {
    pub(super) entry: Arc<fs::DirEntry>,
    /// Most systems report it with the name, without another system call.
    file_type: Option<FileType>,
}

/// Returns a stream of the entries of a directory.
///
/// # Errors
///
/// As [`std::fs::read_dir`]. The error names the operation and the path.
///
/// # Cancel safety
///
/// Cancel safe.
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
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path: Arc<Path> = path.as_ref().into();
    let shared = path.clone();
    let read = move |path: &Path| Ok(batch(&shared, fs::read_dir(path)?));
    let Batch { entries, rest } = run_on("read_dir", path.to_path_buf(), read).await?;
    Ok(ReadDir { path, ready: entries, rest, pending: None })
}

/// Reads the next entries of the directory `path`.
fn batch(path: &Path, mut rest: fs::ReadDir) -> Batch {
    let entry = |entry| DirEntry::new(entry).map_err(|error| on_path("read_dir", path, error));
    let entries: VecDeque<_> = rest.by_ref().take(BATCH).map(entry).collect();
    let is_over = entries.len() < BATCH;
    Batch { entries, rest: Some(rest).filter(|_| !is_over) }
}

impl ReadDir {
    /// Returns the next entry, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Errors of the system, readdir(3) on Unix, with the path. The next call returns the entry
    /// after it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no entry is lost.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        leaf(|cx| self.poll_entry(cx)).await.transpose()
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<DirEntry>>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Poll::Ready(Some(entry));
            }
            if let Some(rest) = self.rest.take() {
                let path = self.path.clone();
                let read = move || batch(&path, rest);
                self.pending = Some(blocking::start(Kind::File, "ReadDir", read));
            }
            let Some(work) = &mut self.pending else { return Poll::Ready(None) };
            let outcome = ready!(Pin::new(work).poll(cx));
            self.pending = None;
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

    /// Returns the path of the entry: the path given to [`read_dir`], joined with the name.
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// Returns the name of the entry, without its directory.
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// Returns the type of the entry: a file, a directory, a symbolic link or another. Does not
    /// follow symbolic links.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::file_type`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let entry = self.entry.clone();
        run_on("file_type", self.path(), move |_| entry.file_type()).await
    }

    /// Returns the type, the size and the times of the entry. Does not follow symbolic links.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::metadata`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let entry = self.entry.clone();
        run_on("metadata", self.path(), move |_| entry.metadata()).await
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
