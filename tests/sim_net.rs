//! Simulated worlds: programs written against `net` and `streams`, unchanged.
#![cfg(feature = "sim")]

use std::cell::Cell;
use std::io;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, UdpSocket};
use evloop::{sim, time};

const MS: Duration = Duration::from_millis(1);

async fn echo_server() -> io::Result<()> {
    let listener = TcpListener::bind("[::]:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        evloop::spawn(async move {
            let mut buf = [0; 1000];
            loop {
                match stream.read(&mut buf).await? {
                    0 => return io::Result::Ok(()),
                    n => stream.write_all(&buf[..n]).await?,
                }
            }
        })
        .detach();
    }
}

#[test]
fn a_host_without_power_is_silent_also_if_its_program_had_ended() {
    sim::run(1, async |world| {
        let host = world.host("server", async || std::future::pending::<()>().await);
        let connect = async || time::timeout(10 * MS, TcpStream::connect("server:80")).await;
        for end in [|host: &sim::Host<'_>| host.stop(), |host: &sim::Host<'_>| host.kill()] {
            end(&host);
            let refused = connect().await.expect("an answer").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            host.crash();
            assert!(connect().await.is_err());
            host.restart();
            time::sleep(MS).await;
        }
    });
}

#[test]
fn a_name_has_several_addresses_and_those_of_no_host_are_silent() {
    sim::run(1, async |world| {
        let replica = world.host("replica", async || {
            TcpListener::bind("0.0.0.0:80").await?.accept().await.map(drop)
        });
        let replica = replica.addrs()[1];
        world.set_name("database", &["10.1.2.3".parse().unwrap(), replica]);
        let begin = time::now();
        let stream = TcpStream::connect("database:80").await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), replica);
        // The attempt at the second address begins after 250 ms (RFC 8305, section 8).
        assert_eq!(time::now() - begin, 252 * MS);
    });
}

async fn ask(text: &[u8]) -> io::Result<Vec<u8>> {
    let stream = TcpStream::connect("server:80").await?;
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[test]
fn a_client_talks_to_a_server_by_its_name() {
    sim::check(0..50, |sim| {
        sim.latency(MS..5 * MS).short_io(0.3);
        sim.run(async |world| {
            world.host("server", echo_server);
            time::sleep(MS).await;
            let clients = ["a", "b", "c"].map(|name| {
                world.client(name, async move || ask(name.repeat(500).as_bytes()).await)
            });
            for (client, name) in clients.into_iter().zip(["a", "b", "c"]) {
                assert_eq!(client.await.unwrap(), name.repeat(500).as_bytes());
            }
        });
    });
}

#[test]
fn connecting_takes_a_round_trip() {
    sim::run(1, async |world| {
        world.host("server", echo_server);
        time::sleep(MS).await;
        let begin = time::now();
        let stream = TcpStream::connect("server:80").await.unwrap();
        assert_eq!(time::now() - begin, 2 * MS);
        assert_eq!(stream.peer_addr().unwrap().port(), 80);
        let error = TcpStream::connect("server:81").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = TcpStream::connect("nowhere:80").await.unwrap_err();
        assert!(error.to_string().contains("no such host"), "{error}");
    });
}

#[test]
fn a_crashed_server_is_silent_and_answers_after_its_restart() {
    let starts = Cell::new(0);
    sim::run(1, async |world| {
        let server = world.host("server", async || {
            starts.set(starts.get() + 1);
            echo_server().await
        });
        time::sleep(MS).await;
        assert_eq!(ask(b"one").await.unwrap(), b"one");
        server.crash();
        let late = time::timeout(10 * MS, ask(b"two")).await;
        assert!(late.is_err());
        server.restart();
        time::sleep(MS).await;
        assert_eq!(ask(b"three").await.unwrap(), b"three");
    });
    assert_eq!(starts.get(), 2);
}

#[test]
fn a_partition_delays_and_a_kill_resets() {
    sim::run(1, async |world| {
        let server = world.host("server", echo_server);
        time::sleep(MS).await;
        let stream = TcpStream::connect("server:80").await.unwrap();
        world.partition("world", "server");
        stream.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        assert!(time::timeout(50 * MS, stream.read_exact(&mut buf)).await.is_err());
        world.calm();
        world
            .within(Duration::from_secs(5), async || stream.read_exact(&mut buf).await)
            .await
            .unwrap();
        assert_eq!(&buf, b"hello");
        server.kill();
        let end = stream.read(&mut buf).await;
        assert!(matches!(end, Ok(0)) || end.is_err());
    });
}

#[cfg(feature = "streams")]
#[test]
fn streams_and_servers_are_unchanged() {
    sim::check(0..30, |sim| {
        sim.latency(MS..3 * MS).short_io(0.5).loss(0.02);
        sim.run(async |world| {
            world.host("server", async || {
                let server = evloop::start_server("server:7", async |mut reader, writer| {
                    loop {
                        let line = reader.read_line().await?;
                        if line.is_empty() {
                            return io::Result::Ok(());
                        }
                        writer.write(line.to_ascii_uppercase());
                        writer.drain().await?;
                    }
                })
                .await?;
                server.serve_forever().await
            });
            time::sleep(MS).await;
            let client = world.client("client", async || {
                let (mut reader, writer) = evloop::open_connection("server:7").await?;
                let mut lines = Vec::new();
                for line in ["one\n", "two\n"] {
                    writer.write(line);
                    lines.extend(reader.read_line().await?);
                }
                io::Result::Ok(lines)
            });
            assert_eq!(client.await.unwrap(), b"ONE\nTWO\n");
        });
    });
}

#[test]
fn datagrams_arrive() {
    sim::run(1, async |world| {
        let server = world.client("server", async || {
            let socket = UdpSocket::bind("0.0.0.0:53").await?;
            let mut buf = [0; 10];
            let (n, from) = socket.recv_from(&mut buf).await?;
            socket.send_to(&buf[..n], from).await
        });
        time::sleep(MS).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.send_to(b"hello", "server:53").await.unwrap();
        let mut buf = [0; 10];
        assert_eq!(socket.recv_from(&mut buf).await.unwrap().0, 5);
        assert_eq!(server.await.unwrap(), 5);
    });
}

#[test]
fn objects_of_the_system_are_refused_with_a_sentence() {
    let outside = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    sim::run(1, async |_| {
        let errors = [
            TcpListener::from_std(outside.try_clone().unwrap()).unwrap_err(),
            #[cfg(unix)]
            evloop::io::AsyncFd::new(outside.try_clone().unwrap()).unwrap_err(),
            TcpListener::bind("[::]:80").await.unwrap().into_std().unwrap_err(),
            #[cfg(feature = "fs")]
            evloop::fs::read("/etc/hostname").await.unwrap_err(),
            #[cfg(feature = "tokio")]
            evloop::tokio::Helper::new().map(drop).unwrap_err(),
            evloop::Runtime::new().unwrap_err(),
            #[cfg(unix)]
            evloop::net::pipe::OpenOptions::new().open_sender("/no such pipe").unwrap_err(),
            #[cfg(feature = "tokio")]
            evloop::tokio::Helper::new().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("simulated world"), "{error}");
        }
    });
}
