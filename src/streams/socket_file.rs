//! The file of a server's Unix socket: who may make it, and who removes it.
//!
//! Invariant: the file is made, replaced and removed only under its lock, so that no server removes
//! the file of another that is bound and does not listen yet.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open};

/// The file of a server's socket. Dropping it removes the file, unless another took its place.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// The lock of a socket's file, beside it: an empty file, removed when this is dropped.
pub(super) struct PathLock {
    path: PathBuf,
    _file: OwnedFd,
}

impl SocketFile {
    /// The file of a socket that was just bound; none, if its name is abstract.
    pub(super) fn at(path: &Path) -> Option<SocketFile> {
        let file = fs::symlink_metadata(path).ok()?;
        Some(SocketFile { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }
}

impl PathLock {
    /// Takes the lock; none, if the socket has no file.
    ///
    /// # Errors
    ///
    /// Kind `AddrInUse` if another server has it: it is starting or closing there.
    pub(super) fn take(socket: &Path) -> io::Result<Option<PathLock>> {
        if matches!(socket.as_os_str().as_bytes(), [] | [0, ..]) {
            return Ok(None);
        }
        let mut path = socket.as_os_str().to_owned();
        path.push(".evloop-lock");
        let path = PathBuf::from(path);
        // NONBLOCK and NOFOLLOW: others may write to the folder.
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let failure = |error: io::Error, what| {
            let sentence = format!("could not listen on {socket:?}: {what}{error}");
            io::Error::new(error.kind(), sentence)
        };
        loop {
            let file = open(&path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
                .map_err(|error| failure(error.into(), "could not lock it: "))?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                let busy = io::Error::from(io::ErrorKind::AddrInUse);
                return Err(failure(busy, "another server is starting or closing there: "));
            }
            // The last owner may have removed the file in between: then it locks nothing.
            let is_same = |named: fs::Metadata| {
                fstat(&file).is_ok_and(|own| (own.st_dev, own.st_ino) == (named.dev(), named.ino()))
            };
            if fs::symlink_metadata(&path).is_ok_and(is_same) {
                return Ok(Some(PathLock { path, _file: file }));
            }
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let lock = PathLock::take(&self.path);
        if lock.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
            // The server that starts there replaces the file.
            return;
        }
        let file = fs::symlink_metadata(&self.path);
        if file.is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode)) {
            // It may have gone meanwhile, or the folder may not allow it: the next server sees.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for PathLock {
    fn drop(&mut self) {
        // Removed before it is unlocked, so that it is this one. One that stays harms nobody.
        let _ = fs::remove_file(&self.path);
    }
}
