//! Unix only: the descriptor of a file, options of open(2) and mkdir(2), inode numbers.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{DirEntryExt, OpenOptionsExt};

use super::dir::DirEntry;
use super::dir_builder::DirBuilder;
use super::file::File;
use super::open_options::OpenOptions;

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std().as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.std().as_raw_fd()
    }
}

impl OpenOptions {
    /// Sets the permission bits of a file that is created, as in `chmod`. Default: `0o666`. Unix.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    /// Sets flags for `open` beyond those that the other options set. Unix.
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }
}

impl DirBuilder {
    /// Sets the permission bits of the directories that are created, as in `chmod`. Default:
    /// `0o777`. The process's umask applies. Unix.
    pub fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.mode = Some(mode);
        self
    }
}

impl DirEntry {
    /// Returns the inode number of the entry. Makes no system call. Unix.
    pub fn ino(&self) -> u64 {
        self.entry.ino()
    }
}
