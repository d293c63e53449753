//! Reading pieces of a stream: lines, blocks, up to a separator.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::again::again;
use super::buffer::Buffer;
use crate::net::TcpStream;

/// The reading end of a connection: asyncio's `StreamReader`.
///
/// What has come and was not taken stays in the reader: all its futures may be dropped at any
/// await, and nothing is lost.
///
/// An error of the connection is told by each read that needs more than what came before it.
#[derive(Debug)]
pub struct StreamReader {
    stream: Rc<TcpStream>,
    buffer: Buffer,
    limit: usize,
    /// The peer has finished writing.
    is_finished: bool,
    /// The connection's error: it is told each time, so that no half passes for a whole.
    error: Option<io::Error>,
}

/// The stream ended in the middle of a piece. Inside of an [`io::Error`] of kind `UnexpectedEof`.
///
/// ```
/// use evloop::streams::IncompleteRead;
///
/// let error = std::io::Error::from(IncompleteRead { partial: b"ab".to_vec(), expected: Some(4) });
/// assert_eq!(error.to_string(), "the stream ended after 2 of 4 bytes");
/// assert_eq!(IncompleteRead::of(&error).unwrap().partial, b"ab");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "IncompleteReadError")]
pub struct IncompleteRead {
    /// What came before the end. It has been taken from the reader.
    pub partial: Vec<u8>,
    /// How many bytes were asked for, if it was a number.
    pub expected: Option<usize>,
}

/// A piece is longer than the reader's limit. Inside of an [`io::Error`] of kind `InvalidData`. The
/// bytes stay in the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "LimitOverrunError")]
pub struct LimitOverrun {
    /// How many bytes can be read to pass over what is too long: the piece up to its separator, or
    /// as much as surely holds none.
    pub consumed: usize,
}

impl StreamReader {
    pub(super) fn new(stream: Rc<TcpStream>, limit: usize) -> StreamReader {
        StreamReader { stream, buffer: Buffer::default(), limit, is_finished: false, error: None }
    }

    /// Reads what is there, at least a byte and at most `n`; nothing at the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn read(&mut self, n: usize) -> io::Result<Vec<u8>> {
        while n > 0 && self.buffer.is_empty() && self.fill().await? {}
        Ok(self.buffer.take(n.min(self.buffer.len())))
    }

    /// Reads all that comes until the stream ends.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what came stays in the reader.
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        while self.fill().await? {}
        Ok(self.buffer.take(self.buffer.len()))
    }

    /// Reads exactly `n` bytes.
    ///
    /// # Errors
    ///
    /// [`IncompleteRead`] if the stream ends before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readexactly")]
    pub async fn read_exact(&mut self, n: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < n {
            if !self.fill().await? {
                let partial = self.buffer.take(self.buffer.len());
                return Err(IncompleteRead { partial, expected: Some(n) }.into());
            }
        }
        Ok(self.buffer.take(n))
    }

    /// Reads a line with its `\n`. At the end of the stream: what is left, which may be nothing.
    ///
    /// # Errors
    ///
    /// [`LimitOverrun`] if the line is longer than the limit.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readline")]
    pub async fn read_line(&mut self) -> io::Result<Vec<u8>> {
        match self.read_until(b"\n").await {
            Err(error) => IncompleteRead::from_error(error).map(|incomplete| incomplete.partial),
            line => line,
        }
    }

    /// Reads up to `separator` and with it.
    ///
    /// # Errors
    ///
    /// [`IncompleteRead`] if the stream ends before; [`LimitOverrun`] if it does not come within
    /// the limit.
    ///
    /// # Panics
    ///
    /// If `separator` is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[doc(alias = "readuntil")]
    pub async fn read_until(&mut self, separator: &[u8]) -> io::Result<Vec<u8>> {
        assert!(!separator.is_empty(), "read_until needs a separator of at least a byte");
        // How far there is no separator: what has been searched is not searched again.
        let mut searched = 0;
        loop {
            let content = self.buffer.content();
            if let Some(found) = find(&content[searched..], separator) {
                let piece = searched + found + separator.len();
                if piece > self.limit {
                    return Err(LimitOverrun { consumed: piece }.into());
                }
                return Ok(self.buffer.take(piece));
            }
            searched = (content.len() + 1).saturating_sub(separator.len());
            if searched > self.limit {
                return Err(LimitOverrun { consumed: searched }.into());
            }
            if !self.fill().await? {
                let partial = self.buffer.take(self.buffer.len());
                return Err(IncompleteRead { partial, expected: None }.into());
            }
        }
    }

    /// Whether everything was read and the stream has ended.
    pub fn at_eof(&self) -> bool {
        self.is_finished && self.buffer.is_empty()
    }

    /// The other end's address.
    #[doc(alias = "get_extra_info")]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// This end's address.
    #[doc(alias = "get_extra_info")]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// The connection. Who reads from it takes bytes from the reader.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// Takes in what is there. `false`: the stream has ended.
    async fn fill(&mut self) -> io::Result<bool> {
        if let Some(error) = &self.error {
            return Err(again(error));
        }
        if self.is_finished {
            return Ok(false);
        }
        match self.stream.read(self.buffer.room()).await {
            Ok(n) => {
                self.buffer.filled(n);
                self.is_finished = n == 0;
                Ok(n > 0)
            }
            Err(error) => {
                self.error = Some(again(&error));
                Err(error)
            }
        }
    }
}

/// Where `needle` begins first.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    let mut from = 0;
    loop {
        let at = from + haystack[from..].iter().position(|byte| byte == first)?;
        if haystack[at + 1..].starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
}

impl IncompleteRead {
    /// What `error` is about, if it is this.
    pub fn of(error: &io::Error) -> Option<&IncompleteRead> {
        error.get_ref()?.downcast_ref()
    }

    /// The same by value; any other error comes back.
    fn from_error(error: io::Error) -> io::Result<IncompleteRead> {
        error.downcast::<IncompleteRead>()
    }
}

impl LimitOverrun {
    /// What `error` is about, if it is this.
    pub fn of(error: &io::Error) -> Option<&LimitOverrun> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for IncompleteRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let got = self.partial.len();
        match self.expected {
            Some(expected) => write!(f, "the stream ended after {got} of {expected} bytes"),
            None => write!(f, "the stream ended after {got} bytes, before the separator came"),
        }
    }
}

impl fmt::Display for LimitOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitOverrun { consumed } = self;
        write!(
            f,
            "no separator came within the reader's limit: read {consumed} bytes to pass over them, \
             or open the stream with a higher StreamOptions::limit"
        )
    }
}

impl Error for IncompleteRead {}
impl Error for LimitOverrun {}

impl From<IncompleteRead> for io::Error {
    fn from(error: IncompleteRead) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl From<LimitOverrun> for io::Error {
    fn from(error: LimitOverrun) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
