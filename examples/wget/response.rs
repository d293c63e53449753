//! Reads a response of HTTP/1.0 or 1.1 (RFC 9112): the head line by line, the body to its end.

use std::future::Future;
use std::io;
use std::time::Duration;

use evloop::StreamReader;
use evloop::streams::{IncompleteRead, LimitOverrun};
use evloop::time::timeout;

/// The longest line of a head.
pub(crate) const LINE_MAX: usize = 16 * 1024;

/// The most lines of a head, including interim responses and trailers.
const LINES_MAX: usize = 1000;

/// How many bytes of a body are read at once.
const PIECE: u64 = 64 * 1024;

/// How long to wait for the next bytes of a server.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Response {
    reader: StreamReader,
    /// The number of further lines that the head may have.
    lines_left: usize,
}

/// How a body ends.
pub(crate) enum Body {
    /// After this number of bytes.
    Sized(u64),
    /// In chunks with their sizes. A chunk of size 0 is the last.
    Chunked,
    /// When the server closes the connection.
    UntilClose,
}

/// The header fields that describe the body.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    /// The last transfer coding, if there is one.
    coding: Option<String>,
}

impl Response {
    pub(crate) fn new(reader: StreamReader) -> Response {
        Response { reader, lines_left: LINES_MAX }
    }

    /// Reads the head, and shows each line when it arrives.
    pub(crate) async fn head(&mut self, show: impl Fn(&str) -> io::Result<()>) -> io::Result<Body> {
        loop {
            let line = self.head_line().await?;
            let status = parse_status(&line)?;
            show(&line)?;
            let mut framing = Framing::default();
            loop {
                let line = self.head_line().await?;
                if line.is_empty() {
                    break;
                }
                show(&line)?;
                framing.read_line(&line)?;
            }
            // An interim response, such as 103 Early Hints: the real one follows.
            if status >= 200 {
                return Ok(framing.body(status));
            }
        }
    }

    /// Reads the body to its end. Returns its size in bytes.
    pub(crate) async fn body(&mut self, body: Body) -> io::Result<u64> {
        match body {
            Body::Sized(length) => match self.skip(length).await? {
                read if read == length => Ok(length),
                read => Err(early_end(format!("the body, {read} of {length} bytes"))),
            },
            Body::Chunked => self.chunks().await,
            Body::UntilClose => self.skip(u64::MAX).await,
        }
    }

    async fn chunks(&mut self) -> io::Result<u64> {
        let mut total = 0;
        loop {
            let size = parse_chunk_size(&self.line("a chunk's size").await?)?;
            if size == 0 {
                break;
            }
            let read = self.skip(size).await?;
            total += read;
            if read < size {
                return Err(early_end(format!("a chunk, {read} of {size} bytes")));
            }
            let line_end = self.line("a chunk").await?;
            if !line_end.is_empty() {
                return Err(malformed("a chunk is longer than its size", &line_end));
            }
        }
        // Skips the trailers.
        while !self.head_line().await?.is_empty() {}
        Ok(total)
    }

    /// Reads `length` bytes, or fewer if the stream ends. Returns their number.
    async fn skip(&mut self, length: u64) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            let piece = patiently(self.reader.read(left.min(PIECE) as usize)).await?;
            if piece.is_empty() {
                break;
            }
            left -= piece.len() as u64;
        }
        Ok(length - left)
    }

    async fn head_line(&mut self) -> io::Result<String> {
        let Some(left) = self.lines_left.checked_sub(1) else {
            return Err(io::Error::other(format!("the header has more than {LINES_MAX} lines")));
        };
        self.lines_left = left;
        self.line("the header").await
    }

    /// Reads a line, and returns it without its end. Bytes that are not UTF-8 become U+FFFD. An
    /// error names `what`, the part of the response.
    async fn line(&mut self, what: &str) -> io::Result<String> {
        let line = patiently(self.reader.read_until(b"\n")).await.map_err(|error| {
            if IncompleteRead::of(&error).is_some() {
                early_end(what)
            } else if LimitOverrun::of(&error).is_some() {
                io::Error::other(format!("{what} has a line of more than {LINE_MAX} bytes"))
            } else {
                error
            }
        })?;
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(String::from_utf8_lossy(line).into_owned())
    }
}

impl Framing {
    fn read_line(&mut self, line: &str) -> io::Result<()> {
        // A continuation of the line before: none of the fields here has one.
        if line.starts_with([' ', '\t']) {
            return Ok(());
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(malformed("a header line has no colon", line));
        };
        if name.eq_ignore_ascii_case("content-length") {
            let length = parse_number(value.trim(), 10);
            if length.is_none() || self.length.is_some_and(|before| Some(before) != length) {
                return Err(malformed("the body's length is unclear", line));
            }
            self.length = length;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.coding = value.rsplit(',').next().map(|coding| coding.trim().to_ascii_lowercase());
        }
        Ok(())
    }

    fn body(&self, status: u16) -> Body {
        match (&self.coding, self.length) {
            _ if matches!(status, 204 | 304) => Body::Sized(0),
            (Some(coding), _) if coding == "chunked" => Body::Chunked,
            (None, Some(length)) => Body::Sized(length),
            _ => Body::UntilClose,
        }
    }
}

/// Waits for a server, at most `PATIENCE`.
pub(crate) async fn patiently<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| {
        Err(io::Error::other(format!("no answer for {} s", PATIENCE.as_secs())))
    })
}

/// Returns the status of a line such as `HTTP/1.1 200 OK`.
fn parse_status(line: &str) -> io::Result<u16> {
    let status = || {
        let (minor, rest) = line.strip_prefix("HTTP/1.")?.split_once(' ')?;
        parse_number(minor, 10)?;
        let (status, _reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = u16::try_from(parse_number(status, 10)?).ok()?;
        (100..600).contains(&status).then_some(status)
    };
    status().ok_or_else(|| malformed("the answer is not HTTP/1", line))
}

/// Returns the size of a line such as `1F4;extension=1`.
fn parse_chunk_size(line: &str) -> io::Result<u64> {
    let (size, _extension) = line.split_once(';').unwrap_or((line, ""));
    parse_number(size.trim(), 16).ok_or_else(|| malformed("a chunk has no size", line))
}

/// Accepts digits only: `from_str_radix` would also accept a sign.
fn parse_number(text: &str, radix: u32) -> Option<u64> {
    text.chars().all(|c| c.is_digit(radix)).then(|| u64::from_str_radix(text, radix).ok())?
}

fn malformed(what: &str, line: &str) -> io::Error {
    let begin: String = line.chars().take(60).collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {begin:?}"))
}

fn early_end(what: impl std::fmt::Display) -> io::Error {
    let what = format!("the connection was closed in the middle of {what}");
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}
