//! A file read at a place of one's choice. Unix.

use std::fs::File;
use std::io;
pub(super) use std::os::fd::AsFd as AsFile;
use std::os::unix::fs::FileExt;

/// The same file, for a helper thread.
pub(super) fn duplicate(file: &impl AsFile) -> io::Result<File> {
    Ok(file.as_fd().try_clone_to_owned()?.into())
}

/// Reads from the byte `at` on. 0: the file has ended.
pub(super) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(buf, at)
}
