//! Sends all received bytes back, to any number of clients at the same time, on one thread.
//!
//! ```sh
//! cargo run --release --example echo-server              # listens on 127.0.0.1:7777
//! cargo run --release --example echo-server '[::]:9000'  # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:7777`. In other terminals, connect to it:
//!
//! ```sh
//! nc 127.0.0.1 7777                    # type lines; Ctrl-D or Ctrl-C ends it
//! curl telnet://127.0.0.1:7777         # the same
//! printf 'hello' | nc -N 127.0.0.1 7777
//! ```
//!
//! The server sends each line back, and prints a line when a client connects or disconnects. Ctrl-C
//! ends it:
//!
//! ```text
//! listening on 127.0.0.1:7777
//! 127.0.0.1:40174 came: 1 open
//! 127.0.0.1:40174 left: 0 open
//! served 1 connection, 0 still open
//! ```

use std::cell::Cell;
use std::env;
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use evloop::net::{TcpListener, TcpStream};

const DEFAULT_ADDR: &str = "127.0.0.1:7777";

/// The size of the read buffer of a connection, in bytes.
const BUFFER: usize = 16 * 1024;

/// The numbers of open connections and of all connections.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) open: Cell<usize>,
    pub(crate) total: Cell<usize>,
}

fn main() -> ExitCode {
    let addr = env::args_os().nth(1).map(|addr| addr.to_string_lossy().into_owned());
    let addr = addr.unwrap_or_else(|| DEFAULT_ADDR.to_owned());
    match evloop::block_on(run(addr)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until Ctrl-C.
async fn run(addr: String) -> io::Result<()> {
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    let count = Rc::new(Count::default());
    // The task starts when this one waits for Ctrl-C: Ctrl-C is handled from its first line on.
    evloop::spawn(serve(listener, addr, count.clone())).detach();
    interrupted().await?;
    let (total, open) = (count.total.get(), count.open.get());
    let plural = if total == 1 { "" } else { "s" };
    print(format_args!("served {total} connection{plural}, {open} still open"));
    Ok(())
}

/// Completes at Ctrl-C.
#[cfg(unix)]
async fn interrupted() -> io::Result<()> {
    evloop::signal::ctrl_c().await
}

/// Never completes: Ctrl-C ends the process.
#[cfg(not(unix))]
async fn interrupted() -> io::Result<()> {
    std::future::pending().await
}

/// Spawns a task for each connection.
pub(crate) async fn serve(listener: TcpListener, addr: SocketAddr, count: Rc<Count>) {
    print(format_args!("listening on {addr}"));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => evloop::spawn(serve_one(stream, peer, count.clone())).detach(),
            // The listener stays usable: the next accept waits until it may succeed.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

async fn serve_one(stream: TcpStream, peer: SocketAddr, count: Rc<Count>) {
    count.total.set(count.total.get() + 1);
    count.open.set(count.open.get() + 1);
    print(format_args!("{peer} came: {} open", count.open.get()));
    if let Err(error) = echo(&stream).await {
        eprintln!("{peer}: {error}");
    }
    count.open.set(count.open.get() - 1);
    print(format_args!("{peer} left: {} open", count.open.get()));
}

/// Sends the received bytes back until the client closes its sending side.
async fn echo(stream: &TcpStream) -> io::Result<()> {
    let mut buf = vec![0; BUFFER];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n]).await?,
        }
    }
}

/// Prints a line. An error of stdout does not end the server.
fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
