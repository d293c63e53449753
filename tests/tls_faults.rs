//! TLS on streams when the peer or the caller fails: records that are no TLS, resets, peers that
//! never read, futures that are dropped. No descriptor and no task stays behind.

#![cfg(all(target_os = "linux", feature = "rustls"))]

mod certificates;

use std::fs;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Shutdown};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use certificates::Own;
use evloop::io::duplex;
use evloop::net::TcpStream;
use evloop::streams::{
    StreamOptions, from_io, from_tcp, open_connection_tls, start_server_tls, start_tls,
    start_tls_server, start_tls_server_with,
};
use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter, spawn};
use futures::join;

/// Runs a test in a process of its own.
#[allow(dead_code, unreachable_pub)]
mod alone;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

type Streams = (StreamReader, StreamWriter);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// The two ends of a TCP connection, and a second handle of the first one.
fn tcp(options: &StreamOptions) -> (Streams, Streams, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let raw = client.try_clone().unwrap();
    let [client, server] = [client, listener.accept().unwrap().0]
        .map(|it| from_tcp(TcpStream::from_std(it).unwrap(), options).unwrap());
    (client, server, raw)
}

async fn upgrade(own: &Own, client: Streams, server: Streams) -> (Streams, Streams) {
    let (connector, acceptor) = (own.connector(), own.acceptor());
    let (client, server) = join!(
        start_tls(client.0, client.1, "localhost", &connector),
        start_tls_server(server.0, server.1, &acceptor)
    );
    (client.unwrap(), server.unwrap())
}

/// Waits until the tasks that close connections have ended.
async fn until_tasks(count: usize) {
    while evloop::task::iter().count() > count {
        evloop::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Polls `future` at most `polls` times, and then drops it.
async fn polled<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

#[test]
fn a_connect_that_is_dropped_at_any_poll_leaves_nothing() {
    if !alone::is_here("a_connect_that_is_dropped_at_any_poll_leaves_nothing") {
        return;
    }
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let own = Own::new();
    run(async {
        let echo = async |mut reader: StreamReader, writer: StreamWriter| {
            writer.write(reader.read_line().await?);
            writer.drain().await
        };
        let server = start_server_tls("127.0.0.1:0", own.acceptor(), echo).await.unwrap();
        let (addr, connector) = (server.local_addrs()[0], own.connector());
        let connect = || open_connection_tls(addr, "localhost", &connector);
        let tasks = evloop::task::iter().count();
        // The first connection opens what the process keeps.
        drop(connect().await.unwrap());
        until_tasks(tasks).await;
        // So does the first short wait. A sleep that is due before the loop waits, because the
        // thread was suspended, does not.
        for _ in 0..20 {
            evloop::time::sleep(Duration::from_millis(1)).await;
        }
        let open = descriptors();
        let mut polls = 0;
        while polled(polls, connect()).await.is_none() {
            polls += 1;
        }
        assert!(polls > 2, "connecting and the handshake wait");
        until_tasks(tasks).await;
        assert_eq!(descriptors(), open);
    });
}

#[test]
fn an_upgrade_of_a_server_that_is_dropped_at_any_poll_leaves_no_task() {
    let own = Own::new();
    run(async {
        let (connector, acceptor) = (own.connector(), own.acceptor());
        let tasks = evloop::task::iter().count();
        for polls in 0.. {
            let (client, server, _raw) = tcp(&StreamOptions::default());
            let (client, server) = join!(
                start_tls(client.0, client.1, "localhost", &connector),
                polled(polls, start_tls_server(server.0, server.1, &acceptor))
            );
            let is_whole = server.is_some();
            assert!(client.is_ok() || !is_whole);
            drop((client, server));
            until_tasks(tasks).await;
            if is_whole {
                assert!(polls > 1, "the handshake waits");
                break;
            }
        }
    });
}

#[test]
fn bytes_that_are_no_record_end_an_open_connection_for_both_halves() {
    let own = Own::new();
    run(async {
        let (client, server, mut raw) = tcp(&StreamOptions::default());
        let ((mut client_reader, _client_writer), (mut reader, writer)) =
            upgrade(&own, client, server).await;
        raw.write_all(b"\x17\x03\x03\x00\x20this is no record of TLS at all!").unwrap();
        assert_eq!(kind(reader.read(1).await), Some(ErrorKind::InvalidData));
        assert_eq!(kind(reader.read(1).await), Some(ErrorKind::InvalidData));
        writer.write("more");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::InvalidData));
        let alert = client_reader.read(1).await.unwrap_err().to_string();
        assert!(alert.contains("received fatal alert"), "{alert}");
    });
}

#[test]
fn a_peer_that_stops_in_the_middle_of_a_record_has_cut_the_stream() {
    let own = Own::new();
    run(async {
        let (client, server, mut raw) = tcp(&StreamOptions::default());
        let ((_client_reader, _client_writer), (mut reader, writer)) =
            upgrade(&own, client, server).await;
        raw.write_all(b"\x17\x03\x03\x40\x00half").unwrap();
        raw.shutdown(Shutdown::Write).unwrap();
        assert_eq!(kind(reader.read(1).await), Some(ErrorKind::UnexpectedEof));
        writer.write("more");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::UnexpectedEof));
    });
}

#[test]
fn a_reset_is_an_error_during_and_after_the_handshake() {
    let own = Own::new();
    run(async {
        for is_open in [false, true] {
            let (mut client, mut server, raw) = tcp(&StreamOptions::default());
            if is_open {
                (client, server) = upgrade(&own, client, server).await;
            }
            // Closing the last handle resets the connection.
            rustix::net::sockopt::set_socket_linger(&raw, Some(Duration::ZERO)).unwrap();
            spawn(async move {
                client.1.abort();
                drop((client, raw));
            })
            .detach();
            let error = if is_open {
                server.0.read(1).await.unwrap_err()
            } else {
                let acceptor = own.acceptor();
                start_tls_server(server.0, server.1, &acceptor).await.unwrap_err()
            };
            let expected = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
            assert!(expected.contains(&error.kind()), "{error}");
        }
    });
}

#[test]
fn a_client_that_never_reads_the_handshake_meets_the_time_limit() {
    let own = Own::new();
    run(async {
        let tasks = evloop::task::iter().count();
        // The answer of the server does not fit.
        let (client, server) = duplex(600);
        let server = from_io(server);
        let (connector, acceptor) = (own.connector(), own.acceptor());
        // The client sends its hello, and then nothing polls it.
        let client = from_io(NeverReads(client));
        let client = spawn(async move {
            start_tls(client.0, client.1, "localhost", &connector).await.map(drop)
        });
        let handshake_timeout = Duration::from_millis(100);
        let options = StreamOptions { handshake_timeout, ..Default::default() };
        let error =
            start_tls_server_with(server.0, server.1, &acceptor, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        client.abort();
        let _ = client.await;
        until_tasks(tasks).await;
    });
}

/// A connection that never has bytes to read.
struct NeverReads(evloop::io::DuplexStream);

impl futures::AsyncRead for NeverReads {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl futures::AsyncWrite for NeverReads {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.0).poll_close(cx)
    }
}

#[test]
fn a_closed_connection_whose_peer_never_reads_ends_after_the_linger_time() {
    let own = Own::new();
    run(async {
        let tasks = evloop::task::iter().count();
        let linger = Duration::from_millis(100);
        let options = StreamOptions { linger, ..Default::default() };
        let (client, server, mut raw) = tcp(&options);
        let (client, (reader, writer)) = upgrade(&own, client, server).await;
        writer.write(vec![b'x'; 16 << 20]);
        writer.close();
        let error = writer.wait_closed().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop((reader, writer));
        client.1.abort();
        drop(client);
        until_tasks(tasks).await;
        // The other end of the connection was closed.
        raw.set_nonblocking(false).unwrap();
        let _ = raw.read_to_end(&mut Vec::new());
    });
}
