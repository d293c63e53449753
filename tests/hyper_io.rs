//! `hyper::Io`: connections for hyper, and those of hyper for others.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use evloop::hyper::Io;
use evloop::io::duplex;
use evloop::net::{TcpListener, TcpStream};
use evloop::task::Local;
use evloop::time::timeout;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hyper::rt::{Read, ReadBuf, Write};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Reads once by hyper's trait, into a buffer of `capacity` bytes.
async fn read(io: &mut (impl Read + Unpin), capacity: usize) -> io::Result<Vec<u8>> {
    let mut memory = vec![0; capacity];
    let mut buf = ReadBuf::new(&mut memory);
    poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, buf.unfilled())).await?;
    Ok(buf.filled().to_vec())
}

/// The calls on a connection; the buffers of a write are separated by `+`.
type Calls = Rc<RefCell<Vec<String>>>;

/// Records the calls on it.
#[derive(Default)]
struct Recorder(Calls);

impl Recorder {
    fn record(&self, call: &str, bufs: &[IoSlice]) -> usize {
        let texts: Vec<_> = bufs.iter().map(|buf| String::from_utf8_lossy(buf)).collect();
        self.0.borrow_mut().push(format!("{call} {}", texts.join("+")));
        bufs.iter().map(|buf| buf.len()).sum()
    }
}

impl futures::AsyncRead for Recorder {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }
}

impl futures::AsyncWrite for Recorder {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.record("write", &[IoSlice::new(buf)])))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context,
        bufs: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.record("write", bufs)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        self.record("flush", &[]);
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        self.record("close", &[]);
        Poll::Ready(Ok(()))
    }
}

#[test]
fn reads_fill_the_buffer_of_hyper_and_report_the_end() {
    run(async {
        let (mut one, two) = duplex(200_000);
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        one.write_all(&bytes).await?;
        let mut io = Io::new(two);
        assert_eq!(read(&mut io, 3).await?, bytes[..3]);
        assert_eq!(read(&mut io, 0).await?, b"");
        let mut seen = 3;
        while seen < bytes.len() {
            let piece = read(&mut io, 150_000).await?;
            assert_eq!(piece, bytes[seen..seen + piece.len()]);
            seen += piece.len();
        }
        one.close().await?;
        assert_eq!(read(&mut io, 10).await?, b"");
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_pending_read_is_woken() {
    run(async {
        let (mut one, two) = duplex(64);
        let reading = evloop::spawn(async move { read(&mut Io::new(two), 64).await });
        evloop::task::yield_now().await;
        one.write_all(b"late").await?;
        assert_eq!(reading.await.unwrap()?, b"late");
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn each_call_is_passed_on_as_it_is() {
    run(async {
        let recorder = Recorder::default();
        let calls = recorder.0.clone();
        // From hyper's traits to those of futures-io, through a `Local`, and back.
        let mut io = Io::new(Local::new(Io::new(recorder)));
        let bufs = [IoSlice::new(b"head"), IoSlice::new(b"body")];
        assert_eq!(AsyncWriteExt::write(&mut io, b"one").await?, 3);
        assert_eq!(AsyncWriteExt::write_vectored(&mut io, &bufs).await?, 8);
        AsyncWriteExt::flush(&mut io).await?;
        AsyncWriteExt::close(&mut io).await?;
        assert_eq!(calls.take(), ["write one", "write head+body", "flush ", "close "]);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn vectored_writes_may_be_off() {
    run(async {
        let io = Io::new(Recorder::default());
        assert!(io.is_write_vectored());
        assert!(!io.without_vectored_writes().is_write_vectored());
    });
}

#[test]
fn a_local_of_a_connection_is_a_send_connection() {
    fn is_send<T: Send + Sync>(value: T) -> T {
        value
    }
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let (server, _) = listener.accept().await?;
        let mut client = is_send(Local::new(Io::new(client)));
        assert!(client.is_write_vectored());
        poll_fn(|cx| Pin::new(&mut client).poll_write(cx, b"hello")).await?;
        let mut hello = [0; 5];
        server.read_exact(&mut hello).await?;
        server.write_all(&hello).await?;
        assert_eq!(read(&mut client, 9).await?, b"hello");
        poll_fn(|cx| Pin::new(&mut client).poll_shutdown(cx)).await?;
        assert_eq!(server.read(&mut hello).await?, 0);
        io::Result::Ok(())
    })
    .unwrap();
}

/// A connection with hyper's traits alone.
struct Hypers(Io<evloop::io::DuplexStream>);

impl Read for Hypers {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
        Poll::Ready(Ok(()))
    }
}

impl Write for Hypers {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[test]
fn a_connection_of_hyper_has_the_traits_of_futures_io() {
    run(async {
        let (one, mut two) = duplex(64);
        let mut io = Io::new(Hypers(Io::new(one)));
        AsyncWriteExt::write_all(&mut io, b"ping").await?;
        AsyncWriteExt::close(&mut io).await?;
        let mut text = String::new();
        two.read_to_string(&mut text).await?;
        two.write_all(b"pong").await?;
        drop(two);
        let mut reply = String::new();
        io.read_to_string(&mut reply).await?;
        assert_eq!((&*text, &*reply), ("ping", "pong"));
        io::Result::Ok(())
    })
    .unwrap();
}
