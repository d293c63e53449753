//! tokio's I/O traits on the types of this crate: feature `tokio-io`.

#![cfg(all(target_os = "linux", feature = "tokio-io"))]

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::time::Duration;

use evloop::io::{DuplexStream, duplex, join, simplex};
use evloop::net::{TcpListener, TcpStream, UnixStream, pipe};
use evloop::streams::from_io;
use evloop::task::Local;
use evloop::time::timeout;
use evloop::{fs, spawn};
use futures::{SinkExt, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf,
    copy_bidirectional,
};
use tokio_util::codec::{Framed, FramedRead, FramedWrite, LengthDelimitedCodec, LinesCodec};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// The two ends of a TCP connection.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// Writes two buffers at once, ends the direction, and checks what the reader gets. `vectored` is
/// whether one call takes both buffers.
async fn passes(
    mut writer: impl AsyncWrite + Unpin,
    mut reader: impl AsyncRead + Unpin,
    vectored: bool,
) {
    assert_eq!(writer.is_write_vectored(), vectored);
    let bufs = [IoSlice::new(b"hel"), IoSlice::new(b"lo\n")];
    let n = writer.write_vectored(&bufs).await.unwrap();
    assert_eq!(n, if vectored { 6 } else { 3 });
    writer.write_all(&b"hello\n"[n..]).await.unwrap();
    writer.flush().await.unwrap();
    let mut buf = [0; 4];
    reader.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"hell");
    writer.shutdown().await.unwrap();
    drop(writer);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"o\n");
}

#[test]
fn all_connections_and_their_halves_read_and_write() {
    run(async {
        let (one, other) = tcp().await;
        passes(one, other, true).await;
        let (one, other) = tcp().await;
        passes(&one, &other, true).await;
        let (one, other) = UnixStream::pair().unwrap();
        passes(&one, other, true).await;
        let (one, other) = tcp().await;
        let (read_half, _keep) = one.into_split();
        let (_keep, write_half) = other.into_split();
        passes(write_half, read_half, true).await;
        let (one, other) = duplex(64);
        passes(one, &other, true).await;
        let (reader, writer) = simplex(64);
        passes(&writer, &reader, true).await;
        let (reader, writer) = simplex(64);
        passes(writer, reader, true).await;
        let (sender, receiver) = pipe::pair().unwrap();
        passes(sender, receiver, true).await;
    });
}

#[test]
fn streams_joined_parts_and_files_read_and_write() {
    run(async {
        let (one, other) = duplex(64);
        let ((_reader, writer), (reader, _writer)) = (from_io(one), from_io(other));
        passes(writer.into_async_write(), reader.into_async_read(), true).await;

        let ((reader, to_reader), (from_writer, writer)) = (simplex(64), simplex(64));
        passes(to_reader, join(reader, ()), true).await;
        passes(join((), writer), from_writer, true).await;

        let path = std::env::temp_dir().join(format!("evloop-tokio-io-{}", std::process::id()));
        let mut file = fs::File::create(&path).await.unwrap();
        file.write_all(b"hello").await.unwrap();
        file.shutdown().await.unwrap();
        let mut text = String::new();
        fs::File::open(&path).await.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
        fs::remove_file(path).await.unwrap();
    });
}

#[test]
fn a_local_connection_reads_and_writes_and_is_send() {
    fn is_send<T: Send + Sync>(io: T) -> T {
        io
    }
    run(async {
        let (one, other) = tcp().await;
        passes(is_send(Local::new(one)), is_send(Local::new(other)), true).await;
        let (one, other) = tcp().await;
        let mut one = Local::new(one);
        one.shutdown().await.unwrap();
        assert_eq!(other.read(&mut [0]).await.unwrap(), 0, "the direction has ended");
        drop(one);
        // A type that takes only the first of several buffers.
        assert!(!Local::new(evloop::io::stdout()).is_write_vectored());
    });
}

#[test]
fn standard_streams_have_the_traits() {
    fn reads(_: impl AsyncRead) {}
    fn writes(writer: impl AsyncWrite) {
        assert!(!writer.is_write_vectored());
    }
    run(async {
        reads(evloop::io::stdin());
        writes(evloop::io::stdout());
        writes(evloop::io::stderr());
    });
}

/// Polls one read into `buf`.
async fn read_once(io: &mut (impl AsyncRead + Unpin), buf: &mut ReadBuf<'_>) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, buf)).await
}

#[test]
fn a_read_appends_to_the_filled_part_and_initializes_only_what_it_reads() {
    run(async {
        let (mut one, mut other): (DuplexStream, DuplexStream) = duplex(64);
        one.write_all(b"hello").await.unwrap();
        let mut memory = [MaybeUninit::uninit(); 16];
        let mut buf = ReadBuf::uninit(&mut memory);
        buf.put_slice(b"> ");
        read_once(&mut other, &mut buf).await.unwrap();
        assert_eq!((buf.filled(), buf.initialized().len()), (&b"> hello"[..], 7));

        one.write_all(b"0123456789").await.unwrap();
        read_once(&mut other, &mut buf).await.unwrap();
        assert_eq!((buf.filled(), buf.remaining()), (&b"> hello012345678"[..], 0));
        // No capacity is left: nothing is read, and this is not the end.
        read_once(&mut other, &mut buf).await.unwrap();
        assert_eq!(buf.filled().len(), 16);

        let mut memory = [b'-'; 4];
        let mut buf = ReadBuf::new(&mut memory);
        read_once(&mut other, &mut buf).await.unwrap();
        assert_eq!(buf.filled(), b"9");
        assert_eq!(&memory, b"9---");
    });
}

#[test]
fn a_long_stream_arrives_unchanged_in_memory_of_any_kind() {
    const LEN: usize = 1_000_003;
    let bytes: Vec<u8> = (0..LEN).map(|at| (at % 251) as u8).collect();
    run(async {
        for is_initialized in [true, false] {
            let (one, mut other) = tcp().await;
            let sent = bytes.clone();
            let task = spawn(async move { one.write_all(&sent).await });
            let mut received = Vec::new();
            if is_initialized {
                let mut chunk = vec![0; 100_000];
                while let n @ 1.. = other.read(&mut chunk).await.unwrap() {
                    received.extend_from_slice(&chunk[..n]);
                }
            } else {
                received.reserve(LEN);
                other.read_to_end(&mut received).await.unwrap();
            }
            assert!(received == bytes, "{is_initialized}");
            task.await.unwrap().unwrap();
        }
    });
}

#[test]
fn codecs_frame_a_connection() {
    run(async {
        let (one, other) = tcp().await;
        let server = spawn(async move {
            let mut lines = Framed::new(other, LinesCodec::new());
            while let Some(line) = lines.next().await {
                lines.send(line.unwrap().to_uppercase()).await.unwrap();
            }
        });
        let mut lines = Framed::new(one, LinesCodec::new());
        for word in ["one", "two", "three"] {
            lines.send(word).await.unwrap();
            assert_eq!(lines.next().await.unwrap().unwrap(), word.to_uppercase());
        }
        drop(lines);
        server.await.unwrap();
    });
}

#[test]
fn codecs_frame_streams_and_halves() {
    run(async {
        let (one, other) = tcp().await;
        let (reader, _writer) = from_io(one);
        let (_half, write_half) = other.into_split();
        let mut frames = FramedRead::new(reader.into_async_read(), LengthDelimitedCodec::new());
        let mut sink = FramedWrite::new(write_half, LengthDelimitedCodec::new());
        let long: Vec<u8> = vec![7; 100_000];
        let task = spawn(async move {
            sink.send(&long[..]).await.unwrap();
            sink.send(&b"end"[..]).await.unwrap();
        });
        assert_eq!(frames.next().await.unwrap().unwrap(), vec![7; 100_000]);
        assert_eq!(&frames.next().await.unwrap().unwrap()[..], b"end");
        task.await.unwrap();
    });
}

#[test]
fn combinators_of_tokio_run() {
    run(async {
        let ((mut client, mut one), (mut other, mut server)) = (duplex(64), tcp().await);
        let proxy = spawn(async move { copy_bidirectional(&mut one, &mut other).await });
        client.write_all(b"question\n").await.unwrap();
        let (reader, mut writer) = tokio::io::split(&mut server);
        let mut lines = tokio::io::BufReader::new(reader).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "question");
        writer.write_all(b"answer\n").await.unwrap();
        writer.shutdown().await.unwrap();
        client.shutdown().await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "answer\n");
        assert_eq!(proxy.await.unwrap().unwrap(), (9, 7));
    });
}

#[test]
fn a_buffered_stream_reader_lends_its_lines() {
    run(async {
        let (feeder, reader) = evloop::streams::memory_reader();
        feeder.feed_data("one\ntwo");
        drop(feeder);
        let mut lines = AsyncBufReadExt::lines(reader.into_async_read());
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("one"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}
