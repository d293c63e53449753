//! Windows only: the handle of a file.

use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, RawHandle};

use super::file::File;

impl AsHandle for File {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.std().as_handle()
    }
}

impl AsRawHandle for File {
    fn as_raw_handle(&self) -> RawHandle {
        self.std().as_raw_handle()
    }
}
