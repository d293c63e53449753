//! Connecting: by address and by name, refused, racing, given up.

#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::env;
use std::fs;
use std::future::Future;
use std::io::{ErrorKind, Read};
use std::net::{self, IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use evloop::net::{
    ConnectError, ConnectOptions, ListenOptions, TcpListener, TcpStream, lookup_host,
};
use evloop::time::timeout;
use evloop::{Handle, Runtime};
use futures::channel::oneshot;
use futures::poll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// How long an attempt has before the next begins beside it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

fn listen() -> (net::TcpListener, SocketAddr) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// An address where nobody listens. The socket keeps it from being given to another.
fn refusing() -> (OwnedFd, SocketAddr) {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let kind = SocketType::STREAM;
    let socket = rustix::net::socket_with(AddressFamily::INET, kind, flags, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = rustix::net::getsockname(&socket).unwrap();
    (socket, addr.try_into().unwrap())
}

/// An address that never answers: its listener's queue is full, so SYNs are dropped.
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

/// The descriptors of this process.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// One turn of the loop: whatever the selector has to tell is taken in.
async fn turn_once() {
    let (done, turned) = oneshot::channel();
    // What was called from outside begins after the selector was asked.
    Handle::current().call_threadsafe(move || done.send(()).unwrap());
    turned.await.unwrap();
}

/// Runs the test `name` in a process of its own. `true`: this is that process.
fn is_alone(name: &str, vars: &[(&str, &str)]) -> bool {
    if env::var_os("EVLOOP_ALONE").is_some() {
        return true;
    }
    let args = [name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"];
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(args).env("EVLOOP_ALONE", "1").envs(vars.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    assert!(said.contains("1 passed"), "no such test: {name}");
    false
}

#[test]
fn to_every_kind_of_address() {
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
fn a_stream_just_connected_is_ready_to_write() {
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
fn refused_names_the_address() {
    run(async {
        let (_socket, addr) = refusing();
        let error = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn no_address_says_how_to_write_one() {
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
fn an_unknown_host_is_named() {
    run(async {
        let error = TcpStream::connect("no.such.host.invalid:80").await.unwrap_err();
        assert!(error.to_string().contains("\"no.such.host.invalid\" was not found"), "{error}");
    });
}

#[test]
fn what_is_looked_up() {
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
fn a_name_is_given_once_for_each_address() {
    run(async {
        let addrs: Vec<_> = lookup_host("localhost:80").await.unwrap().collect();
        let mut once = addrs.clone();
        once.sort();
        once.dedup();
        assert_eq!(addrs.len(), once.len(), "{addrs:?}");
    });
}

/// The resolver looks for aliases in the file that HOSTALIASES names. It is a pipe that nobody
/// writes to, so the look-up never ends.
#[test]
fn a_look_up_that_never_ends_lets_the_loop_go_on() {
    const PIPE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/hostaliases");
    let name = "a_look_up_that_never_ends_lets_the_loop_go_on";
    let _ = fs::remove_file(PIPE);
    assert!(Command::new("mkfifo").arg(PIPE).status().unwrap().success());
    if !is_alone(name, &[("HOSTALIASES", PIPE)]) {
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
        assert!(poll!(&mut connect).is_pending(), "HOSTALIASES is not looked at here");
        assert_eq!(ticks.get(), 20);
    });
}

/// Connects in turns of a millisecond at most; a machine that is slow makes fewer of them, not
/// more. Returns how many there were.
fn connect_by_turns(runtime: &mut Runtime, addrs: Vec<SocketAddr>) -> (TcpStream, usize) {
    let task = runtime.spawn(async move { TcpStream::connect(&addrs[..]).await });
    let mut turns = 0;
    while !task.is_finished() {
        runtime.turn(Some(Duration::from_millis(1))).unwrap();
        turns += 1;
    }
    (runtime.block_on(task).unwrap().unwrap(), turns)
}

#[test]
fn the_second_address_at_once_when_the_first_refuses() {
    let mut runtime = Runtime::new().unwrap();
    let ((_socket, refusing), (listener, addr)) = (refusing(), listen());
    let (stream, turns) = connect_by_turns(&mut runtime, vec![refusing, addr]);
    assert_eq!(stream.peer_addr().unwrap(), addr);
    assert_eq!(stream.local_addr().unwrap(), listener.accept().unwrap().1);
    assert!(turns < 100, "it waited for the next attempt's time: {turns} turns");
}

#[test]
fn all_refuse_and_all_are_named() {
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
fn from_an_address_of_choice() {
    if !is_alone("from_an_address_of_choice", &[]) {
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
        let nobodys = TcpStream::connect_with(addr, &from("192.0.2.1", 0)).await.unwrap_err();
        assert_eq!(nobodys.kind(), ErrorKind::AddrNotAvailable);
        assert!(nobodys.to_string().contains("could not bind to 192.0.2.1:0"), "{nobodys}");
        // What is of another family is passed over.
        let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], addr.port()));
        TcpStream::connect_with(&[v6, addr][..], &from("127.0.0.9", 0)).await.unwrap();
        let none = TcpStream::connect_with(v6, &from("127.0.0.9", 0)).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::InvalidInput);
        drop((stream, peer));
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn the_next_attempt_begins_when_the_options_say() {
    run(async {
        let (hole, (listener, addr)) = (BlackHole::new().await, listen());
        let options = ConnectOptions { attempt_delay: Duration::ZERO, ..Default::default() };
        let begin = Instant::now();
        TcpStream::connect_with(&[hole.addr, addr][..], &options).await.unwrap();
        assert!(begin.elapsed() < ATTEMPT_DELAY);
        listener.accept().unwrap();
    });
}

#[test]
#[cfg(feature = "lookup-addr")]
fn names_of_addresses() {
    use evloop::net;
    run(async {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let name = net::lookup_addr(local).await.unwrap();
        assert_eq!(name, net::lookup_addr(SocketAddr::new(local, 80)).await.unwrap());
        // It is this machine's.
        let addrs = lookup_host((name, 80)).await.unwrap();
        assert!(addrs.collect::<Vec<_>>().iter().any(|addr| addr.ip().is_loopback()));
    });
}

#[test]
fn the_second_address_250_ms_after_the_first_did_not_answer() {
    if !is_alone("the_second_address_250_ms_after_the_first_did_not_answer", &[]) {
        return;
    }
    run(async {
        let (hole, (listener, addr)) = (BlackHole::new().await, listen());
        let before = descriptors();
        let begin = Instant::now();
        let stream = TcpStream::connect(&[hole.addr, addr][..]).await.unwrap();
        assert!(begin.elapsed() >= ATTEMPT_DELAY);
        assert_eq!(stream.peer_addr().unwrap(), addr);
        assert_eq!(stream.local_addr().unwrap(), listener.accept().unwrap().1);
        assert_eq!(descriptors(), before + 1, "the first attempt was closed");
    });
}

#[test]
fn a_refusal_beside_one_that_does_not_answer_makes_way_at_once() {
    let mut runtime = Runtime::new().unwrap();
    let hole = runtime.block_on(BlackHole::new());
    let ((_socket, refusing), (listener, addr)) = (refusing(), listen());
    let (stream, turns) = connect_by_turns(&mut runtime, vec![hole.addr, refusing, addr]);
    assert_eq!(stream.local_addr().unwrap(), listener.accept().unwrap().1);
    assert!(turns < 400, "it waited for the time of two attempts: {turns} turns");
}

#[test]
fn a_dropped_connect_closes_its_sockets() {
    if !is_alone("a_dropped_connect_closes_its_sockets", &[]) {
        return;
    }
    run(async {
        let (hole, hole_too) = (BlackHole::new().await, BlackHole::new().await);
        let addrs = [hole.addr, hole_too.addr];
        let before = descriptors();
        for _ in 0..100 {
            let mut connect = pin!(TcpStream::connect(&addrs[..]));
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
fn a_connect_that_failed_keeps_no_descriptor() {
    if !is_alone("a_connect_that_failed_keeps_no_descriptor", &[]) {
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
fn a_thousand_at_once() {
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

/// Nobody may have connected to the address of a black hole before.
#[test]
fn the_black_hole_does_not_answer() {
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
