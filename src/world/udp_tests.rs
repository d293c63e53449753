//! The facts of UDP on Linux, and the faults of datagrams.

use std::net::SocketAddr;

use super::lab_tests::{Lab, MS, say};
use super::*;

fn sockets(lab: &Lab) -> (UdpSocket, UdpSocket) {
    let bind = |host, port| lab.on(host, || UdpSocket::bind(lab.addr(host, port), None)).unwrap();
    (bind(lab.one, 0), bind(lab.two, 53))
}

fn receive(socket: &UdpSocket) -> String {
    let mut buf = [0; 64];
    say(socket.recv_from(&mut buf).map(|(n, _)| String::from_utf8_lossy(&buf[..n]).into_owned()))
}

#[test]
fn datagrams_arrive_whole_with_their_sender() {
    let lab = Lab::new();
    let (one, two) = sockets(&lab);
    two.register(4);
    assert_eq!(lab.events(lab.two), [(4, false, true)]);
    one.send_to(b"hello", two.local_addr().unwrap()).unwrap();
    one.send_to(b"", two.local_addr().unwrap()).unwrap();
    lab.pass(MS);
    assert_eq!(lab.events(lab.two), [(4, true, false)]);
    let mut buf = [0; 3];
    let from = one.local_addr().unwrap();
    assert_eq!(two.peek_from(&mut buf).unwrap(), (5, from), "the whole length");
    assert_eq!((two.recv_from(&mut buf).unwrap(), &buf), ((5, from), b"hel"));
    assert_eq!((receive(&two), receive(&two)), ("".into(), "WouldBlock".into()));
}

#[test]
fn a_closed_port_refuses_a_connected_socket() {
    let lab = Lab::new();
    let (one, _) = sockets(&lab);
    let closed = lab.addr(lab.two, 9);
    one.send_to(b"x", closed).unwrap();
    lab.settle();
    assert_eq!(receive(&one), "WouldBlock", "an unconnected socket hears nothing");
    one.connect(closed).unwrap();
    one.register(1);
    lab.events(lab.one);
    assert_eq!(one.peer_addr().unwrap(), closed);
    one.send(b"x").unwrap();
    lab.pass(2 * MS);
    assert_eq!(lab.events(lab.one), [(1, true, true)]);
    assert_eq!((receive(&one), receive(&one)), ("ConnectionRefused".into(), "WouldBlock".into()));
    one.send(b"x").unwrap();
    lab.pass(2 * MS);
    assert_eq!(
        (say(one.send(b"x")), say(one.send(b"x"))),
        ("ConnectionRefused".into(), "1".into())
    );
}

#[test]
fn a_connected_socket_receives_from_its_peer_only() {
    let lab = Lab::new();
    let (one, two) = sockets(&lab);
    let other = lab.on(lab.one, || UdpSocket::bind(lab.addr(lab.one, 0), None)).unwrap();
    two.connect(one.local_addr().unwrap()).unwrap();
    other.send_to(b"other", two.local_addr().unwrap()).unwrap();
    one.send_to(b"peer", two.local_addr().unwrap()).unwrap();
    lab.settle();
    assert_eq!((receive(&two), receive(&two)), ("peer".into(), "WouldBlock".into()));
}

#[test]
fn wrong_sends_fail() {
    let lab = Lab::new();
    let (one, two) = sockets(&lab);
    let errno = |result: std::io::Result<usize>| result.unwrap_err().raw_os_error();
    let wanted = |errno: rustix::io::Errno| Some(errno.raw_os_error());
    assert_eq!(errno(one.send(b"x")), wanted(rustix::io::Errno::DESTADDRREQ));
    assert_eq!(say(one.peer_addr()), "NotConnected");
    let to = two.local_addr().unwrap();
    assert_eq!(errno(one.send_to(&[0; 65_508], to)), wanted(rustix::io::Errno::MSGSIZE));
    assert_eq!(one.send_to(&[0; 65_507], to).unwrap(), 65_507);
    let broadcast = SocketAddr::from(([255, 255, 255, 255], 53));
    assert_eq!(say(one.send_to(b"all", broadcast)), "PermissionDenied");
    lab.settle();
    two.recv_from(&mut [0; 1]).unwrap();
    let one = lab.on(lab.one, || UdpSocket::bind(([0, 0, 0, 0], 0).into(), None)).unwrap();
    one.set_options(SocketOptions { broadcast: true, ..one.options() });
    let two = lab.on(lab.two, || UdpSocket::bind(([0, 0, 0, 0], 54).into(), None)).unwrap();
    one.send_to(b"all", SocketAddr::from(([255, 255, 255, 255], 54))).unwrap();
    lab.settle();
    assert_eq!(receive(&two), "all");
}

/// Sends the bytes 0 to 99 as datagrams of one byte, and returns those that arrive.
fn hundred(settings: Settings) -> Vec<u8> {
    let lab = Lab::with(5, settings);
    let (one, two) = sockets(&lab);
    for byte in 0..100 {
        one.send_to(&[byte], two.local_addr().unwrap()).unwrap();
        lab.pass(MS / 10);
    }
    lab.settle();
    let mut buf = [0; 2];
    std::iter::from_fn(|| two.recv_from(&mut buf).ok().map(|_| buf[0])).collect()
}

#[test]
fn datagrams_are_lost_duplicated_and_reordered() {
    let calm: Vec<u8> = (0..100).collect();
    assert_eq!(hundred(Settings::default()), calm);
    let lossy = hundred(Settings { loss: 0.3, ..Settings::default() });
    assert!(lossy.len() > 50 && lossy.len() < 90 && lossy.is_sorted(), "{lossy:?}");
    let double = hundred(Settings { duplicate: 0.3, ..Settings::default() });
    assert!(double.len() > 110 && double.len() < 150, "{double:?}");
    let mut mixed = hundred(Settings { reorder: 0.3, ..Settings::default() });
    assert!(!mixed.is_sorted());
    mixed.sort();
    assert_eq!(mixed, calm);
}

#[test]
fn a_full_receive_buffer_loses_datagrams() {
    let lab = Lab::new();
    let (one, two) = sockets(&lab);
    let mut options = two.options();
    options.set_receive_buffer(5_000);
    two.set_options(options);
    for _ in 0..100 {
        one.send_to(&[0; 500], two.local_addr().unwrap()).unwrap();
    }
    lab.settle();
    let received = std::iter::from_fn(|| two.recv_from(&mut [0; 500]).ok()).count();
    assert_eq!(received, 10);
}

#[test]
fn partitions_hold_and_death_concern_datagrams_too() {
    let lab = Lab::new();
    let (one, two) = sockets(&lab);
    let to = two.local_addr().unwrap();
    one.send_to(b"in flight", to).unwrap();
    lab.world.partition(lab.one, lab.two);
    one.send_to(b"cut", to).unwrap();
    lab.settle();
    lab.world.heal(lab.one, lab.two);
    lab.world.hold(lab.one, lab.two);
    one.send_to(b"held", to).unwrap();
    lab.settle();
    assert_eq!(receive(&two), "WouldBlock");
    lab.world.release(lab.one, lab.two);
    lab.settle();
    assert_eq!(receive(&two), "held");
    one.send_to(b"to the dead", to).unwrap();
    lab.world.crash(lab.two);
    lab.settle();
    assert_eq!(receive(&two), "NetworkDown");
    drop((one, two));
    assert_eq!(lab.world.live(), (0, 0));
}
