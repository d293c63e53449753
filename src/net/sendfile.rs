//! Sending a file: with the system's sendfile where it can, else with reads and writes. Layer L4.

use std::fs::File;
use std::io;

use super::system;
use super::tcp_stream::TcpStream;
use super::transport::done;
use crate::blocking::{self, Kind};
use crate::reactor::Direction;
use crate::sys::{AsFile, duplicate, read_at};

/// The most bytes of one sendfile(2) call. The socket accepts fewer, and the limit bounds the time
/// that the event loop waits for the disk.
const SENDFILE_MAX: u64 = 1 << 20;

/// The most bytes that are copied at once.
const COPY_MAX: u64 = 64 * 1024;

/// Sends `len` bytes of a file over TCP, starting at the byte `offset`.
///
/// Sends fewer bytes if the file ends before; `u64::MAX` sends the rest of the file. Returns the
/// number of bytes. The position of the file is neither used nor changed.
///
/// On Linux the kernel copies the bytes from the file to the socket (sendfile(2)), and the event
/// loop waits while the kernel reads them from the disk. On other systems, and for files that
/// sendfile(2) cannot read, the blocking pool reads them.
///
/// # Errors
///
/// The errors of reading and of writing. The number of bytes sent before is lost.
///
/// If the peer has closed the connection: `BrokenPipe` or `ConnectionReset`. sendfile(2) then also
/// raises SIGPIPE, which Rust programs ignore by default.
///
/// # Cancel safety
///
/// Not cancel safe: the number of bytes sent is lost. To know it, send the file in several calls.
///
/// ```
/// use evloop::net::{TcpListener, TcpStream, sendfile};
///
/// evloop::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let stream = TcpStream::connect(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     let file = std::fs::File::open("Cargo.toml")?;
///     assert_eq!(sendfile(&stream, &file, 1, 7).await?, 7);
///     let mut buf = [0; 7];
///     peer.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"package");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
pub async fn sendfile(
    stream: &TcpStream,
    file: &impl AsFile,
    offset: u64,
    len: u64,
) -> io::Result<u64> {
    let end = offset.saturating_add(len);
    let mut position = offset;
    let mut must_copy = false;
    while position < end {
        let sent = match must_copy {
            true => Some(copy(stream, duplicate(file)?, position, end - position).await?),
            false => send(stream, file, position, end - position).await?,
        };
        match sent {
            None => must_copy = true,
            Some(0) => break,
            Some(sent) => position += sent,
        }
    }
    Ok(position - offset)
}

/// Reads some bytes on the blocking pool and writes them. Returns 0 at the end of the file.
async fn copy(stream: &TcpStream, file: File, at: u64, left: u64) -> io::Result<u64> {
    let read = blocking::submit(Kind::File, "net::sendfile", move || {
        let mut bytes =
            vec![0; usize::try_from(left.min(COPY_MAX)).expect("a copy fits into memory")];
        let n = read_at(&file, &mut bytes, at)?;
        bytes.truncate(n);
        Ok(bytes)
    });
    let bytes = read.await?;
    stream.write_all(&bytes).await?;
    Ok(bytes.len() as u64)
}

/// Sends some bytes with sendfile(2). Returns 0 at the end of the file, and `None` if the system
/// cannot send this file.
async fn send(
    stream: &TcpStream,
    file: &impl AsFile,
    at: u64,
    left: u64,
) -> io::Result<Option<u64>> {
    let len = usize::try_from(left.min(SENDFILE_MAX)).expect("the limit of a call fits into usize");
    // A short count may come from the file: it does not show that the socket's buffer is full.
    let sent = stream.end.io(Direction::Write, |io| done(system::sendfile(io, file, at, len)));
    Ok(sent.await?.map(|sent| sent as u64))
}
