//! Operations on an open file that do not use its cursor: syncing, metadata, clones.

use std::fs::{self, FileTimes, Metadata, Permissions};
use std::io;
use std::time::SystemTime;

use super::cursor::Cursor;
use super::file::File;
use super::paths::run;
use crate::current::leaf;

impl File {
    /// Waits until the contents and the metadata are on the disk.
    ///
    /// # Errors
    ///
    /// The error of a background write, at every call; as [`std::fs::File::sync_all`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    #[doc(alias = "fsync")]
    pub async fn sync_all(&self) -> io::Result<()> {
        leaf(|cx| self.0.poll_flush(cx)).await?;
        self.with("sync_all", |file| file.sync_all()).await
    }

    /// Waits until the contents are on the disk.
    ///
    /// # Errors
    ///
    /// The error of a background write, at every call; as [`std::fs::File::sync_data`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    #[doc(alias = "fdatasync")]
    pub async fn sync_data(&self) -> io::Result<()> {
        leaf(|cx| self.0.poll_flush(cx)).await?;
        self.with("sync_data", |file| file.sync_data()).await
    }

    /// Truncates or extends the file to `len` bytes. An extension is filled with zeros. The cursor
    /// does not move.
    ///
    /// # Errors
    ///
    /// The error of a background write; as [`std::fs::File::set_len`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a future that is dropped may or may not carry out the change.
    #[doc(alias = "truncate")]
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        self.with("set_len", move |file| file.set_len(len)).await
    }

    /// Returns the type, the size and the times of the file.
    ///
    /// # Errors
    ///
    /// The error of a background write; as [`std::fs::File::metadata`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.with("metadata", |file| file.metadata()).await
    }

    /// Changes the permissions of the file.
    ///
    /// # Errors
    ///
    /// The error of a background write; as [`std::fs::File::set_permissions`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a future that is dropped may or may not carry out the change.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.with("set_permissions", move |file| file.set_permissions(permissions.clone())).await
    }

    /// Changes the times of last access and modification that `times` sets.
    ///
    /// # Errors
    ///
    /// The error of a background write; as [`std::fs::File::set_times`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a future that is dropped may or may not carry out the change.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use evloop::fs::{self, File, FileTimes};
    ///
    /// evloop::block_on(async {
    ///     let path = std::env::temp_dir().join(format!("evloop-old-{}.txt", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    ///     file.set_times(FileTimes::new().set_modified(then)).await?;
    ///     assert_eq!(file.metadata().await?.modified()?, then);
    ///     fs::remove_file(&path).await
    /// }).unwrap();
    /// ```
    #[doc(alias = "utime")]
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.with("set_times", move |file| file.set_times(times)).await
    }

    /// Changes the time of last modification.
    ///
    /// # Errors
    ///
    /// As [`set_times`](File::set_times).
    ///
    /// # Cancel safety
    ///
    /// As [`set_times`](File::set_times).
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time)).await
    }

    /// Returns a second `File` that shares the system's file offset. It does not see the bytes that
    /// a dropped read has left in this one.
    ///
    /// # Errors
    ///
    /// The error of a background write; as [`std::fs::File::try_clone`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn try_clone(&self) -> io::Result<File> {
        self.with("try_clone", |file| file.try_clone())
            .await
            .map(|file| File(Cursor::new(file, self.0.path.clone())))
    }

    /// Calls `f` on a blocking thread after the pending write. An error names the operation and the
    /// path.
    async fn with<T: Send + 'static>(
        &self,
        operation: &'static str,
        mut f: impl FnMut(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        leaf(|cx| self.0.poll_written(cx)).await?;
        let file = self.0.std.clone();
        run(operation, move || f(&file)).await.map_err(|error| self.0.explain(operation, error))
    }
}
