//! The end of a stream: bytes that are delivered after a close, the limits of lingering, the errors
//! that both halves report.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::cell::Cell;
use std::fs;
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, UnixStream, pipe};
use evloop::streams::{self, ServerOptions, StreamOptions, open_connection_with};
use evloop::sync::Event;
use evloop::task::yield_now;
use evloop::time::{sleep, timeout};
use evloop::{Server, StreamReader, StreamWriter, open_unix_connection, start_server};
use futures::{AsyncWriteExt, FutureExt, join, poll};

#[allow(unreachable_pub)]
mod alone;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";
const MIB: usize = 1 << 20;

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Returns the reader and the writer of a connection, and its peer.
async fn pair_with(options: &StreamOptions) -> (StreamReader, StreamWriter, TcpStream) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (reader, writer) = open_connection_with(addr, options).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    (reader, writer, peer)
}

async fn pair() -> (StreamReader, StreamWriter, TcpStream) {
    pair_with(&StreamOptions::default()).await
}

/// Writes until more than `unsent` bytes are unsent: the peer does not read. Returns the number of
/// written bytes.
fn fill(writer: &StreamWriter, unsent: usize) -> usize {
    let mut written = 0;
    while writer.write_buffer_size() <= unsent {
        writer.write([b'x'; 100_000]);
        written += 100_000;
    }
    written
}

async fn read_to_end(peer: &TcpStream) -> io::Result<usize> {
    let (mut len, mut buf) = (0, vec![0; 64 * 1024]);
    while let n @ 1.. = peer.read(&mut buf).await? {
        len += n;
    }
    Ok(len)
}

/// Resets the connection from the peer, and waits until the other end has received the reset.
async fn reset(peer: TcpStream, reader: &StreamReader) {
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    reader.get_ref().readable().await.unwrap();
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

const REPLY: usize = 2 * MIB;

/// Sends a request and one byte that `server` does not read, before the server has sent its whole
/// reply. Returns the length of the received reply.
async fn reply_of(server: &Server) -> io::Result<usize> {
    let client = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    client.write_all(b"ask!").await.unwrap();
    client.read_exact(&mut [0; 1]).await.unwrap();
    client.write_all(b"?").await.unwrap();
    server.close_clients();
    // Turns of the loop: the server sends the bytes that the system accepts.
    for _ in 0..100 {
        yield_now().await;
    }
    Ok(1 + read_to_end(&client).await?)
}

async fn reply(reader: &mut StreamReader, writer: &StreamWriter) {
    assert_eq!(reader.read_exact(4).await.unwrap(), b"ask!");
    writer.write(vec![b'x'; REPLY]);
}

#[test]
fn a_reply_survives_unread_bytes_when_the_streams_are_dropped() {
    run(async {
        let handler = async |mut reader, writer| reply(&mut reader, &writer).await;
        let server = start_server(ANY, handler).await.unwrap();
        assert_eq!(reply_of(&server).await.unwrap(), REPLY);
    });
}

#[test]
fn a_reply_survives_unread_bytes_when_the_writer_is_closed() {
    run(async {
        let handler = async |mut reader, writer: StreamWriter| {
            reply(&mut reader, &writer).await;
            writer.close();
            assert_eq!(reader.read_to_end().await.unwrap(), b"");
        };
        let server = start_server(ANY, handler).await.unwrap();
        assert_eq!(reply_of(&server).await.unwrap(), REPLY);
    });
}

#[test]
fn a_reply_survives_unread_bytes_when_the_server_closes_its_clients() {
    run(async {
        let handler = async |mut reader, writer: StreamWriter| {
            reply(&mut reader, &writer).await;
            assert_eq!(reader.read_to_end().await.unwrap(), b"", "close_clients ends it");
        };
        let server = start_server(ANY, handler).await.unwrap();
        assert_eq!(reply_of(&server).await.unwrap(), REPLY);
        server.close();
        server.wait_closed().await;
    });
}

#[test]
fn a_reply_survives_bytes_that_arrive_after_the_close() {
    run(async {
        let (reader, writer, peer) = pair().await;
        fill(&writer, 0);
        drop((reader, writer));
        // The closed connection reads and discards while the peer does not read.
        peer.write_all(&vec![b'y'; 4 * MIB]).await.unwrap();
        assert!(read_to_end(&peer).await.unwrap() > 0);
    });
}

#[test]
fn a_flood_after_the_close_is_discarded_up_to_a_limit() {
    run(async {
        let (reader, writer, peer) = pair().await;
        drop((reader, writer));
        let mut sent = 0;
        let error = loop {
            match peer.write(&[b'y'; 64 * 1024]).await {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
        assert!(sent >= 16 * MIB, "{sent} bytes");
    });
}

#[test]
fn connections_of_timed_out_handlers_are_closed_after_they_have_lingered() {
    if !alone::is_here("connections_of_timed_out_handlers_are_closed_after_they_have_lingered") {
        return;
    }
    let path = std::env::temp_dir().join(format!("evloop-{}-linger", std::process::id()));
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    run(async {
        let streams =
            StreamOptions { linger: Duration::from_millis(50), ..StreamOptions::default() };
        let options = ServerOptions { streams, ..ServerOptions::default() };
        let timed_out = Rc::new(Cell::new(0));
        let counting = timed_out.clone();
        let handler = async move |_reader, writer: StreamWriter| {
            writer.write(vec![b'x'; 300 * 1024]);
            timeout(Duration::from_millis(1), writer.drain()).await.unwrap_err();
            counting.set(counting.get() + 1);
        };
        let server = streams::start_unix_server_with(&path, &options, handler).await.unwrap();
        // The first short wait of a loop creates its timer descriptor. A sleep that is due before
        // the loop waits, because the thread was suspended, does not.
        for _ in 0..20 {
            sleep(Duration::from_millis(1)).await;
        }
        let before = descriptors();
        let mut clients = Vec::new();
        for _ in 0..300 {
            clients.push(open_unix_connection(&path).await.unwrap());
        }
        while timed_out.get() < clients.len() {
            yield_now().await;
        }
        server.close();
        server.wait_closed().await;
        // The listener and the server's connections are closed; the clients never read.
        assert_eq!(descriptors(), before - 1 + clients.len());
    });
}

#[test]
fn an_idle_peer_does_not_block_wait_closed() {
    run(async {
        let streams = StreamOptions { linger: Duration::from_millis(10), ..Default::default() };
        let options = ServerOptions { streams, ..ServerOptions::default() };
        let accepted = Rc::new(Event::new());
        let accepting = accepted.clone();
        let handler = async move |_reader, _writer| {
            accepting.set();
            pending::<()>().await;
        };
        let server = streams::start_server_with(ANY, &options, handler).await.unwrap();
        let client = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
        accepted.wait().await;
        server.close_clients();
        server.close();
        server.wait_closed().await;
        assert_eq!(read_to_end(&client).await.unwrap(), 0);
    });
}

#[test]
fn a_peer_that_receives_nothing_is_aborted_after_linger() {
    run(async {
        let linger = Duration::from_millis(10);
        let (_reader, writer, _peer) =
            pair_with(&StreamOptions { linger, ..StreamOptions::default() }).await;
        fill(&writer, MIB);
        assert!(writer.drain().now_or_never().is_none(), "no timeout applies before the close");
        sleep(2 * linger).await;
        assert!(writer.write_buffer_size() > 0);
        writer.close();
        assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::TimedOut));
        assert_eq!(writer.write_buffer_size(), 0);
    });
}

#[test]
fn a_peer_that_receives_slowly_is_not_aborted() {
    run(async {
        let linger = Duration::from_secs(2);
        let (_reader, writer, peer) =
            pair_with(&StreamOptions { linger, ..StreamOptions::default() }).await;
        let written = fill(&writer, 40 * MIB);
        writer.close();
        // In total this takes longer than `linger`.
        let (mut buf, mut received) = (vec![0; MIB], 0);
        for _ in 0..20 {
            sleep(linger / 12).await;
            peer.read_exact(&mut buf).await.unwrap();
            received += buf.len();
        }
        assert!(writer.write_buffer_size() > 0, "the background task still sends");
        assert_eq!(received + read_to_end(&peer).await.unwrap(), written);
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn close_ends_a_reader_that_waits() {
    run(async {
        let (mut reader, writer, _peer) = pair().await;
        let mut line = pin!(reader.read_line());
        assert!(poll!(line.as_mut()).is_pending());
        writer.close();
        assert_eq!(line.await.unwrap(), b"", "although the peer has not ended");
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn close_keeps_the_buffer_of_the_reader() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        peer.write_all(b"one\ntwo\n").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"one\n");
        writer.close();
        assert_eq!(reader.read_to_end().await.unwrap(), b"two\n");
    });
}

#[test]
fn a_close_through_async_write_ends_only_the_write_direction() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        writer.as_async_write().close().await.unwrap();
        assert_eq!(read_to_end(&peer).await.unwrap(), 0);
        peer.write_all(b"answer\n").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"answer\n");
    });
}

#[test]
fn dropping_a_writer_that_aborts_on_drop_discards_unsent_bytes() {
    run(async {
        let (_reader, writer, peer) = pair().await;
        let writer = writer.abort_on_drop();
        let written = fill(&writer, MIB);
        let sent = written - writer.write_buffer_size();
        drop(writer);
        assert_eq!(read_to_end(&peer).await.unwrap(), sent);
    });
}

#[test]
fn close_overrides_abort_on_drop() {
    run(async {
        let (_reader, writer, peer) = pair().await;
        let writer = writer.abort_on_drop();
        let written = fill(&writer, MIB);
        writer.close();
        drop(writer);
        assert_eq!(read_to_end(&peer).await.unwrap(), written);
    });
}

#[test]
fn abort_clients_ends_a_lingering_close() {
    run(async {
        let server = start_server(ANY, async |_reader, writer: StreamWriter| {
            writer.write(b"hello");
        });
        let server = server.await.unwrap();
        let client = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
        server.close();
        let mut closed = pin!(server.wait_closed());
        assert!(poll!(closed.as_mut()).is_pending(), "the connection lingers");
        server.abort_clients();
        closed.await;
    });
}

#[test]
fn the_reader_reports_the_error_that_the_writer_met() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        peer.write_all(b"half a book").await.unwrap();
        reset(peer, &reader).await;
        writer.write(b"this meets the reset");
        writer.flush();
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::ConnectionReset));
        for _ in 0..2 {
            assert_eq!(kind(reader.read_to_end().await), Some(ErrorKind::ConnectionReset));
            assert!(!reader.at_eof(), "the peer has not ended its direction");
        }
        assert_eq!(reader.read(100).await.unwrap(), b"half a book", "earlier bytes stay");
        assert_eq!(kind(reader.read(100).await), Some(ErrorKind::ConnectionReset));
    });
}

#[test]
fn the_reader_reports_the_error_that_was_met_in_the_background() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        fill(&writer, MIB);
        let drained = writer.drain();
        let reset = async {
            peer.set_linger(Some(Duration::ZERO)).unwrap();
            drop(peer);
        };
        // The background task and the reader wait for the same event.
        let (read, drained, ()) = join!(reader.read_to_end(), drained, reset);
        assert_eq!(kind(read), Some(ErrorKind::ConnectionReset));
        assert_eq!(kind(drained), Some(ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_reader_that_waits_is_woken_by_the_error_of_the_writer() {
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut reader, writer) = streams::from_unix(one, &StreamOptions::default());
        let mut line = pin!(reader.read_line());
        assert!(poll!(line.as_mut()).is_pending());
        // Only the write fails: no event would end the read.
        other.shutdown(Shutdown::Read).unwrap();
        writer.write(b"unread");
        assert_eq!(kind(line.await), Some(ErrorKind::BrokenPipe));
    });
}

#[test]
fn the_writer_reports_the_error_that_the_reader_met() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        reset(peer, &reader).await;
        assert_eq!(kind(reader.read_line().await), Some(ErrorKind::ConnectionReset));
        assert!(writer.is_closing());
        writer.write(b"this would meet a broken pipe");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::ConnectionReset));
        assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_write_after_the_end_is_not_reported_by_the_reader() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        writer.shutdown_write();
        writer.write(b"too late");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::BrokenPipe));
        peer.write_all(b"answer\n").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"answer\n");
    });
}

#[test]
fn a_limit_of_zero_is_an_error() {
    let path = std::env::temp_dir().join(format!("evloop-{}-limit", std::process::id()));
    run(async {
        let options = StreamOptions { limit: 0, ..StreamOptions::default() };
        let server = ServerOptions { streams: options.clone(), ..ServerOptions::default() };
        let listener = TcpListener::bind(ANY).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let stream = TcpStream::connect(addr).await.unwrap();
        let handler = async |_reader, _writer| {};
        let errors = [
            kind(open_connection_with(addr, &options).await),
            kind(streams::from_tcp(stream, &options)),
            kind(streams::start_server_with(ANY, &server, handler).await),
            kind(streams::open_unix_connection_with(&path, &options).await),
            kind(streams::start_unix_server_with(&path, &server, handler).await),
        ];
        assert_eq!(errors, [Some(ErrorKind::InvalidInput); 5]);
    });
}

#[test]
#[should_panic(expected = "StreamOptions::limit is 0")]
fn a_limit_of_zero_for_an_existing_connection_panics() {
    run(async {
        let (one, _other) = UnixStream::pair().unwrap();
        let options = StreamOptions { limit: 0, ..StreamOptions::default() };
        drop(streams::from_unix(one, &options));
    });
}

#[test]
#[should_panic(expected = "StreamOptions::limit is 0")]
fn a_limit_of_zero_for_a_pipe_panics() {
    run(async {
        let (_sender, receiver) = pipe::pair().unwrap();
        let options = StreamOptions { limit: 0, ..StreamOptions::default() };
        drop(streams::from_pipe(receiver, &options));
    });
}
