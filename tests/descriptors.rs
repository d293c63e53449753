//! Descriptors, threads and memory do not leak after many connections and loops, and running out of
//! them is reported.
//!
//! Counts are those of the process, so each test has a process of its own.

#![cfg(all(target_os = "linux", feature = "fs", feature = "streams"))]

use std::cell::RefCell;
use std::error::Error;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, ErrorKind, SeekFrom};
use std::net::{self, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, lookup_host};
use evloop::task::{JoinError, yield_now};
use evloop::time::{now, sleep, timeout};
use evloop::{Runtime, StreamWriter};
use futures::{AsyncReadExt, AsyncSeekExt};
use rustix::process::{Resource, Rlimit};

/// Runs a test in a process of its own.
#[allow(unreachable_pub)]
mod alone;

/// Counts the live bytes of the heap, with an allocator of this program.
#[allow(unreachable_pub)]
mod heap;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Uses up all descriptors: opening another one returns EMFILE.
fn exhaust() {
    let free = File::open("/dev/null").unwrap().as_raw_fd();
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(free.try_into().unwrap()), maximum };
    rustix::process::setrlimit(Resource::Nofile, limit).unwrap();
}

async fn ask(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"?").await.unwrap();
    let mut buf = [0];
    stream.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"!");
    stream
}

/// Opens `count` connections, sends a byte in both directions of each, and drops them. Each wave
/// may take `LIMIT`.
async fn wave(listener: &TcpListener, count: usize) {
    timeout(LIMIT, wave_of(listener, count)).await.expect("it hangs");
}

async fn wave_of(listener: &TcpListener, count: usize) {
    let addr = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..count).map(|_| evloop::spawn(ask(addr))).collect();
    let mut servers = Vec::new();
    for _ in 0..count {
        let (stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        stream.write_all(b"!").await.unwrap();
        servers.push(stream);
    }
    for client in clients {
        client.await.unwrap();
    }
}

#[test]
fn ten_thousand_connections_leak_nothing() {
    if !alone::is_here("ten_thousand_connections_leak_nothing") {
        return;
    }
    evloop::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // The first two waves allocate memory that is kept for later ones.
        wave(&listener, 500).await;
        wave(&listener, 500).await;
        let (open, live) = (descriptors(), heap::live());
        for _ in 0..20 {
            wave(&listener, 500).await;
            assert_eq!(descriptors(), open);
        }
        // Lists that grow with the most events of a wait take less than a word a connection.
        let leaked = heap::live().saturating_sub(live);
        assert!(leaked < 10_000 * size_of::<usize>() as u64, "{leaked} bytes");
    });
}

/// Runs a loop that uses all its resources, and drops it while tasks and sockets are left.
fn live_and_end() {
    let mut runtime = Runtime::new().unwrap();
    let stream = runtime.block_on(async {
        sleep(Duration::from_nanos(1)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let waits = evloop::spawn(async move { peer.read(&mut [0]).await });
        drop(evloop::spawn(async move { listener.accept().await.map(|_| waits) }));
        drop(evloop::spawn(sleep(LIMIT)));
        drop(evloop::spawn(std::future::pending::<()>()));
        stream
    });
    runtime.handle().call_threadsafe(|| unreachable!("the loop has ended"));
    drop(runtime);
    // The stream outlives its loop.
    drop(stream);
}

#[test]
fn a_thousand_loops_leak_nothing() {
    if !alone::is_here("a_thousand_loops_leak_nothing") {
        return;
    }
    live_and_end();
    let (open, running, live) = (descriptors(), threads(), heap::live());
    for _ in 0..1000 {
        live_and_end();
    }
    assert_eq!((descriptors(), threads(), heap::live()), (open, running, live));
}

#[test]
fn blocking_threads_end_with_their_loop() {
    if !alone::is_here("blocking_threads_end_with_their_loop") {
        return;
    }
    let running = threads();
    for _ in 0..100 {
        let mut runtime = Runtime::new().unwrap();
        let lookup = timeout(LIMIT, lookup_host("localhost:80"));
        runtime.block_on(lookup).expect("it hangs").unwrap();
        runtime.shutdown_timeout(LIMIT).unwrap();
    }
    // The threads have finished; the kernel may still list them for a moment.
    while threads() > running {
        thread::yield_now();
    }
}

#[test]
fn a_clone_can_be_registered_after_another_was_dropped() {
    if !alone::is_here("a_clone_can_be_registered_after_another_was_dropped") {
        return;
    }
    run(async {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let fd = |stream: &net::TcpStream| stream.as_raw_fd();
        let mut last = None;
        for _ in 0..3 {
            let clone = stream.try_clone().unwrap();
            assert_eq!(fd(&clone), *last.get_or_insert(fd(&clone)));
            drop(TcpStream::from_std(clone).unwrap());
        }
    });
}

#[test]
fn a_short_sleep_needs_no_descriptor() {
    if !alone::is_here("a_short_sleep_needs_no_descriptor") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    exhaust();
    runtime.block_on(sleep(Duration::from_micros(500)));
}

/// Limits the address space of the process, so that no thread can allocate a stack. Returns the
/// previous limit.
fn deny_stacks() -> Rlimit {
    let before = rustix::process::getrlimit(Resource::As);
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let current = Some(pages * 4096 + (1 << 19));
    rustix::process::setrlimit(Resource::As, Rlimit { current, ..before }).unwrap();
    before
}

#[test]
fn work_without_a_thread_reports_the_reason() {
    if !alone::is_here("work_without_a_thread_reports_the_reason") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    let manifest = fs::File::open("Cargo.toml").unwrap();
    runtime.block_on(async {
        let limit = deny_stacks();
        let denied = evloop::task::spawn_blocking(|| ());
        let mut file = evloop::fs::File::from_std(manifest);
        let mut byte = [0];
        let outcomes = [
            lookup_host("localhost:80").await.map(drop),
            evloop::fs::read("Cargo.toml").await.map(drop),
            file.read(&mut byte).await.map(drop),
            AsyncReadExt::read(&mut file, &mut byte).await.map(drop),
            AsyncSeekExt::seek(&mut file, SeekFrom::End(0)).await.map(drop),
        ];
        rustix::process::setrlimit(Resource::As, limit).unwrap();
        let error = denied.await.unwrap_err();
        assert!(error.is_cancelled());
        let source = std::error::Error::source(&error).expect("the system's error");
        assert!(error.to_string().ends_with(&format!("was cancelled: {source}")), "{error}");
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ResourceBusy, "not WouldBlock: nothing would wake");
            let sentence = "no thread could be started for blocking work: ";
            assert!(error.to_string().starts_with(sentence), "{error}");
            let system = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            let code = rustix::io::Errno::AGAIN.raw_os_error();
            assert_eq!(system.and_then(io::Error::raw_os_error), Some(code));
        }
        // With the previous limit a thread can be started.
        evloop::task::spawn_blocking(|| ()).await.unwrap();
    });
}

#[test]
fn a_server_without_descriptors_reports_it_and_continues_once_there_are_some() {
    if !alone::is_here("a_server_without_descriptors_reports_it_and_continues_once_there_are_some")
    {
        return;
    }
    let reports = Rc::new(RefCell::new(Vec::new()));
    let recorded = reports.clone();
    let on_task_error = move |error: JoinError| recorded.borrow_mut().push(error.to_string());
    let mut runtime = Runtime::builder().on_task_error(on_task_error).build().unwrap();
    runtime.block_on(async {
        let handler = async |_reader, writer: StreamWriter| writer.write(b"!");
        let server = evloop::start_server("127.0.0.1:0", handler).await.unwrap();
        let reserved = File::open("/dev/null").unwrap();
        let client = net::TcpStream::connect(server.local_addrs()[0]).unwrap();
        exhaust();
        let begin = now();
        while reports.borrow().is_empty() {
            yield_now().await;
        }
        let text = "could not accept a connection: Too many open files";
        assert!(reports.borrow()[0].contains(text), "{reports:?}");
        // The loop does not own this descriptor, so the server retries by itself within 100 ms.
        drop(reserved);
        let client = TcpStream::from_std(client).unwrap();
        let mut buf = [0];
        timeout(LIMIT, client.read_exact(&mut buf)).await.expect("it hangs").unwrap();
        // Linux reports EMFILE again once the last descriptor is in use, although no connection
        // waits; and once more if the thread was suspended for another 100 ms.
        let most = 2 + (now() - begin).as_millis() as usize / 100;
        assert_eq!(&buf, b"!");
        assert!((2..=most).contains(&reports.borrow().len()), "{reports:?}");
        drop(client);
    });
}
