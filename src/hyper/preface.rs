//! Finding the protocol of a connection by its first bytes. Layer L4.

use std::io;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

use super::io::Io;
use super::options::Protocol;

/// The first bytes of a client that speaks HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Waits until the bytes of the client show its protocol. They stay unread. A connection that ends
/// before is one of HTTP/1, which reports that.
pub(super) fn poll_protocol<T: AsyncRead + Unpin>(
    io: &mut Io<T>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Protocol>> {
    loop {
        if let Some(protocol) = protocol(io.unread()) {
            return Poll::Ready(Ok(protocol));
        }
        if ready!(io.poll_peek(cx))? == 0 {
            return Poll::Ready(Ok(Protocol::Http1));
        }
    }
}

/// Returns the protocol that begins with these bytes; `None` if they are too few.
fn protocol(bytes: &[u8]) -> Option<Protocol> {
    if bytes.starts_with(PREFACE) {
        Some(Protocol::Http2)
    } else if PREFACE.starts_with(bytes) {
        None
    } else {
        Some(Protocol::Http1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_show_the_protocol() {
        for n in 0..PREFACE.len() {
            assert_eq!(protocol(&PREFACE[..n]), None);
        }
        assert_eq!(protocol(PREFACE), Some(Protocol::Http2));
        assert_eq!(protocol(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"), Some(Protocol::Http2));
        assert_eq!(protocol(b"PRI * HTTP/2.1"), Some(Protocol::Http1));
        assert_eq!(protocol(b"POST"), Some(Protocol::Http1));
    }
}
