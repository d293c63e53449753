//! Opening a FIFO by its path. Unix only. Layer L4.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::pipe_ends::{Receiver, Sender, check_pipe};
use crate::context::{self, Context};
use crate::io_error::explain;
use crate::world;

/// Options of opening a FIFO (a named pipe) by its path.
///
/// Opening never waits for the other end.
///
/// ```
/// use evloop::net::pipe::OpenOptions;
/// # use rustix::fs::{CWD, FileType, Mode, mknodat};
///
/// # let path = std::env::temp_dir().join(format!("evloop-doc-fifo-{}", std::process::id()));
/// # #[cfg(target_os = "linux")]
/// # mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
/// # #[cfg(target_os = "linux")]
/// evloop::block_on(async {
///     let receiver = OpenOptions::new().open_receiver(&path)?;
///     let sender = OpenOptions::new().open_sender(&path)?;
///     sender.write_all(b"hello").await?;
///     let mut buf = [0; 5];
///     receiver.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"hello");
///     std::io::Result::Ok(())
/// }).unwrap();
/// # let _ = std::fs::remove_file(path);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options open a FIFO when `open_receiver` or `open_sender` is called"]
pub struct OpenOptions {
    is_read_write: bool,
    is_unchecked: bool,
}

impl OpenOptions {
    /// Creates the default options.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// Sets whether the FIFO is opened for both directions (O_RDWR). Default: `false`.
    ///
    /// A receiver then never reads the end of the stream, and a sender opens without a receiver.
    /// Linux only: POSIX leaves the effect undefined.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn read_write(&mut self, read_write: bool) -> &mut OpenOptions {
        self.is_read_write = read_write;
        self
    }

    /// Sets whether a file that is not a FIFO is accepted. Default: `false`.
    ///
    /// It is for files that behave as a pipe does. For other descriptors, use
    /// [`AsyncFd`](crate::io::AsyncFd).
    pub fn unchecked(&mut self, unchecked: bool) -> &mut OpenOptions {
        self.is_unchecked = unchecked;
        self
    }

    /// Opens the FIFO at `path` for reading, with or without a sender.
    ///
    /// A read waits for the first sender. After the last sender closes, reads return the end of the
    /// stream; [`reopened`](Receiver::reopened) waits for the next sender.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the file is not a FIFO. The system's error otherwise: `NotFound`,
    /// `PermissionDenied`.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn open_receiver(&self, path: impl AsRef<Path>) -> io::Result<Receiver> {
        let context = context::expect("pipe::OpenOptions::open_receiver");
        self.open(path.as_ref(), OFlags::RDONLY, &context, Receiver::register)
    }

    /// Opens the FIFO at `path` for writing.
    ///
    /// # Errors
    ///
    /// ENXIO if no process has opened the FIFO for reading: open the receiver first, or wait and
    /// try again. Kind `InvalidInput` if the file is not a FIFO. The system's error otherwise:
    /// `NotFound`, `PermissionDenied`.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[track_caller]
    pub fn open_sender(&self, path: impl AsRef<Path>) -> io::Result<Sender> {
        let context = context::expect("pipe::OpenOptions::open_sender");
        self.open(path.as_ref(), OFlags::WRONLY, &context, Sender::register)
    }

    fn open<T>(
        &self,
        path: &Path,
        access: OFlags,
        context: &Context,
        register: fn(OwnedFd, &Context) -> io::Result<T>,
    ) -> io::Result<T> {
        world::check_outside("opening a FIFO")?;
        let access = if self.is_read_write { OFlags::RDWR } else { access };
        // Non-blocking: a blocking open waits for the other end, and would block the loop.
        let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = open(path, flags, Mode::empty()).map_err(|errno| open_error(path, errno))?;
        let checked = if self.is_unchecked { Ok(opened) } else { check_pipe(opened) };
        checked.and_then(|fd| register(fd, context)).map_err(|error| {
            let sentence = format!("could not open {path:?} as a pipe: {error}");
            explain(error, sentence)
        })
    }
}

#[cold]
fn open_error(path: &Path, errno: Errno) -> io::Error {
    let error = io::Error::from(errno);
    let hint = match errno {
        Errno::NXIO => {
            " (no process has opened the FIFO for reading: open its receiver first, or try again \
             later)"
        }
        _ => "",
    };
    let sentence = format!("could not open {path:?} as a pipe: {error}{hint}");
    explain(error, sentence)
}
