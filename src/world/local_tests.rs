//! Unix sockets and pipes: the facts of Linux.

use std::net::Shutdown;
use std::path::Path;

use super::lab_tests::{Lab, say};
use super::*;

fn path(name: &str) -> UnixName {
    UnixName::new(name.as_bytes())
}

fn read(stream: &UnixStream) -> String {
    let mut buf = [0; 64];
    say(stream.read(&mut buf).map(|n| String::from_utf8_lossy(&buf[..n]).into_owned()))
}

#[test]
fn a_connection_by_path_is_there_at_once() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    assert_eq!(say(UnixStream::connect(&path("/s")).map(|_| 0)), "NotFound");
    let listener = UnixListener::bind(&path("/s"), 0).unwrap();
    listener.register(1);
    let client = UnixStream::connect(&path("/s")).unwrap();
    assert_eq!(lab.events(lab.one), [(1, true, false)]);
    assert_eq!(say(UnixStream::connect(&path("/s")).map(|_| 0)), "WouldBlock", "the queue is full");
    client.write(b"hi").unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert!(peer.bytes().is_none());
    assert_eq!(client.peer_addr().unwrap(), path("/s"));
    assert_eq!(server.local_addr().unwrap(), path("/s"));
    assert_eq!((read(&server), read(&server)), ("hi".into(), "WouldBlock".into()));
    lab.world.set_host(Some(lab.two));
    assert_eq!(say(UnixStream::connect(&path("/s")).map(|_| 0)), "NotFound", "of another host");
}

#[test]
fn a_file_outlives_its_listener() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let listener = UnixListener::bind(&path("/s"), 8).unwrap();
    let waiting = UnixStream::connect(&path("/s")).unwrap();
    drop(listener);
    assert_eq!((read(&waiting), read(&waiting)), ("ConnectionReset".into(), "".into()));
    assert_eq!(say(UnixStream::connect(&path("/s")).map(|_| 0)), "ConnectionRefused");
    assert_eq!(say(UnixListener::bind(&path("/s"), 8).map(|_| 0)), "AddrInUse");
    let unlink = || here().unwrap().unlink(Path::new("/s"));
    assert!(unlink() && !unlink());
    assert!(UnixListener::bind(&path("/s"), 8).is_ok());
}

#[test]
fn abstract_names_end_with_their_socket() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let name = path("\0name");
    let listener = UnixListener::bind(&name, 8).unwrap();
    let client = UnixStream::connect(&name).unwrap();
    assert_eq!(UnixListener::bind(&name, 8).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(client.peer_addr().unwrap(), name);
    drop(listener);
    assert_eq!(say(UnixStream::connect(&name).map(|_| 0)), "ConnectionRefused");
    assert!(UnixListener::bind(&name, 8).is_ok());
}

#[test]
fn a_close_ends_the_other_end_at_once() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let (one, other) = UnixStream::pair().unwrap();
    one.register(1);
    lab.events(lab.one);
    other.write(b"last").unwrap();
    drop(other);
    assert_eq!(lab.events(lab.one), [(1, true, false), (1, true, true)]);
    assert_eq!(say(one.write(b"x")), "BrokenPipe");
    assert_eq!((read(&one), read(&one)), ("last".into(), "".into()));
    assert!(one.shutdown(Shutdown::Both).is_ok());
    let (one, other) = UnixStream::pair().unwrap();
    one.write(b"unread").unwrap();
    other.write(b"last").unwrap();
    drop(other);
    let reads = [read(&one), read(&one), read(&one)];
    assert_eq!(reads, ["last", "ConnectionReset", ""]);
}

#[test]
fn a_shutdown_ends_one_direction() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let (one, other) = UnixStream::pair().unwrap();
    one.write(b"last").unwrap();
    one.shutdown(Shutdown::Write).unwrap();
    assert_eq!(say(one.write(b"x")), "BrokenPipe");
    assert_eq!((read(&other), read(&other)), ("last".into(), "".into()));
    other.write(b"answer").unwrap();
    assert_eq!(read(&one), "answer");
    one.shutdown(Shutdown::Read).unwrap();
    assert_eq!(say(other.write(b"x")), "BrokenPipe");
}

#[test]
fn a_full_stream_wakes_its_writer_at_a_quarter() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let (one, other) = UnixStream::pair().unwrap();
    one.register(1);
    assert_eq!(lab.events(lab.one), [(1, false, true)]);
    assert_eq!(one.write(&[0; 300_000]).unwrap(), 212_992);
    assert_eq!(say(one.write(b"x")), "WouldBlock");
    other.read(&mut [0; 100_000]).unwrap();
    assert_eq!(lab.events(lab.one), []);
    other.read(&mut [0; 100_000]).unwrap();
    assert_eq!(lab.events(lab.one), [(1, false, true)]);
}

#[test]
fn a_pipe_holds_64_kib_and_keeps_small_writes_whole() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let (sender, receiver) = pipe().unwrap();
    sender.register(1);
    receiver.register(2);
    assert_eq!(lab.events(lab.one), [(1, false, true)]);
    assert_eq!(say(receiver.read(&mut [0; 9])), "WouldBlock");
    assert_eq!(sender.write(&[0; 65_000]).unwrap(), 65_000);
    assert_eq!(lab.events(lab.one), [(2, true, false)]);
    assert_eq!(say(sender.write(&[0; 1_000])), "WouldBlock");
    assert_eq!(sender.write(&[0; 5_000]).unwrap(), 536);
    assert_eq!(lab.events(lab.one), [(2, true, false)]);
    receiver.read(&mut [0; 4_095]).unwrap();
    assert_eq!(lab.events(lab.one), []);
    receiver.read(&mut [0; 1]).unwrap();
    assert_eq!(lab.events(lab.one), [(1, false, true)]);
    drop(receiver);
    assert_eq!(say(sender.write(b"x")), "BrokenPipe");
    let (sender, receiver) = pipe().unwrap();
    sender.write(b"end").unwrap();
    drop(sender);
    let mut buf = [0; 9];
    assert_eq!([(); 2].map(|()| receiver.read(&mut buf).unwrap()), [3, 0]);
}

#[test]
fn datagrams_wait_in_a_queue_of_eleven() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let receiver = UnixDatagram::bind(&path("/d")).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    assert_eq!(say(sender.send(b"x")), "NotConnected");
    assert_eq!(say(sender.send_to(b"x", &path("/none"))), "NotFound");
    sender.connect(&path("/d")).unwrap();
    sender.register(1);
    lab.events(lab.one);
    let sent = (0..20).take_while(|n| sender.send(&[*n]).is_ok()).count();
    assert_eq!(sent, 11);
    let mut buf = [0; 1];
    assert_eq!(receiver.peek_from(&mut buf).unwrap().0, 1);
    receiver.recv_from(&mut buf).unwrap();
    assert_eq!(lab.events(lab.one), [(1, false, true)]);
    assert_eq!(say(sender.send(b"x")), "1");
    assert_eq!(
        say(sender.send(&[0; 212_961])),
        say::<u8>(Err(std::io::Error::from_raw_os_error(
            rustix::io::Errno::MSGSIZE.raw_os_error()
        )))
    );
    drop(receiver);
    assert_eq!(
        [say(sender.send(b"x")), say(sender.send(b"x"))],
        ["ConnectionRefused", "NotConnected"]
    );
    assert_eq!(say(sender.send_to(b"x", &path("/d"))), "ConnectionRefused");
}

#[test]
fn a_pair_of_datagram_sockets_receives_from_itself_only() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let (one, other) = UnixDatagram::pair().unwrap();
    one.send(b"long").unwrap();
    let mut buf = [0; 2];
    let (length, from) = other.recv_from(&mut buf).unwrap();
    assert_eq!((length, &buf, from.bytes().is_none()), (4, b"lo", true));
    assert_eq!(say(other.recv_from(&mut buf).map(|_| 0)), "WouldBlock");
    let bound = UnixDatagram::bind(&path("/d")).unwrap();
    let third = UnixDatagram::bind(&path("/e")).unwrap();
    bound.connect(&path("/e")).unwrap();
    assert_eq!(say(one.send_to(b"x", &path("/d"))), "PermissionDenied");
    third.send_to(b"x", &path("/d")).unwrap();
    assert_eq!(bound.recv_from(&mut buf).unwrap().1, path("/e"));
    third.shutdown(Shutdown::Both).unwrap();
    assert_eq!(say(third.send_to(b"x", &path("/d"))), "BrokenPipe");
    assert_eq!(say(bound.send(b"x")), "BrokenPipe");
}

#[test]
fn a_dead_host_leaves_no_socket() {
    let lab = Lab::new();
    lab.world.set_host(Some(lab.one));
    let sockets = (UnixStream::pair().unwrap(), pipe().unwrap(), UnixDatagram::pair().unwrap());
    let listener = UnixListener::bind(&path("/s"), 8).unwrap();
    lab.world.kill(lab.one);
    assert_eq!(lab.world.live(), (0, 0));
    assert_eq!(read(&sockets.0.0), "NetworkDown");
    drop((sockets, listener));
    lab.world.start(lab.one);
    assert_eq!(say(UnixStream::connect(&path("/s")).map(|_| 0)), "ConnectionRefused");
}
