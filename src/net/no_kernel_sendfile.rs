//! Having the system send a file: where it cannot be asked to.

use std::io;

use super::file_at::AsFile;
use super::tcp_stream::TcpStream;

/// `None`: no file is one that the system could send.
pub(super) async fn send(
    _: &TcpStream,
    _: &impl AsFile,
    _: u64,
    _: u64,
) -> io::Result<Option<u64>> {
    Ok(None)
}
