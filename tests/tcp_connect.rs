//! TCP connect: addresses and host names, refused connections, racing attempts, cancellation.

#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::io::{ErrorKind, Read};
use std::net::{self, IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{
    ConnectError, ConnectOptions, ListenOptions, TcpListener, TcpStream, lookup_host,
};
use evloop::time::{now, sleep, timeout};
use evloop::{Handle, Runtime};
use futures::channel::oneshot;
use futures::poll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Runs a test in a process of its own.
#[allow(unreachable_pub)]
mod alone;

/// A directory for the files of one test.
mod temp_dir;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// The time after which the next attempt starts beside one that has not completed.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

fn listen() -> (net::TcpListener, SocketAddr) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Returns an address where no socket listens. The bound socket reserves the address.
fn refusing() -> (OwnedFd, SocketAddr) {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let kind = SocketType::STREAM;
    let socket = rustix::net::socket_with(AddressFamily::INET, kind, flags, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = rustix::net::getsockname(&socket).unwrap();
    (socket, addr.try_into().unwrap())
}

/// An address that never answers: the backlog of its listener is full, so SYNs are dropped.
struct BlackHole {
    addr: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<OwnedFd>,
}

impl BlackHole {
    async fn new() -> BlackHole {
        let options = ListenOptions { backlog: 0, ..ListenOptions::default() };
        let listener = TcpListener::bind_with("127.0.0.1:0", &options).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let flags = SocketFlags::CLOEXEC;
        let socket = || {
            let kind = SocketType::STREAM;
            rustix::net::socket_with(AddressFamily::INET, kind, flags, None).unwrap()
        };
        let queued = socket();
        rustix::net::connect(&queued, &addr).unwrap();
        BlackHole { addr, _listener: listener, _queued: vec![queued] }
    }
}

/// Returns the number of open descriptors of this process.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits shortly, several times: the first short wait of a loop opens its timer. A sleep that is
/// due before the loop waits, because the thread was suspended, does not.
async fn open_timer() {
    for _ in 0..20 {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits for one turn of the loop: all events that the selector has are handled.
async fn turn_once() {
    let (done, turned) = oneshot::channel();
    // A call from another thread runs after the selector was polled.
    Handle::current().call_threadsafe(move || done.send(()).unwrap());
    turned.await.unwrap();
}

#[test]
fn connects_to_every_kind_of_address() {
    run(async {
        let (listener, addr) = listen();
        let port = addr.port();
        let SocketAddr::V4(v4) = addr else { panic!("{addr}") };
        let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
        let streams = [
            TcpStream::connect(addr).await,
            TcpStream::connect(v4).await,
            TcpStream::connect(&[addr][..]).await,
            TcpStream::connect((ip, port)).await,
            TcpStream::connect(("127.0.0.1", port)).await,
            TcpStream::connect((String::from("127.0.0.1"), port)).await,
            TcpStream::connect(("localhost", port)).await,
            TcpStream::connect(addr.to_string()).await,
            TcpStream::connect(&addr.to_string()).await,
            TcpStream::connect(format!("127.0.0.1:{port}").as_str()).await,
            TcpStream::connect(format!("localhost:{port}")).await,
        ];
        for stream in streams {
            let stream = stream.unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(stream.local_addr().unwrap(), peer);
            assert_eq!(stream.peer_addr().unwrap(), addr);
        }
    });
}

#[test]
fn a_connected_stream_is_writable_at_once() {
    run(async {
        let (listener, addr) = listen();
        let stream = TcpStream::connect(addr).await.unwrap();
        assert_eq!(stream.try_write(b"at once").unwrap(), 7);
        drop(stream);
        let mut got = String::new();
        listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
        assert_eq!(got, "at once");
    });
}

#[test]
fn the_error_of_a_refused_connection_names_the_address() {
    run(async {
        let (_socket, addr) = refusing();
        let error = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn the_error_of_an_invalid_address_shows_the_format() {
    run(async {
        for text in ["nonsense", "127.0.0.1", ":80", "localhost:http", ""] {
            let error = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("write host:port"), "{error}");
        }
        let error = TcpStream::connect(&[][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn the_error_of_an_unknown_host_names_the_host() {
    run(async {
        let error = TcpStream::connect("no.such.host.invalid:80").await.unwrap_err();
        assert!(error.to_string().contains("\"no.such.host.invalid\" was not found"), "{error}");
    });
}

#[test]
fn lookup_host_returns_the_addresses_of_every_target() {
    run(async {
        let expected = SocketAddr::from(([127, 0, 0, 1], 80));
        let SocketAddr::V4(v4) = expected else { panic!("{expected}") };
        let v4: SocketAddrV4 = v4;
        let one = [
            lookup_host("127.0.0.1:80").await,
            lookup_host(("127.0.0.1", 80)).await,
            lookup_host(expected).await,
            lookup_host(v4).await,
        ];
        for addrs in one {
            assert_eq!(addrs.unwrap().collect::<Vec<_>>(), [expected]);
        }
        let six = lookup_host("[::1]:80").await.unwrap().next();
        assert_eq!(six.unwrap(), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 80)));
        #[cfg(target_os = "linux")]
        {
            let zone = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
            let zoned = lookup_host("[fe80::1%lo]:80").await.unwrap().next().unwrap();
            assert_eq!(zoned.to_string(), format!("[fe80::1%{}]:80", zone.trim()));
        }
        let many = lookup_host(&[expected, six.unwrap()][..]).await.unwrap();
        assert_eq!(many.collect::<Vec<_>>(), [expected, six.unwrap()]);
        let mut named = lookup_host("localhost:80").await.unwrap();
        assert!(named.all(|addr| addr.ip().is_loopback() && addr.port() == 80));
        let error = lookup_host("localhost").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn lookup_host_returns_each_address_once() {
    run(async {
        let addrs: Vec<_> = lookup_host("localhost:80").await.unwrap().collect();
        let mut once = addrs.clone();
        once.sort();
        once.dedup();
        assert_eq!(addrs.len(), once.len(), "{addrs:?}");
    });
}

/// The resolver reads aliases from the file that HOSTALIASES names. Here the file is a FIFO without
/// a writer, so the lookup never ends.
#[test]
fn a_lookup_that_never_ends_does_not_block_the_loop() {
    let name = "a_lookup_that_never_ends_does_not_block_the_loop";
    let dir = temp_dir::Dir::new();
    let pipe = dir.fifo("hostaliases");
    if let Some(output) = alone::run_with(name, &[("HOSTALIASES", pipe.to_str().unwrap())]) {
        assert!(output.status.success(), "{output:?}");
        return;
    }
    run(async {
        let ticks = Rc::new(Cell::new(0));
        let ticking = ticks.clone();
        let ticker = evloop::spawn(async move {
            for _ in 0..20 {
                evloop::time::sleep(Duration::from_millis(1)).await;
                ticking.set(ticking.get() + 1);
            }
        });
        let mut connect = Box::pin(TcpStream::connect("nowhere:80"));
        assert!(poll!(&mut connect).is_pending());
        ticker.await.unwrap();
        assert!(poll!(&mut connect).is_pending(), "this resolver does not read HOSTALIASES");
        assert_eq!(ticks.get(), 20);
    });
}

/// Connects in turns of at most a millisecond, and returns the number of turns. A slow machine
/// makes fewer turns, not more.
fn connect_in_turns(runtime: &mut Runtime, addrs: Vec<SocketAddr>) -> (TcpStream, usize) {
    connect_in_turns_with(runtime, addrs, ConnectOptions::default())
}

fn connect_in_turns_with(
    runtime: &mut Runtime,
    addrs: Vec<SocketAddr>,
    options: ConnectOptions,
) -> (TcpStream, usize) {
    let task = runtime.spawn(async move { TcpStream::connect_with(&addrs[..], &options).await });
    let mut turns = 0;
    while !task.is_finished() {
        runtime.turn(Some(Duration::from_millis(1))).unwrap();
        turns += 1;
    }
    (runtime.block_on(task).unwrap().unwrap(), turns)
}

#[test]
fn a_refusal_starts_the_next_attempt_at_once() {
    let mut runtime = Runtime::new().unwrap();
    let ((_socket, refusing), (listener, addr)) = (refusing(), listen());
    let (stream, turns) = connect_in_turns(&mut runtime, vec![refusing, addr]);
    assert_eq!(stream.peer_addr().unwrap(), addr);
    assert_eq!(stream.local_addr().unwrap(), listener.accept().unwrap().1);
    assert!(turns < 100, "it waited for the delay of an attempt: {turns} turns");
}

#[test]
fn the_error_lists_every_refused_address() {
    run(async {
        let sockets = [refusing(), refusing(), refusing()];
        let addrs = sockets.each_ref().map(|(_, addr)| *addr);
        let error = TcpStream::connect(&addrs[..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(addrs.iter().all(|addr| error.to_string().contains(&addr.to_string())), "{error}");
        let failures = &ConnectError::of(&error).unwrap().failures;
        for ((addr, error), expected) in failures.iter().zip(addrs) {
            assert_eq!(
                (*addr, error.raw_os_error()),
                (expected, Some(Errno::CONNREFUSED.raw_os_error()))
            );
        }
        assert_eq!(failures.len(), 3);
    });
}

#[test]
fn connects_from_the_given_local_address() {
    if !alone::is_here("connects_from_the_given_local_address") {
        return;
    }
    run(async {
        let (listener, addr) = listen();
        let from = |ip: &str, port| ConnectOptions {
            local_addr: Some(SocketAddr::new(ip.parse().unwrap(), port)),
            ..ConnectOptions::default()
        };
        let before = descriptors();
        let stream = TcpStream::connect_with(addr, &from("127.0.0.9", 0)).await.unwrap();
        let (mut peer, peer_addr) = listener.accept().unwrap();
        assert_eq!(peer_addr, stream.local_addr().unwrap());
        assert_eq!(peer_addr.ip(), IpAddr::from([127, 0, 0, 9]));
        stream.write_all(b"x").await.unwrap();
        peer.read_exact(&mut [0]).unwrap();

        let taken = TcpStream::connect_with(addr, &from("127.0.0.9", peer_addr.port())).await;
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
        let unassigned = TcpStream::connect_with(addr, &from("192.0.2.1", 0)).await.unwrap_err();
        assert_eq!(unassigned.kind(), ErrorKind::AddrNotAvailable);
        assert!(unassigned.to_string().contains("could not bind to 192.0.2.1:0"), "{unassigned}");
        // Addresses of another family are skipped.
        let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], addr.port()));
        TcpStream::connect_with(&[v6, addr][..], &from("127.0.0.9", 0)).await.unwrap();
        let none = TcpStream::connect_with(v6, &from("127.0.0.9", 0)).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::InvalidInput);
        drop((stream, peer));
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn attempt_delay_of_the_options_is_used() {
    let mut runtime = Runtime::new().unwrap();
    let (hole, (listener, addr)) = (runtime.block_on(BlackHole::new()), listen());
    let options = ConnectOptions { attempt_delay: Duration::ZERO, ..Default::default() };
    let (_stream, turns) = connect_in_turns_with(&mut runtime, vec![hole.addr, addr], options);
    assert!(turns < 100, "it waited for the default delay of an attempt: {turns} turns");
    listener.accept().unwrap();
}

#[test]
#[cfg(feature = "lookup-addr")]
fn lookup_addr_returns_the_host_name() {
    use evloop::net;
    run(async {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let name = net::lookup_addr(local).await.unwrap();
        assert_eq!(name, net::lookup_addr(SocketAddr::new(local, 80)).await.unwrap());
        // The name is a name of this machine.
        let addrs = lookup_host((name, 80)).await.unwrap();
        assert!(addrs.collect::<Vec<_>>().iter().any(|addr| addr.ip().is_loopback()));
    });
}

#[test]
fn an_unanswered_attempt_starts_the_next_after_250_ms() {
    if !alone::is_here("an_unanswered_attempt_starts_the_next_after_250_ms") {
        return;
    }
    run(async {
        let (hole, (listener, addr)) = (BlackHole::new().await, listen());
        open_timer().await;
        let before = descriptors();
        let begin = now();
        let stream = TcpStream::connect(&[hole.addr, addr][..]).await.unwrap();
        assert!(now() - begin >= ATTEMPT_DELAY);
        assert_eq!(stream.peer_addr().unwrap(), addr);
        assert_eq!(stream.local_addr().unwrap(), listener.accept().unwrap().1);
        assert_eq!(descriptors(), before + 1, "the first attempt was closed");
    });
}

#[test]
fn a_refusal_beside_a_pending_attempt_starts_the_next_at_once() {
    let mut runtime = Runtime::new().unwrap();
    let hole = runtime.block_on(BlackHole::new());
    let ((_socket, refusing), (listener, addr)) = (refusing(), listen());
    let (stream, turns) = connect_in_turns(&mut runtime, vec![hole.addr, refusing, addr]);
    assert_eq!(stream.local_addr().unwrap(), listener.accept().unwrap().1);
    assert!(turns < 400, "it waited for the delays of two attempts: {turns} turns");
}

#[test]
fn a_dropped_connect_closes_its_sockets() {
    if !alone::is_here("a_dropped_connect_closes_its_sockets") {
        return;
    }
    run(async {
        let (hole, hole_too) = (BlackHole::new().await, BlackHole::new().await);
        let addrs = [hole.addr, hole_too.addr];
        // The second attempt never starts beside the first, however long the thread is suspended.
        let one = ConnectOptions { attempt_delay: LIMIT, ..Default::default() };
        open_timer().await;
        let before = descriptors();
        for _ in 0..100 {
            let mut connect = pin!(TcpStream::connect_with(&addrs[..], &one));
            assert!(poll!(&mut connect).is_pending());
            turn_once().await;
            assert!(poll!(&mut connect).is_pending());
            assert_eq!(descriptors(), before + 1);
        }
        let both = ATTEMPT_DELAY + Duration::from_millis(50);
        timeout(both, TcpStream::connect(&addrs[..])).await.unwrap_err();
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_failed_connect_leaks_no_descriptor() {
    if !alone::is_here("a_failed_connect_leaks_no_descriptor") {
        return;
    }
    run(async {
        let (_socket, addr) = refusing();
        let before = descriptors();
        for _ in 0..100 {
            let error = TcpStream::connect(&[addr, addr][..]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_thousand_connects_at_once() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connects: Vec<_> = (0..1000).map(|_| evloop::spawn(TcpStream::connect(addr))).collect();
        let mut accepted = Vec::new();
        while accepted.len() < 1000 {
            accepted.push(listener.accept().await.unwrap());
        }
        let mut ports: Vec<_> = accepted.iter().map(|(_, peer)| peer.port()).collect();
        let mut expected = Vec::new();
        for connect in connects {
            expected.push(connect.await.unwrap().unwrap().local_addr().unwrap().port());
        }
        ports.sort();
        expected.sort();
        assert_eq!(ports, expected);
    });
}

/// Checks the helper: a connect to a black hole stays pending.
#[test]
fn a_black_hole_does_not_answer() {
    run(async {
        let hole = BlackHole::new().await;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let kind = SocketType::STREAM;
        let socket = rustix::net::socket_with(AddressFamily::INET, kind, flags, None).unwrap();
        assert_eq!(rustix::net::connect(&socket, &hole.addr), Err(Errno::INPROGRESS));
        let mut connect = pin!(TcpStream::connect(hole.addr));
        for _ in 0..10 {
            assert!(poll!(&mut connect).is_pending());
            turn_once().await;
        }
    });
}
