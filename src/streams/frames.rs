//! Frames: messages with their length in front.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};

use super::read_error::IncompleteRead;
use super::reader::StreamReader;
use super::writer::StreamWriter;
use crate::current::budget;

/// The maximum number of bytes of a length.
const LENGTH_BYTES_MAX: usize = 8;

/// The format of the frames of [`StreamReader::read_frame`] and [`StreamWriter::write_frame`]: each
/// frame is preceded by its length.
///
/// ```
/// use evloop::streams::{FrameFormat, from_io};
///
/// evloop::block_on(async {
///     let (one, other) = evloop::io::duplex(64);
///     let ((_, writer), (mut reader, _writer)) = (from_io(one), from_io(other));
///     let format = FrameFormat { length_bytes: 2, ..FrameFormat::default() };
///     writer.write_frame("hello", &format)?;
///     writer.write_frame("", &format)?;
///     drop(writer);
///     assert_eq!(reader.read_frame(&format).await?.unwrap(), b"hello");
///     assert_eq!(reader.read_frame(&format).await?.unwrap(), b"");
///     assert_eq!(reader.read_frame(&format).await?, None);
///     std::io::Result::Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFormat {
    /// The number of bytes of the length, from 1 to 8. Default: 4.
    pub length_bytes: usize,
    /// The length is in little-endian order. Default: `false`, the order of the network.
    pub little_endian: bool,
    /// The maximum length of a frame, in bytes without its length. Default: 8 MiB.
    pub max_len: usize,
}

/// A frame is longer than [`FrameFormat::max_len`], or than its length field can hold. It is the
/// inner error of an [`io::Error`]: of kind `InvalidData` for a received frame, which stays in the
/// reader, and of kind `InvalidInput` for a frame to write.
///
/// ```
/// use evloop::streams::{FrameFormat, FrameTooLong, from_io};
///
/// evloop::block_on(async {
///     let (_reader, writer) = from_io(evloop::io::duplex(64).0);
///     let format = FrameFormat { max_len: 4, ..FrameFormat::default() };
///     let error = writer.write_frame("hello", &format).unwrap_err();
///     assert_eq!(FrameTooLong::of(&error), Some(&FrameTooLong { len: 5, max_len: 4 }));
///     assert_eq!(error.to_string(), "the frame has 5 bytes, but at most 4 are allowed");
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLong {
    /// The length of the frame.
    pub len: u64,
    /// The maximum length.
    pub max_len: usize,
}

impl FrameFormat {
    /// # Panics
    ///
    /// If the number of bytes of the length is invalid.
    #[track_caller]
    fn check(&self) {
        let n = self.length_bytes;
        assert!(
            (1..=LENGTH_BYTES_MAX).contains(&n),
            "FrameFormat::length_bytes is {n}: it must be from 1 to {LENGTH_BYTES_MAX}"
        );
    }

    /// Returns the length that `bytes` begins with. `None` if they are too few.
    fn decode(&self, bytes: &[u8]) -> Option<u64> {
        let field = bytes.get(..self.length_bytes)?;
        let push = |len: u64, byte: &u8| len << 8 | u64::from(*byte);
        Some(match self.little_endian {
            true => field.iter().rev().fold(0, push),
            false => field.iter().fold(0, push),
        })
    }

    /// Returns the length field of a frame: the first `length_bytes` of the array.
    fn encode(&self, len: u64) -> [u8; LENGTH_BYTES_MAX] {
        match self.little_endian {
            true => len.to_le_bytes(),
            false => (len << (8 * (LENGTH_BYTES_MAX - self.length_bytes))).to_be_bytes(),
        }
    }

    /// Returns `len`, unless a frame must not be so long.
    fn check_len(&self, len: u64) -> Result<usize, FrameTooLong> {
        let field_max = u64::MAX >> (8 * (LENGTH_BYTES_MAX - self.length_bytes));
        let max_len = self.max_len.min(usize::try_from(field_max).unwrap_or(usize::MAX));
        match usize::try_from(len) {
            Ok(len) if len <= max_len => Ok(len),
            _ => Err(FrameTooLong { len, max_len }),
        }
    }
}

impl Default for FrameFormat {
    fn default() -> FrameFormat {
        FrameFormat { length_bytes: 4, little_endian: false, max_len: 8 << 20 }
    }
}

impl StreamReader {
    /// Reads a frame, and returns it without its length. Returns `None` if the stream ends before
    /// a frame.
    ///
    /// # Errors
    ///
    /// [`FrameTooLong`] if the frame is longer than the maximum; it stays in the reader.
    /// [`IncompleteRead`] if the stream ends within a frame. The error of the connection.
    ///
    /// # Panics
    ///
    /// If the length has no bytes, or more than 8.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[track_caller]
    pub fn read_frame(
        &mut self,
        format: &FrameFormat,
    ) -> impl Future<Output = io::Result<Option<Vec<u8>>>> {
        format.check();
        self.read_frame_as(*format)
    }

    async fn read_frame_as(&mut self, format: FrameFormat) -> io::Result<Option<Vec<u8>>> {
        budget::part().await;
        loop {
            let mut needed = format.length_bytes;
            if let Some(len) = format.decode(self.buffer.content()) {
                let len = format
                    .check_len(len)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                needed = len.saturating_add(format.length_bytes);
                if needed <= self.buffer.len() {
                    self.buffer.consume(format.length_bytes);
                    return Ok(Some(self.buffer.take(len)));
                }
            }
            if !self.fill(needed - self.buffer.len()).await? {
                let partial = self.buffer.take_all();
                return match partial.is_empty() {
                    true => Ok(None),
                    false => Err(IncompleteRead { partial, expected: Some(needed) }.into()),
                };
            }
        }
    }
}

impl StreamWriter {
    /// [Writes](StreamWriter::write) a frame: its length, and its bytes.
    ///
    /// # Errors
    ///
    /// [`FrameTooLong`] if the frame is longer than the maximum: then nothing is written. Errors of
    /// the connection are returned by [`drain`](StreamWriter::drain).
    ///
    /// # Panics
    ///
    /// If the length has no bytes, or more than 8.
    #[track_caller]
    pub fn write_frame(&self, frame: impl AsRef<[u8]>, format: &FrameFormat) -> io::Result<()> {
        format.check();
        let (frame, len) = (frame.as_ref(), frame.as_ref().len() as u64);
        format
            .check_len(len)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let length = format.encode(len);
        self.write_vectored(&[IoSlice::new(&length[..format.length_bytes]), IoSlice::new(frame)]);
        Ok(())
    }
}

impl FrameTooLong {
    /// Returns the inner error of `error`, if it is of this type.
    pub fn of(error: &io::Error) -> Option<&FrameTooLong> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for FrameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameTooLong { len, max_len } = self;
        write!(f, "the frame has {len} bytes, but at most {max_len} are allowed")
    }
}

impl Error for FrameTooLong {}
