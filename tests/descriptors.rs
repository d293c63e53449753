//! What is closed is closed: descriptors, threads and memory after many connections and loops.
//!
//! Counts are of the process, so each test has a process of its own.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, ErrorKind, SeekFrom};
use std::net::{self, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, lookup_host};
use evloop::task::{JoinError, yield_now};
use evloop::time::{sleep, timeout};
use evloop::{Runtime, StreamWriter};
use futures::{AsyncReadExt, AsyncSeekExt};
use rustix::process::{Resource, Rlimit};

/// Bytes that live on the heap, counted by this program's allocator.
#[allow(unreachable_pub)]
mod heap;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Uses all descriptors up: who opens another gets EMFILE.
fn exhaust() {
    let free = File::open("/dev/null").unwrap().as_raw_fd();
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(free.try_into().unwrap()), maximum };
    rustix::process::setrlimit(Resource::Nofile, limit).unwrap();
}

/// Waits until the main thread, which started this one, has nothing left to do but wait for it:
/// what it allocates would count.
fn until_main_waits() {
    let stat = format!("/proc/self/task/{}/stat", std::process::id());
    while !fs::read_to_string(&stat).unwrap().contains(") S ") {
        thread::yield_now();
    }
}

/// Runs the test `name` in a process of its own. `true`: this is that process.
fn is_alone(name: &str) -> bool {
    if env::var_os("EVLOOP_ALONE").is_some() {
        until_main_waits();
        return true;
    }
    let args = [name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"];
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.args(args).env("EVLOOP_ALONE", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    assert!(said.contains("1 passed"), "no such test: {name}");
    false
}

async fn ask(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"?").await.unwrap();
    let mut buf = [0];
    stream.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"!");
    stream
}

/// Opens `count` connections, says a byte on each both ways, and drops them. Each wave may take as
/// long as the limit says.
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
fn ten_thousand_connections_leave_nothing() {
    if !is_alone("ten_thousand_connections_leave_nothing") {
        return;
    }
    evloop::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // The first two make room that is kept for later ones.
        wave(&listener, 500).await;
        wave(&listener, 500).await;
        let (open, live) = (descriptors(), heap::live());
        for _ in 0..20 {
            wave(&listener, 500).await;
            assert_eq!(descriptors(), open);
        }
        assert_eq!(heap::live(), live);
    });
}

/// A loop that has used all it has, with things left for its end.
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
    // It outlives its loop.
    drop(stream);
}

#[test]
fn a_thousand_loops_leave_nothing() {
    if !is_alone("a_thousand_loops_leave_nothing") {
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
fn helper_threads_end_with_their_loop() {
    if !is_alone("helper_threads_end_with_their_loop") {
        return;
    }
    let running = threads();
    for _ in 0..100 {
        let mut runtime = Runtime::new().unwrap();
        let lookup = timeout(LIMIT, lookup_host("localhost:80"));
        runtime.block_on(lookup).expect("it hangs").unwrap();
        runtime.shutdown_timeout(LIMIT).unwrap();
    }
    // They have done their last work; the system may still be burying them.
    while threads() > running {
        thread::yield_now();
    }
}

#[test]
fn a_clone_comes_in_after_another_was_dropped() {
    if !is_alone("a_clone_comes_in_after_another_was_dropped") {
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
    if !is_alone("a_short_sleep_needs_no_descriptor") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    exhaust();
    runtime.block_on(sleep(Duration::from_micros(500)));
}

/// Lets the process map no more memory than a little, so that no thread gets a stack. Returns the
/// limit that was.
fn deny_stacks() -> Rlimit {
    let before = rustix::process::getrlimit(Resource::As);
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let current = Some(pages * 4096 + (1 << 19));
    rustix::process::setrlimit(Resource::As, Rlimit { current, ..before }).unwrap();
    before
}

#[test]
fn work_that_gets_no_thread_says_why() {
    if !is_alone("work_that_gets_no_thread_says_why") {
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
        // Later there is one.
        evloop::task::spawn_blocking(|| ()).await.unwrap();
    });
}

#[test]
fn a_server_without_descriptors_says_so_and_goes_on_once_there_are_some() {
    if !is_alone("a_server_without_descriptors_says_so_and_goes_on_once_there_are_some") {
        return;
    }
    let told = Rc::new(RefCell::new(Vec::new()));
    let telling = told.clone();
    let on_task_error = move |error: JoinError| telling.borrow_mut().push(error.to_string());
    let mut runtime = Runtime::builder().on_task_error(on_task_error).build().unwrap();
    runtime.block_on(async {
        let handler = async |_reader, writer: StreamWriter| writer.write(b"!");
        let server = evloop::start_server("127.0.0.1:0", handler).await.unwrap();
        let reserved = File::open("/dev/null").unwrap();
        let client = net::TcpStream::connect(server.local_addrs()[0]).unwrap();
        exhaust();
        while told.borrow().is_empty() {
            yield_now().await;
        }
        let words = "could not accept a connection: Too many open files";
        assert!(told.borrow()[0].contains(words), "{told:?}");
        // The server tries again by itself within 100 ms, since this one is none of its loop.
        drop(reserved);
        let client = TcpStream::from_std(client).unwrap();
        let mut buf = [0];
        timeout(LIMIT, client.read_exact(&mut buf)).await.expect("it hangs").unwrap();
        // Linux says so again when the last descriptor is taken, although nobody waits.
        assert_eq!((&buf, told.borrow().len()), (b"!", 2), "{told:?}");
        drop(client);
    });
}
