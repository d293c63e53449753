//! Several UDP datagrams in one call: their order, partial sends, errors, waiting.

#![cfg(target_os = "linux")]

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use evloop::net::{Truncated, UdpSocket};
use evloop::time::timeout;
use futures::poll;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// More than the longest UDP datagram.
const TOO_LONG: usize = 70_000;

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

async fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

async fn send_all<B: AsRef<[u8]>>(
    socket: &UdpSocket,
    mut left: &[(B, SocketAddr)],
) -> io::Result<()> {
    while !left.is_empty() {
        left = &left[socket.send_many(left).await?..];
    }
    Ok(())
}

#[test]
fn datagrams_arrive_whole_and_in_order() {
    run(async {
        let ((sender, from), (receiver, to)) = (udp().await, udp().await);
        let datagrams: Vec<_> = (0..100u8).map(|i| (vec![i; i.into()], to)).collect();
        send_all(&sender, &datagrams).await.unwrap();
        let mut bufs = vec![[0; 128]; 30];
        let mut arrived = Vec::new();
        for expected in [30, 30, 30, 10] {
            let mut received = Vec::new();
            assert_eq!(receiver.recv_many(&mut bufs, &mut received).await.unwrap(), expected);
            assert!(received.iter().all(|(_, sender)| *sender == from));
            arrived.extend(bufs.iter().zip(received).map(|(buf, (n, _))| buf[..n].to_vec()));
        }
        assert!(arrived.iter().eq(datagrams.iter().map(|(datagram, _)| datagram)));
    });
}

#[test]
fn each_datagram_reaches_its_own_address() {
    run(async {
        let sender = UdpSocket::bind("[::]:0").await.unwrap();
        let six = UdpSocket::bind("[::1]:0").await.unwrap();
        let other = UdpSocket::bind("[::1]:0").await.unwrap();
        let addrs = [six.local_addr().unwrap(), other.local_addr().unwrap()];
        send_all(&sender, &[("six", addrs[0]), ("other", addrs[1])]).await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(six.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(other.recv(&mut buf).await.unwrap(), 5);
    });
}

#[test]
fn a_send_stops_before_a_datagram_that_cannot_be_sent() {
    run(async {
        let ((sender, _), (receiver, to)) = (udp().await, udp().await);
        let datagrams = [1, 2, TOO_LONG, 3].map(|n| (vec![0; n], to));
        assert_eq!(sender.send_many(&datagrams).await.unwrap(), 2);
        let error = sender.send_many(&datagrams[2..]).await.unwrap_err();
        assert!(error.to_string().contains(&format!("70000 bytes to {to}")), "{error}");
        assert_eq!(sender.try_send_many(&datagrams[3..]).unwrap(), 1);
        let (mut bufs, mut received) = ([[0; 8]; 4], Vec::new());
        assert_eq!(receiver.recv_many(&mut bufs, &mut received).await.unwrap(), 3);
        assert!(received.iter().map(|(n, _)| *n).eq([1, 2, 3]));
    });
}

#[test]
fn datagrams_received_before_an_error_are_kept() {
    run(async {
        let ((sender, from), (receiver, to)) = (udp().await, udp().await);
        let datagrams = ["one", "three", "two"].map(|text| (text, to));
        send_all(&sender, &datagrams).await.unwrap();
        let (mut bufs, mut received) = ([[0; 4]; 4], Vec::new());
        let error = receiver.recv_many(&mut bufs, &mut received).await.unwrap_err();
        assert_eq!(Truncated::of(&error).unwrap().length, Some(5));
        assert_eq!(received, [(3, from)]);
        assert_eq!(receiver.recv_many(&mut bufs, &mut received).await.unwrap(), 1);
        assert_eq!(received, [(3, from), (3, from)]);
    });
}

#[test]
fn a_receive_waits_for_the_first_datagram_and_loses_none_if_it_is_dropped() {
    run(async {
        let ((sender, from), (receiver, to)) = (udp().await, udp().await);
        let (mut bufs, mut received) = ([[0; 8]; 4], Vec::new());
        let error = receiver.try_recv_many(&mut bufs, &mut received).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        for round in 1..=3 {
            // An earlier round has found the queue empty.
            assert!(poll!(Box::pin(receiver.recv_many(&mut bufs, &mut received))).is_pending());
            send_all(&sender, &[("one", to), ("two", to)]).await.unwrap();
            assert_eq!(receiver.recv_many(&mut bufs, &mut received).await.unwrap(), 2);
            assert_eq!(received.len(), 2 * round);
        }
        assert!(received.iter().all(|datagram| *datagram == (3, from)));
    });
}

#[test]
fn no_datagrams_and_no_buffers_need_no_waiting() {
    run(async {
        let (socket, _) = udp().await;
        assert_eq!(socket.send_many::<&[u8]>(&[]).await.unwrap(), 0);
        assert_eq!(socket.recv_many::<[u8; 8]>(&mut [], &mut Vec::new()).await.unwrap(), 0);
    });
}
