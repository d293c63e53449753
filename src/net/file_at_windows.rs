//! A file read at a place of one's choice. Windows.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;
pub(super) use std::os::windows::io::AsHandle as AsFile;

/// The same file, for a helper thread.
pub(super) fn duplicate(file: &impl AsFile) -> io::Result<File> {
    Ok(file.as_handle().try_clone_to_owned()?.into())
}

/// Reads from the byte `at` on. 0: the file has ended.
pub(super) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(buf, at)
}
