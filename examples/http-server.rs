//! An HTTP server that protects itself and stops without losing a response.
//!
//! ```sh
//! cargo run --example http-server                       # 127.0.0.1:8080, 10 requests a second
//! cargo run --example http-server '[::1]:9000' 100      # another address, another rate
//! ```
//!
//! It prints `listening on 127.0.0.1:8080`. In another terminal:
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! curl -i http://127.0.0.1:8080/slow            # takes two seconds: press Ctrl-C meanwhile
//! curl -si http://127.0.0.1:8080/'[1-30]' | grep ^HTTP    # some are 429: too many
//! nc 127.0.0.1 8080                             # write nothing: 408 after five seconds
//! ```
//!
//! - Each client address may send a number of requests a second. A burst may use up two seconds.
//! - A client that sends or receives too slowly is disconnected. While it is slow, nobody waits.
//! - Ctrl-C or SIGTERM closes the listener and the idle connections, and lets running requests
//!   end, for ten seconds at most. A second Ctrl-C ends the process at once.
//!
//! An error of a connection is reported on stderr, with the address of the client.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::env;
use std::io;
use std::net::IpAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use evloop::streams::{IncompleteRead, LimitOverrun, ServerOptions, start_server_with};
use evloop::sync::CancellationToken;
use evloop::time::{interval, now, sleep, timeout};
use evloop::{StreamReader, StreamWriter};

/// The most connections that are served at the same time. The others wait to be accepted.
const CONNECTIONS_MAX: usize = 1000;

/// How long a client may take to send the head of a request, also the idle time before it.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a client may take to receive a response.
const RESPONSE_TIME: Duration = Duration::from_secs(5);

/// How long running requests may take after a signal.
const STOP_TIME: Duration = Duration::from_secs(10);

/// What the connections share.
struct Site {
    clients: Clients,
    /// Cancelled when the server stops.
    stop: CancellationToken,
    served: Cell<u64>,
}

/// The requests that each client address may send.
struct Clients {
    /// The number of requests a second.
    rate: f64,
    buckets: RefCell<HashMap<IpAddr, Bucket>>,
}

/// A token bucket: it fills at the rate, and a request takes one token.
struct Bucket {
    tokens: f64,
    counted_at: Instant,
}

/// The head of a request: the parts that this server needs.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    /// The client keeps the connection open for another request.
    keeps_alive: bool,
    has_body: bool,
}

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let Ok(rate) = args.next().map_or(Ok(10.0), |rate| rate.parse()) else {
        eprintln!("usage: http-server [address:port] [requests a second]");
        return ExitCode::FAILURE;
    };
    match evloop::block_on(run(addr, rate)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal comes, and stops.
async fn run(addr: String, rate: f64) -> io::Result<()> {
    let clients = Clients { rate, buckets: RefCell::default() };
    let stop = CancellationToken::new();
    let site = Rc::new(Site { clients, stop, served: Cell::new(0) });
    let mut options =
        ServerOptions { connection_limit: Some(CONNECTIONS_MAX), ..Default::default() };
    // A connection that was closed sends its last response in the background, so long at most.
    options.streams.linger = RESPONSE_TIME;
    let shared = site.clone();
    let handler = async move |reader, writer| shared.serve(reader, writer).await;
    let server = start_server_with(addr, &options, handler).await?;
    let shared = site.clone();
    let _forgetting = evloop::spawn(async move { shared.clients.forget().await }).abort_on_drop();
    println!("listening on {}", server.local_addrs()[0]);

    // Its listener is dropped here. So a second signal has its default effect: it ends the process.
    stop_signal().await?;
    server.close();
    site.stop.cancel();
    if timeout(STOP_TIME, server.wait_closed()).await.is_err() {
        eprintln!("some requests still run after {STOP_TIME:?}: they are aborted");
        server.abort_clients();
    }
    println!("served {} requests", site.served.get());
    Ok(())
}

/// Completes at Ctrl-C or SIGTERM.
#[cfg(unix)]
async fn stop_signal() -> io::Result<()> {
    use evloop::signal::{self, SignalKind};

    signal::unix_many([SignalKind::interrupt(), SignalKind::terminate()])?.recv().await?;
    Ok(())
}

/// Never completes: Ctrl-C ends the process.
#[cfg(not(unix))]
async fn stop_signal() -> io::Result<()> {
    std::future::pending().await
}

impl Site {
    /// Answers the requests of one connection.
    async fn serve(&self, mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
        let peer = writer.peer_addr()?.ip();
        // `drain` then waits until all is sent, not only until the buffer is small.
        writer.set_write_buffer_limits(0, 0);
        loop {
            let received = evloop::select! {
                received = timeout(HEAD_TIME, reader.read_until(b"\r\n\r\n")) => received,
                () = self.stop.cancelled() => return Ok(()),
            };
            let is_open = match received {
                Ok(Ok(head)) => self.answer(peer, &head, &writer).await,
                Ok(Err(error)) if is_end_between_requests(&error) => return Ok(()),
                Ok(Err(error)) if LimitOverrun::of(&error).is_some() => {
                    respond(&writer, "431 Request Header Fields Too Large", "", false)
                }
                Ok(Err(error)) => return Err(error),
                Err(_elapsed) => respond(&writer, "408 Request Timeout", "", false),
            };
            timeout(RESPONSE_TIME, writer.drain()).await??;
            if !is_open {
                return Ok(());
            }
        }
    }

    /// Answers one request. Returns whether the connection stays open.
    async fn answer(&self, peer: IpAddr, head: &[u8], writer: &StreamWriter) -> bool {
        self.served.set(self.served.get() + 1);
        let Some(request) = Request::parse(head) else {
            return respond(writer, "400 Bad Request", "", false);
        };
        if let Err(wait) = self.clients.admit(peer) {
            let retry = format!("Retry-After: {}\r\n", wait.as_secs() + 1);
            return respond(writer, "429 Too Many Requests", &retry, request.keeps_alive);
        }
        if request.has_body || request.method != "GET" {
            // The bytes of a body are not read: they would look like the next request.
            return respond(writer, "405 Method Not Allowed", "Allow: GET\r\n", false);
        }
        if request.path == "/slow" {
            sleep(Duration::from_secs(2)).await;
        }
        respond(writer, "200 OK", "", request.keeps_alive && !self.stop.is_cancelled())
    }
}

impl Clients {
    /// Takes a token of a client. If there is none, returns how long it takes until there is one.
    fn admit(&self, addr: IpAddr) -> Result<(), Duration> {
        let (now, burst) = (now(), self.burst());
        let mut buckets = self.buckets.borrow_mut();
        let bucket = buckets.entry(addr).or_insert(Bucket { tokens: burst, counted_at: now });
        bucket.tokens = self.tokens(bucket, now);
        bucket.counted_at = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.rate));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Forgets each client whose bucket is full again, once a minute.
    async fn forget(&self) {
        let mut minutes = interval(Duration::from_secs(60));
        loop {
            let now = minutes.tick().await;
            let is_full = |bucket: &Bucket| self.tokens(bucket, now) >= self.burst();
            self.buckets.borrow_mut().retain(|_, bucket| !is_full(bucket));
        }
    }

    fn tokens(&self, bucket: &Bucket, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(bucket.counted_at).as_secs_f64();
        (bucket.tokens + seconds * self.rate).min(self.burst())
    }

    fn burst(&self) -> f64 {
        (2.0 * self.rate).max(1.0)
    }
}

impl Request<'_> {
    fn parse(head: &[u8]) -> Option<Request<'_>> {
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, path, version) = (words.next()?, words.next()?, words.next()?);
        let (mut keeps_alive, mut has_body) = (version == "HTTP/1.1", false);
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            match &*name.to_ascii_lowercase() {
                "connection" => keeps_alive &= !value.trim().eq_ignore_ascii_case("close"),
                "content-length" | "transfer-encoding" => has_body = value.trim() != "0",
                _ => {}
            }
        }
        let is_valid = path.starts_with('/') && version.starts_with("HTTP/1.");
        is_valid.then_some(Request { method, path, keeps_alive, has_body })
    }
}

/// Queues a response whose body is the status. Returns `keep_alive`.
fn respond(writer: &StreamWriter, status: &str, fields: &str, keep_alive: bool) -> bool {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let length = status.len() + 1;
    writer.write(format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: {connection}\r\n{fields}\r\n{status}\n"
    ));
    keep_alive
}

/// Returns whether the client has ended the connection where no request had begun.
fn is_end_between_requests(error: &io::Error) -> bool {
    IncompleteRead::of(error).is_some_and(|incomplete| incomplete.partial.is_empty())
}
