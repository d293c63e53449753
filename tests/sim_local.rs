//! Simulated worlds: Unix sockets and pipes within a host, options of sockets.
#![cfg(all(feature = "sim", unix))]

use std::cell::RefCell;
use std::thread;
use std::time::Duration;

use evloop::net::{
    TcpListener, TcpSocket, UdpSocket, UnixDatagram, UnixListener, UnixStream, pipe,
};
use evloop::{sim, time};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

#[test]
fn unix_sockets_connect_within_a_host() {
    sim::run(1, async |world| {
        let listener = UnixListener::bind("/run/service").unwrap();
        let client = UnixStream::connect("/run/service").await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        server.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
        let other =
            world.client("other", async || UnixStream::connect("/run/service").await.is_err());
        assert!(other.await, "another host has other names");
        assert!(!std::path::Path::new("/run/service").exists());
    });
}

/// A server of streams needs no file of the system, and a host that has died leaves its file.
#[cfg(feature = "streams")]
#[test]
fn a_unix_server_uses_the_files_of_its_host() {
    // The system could make no file there.
    let folder = std::env::temp_dir().join(format!("evloop-world-{}", std::process::id()));
    let path = &folder.join("socket");
    let serve = async || {
        let server = evloop::start_unix_server(path, async |_, writer: evloop::StreamWriter| {
            writer.write("hello\n");
        });
        server.await?.serve_forever().await
    };
    let ask = async || {
        let (mut reader, _writer) = evloop::open_unix_connection(path).await?;
        std::io::Result::Ok(reader.read_line().await?.to_vec())
    };
    sim::run(1, async |world| {
        let host = world.host("host", async || {
            let server = evloop::spawn({
                let path = path.clone();
                async move {
                    let handler = async |_, writer: evloop::StreamWriter| writer.write("hello\n");
                    evloop::start_unix_server(path, handler).await?.serve_forever().await
                }
            });
            evloop::task::yield_now().await;
            while ask().await.is_err() {
                time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(ask().await?, b"hello\n");
            // Another server cannot have the name.
            let error = serve().await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
            server.await.unwrap()
        });
        for end in [sim::Host::crash, sim::Host::kill, sim::Host::stop] {
            time::sleep(Duration::from_millis(10)).await;
            assert!(host.is_up());
            end(&host);
            host.restart();
        }
        time::sleep(Duration::from_millis(10)).await;
        let foreign = ask().await.unwrap_err();
        assert_eq!(foreign.kind(), std::io::ErrorKind::NotFound, "another host has other files");
    });
    // A file of the system is not one of the world, and stays.
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(path, "a file").unwrap();
    sim::run(1, async |world| {
        let host = world.host("host", serve);
        time::sleep(Duration::from_millis(1)).await;
        host.stop();
    });
    assert_eq!(std::fs::read(path).unwrap(), b"a file");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_duplex_stays_within_its_host() {
    sim::check(0..10, |sim| {
        sim.run(async |_| {
            let (mut one, mut other) = evloop::io::duplex(10);
            let begin = time::now();
            let writing = evloop::spawn(async move { one.write_all(&[7; 1_000]).await });
            let (mut all, mut buf) = (0, [0; 64]);
            while let n @ 1.. = other.read(&mut buf).await.unwrap() {
                all += n;
            }
            writing.await.unwrap().unwrap();
            assert_eq!((all, time::now() - begin), (1_000, Duration::ZERO));
        });
    });
}

#[test]
fn pairs_and_pipes_carry_bytes() {
    sim::check(0..20, |sim| {
        sim.short_io(0.5);
        sim.run(async |_| {
            let (one, other) = UnixStream::pair().unwrap();
            one.write_all(b"stream").await.unwrap();
            let mut buf = [0; 6];
            other.read_exact(&mut buf).await.unwrap();
            assert_eq!(&buf, b"stream");
            let (sender, receiver) = pipe::pair().unwrap();
            let writing = evloop::spawn(async move { sender.write_all(&[7; 200_000]).await });
            let (mut all, mut buf) = (0, [0; 1000]);
            loop {
                match receiver.read(&mut buf).await.unwrap() {
                    0 => break,
                    n => all += n,
                }
            }
            writing.await.unwrap().unwrap();
            assert_eq!(all, 200_000);
            let (one, other) = UnixDatagram::pair().unwrap();
            one.send(b"datagram").await.unwrap();
            let mut buf = [0; 20];
            assert_eq!(other.recv(&mut buf).await.unwrap(), 8);
        });
    });
}

#[test]
fn options_are_those_of_the_simulated_socket() {
    sim::run(1, async |_| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_keepalive(true).unwrap();
        socket.set_reuseaddr(true).unwrap();
        assert!(socket.nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.linger().unwrap(), None);
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(4).unwrap();
        let client = TcpSocket::new_v4().unwrap();
        let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_ttl(7).unwrap();
        assert_eq!(client.ttl().unwrap(), 7);
        client.set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(client.linger().unwrap(), Some(Duration::ZERO));
        let (server, _) = listener.accept().await.unwrap();
        drop(client);
        let error = server.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn loopback_takes_no_time() {
    sim::run(1, async |world| {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let begin = time::now();
        let client = evloop::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        client.write_all(b"x").await.unwrap();
        server.read_exact(&mut [0; 1]).await.unwrap();
        assert_eq!(time::now() - begin, Duration::ZERO);
        let port = listener.local_addr().unwrap().port();
        let other = world.client("other", async move || {
            evloop::net::TcpStream::connect(("127.0.0.1", port)).await.is_err()
        });
        assert!(other.await, "loopback is private");
    });
}

#[test]
#[should_panic(expected = "a socket of a simulated world has no descriptor")]
fn a_socket_of_a_world_has_no_descriptor() {
    use std::os::fd::AsFd;
    sim::run(1, async |_| {
        let (one, _other) = UnixStream::pair().unwrap();
        let _ = one.as_fd();
    });
}

#[test]
fn a_thread_local_may_hold_a_socket_of_an_ended_world() {
    thread_local! {
        static KEPT: RefCell<Option<UdpSocket>> = const { RefCell::new(None) };
    }
    let thread = thread::spawn(|| {
        // Begun before the world, and so dropped after what that keeps for the thread.
        KEPT.set(None);
        sim::run(1, async |_| KEPT.set(Some(UdpSocket::bind("127.0.0.1:0").await.unwrap())));
    });
    thread.join().unwrap();
}
