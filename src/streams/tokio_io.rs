//! The I/O traits of tokio, for the views of streams. Feature `tokio-io`.

use std::borrow::{Borrow, BorrowMut};
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::async_io::{AsyncReader, AsyncWriter};
use super::reader::StreamReader;
use super::writer::StreamWriter;
use crate::io_traits::{poll_read, read, write};

read!([R: BorrowMut<StreamReader> + Unpin] AsyncReader<R>);
write!([W: Borrow<StreamWriter> + Unpin] AsyncWriter<W>, true);

impl<R: BorrowMut<StreamReader> + Unpin> AsyncBufRead for AsyncReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&[u8]>> {
        futures_io::AsyncBufRead::poll_fill_buf(self, cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        futures_io::AsyncBufRead::consume(self, n);
    }
}
