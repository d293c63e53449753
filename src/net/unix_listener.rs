//! The Unix listener. Layer L4.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::listener::Listener;
use super::unix_path::{address_error, parse_address};
use super::unix_stream::Unix;

/// A Unix socket that accepts connections.
///
/// Dropping it does not remove its file. The caller of [`bind`](UnixListener::bind) removes the
/// file.
///
/// ```
/// use evloop::net::{UnixListener, UnixStream};
///
/// # let dir = std::env::temp_dir().join(format!("evloop-doc-listener-{}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// evloop::block_on(async {
///     let path = dir.join("socket");
///     let listener = UnixListener::bind(&path)?;
///     let _client = UnixStream::connect(&path).await?;
///     let (stream, _) = listener.accept().await?;
///     stream.write_all(b"hello").await?;
///     std::fs::remove_file(path)
/// }).unwrap();
/// # std::fs::remove_dir(&dir).unwrap();
/// ```
pub type UnixListener = Listener<Unix>;

impl UnixListener {
    /// Listens on a path, where the system makes a file. On Linux, `"\0name"` is the abstract name
    /// `name`: it has no file, and it ends with its last socket.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the path is too long (more than 107 bytes on Linux). `AddrInUse` if
    /// the file exists, also if the server that made it has ended. The system's error otherwise:
    /// `NotFound`, `PermissionDenied` and others.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_unix_server")]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&parse_address(path.as_ref())?)
    }

    /// Listens on an address; see [`bind`](UnixListener::bind).
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixListener::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        let bound = std::os::unix::net::UnixListener::bind_addr(addr);
        UnixListener::from_std(bound.map_err(|error| address_error("listen on", addr, error))?)
    }
}
