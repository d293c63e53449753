//! TCP listeners: accepting in several tasks, options, errors, and `accept` without a free
//! descriptor.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use evloop::net::{ListenOptions, TcpListener, TcpStream};
use evloop::time::{now, timeout};
use evloop::{Handle, Runtime};
use futures::channel::oneshot;
use futures::{StreamExt, poll};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit};

/// Runs a test in a process of its own.
#[allow(unreachable_pub)]
mod alone;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// The time that `accept` waits if no descriptor is left and this loop closes none.
const STARVED_PAUSE: Duration = Duration::from_millis(100);
const LOCAL: &str = "127.0.0.1:0";

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(LOCAL).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Waits for one turn of the loop: all events that the selector has are handled.
async fn turn_once() {
    let (done, turned) = oneshot::channel();
    // A call from another thread runs after the selector was polled.
    Handle::current().call_threadsafe(move || done.send(()).unwrap());
    turned.await.unwrap();
}

#[test]
fn several_tasks_accept_one_connection_each() {
    run(async {
        let (listener, addr) = listen().await;
        let listener = Rc::new(listener);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let listener = listener.clone();
                evloop::spawn(async move { listener.accept().await.unwrap() })
            })
            .collect();
        turn_once().await;
        let clients: Vec<_> = (0..4).map(|_| net::TcpStream::connect(addr).unwrap()).collect();
        let mut peers = BTreeSet::new();
        for task in tasks {
            let (stream, peer) = task.await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), peer);
            assert_eq!(stream.local_addr().unwrap(), addr);
            peers.insert(peer);
        }
        let expected = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        assert_eq!(peers, expected);
    });
}

#[test]
fn a_connection_wakes_all_waiting_accepts() {
    let mut runtime = Runtime::new().unwrap();
    let (listener, addr) = runtime.block_on(listen());
    let listener = Rc::new(listener);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let listener = listener.clone();
            runtime.spawn(async move { listener.accept().await.unwrap().1 })
        })
        .collect();
    runtime.run_until_stalled().unwrap();
    let client = net::TcpStream::connect(addr).unwrap();
    assert_eq!(runtime.turn(Some(LIMIT)).unwrap().polled, 4);
    let accepted: Vec<_> = tasks.into_iter().filter(|task| task.is_finished()).collect();
    assert_eq!(accepted.len(), 1);
    for task in accepted {
        assert_eq!(runtime.block_on(task).unwrap(), client.local_addr().unwrap());
    }
}

#[test]
fn incoming_yields_connections_and_loses_none_when_dropped() {
    run(async {
        let (listener, addr) = listen().await;
        let clients: Vec<_> = (0..6).map(|_| net::TcpStream::connect(addr).unwrap()).collect();
        let mut peers = Vec::new();
        for _ in 0..3 {
            let mut incoming = listener.incoming().take(2);
            while let Some(stream) = incoming.next().await {
                peers.push(stream.unwrap().peer_addr().unwrap());
            }
        }
        let expected: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
        assert_eq!(peers, expected);
    });
}

#[test]
fn accept_dropped_at_every_await_loses_no_connection() {
    run(async {
        let (listener, addr) = listen().await;
        let mut clients = Vec::new();
        for round in 0..100 {
            let mut accept = Box::pin(listener.accept());
            assert!(poll!(&mut accept).is_pending());
            clients.push(net::TcpStream::connect(addr).unwrap());
            if round % 2 == 0 {
                // The task is woken, and its future is dropped before the next poll.
                turn_once().await;
            }
            drop(accept);
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, clients[round].local_addr().unwrap());
        }
    });
}

#[test]
fn a_backlog_of_0_holds_one_connection() {
    run(async {
        for (backlog, is_second_held) in [(0, false), (1, true)] {
            let options = ListenOptions { backlog, ..ListenOptions::default() };
            let listener = TcpListener::bind_with(LOCAL, &options).await.unwrap();
            let addr = listener.local_addr().unwrap();
            let _first = net::TcpStream::connect(addr).unwrap();
            let second = unconnected();
            assert_eq!(rustix::net::connect(&second, &addr), Err(Errno::INPROGRESS));
            let mut fds = [PollFd::new(&second, PollFlags::OUT)];
            let ready = rustix::event::poll(&mut fds, Some(&Timespec::default())).unwrap();
            assert_eq!(ready == 1, is_second_held, "backlog {backlog}");
        }
    });
}

/// Returns a non-blocking socket that is not connected yet.
fn unconnected() -> OwnedFd {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
}

#[test]
fn a_port_in_time_wait_is_free_with_reuse_addr() {
    run(async {
        // Other programs hardly use this address, so the port stays free in between.
        let listener = TcpListener::bind("127.0.0.77:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut client = net::TcpStream::connect(addr).unwrap();
        // The end that closes first enters TIME_WAIT.
        drop(listener.accept().await.unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop((client, listener));
        let strict = ListenOptions { reuse_addr: false, ..ListenOptions::default() };
        let error = TcpListener::bind_with(addr, &strict).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let listener = TcpListener::bind(addr).await.unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
    });
}

#[test]
fn two_listeners_share_a_port() {
    const CLIENTS: usize = 64;
    run(async {
        let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
        let one = TcpListener::bind_with(LOCAL, &options).await.unwrap();
        let addr = one.local_addr().unwrap();
        let two = TcpListener::bind_with(addr, &options).await.unwrap();
        let error = TcpListener::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let _clients: Vec<_> =
            (0..CLIENTS).map(|_| net::TcpStream::connect(addr).unwrap()).collect();
        let all = futures::stream::select(one.incoming().map(|_| 1), two.incoming().map(|_| 2));
        let of: Vec<_> = all.take(CLIENTS).collect().await;
        // The system distributes them by a hash: one listener gets all of them once in 2^63 runs.
        assert!(of.contains(&1) && of.contains(&2));
    });
}

#[test]
fn only_v6_leaves_the_port_free_for_ipv4() {
    run(async {
        let options = ListenOptions { only_v6: Some(true), ..ListenOptions::default() };
        let six = TcpListener::bind_with("[::]:0", &options).await.unwrap();
        let port = six.local_addr().unwrap().port();
        let four = TcpListener::bind(("127.0.0.78", port)).await.unwrap();
        let client = net::TcpStream::connect(("127.0.0.78", port)).unwrap();
        let (_, peer) = four.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn without_only_v6_an_ipv6_listener_accepts_ipv4() {
    run(async {
        let options = ListenOptions { only_v6: Some(false), ..ListenOptions::default() };
        let six = TcpListener::bind_with("[::]:0", &options).await.unwrap();
        let port = six.local_addr().unwrap().port();
        let client = net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (_, peer) = six.accept().await.unwrap();
        assert_eq!(peer.ip().to_canonical(), client.local_addr().unwrap().ip());
        assert_eq!(peer.port(), client.local_addr().unwrap().port());
    });
}

#[test]
fn the_error_of_a_failed_bind_names_the_address() {
    run(async {
        let (_listener, taken) = listen().await;
        for (addr, kind) in [
            (taken.to_string(), ErrorKind::AddrInUse),
            ("192.0.2.1:0".into(), ErrorKind::AddrNotAvailable),
        ] {
            let error = TcpListener::bind(&addr).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(&addr), "{error}");
        }
    });
}

#[test]
fn the_error_of_an_invalid_address_shows_the_format() {
    run(async {
        for text in ["nonsense", "127.0.0.1", ":80", "localhost:http"] {
            let error = TcpListener::bind(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(text), "{error}");
            assert!(error.to_string().contains("write host:port"), "{error}");
        }
    });
}

#[test]
fn bind_uses_the_first_free_address() {
    run(async {
        let (_listener, taken) = listen().await;
        let other = SocketAddr::from(([127, 0, 0, 2], 0));
        let listener = TcpListener::bind(&[taken, other][..]).await.unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), other.ip());
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
    });
}

/// Returns whether the descriptor is non-blocking, from its flags in /proc.
fn is_nonblocking(fd: impl AsFd) -> bool {
    let info = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let info = fs::read_to_string(info).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap() & 0o4000 != 0
}

#[test]
fn a_std_listener_is_registered_and_returned() {
    run(async {
        let listener = net::TcpListener::bind(LOCAL).unwrap();
        let addr = listener.local_addr().unwrap();
        // The listener is registered with a pending connection.
        let client = net::TcpStream::connect(addr).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(is_nonblocking(&stream));
        let listener = listener.into_std().unwrap();
        assert!(!is_nonblocking(&listener));
        let _client = net::TcpStream::connect(addr).unwrap();
        listener.accept().unwrap();
    });
}

#[test]
fn a_std_stream_is_registered_and_returned() {
    run(async {
        let listener = net::TcpListener::bind(LOCAL).unwrap();
        let mut client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        for round in 0..100 {
            client.write_all(&[round; 2]).unwrap();
            let inside = TcpStream::from_std(stream).unwrap();
            assert!(is_nonblocking(&inside));
            let mut buf = [0];
            inside.read_exact(&mut buf).await.unwrap();
            assert_eq!(buf, [round]);
            stream = inside.into_std().unwrap();
            assert!(!is_nonblocking(&stream));
            stream.read_exact(&mut buf).unwrap();
            assert_eq!(buf, [round]);
        }
    });
}

#[test]
fn into_std_works_after_both_ends_closed() {
    run(async {
        let (listener, addr) = listen().await;
        let mut client = net::TcpStream::connect(addr).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        client.write_all(b"rest").unwrap();
        drop(client);
        stream.shutdown(net::Shutdown::Write).unwrap();
        let mut fds = [PollFd::new(&stream, PollFlags::HUP)];
        assert_eq!(rustix::event::poll(&mut fds, None), Ok(1));
        turn_once().await;
        let mut rest = String::new();
        stream.into_std().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "rest");
    });
}

#[test]
#[cfg(not(mio_unsupported_force_poll_poll))]
fn into_std_deregisters_from_the_selector() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let epoll = format!("/proc/self/fdinfo/{}", runtime.as_fd().as_raw_fd());
    let watched = || fs::read_to_string(&epoll).unwrap().matches("tfd:").count();
    let before = watched();
    let listener = net::TcpListener::bind(LOCAL).unwrap();
    let stream = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (listener, stream) =
        (TcpListener::from_std(listener).unwrap(), TcpStream::from_std(stream).unwrap());
    assert_eq!(watched(), before + 2);
    let _outside = (listener.into_std().unwrap(), stream.into_std().unwrap());
    assert_eq!(watched(), before);
}

/// Uses up all descriptors: opening another fails with EMFILE. Dropping the file frees one.
fn exhaust() -> File {
    let filler = File::open("/dev/null").unwrap();
    let free = File::open("/dev/null").unwrap().as_raw_fd();
    let limit = u64::try_from(free).unwrap();
    let limit = Rlimit { current: Some(limit), maximum: None };
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { maximum: hard, ..limit }).unwrap();
    filler
}

/// The results of accepts, with their times: `Some(error)`, or `None` for a connection.
type Log = Rc<RefCell<Vec<(Option<i32>, Instant)>>>;

fn record<T>(log: &Log, accepted: &io::Result<T>) {
    let error = accepted.as_ref().err().map(|error| error.raw_os_error().unwrap());
    log.borrow_mut().push((error, now()));
}

fn outcomes(log: &Log) -> Vec<Option<i32>> {
    log.borrow().iter().map(|(outcome, _)| *outcome).collect()
}

/// Checks that each outcome was at least 100 ms later than the one before. Counts from the begin: a
/// thread that was suspended has recorded an outcome late, and the next one in time.
fn assert_one_every_100_ms(log: &Log, begin: Instant) {
    let after: Vec<_> = log.borrow().iter().map(|(_, at)| *at - begin).collect();
    assert!((0..).zip(&after).all(|(n, after)| *after >= n * STARVED_PAUSE), "{after:?}");
}

const NONE_LEFT: Option<i32> = Some(Errno::MFILE.raw_os_error());

/// Accepts forever, and holds the accepted connections.
async fn serve(listener: Rc<TcpListener>, log: Log) {
    let mut accepted = Vec::new();
    loop {
        let result = listener.accept().await;
        record(&log, &result);
        accepted.extend(result);
    }
}

/// Runs turns until there are `count` outcomes. Returns how many polls that took.
fn turn_until(runtime: &mut Runtime, log: &Log, count: usize) -> usize {
    let mut polled = 0;
    while log.borrow().len() < count {
        polled += runtime.turn(Some(LIMIT)).unwrap().polled;
    }
    polled
}

/// Returns a runtime, a listener in it, and clients with pending connections.
fn runtime_with_clients(clients: usize) -> (Runtime, Rc<TcpListener>, Vec<net::TcpStream>) {
    let mut runtime = Runtime::new().unwrap();
    let (listener, addr) = runtime.block_on(listen());
    let clients = (0..clients).map(|_| net::TcpStream::connect(addr).unwrap()).collect();
    (runtime, Rc::new(listener), clients)
}

#[test]
fn a_missing_descriptor_is_reported_every_100_ms() {
    if !alone::is_here("a_missing_descriptor_is_reported_every_100_ms") {
        return;
    }
    let (mut runtime, listener, _clients) = runtime_with_clients(2);
    let log = Log::default();
    drop(runtime.spawn(serve(listener, log.clone())));
    let _filler = exhaust();
    let begin = now();
    assert_eq!(turn_until(&mut runtime, &log, 4), 4, "one poll for each error");
    assert_eq!(outcomes(&log), [NONE_LEFT; 4]);
    assert_one_every_100_ms(&log, begin);
}

#[test]
fn a_descriptor_closed_by_this_loop_is_used_at_once() {
    if !alone::is_here("a_descriptor_closed_by_this_loop_is_used_at_once") {
        return;
    }
    let (mut runtime, listener, _clients) = runtime_with_clients(3);
    let spare = runtime.block_on(TcpStream::connect(listener.local_addr().unwrap())).unwrap();
    let (log, kept) = (Log::default(), Rc::new(RefCell::new(Vec::new())));
    let (task_log, task_kept) = (log.clone(), kept.clone());
    drop(runtime.spawn(async move {
        let mut spare = Some(spare);
        loop {
            let accepted = listener.accept().await;
            record(&task_log, &accepted);
            if accepted.is_err() {
                drop(spare.take());
            }
            task_kept.borrow_mut().extend(accepted);
        }
    }));
    let _filler = exhaust();
    assert_eq!(turn_until(&mut runtime, &log, 1), 1);
    // The same poll continued: it used the descriptor freed after the error, then none was left.
    assert_eq!(outcomes(&log), [NONE_LEFT, None, NONE_LEFT]);
    drop(kept.borrow_mut().pop());
    assert_eq!(runtime.turn(Some(Duration::ZERO)).unwrap().polled, 1, "the close woke the task");
    assert_eq!(outcomes(&log), [NONE_LEFT, None, NONE_LEFT, None, NONE_LEFT]);
}

#[test]
fn a_descriptor_freed_elsewhere_is_used_after_100_ms() {
    if !alone::is_here("a_descriptor_freed_elsewhere_is_used_after_100_ms") {
        return;
    }
    let (mut runtime, listener, clients) = runtime_with_clients(1);
    let log = Log::default();
    drop(runtime.spawn(serve(listener, log.clone())));
    let filler = exhaust();
    let begin = now();
    assert_eq!(turn_until(&mut runtime, &log, 1), 1);
    drop(filler);
    assert_eq!(turn_until(&mut runtime, &log, 2), 1);
    // Linux allocates a descriptor before it checks for a connection: the next accept fails too.
    assert_eq!(outcomes(&log), [NONE_LEFT, None, NONE_LEFT]);
    assert!(log.borrow()[1].1 - begin >= STARVED_PAUSE);
    drop(clients);
}

#[test]
fn an_accept_dropped_without_descriptors_loses_no_connection() {
    if !alone::is_here("an_accept_dropped_without_descriptors_loses_no_connection") {
        return;
    }
    let (mut runtime, listener, clients) = runtime_with_clients(1);
    let filler = exhaust();
    runtime.block_on(async {
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), NONE_LEFT);
        for _ in 0..100 {
            assert!(poll!(pin!(listener.accept())).is_pending());
        }
        drop(filler);
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, clients[0].local_addr().unwrap());
    });
}

#[test]
fn two_tasks_share_one_report_every_100_ms() {
    if !alone::is_here("two_tasks_share_one_report_every_100_ms") {
        return;
    }
    let (mut runtime, listener, _clients) = runtime_with_clients(1);
    let log = Log::default();
    for _ in 0..2 {
        drop(runtime.spawn(serve(listener.clone(), log.clone())));
    }
    let _filler = exhaust();
    let begin = now();
    turn_until(&mut runtime, &log, 4);
    assert_one_every_100_ms(&log, begin);
}

#[test]
fn poll_accept_waits_after_a_missing_descriptor_and_then_returns_the_connection() {
    if !alone::is_here(
        "poll_accept_waits_after_a_missing_descriptor_and_then_returns_the_connection",
    ) {
        return;
    }
    let (mut runtime, listener, clients) = runtime_with_clients(1);
    let filler = exhaust();
    let accept = async || poll_fn(|cx| listener.poll_accept(cx)).await;
    runtime.block_on(async {
        assert_eq!(accept().await.err().unwrap().raw_os_error(), NONE_LEFT);
        assert!(poll!(pin!(accept())).is_pending(), "it waits before it tries again");
        drop(filler);
        let started = now();
        let (_, peer) = accept().await.unwrap();
        assert!(now() - started <= LIMIT);
        assert_eq!(peer, clients[0].local_addr().unwrap());
    });
    // A wait that is left behind ends with the listener.
    drop((listener, runtime));
}
