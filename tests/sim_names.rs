//! Simulated worlds: names, addresses, and connecting to those that do not answer.
#![cfg(feature = "sim")]

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use evloop::{sim, time};

const MS: Duration = Duration::from_millis(1);

async fn accept_all() -> io::Result<()> {
    let listener = TcpListener::bind("[::]:80").await?;
    loop {
        listener.accept().await?;
    }
}

#[test]
fn a_name_has_an_address_of_each_family() {
    sim::run(1, async |world| {
        let server = world.host("server", accept_all);
        let addrs: Vec<_> = lookup_host("server:80").await.unwrap().map(|addr| addr.ip()).collect();
        assert_eq!(addrs, server.addrs());
        assert_eq!(addrs.iter().map(IpAddr::is_ipv6).collect::<Vec<_>>(), [true, false]);
        time::sleep(MS).await;
        for addr in addrs {
            let stream = TcpStream::connect((addr, 80)).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap().ip(), addr);
        }
    });
}

/// Each address that does not answer costs 250 ms (RFC 8305, section 5).
#[test]
fn connecting_tries_the_next_address_meanwhile() {
    sim::run(1, async |world| {
        let server = world.host("server", accept_all);
        time::sleep(MS).await;
        let silent: [IpAddr; 3] = [[10, 1, 1, 1], [10, 1, 1, 2], [10, 1, 1, 3]].map(IpAddr::from);
        for count in 0..=3 {
            let mut addrs = silent[..count].to_vec();
            addrs.push(server.addrs()[1]);
            world.set_name("service", &addrs);
            let begin = time::now();
            let stream = TcpStream::connect("service:80").await.unwrap();
            assert_eq!(stream.peer_addr().unwrap().ip(), server.addrs()[1]);
            assert_eq!(time::now() - begin, count as u32 * 250 * MS + 2 * MS);
        }
        // A refusal is an answer: the next address is tried at once.
        let refusing = world.host("refusing", async || std::future::pending::<()>().await);
        world.set_name("service", &[refusing.addrs()[1], server.addrs()[1]]);
        let begin = time::now();
        TcpStream::connect("service:80").await.unwrap();
        assert_eq!(time::now() - begin, 4 * MS);
    });
}

#[test]
fn a_name_moves_to_another_host() {
    sim::run(1, async |world| {
        let hosts = ["one", "other"].map(|name| world.host(name, accept_all));
        time::sleep(MS).await;
        for host in hosts {
            world.set_name("service", &host.addrs());
            let stream = TcpStream::connect("service:80").await.unwrap();
            assert!(host.addrs().contains(&stream.peer_addr().unwrap().ip()));
        }
    });
}

#[test]
fn loopback_is_private() {
    sim::run(1, async |world| {
        let listener = TcpListener::bind("127.0.0.1:80").await.unwrap();
        let other = world.client("other", async || {
            let own = TcpStream::connect("localhost:80").await.unwrap_err().kind();
            let foreign = TcpStream::connect("world:80").await.unwrap_err().kind();
            (own, foreign)
        });
        let refused = io::ErrorKind::ConnectionRefused;
        assert_eq!(other.await, (refused, refused), "it listens on its loopback only");
        let begin = time::now();
        TcpStream::connect("localhost:80").await.unwrap();
        assert_eq!(time::now() - begin, Duration::ZERO);
        drop(listener);
    });
}

#[test]
fn a_bind_to_the_address_of_another_host_fails() {
    sim::run(1, async |world| {
        let other = world.host("other", async || std::future::pending::<()>().await);
        for addr in other.addrs() {
            let error = TcpListener::bind((addr, 80)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
            let error = UdpSocket::bind((addr, 80)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        }
        for addr in world.find("world").addrs() {
            TcpListener::bind((addr, 80)).await.unwrap();
        }
    });
}
