//! TLS on streams: feature `rustls`. `tls_clients.rs` has the other implementations of TLS.

#![cfg(all(target_os = "linux", feature = "rustls"))]

mod certificates;

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::{Future, pending, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use certificates::{BOTH, Own, acceptor, connector};
use evloop::io::duplex;
use evloop::net::{TcpListener, TcpStream, UnixStream};
use evloop::streams::{
    LimitOverrun, ServerOptions, StreamOptions, from_io, from_tcp, from_unix, open_connection_tls,
    start_server_tls, start_server_tls_with, start_tls, start_tls_server, start_tls_server_with,
    start_tls_with,
};
use evloop::sync::Event;
use evloop::time::timeout;
use evloop::{Runtime, Server, StreamReader, StreamWriter, open_connection, spawn, start_server};
use futures::{FutureExt, join, poll};
use rustls::ProtocolVersion;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Does the same, and returns the reports to the loop's error handler too.
fn run_with_reports<T>(future: impl Future<Output = T>) -> (T, Vec<String>) {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let recorded = reports.clone();
    let on_task_error = move |error: evloop::task::JoinError| {
        recorded.borrow_mut().push(error.to_string());
    };
    let mut runtime = Runtime::builder().on_task_error(on_task_error).build().unwrap();
    let output = runtime.block_on(timeout(LIMIT, future)).expect("it hangs");
    drop(runtime);
    (output, reports.take())
}

fn addr(server: &Server) -> SocketAddr {
    server.local_addrs()[0]
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

async fn upper(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    while let line @ [_, ..] = &*reader.read_line().await? {
        writer.write(line.to_ascii_uppercase());
        writer.drain().await?;
    }
    Ok(())
}

type Streams = (StreamReader, StreamWriter);

/// The two ends of a TCP connection.
async fn tcp() -> (Streams, Streams) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let [client, server] =
        [client, server].map(|it| from_tcp(it, &StreamOptions::default()).unwrap());
    (client, server)
}

/// Upgrades both ends.
async fn upgrade(own: &Own, client: Streams, server: Streams) -> (Streams, Streams) {
    let (connector, acceptor) = (own.connector(), own.acceptor());
    let (client, server) = join!(
        start_tls(client.0, client.1, "localhost", &connector),
        start_tls_server(server.0, server.1, &acceptor)
    );
    (client.unwrap(), server.unwrap())
}

#[test]
fn a_server_answers_clients_of_both_versions() {
    let own = Own::new();
    run(async {
        let server = start_server_tls(ANY, own.acceptor(), upper).await.unwrap();
        for (version, expected) in
            BOTH.into_iter().zip([ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3])
        {
            let connector = connector(own.client(&[version]));
            let (mut reader, writer) =
                open_connection_tls(addr(&server), "localhost", &connector).await.unwrap();
            for _ in 0..3 {
                writer.write("hello\n");
                assert_eq!(reader.read_line().await.unwrap(), b"HELLO\n");
            }
            assert_eq!(writer.tls_info().unwrap().version, Some(expected));
            writer.shutdown_write();
            assert_eq!(reader.read_to_end().await.unwrap(), b"");
            assert!(reader.at_eof());
        }
    });
}

#[test]
fn both_ends_know_alpn_certificates_names_and_addresses() {
    let own = Own::new();
    let mut config = own.server_with_clients();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut client = own.client_with_certificate();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    run(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let infos = seen.clone();
        let server = start_server_tls(ANY, acceptor(config), async move |reader, writer| {
            let info = StreamWriter::tls_info(&writer).unwrap();
            let addrs = (writer.peer_addr().unwrap(), writer.local_addr().unwrap());
            infos.borrow_mut().push((info, addrs));
            upper(reader, writer).await
        })
        .await
        .unwrap();
        let opened = open_connection_tls(addr(&server), "localhost", &connector(client)).await;
        let (mut reader, writer) = opened.unwrap();
        writer.write("x\n");
        reader.read_line().await.unwrap();
        let info = reader.tls_info().unwrap();
        assert_eq!(info.alpn.as_deref(), Some(&b"http/1.1"[..]));
        assert_eq!(&*info.peer_certificates[0], own.der());
        assert_eq!(info.server_name, None);
        let (info, (peer, local)) = seen.borrow_mut().pop().unwrap();
        assert_eq!(info.alpn.as_deref(), Some(&b"http/1.1"[..]));
        assert_eq!(&*info.peer_certificates[0], own.der());
        assert_eq!(info.server_name.as_deref(), Some("localhost"));
        assert_eq!((peer, local), (reader.local_addr().unwrap(), reader.peer_addr().unwrap()));
        writer.abort();
        assert_eq!(writer.tls_info(), None, "the connection is closed");
        let (clear, _writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(clear.tls_info(), None);
    });
}

#[test]
fn closing_and_ending_send_close_notify_and_a_half_closed_connection_works() {
    let own = Own::new();
    run(async {
        let (client, server) = tcp().await;
        let ((mut reader, writer), (mut server_reader, server_writer)) =
            upgrade(&own, client, server).await;
        writer.write("question");
        writer.shutdown_write();
        assert_eq!(server_reader.read_to_end().await.unwrap(), b"question");
        server_writer.write("answer");
        drop((server_reader, server_writer));
        assert_eq!(reader.read_to_end().await.unwrap(), b"answer");
        assert!(reader.error().is_none());
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn an_end_without_close_notify_is_an_error_after_the_bytes_before_it() {
    let own = Own::new();
    run(async {
        let (client, server) = tcp().await;
        let ((mut reader, _writer), (_server_reader, server_writer)) =
            upgrade(&own, client, server).await;
        server_writer.write("a line\nhalf");
        server_writer.flush();
        server_writer.abort();
        assert_eq!(reader.read_line().await.unwrap(), b"a line\n");
        let error = reader.read_to_end().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(reader.read(10).await.unwrap(), b"half", "the bytes stay in the reader");
        assert_eq!(kind(reader.read(10).await), Some(ErrorKind::UnexpectedEof));
    });
}

#[test]
fn megabytes_pass_in_both_directions_at_once() {
    const LEN: usize = 3_000_001;
    let own = Own::new();
    let bytes: Vec<u8> = (0..LEN).map(|at| (at % 251) as u8).collect();
    run(async {
        let (client, server) = tcp().await;
        let (client, server) = upgrade(&own, client, server).await;
        let both = [client, server].map(|(mut reader, writer)| {
            let bytes = bytes.clone();
            spawn(async move {
                let send = async {
                    for chunk in bytes.chunks(50_000) {
                        writer.write(chunk);
                        writer.drain().await.unwrap();
                    }
                    writer.shutdown_write();
                };
                let (received, ()) = join!(reader.read_to_end(), send);
                assert!(received.unwrap() == bytes);
            })
        });
        for task in both {
            task.await.unwrap();
        }
    });
}

#[test]
fn any_connection_can_be_upgraded_also_a_tls_connection() {
    let own = Own::new();
    run(async {
        let (one, other) = UnixStream::pair().unwrap();
        let options = StreamOptions::default();
        let unix = (from_unix(one, &options), from_unix(other, &options));
        // It holds less than the messages of a handshake.
        let (one, other) = duplex(300);
        let memory = (from_io(one), from_io(other));
        let (client, server) = tcp().await;
        let tls = upgrade(&own, client, server).await;
        for (client, server) in [unix, memory, tls] {
            let ((mut reader, writer), server) = upgrade(&own, client, server).await;
            let task = spawn(upper(server.0, server.1));
            writer.write("hello\n");
            assert_eq!(reader.read_line().await.unwrap(), b"HELLO\n");
            writer.close();
            task.await.unwrap().unwrap();
        }
    });
}

#[test]
fn an_upgrade_sends_what_was_written_in_the_clear_first() {
    let own = Own::new();
    run(async {
        let acceptor = own.acceptor();
        let server = start_server(ANY, async move |mut reader, writer| {
            assert_eq!(reader.read_line().await?, b"STARTTLS\r\n");
            writer.write("220 go ahead\r\n");
            let (reader, writer) = start_tls_server(reader, writer, &acceptor).await?;
            upper(reader, writer).await
        })
        .await
        .unwrap();
        let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
        writer.write("STARTTLS\r\n");
        assert_eq!(reader.read_line().await.unwrap(), b"220 go ahead\r\n");
        let connector = own.connector();
        let (mut reader, writer) =
            start_tls(reader, writer, "127.0.0.1", &connector).await.unwrap();
        writer.write("hello\n");
        assert_eq!(reader.read_line().await.unwrap(), b"HELLO\n");
    });
}

#[test]
fn bytes_before_the_handshake_are_refused_on_both_sides() {
    let own = Own::new();
    run(async {
        let (connector, acceptor) = (own.connector(), own.acceptor());
        let ((mut reader, writer), (server_reader, server_writer)) = tcp().await;
        server_writer.write("220 go ahead\r\n250 injected\r\n");
        assert_eq!(reader.read_line().await.unwrap(), b"220 go ahead\r\n");
        let error = start_tls(reader, writer, "localhost", &connector).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("while 14 received bytes were unread"), "{error}");
        drop((server_reader, server_writer));

        let ((mut client_reader, client_writer), (mut reader, writer)) = tcp().await;
        client_writer.write("STARTTLS\r\nRCPT TO:<x>\r\n");
        assert_eq!(reader.read_line().await.unwrap(), b"STARTTLS\r\n");
        let error = start_tls_server(reader, writer, &acceptor).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(client_reader.read_to_end().await.unwrap(), b"", "the connection is closed");
    });
}

#[test]
fn injected_bytes_that_the_reader_has_not_received_break_the_handshake() {
    let own = Own::new();
    run(async {
        let acceptor = own.acceptor();
        let ((_client_reader, client_writer), (reader, writer)) = tcp().await;
        client_writer.write("RCPT TO:<x>\r\n");
        client_writer.flush();
        let error = start_tls_server(reader, writer, &acceptor).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn wrong_arguments_are_errors() {
    let own = Own::new();
    run(async {
        let connector = own.connector();
        let ((reader, writer), (other_reader, other_writer)) = tcp().await;
        let mixed = start_tls(reader, other_writer, "localhost", &connector).await;
        assert_eq!(kind(mixed), Some(ErrorKind::InvalidInput));
        let unnamed = start_tls(other_reader, writer, "localhost", &connector).await;
        assert_eq!(kind(unnamed), Some(ErrorKind::InvalidInput));
        for name in ["", "localhost:443", "https://localhost"] {
            let (client, _server) = tcp().await;
            let error = start_tls(client.0, client.1, name, &connector).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with(&format!("{name:?} is not")), "{error}");
        }
        let options = StreamOptions { limit: 0, ..Default::default() };
        let (client, _server) = tcp().await;
        let refused = start_tls_with(client.0, client.1, "localhost", &connector, &options).await;
        assert_eq!(kind(refused), Some(ErrorKind::InvalidInput));
    });
}

#[test]
fn a_certificate_of_another_name_ends_the_handshake_on_both_sides() {
    let own = Own::new();
    let (_, reports) = run_with_reports(async {
        let server = start_server_tls(ANY, own.acceptor(), upper).await.unwrap();
        let opened = open_connection_tls(addr(&server), "example.org", &own.connector()).await;
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let text = error.to_string();
        assert!(text.starts_with("the TLS handshake failed: invalid peer certificate"), "{text}");
        server.close();
        server.wait_closed().await;
    });
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("the TLS handshake failed: received fatal alert"), "{reports:?}");
}

#[test]
fn garbage_instead_of_a_hello_is_answered_by_an_alert_and_reported_with_the_peer() {
    let own = Own::new();
    let (peer, reports) = run_with_reports(async {
        let server = start_server_tls(ANY, own.acceptor(), upper).await.unwrap();
        let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
        let peer = writer.local_addr().unwrap();
        writer.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        // A close with unread bytes would be a reset, which destroys the alert.
        writer.write(vec![b'x'; 300_000]);
        let answer = reader.read_to_end().await.unwrap();
        assert_eq!(answer[..3], [0x15, 3, 3], "a record with an alert");
        drop((reader, writer));
        server.close();
        server.wait_closed().await;
        peer
    });
    let start = format!("connection from {peer}: the TLS handshake failed: ");
    assert!(reports.len() == 1 && reports[0].contains(&start), "{reports:?}");
}

#[test]
fn a_peer_that_leaves_during_the_handshake_is_an_error() {
    let own = Own::new();
    run(async {
        let acceptor = own.acceptor();
        let ((_client_reader, client_writer), (reader, writer)) = tcp().await;
        client_writer.write([0x16, 3, 1, 0, 100, 1]);
        drop((_client_reader, client_writer));
        let ended = start_tls_server(reader, writer, &acceptor).await;
        assert_eq!(kind(ended), Some(ErrorKind::UnexpectedEof));
    });
}

#[test]
fn a_client_that_stops_in_the_handshake_loses_its_place_after_the_time_limit() {
    let own = Own::new();
    let (_, reports) = run_with_reports(async {
        let handshake_timeout = Duration::from_secs(3);
        let streams = StreamOptions { handshake_timeout, ..Default::default() };
        let options = ServerOptions { connection_limit: Some(1), streams, ..Default::default() };
        let server = start_server_tls_with(ANY, own.acceptor(), &options, upper).await.unwrap();
        let (mut silent, writer) = open_connection(addr(&server)).await.unwrap();
        // The head of a hello that does not follow.
        writer.write([0x16, 3, 1, 0, 100, 1]);
        assert_eq!(silent.read_to_end().await.unwrap(), b"");
        let connector = own.connector();
        let opened = open_connection_tls(addr(&server), "localhost", &connector).await;
        let (mut reader, writer) = opened.unwrap();
        writer.write("hello\n");
        assert_eq!(reader.read_line().await.unwrap(), b"HELLO\n");
    });
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("took longer than 3s"), "{reports:?}");
}

#[test]
fn a_silent_server_is_an_error_of_the_client_after_the_time_limit() {
    let own = Own::new();
    run(async {
        let connector = own.connector();
        let handshake_timeout = Duration::from_millis(5);
        let options = StreamOptions { handshake_timeout, ..Default::default() };
        let (client, (mut reader, _writer)) = tcp().await;
        let refused = start_tls_with(client.0, client.1, "localhost", &connector, &options).await;
        assert_eq!(kind(refused), Some(ErrorKind::TimedOut));
        let hello = reader.read_to_end().await.unwrap();
        assert_eq!(hello[..2], [0x16, 3], "the hello, and then the end");
    });
}

#[test]
fn dropping_an_upgrade_closes_the_connection_at_once() {
    let own = Own::new();
    run(async {
        let acceptor = own.acceptor();
        let ((mut reader, _writer), server) = tcp().await;
        let mut upgrade = Box::pin(start_tls_server(server.0, server.1, &acceptor));
        assert!(poll!(&mut upgrade).is_pending());
        evloop::task::yield_now().await;
        drop(upgrade);
        assert_eq!(reader.read_to_end().await.unwrap(), b"");
    });
}

#[test]
fn a_server_closes_its_tls_connections_in_order_and_waits_for_them() {
    let own = Own::new();
    run(async {
        let started = Rc::new(Event::new());
        let is_started = started.clone();
        let handler = async move |mut reader: StreamReader, writer: StreamWriter| {
            writer.write("hello\n");
            is_started.set();
            reader.read_to_end().await.map(|_| ())
        };
        let server = start_server_tls(ANY, own.acceptor(), handler).await.unwrap();
        let connector = own.connector();
        let opened = open_connection_tls(addr(&server), "localhost", &connector).await;
        let (mut reader, writer) = opened.unwrap();
        started.wait().await;
        server.close();
        assert!(server.wait_closed().now_or_never().is_none(), "a connection is open");
        server.close_clients();
        assert_eq!(reader.read_to_end().await.unwrap(), b"hello\n", "with close_notify");
        drop((reader, writer));
        server.wait_closed().await;
    });
}

#[test]
fn a_server_that_stops_ends_a_handshake() {
    let own = Own::new();
    run(async {
        let never = async |_: StreamReader, _: StreamWriter| pending::<()>().await;
        let server = start_server_tls(ANY, own.acceptor(), never).await.unwrap();
        let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
        writer.write([0x16, 3, 1, 0, 100, 1]);
        assert_eq!(server.stop(Duration::from_millis(50)).await, 1);
        assert_eq!(reader.read_to_end().await.unwrap(), b"");
    });
}

#[test]
fn the_new_writer_has_the_marks_of_the_old_one_and_aborts_as_it() {
    let own = Own::new();
    run(async {
        let (client, server) = tcp().await;
        client.1.set_write_buffer_limits(0, 7);
        let client = (client.0, client.1.abort_on_drop());
        let ((_reader, writer), (mut server_reader, server_writer)) =
            upgrade(&own, client, server).await;
        assert_eq!(writer.write_buffer_limits(), (0, 7));
        assert_eq!(server_writer.write_buffer_limits(), (16 * 1024, 64 * 1024));
        drop(writer);
        let cut = server_reader.read(1).await;
        assert_eq!(kind(cut), Some(ErrorKind::UnexpectedEof), "no close_notify was sent");
    });
}

#[test]
fn a_server_that_closes_its_clients_ends_a_handshake_at_the_time_limit() {
    let own = Own::new();
    let (_, reports) = run_with_reports(async {
        let handshake_timeout = Duration::from_secs(3);
        let streams = StreamOptions { handshake_timeout, ..Default::default() };
        let options = ServerOptions { streams, ..Default::default() };
        let server = start_server_tls_with(ANY, own.acceptor(), &options, upper).await.unwrap();
        let (mut reader, _writer) = open_connection(addr(&server)).await.unwrap();
        _writer.write([0x16, 3, 1, 0, 100, 1]);
        // The handshake has begun: a second connection is accepted after the first one.
        let connector = own.connector();
        open_connection_tls(addr(&server), "localhost", &connector).await.unwrap();
        server.close();
        server.close_clients();
        assert_eq!(reader.read_to_end().await.unwrap(), b"");
        server.wait_closed().await;
    });
    assert!(reports.len() == 1 && reports[0].contains("took longer than 3s"), "{reports:?}");
}

#[test]
fn the_new_streams_have_the_limit_of_the_old_ones_or_that_of_the_options() {
    let own = Own::new();
    run(async {
        let (connector, acceptor) = (own.connector(), own.acceptor());
        let small = StreamOptions { limit: 4, ..Default::default() };
        let listener = TcpListener::bind(ANY).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let client = from_tcp(client, &small).unwrap();
        let server = from_tcp(server, &StreamOptions::default()).unwrap();
        let (client, server) = join!(
            start_tls(client.0, client.1, "localhost", &connector),
            start_tls_server_with(server.0, server.1, &acceptor, &small)
        );
        let ends = [client.unwrap(), server.unwrap()];
        for (_, writer) in &ends {
            writer.write("hello\n");
        }
        for (mut reader, _writer) in ends {
            let error = reader.read_line().await.unwrap_err();
            let overrun = LimitOverrun::of(&error).map(|it| (it.consumed, it.limit));
            assert_eq!(overrun, Some((5, 4)));
        }
    });
}

/// Returns the output of `future`, and adds the number of its polls to `polls`.
async fn counted<T>(polls: Rc<Cell<usize>>, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

#[test]
fn a_request_costs_the_handler_and_the_client_one_poll_each() {
    const REQUESTS: usize = 100;
    let own = Own::new();
    run(async {
        let (client, server) = tcp().await;
        let ((mut reader, writer), server) = upgrade(&own, client, server).await;
        let counts = [(); 2].map(|()| Rc::new(Cell::new(0)));
        let handler = spawn(counted(counts[0].clone(), upper(server.0, server.1)));
        let requests = counted(counts[1].clone(), async move {
            for _ in 0..REQUESTS {
                writer.write("hello\n");
                assert_eq!(reader.read_line().await.unwrap(), b"HELLO\n");
            }
            writer.shutdown_write();
            reader.read_to_end().await.unwrap();
        });
        spawn(requests).await.unwrap();
        handler.await.unwrap().unwrap();
        for polls in counts {
            let polls = polls.get();
            // A few more: for the end, and for the tickets after the handshake.
            assert!(polls <= REQUESTS + 8, "{polls} polls for {REQUESTS} requests");
        }
    });
}

#[test]
fn the_error_of_a_handshake_has_that_of_rustls_as_its_source() {
    let own = Own::new();
    run(async {
        let (client, server) = tcp().await;
        let (connector, acceptor) = (own.connector(), own.acceptor());
        let (client, server) = join!(
            start_tls(client.0, client.1, "example.org", &connector),
            start_tls_server(server.0, server.1, &acceptor)
        );
        let [client, server] = [client, server].map(|it| {
            let error = it.unwrap_err();
            error.source().unwrap().downcast_ref::<rustls::Error>().cloned()
        });
        assert!(matches!(client, Some(rustls::Error::InvalidCertificate(_))), "{client:?}");
        assert!(matches!(server, Some(rustls::Error::AlertReceived(_))), "{server:?}");
    });
}
