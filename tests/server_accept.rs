//! Accepting connections: the limit of handlers, pausing, listeners that exist.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{ConnectOptions, TcpListener, UnixListener};
use evloop::streams::{
    Server, ServerOptions, StreamOptions, open_connection_with, open_unix_connection,
    serve_listeners, serve_unix_listeners, start_server_with, start_unix_server_with,
};
use evloop::sync::{Notify, Semaphore};
use evloop::task::yield_now;
use evloop::time::{sleep, timeout};
use evloop::{StreamReader, StreamWriter, open_connection};
use rustix::net::sockopt;

/// Where a panic points.
#[allow(unreachable_pub)]
mod panic_place;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

async fn connect(server: &Server) -> (StreamReader, StreamWriter) {
    open_connection(server.local_addrs()[0]).await.unwrap()
}

/// Waits until `is_done`.
async fn until(is_done: impl Fn() -> bool) {
    while !is_done() {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Lets connections arrive that the server would accept.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
    sleep(Duration::from_millis(20)).await;
}

async fn greet(_reader: StreamReader, writer: StreamWriter) {
    writer.write("hello\n");
}

#[test]
fn at_most_as_many_handlers_run_as_the_limit_allows() {
    run(async {
        let options = ServerOptions { connection_limit: Some(2), ..Default::default() };
        let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let turns = Rc::new(Semaphore::new(0));
        let (count, max, permits) = (running.clone(), most.clone(), turns.clone());
        let server = start_server_with(ANY, &options, async move |_reader, writer| {
            count.set(count.get() + 1);
            max.set(max.get().max(count.get()));
            permits.acquire().await.unwrap().forget();
            count.set(count.get() - 1);
            StreamWriter::write(&writer, "done");
        })
        .await
        .unwrap();
        let mut clients = Vec::new();
        for _ in 0..7 {
            clients.push(connect(&server).await);
        }
        for left in (0..7).rev() {
            until(|| running.get() == 2.min(left + 1)).await;
            settle().await;
            assert_eq!((running.get(), server.is_full()), (2.min(left + 1), left > 0));
            assert!(server.is_serving());
            turns.add_permits(1).unwrap();
        }
        for (mut reader, _writer) in clients {
            assert_eq!(reader.read_to_end().await.unwrap(), b"done");
        }
        assert_eq!(most.get(), 2);
    });
}

#[test]
fn a_limit_is_shared_by_the_listeners_of_a_server() {
    run(async {
        let listeners =
            [TcpListener::bind(ANY).await.unwrap(), TcpListener::bind(ANY).await.unwrap()];
        let options = ServerOptions { connection_limit: Some(1), ..Default::default() };
        let (began, end) = (Rc::new(Cell::new(0)), Rc::new(Notify::new()));
        let (count, ended) = (began.clone(), end.clone());
        let server = serve_listeners(listeners, &options, async move |_reader, _writer| {
            count.set(count.get() + 1);
            ended.notified().await;
        })
        .unwrap();
        let mut clients = Vec::new();
        for addr in server.local_addrs() {
            clients.push(open_connection(*addr).await.unwrap());
        }
        for n in 1..=2 {
            until(|| began.get() == n).await;
            settle().await;
            assert_eq!(began.get(), n);
            end.notify_one();
        }
    });
}

#[test]
fn a_handler_that_panics_frees_its_place() {
    let runtime = evloop::Runtime::builder().on_task_error(|_| {}).build();
    runtime.unwrap().block_on(async {
        let options = ServerOptions { connection_limit: Some(1), ..Default::default() };
        let server = start_server_with(ANY, &options, async move |mut reader, writer| {
            let line: Vec<u8> = StreamReader::read_line(&mut reader).await.unwrap();
            assert_eq!(line, b"good\n");
            StreamWriter::write(&writer, "done");
        })
        .await
        .unwrap();
        for (line, reply) in [("bad\n", ""), ("good\n", "done")] {
            let (mut reader, writer) = connect(&server).await;
            writer.write(line);
            assert_eq!(reader.read_to_end().await.unwrap(), reply.as_bytes());
        }
    });
}

#[test]
fn a_paused_server_leaves_connections_in_the_backlog() {
    run(async {
        let server = evloop::start_server(ANY, greet).await.unwrap();
        let (mut reader, _writer) = connect(&server).await;
        assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
        for _ in 0..2 {
            server.pause_serving();
            assert!(!server.is_serving());
            let (mut reader, _writer) = connect(&server).await;
            settle().await;
            let moment = Duration::from_millis(5);
            assert!(timeout(moment, reader.read_line()).await.is_err(), "it is not accepted");
            server.start_serving();
            assert!(server.is_serving());
            assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
        }
        // A pause between two connections, during which none arrives.
        server.pause_serving();
        settle().await;
        server.start_serving();
        let (mut reader, _writer) = connect(&server).await;
        assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
    });
}

#[test]
fn a_server_may_start_later_and_serve_forever_starts_it() {
    run(async {
        let options = ServerOptions { start_serving: false, ..Default::default() };
        for by_serve_forever in [false, true] {
            let server = start_server_with(ANY, &options, greet).await.unwrap();
            let (mut reader, _writer) = connect(&server).await;
            settle().await;
            assert!(!server.is_serving());
            let read = async {
                assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
                server.close();
                server.close_clients();
            };
            if by_serve_forever {
                let (served, ()) = futures::join!(server.serve_forever(), read);
                served.unwrap();
            } else {
                server.start_serving();
                read.await;
            }
            assert!(!server.is_serving());
            server.start_serving();
            assert!(!server.is_serving(), "a closed server does not start");
        }
    });
}

#[test]
fn a_paused_or_full_server_can_be_closed() {
    run(async {
        let options = ServerOptions { connection_limit: Some(1), ..Default::default() };
        let handler = async |_reader, _writer: StreamWriter| pending::<()>().await;
        let server = start_server_with(ANY, &options, handler).await.unwrap();
        let client = connect(&server).await;
        until(|| server.is_full()).await;
        server.pause_serving();
        server.close();
        server.abort_clients();
        server.wait_closed().await;
        drop(client);
    });
}

#[test]
fn a_std_listener_is_served() {
    let listener = std::net::TcpListener::bind(ANY).unwrap();
    let addr = listener.local_addr().unwrap();
    // As a service manager passes it: a descriptor.
    let descriptor = OwnedFd::from(listener);
    run(async {
        let listener = TcpListener::from_std(descriptor.into()).unwrap();
        let server = serve_listeners([listener], &ServerOptions::default(), greet).unwrap();
        assert_eq!(server.local_addrs(), [addr]);
        let (mut reader, _writer) = connect(&server).await;
        assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
    });
}

#[test]
fn a_unix_listener_is_served_and_its_file_stays() {
    let path = std::env::temp_dir().join(format!("evloop-{}-serve", std::process::id()));
    let _ = std::fs::remove_file(&path);
    run(async {
        let listener = UnixListener::bind(&path).unwrap();
        let options = ServerOptions { connection_limit: Some(1), ..Default::default() };
        let server = serve_unix_listeners([listener], &options, greet).unwrap();
        assert!(server.local_addrs().is_empty());
        for _ in 0..2 {
            let (mut reader, _writer) = open_unix_connection(&path).await.unwrap();
            assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
        }
        drop(server);
    });
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn keepalive_is_set_on_accepted_connections() {
    run(async {
        for keepalive in [false, true] {
            let options = ServerOptions { keepalive, ..Default::default() };
            let seen = Rc::new(RefCell::new(None));
            let found = seen.clone();
            let handler = async move |_reader, writer: StreamWriter| {
                let tcp = writer.get_ref().as_tcp().unwrap();
                found.replace(Some(sockopt::socket_keepalive(tcp).unwrap()));
            };
            let server = start_server_with(ANY, &options, handler).await.unwrap();
            let (mut reader, _writer) = connect(&server).await;
            assert_eq!(reader.read(1).await.unwrap(), b"");
            assert_eq!(seen.take(), Some(keepalive));
        }
    });
}

#[test]
fn serving_outside_of_a_loop_panics_at_the_caller() {
    let options = &ServerOptions::default();
    let part = "serve_listeners was called outside";
    panic_place::assert_points_here(|| drop(serve_listeners([], options, greet)), part);
    let part = "serve_unix_listeners was called outside";
    panic_place::assert_points_here(|| drop(serve_unix_listeners([], options, greet)), part);
}

#[test]
fn a_limit_of_zero_is_an_error() {
    run(async {
        let options = ServerOptions { connection_limit: Some(0), ..Default::default() };
        let listener = TcpListener::bind(ANY).await.unwrap();
        let path = std::env::temp_dir().join(format!("evloop-{}-zero", std::process::id()));
        let errors = [
            start_server_with(ANY, &options, greet).await.unwrap_err(),
            serve_listeners([listener], &options, greet).unwrap_err(),
            start_unix_server_with(&path, &options, greet).await.unwrap_err(),
            serve_unix_listeners([], &options, greet).unwrap_err(),
        ];
        assert_eq!(errors.map(|error| error.kind()), [ErrorKind::InvalidInput; 4]);
    });
}

#[test]
fn a_connection_is_opened_from_the_local_address_of_the_options() {
    run(async {
        let server = evloop::start_server(ANY, greet).await.unwrap();
        // Any address of 127.0.0.0/8 is this host.
        let local_addr = Some(([127, 0, 0, 7], 0).into());
        let connect = ConnectOptions { local_addr, ..ConnectOptions::default() };
        let options = StreamOptions { connect, ..StreamOptions::default() };
        let addr = server.local_addrs()[0];
        let (reader, _writer) = open_connection_with(addr, &options).await.unwrap();
        assert_eq!(reader.local_addr().unwrap().ip().to_string(), "127.0.0.7");
        io::Result::Ok(())
    })
    .unwrap();
}
