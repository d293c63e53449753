//! Simulated worlds: what the network does with datagrams.
#![cfg(feature = "sim")]

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use evloop::net::UdpSocket;
use evloop::sim::Sim;
use evloop::{sim, time};

const MS: Duration = Duration::from_millis(1);

/// How many datagrams are sent.
const COUNT: u8 = 200;

/// Sends datagrams, one a millisecond, and returns the numbers of those that arrive.
fn arrived(sim: &mut Sim) -> Vec<u8> {
    let arrived = RefCell::new(Vec::new());
    sim.run(async |world| {
        world.host("server", async || {
            let socket = UdpSocket::bind("[::]:53").await.unwrap();
            loop {
                let mut buf = [0; 1];
                socket.recv_from(&mut buf).await.unwrap();
                arrived.borrow_mut().push(buf[0]);
            }
        });
        time::sleep(MS).await;
        let socket = UdpSocket::bind("[::]:0").await.unwrap();
        socket.connect("server:53").await.unwrap();
        for n in 0..COUNT {
            socket.send(&[n]).await.unwrap();
            time::sleep(MS).await;
        }
        time::sleep(100 * MS).await;
    });
    arrived.into_inner()
}

/// Returns the numbers in their order, each once.
fn distinct(mut numbers: Vec<u8>) -> Vec<u8> {
    numbers.sort();
    numbers.dedup();
    numbers
}

#[test]
fn a_calm_network_delivers_all_in_order() {
    sim::check(0..5, |sim| assert_eq!(arrived(sim), (0..COUNT).collect::<Vec<_>>()));
}

#[test]
fn loss_loses_its_share_and_keeps_the_order() {
    sim::check(0..20, |sim| {
        let arrived = arrived(sim.loss(0.25));
        assert!((120..180).contains(&arrived.len()), "{}", arrived.len());
        assert_eq!(distinct(arrived.clone()), arrived);
    });
    sim::check(0..1, |sim| assert_eq!(arrived(sim.loss(1.0)), []));
}

#[test]
fn duplication_delivers_its_share_twice() {
    sim::check(0..20, |sim| {
        let arrived = arrived(sim.duplicate(0.25));
        assert!((220..280).contains(&arrived.len()), "{}", arrived.len());
        assert_eq!(distinct(arrived), (0..COUNT).collect::<Vec<_>>());
    });
}

#[test]
fn reordering_loses_nothing() {
    sim::check(0..20, |sim| {
        let arrived = arrived(sim.reorder(0.25));
        let late = arrived.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((20..80).contains(&late), "{late}");
        assert_eq!(distinct(arrived), (0..COUNT).collect::<Vec<_>>());
    });
}

#[test]
fn a_datagram_longer_than_the_buffer_is_cut() {
    sim::run(1, async |world| {
        let server = world.client("server", async || {
            let socket = UdpSocket::bind("[::]:53").await?;
            let mut buf = [0; 4];
            let error = socket.recv_from(&mut buf).await.unwrap_err();
            assert_eq!((error.kind(), &buf), (io::ErrorKind::InvalidData, b"trun"));
            let second = socket.recv_from(&mut buf).await?.0;
            io::Result::Ok(String::from_utf8_lossy(&buf[..second]).into_owned())
        });
        time::sleep(MS).await;
        let socket = UdpSocket::bind("[::]:0").await.unwrap();
        socket.send_to(b"truncated", "server:53").await.unwrap();
        socket.send_to(b"ok", "server:53").await.unwrap();
        assert_eq!(server.await.unwrap(), "ok", "the rest of the first is gone");
    });
}

#[test]
fn a_closed_port_refuses_a_connected_socket() {
    sim::run(1, async |world| {
        let server = world.host("server", async || std::future::pending::<()>().await);
        let socket = UdpSocket::bind("[::]:0").await.unwrap();
        socket.connect("server:53").await.unwrap();
        let begin = time::now();
        socket.send(b"hello").await.unwrap();
        let error = socket.recv(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(time::now() - begin, 2 * MS);
        // A host without power refuses nothing.
        server.crash();
        socket.send(b"hello").await.unwrap();
        assert!(time::timeout(3_600_000 * MS, socket.recv(&mut [0; 1])).await.is_err());
    });
}

/// The record of a datagram that waits has one entry of its sending.
#[test]
fn a_held_datagram_is_sent_once() {
    sim::check(0..5, |sim| {
        sim.duplicate(0.0).run(async |world| {
            world.host("server", async || {
                let socket = UdpSocket::bind("[::]:53").await.unwrap();
                socket.recv_from(&mut [0; 10]).await.unwrap();
            });
            time::sleep(MS).await;
            let socket = UdpSocket::bind("[::]:0").await.unwrap();
            world.hold("world", "server");
            socket.send_to(b"hello", "server:53").await.unwrap();
            drop(socket);
            time::sleep(MS).await;
            world.release("world", "server");
            time::sleep(2 * MS).await;
            assert!(!world.find("server").is_up(), "it has received");
        });
        let text = sim.trace().to_text();
        assert_eq!(text.matches("send 5 bytes to server").count(), 1, "{text}");
    });
}
