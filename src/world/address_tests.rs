//! Addresses, names and ports of hosts.

use std::net::{IpAddr, SocketAddr};

use super::lab_tests::{Lab, MS, read, say, write};
use super::*;

fn bind(lab: &Lab, host: HostId, addr: &str) -> std::io::Result<TcpListener> {
    lab.on(host, || TcpListener::bind(addr.parse().unwrap(), 8, None))
}

#[test]
fn a_host_binds_its_own_addresses_only() {
    let lab = Lab::new();
    let addrs = lab.world.addrs("two").unwrap();
    assert_eq!(addrs, ["fd00::2", "192.168.0.2"].map(|addr| addr.parse::<IpAddr>().unwrap()));
    assert_eq!(lab.world.host_of(addrs[0]), Some(lab.two));
    for addr in ["192.168.0.1:0", "10.0.0.1:0", "[fd00::1]:0", "8.8.8.8:1"] {
        let result = bind(&lab, lab.two, addr).map(|_| "bound");
        assert_eq!(say(result), "AddrNotAvailable", "{addr}");
    }
    for addr in ["192.168.0.2:0", "[fd00::2]:0", "127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "[::]:0"]
    {
        let listener = bind(&lab, lab.two, addr).unwrap();
        assert_ne!(listener.local_addr().unwrap().port(), 0);
    }
}

#[test]
fn a_port_has_one_listener() {
    let lab = Lab::new();
    let first = bind(&lab, lab.two, "192.168.0.2:80").unwrap();
    let again = |addr| say(bind(&lab, lab.two, addr).map(|_| "bound"));
    assert_eq!(again("192.168.0.2:80"), "AddrInUse");
    assert_eq!(again("0.0.0.0:80"), "AddrInUse");
    assert_eq!(again("[::]:80"), "AddrInUse", "it includes IPv4");
    assert_eq!((again("127.0.0.1:80"), again("[fd00::2]:80")), ("bound".into(), "bound".into()));
    drop(first);
    assert_eq!(again("0.0.0.0:80"), "bound");
    let udp = |port| UdpSocket::bind(SocketAddr::from(([0, 0, 0, 0], port)), None);
    let first = lab.on(lab.two, || udp(80)).unwrap();
    assert_eq!(say(udp(80).map(|_| 0)), "AddrInUse");
    drop(first);
    assert!(udp(80).is_ok());
}

#[test]
fn loopback_is_private_and_has_no_latency() {
    let lab = Lab::new();
    let listener = bind(&lab, lab.two, "127.0.0.1:80").unwrap();
    let other = lab.on(lab.one, || TcpStream::connect(([127, 0, 0, 1], 80).into())).unwrap();
    let own = lab.on(lab.two, || TcpStream::connect(([127, 0, 0, 1], 80).into())).unwrap();
    let before = lab.world.nanos();
    lab.settle();
    assert_eq!(lab.world.nanos(), before);
    assert_eq!(read(&other), "ConnectionRefused");
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, own.local_addr().unwrap());
    assert!(peer.ip().is_loopback());
    write(&own, "hi");
    lab.settle();
    assert_eq!((read(&server), lab.world.nanos()), ("hi".into(), before));
}

#[test]
fn a_wildcard_listener_has_all_addresses_of_the_host() {
    let lab = Lab::new();
    let listener = bind(&lab, lab.two, "[::]:80").unwrap();
    for addr in lab.world.addrs("two").unwrap() {
        let to = SocketAddr::new(addr, 80);
        let client = lab.on(lab.one, || TcpStream::connect(to)).unwrap();
        lab.pass(3 * MS);
        let (server, peer) = listener.accept().unwrap();
        assert!(peer.is_ipv6() && server.local_addr().unwrap().is_ipv6());
        assert_eq!(peer.ip().to_canonical(), client.local_addr().unwrap().ip());
        assert_eq!(client.peer_addr().unwrap(), to);
        write(&client, "hi");
        lab.pass(MS);
        assert_eq!(read(&server), "hi");
    }
}

#[test]
fn names_are_those_of_hosts() {
    let lab = Lab::new();
    let silent = IpAddr::from([10, 1, 1, 1]);
    let addrs = [silent, lab.world.addrs("two").unwrap()[0]];
    lab.world.set_name("service", &addrs);
    assert_eq!(lab.world.addrs("service").unwrap(), addrs);
    assert_eq!((lab.world.host_of(silent), lab.world.addrs("nobody")), (None, None));
    assert!(lab.world.addrs("localhost").unwrap().iter().all(IpAddr::is_loopback));
}

#[test]
fn a_connect_may_choose_its_local_address() {
    let lab = Lab::new();
    let listener = lab.listen();
    let to = lab.addr(lab.two, 80);
    let connect = |local: &str| {
        let local = local.parse().unwrap();
        lab.on(lab.one, || TcpStream::connect_from(local, to))
    };
    let client = connect("192.168.0.1:7777").unwrap();
    lab.pass(3 * MS);
    assert_eq!(listener.accept().unwrap().1, "192.168.0.1:7777".parse().unwrap());
    assert_eq!(say(connect("192.168.0.1:7777").map(|_| 0)), "AddrInUse");
    assert_eq!(say(connect("192.168.0.2:0").map(|_| 0)), "AddrNotAvailable");
    assert_eq!(say(connect("127.0.0.1:0").map(|_| 0)), "InvalidInput");
    drop(client);
    lab.settle();
    drop(listener.accept());
}

#[test]
fn sockets_need_a_host() {
    let lab = Lab::new();
    lab.world.set_host(None);
    assert_eq!(say(TcpSocket::new_v4().map(|_| 0)), "NetworkDown");
}
