//! Sending a file: by the system where it can, else by copying.

use std::fs::File;
use std::io;

use super::tcp_stream::TcpStream;
use super::transport::whole;
use crate::blocking::{self, Kind};
use crate::reactor::Direction;
use crate::sys::{self, AsFile, duplicate, read_at};

/// Bytes that the system is asked to send at once: the socket takes fewer, and the loop does not
/// wait long for the disk.
const SENT_MAX: u64 = 1 << 20;

/// Bytes that are copied at once.
const PIECE: u64 = 64 * 1024;

/// Sends `len` bytes of a file, from the byte `offset` on, or as many as there are: `u64::MAX` for
/// the rest. Returns how many. The file's own position neither matters nor changes.
///
/// On Linux the system sends them without a detour through this program (sendfile(2)), and the loop
/// waits while it reads them from the disk. Elsewhere, and from what sendfile(2) cannot read, they
/// are read on a helper thread.
///
/// # Errors
///
/// Those of reading and of writing. What was sent before is not told.
///
/// A peer that is gone gives `BrokenPipe` or `ConnectionReset`. sendfile(2) also raises SIGPIPE
/// then, which Rust programs ignore unless they ask for it.
///
/// # Cancel safety
///
/// Not cancel safe: how much was sent is not told. Who wants to know sends in pieces.
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
#[doc(alias = "sock_sendfile")]
pub async fn sendfile(
    stream: &TcpStream,
    file: &impl AsFile,
    offset: u64,
    len: u64,
) -> io::Result<u64> {
    let end = offset.saturating_add(len);
    let mut at = offset;
    let mut is_copied = false;
    while at < end {
        let sent = match is_copied {
            true => Some(copy(stream, duplicate(file)?, at, end - at).await?),
            false => send(stream, file, at, end - at).await?,
        };
        match sent {
            None => is_copied = true,
            Some(0) => break,
            Some(sent) => at += sent,
        }
    }
    Ok(at - offset)
}

/// Sends some bytes by reading them on a helper thread. 0: the file has ended.
async fn copy(stream: &TcpStream, file: File, at: u64, left: u64) -> io::Result<u64> {
    let read = blocking::submit(Kind::File, move || {
        let mut bytes = vec![0; usize::try_from(left.min(PIECE)).expect("a piece is short")];
        let n = read_at(&file, &mut bytes, at)?;
        bytes.truncate(n);
        Ok(bytes)
    });
    let bytes = read.await?;
    stream.write_all(&bytes).await?;
    Ok(bytes.len() as u64)
}

/// Has the system send some bytes. 0: the file has ended. `None`: it cannot send this file.
async fn send(
    stream: &TcpStream,
    file: &impl AsFile,
    at: u64,
    left: u64,
) -> io::Result<Option<u64>> {
    let len = usize::try_from(left.min(SENT_MAX)).expect("a piece is short");
    // The count depends on the file too: it does not show that the socket's buffer is full.
    let sent = stream.end.io(Direction::Write, |io| whole(sys::sendfile(io, file, at, len)));
    Ok(sent.await?.map(|sent| sent as u64))
}
