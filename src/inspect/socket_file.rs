//! The path of the socket, and the rules of its folder.
//!
//! The folder is `$XDG_RUNTIME_DIR/evloop`, or `/tmp/evloop-UID`, where any user can make folders:
//! so its owner and mode are checked. A process that ends without dropping its loops leaves its
//! socket behind: each process removes those to which no process listens. Invariant: a socket has
//! its final name only while it is listened to.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect};
use rustix::process::geteuid;

use crate::sys::{open, with_nonblocking};

/// A folder with more files is not searched for sockets to the end.
const SEARCHED_MAX: usize = 1024;

/// Makes the socket of this process. Returns its path.
pub(super) fn listen() -> io::Result<(UnixListener, PathBuf)> {
    let folder = folder()?;
    remove_stale(&folder);
    let path = folder.join(format!("{}.sock", process::id()));
    let explain =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    // A process of another PID namespace may have the same number.
    if is_listened_to(&path) {
        return Err(explain(io::ErrorKind::AddrInUse.into()));
    }
    // Between bind(2) and listen(2) the socket refuses connections, as a stale one does.
    let new = folder.join(format!("{}.new", process::id()));
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => io::Error::new(
            error.kind(),
            format!(
                "the path of the socket, {}, is too long: set XDG_RUNTIME_DIR to a shorter one",
                path.display()
            ),
        ),
        _ => explain(error),
    })?;
    fs::rename(&new, &path).map_err(explain)?;
    listener.set_nonblocking(true)?;
    Ok((listener, path))
}

/// Returns the folder of the sockets. Makes it if needed.
fn folder() -> io::Result<PathBuf> {
    let user = geteuid().as_raw();
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let folder = match runtime.filter(|path| path.is_absolute()) {
        Some(runtime) => runtime.join("evloop"),
        None => PathBuf::from(format!("/tmp/evloop-{user}")),
    };
    let fails = |why: &dyn std::fmt::Display| {
        io::Error::other(format!("the folder of the sockets, {}, {why}", folder.display()))
    };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(fails(&format_args!("cannot be made: {error}")));
        }
        _ => {}
    }
    let facts = fs::symlink_metadata(&folder).map_err(|error| fails(&error))?;
    if !facts.is_dir() {
        return Err(fails(&"is a link or a file: remove it"));
    }
    if facts.uid() != user {
        return Err(fails(&format_args!("belongs to the user {}, not to {user}", facts.uid())));
    }
    if facts.mode() & 0o077 != 0 {
        return Err(fails(&"is open to other users: set its mode to 700"));
    }
    Ok(folder)
}

/// Removes the sockets to which no process listens.
fn remove_stale(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.take(SEARCHED_MAX).flatten() {
        let path = entry.path();
        let is_socket = path.extension().is_some_and(|extension| extension == "sock");
        if is_socket && matches!(try_connect(&path), Err(Errno::CONNREFUSED)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns whether a process listens to the socket `path`; it may be too busy to accept.
fn is_listened_to(path: &Path) -> bool {
    matches!(try_connect(path), Ok(()) | Err(Errno::AGAIN))
}

/// Connects without waiting.
fn try_connect(path: &Path) -> Result<(), Errno> {
    let address = SocketAddrUnix::new(path)?;
    let fails = |_| Errno::MFILE;
    let socket = open(AddressFamily::UNIX, SocketType::STREAM).map_err(fails)?;
    let socket = with_nonblocking(socket, true).map_err(fails)?;
    connect(&socket, &address)
}
