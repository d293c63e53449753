//! A Unix server socket.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::listener::Listener;
use super::unix_path::{address, failure};
use super::unix_stream::Unix;

/// A Unix socket that accepts connections.
///
/// Its file stays when it is dropped: who binds to a path removes it when it is done.
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
    /// `name`, which has no file and goes with its last socket.
    ///
    /// # Errors
    ///
    /// Kind `InvalidInput` if the path is too long (107 bytes on Linux); `AddrInUse` if there is a
    /// file already, be it a server's or one that a server left behind; `NotFound`,
    /// `PermissionDenied` and others as the system says.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    #[doc(alias = "create_unix_server")]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&address(path.as_ref())?)
    }

    /// Listens on an address; see [`bind`](UnixListener::bind).
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixListener::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        let bound = std::os::unix::net::UnixListener::bind_addr(addr);
        UnixListener::from_std(bound.map_err(|error| failure("listen on", addr, error))?)
    }
}
