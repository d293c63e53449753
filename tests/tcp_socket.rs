//! Sockets before they connect or listen: options, addresses, errors.

#![cfg(all(unix, feature = "fs"))]

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use evloop::io::raw_os_error;
use evloop::net::{
    BindOptions, ConnectError, TcpListener, TcpSocket, TcpStream, UdpSocket, UnixSocket,
};
use evloop::time::timeout;
use futures::poll;
use rustix::io::{Errno, FdFlags, fcntl_getfd};
use rustix::net::sockopt;

/// Files of the tests.
#[allow(unreachable_pub)]
mod temp_dir;

use temp_dir::Dir;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Returns a listener and its address.
fn listener() -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(local()).unwrap();
    let listener = socket.listen(8).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

#[test]
fn options_are_set_and_returned_without_a_loop() {
    let socket = TcpSocket::new_v4().unwrap();
    assert!(fcntl_getfd(&socket).unwrap().contains(FdFlags::CLOEXEC));
    assert!(!socket.reuseaddr().unwrap() && !socket.reuseport().unwrap());
    assert!(!socket.keepalive().unwrap() && !socket.nodelay().unwrap());
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.set_keepalive(true).unwrap();
    socket.set_nodelay(true).unwrap();
    assert!(socket.reuseaddr().unwrap() && socket.reuseport().unwrap());
    assert!(socket.keepalive().unwrap() && socket.nodelay().unwrap());
    assert_eq!(socket.linger().unwrap(), None);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
    let error = socket.set_linger(Some(Duration::from_secs(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    socket.set_tos_v4(0x10).unwrap();
    assert_eq!(socket.tos_v4().unwrap(), 0x10);
    socket.set_send_buffer_size(16_384).unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    // Linux doubles the sizes.
    assert!([16_384, 32_768].contains(&socket.send_buffer_size().unwrap()));
    assert!([8192, 16_384].contains(&socket.recv_buffer_size().unwrap()));
    assert!(socket.take_error().unwrap().is_none());
    assert_eq!(socket.local_addr().unwrap(), "0.0.0.0:0".parse().unwrap());
}

#[test]
fn options_of_ipv6_sockets() {
    let socket = TcpSocket::new_v6().unwrap();
    for only in [true, false] {
        socket.set_only_v6(only).unwrap();
        assert_eq!(socket.only_v6().unwrap(), only);
    }
    socket.set_tclass_v6(0x20).unwrap();
    assert_eq!(socket.tclass_v6().unwrap(), 0x20);
}

#[test]
fn connections_of_a_listener_have_its_options() {
    run(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8192).unwrap();
        socket.set_keepalive(true).unwrap();
        let size = socket.recv_buffer_size().unwrap();
        socket.bind(local()).unwrap();
        let listener = socket.listen(8).unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_nodelay(true).unwrap();
        client.bind(local()).unwrap();
        let from = client.local_addr().unwrap();
        let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, from);
        assert!(client.nodelay().unwrap() && stream.keepalive().unwrap());
        assert_eq!(sockopt::socket_recv_buffer_size(&stream).unwrap() as u32, size);
        client.write_all(b"hello").await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
    });
}

#[test]
fn a_failed_connect_names_the_address() {
    run(async {
        // Bound, so that no other socket takes the port, and not listening.
        let bound = TcpSocket::new_v4().unwrap();
        bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = bound.local_addr().unwrap();
        let error = TcpSocket::new_v4().unwrap().connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().starts_with(&format!("could not connect to {addr}: ")));
        assert_eq!(ConnectError::of(&error).unwrap().failures[0].0, addr);
        assert_eq!(raw_os_error(&error), Some(Errno::CONNREFUSED.raw_os_error()));
        // At once: the socket has another address family.
        let error = TcpSocket::new_v6().unwrap().connect(addr).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("could not connect to {addr}: ")));
    });
}

#[test]
fn a_dropped_connect_closes_the_socket() {
    run(async {
        let (listener, addr) = listener();
        let socket = TcpSocket::new_v4().unwrap();
        let mut connect = Box::pin(socket.connect(addr));
        let _ = poll!(&mut connect);
        drop(connect);
        let (stream, _) = listener.accept().await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn a_taken_address_is_named_by_bind_and_listen() {
    run(async {
        let (_listener, addr) = listener();
        let error = TcpSocket::new_v4().unwrap().bind(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("could not bind to {addr}: ")));
    });
}

#[test]
fn a_socket_of_a_descriptor_connects() {
    run(async {
        let (listener, addr) = listener();
        let fd = OwnedFd::from(TcpSocket::new_v4().unwrap());
        let client = TcpSocket::from(fd).connect(addr).await.unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn options_of_streams_and_listeners() {
    run(async {
        let (listener, addr) = listener();
        listener.set_ttl(17).unwrap();
        assert_eq!(listener.ttl().unwrap(), 17);
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_ttl(18).unwrap();
        assert_eq!(stream.ttl().unwrap(), 18);
        assert!(!stream.keepalive().unwrap());
        assert_eq!(stream.linger().unwrap(), None);
        stream.set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(stream.linger().unwrap(), Some(Duration::ZERO));
        stream.set_tos_v4(0x08).unwrap();
        assert_eq!(stream.tos_v4().unwrap(), 0x08);
        #[cfg(target_os = "linux")]
        for on in [false, true] {
            stream.set_quickack(on).unwrap();
            assert_eq!(stream.quickack().unwrap(), on);
        }
        let v6 = TcpListener::bind("[::1]:0").await.unwrap().local_addr();
        let v6 = UdpSocket::bind(v6.unwrap()).await.unwrap();
        v6.set_tclass_v6(0x20).unwrap();
        assert_eq!(v6.tclass_v6().unwrap(), 0x20);
        let socket = UdpSocket::bind(local()).await.unwrap();
        socket.set_tos_v4(0x10).unwrap();
        assert_eq!(socket.tos_v4().unwrap(), 0x10);
        socket.set_send_buffer_size(16_384).unwrap();
        socket.set_recv_buffer_size(8192).unwrap();
        assert!([16_384, 32_768].contains(&socket.send_buffer_size().unwrap()));
        assert!([8192, 16_384].contains(&socket.recv_buffer_size().unwrap()));
    });
}

#[test]
fn udp_sockets_share_an_address_by_options() {
    run(async {
        let options = BindOptions { reuse_port: true, broadcast: true, ..Default::default() };
        let one = UdpSocket::bind_with("127.0.0.1:0", &options).await.unwrap();
        let addr = one.local_addr().unwrap();
        assert!(one.broadcast().unwrap());
        UdpSocket::bind_with(addr, &options).await.unwrap();
        let error = UdpSocket::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("could not bind to {addr}: ")));
        let error = UdpSocket::bind_with(addr, &BindOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let options = BindOptions { reuse_addr: true, ..Default::default() };
        let one = UdpSocket::bind_with("127.0.0.1:0", &options).await.unwrap();
        assert!(sockopt::socket_reuseaddr(&one).unwrap());
    });
}

#[test]
fn an_ipv6_udp_socket_is_dual_by_option() {
    run(async {
        let options = BindOptions { only_v6: Some(false), ..Default::default() };
        let dual = UdpSocket::bind_with("[::]:0", &options).await.unwrap();
        let port = dual.local_addr().unwrap().port();
        let v4 = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        v4.send_to(b"abc", ("127.0.0.1", port)).await.unwrap();
        assert_eq!(dual.recv(&mut [0; 8]).await.unwrap(), 3);
        let options = BindOptions { only_v6: Some(true), ..Default::default() };
        let only = UdpSocket::bind_with("[::]:0", &options).await.unwrap();
        // The IPv4 address with the same port is free.
        UdpSocket::bind(("0.0.0.0", only.local_addr().unwrap().port())).await.unwrap();
    });
}

#[test]
fn a_unix_client_has_an_address_of_its_own() {
    run(async {
        let dir = Dir::new();
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(dir.join("server")).unwrap();
        let local = socket.local_addr().unwrap();
        assert_eq!(local.as_pathname(), Some(dir.join("server").as_path()));
        let listener = socket.listen(8).unwrap();
        let client = UnixSocket::new_stream().unwrap();
        client.bind(dir.join("client")).unwrap();
        let client = client.connect(dir.join("server")).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.as_pathname(), Some(dir.join("client").as_path()));
        client.write_all(b"hello").await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
    });
}

#[test]
fn a_unix_connect_waits_for_a_full_backlog() {
    run(async {
        let dir = Dir::new();
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(dir.join("server")).unwrap();
        let listener = socket.listen(0).unwrap();
        let _first = UnixSocket::new_stream().unwrap().connect(dir.join("server")).await.unwrap();
        let second = UnixSocket::new_stream().unwrap();
        let mut second = pin!(second.connect(dir.join("server")));
        assert!(poll!(&mut second).is_pending());
        listener.accept().await.unwrap();
        second.await.unwrap();
    });
}

#[test]
fn unix_datagram_sockets_and_the_wrong_type() {
    run(async {
        let dir = Dir::new();
        let socket = UnixSocket::new_datagram().unwrap();
        socket.bind(dir.join("one")).unwrap();
        let one = socket.datagram().unwrap();
        let other = UnixSocket::new_datagram().unwrap().datagram().unwrap();
        other.send_to(b"abc", dir.join("one")).await.unwrap();
        assert_eq!(one.recv(&mut [0; 8]).await.unwrap(), 3);

        let error = UnixSocket::new_stream().unwrap().datagram().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let sentence =
            "UnixSocket::datagram is not for this type of socket: call listen or connect instead";
        assert_eq!(error.to_string(), sentence);
        let error = UnixSocket::new_datagram().unwrap().listen(1).unwrap_err();
        let sentence = "UnixSocket::listen is not for this type of socket: call datagram instead";
        assert_eq!(error.to_string(), sentence);
        let error = UnixSocket::new_datagram().unwrap().connect(dir.join("one")).await;
        let sentence = "UnixSocket::connect is not for this type of socket: call datagram instead";
        assert_eq!(error.unwrap_err().to_string(), sentence);
        let error = UnixSocket::new_stream().unwrap().bind(dir.join("one")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let error = UnixSocket::new_stream().unwrap().connect(dir.join("two")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}
