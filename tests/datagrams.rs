//! UDP and Unix datagram sockets: lengths, truncation, order, refusals, addresses, options.

#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::rc::Rc;
use std::time::Duration;

use evloop::Runtime;
use evloop::net::{Truncated, UdpSocket, UnixDatagram};
use evloop::time::timeout;
use futures::poll;
use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketType};

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const LOCAL: &str = "127.0.0.1:0";

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

async fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(LOCAL).await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Returns two sockets that are connected to each other.
async fn udp_pair() -> (UdpSocket, UdpSocket) {
    let ((one, first), (other, second)) = (udp().await, udp().await);
    one.connect(second).await.unwrap();
    other.connect(first).await.unwrap();
    (one, other)
}

/// Returns a socket that holds a port and takes datagrams from itself only: the system refuses all
/// others.
fn refusing() -> (net::UdpSocket, SocketAddr) {
    let socket = net::UdpSocket::bind(LOCAL).unwrap();
    let addr = socket.local_addr().unwrap();
    socket.connect(addr).unwrap();
    (socket, addr)
}

/// Blocks until the system reports all of `flags` for a socket. The loop handles no event.
fn wait_for_flags(socket: impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(&socket, flags)];
    while !fds[0].revents().contains(flags) {
        rustix::event::poll(&mut fds, None).unwrap();
    }
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 251 + i) as u8).collect()
}

fn is_nonblocking(fd: impl AsFd) -> bool {
    let info = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let info = fs::read_to_string(info).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap() & 0o4000 != 0
}

#[test]
fn datagrams_of_every_length_arrive_whole() {
    const LONGEST: usize = 65_507;
    run(async {
        let (one, other) = udp_pair().await;
        let mut buf = vec![0; 65_536];
        for len in [0, 1, 1472, 1473, 9000, LONGEST] {
            let data = pattern(len);
            assert_eq!(one.send(&data).await.unwrap(), len);
            let (n, from) = other.recv_from(&mut buf).await.unwrap();
            assert_eq!((n, from), (len, one.local_addr().unwrap()));
            assert!(buf[..n] == data[..]);
        }
        let error = one.send(&pattern(LONGEST + 1)).await.unwrap_err();
        let number = Some(rustix::io::Errno::MSGSIZE.raw_os_error());
        assert_eq!(evloop::io::raw_os_error(&error), number);
        // The socket stays usable.
        assert_eq!(one.send(b"x").await.unwrap(), 1);
        assert_eq!(other.recv(&mut buf).await.unwrap(), 1);
    });
}

#[test]
fn an_empty_datagram_is_not_the_end() {
    run(async {
        let ((one, addr), (other, _)) = (udp().await, udp().await);
        for message in ["", "a", "", ""] {
            other.send_to(message.as_bytes(), addr).await.unwrap();
        }
        let mut buf = [0; 2];
        for length in [0, 1, 0, 0] {
            assert_eq!(one.recv(&mut buf).await.unwrap(), length);
        }
        other.send_to(b"", addr).await.unwrap();
        assert_eq!(one.recv(&mut []).await.unwrap(), 0, "an empty datagram is not truncated");
    });
}

/// Checks the error of a receive of 5 bytes into a buffer of `filled` bytes.
fn assert_truncated(result: io::Result<usize>, filled: usize) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(Truncated::of(&error), Some(&Truncated { filled, length: Some(5) }));
    let message =
        format!("a datagram of 5 bytes was truncated to the {filled} bytes of the buffer");
    assert_eq!(error.to_string(), message);
}

#[test]
fn truncation_is_reported() {
    run(async {
        let (one, other) = udp_pair().await;
        let (left, right) = UnixDatagram::pair().unwrap();
        for _ in 0..3 {
            one.send(b"12345").await.unwrap();
            left.send(b"12345").await.unwrap();
        }
        one.send(b"678").await.unwrap();
        left.send(b"678").await.unwrap();
        let mut buf = [0; 3];
        assert_eq!(other.peek(&mut buf).await.unwrap(), 3, "a peek loses nothing");
        assert_truncated(other.recv(&mut buf).await, 3);
        assert_eq!(&buf, b"123");
        assert_truncated(other.recv_from(&mut buf[..1]).await.map(|(n, _)| n), 1);
        assert_truncated(other.recv(&mut []).await, 0);
        assert_eq!(other.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf, b"678");

        assert_eq!(right.peek(&mut buf).await.unwrap(), 3);
        assert_truncated(right.recv(&mut buf).await, 3);
        assert_truncated(right.try_recv(&mut buf[..1]), 1);
        assert_truncated(right.recv(&mut []).await, 0);
        assert_eq!(right.recv(&mut buf).await.unwrap(), 3);
    });
}

#[test]
fn peek_consumes_nothing() {
    run(async {
        let (one, addr) = udp().await;
        let (other, from) = udp().await;
        let mut buf = [0; 8];
        let mut peek = Box::pin(one.peek_from(&mut buf));
        assert!(poll!(&mut peek).is_pending());
        other.send_to(b"abc", addr).await.unwrap();
        assert_eq!(peek.await.unwrap(), (3, from));
        assert_eq!(one.peek(&mut buf).await.unwrap(), 3);
        assert_eq!(one.recv_from(&mut buf).await.unwrap(), (3, from));
        assert_eq!(kind(one.try_recv(&mut buf)), Some(ErrorKind::WouldBlock));
    });
}

#[test]
fn a_refusal_is_reported_and_the_socket_stays_usable() {
    run(async {
        let (socket, addr) = udp().await;
        let (_refusing, refusing_addr) = refusing();
        socket.connect(refusing_addr).await.unwrap();
        let mut buf = [0; 8];
        for _ in 0..3 {
            socket.send(b"?").await.unwrap();
            let refused = socket.recv(&mut buf).await;
            assert_eq!(kind(refused), Some(ErrorKind::ConnectionRefused));
        }
        // A waiting receive reports it too.
        {
            let mut wait = Box::pin(socket.recv(&mut buf));
            assert!(poll!(&mut wait).is_pending());
            socket.send(b"?").await.unwrap();
            assert_eq!(kind(wait.await), Some(ErrorKind::ConnectionRefused));
        }
        let (other, other_addr) = udp().await;
        socket.connect(other_addr).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), other_addr);
        other.send_to(b"yes", addr).await.unwrap();
        assert_eq!(socket.recv(&mut buf).await.unwrap(), 3);
        // It receives no datagrams from other addresses.
        udp().await.0.send_to(b"no", addr).await.unwrap();
        other.send_to(b"again", addr).await.unwrap();
        assert_eq!(socket.recv(&mut buf).await.unwrap(), 5);
    });
}

#[test]
fn send_without_connect_is_an_error() {
    run(async {
        let (socket, _) = udp().await;
        let error = socket.send(b"x").await.unwrap_err();
        let number = Some(rustix::io::Errno::DESTADDRREQ.raw_os_error());
        assert_eq!(evloop::io::raw_os_error(&error), number);
        assert_eq!(kind(socket.peer_addr()), Some(ErrorKind::NotConnected));
    });
}

#[test]
fn names_resolve_to_the_address_family_of_the_socket() {
    run(async {
        let (socket, addr) = udp().await;
        let (other, _) = udp().await;
        other.send_to(b"to a name", ("localhost", addr.port())).await.unwrap();
        other.send_to(b"to a text", format!("127.0.0.1:{}", addr.port())).await.unwrap();
        // The first address has another family.
        let both = [SocketAddr::from((Ipv6Addr::LOCALHOST, addr.port())), addr];
        other.send_to(b"to a list", &both[..]).await.unwrap();
        other.connect(&both[..]).await.unwrap();
        assert_eq!(other.peer_addr().unwrap(), addr);
        for _ in 0..3 {
            assert_eq!(socket.recv(&mut [0; 16]).await.unwrap(), 9);
        }
        assert_eq!(kind(other.send_to(b"", "nowhere").await), Some(ErrorKind::InvalidInput));
    });
}

#[test]
fn the_error_of_a_failed_bind_names_the_address() {
    run(async {
        let (_socket, addr) = udp().await;
        let error = UdpSocket::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn sends_to_ipv6_with_a_scope() {
    run(async {
        let socket = UdpSocket::bind("[::1]:0").await.unwrap();
        let SocketAddr::V6(mut addr) = socket.local_addr().unwrap() else { panic!() };
        addr.set_scope_id(1);
        socket.send_to(b"x", addr).await.unwrap();
        assert_eq!(socket.recv(&mut [0; 2]).await.unwrap(), 1);
    });
}

#[test]
fn options_are_set_and_returned() {
    run(async {
        let (socket, _) = udp().await;
        assert!(!socket.broadcast().unwrap());
        assert!(socket.send_to(b"x", "255.255.255.255:9").await.is_err());
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(7).unwrap();
        assert_eq!(socket.ttl().unwrap(), 7);
        socket.set_multicast_ttl_v4(3).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
        assert!(socket.multicast_loop_v4().unwrap());
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(!socket.multicast_loop_v4().unwrap());
        let v6 = UdpSocket::bind("[::1]:0").await.unwrap();
        v6.set_multicast_loop_v6(false).unwrap();
        assert!(!v6.multicast_loop_v6().unwrap());
    });
}

/// Returns a socket that shares its port.
fn member(port: u16) -> UdpSocket {
    let fd = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
    set_socket_reuseaddr(&fd, true).unwrap();
    rustix::net::bind(&fd, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).unwrap();
    UdpSocket::from_std(fd.into()).unwrap()
}

#[test]
fn members_of_a_multicast_group_receive_its_datagrams() {
    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 77);
    run(async {
        let one = member(0);
        let port = one.local_addr().unwrap().port();
        let other = member(port);
        let members = [&one, &other];
        for member in members {
            member.join_multicast_v4(GROUP, Ipv4Addr::LOCALHOST).unwrap();
        }
        let twice = one.join_multicast_v4(GROUP, Ipv4Addr::LOCALHOST);
        assert_eq!(kind(twice), Some(ErrorKind::AddrInUse));
        let sender = net::UdpSocket::bind(LOCAL).unwrap();
        rustix::net::sockopt::set_ip_multicast_if(&sender, &Ipv4Addr::LOCALHOST).unwrap();
        sender.send_to(b"all", (GROUP, port)).unwrap();
        for member in members {
            assert_eq!(member.recv(&mut [0; 8]).await.unwrap(), 3);
        }
        one.leave_multicast_v4(GROUP, Ipv4Addr::LOCALHOST).unwrap();
        assert!(one.leave_multicast_v4(GROUP, Ipv4Addr::LOCALHOST).is_err());
    });
}

#[test]
fn each_waiting_task_receives_one_datagram_and_an_aborted_task_none() {
    let mut runtime = Runtime::new().unwrap();
    let (socket, addr) = runtime.block_on(udp());
    let socket = Rc::new(socket);
    let receive = |socket: Rc<UdpSocket>| async move { socket.recv(&mut [0; 8]).await };
    let mut tasks: Vec<_> = (0..4).map(|_| runtime.spawn(receive(socket.clone()))).collect();
    let mut turn = || runtime.turn(Some(Duration::ZERO)).unwrap().polled;
    assert_eq!(turn(), 4);
    while turn() > 0 {}
    tasks.remove(1).abort();
    assert_eq!(turn(), 0);
    let sender = net::UdpSocket::bind(LOCAL).unwrap();
    sender.send_to(b"1", addr).unwrap();
    wait_for_flags(&*socket, PollFlags::IN);
    assert_eq!(turn(), 3);
    assert_eq!(tasks.iter().filter(|task| task.is_finished()).count(), 1);
    // A short datagram does not mean that the socket is drained.
    sender.send_to(b"2", addr).unwrap();
    sender.send_to(b"3", addr).unwrap();
    wait_for_flags(&*socket, PollFlags::IN);
    assert_eq!(turn(), 2);
    assert!(tasks.iter().all(|task| task.is_finished()));
}

#[test]
fn a_dropped_receive_loses_no_datagram() {
    run(async {
        let (socket, addr) = udp().await;
        let mut buf = [0; 8];
        for _ in 0..100 {
            let mut receive = Box::pin(socket.recv_from(&mut buf));
            assert!(poll!(&mut receive).is_pending());
        }
        let sender = net::UdpSocket::bind(LOCAL).unwrap();
        sender.send_to(b"kept", addr).unwrap();
        wait_for_flags(&socket, PollFlags::IN);
        drop(Box::pin(socket.recv(&mut buf)));
        socket.readable().await.unwrap();
        assert_eq!(socket.try_recv_from(&mut buf).unwrap(), (4, sender.local_addr().unwrap()));
    });
}

#[test]
fn into_std_restores_the_original_mode() {
    run(async {
        for nonblocking in [false, true] {
            let socket = net::UdpSocket::bind(LOCAL).unwrap();
            socket.set_nonblocking(nonblocking).unwrap();
            let socket = UdpSocket::from_std(socket).unwrap();
            assert!(is_nonblocking(&socket));
            assert_eq!(is_nonblocking(socket.into_std().unwrap()), nonblocking);
            let (socket, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
            socket.set_nonblocking(nonblocking).unwrap();
            let socket = UnixDatagram::from_std(socket).unwrap();
            assert!(is_nonblocking(&socket));
            assert_eq!(is_nonblocking(socket.into_std().unwrap()), nonblocking);
        }
    });
}

/// A path for a Unix socket. Dropping it removes the file.
struct Temporary(std::path::PathBuf);

impl Temporary {
    fn new(name: &str) -> Temporary {
        Temporary(env::temp_dir().join(format!("evloop-{name}-{}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn unix_datagrams_by_path_and_by_abstract_name() {
    let file = Temporary::new("datagram");
    let name = format!("\0evloop-datagram-{}", std::process::id());
    run(async {
        let (one, other) =
            (UnixDatagram::bind(&file.0).unwrap(), UnixDatagram::bind(&name).unwrap());
        let nameless = UnixDatagram::unbound().unwrap();
        let mut buf = [0; 8];
        one.send_to(b"a", &name).await.unwrap();
        let (n, from) = other.recv_from(&mut buf).await.unwrap();
        assert_eq!((n, from.as_pathname()), (1, Some(&*file.0)));
        other.send_to(b"bc", &file.0).await.unwrap();
        let (n, from) = one.recv_from(&mut buf).await.unwrap();
        assert_eq!((n, from.as_abstract_name()), (2, Some(&name.as_bytes()[1..])));
        nameless.connect(&file.0).unwrap();
        nameless.send(b"def").await.unwrap();
        let (n, from) = one.recv_from(&mut buf).await.unwrap();
        assert_eq!((n, from.is_unnamed()), (3, true));
        nameless.connect(&name).unwrap();
        nameless.send(b"").await.unwrap();
        assert_eq!(other.recv(&mut buf).await.unwrap(), 0);

        let taken = UnixDatagram::bind(&file.0).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().contains("remove it first"), "{taken}");
        drop(one);
        let closed = nameless.send_to(b"x", &file.0).await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::ConnectionRefused);
        assert!(closed.to_string().contains(file.0.to_str().unwrap()), "{closed}");
    });
}

/// Sends until the queue is full. Returns the number of datagrams.
fn fill(mut send: impl FnMut() -> io::Result<usize>) -> usize {
    let mut sent = 0;
    loop {
        match send() {
            Ok(_) => sent += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn send_waits_for_a_full_unix_socket() {
    let file = Temporary::new("full-datagram");
    run(async {
        let receiver = UnixDatagram::bind(&file.0).unwrap();
        let (connected, free) =
            (UnixDatagram::unbound().unwrap(), UnixDatagram::unbound().unwrap());
        connected.connect(&file.0).unwrap();
        let mut sent = fill(|| free.try_send_to(b"x", &file.0));
        assert_eq!(fill(|| connected.try_send(b"x")), 0);
        let mut by_name = Box::pin(free.send_to(b"x", &file.0));
        let mut by_connection = Box::pin(connected.send(b"x"));
        for _ in 0..3 {
            assert!(poll!(&mut by_name).is_pending());
            assert!(poll!(&mut by_connection).is_pending());
            evloop::task::yield_now().await;
        }
        receiver.recv(&mut [0]).await.unwrap();
        by_connection.await.unwrap();
        receiver.recv(&mut [0]).await.unwrap();
        by_name.await.unwrap();
        while receiver.try_recv(&mut [0]).is_ok() {
            sent -= 1;
        }
        assert_eq!(sent, 0, "all datagrams arrived: the first ones, and two for the two received");
    });
}

#[test]
fn unix_datagrams_arrive_in_order_and_none_is_lost() {
    run(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let send = evloop::spawn(async move {
            for i in 0..5000u32 {
                one.send(&i.to_le_bytes()).await.unwrap();
            }
        });
        for i in 0..5000u32 {
            let mut buf = [0; 8];
            assert_eq!(other.recv(&mut buf).await.unwrap(), 4);
            assert_eq!(buf[..4], i.to_le_bytes());
        }
        send.await.unwrap();
    });
}

#[test]
fn after_the_end_of_its_loop_a_socket_returns_not_connected() {
    let (socket, _) = run(udp());
    run(async {
        assert_eq!(kind(socket.recv(&mut [0]).await), Some(ErrorKind::NotConnected));
        assert_eq!(kind(socket.send_to(b"x", LOCAL).await), Some(ErrorKind::NotConnected));
    });
}

#[test]
fn a_socket_that_stays_hung_up_waits_for_the_next_datagram() {
    run(async {
        let (one, other) = udp_pair().await;
        rustix::net::shutdown(&one, rustix::net::Shutdown::Both).unwrap();
        wait_for_flags(&one, PollFlags::HUP);
        let mut buf = [0; 8];
        for round in 0..3 {
            let mut receiving = Box::pin(one.recv(&mut buf));
            for _ in 0..3 {
                assert!(poll!(&mut receiving).is_pending(), "round {round}");
                evloop::task::yield_now().await;
            }
            other.send(b"x").await.unwrap();
            assert_eq!(receiving.await.unwrap(), 1);
        }
    });
}
