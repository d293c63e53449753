//! Errors with a message: the system's error, with its number, is their `source`.

#![cfg(unix)]

use std::io;

use evloop::block_on;
use evloop::io::raw_os_error;
use evloop::net::{TcpListener, TcpSocket, TcpStream};
use evloop::net::{UdpSocket, UnixDatagram, UnixListener, UnixStream};
use rustix::io::Errno;

#[track_caller]
fn assert_number<T>(outcome: io::Result<T>, expected: Errno, message: &str) {
    let error = outcome.err().expect("the operation fails");
    let system = io::Error::from(expected);
    assert!(error.to_string().contains(message), "{error}");
    assert!(error.to_string().contains(&system.to_string()), "{error}");
    assert_eq!(raw_os_error(&error), Some(expected.raw_os_error()), "{error}");
    assert_eq!(error.kind(), system.kind());
}

#[test]
fn errors_of_bind_and_listen_keep_their_number() {
    block_on(async {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let _listener = TcpListener::bind(taken).await.unwrap();
        let outcome = TcpListener::bind(taken).await;
        assert_number(outcome, Errno::ADDRINUSE, "could not listen on 127.0.0.1:");
        let outcome = UdpSocket::bind("192.0.2.1:0").await;
        assert_number(outcome, Errno::ADDRNOTAVAIL, "could not bind to 192.0.2.1:0");
        let missing = "/no-such-directory/socket";
        assert_number(UnixListener::bind(missing), Errno::NOENT, "could not listen on");
        assert_number(UnixDatagram::bind(missing), Errno::NOENT, "could not bind to");
    });
}

#[test]
fn errors_of_connect_keep_their_number() {
    block_on(async {
        // Bound, so that no other socket takes the port, and not listening.
        let bound = TcpSocket::new_v4().unwrap();
        bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let closed = bound.local_addr().unwrap();
        let outcome = TcpStream::connect(closed).await;
        assert_number(outcome, Errno::CONNREFUSED, "could not connect to 127.0.0.1:");
        let options = evloop::net::ConnectOptions {
            local_addr: Some(([192, 0, 2, 1], 0).into()),
            ..Default::default()
        };
        let outcome = TcpStream::connect_with(closed, &options).await;
        assert_number(outcome, Errno::ADDRNOTAVAIL, "could not bind to 192.0.2.1:0");
        let outcome = UnixStream::connect("/no-such-directory/socket").await;
        assert_number(outcome, Errno::NOENT, "could not connect to");
    });
}

#[cfg(feature = "process")]
#[test]
fn errors_of_spawning_a_process_keep_their_number() {
    block_on(async {
        let outcome = evloop::process::Command::new("no-such-program").spawn();
        assert_number(outcome, Errno::NOENT, "could not start \"no-such-program\"");
    });
}
