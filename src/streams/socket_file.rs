//! The file of a server's Unix socket, and the lock under which servers create and remove it.
//!
//! Invariant: the file is created, replaced and removed only under its lock. So no server removes
//! the file of another server that is bound and does not listen yet. A simulated world has the
//! files of its sockets only, and needs no lock: a server starts and closes within one poll.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

use crate::world;

/// The file of a server's socket. Dropping it removes the file, unless another has replaced it.
pub(super) struct SocketFile {
    path: PathBuf,
    id: FileId,
}

/// The lock of a socket's file: an empty file beside it, removed when this is dropped.
pub(super) struct PathLock {
    path: PathBuf,
    _file: File,
}

/// The device and the inode of a file.
type FileId = (u64, u64);

/// Returns whether the file is a socket.
pub(super) fn is_socket(path: &Path) -> bool {
    match world::here() {
        Some(here) => here.unix_file(path).is_some(),
        None => fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()),
    }
}

/// Removes the file of a socket.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match world::here() {
        Some(here) if here.unlink(path) => Ok(()),
        Some(_) => Err(io::ErrorKind::NotFound.into()),
        None => fs::remove_file(path),
    }
}

/// Returns which file has this path now.
fn id_at(path: &Path) -> Option<FileId> {
    match world::here() {
        Some(here) => Some((0, here.unix_file(path)?)),
        None => Some(file_id(&fs::symlink_metadata(path).ok()?)),
    }
}

impl SocketFile {
    /// Returns the file of a socket that was just bound; `None` if the socket's name is abstract.
    pub(super) fn at(path: &Path) -> Option<SocketFile> {
        let id = id_at(path)?;
        Some(SocketFile { path: path.to_owned(), id })
    }
}

impl PathLock {
    /// Takes the lock; `None` if the socket has no file.
    ///
    /// # Errors
    ///
    /// Kind `AddrInUse` if another server holds the lock: it is starting or closing there.
    pub(super) fn take(socket: &Path) -> io::Result<Option<PathLock>> {
        if matches!(socket.as_os_str().as_bytes(), [] | [0, ..]) || world::here().is_some() {
            return Ok(None);
        }
        let mut path = socket.as_os_str().to_owned();
        path.push(".evloop-lock");
        let path = PathBuf::from(path);
        // NONBLOCK and NOFOLLOW: another user may have put a FIFO or a link in this place.
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let failure = |error: io::Error, what| {
            let sentence = format!("could not listen on {socket:?}: {what}{error}");
            io::Error::new(error.kind(), sentence)
        };
        loop {
            let file = open(&path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
                .map_err(|error| failure(error.into(), "could not open its lock file: "))?;
            let file = File::from(file);
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                let busy = io::Error::from(io::ErrorKind::AddrInUse);
                return Err(failure(busy, "another server is starting or closing there: "));
            }
            // The last owner may have removed the file since it was opened: then the lock excludes
            // no other server.
            let own = file.metadata().ok().map(|own| file_id(&own));
            if own.is_some() && own == id_at(&path) {
                return Ok(Some(PathLock { path, _file: file }));
            }
        }
    }
}

fn file_id(file: &Metadata) -> FileId {
    (file.dev(), file.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let lock = PathLock::take(&self.path);
        if lock.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
            // The server that is starting there replaces the file.
            return;
        }
        if id_at(&self.path) == Some(self.id) {
            // The file may be gone, or the folder may forbid it. The next server replaces the file.
            let _ = remove_file(&self.path);
        }
    }
}

impl Drop for PathLock {
    fn drop(&mut self) {
        // Removed while locked, so that it is this server's lock file. One that stays is harmless.
        let _ = fs::remove_file(&self.path);
    }
}
