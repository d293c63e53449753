//! Misuse of sockets: panics point at the caller, and errors say what to do.

#![cfg(feature = "streams")]

use std::future::Future;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::task::{Context, Waker};
use std::time::Duration;

use evloop::io::{raw_os_error, stdin};
use evloop::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use evloop::time::timeout;
use evloop::{block_on, open_connection, start_server};
use panic_place::message_and_place;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;

/// Asserts that `misuse` panics in the line of this call, with the name of the function.
#[track_caller]
fn assert_points_here(name: &str, misuse: impl FnOnce()) {
    let here = Location::caller();
    let (message, place) = message_and_place(misuse);
    let expected =
        format!("{name} was called outside of a running loop: call it inside evloop::block_on");
    assert_eq!(message, expected);
    assert_eq!(place, (file!().to_owned(), here.line()), "{name}");
}

/// Polls a future outside of a loop.
fn poll_outside<T>(future: impl Future<Output = T>) {
    let mut future = Box::pin(future);
    let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
#[rustfmt::skip]
fn from_std_outside_of_a_loop_points_at_the_caller() {
    use std::net;
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_points_here("TcpListener::from_std", || drop(TcpListener::from_std(listener)));
    assert_points_here("TcpStream::from_std", || drop(TcpStream::from_std(stream)));
    assert_points_here("UdpSocket::from_std", || drop(UdpSocket::from_std(socket)));
}

#[test]
fn async_functions_outside_of_a_loop_say_their_name() {
    let panics = [
        message_and_place(|| poll_outside(TcpListener::bind("localhost:0"))),
        message_and_place(|| poll_outside(TcpStream::connect("localhost:1"))),
        message_and_place(|| poll_outside(UdpSocket::bind("localhost:0"))),
        message_and_place(|| poll_outside(lookup_host("localhost:0"))),
        message_and_place(|| poll_outside(open_connection("localhost:1"))),
        message_and_place(|| poll_outside(start_server("localhost:0", async |_, _| ()))),
        message_and_place(|| poll_outside(async { stdin().read_line().await.map(drop) })),
        message_and_place(|| poll_outside(evloop::fs::read("a"))),
        message_and_place(|| poll_outside(timeout(Duration::MAX, std::future::pending::<()>()))),
    ];
    let names = [
        "TcpListener::bind",
        "TcpStream::connect",
        "UdpSocket::bind",
        "lookup_host",
        "open_connection",
        "start_server",
        "io::stdin",
        "the file operation `read`",
        "a sleep or timeout",
    ];
    for ((message, _), name) in panics.iter().zip(names) {
        assert!(
            message.starts_with(&format!("{name} was called outside of a running")),
            "{message}"
        );
    }
}

#[test]
fn a_port_above_65535_is_an_error_that_says_so() {
    block_on(async {
        let error = TcpStream::connect("localhost:99999").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let sentence = "\"localhost:99999\" is not an address: the largest port is 65535: write \
                        host:port, as in localhost:8080 or [::1]:8080";
        assert_eq!(error.to_string(), sentence);
        assert_eq!(lookup_host("localhost:99999").await.unwrap_err().to_string(), sentence);
    });
}

#[test]
fn a_failed_bind_says_what_to_do() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = TcpListener::bind(listener.local_addr().unwrap()).await.unwrap_err();
        assert!(taken.to_string().contains("or 0 for any that is free)"), "{taken}");
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let taken = UdpSocket::bind(socket.local_addr().unwrap()).await.unwrap_err();
        assert!(taken.to_string().contains("or 0 for any that is free)"), "{taken}");
        let absent = TcpListener::bind("192.0.2.1:0").await.unwrap_err();
        assert!(absent.to_string().contains("does not have the address"), "{absent}");
    });
}

#[test]
fn a_failed_send_names_the_length_the_address_and_the_reason() {
    block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = socket.local_addr().unwrap();
        let error = socket.send_to(&[0; 70_000], to).await.unwrap_err();
        let start = format!("could not send a datagram of 70000 bytes to {to}: ");
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(raw_os_error(&error).is_some());
        let error = socket.send_to(b"a", "[::1]:9").await.unwrap_err();
        assert!(error.to_string().ends_with("(this is an IPv4 socket)"), "{error}");
        socket.connect(to).await.unwrap();
        let error = socket.send(&[0; 70_000]).await.unwrap_err();
        let start = "could not send a datagram of 70000 bytes: ";
        assert!(error.to_string().starts_with(start), "{error}");
    });
}

/// Asserts that a send failed since the socket is not connected.
fn assert_says_connect_first(outcome: io::Result<usize>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    let start = "the socket is not connected: call connect first, or send with send_to";
    assert!(error.to_string().starts_with(start), "{error}");
    assert!(raw_os_error(&error).is_some());
}

#[test]
fn send_on_an_unconnected_socket_says_connect_first() {
    block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        assert_says_connect_first(socket.send(b"x").await);
        assert_says_connect_first(socket.try_send(b"x"));
        #[cfg(unix)]
        {
            let socket = evloop::net::UnixDatagram::unbound().unwrap();
            assert_says_connect_first(socket.send(b"x").await);
            assert_says_connect_first(socket.send_with_fds(b"x", &[]).await);
        }
    });
}

#[test]
fn connect_of_udp_names_the_address() {
    block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let error = socket.connect("[::1]:9").await.unwrap_err();
        assert!(error.to_string().starts_with("could not connect to [::1]:9: "), "{error}");
        assert!(raw_os_error(&error).is_some());
    });
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net;
    use std::path::Path;

    use evloop::io::{AsyncFd, Interest};
    use evloop::net::pipe::{self, Receiver, Sender};
    use evloop::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn functions_outside_of_a_loop_point_at_the_caller() {
        let (stream, other) = net::UnixStream::pair().unwrap();
        let socket = net::UnixDatagram::unbound().unwrap();
        assert_points_here("UnixStream::from_std", || drop(UnixStream::from_std(stream)));
        assert_points_here("UnixDatagram::from_std", || drop(UnixDatagram::from_std(socket)));
        assert_points_here("UnixStream::pair", || drop(UnixStream::pair()));
        assert_points_here("UnixDatagram::pair", || drop(UnixDatagram::pair()));
        assert_points_here("UnixDatagram::unbound", || drop(UnixDatagram::unbound()));
        assert_points_here("AsyncFd::new", || drop(AsyncFd::new(&other)));
        let read = Interest::READABLE;
        assert_points_here("AsyncFd::with_interest", || drop(AsyncFd::with_interest(&other, read)));
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        assert_points_here("pipe::pair", || drop(pipe::pair()));
        assert_points_here("pipe::Receiver::from_fd", || drop(Receiver::from_fd(reader)));
        assert_points_here("pipe::Sender::from_fd", || drop(Sender::from_fd(writer)));
        let connect = || poll_outside(UnixStream::connect("/no-such-socket"));
        let (message, _) = message_and_place(connect);
        assert!(message.starts_with("UnixStream::connect was called outside"), "{message}");
    }

    #[test]
    #[rustfmt::skip]
    fn bind_outside_of_a_loop_points_at_the_caller_and_leaves_no_file() {
        let path = std::env::temp_dir().join(format!("evloop-no-loop-{}", std::process::id()));
        let addr = net::SocketAddr::from_pathname(&path).unwrap();
        assert_points_here("UnixListener::bind", || drop(UnixListener::bind(&path)));
        assert_points_here("UnixListener::bind_addr", || drop(UnixListener::bind_addr(&addr)));
        assert_points_here("UnixDatagram::bind", || drop(UnixDatagram::bind(&path)));
        assert!(!path.exists());
    }

    #[test]
    fn a_path_that_is_too_long_names_the_path_and_the_limit() {
        let limit = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };
        let long = format!("/{}", "a".repeat(limit));
        let just = format!("/{}", "a".repeat(limit - 1));
        block_on(async {
            for error in [
                UnixListener::bind(&long).unwrap_err(),
                UnixStream::connect(&long).await.unwrap_err(),
                UnixDatagram::bind(&long).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                let sentence = format!(
                    "{long:?} is too long for a Unix socket: it has {} bytes, and this system \
                     allows {limit}: choose a shorter path, or one relative to the current folder",
                    limit + 1
                );
                assert_eq!(error.to_string(), sentence);
            }
            let error = UnixStream::connect(Path::new(&just)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        });
    }

    #[test]
    fn listening_on_an_unbound_unix_socket_says_bind_first() {
        block_on(async {
            let socket = UnixSocket::new_stream().unwrap();
            assert!(socket.local_addr().unwrap().is_unnamed());
            let error = socket.listen(1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().ends_with("(bind the socket first)"), "{error}");
        });
    }
}
