//! An open file.

use std::fmt;
use std::fs::{self, Metadata, Permissions};
use std::future::poll_fn;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::cursor::{Cursor, rewind};
use super::open_options::OpenOptions;
use super::paths::run;

/// An open file, read and written on helper threads.
///
/// Its place in the file, the cursor, is where the caller has read and written to. Futures may be
/// dropped: an operation that has begun is carried out, and
///
/// - a read that was dropped leaves what it read in the file for the next read; a write or a seek
///   from the current place counts from where the caller's last read ended;
/// - a write takes its bytes over at once and writes them in the background, so a write that was
///   dropped took over nothing; [`flush`](File::flush) waits until everything is written, and so
///   does [`write_all`](File::write_all);
/// - a seek that was dropped after it had been polled takes place before the next operation.
///
/// The next operation returns the error of what nobody waited for: a write in the background, or
/// what was dropped. After a write in the background has failed, bytes are missing in the file, so
/// every later write, flush and sync returns that error again; reads and seeks go on. A
/// [`try_clone`](File::try_clone) of the file can be written to.
///
/// Dropping the file closes it, after what is under way. When the loop ends, what has not begun is
/// not carried out: flush before.
///
/// Each operation costs a way to a thread and back, some microseconds: wrap a file in a
/// `BufReader` or `BufWriter`, of the crate `futures` for instance, for many small ones.
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
pub struct File(Cursor);

impl File {
    /// Opens a file to read from it.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::open`].
    ///
    /// # Cancel safety
    ///
    /// A file that was opened is closed.
    ///
    /// # Panics
    ///
    /// Outside of a running loop, as every operation on a file.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens a file to write to it; makes it if it is missing, and empties it if it is not.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::create`].
    ///
    /// # Cancel safety
    ///
    /// Once it has been polled the file is made, and closed.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Makes a file to read from it and write to it.
    ///
    /// # Errors
    ///
    /// Kind `AlreadyExists` if there is one; as [`std::fs::File::create_new`].
    ///
    /// # Cancel safety
    ///
    /// Once it has been polled the file is made, and closed.
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).await
    }

    /// To open a file in another way.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes a file of std's.
    pub fn from_std(file: fs::File) -> File {
        File(Cursor::new(file))
    }

    /// The file as std's, with its cursor where this one's is and everything written.
    ///
    /// # Errors
    ///
    /// The error of a write in the background, again if it was returned before; then the file is
    /// closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the file.
    pub async fn into_std(mut self) -> io::Result<fs::File> {
        poll_fn(|cx| self.0.poll_idle(cx)).await?;
        let (file, unread) = (self.0.std.clone(), self.0.unread());
        drop(self);
        let shared = file.clone();
        run(move || rewind(&shared, unread)).await?;
        // Another holds it only while a call that nobody waits for is under way.
        Arc::try_unwrap(file).or_else(|file| file.try_clone())
    }

    /// Reads some bytes, at most as many as `buf` holds. Returns how many; 0 at the file's end.
    ///
    /// # Errors
    ///
    /// As the system says; the cursor has not moved.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the next read gives what this one read.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.0.poll_read(cx, buf)).await
    }

    /// Fills `buf`.
    ///
    /// # Errors
    ///
    /// Kind `UnexpectedEof` if the file ends before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: it cannot be told how much of `buf` was filled. The cursor is after that.
    pub async fn read_exact(&mut self, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read(buf).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => buf = &mut buf[n..],
            }
        }
        Ok(())
    }

    /// Takes over some bytes of `buf`, to write them in the background. Returns how many.
    ///
    /// # Errors
    ///
    /// That of a write before, again at every call: bytes taken over earlier are missing.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it took over nothing.
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.0.poll_write(cx, buf)).await
    }

    /// Writes all of `buf`, and waits until it is written.
    ///
    /// # Errors
    ///
    /// As the system says, `StorageFull` for instance. Some of `buf` may be written. That of a
    /// write before, as [`write`](File::write).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: it cannot be told how much of `buf` will be written.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let n = self.write(buf).await?;
            buf = &buf[n..];
        }
        self.flush().await
    }

    /// Waits until what was taken over is written: the system has it, though perhaps not the disk,
    /// for which see [`sync_all`](File::sync_all).
    ///
    /// # Errors
    ///
    /// That of the write, again at every call: the bytes stay missing.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.0.poll_flush(cx)).await
    }

    /// Moves the cursor. Returns where it is from the beginning of the file.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` before the beginning, `NotSeekable` where there are no places.
    ///
    /// # Cancel safety
    ///
    /// Once it has been polled it takes place: after what was under way, and before the next
    /// operation.
    pub async fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        // Begun anew: an earlier one with the same target that was dropped is another.
        self.0.begin_seek(target);
        poll_fn(|cx| self.0.poll_sought(cx)).await
    }

    /// Sees to it that contents and metadata have reached the disk.
    ///
    /// # Errors
    ///
    /// That of a write in the background, again at every call; as [`std::fs::File::sync_all`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "fsync")]
    pub async fn sync_all(&self) -> io::Result<()> {
        poll_fn(|cx| self.0.poll_flush(cx)).await?;
        self.with(|file| file.sync_all()).await
    }

    /// Sees to it that the contents have reached the disk.
    ///
    /// # Errors
    ///
    /// That of a write in the background, again at every call; as [`std::fs::File::sync_data`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "fdatasync")]
    pub async fn sync_data(&self) -> io::Result<()> {
        poll_fn(|cx| self.0.poll_flush(cx)).await?;
        self.with(|file| file.sync_data()).await
    }

    /// Makes the file `len` bytes long: cuts it, or appends zeros. The cursor does not move.
    ///
    /// # Errors
    ///
    /// That of a write in the background; as [`std::fs::File::set_len`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not take place.
    #[doc(alias = "truncate")]
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(move |file| file.set_len(len)).await
    }

    /// The kind, the size and the age of the file.
    ///
    /// # Errors
    ///
    /// That of a write in the background; as [`std::fs::File::metadata`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.with(|file| file.metadata()).await
    }

    /// Changes who may do what with the file.
    ///
    /// # Errors
    ///
    /// That of a write in the background; as [`std::fs::File::set_permissions`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not take place.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.with(move |file| file.set_permissions(permissions.clone())).await
    }

    /// A second `File` that shares the cursor, as the system has it: bytes that a dropped read left
    /// in this one are not seen there.
    ///
    /// # Errors
    ///
    /// That of a write in the background; as [`std::fs::File::try_clone`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn try_clone(&self) -> io::Result<File> {
        self.with(|file| file.try_clone()).await.map(File::from_std)
    }

    /// Calls `f` on a helper thread once everything is written.
    async fn with<T: Send + 'static>(
        &self,
        mut f: impl FnMut(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        poll_fn(|cx| self.0.poll_written(cx)).await?;
        let file = self.0.std.clone();
        run(move || f(&file)).await
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

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }
}

impl AsyncWrite for File {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    /// Waits until everything is written. The file is closed when it is dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        self.0.poll_seek(cx, target)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std().fmt(f)
    }
}

impl OpenOptions {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// As [`std::fs::OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// Once it has been polled it takes place; then the file is closed.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (options, path) = (self.0.clone(), path.as_ref().to_owned());
        run(move || options.open(&path)).await.map(File::from_std)
    }
}
