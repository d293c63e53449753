//! L4: files, on the loop's helper threads.
//!
//! The system has no readiness for files: a read of a disk blocks whoever asks. So each operation
//! here is the one of `std::fs` with the same name, done on a helper thread while the loop goes on.
//! Invariant: an operation that has begun is carried out, whether or not its future is dropped.
//! What the loop's end finds waiting for a thread is not.

mod cursor;
mod dir;
#[cfg(unix)]
mod fd;
mod file;
#[cfg(windows)]
mod handle;
mod open_options;
mod paths;

pub use std::fs::{FileType, Metadata, Permissions};

pub use self::dir::{DirEntry, ReadDir, read_dir};
pub use self::file::File;
pub use self::open_options::OpenOptions;
pub use self::paths::{
    canonicalize, copy, create_dir, create_dir_all, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions,
    symlink_metadata, try_exists, write,
};
