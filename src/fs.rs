//! Files and directories: the operations of [`std::fs`] as futures.
//!
//! No operating system reports when a file on a disk is ready: a read blocks its thread. Each
//! operation here is the one of [`std::fs`] with the same name. It runs on a thread of the blocking
//! pool, and the loop continues meanwhile.
//!
//! | Item | Purpose |
//! |---|---|
//! | [`File`] | an open file: read, write, seek, flush, sync |
//! | [`OpenOptions`] | how a file is opened; see [`File::options`] |
//! | [`read`], [`read_to_string`], [`write`](write()) | a whole file at once |
//! | [`metadata`], [`symlink_metadata`], [`set_permissions`], [`try_exists`] | metadata of a path |
//! | [`read_dir`], [`ReadDir`], [`DirEntry`] | the entries of a directory |
//! | [`create_dir`], [`create_dir_all`], [`remove_dir`], [`remove_dir_all`] | directories |
//! | [`DirBuilder`] | how a directory is created: its parents, its permissions |
//! | [`copy`], [`rename`], [`remove_file`] | files: copy, move, remove |
#![cfg_attr(unix, doc = "| [`hard_link`], [`symlink`], [`read_link`] | links |")]
#![cfg_attr(
    windows,
    doc = "| [`hard_link`], [`symlink_file`], [`symlink_dir`], [`read_link`] | links |"
)]
//! | [`canonicalize`] | absolute paths |
//! | [`Metadata`], [`FileType`], [`FileTimes`], [`Permissions`] | the types of [`std::fs`] |
//!
//! An error names the operation and the path: `open "/etc/x": No such file or directory (os error
//! 2)`. Its kind is the system's, and its [`source`](std::error::Error::source) is the system's
//! error with its number; see [error numbers](crate::io#error-numbers).
//!
//! An operation that a thread has begun is carried out, whether or not its future is dropped. An
//! operation that still waits for a thread when the loop ends is not carried out.
//!
//! ```
//! use evloop::fs;
//!
//! evloop::block_on(async {
//!     let dir = std::env::temp_dir().join(format!("evloop-dir-{}", std::process::id()));
//!     fs::create_dir_all(dir.join("notes")).await?;
//!     fs::write(dir.join("draft"), "hello").await?;
//!     assert_eq!(fs::copy(dir.join("draft"), dir.join("notes/copy")).await?, 5);
//!     fs::rename(dir.join("draft"), dir.join("notes/final")).await?;
//!     assert_eq!(fs::metadata(dir.join("notes/final")).await?.len(), 5);
//!     fs::remove_file(dir.join("notes/copy")).await?;
//!     fs::remove_dir_all(&dir).await
//! }).unwrap();
//! ```

// L4. Invariant: an operation that has begun is carried out, whether or not its future is dropped.

mod cursor;
mod dir;
mod dir_builder;
#[cfg(unix)]
mod fd;
mod file;
mod file_metadata;
mod futures_io;
#[cfg(windows)]
mod handle;
mod open_options;
mod paths;

pub use std::fs::{FileTimes, FileType, Metadata, Permissions};

pub use self::dir::{DirEntry, ReadDir};
pub use self::dir_builder::DirBuilder;

#[doc(alias = "FileObject")]
#[doc(alias = "open_file")]
#[doc(alias = "wrap_file")]
pub use self::file::File;

#[doc(alias = "touch")]
pub use self::open_options::OpenOptions;

#[doc(alias = "iterdir")]
#[doc(alias = "listdir")]
#[doc(alias = "scandir")]
pub use self::dir::read_dir;

#[doc(alias = "absolute")]
#[doc(alias = "realpath")]
#[doc(alias = "resolve")]
pub use self::paths::canonicalize;

#[doc(alias = "copyfile")]
pub use self::paths::copy;

#[doc(alias = "mkdir")]
pub use self::paths::create_dir;

#[doc(alias = "makedirs")]
pub use self::paths::create_dir_all;

#[doc(alias = "hardlink_to")]
#[doc(alias = "link")]
pub use self::paths::hard_link;

#[doc(alias = "stat")]
pub use self::paths::metadata;

#[doc(alias = "read_bytes")]
pub use self::paths::read;

#[doc(alias = "readlink")]
pub use self::paths::read_link;

#[doc(alias = "read_text")]
pub use self::paths::read_to_string;

#[doc(alias = "rmdir")]
pub use self::paths::remove_dir;

#[doc(alias = "rmtree")]
pub use self::paths::remove_dir_all;

#[doc(alias = "unlink")]
pub use self::paths::remove_file;

#[doc(alias = "replace")]
pub use self::paths::rename;

#[doc(alias = "chmod")]
pub use self::paths::set_permissions;

#[doc(alias = "is_symlink")]
#[doc(alias = "lstat")]
pub use self::paths::symlink_metadata;

#[doc(alias = "symlink_to")]
#[cfg(unix)]
pub use self::paths::symlink;

#[cfg(windows)]
pub use self::paths::{symlink_dir, symlink_file};

#[doc(alias = "exists")]
pub use self::paths::try_exists;

#[doc(alias = "write_bytes")]
#[doc(alias = "write_text")]
pub use self::paths::write;
