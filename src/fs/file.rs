//! An open file.

use std::fmt;
use std::fs;
use std::future::Future;
use std::io::{self, IoSlice, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::cursor::{Cursor, rewind};
use super::open_options::OpenOptions;
use super::paths::{run, run_on};
use crate::current::leaf;

/// An open file. The blocking pool reads and writes it.
///
/// The cursor is the position in the file where the caller's last read, write or seek ended.
/// Futures may be dropped. An operation that has begun is carried out:
///
/// - A dropped read leaves its bytes in the `File` for the next read. A write, or a seek relative
///   to the cursor, counts from the end of the caller's last read.
/// - A write copies its bytes at once and writes them in the background. So a write that was
///   dropped has accepted no bytes. [`flush`](File::flush) and [`write_all`](File::write_all) wait
///   until all bytes are written.
/// - A seek that was polled and then dropped takes place before the next operation.
///
/// The next operation returns the error of a background write or of a dropped operation. After a
/// background write has failed, bytes are missing in the file: every later write, flush and sync
/// returns that error again. Reads and seeks continue, and a clone by
/// [`try_clone`](File::try_clone) can be written.
///
/// Dropping the file closes it after its pending operation. An operation that still waits for a
/// thread when the loop ends is not carried out: flush before.
///
/// Each operation goes to another thread and back, which takes some microseconds. For many small
/// operations, wrap the file in a `BufReader` or `BufWriter`, for instance of the crate `futures`.
///
/// ```
/// use evloop::fs::{self, File};
///
/// evloop::block_on(async {
///     let path = std::env::temp_dir().join(format!("evloop-file-{}.txt", std::process::id()));
///     let mut file = File::create(&path).await?;
///     file.write_all(b"dear diary").await?;
///     let mut file = File::open(&path).await?;
///     file.seek(std::io::SeekFrom::Start(5)).await?;
///     let mut buf = [0; 5];
///     file.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"diary");
///     fs::remove_file(&path).await
/// }).unwrap();
/// ```
pub struct File(pub(super) Cursor);

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::open`]. The error names the operation and the path, as those of all
    /// later operations on the file do.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the file was opened, it is closed.
    ///
    /// # Panics
    ///
    /// Outside of a running loop, as every operation on a file.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens a file for writing. Creates a missing file, and truncates an existing one.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::create`].
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the file is created, even if the future is dropped; then it
    /// is closed.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Creates a file for reading and writing.
    ///
    /// # Errors
    ///
    /// Kind `AlreadyExists` if the path exists; as [`std::fs::File::create_new`].
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the file is created, even if the future is dropped; then it
    /// is closed.
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).await
    }

    /// Returns options of opening a file; see [`OpenOptions::open`].
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Creates a `File` from a file of the standard library. Its errors name no path.
    pub fn from_std(file: fs::File) -> File {
        File(Cursor::new(file, None))
    }

    /// Converts the `File` to a file of the standard library, at the same cursor, after all bytes
    /// are written.
    ///
    /// # Errors
    ///
    /// The error of a background write, even if it was returned before. Then the file is closed.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropping the future closes the file.
    pub async fn into_std(mut self) -> io::Result<fs::File> {
        leaf(|cx| self.0.poll_idle(cx)).await?;
        let (file, unread) = (self.0.std.clone(), self.0.unread());
        drop(self);
        let shared = file.clone();
        run("into_std", move || rewind(&shared, unread)).await?;
        // A call whose future was dropped may still hold the file on its thread.
        Arc::try_unwrap(file).or_else(|file| file.try_clone())
    }

    /// Converts the `File` to a file of the standard library without waiting.
    ///
    /// # Errors
    ///
    /// Returns the `File` if an operation on it is pending, if a background write has failed, or if
    /// bytes of a dropped read are left: [`into_std`](File::into_std) handles these.
    #[expect(clippy::result_large_err, reason = "the file itself comes back")]
    pub fn try_into_std(self) -> Result<fs::File, File> {
        if !self.0.is_settled() {
            return Err(self);
        }
        let Cursor { std, path, piece_max, .. } = self.0;
        // A call whose future was dropped may still hold the file on its thread.
        Arc::try_unwrap(std).map_err(|std| {
            let mut cursor = Cursor::new(std, path);
            cursor.piece_max = piece_max;
            File(cursor)
        })
    }

    /// Sets how many bytes one operation transfers at most. More bytes in one operation mean fewer
    /// switches between threads, and a larger buffer, which the file keeps. At least 1; default:
    /// 128 KiB.
    pub fn set_max_buf_size(&mut self, size: usize) {
        self.0.piece_max = size.max(1);
    }

    /// Returns how many bytes one operation transfers at most.
    pub fn max_buf_size(&self) -> usize {
        self.0.piece_max
    }

    /// Reads some bytes, at most as many as `buf` holds. Returns their number: 0 at the end of the
    /// file.
    ///
    /// # Errors
    ///
    /// Errors of the system, read(2) on Unix. The cursor has not moved.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next read returns the bytes that this one read.
    pub fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        leaf(move |cx| self.0.poll_read(cx, buf))
    }

    /// Fills `buf`.
    ///
    /// # Errors
    ///
    /// Kind `UnexpectedEof` if the file ends before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the number of bytes in `buf` is unknown. The cursor is after them.
    pub async fn read_exact(&mut self, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read(buf).await? {
                0 => {
                    let error = io::ErrorKind::UnexpectedEof.into();
                    return Err(self.0.explain("read_exact", error));
                }
                n => buf = &mut buf[n..],
            }
        }
        Ok(())
    }

    /// Accepts some bytes of `buf` and writes them in the background. Returns their number.
    ///
    /// # Errors
    ///
    /// The error of an earlier write, at every call: bytes accepted earlier are missing in the
    /// file.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future that is dropped has accepted no bytes.
    pub fn write(&mut self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> {
        leaf(move |cx| self.0.poll_write(cx, buf))
    }

    /// Accepts some bytes of several buffers, in their order, and writes them in the background as
    /// one operation. Returns the number of bytes.
    ///
    /// # Errors
    ///
    /// As [`write`](File::write).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future that is dropped has accepted no bytes.
    ///
    /// ```
    /// use std::io::IoSlice;
    ///
    /// use evloop::fs::{self, File};
    ///
    /// evloop::block_on(async {
    ///     let path = std::env::temp_dir().join(format!("evloop-vec-{}.txt", std::process::id()));
    ///     let mut file = File::create(&path).await?;
    ///     let parts = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    ///     assert_eq!(file.write_vectored(&parts).await?, 8);
    ///     file.flush().await?;
    ///     assert_eq!(fs::read(&path).await?, b"headbody");
    ///     fs::remove_file(&path).await
    /// }).unwrap();
    /// ```
    pub fn write_vectored(
        &mut self,
        bufs: &[IoSlice<'_>],
    ) -> impl Future<Output = io::Result<usize>> {
        leaf(move |cx| self.0.poll_write_vectored(cx, bufs))
    }

    /// Writes all of `buf`, and waits until it is written.
    ///
    /// # Errors
    ///
    /// Errors of the system, for instance of kind `StorageFull`: a part of `buf` may be written.
    /// The error of an earlier write, as [`write`](File::write).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: it is unknown how many bytes of `buf` will be written.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let n = self.write(buf).await?;
            buf = &buf[n..];
        }
        self.flush().await
    }

    /// Waits until all accepted bytes are written to the system. [`sync_all`](File::sync_all) waits
    /// until they are on the disk.
    ///
    /// # Errors
    ///
    /// The error of the write, at every call: the bytes stay missing.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn flush(&mut self) -> impl Future<Output = io::Result<()>> {
        leaf(move |cx| self.0.poll_flush(cx))
    }

    /// Moves the cursor. Returns its new position, in bytes from the start of the file.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` for a position before the start of the file. Kind `NotSeekable` if the
    /// file is not seekable, such as a pipe.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the seek takes place, even if the future is dropped: after
    /// the pending operation and before the next one.
    pub async fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        // Always a new seek: a dropped one with the same target counts too.
        self.0.queue_seek(target);
        leaf(|cx| self.0.poll_queued_seek(cx)).await
    }

    /// Moves the cursor to the start of the file.
    ///
    /// # Errors
    ///
    /// As [`seek`](File::seek).
    ///
    /// # Cancel safety
    ///
    /// As [`seek`](File::seek).
    pub async fn rewind(&mut self) -> io::Result<()> {
        self.seek(SeekFrom::Start(0)).await.map(drop)
    }

    /// Returns the position of the cursor, in bytes from the start of the file.
    ///
    /// # Errors
    ///
    /// As [`seek`](File::seek).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    #[doc(alias = "tell")]
    pub async fn stream_position(&mut self) -> io::Result<u64> {
        self.seek(SeekFrom::Current(0)).await
    }

    pub(super) fn std(&self) -> &fs::File {
        &self.0.std
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> File {
        File::from_std(file)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std().fmt(f)
    }
}

impl OpenOptions {
    /// Opens the file at `path` with these options.
    ///
    /// # Errors
    ///
    /// As [`std::fs::OpenOptions::open`]. The error names the operation and the path.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the file is opened, even if the future is dropped; then it
    /// is closed.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (options, path) = (self.0.clone(), path.as_ref().to_owned());
        let shared: Arc<Path> = path.as_path().into();
        let file = run_on("open", path, move |path| options.open(path)).await?;
        Ok(File(Cursor::new(file, Some(shared))))
    }
}
