//! Operations on one path or two: those of `std::fs`, on the blocking pool.

use std::fmt;
use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::blocking::{self, Kind};
use crate::io_error::explain;

/// The name of an operation, in the message of a call outside of a loop.
struct FileOperation(&'static str);

impl fmt::Display for FileOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file operation `{}`", self.0)
    }
}

/// Runs `work` on a thread of the blocking pool, as work on files.
pub(super) async fn run<T: Send + 'static>(
    operation: &'static str,
    work: impl FnMut() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    blocking::submit(Kind::File, FileOperation(operation), work).await
}

/// Like [`run`]. An error names the operation and the path.
pub(super) async fn run_on<T: Send + 'static>(
    operation: &'static str,
    path: PathBuf,
    mut work: impl FnMut(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    run(operation, move || work(&path).map_err(|error| on_path(operation, &path, error))).await
}

/// Adds to an error which operation failed on which path. The kind stays, and the system's error is
/// the `source`.
pub(super) fn on_path(operation: &str, path: &Path, error: io::Error) -> io::Error {
    let message = format!("{operation} {path:?}: {error}");
    explain(error, message)
}

/// Runs an operation on two paths. An error names the operation and both.
async fn run_on_two<T: Send + 'static>(
    operation: &'static str,
    [first, second]: [PathBuf; 2],
    mut work: impl FnMut(&Path, &Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    run(operation, move || {
        work(&first, &second).map_err(|error| {
            let message = format!("{operation} {first:?} -> {second:?}: {error}");
            explain(error, message)
        })
    })
    .await
}

/// Chooses the function by the number of paths.
macro_rules! run_named {
    ($name:ident, $call:expr, $path:ident) => {
        run_on(stringify!($name), $path.as_ref().to_owned(), |path| $call(path))
    };
    ($name:ident, $call:expr, $first:ident, $second:ident) => {
        run_on_two(
            stringify!($name),
            [$first.as_ref().to_owned(), $second.as_ref().to_owned()],
            |first, second| $call(first, second),
        )
    };
}

/// Defines asynchronous versions of operations of `std` on one path or two.
macro_rules! on_paths {
    ($($(#[$meta:meta])* $name:ident($($path:ident),+) -> $output:ty = $call:path;)*) => {$(
        $(#[$meta])*
        ///
        /// # Errors
        ///
        #[doc = concat!("As [`", stringify!($call), "`].")]
        /// The error names the operation and the path.
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
            run_named!($name, $call, $($path),+).await
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
    read(path) -> Vec<u8> = std::fs::read;
    /// Reads a whole file of text. Returns an error of kind `InvalidData` if it is not UTF-8.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let manifest = evloop::fs::read_to_string("Cargo.toml").await?;
    ///     assert!(manifest.contains("name = \"evloop\""));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    read_to_string(path) -> String = std::fs::read_to_string;
    /// Returns the type, the size and the times of the file at `path`. Follows symbolic links.
    metadata(path) -> Metadata = std::fs::metadata;
    /// Returns the metadata of the file at `path`, without following a symbolic link at its end.
    symlink_metadata(path) -> Metadata = std::fs::symlink_metadata;
    /// Creates a directory. Its parent must exist.
    create_dir(path) -> () = std::fs::create_dir;
    /// Creates a directory and each missing parent.
    create_dir_all(path) -> () = std::fs::create_dir_all;
    /// Removes a file, or a symbolic link.
    remove_file(path) -> () = std::fs::remove_file;
    /// Removes an empty directory.
    remove_dir(path) -> () = std::fs::remove_dir;
    /// Removes a directory and all of its contents. Follows no symbolic links.
    remove_dir_all(path) -> () = std::fs::remove_dir_all;
    /// Renames a file or directory within one file system. Replaces a file that has the new name.
    rename(from, to) -> () = std::fs::rename;
    /// Copies the contents and the permissions of a file. Returns the number of bytes.
    copy(from, to) -> u64 = std::fs::copy;
    /// Creates `link` as a second name of the file `original`.
    hard_link(original, link) -> () = std::fs::hard_link;
    /// Creates `link` as a symbolic link to `original`, which need not exist. Unix.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let link = std::env::temp_dir().join(format!("evloop-link-{}", std::process::id()));
    ///     evloop::fs::symlink("Cargo.toml", &link).await?;
    ///     assert_eq!(evloop::fs::read_link(&link).await?.as_os_str(), "Cargo.toml");
    ///     evloop::fs::remove_file(&link).await
    /// }).unwrap();
    /// ```
    #[cfg(unix)]
    symlink(original, link) -> () = std::os::unix::fs::symlink;
    /// Creates `link` as a symbolic link to the directory `original`. Windows.
    #[cfg(windows)]
    symlink_dir(original, link) -> () = std::os::windows::fs::symlink_dir;
    /// Creates `link` as a symbolic link to the file `original`. Windows.
    #[cfg(windows)]
    symlink_file(original, link) -> () = std::os::windows::fs::symlink_file;
    /// Returns the target of a symbolic link.
    read_link(path) -> PathBuf = std::fs::read_link;
    /// Returns the absolute path, without symbolic links, `.` and `..`.
    canonicalize(path) -> PathBuf = std::fs::canonicalize;
}

/// Writes a whole file: replaces its contents, and creates the file if it is missing.
///
/// # Errors
///
/// As [`std::fs::write`]. The error names the operation and the path.
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
    let contents = contents.as_ref().to_owned();
    run_on("write", path.as_ref().to_owned(), move |path| std::fs::write(path, &contents)).await
}

/// Returns whether `path` exists. Returns an error if the system cannot find out.
///
/// # Errors
///
/// As [`Path::try_exists`]. The error names the operation and the path.
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
    run_on("try_exists", path.as_ref().to_owned(), Path::try_exists).await
}

/// Changes the permissions of the file or directory at `path`.
///
/// # Errors
///
/// As [`std::fs::set_permissions`]. The error names the operation and the path.
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
    let set = move |path: &Path| std::fs::set_permissions(path, permissions.clone());
    run_on("set_permissions", path, set).await
}
