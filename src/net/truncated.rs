//! That a datagram was longer than the room for it.

use std::error::Error;
use std::fmt;
use std::io;

/// A datagram was longer than the buffer that it was received into. Inside of an [`io::Error`] of
/// kind `InvalidData`. The buffer is full of its beginning; the rest is lost.
///
/// ```
/// use evloop::net::{Truncated, UdpSocket};
///
/// evloop::block_on(async {
///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
///     socket.send_to(b"four", socket.local_addr()?).await?;
///     let mut buf = [0; 3];
///     let error = socket.recv(&mut buf).await.unwrap_err();
///     assert_eq!(Truncated::of(&error).unwrap().filled, 3);
///     assert_eq!(&buf, b"fou");
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "MSG_TRUNC")]
pub struct Truncated {
    /// How many bytes there was room for.
    pub filled: usize,
    /// How long the datagram was, if the system tells (Linux).
    pub length: Option<usize>,
}

impl Truncated {
    /// What `error` is about, if it is this.
    pub fn of(error: &io::Error) -> Option<&Truncated> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            Some(length) => write!(f, "a datagram of {length} bytes"),
            None => f.write_str("a datagram"),
        }?;
        write!(f, " was cut to the {} bytes that there was room for", self.filled)
    }
}

impl Error for Truncated {}

impl From<Truncated> for io::Error {
    fn from(error: Truncated) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
