//! Keeps the blocking thread for files busy, on a loop that has one such thread.
//!
//! While it is busy, an operation on files or a start of a process stays pending, however fast the
//! threads are.

use std::fs::File as StdFile;
use std::future::Future;
use std::io;
use std::pin::Pin;

use evloop::fs;
use futures::FutureExt;

use crate::temp_dir::Dir;

/// The thread reads a FIFO that is still open.
pub(crate) struct Busy {
    /// The other end of the FIFO.
    writer: StdFile,
    work: Pin<Box<dyn Future<Output = io::Result<Vec<u8>>>>>,
}

impl Busy {
    pub(crate) fn new() -> Busy {
        let dir = Dir::new();
        let fifo = dir.fifo("fifo");
        let mut work = Box::pin(fs::read(fifo.clone()));
        assert!(work.as_mut().now_or_never().is_none());
        // Opening this end waits until the blocking thread has opened the other one.
        let writer = StdFile::options().write(true).open(fifo).unwrap();
        Busy { writer, work }
    }

    /// Ends the work of the blocking thread.
    pub(crate) async fn end(self) {
        drop(self.writer);
        self.work.await.unwrap();
    }
}
