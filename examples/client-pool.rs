//! A pool of connections: many tasks use a few connections to a server.
//!
//! ```sh
//! cargo run --release --example redis               # the server, in another terminal
//! cargo run --release --example client-pool         # its client, of 127.0.0.1:7779
//! ```
//!
//! 200 tasks increment a counter 50 times each, through at most 8 connections:
//!
//! ```text
//! 200 tasks made 10000 requests, the last one counted to 10000
//! opened 8 connections
//! ```
//!
//! The pool:
//!
//! - A semaphore limits the connections. A task that finds none free waits, for a limited time.
//! - A connection returns to the pool when its guard is dropped, if no request is half done: a
//!   request that failed, or was cancelled, leaves an answer behind that would be the next one's.
//! - A connection that was idle for long is checked before its use. A broken one is replaced. So an
//!   idle client survives a restart of its server; a request that runs meanwhile fails.

use std::cell::{Cell, RefCell};
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use evloop::sync::{OwnedSemaphorePermit, Semaphore};
use evloop::time::{now, timeout};
use evloop::{StreamReader, StreamWriter, open_connection, task};

const TASKS: usize = 200;
const REQUESTS: usize = 50;
const CONNECTIONS_MAX: usize = 8;
/// How long a task waits for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that was idle for so long is checked before its use.
const IDLE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7779".to_owned());
    match evloop::block_on(run(addr)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client-pool: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(addr: String) -> io::Result<()> {
    let pool = &Pool::new(addr, CONNECTIONS_MAX);
    let clients = (0..TASKS).map(|_| async move {
        let mut last = 0;
        for _ in 0..REQUESTS {
            last = pool.get().await?.increment("requests").await?;
        }
        io::Result::Ok(last)
    });
    let counts = task::try_gather(clients).await?;
    let (requests, last) = (TASKS * REQUESTS, counts.iter().max().unwrap_or(&0));
    println!("{TASKS} tasks made {requests} requests, the last one counted to {last}");
    println!("opened {} connections", pool.opened.get());
    Ok(())
}

/// A connection to the server.
struct Client {
    reader: StreamReader,
    writer: StreamWriter,
    /// A request was sent, and its answer was not read to its end.
    is_busy: bool,
    used_at: Instant,
}

impl Client {
    async fn increment(&mut self, key: &str) -> io::Result<u64> {
        let answer = self.ask(&format!("INCR {key}\r\n")).await?;
        let number = answer.strip_prefix(':').and_then(|number| number.parse().ok());
        number.ok_or_else(|| io::Error::other(format!("the server answered: {answer}")))
    }

    async fn ask(&mut self, request: &str) -> io::Result<String> {
        self.is_busy = true;
        self.writer.write(request);
        let line = timeout(PATIENCE, self.reader.read_line()).await??;
        let Some(line) = line.strip_suffix(b"\r\n") else {
            let sentence = "the server closed the connection";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, sentence));
        };
        self.is_busy = false;
        self.used_at = now();
        Ok(String::from_utf8_lossy(line).into_owned())
    }
}

struct Pool {
    addr: String,
    permits: Rc<Semaphore>,
    /// The free connections, the one that was used last at the end.
    free: Rc<RefCell<Vec<Client>>>,
    opened: Cell<usize>,
}

/// A connection in use. Dropping it returns it to its pool.
struct Lease {
    /// `None` only while it is dropped.
    client: Option<Client>,
    free: Rc<RefCell<Vec<Client>>>,
    /// Dropped last: the task that receives it finds the connection.
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    fn new(addr: String, connections_max: usize) -> Pool {
        let permits = Rc::new(Semaphore::new(connections_max));
        Pool { addr, permits, free: Rc::default(), opened: Cell::new(0) }
    }

    /// Waits for a connection.
    async fn get(&self) -> io::Result<Lease> {
        let permit =
            timeout(PATIENCE, self.permits.clone().acquire_owned()).await.map_err(|_| {
                let sentence = format!("no connection became free within {PATIENCE:?}");
                io::Error::new(io::ErrorKind::TimedOut, sentence)
            })??;
        let client = Some(self.connect().await?);
        Ok(Lease { client, free: self.free.clone(), _permit: permit })
    }

    /// Returns a free connection that works, or a new one.
    async fn connect(&self) -> io::Result<Client> {
        loop {
            // In a statement of its own, so that the cell is not borrowed during the check.
            let free = self.free.borrow_mut().pop();
            let Some(mut client) = free else { break };
            if client.used_at.elapsed() < IDLE || client.ask("PING\r\n").await.is_ok() {
                return Ok(client);
            }
        }
        let (reader, writer) = timeout(PATIENCE, open_connection(&*self.addr)).await??;
        self.opened.set(self.opened.get() + 1);
        Ok(Client { reader, writer, is_busy: false, used_at: now() })
    }
}

impl Lease {
    async fn increment(&mut self, key: &str) -> io::Result<u64> {
        self.client.as_mut().expect("the lease is in use").increment(key).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let client = self.client.take().filter(|client| !client.is_busy);
        self.free.borrow_mut().extend(client);
    }
}
