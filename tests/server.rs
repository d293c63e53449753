//! Servers of streams: accepting, reports of errors, closing, Unix sockets and their files.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Barrier;
use std::time::Duration;
use std::{env, fs, thread};

use evloop::net::{TcpListener, UnixListener};
use evloop::streams::{ServerOptions, StreamOptions, start_server_with};
use evloop::task::yield_now;
use evloop::time::timeout;
use evloop::{Runtime, Server, StreamReader, StreamWriter, open_connection, open_unix_connection};
use evloop::{start_server, start_unix_server};
use futures::{FutureExt, join, poll};
use rustix::fs::FlockOperation;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Does the same, and returns the reports to the loop's error handler too.
fn run_with_reports<T>(future: impl Future<Output = T>) -> (T, Vec<String>) {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let recorded = reports.clone();
    let on_task_error = move |error: evloop::task::JoinError| {
        let text = format!("{} {}", error.is_panic(), error);
        recorded.borrow_mut().push(text);
    };
    let mut runtime = Runtime::builder().on_task_error(on_task_error).build().unwrap();
    let output = runtime.block_on(timeout(LIMIT, future)).expect("it hangs");
    drop(runtime);
    (output, reports.take())
}

fn addr(server: &Server) -> SocketAddr {
    server.local_addrs()[0]
}

async fn upper(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    while let line @ [_, ..] = &*reader.read_line().await? {
        writer.write(line.to_ascii_uppercase());
        writer.drain().await?;
    }
    Ok(())
}

/// Sends a line, and returns the answer.
async fn ask(reader: &mut StreamReader, writer: &StreamWriter, line: &str) -> String {
    writer.write(line.as_bytes());
    String::from_utf8(reader.read_line().await.unwrap()).unwrap()
}

/// Waits some turns of the loop, so that ready tasks complete.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[test]
fn many_connections_are_served_concurrently() {
    run(async {
        let server = start_server(ANY, upper).await.unwrap();
        let clients = (0..50).map(|number| {
            let addr = addr(&server);
            async move {
                let (mut reader, writer) = open_connection(addr).await.unwrap();
                for round in 0..3 {
                    let line = format!("line {number} {round}\n");
                    let answer = ask(&mut reader, &writer, &line).await;
                    assert_eq!(answer, line.to_uppercase());
                }
            }
        });
        futures::future::join_all(clients).await;
        assert!(server.is_serving());
    });
}

#[test]
fn the_server_listens_on_all_addresses() {
    run(async {
        let both: &[SocketAddr] = &[([127, 0, 0, 1], 0).into(), ([127, 0, 0, 2], 0).into()];
        let server = start_server(both, upper).await.unwrap();
        assert_eq!(server.local_addrs().len(), 2);
        for addr in server.local_addrs().to_vec() {
            let (mut reader, writer) = open_connection(addr).await.unwrap();
            assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        }
    });
}

#[test]
fn an_ipv6_listener_beside_others_accepts_no_ipv4() {
    run(async {
        let both: &[SocketAddr] = &[([127, 0, 0, 1], 0).into(), ([0u16; 8], 0).into()];
        let server = start_server(both, upper).await.unwrap();
        let [v4, v6] = [0, 1].map(|at: usize| server.local_addrs()[at].port());
        for (ip, port) in [("127.0.0.1", v4), ("::1", v6)] {
            let (mut reader, writer) = open_connection((ip, port)).await.unwrap();
            assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        }
        let refused = open_connection(("127.0.0.1", v6)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn an_address_in_use_is_an_error_and_closes_the_other_listeners() {
    run(async {
        let taken = TcpListener::bind(ANY).await.unwrap().into_std().unwrap();
        let free = TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap();
        let both: &[SocketAddr] = &[free, taken.local_addr().unwrap()];
        let error = start_server(both, upper).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        TcpListener::bind(free).await.unwrap();
    });
}

#[test]
fn the_options_apply_to_the_streams() {
    run(async {
        let streams = StreamOptions { limit: 4, ..StreamOptions::default() };
        let options = ServerOptions { streams, ..ServerOptions::default() };
        let kind = Rc::new(Cell::new(None));
        let seen = kind.clone();
        let handler = async move |mut reader: StreamReader, _writer| {
            seen.set(reader.read_line().await.err().map(|error| error.kind()));
        };
        let server = start_server_with(ANY, &options, handler).await.unwrap();
        let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
        writer.write(b"12345\n");
        assert_eq!(reader.read_to_end().await.unwrap(), b"");
        assert_eq!(kind.get(), Some(ErrorKind::InvalidData));
    });
}

#[test]
fn a_panic_and_an_error_are_reported_and_close_only_their_connection() {
    let (clients, reports) = run_with_reports(async {
        let mut clients = Vec::new();
        let handler = async |mut reader: StreamReader, writer: StreamWriter| match &*reader
            .read_line()
            .await?
        {
            b"panic\n" => panic!("on request"),
            b"fail\n" => Err(io::Error::other("on request")),
            line => {
                writer.write(line);
                Ok(())
            }
        };
        let server = start_server(ANY, handler).await.unwrap();
        for (line, answer) in [("panic\n", ""), ("fail\n", ""), ("fine\n", "fine\n")] {
            let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
            clients.push(writer.local_addr().unwrap());
            assert_eq!(ask(&mut reader, &writer, line).await, answer);
            assert_eq!(reader.read_line().await.unwrap(), b"", "the connection is closed");
        }
        server.close();
        server.wait_closed().await;
        clients
    });
    let [panic, error] = &reports[..] else { panic!("{reports:?}") };
    let client = format!("failed: connection from {}: on request", clients[1]);
    assert!(panic.starts_with("true task") && panic.ends_with("panicked: on request"), "{panic}");
    assert!(error.starts_with("false task") && error.ends_with(&client), "{error}");
    // The reports name the place where the server was started.
    assert!(reports.iter().all(|report| report.contains(file!())), "{reports:?}");
}

#[test]
fn the_address_of_a_peer_is_known_after_it_has_reset_the_connection() {
    let (peer, reports) = run_with_reports(async {
        let (sender, mut addrs) = evloop::sync::mpsc::unbounded();
        let handler = async move |mut reader: StreamReader, writer: StreamWriter| {
            let error = reader.read_line().await.unwrap_err();
            assert!(writer.get_ref().as_tcp().unwrap().peer_addr().is_err());
            sender.send((reader.peer_addr(), writer.peer_addr())).unwrap();
            io::Result::<()>::Err(error)
        };
        let server = start_server(ANY, handler).await.unwrap();
        let client = std::net::TcpStream::connect(addr(&server)).unwrap();
        let peer = client.local_addr().unwrap();
        rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        let (from_reader, from_writer) = addrs.recv().await.unwrap();
        assert_eq!((from_reader.unwrap(), from_writer.unwrap()), (peer, peer));
        server.close();
        server.wait_closed().await;
        peer
    });
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert!(report.contains(&format!("failed: connection from {peer}: ")), "{report}");
}

#[test]
fn close_stops_listening_and_keeps_connections() {
    run(async {
        let server = start_server(ANY, upper).await.unwrap();
        let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        server.close();
        assert!(!server.is_serving());
        settle().await;
        let refused = open_connection(addr(&server)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(server.wait_closed().now_or_never().is_none(), "one connection is open");
        assert_eq!(ask(&mut reader, &writer, "b\n").await, "B\n");
        drop((reader, writer));
        server.wait_closed().await;
    });
}

#[test]
fn wait_closed_without_connections_waits_for_close() {
    run(async {
        let server = start_server(ANY, upper).await.unwrap();
        let mut closed = Box::pin(server.wait_closed());
        settle().await;
        assert!(poll!(&mut closed).is_pending());
        server.close();
        closed.await;
        TcpListener::bind(addr(&server)).await.expect("the address is free");
    });
}

#[test]
fn a_dropped_server_is_closed() {
    run(async {
        let server = start_server(ANY, upper).await.unwrap();
        let addr = addr(&server);
        let (mut reader, writer) = open_connection(addr).await.unwrap();
        assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        drop(server);
        settle().await;
        let refused = open_connection(addr).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(ask(&mut reader, &writer, "b\n").await, "B\n", "the connection continues");
    });
}

#[test]
fn serve_forever_ends_with_the_last_connection_after_close() {
    run(async {
        let server = start_server(ANY, upper).await.unwrap();
        let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        let mut serving = Box::pin(server.serve_forever());
        assert!(poll!(&mut serving).is_pending());
        server.close();
        settle().await;
        assert!(poll!(&mut serving).is_pending());
        drop((reader, writer));
        serving.await.unwrap();
        let error = server.serve_forever().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn a_dropped_serve_forever_closes_the_server() {
    run(async {
        let server = start_server(ANY, upper).await.unwrap();
        assert!(server.serve_forever().now_or_never().is_none());
        assert!(!server.is_serving());
        server.wait_closed().await;
    });
}

/// A handler that fills the connection, and then reads until the end.
async fn flood(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    writer.write(vec![b'x'; 16 << 20]);
    reader.read_line().await?;
    Ok(())
}

#[test]
fn close_clients_sends_unsent_bytes_and_ends_the_reader() {
    run(async {
        let server = start_server(ANY, flood).await.unwrap();
        let (mut reader, _writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(reader.read_exact(1).await.unwrap(), b"x");
        server.close();
        server.close_clients();
        let closed = async {
            server.wait_closed().await;
            server.close_clients();
        };
        let (rest, ()) = join!(reader.read_to_end(), closed);
        assert_eq!(rest.unwrap().len(), (16 << 20) - 1, "although the handler has returned");
    });
}

#[test]
fn close_clients_closes_the_connection_of_a_pending_handler() {
    run(async {
        let handler = async |mut reader: StreamReader, writer: StreamWriter| {
            writer.write(b"hello\n");
            assert_eq!(reader.read_line().await.unwrap(), b"", "the end");
            pending::<()>().await;
            drop(writer);
        };
        let server = start_server(ANY, handler).await.unwrap();
        let (mut reader, _writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
        server.close();
        server.close_clients();
        server.wait_closed().await;
        assert_eq!(reader.read_line().await.unwrap(), b"", "the connection is closed");
    });
}

#[test]
fn abort_clients_drops_unsent_bytes_and_does_not_wait() {
    run(async {
        let drained = Rc::new(Cell::new(None));
        let seen = drained.clone();
        let handler = async move |_reader, writer: StreamWriter| {
            writer.write(vec![b'x'; 16 << 20]);
            seen.set(writer.drain().await.err().map(|error| error.kind()));
            pending::<()>().await;
        };
        let server = start_server(ANY, handler).await.unwrap();
        let (mut reader, _writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(reader.read_exact(1).await.unwrap(), b"x");
        server.close();
        server.abort_clients();
        server.wait_closed().await;
        let rest = reader.read_to_end().await.unwrap();
        assert!(rest.len() < 16 << 20, "some bytes were dropped");
        assert_eq!(drained.get(), Some(ErrorKind::ConnectionAborted));
    });
}

/// Records its drop: a handler that ends, or is aborted.
struct Ends(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

/// Starts a server whose handlers, after one line, wait for their client, or with "stuck" without
/// end. They record their ends.
async fn server_with_a_stuck_handler() -> (Server, Rc<RefCell<Vec<&'static str>>>) {
    let ends = Rc::new(RefCell::new(Vec::new()));
    let recorded = ends.clone();
    let server = start_server(ANY, async move |mut reader: StreamReader, writer: StreamWriter| {
        let is_stuck = reader.read_line().await? == b"stuck\n";
        let _ends = Ends(if is_stuck { "stuck" } else { "idle" }, recorded.clone());
        writer.write("ready\n");
        if is_stuck {
            pending::<()>().await;
        }
        reader.read_to_end().await?;
        writer.write("bye\n");
        io::Result::Ok(())
    });
    (server.await.unwrap(), ends)
}

#[test]
fn stop_waits_for_the_handlers_and_aborts_those_that_remain() {
    run(async {
        let (server, ends) = server_with_a_stuck_handler().await;
        let (mut idle, idle_writer) = open_connection(addr(&server)).await.unwrap();
        let (mut stuck, stuck_writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(ask(&mut idle, &idle_writer, "idle\n").await, "ready\n");
        assert_eq!(ask(&mut stuck, &stuck_writer, "stuck\n").await, "ready\n");

        let mut stop = Box::pin(server.stop(LIMIT));
        assert!(poll!(&mut stop).is_pending());
        settle().await;
        let refused = open_connection(addr(&server)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        // Within the time of grace a connection continues.
        idle_writer.shutdown_write();
        assert_eq!(idle.read_line().await.unwrap(), b"bye\n");
        drop((idle, idle_writer));
        settle().await;
        assert!(poll!(&mut stop).is_pending(), "one handler runs");
        assert_eq!(server.stop(Duration::from_millis(1)).await, 1);
        assert_eq!(stop.await, 0, "it found no handler after its wait");
        assert_eq!(*ends.borrow(), ["idle", "stuck"]);
        assert_eq!(stuck.read_line().await.unwrap(), b"");
        assert_eq!(server.stop(LIMIT).await, 0, "again, it has nothing to do");
    });
}

#[test]
fn stop_waits_for_a_handler_that_runs_longer_than_its_connection() {
    run(async {
        let release = Rc::new(evloop::sync::Event::new());
        let released = release.clone();
        let server = start_server(ANY, async move |_reader, writer: StreamWriter| {
            drop(writer);
            released.wait().await;
        });
        let server = server.await.unwrap();
        let (mut reader, writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"");
        drop((reader, writer));
        server.close();
        server.wait_closed().await;
        let mut stop = Box::pin(server.stop(LIMIT));
        settle().await;
        assert!(poll!(&mut stop).is_pending(), "the handler runs");
        release.set();
        assert_eq!(stop.await, 0);
    });
}

#[test]
fn a_dropped_stop_leaves_the_server_closed_and_its_handlers_running() {
    run(async {
        let (server, ends) = server_with_a_stuck_handler().await;
        let (mut idle, writer) = open_connection(addr(&server)).await.unwrap();
        assert_eq!(ask(&mut idle, &writer, "idle\n").await, "ready\n");
        assert!(server.stop(LIMIT).now_or_never().is_none());
        assert!(!server.is_serving() && ends.borrow().is_empty());
        // In order: the reader of the handler reaches the end, and its answer is refused.
        server.close_clients();
        assert_eq!(server.stop(LIMIT).await, 0);
        assert_eq!(*ends.borrow(), ["idle"]);
        assert_eq!(idle.read_line().await.unwrap(), b"");
    });
}

#[test]
fn the_end_of_the_loop_drops_server_and_handlers() {
    let dropped = Rc::new(Cell::new(0));
    let counting = dropped.clone();
    struct Counted(Rc<Cell<u32>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let server = run(async move {
        let handler = async move |_reader, _writer| {
            let _counted = Counted(counting.clone());
            pending::<()>().await;
        };
        let server = start_server(ANY, handler).await.unwrap();
        let _open = open_connection(addr(&server)).await.unwrap();
        settle().await;
        evloop::time::sleep(Duration::from_millis(1)).await;
        server
    });
    assert_eq!(dropped.get(), 1);
    server.close_clients();
    drop(server);
}

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = env::temp_dir().join(format!("evloop-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_unix_server_serves_connections_and_removes_its_file() {
    let folder = Folder::new("alike");
    run(async {
        let server = start_unix_server(folder.socket(), upper).await.unwrap();
        let (mut reader, writer) = open_unix_connection(folder.socket()).await.unwrap();
        assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        assert_eq!(writer.peer_addr().unwrap_err().kind(), ErrorKind::Unsupported);
        let own = writer.get_ref().as_unix().expect("a Unix socket").peer_addr().unwrap();
        assert_eq!(own.as_pathname(), Some(&*folder.socket()));
        assert!(server.local_addrs().is_empty());
        server.close_clients();
        assert_eq!(reader.read_line().await.unwrap(), b"");
        server.close();
        server.wait_closed().await;
        assert!(!folder.socket().exists(), "the server removes its file");
        let error = open_unix_connection(folder.socket()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_stale_socket_file_is_replaced() {
    let folder = Folder::new("left");
    run(async {
        drop(UnixListener::bind(folder.socket()).unwrap());
        assert!(folder.socket().exists());
        let server = start_unix_server(folder.socket(), upper).await.unwrap();
        let in_use = start_unix_server(folder.socket(), upper).await.unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        let (mut reader, writer) = open_unix_connection(folder.socket()).await.unwrap();
        assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");

        fs::remove_file(folder.socket()).unwrap();
        fs::write(folder.socket(), "other").unwrap();
        drop(server);
        assert!(folder.socket().exists(), "it is not the file of the server");
        let in_use = start_unix_server(folder.socket(), upper).await.unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        assert_eq!(fs::read(folder.socket()).unwrap(), b"other");
    });
}

#[test]
fn only_one_of_several_servers_started_on_a_path_listens() {
    const ROUNDS: usize = 300;
    const STARTERS: usize = 4;
    let folder = Folder::new("at-once");
    let socket = folder.socket();
    let barrier = Barrier::new(STARTERS);
    let start = &|number: usize| {
        run(async {
            let mut outcomes = Vec::new();
            for _ in 0..ROUNDS {
                if number == 0 {
                    // A stale file, which each of them may replace.
                    let _ = UnixListener::bind(&socket);
                }
                barrier.wait();
                let started = start_unix_server(&socket, upper).await;
                barrier.wait();
                // No assertion here: a panic would leave the others at the barrier.
                outcomes.push(started.as_ref().err().map(io::Error::kind));
                drop(started);
                barrier.wait();
            }
            outcomes
        })
    };
    let outcomes: Vec<Vec<_>> = thread::scope(|scope| {
        let starters: Vec<_> =
            (0..STARTERS).map(|number| scope.spawn(move || start(number))).collect();
        starters.into_iter().map(|starter| starter.join().unwrap()).collect()
    });
    for round in 0..ROUNDS {
        let errors: Vec<_> = outcomes.iter().filter_map(|outcomes| outcomes[round]).collect();
        assert_eq!(errors, [ErrorKind::AddrInUse; STARTERS - 1], "in round {round}");
    }
}

#[test]
fn the_lock_of_a_path_is_free_once_its_owner_has_closed_it() {
    let folder = Folder::new("lock");
    run(async {
        let path = folder.0.join("socket.evloop-lock");
        let lock = fs::File::create(&path).unwrap();
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        let in_use = start_unix_server(folder.socket(), upper).await.unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        assert!(in_use.to_string().contains("another server is starting"), "{in_use}");
        drop(lock);
        let server = start_unix_server(folder.socket(), upper).await.unwrap();
        assert!(!path.exists(), "it exists only while a server starts or closes");
        drop(server);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    });
}

/// Returns a duplicate of the socket that listens on `addr`, as a child process may own one.
fn share(addr: SocketAddr) -> OwnedFd {
    let SocketAddr::V4(addr) = addr else { panic!("{addr}") };
    let ip = u32::from_ne_bytes(addr.ip().octets());
    let local = format!("{ip:08X}:{:04X}", addr.port());
    // A row has the number, the addresses of both ends, the state (0A: it listens), and the inode.
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[1] == local && row[3] == "0A").expect("the server listens");
    let socket = PathBuf::from(format!("socket:[{}]", row[9]));
    // No other descriptor is duplicated: that would keep the connections of other tests open.
    let mut descriptors = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let path = descriptors.find(|path| fs::read_link(path).is_ok_and(|it| it == socket)).unwrap();
    let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).unwrap()
}

#[test]
fn a_listener_that_fails_permanently_closes_the_server() {
    let ((), reports) = run_with_reports(async {
        let both: &[SocketAddr] = &[([127, 0, 0, 1], 0).into(), ([127, 0, 0, 2], 0).into()];
        let server = start_server(both, upper).await.unwrap();
        let [one, other] = [0, 1].map(|at: usize| server.local_addrs()[at]);
        let (mut reader, writer) = open_connection(one).await.unwrap();
        assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        let mut serving = Box::pin(server.serve_forever());
        assert!(poll!(&mut serving).is_pending());

        rustix::net::shutdown(share(one), rustix::net::Shutdown::Both).unwrap();
        let error = serving.await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::INVAL.raw_os_error()));
        assert!(!server.is_serving());
        let repeated = server.serve_forever().await.unwrap_err();
        assert_eq!(repeated.raw_os_error(), error.raw_os_error());
        settle().await;
        let refused = open_connection(other).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "all listeners are closed");

        assert_eq!(ask(&mut reader, &writer, "b\n").await, "B\n", "connections continue");
        drop((reader, writer));
        server.wait_closed().await;
    });
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("could not accept a connection"), "{reports:?}");
}

#[test]
fn abstract_names_are_served_without_a_file() {
    run(async {
        let name = format!("\0evloop-{}-abstract", std::process::id());
        let server = start_unix_server(&name, upper).await.unwrap();
        let (mut reader, writer) = open_unix_connection(&name).await.unwrap();
        assert_eq!(ask(&mut reader, &writer, "a\n").await, "A\n");
        drop(server);
    });
}
