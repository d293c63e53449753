//! `hyper::serve`: HTTP/1 and HTTP/2 on one port, limits, closing in order.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use evloop::hyper::{Executor, Io, Protocol, Server, ServerOptions, serve, serve_with};
use evloop::net::{TcpListener, TcpStream};
use evloop::streams::{StreamOptions, from_unix, open_connection};
use evloop::sync::{Event, Semaphore};
use evloop::task::yield_now;
use evloop::time::{now, timeout};
use evloop::{Runtime, StreamReader, StreamWriter};
use futures_lite::AsyncReadExt;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const GET: &str = "GET /a HTTP/1.1\r\nhost: a\r\n\r\n";

type HttpResult = Result<Response<String>, Infallible>;

fn run<T>(future: impl Future<Output = io::Result<T>>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs").unwrap() })
}

/// Does the same, and returns the reports to the loop's error handler too.
fn run_with_reports<T>(future: impl Future<Output = io::Result<T>>) -> (T, Vec<String>) {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let recorded = reports.clone();
    let on_task_error = move |error: evloop::task::JoinError| {
        recorded.borrow_mut().push(error.to_string());
    };
    let mut runtime = Runtime::builder().on_task_error(on_task_error).build().unwrap();
    let output = runtime.block_on(timeout(LIMIT, future)).expect("it hangs").unwrap();
    drop(runtime);
    (output, reports.take())
}

async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await
}

fn addr(server: &Server) -> SocketAddr {
    server.local_addrs()[0]
}

async fn connect(server: &Server) -> io::Result<(StreamReader, StreamWriter)> {
    open_connection(addr(server)).await
}

/// Answers with the path.
async fn echo_path(request: Request<Incoming>) -> HttpResult {
    Ok(Response::new(request.uri().path().to_owned()))
}

/// Reads the head of a response of HTTP/1 and its body. Returns both.
async fn read_response(reader: &mut StreamReader) -> io::Result<(String, String)> {
    let head = String::from_utf8(reader.read_until(b"\r\n\r\n").await?.to_vec()).unwrap();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let body = String::from_utf8(reader.read_exact(length).await?).unwrap();
    Ok((head, body))
}

/// Collects a body.
async fn collect(body: Incoming) -> Result<String, hyper::Error> {
    let (mut body, mut bytes) = (std::pin::pin!(body), Vec::new());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        bytes.extend_from_slice(&frame?.into_data().unwrap_or_default());
    }
    Ok(String::from_utf8(bytes).unwrap())
}

async fn connect_http2(addr: SocketAddr) -> io::Result<http2::SendRequest<String>> {
    let stream = Io::new(TcpStream::connect(addr).await?);
    let connected = http2::handshake(Executor, stream).await;
    let (sender, connection) = connected.map_err(io::Error::other)?;
    drop(evloop::spawn(connection));
    Ok(sender)
}

async fn get(sender: &mut http2::SendRequest<String>, path: &str) -> io::Result<String> {
    let request = Request::get(format!("http://a{path}")).body(String::new()).unwrap();
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    collect(response.into_body()).await.map_err(io::Error::other)
}

/// A service whose requests wait until `finish` is released; `begun` counts them.
#[derive(Clone)]
struct Slow {
    begun: Rc<Semaphore>,
    finish: Rc<Event>,
    dropped: Rc<Cell<u32>>,
}

struct CountDrop(Rc<Cell<u32>>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Slow {
    fn new() -> Slow {
        let begun = Rc::new(Semaphore::new(0));
        Slow { begun, finish: Rc::default(), dropped: Rc::default() }
    }

    async fn begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }
}

impl hyper::service::Service<Request<Incoming>> for Slow {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = HttpResult>>>;

    fn call(&self, _: Request<Incoming>) -> Self::Future {
        let slow = self.clone();
        Box::pin(async move {
            let _drop = CountDrop(slow.dropped.clone());
            slow.begun.add_permits(1).unwrap();
            slow.finish.wait().await;
            Ok(Response::new("done".to_owned()))
        })
    }
}

#[test]
fn a_connection_is_kept_alive_and_requests_may_be_pipelined() {
    run(async {
        let server = serve(listen().await?, service_fn(echo_path))?;
        let (mut reader, writer) = connect(&server).await?;
        for _ in 0..3 {
            writer.write(GET);
            assert_eq!(read_response(&mut reader).await?.1, "/a");
        }
        writer.write(format!("{GET}{}{}", GET.replace("/a", "/b"), GET.replace("/a", "/c")));
        for path in ["/a", "/b", "/c"] {
            assert_eq!(read_response(&mut reader).await?.1, path);
        }
        writer.write("GET /d HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert_eq!(read_response(&mut reader).await?.1, "/d");
        assert_eq!(reader.read_to_end().await?, b"");
        Ok(())
    });
}

#[test]
fn a_body_is_read_in_pieces() {
    run(async {
        let service = service_fn(async |request: Request<Incoming>| {
            collect(request.into_body()).await.map(Response::new)
        });
        let server = serve(listen().await?, service)?;
        let (mut reader, writer) = connect(&server).await?;
        let body = "x".repeat(300_000);
        writer.write(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 300_000));
        writer.write(&body);
        assert_eq!(read_response(&mut reader).await?.1, body);
        let body = "y".repeat(200_000);
        let mut sender = connect_http2(addr(&server)).await?;
        let request = Request::post("http://a/").body(body.clone()).unwrap();
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        assert_eq!(collect(response.into_body()).await.unwrap(), body);
        Ok(())
    });
}

#[test]
fn one_port_speaks_both_protocols() {
    run(async {
        let server = serve(listen().await?, service_fn(echo_path))?;
        let mut sender = connect_http2(addr(&server)).await?;
        let (mut reader, writer) = connect(&server).await?;
        writer.write(GET);
        assert_eq!(read_response(&mut reader).await?.1, "/a");
        let (one, two) = (&mut sender.clone(), &mut sender);
        let both = futures::join!(get(one, "/1"), get(two, "/2"));
        assert_eq!((both.0?, both.1?), ("/1".into(), "/2".into()));
        Ok(())
    });
}

#[test]
fn the_protocol_is_found_in_bytes_that_come_one_by_one() {
    run(async {
        let server = serve(listen().await?, service_fn(echo_path))?;
        for request in ["GET / HTTP/1.0\r\n\r\n", "PRI / HTTP/1.0\r\n\r\n"] {
            let (mut reader, writer) = connect(&server).await?;
            for byte in request.bytes() {
                writer.write([byte]);
                writer.flush();
                yield_now().await;
            }
            assert!(reader.read_to_end().await?.ends_with(b"\r\n\r\n/"));
        }
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let (mut reader, writer) = connect(&server).await?;
        for byte in preface {
            writer.write([*byte]);
            writer.flush();
            yield_now().await;
        }
        // A SETTINGS frame: its length in three bytes, its type.
        assert_eq!(reader.read_exact(4).await?[3], 4);
        Ok(())
    });
}

#[test]
fn a_server_of_one_protocol_refuses_the_other() {
    run(async {
        let options = ServerOptions { protocol: Protocol::Http1, ..Default::default() };
        let begin = async |stream, _| io::Result::Ok((Io::new(stream), service_fn(echo_path)));
        let server = serve_with(listen().await?, &options, begin)?;
        let refused = match connect_http2(addr(&server)).await {
            Ok(mut sender) => get(&mut sender, "/").await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
        let options = ServerOptions { protocol: Protocol::Http2, ..Default::default() };
        let server = serve_with(listen().await?, &options, begin)?;
        let (mut reader, writer) = connect(&server).await?;
        writer.write(GET);
        // Only frames, or a reset.
        let answer = reader.read_to_end().await.unwrap_or_default();
        assert!(!answer.starts_with(b"HTTP/1"));
        assert_eq!(get(&mut connect_http2(addr(&server)).await?, "/x").await?, "/x");
        Ok(())
    });
}

#[test]
fn stop_completes_the_requests_in_flight() {
    run(async {
        let slow = Slow::new();
        let server = serve(listen().await?, slow.clone())?;
        let (mut reader, writer) = connect(&server).await?;
        let (mut idle, _idle_writer) = connect(&server).await?;
        let mut sender = connect_http2(addr(&server)).await?;
        writer.write(GET);
        let second = evloop::spawn(async move { get(&mut sender, "/").await });
        slow.begun().await;
        slow.begun().await;

        let address = addr(&server);
        let stopping = evloop::spawn(async move { server.stop(LIMIT).await });
        assert_eq!(idle.read_to_end().await?, b"", "an idle connection is closed at once");
        assert!(TcpStream::connect(address).await.is_err(), "it does not listen any more");
        assert!(!stopping.is_finished());
        slow.finish.set();
        let (head, body) = read_response(&mut reader).await?;
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(body, "done");
        assert_eq!(reader.read_to_end().await?, b"");
        assert_eq!(second.await.unwrap()?, "done");
        assert_eq!(stopping.await.unwrap(), 0);
        Ok(())
    });
}

#[test]
fn a_request_that_has_arrived_before_the_close_is_answered() {
    run(async {
        let (begun, go_on) = (Rc::new(Semaphore::new(0)), Rc::new(Event::new()));
        let (begins, gate) = (begun.clone(), go_on.clone());
        let begin = async move |stream, _| {
            begins.add_permits(1).unwrap();
            gate.wait().await;
            io::Result::Ok((Io::new(stream), service_fn(echo_path)))
        };
        let server = serve_with(listen().await?, &ServerOptions::default(), begin)?;
        let (mut reader, writer) = connect(&server).await?;
        writer.write(GET);
        writer.flush();
        let (mut idle, _idle_writer) = connect(&server).await?;
        begun.acquire_many(2).await.unwrap().forget();
        server.close_clients();
        go_on.set();
        assert_eq!(read_response(&mut reader).await?.1, "/a");
        assert_eq!(reader.read_to_end().await?, b"");
        assert_eq!(idle.read_to_end().await?, b"", "nothing has arrived on this one");
        Ok(())
    });
}

#[test]
fn stop_aborts_what_is_left_after_the_grace() {
    run(async {
        let slow = Slow::new();
        let server = serve(listen().await?, slow.clone())?;
        let (mut reader, writer) = connect(&server).await?;
        let mut sender = connect_http2(addr(&server)).await?;
        writer.write(GET);
        let second = evloop::spawn(async move { get(&mut sender, "/").await });
        slow.begun().await;
        slow.begun().await;
        assert_eq!(server.stop(Duration::from_millis(5)).await, 2);
        assert!(reader.read_to_end().await.unwrap_or_default().is_empty());
        assert!(second.await.unwrap().is_err());
        while slow.dropped.get() < 2 {
            yield_now().await;
        }
        Ok(())
    });
}

#[test]
fn a_client_that_sends_no_request_is_closed_after_the_header_timeout() {
    run(async {
        let begin = async |stream, _| io::Result::Ok((Io::new(stream), service_fn(echo_path)));
        // Nothing; the beginning of HTTP/2; half a head; nothing after a response. That request
        // must come in time, also if the thread is suspended.
        let cases =
            [("", 0, 30), ("PRI * HT", 0, 30), ("GET / HTTP/1.1\r\nho", 0, 30), (GET, 1, 500)];
        for (sent, answers, ms) in cases {
            let limit = Duration::from_millis(ms);
            let options = ServerOptions { header_timeout: Some(limit), ..Default::default() };
            let server = serve_with(listen().await?, &options, begin)?;
            let begin = now();
            let (mut reader, writer) = connect(&server).await?;
            writer.write(sent);
            let answer = reader.read_to_end().await.unwrap_or_default();
            assert!(now() - begin >= limit);
            let answers_seen = String::from_utf8_lossy(&answer).matches("200 OK").count();
            assert_eq!(answers_seen, answers, "{sent}");
            server.close();
            server.wait_closed().await;
        }
        Ok(())
    });
}

#[test]
fn a_silent_client_is_closed_by_the_limit_and_by_the_server_in_each_protocol() {
    run(async {
        let begin = async |stream, _| io::Result::Ok((Io::new(stream), service_fn(echo_path)));
        for protocol in [Protocol::Any, Protocol::Http1, Protocol::Http2] {
            let header_timeout = Some(Duration::from_millis(5));
            let options = ServerOptions { protocol, header_timeout, ..Default::default() };
            let server = serve_with(listen().await?, &options, begin)?;
            let (mut reader, _writer) = connect(&server).await?;
            assert_eq!(reader.read_to_end().await?, b"", "the limit of {protocol:?}");

            let options = ServerOptions { protocol, header_timeout: None, ..Default::default() };
            let server = serve_with(listen().await?, &options, begin)?;
            let (mut reader, writer) = connect(&server).await?;
            if protocol != Protocol::Http1 {
                writer.write("PRI * HT");
            }
            let waits = timeout(Duration::from_millis(5), reader.read_line()).await;
            assert!(waits.is_err(), "{protocol:?} has no limit");
            assert_eq!(server.stop(LIMIT).await, 0, "{protocol:?}");
            assert_eq!(reader.read_to_end().await?, b"");
        }
        Ok(())
    });
}

#[test]
fn small_writes_of_a_tcp_connection_are_sent_at_once() {
    run(async {
        let begin = async |stream: TcpStream, _| {
            assert!(stream.nodelay()?);
            io::Result::Ok((Io::new(stream), service_fn(echo_path)))
        };
        let server = serve_with(listen().await?, &ServerOptions::default(), begin)?;
        let (mut reader, writer) = connect(&server).await?;
        writer.write(GET);
        assert_eq!(read_response(&mut reader).await?.1, "/a");
        Ok(())
    });
}

#[test]
fn a_client_that_stops_in_the_handshake_frees_its_place_after_the_limit() {
    let ((), reports) = run_with_reports(async {
        let options = ServerOptions {
            handshake_timeout: Some(Duration::from_millis(20)),
            connection_limit: Some(1),
            ..Default::default()
        };
        let begin = async |mut stream: TcpStream, _| {
            let mut hello = [0; 5];
            AsyncReadExt::read_exact(&mut stream, &mut hello).await?;
            io::Result::Ok((Io::new(stream), service_fn(echo_path)))
        };
        let server = serve_with(listen().await?, &options, begin)?;
        let (mut stopped, stopped_writer) = connect(&server).await?;
        stopped_writer.write("hell");
        let (mut reader, writer) = connect(&server).await?;
        writer.write(format!("hello{GET}"));
        assert_eq!(read_response(&mut reader).await?.1, "/a");
        assert_eq!(stopped.read_to_end().await.unwrap_or_default(), b"");
        // The limit is that of the handshake alone: an open connection may be older.
        evloop::time::sleep(Duration::from_millis(30)).await;
        writer.write(GET);
        assert_eq!(read_response(&mut reader).await?.1, "/a");
        Ok(())
    });
    let limit = "took longer than ServerOptions::handshake_timeout, 20ms";
    assert!(reports.len() == 1 && reports[0].contains(limit), "{reports:?}");
}

#[test]
fn a_full_server_accepts_when_a_connection_has_ended() {
    run(async {
        let options = ServerOptions { connection_limit: Some(1), ..Default::default() };
        let begin = async |stream, _| io::Result::Ok((Io::new(stream), service_fn(echo_path)));
        let server = serve_with(listen().await?, &options, begin)?;
        let (mut first, first_writer) = connect(&server).await?;
        let (mut second, second_writer) = connect(&server).await?;
        second_writer.write(GET);
        first_writer.write(GET);
        assert_eq!(read_response(&mut first).await?.1, "/a");
        assert!(server.is_full() && server.is_serving());
        let waits = timeout(Duration::from_millis(20), second.read_line()).await;
        assert!(waits.is_err(), "the second one waits in the backlog");
        drop((first, first_writer));
        assert_eq!(read_response(&mut second).await?.1, "/a");

        let options = ServerOptions { connection_limit: Some(0), ..Default::default() };
        let error = serve_with(listen().await?, &options, begin).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_server_may_pause_and_serve_forever() {
    run(async {
        let options = ServerOptions { start_serving: false, ..Default::default() };
        let begin = async |stream, _| io::Result::Ok((Io::new(stream), service_fn(echo_path)));
        let server = Rc::new(serve_with(listen().await?, &options, begin)?);
        let (mut reader, writer) = connect(&server).await?;
        writer.write(GET);
        assert!(!server.is_serving());
        let serving = server.clone();
        let forever = evloop::spawn(async move { serving.serve_forever().await });
        assert_eq!(read_response(&mut reader).await?.1, "/a");
        server.close();
        writer.write(GET);
        assert_eq!(read_response(&mut reader).await?.1, "/a", "the connection continues");
        assert!(!forever.is_finished());
        server.close_clients();
        forever.await.unwrap()?;
        let closed = server.serve_forever().await.unwrap_err();
        assert_eq!(closed.kind(), io::ErrorKind::NotConnected);
        Ok(())
    });
}

#[test]
fn errors_of_the_service_are_reported_and_those_of_clients_are_not() {
    let ((), reports) = run_with_reports(async {
        let service = service_fn(async |request: Request<Incoming>| match request.uri().path() {
            "/panic" => panic!("a panic"),
            "/error" => Err(io::Error::other("a service failed")),
            path => Ok(Response::new(path.to_owned())),
        });
        let server = serve(listen().await?, service)?;
        for path in ["/error", "/panic"] {
            let (mut reader, writer) = connect(&server).await?;
            writer.write(GET.replace("/a", path));
            assert_eq!(reader.read_to_end().await.unwrap_or_default(), b"");
        }
        let (mut reader, writer) = connect(&server).await?;
        writer.write("garbage\r\n\r\n");
        assert!(reader.read_to_end().await?.starts_with(b"HTTP/1.1 400"));
        let (_reader, writer) = connect(&server).await?;
        writer.write("GET / HTTP/1.1\r\nhos");
        writer.abort();

        let begin = async |stream: TcpStream, _| match stream.take_error()? {
            None => Err(io::Error::other("a handshake failed")),
            Some(_) => Ok((Io::new(stream), service_fn(echo_path))),
        };
        let failing = serve_with(listen().await?, &ServerOptions::default(), begin)?;
        let (mut reader, _writer) = connect(&failing).await?;
        assert_eq!(reader.read_to_end().await?, b"");
        server.stop(LIMIT).await;
        Ok(())
    });
    let seen = |text: &str| reports.iter().filter(|report| report.contains(text)).count();
    assert_eq!((seen("a service failed"), seen("a panic"), seen("a handshake failed")), (1, 1, 1));
    assert_eq!(reports.len(), 3, "{reports:?}");
}

#[test]
fn a_service_may_upgrade_a_connection() {
    run(async {
        let service = service_fn(async |request: Request<Incoming>| {
            evloop::spawn(async move {
                let upgraded = hyper::upgrade::on(request).await.unwrap();
                let (mut reader, writer) = evloop::streams::from_io(Io::new(upgraded));
                writer.write(reader.read_line().await?.to_ascii_uppercase());
                writer.drain().await
            })
            .detach();
            let head = Response::builder().status(101).header("upgrade", "x");
            Ok::<_, Infallible>(head.body(String::new()).unwrap())
        });
        let service = Rc::new(service);
        let options = ServerOptions { upgrades: true, ..Default::default() };
        let begin = async move |stream, _| io::Result::Ok((Io::new(stream), service.clone()));
        let server = serve_with(listen().await?, &options, begin)?;
        let (mut reader, writer) = connect(&server).await?;
        writer.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nabc");
        assert!(read_response(&mut reader).await?.0.starts_with("HTTP/1.1 101"));
        writer.write("def\n");
        assert_eq!(reader.read_to_end().await?, b"ABCDEF\n");
        assert_eq!(server.stop(LIMIT).await, 0);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_served() {
    use evloop::net::{UnixListener, UnixStream};
    run(async {
        let path = std::env::temp_dir().join(format!("evloop-hyper-{}", std::process::id()));
        let server = serve(UnixListener::bind(&path)?, service_fn(echo_path))?;
        assert!(server.local_addrs().is_empty());
        let stream = UnixStream::connect(&path).await?;
        std::fs::remove_file(&path)?;
        let (mut reader, writer) = from_unix(stream, &StreamOptions::default());
        writer.write(GET);
        assert_eq!(read_response(&mut reader).await?.1, "/a");
        Ok(())
    });
}

#[test]
fn the_end_of_the_loop_drops_the_requests_that_are_left() {
    let slow = Slow::new();
    let dropped = slow.dropped.clone();
    let server = run(async {
        let server = serve(listen().await?, slow.clone())?;
        let (_reader, writer) = connect(&server).await?;
        writer.write(GET);
        let mut sender = connect_http2(addr(&server)).await?;
        drop(evloop::spawn(async move { get(&mut sender, "/").await }));
        slow.begun().await;
        slow.begun().await;
        Ok(server)
    });
    assert_eq!(dropped.get(), 2);
    drop(server);
}

/// Serves connections whose handshake never ends. `dropped` counts the handshakes that are dropped.
async fn serve_endless_handshakes(
    handshake_timeout: Option<Duration>,
    dropped: Rc<Cell<u32>>,
) -> io::Result<(Server, Rc<Semaphore>)> {
    let options = ServerOptions { handshake_timeout, ..Default::default() };
    let begun = Rc::new(Semaphore::new(0));
    let permits = begun.clone();
    let begin = async move |stream: TcpStream, _| {
        let _dropped = CountDrop(dropped.clone());
        permits.add_permits(1).unwrap();
        std::future::pending::<()>().await;
        io::Result::Ok((Io::new(stream), service_fn(echo_path)))
    };
    Ok((serve_with(listen().await?, &options, begin)?, begun))
}

#[test]
fn a_handshake_has_a_time_limit_and_its_end_is_reported_with_the_peer() {
    let dropped = Rc::new(Cell::new(0));
    let (own, reports) = run_with_reports(async {
        let limit = Duration::from_millis(30);
        let (server, _) = serve_endless_handshakes(Some(limit), dropped.clone()).await?;
        let begin = now();
        let (mut reader, writer) = connect(&server).await?;
        assert_eq!(reader.read_to_end().await?, b"");
        assert!(now() - begin >= limit);
        server.close();
        server.wait_closed().await;
        writer.local_addr()
    });
    assert_eq!(dropped.get(), 1);
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert!(report.contains(&format!("connection from {own}: ")), "{report}");
    assert!(report.contains("handshake_timeout"), "{report}");
}

#[test]
fn stop_ends_connections_in_their_handshake_at_once() {
    let dropped = Rc::new(Cell::new(0));
    let ((), reports) = run_with_reports(async {
        let (server, begun) = serve_endless_handshakes(None, dropped.clone()).await?;
        let (mut reader, _writer) = connect(&server).await?;
        begun.acquire().await.unwrap().forget();
        assert_eq!(server.stop(Duration::MAX).await, 0);
        assert_eq!(reader.read_to_end().await?, b"");
        Ok(())
    });
    assert_eq!((dropped.get(), reports), (1, Vec::new()));
}
