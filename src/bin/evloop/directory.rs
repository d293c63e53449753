//! The directories in which programs put their sockets: `PID.sock` in a folder of the user.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, getuid, test_kill_process};

/// Whether a process exists, and its owner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Process {
    Ours,
    /// This user may not send it a signal.
    Foreign,
    Missing,
}

/// Looks for a process by the null signal of kill(2).
pub(crate) fn process(pid: u32) -> Process {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Process::Missing;
    };
    match test_kill_process(pid) {
        Err(Errno::SRCH) => Process::Missing,
        Err(_) => Process::Foreign,
        Ok(()) => Process::Ours,
    }
}

/// Returns the directories of this user, that of the session first. A program and this one may have
/// been started with different environments, so both places are searched.
pub(crate) fn directories() -> Vec<PathBuf> {
    let session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let session = session.filter(|path| path.is_absolute()).map(|path| path.join("evloop"));
    let temporary = PathBuf::from(format!("/tmp/evloop-{}", getuid().as_raw()));
    session.into_iter().chain([temporary]).collect()
}

/// Checks that nobody but this user can have put sockets into the directory.
///
/// # Errors
///
/// A sentence, if it is a link, no directory, another user's, or open to others. `Ok(false)`: there
/// is none.
pub(crate) fn check(path: &Path) -> Result<bool, String> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(format!("cannot look at {}: {error}", path.display())),
        Ok(metadata) => metadata,
    };
    let reason = match metadata.mode() {
        _ if !metadata.is_dir() => "it is a link or a file, not a directory".to_owned(),
        _ if metadata.uid() != getuid().as_raw() => format!("it is user {}'s", metadata.uid()),
        mode if mode & 0o077 != 0 => format!("others may enter it (mode {:o})", mode & 0o777),
        _ => return Ok(true),
    };
    Err(format!("{} is not trusted: {reason}", path.display()))
}

/// Returns the socket of the process in this directory.
pub(crate) fn socket(directory: &Path, pid: u32) -> PathBuf {
    directory.join(format!("{pid}.sock"))
}

/// Returns the processes that have a socket in the directory, in order.
pub(crate) fn listed(directory: &Path) -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.strip_suffix(".sock"));
        pids.extend(pid.and_then(|pid| pid.parse::<u32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}
