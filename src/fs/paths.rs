//! Operations on one path or two: those of `std::fs`, on the blocking pool.

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::blocking::{self, Kind};

/// Runs `work` on a thread of the blocking pool, as work on files.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnMut() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    blocking::submit(Kind::File, work).await
}

/// Defines asynchronous versions of operations of `std::fs` on one path or two.
macro_rules! on_paths {
    ($($(#[$meta:meta])* $name:ident($($path:ident),+) -> $output:ty;)*) => {$(
        $(#[$meta])*
        ///
        /// # Errors
        ///
        #[doc = concat!("As [`std::fs::", stringify!($name), "`].")]
        ///
        /// # Cancel safety
        ///
        /// Once the future has been polled, the operation is carried out, even if the future is
        /// dropped.
        ///
        /// # Panics
        ///
        /// Outside of a running loop.
        pub async fn $name($($path: impl AsRef<Path>),+) -> io::Result<$output> {
            $(let $path = $path.as_ref().to_owned();)+
            run(move || std::fs::$name($(&$path),+)).await
        }
    )*};
}

on_paths! {
    /// Reads a whole file.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let manifest = evloop::fs::read("Cargo.toml").await?;
    ///     assert!(manifest.starts_with(b"[package]"));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    read(path) -> Vec<u8>;
    /// Reads a whole file of text. Returns an error of kind `InvalidData` if it is not UTF-8.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let manifest = evloop::fs::read_to_string("Cargo.toml").await?;
    ///     assert!(manifest.contains("name = \"evloop\""));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    read_to_string(path) -> String;
    /// Returns the type, the size and the times of the file at `path`. Follows symbolic links.
    metadata(path) -> Metadata;
    /// Returns the metadata of the file at `path`, without following a symbolic link at its end.
    symlink_metadata(path) -> Metadata;
    /// Creates a directory. Its parent must exist.
    create_dir(path) -> ();
    /// Creates a directory and each missing parent.
    create_dir_all(path) -> ();
    /// Removes a file, or a symbolic link.
    remove_file(path) -> ();
    /// Removes an empty directory.
    remove_dir(path) -> ();
    /// Removes a directory and all of its contents. Follows no symbolic links.
    remove_dir_all(path) -> ();
    /// Renames a file or directory within one file system. Replaces a file that has the new name.
    rename(from, to) -> ();
    /// Copies the contents and the permissions of a file. Returns the number of bytes.
    copy(from, to) -> u64;
    /// Creates `link` as a second name of the file `original`.
    hard_link(original, link) -> ();
    /// Returns the target of a symbolic link.
    read_link(path) -> PathBuf;
    /// Returns the absolute path, without symbolic links, `.` and `..`.
    canonicalize(path) -> PathBuf;
}

/// Writes a whole file: replaces its contents, and creates the file if it is missing.
///
/// # Errors
///
/// As [`std::fs::write`].
///
/// # Cancel safety
///
/// Once the future has been polled, the operation is carried out, even if the future is dropped.
///
/// # Panics
///
/// Outside of a running loop.
///
/// ```
/// evloop::block_on(async {
///     let path = std::env::temp_dir().join(format!("evloop-{}.txt", std::process::id()));
///     evloop::fs::write(&path, "a note").await?;
///     assert_eq!(evloop::fs::read_to_string(&path).await?, "a note");
///     evloop::fs::remove_file(&path).await
/// }).unwrap();
/// ```
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let (path, contents) = (path.as_ref().to_owned(), contents.as_ref().to_owned());
    run(move || std::fs::write(&path, &contents)).await
}

/// Returns whether `path` exists. Returns an error if the system cannot find out.
///
/// # Errors
///
/// As [`Path::try_exists`].
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
///     assert!(evloop::fs::try_exists("Cargo.toml").await?);
///     assert!(!evloop::fs::try_exists("no-such-file").await?);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    run(move || path.try_exists()).await
}

/// Changes the permissions of the file or directory at `path`.
///
/// # Errors
///
/// As [`std::fs::set_permissions`].
///
/// # Cancel safety
///
/// Once the future has been polled, the operation is carried out, even if the future is dropped.
///
/// # Panics
///
/// Outside of a running loop.
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    run(move || std::fs::set_permissions(&path, permissions.clone())).await
}
