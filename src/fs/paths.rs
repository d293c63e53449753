//! Operations on one path or two: those of `std::fs`, on the blocking pool.

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::blocking::{self, Kind};

/// Does `work` on a helper thread for files.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnMut() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    blocking::submit(Kind::File, work).await
}

/// Operations on one path or two that are those of `std::fs`.
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
        /// Once it has been polled it is carried out, also if the future is dropped.
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
    /// The contents of a file.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let manifest = evloop::fs::read("Cargo.toml").await?;
    ///     assert!(manifest.starts_with(b"[package]"));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    read(path) -> Vec<u8>;
    /// The contents of a file that is text; an error of kind `InvalidData` if it is not UTF-8.
    ///
    /// ```
    /// evloop::block_on(async {
    ///     let manifest = evloop::fs::read_to_string("Cargo.toml").await?;
    ///     assert!(manifest.contains("name = \"evloop\""));
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    read_to_string(path) -> String;
    /// What there is at `path`, and of what kind, size and age. Follows symbolic links.
    metadata(path) -> Metadata;
    /// The same without following a symbolic link at the end of `path`.
    symlink_metadata(path) -> Metadata;
    /// Makes a directory. Its parent must exist.
    #[doc(alias = "mkdir")]
    create_dir(path) -> ();
    /// Makes a directory and those above it that are missing.
    #[doc(alias = "makedirs")]
    create_dir_all(path) -> ();
    /// Removes a file, or a symbolic link.
    #[doc(alias = "unlink")]
    remove_file(path) -> ();
    /// Removes an empty directory.
    #[doc(alias = "rmdir")]
    remove_dir(path) -> ();
    /// Removes a directory with all that is in it. Follows no symbolic links.
    #[doc(alias = "rmtree")]
    remove_dir_all(path) -> ();
    /// Gives a file or directory another name on the same file system, in the place of what had it.
    rename(from, to) -> ();
    /// Copies the contents and the permissions of a file. Gives the number of bytes.
    copy(from, to) -> u64;
    /// Makes `link` a second name of the file `original`.
    hard_link(original, link) -> ();
    /// Where a symbolic link leads.
    read_link(path) -> PathBuf;
    /// The absolute path without symbolic links, `.` and `..`.
    #[doc(alias = "realpath")]
    canonicalize(path) -> PathBuf;
}

/// Writes a file that has these contents and no others: it is made if it is missing.
///
/// # Errors
///
/// As [`std::fs::write`].
///
/// # Cancel safety
///
/// Once it has been polled it is carried out, also if the future is dropped.
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

/// Whether there is something at `path`; an error if that cannot be told.
///
/// # Errors
///
/// As [`Path::try_exists`].
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
///     assert!(evloop::fs::try_exists("Cargo.toml").await?);
///     assert!(!evloop::fs::try_exists("no-such-file").await?);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    run(move || path.try_exists()).await
}

/// Changes who may do what with the file or directory at `path`.
///
/// # Errors
///
/// As [`std::fs::set_permissions`].
///
/// # Cancel safety
///
/// Once it has been polled it is carried out, also if the future is dropped.
///
/// # Panics
///
/// Outside of a running loop.
#[doc(alias = "chmod")]
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    run(move || std::fs::set_permissions(&path, permissions.clone())).await
}
