//! Sends all received bytes back, on all cores: one loop on each core, one port for all loops.
//!
//! ```sh
//! cargo run --release --example echo-shards                      # 127.0.0.1:7777, all cores
//! cargo run --release --example echo-shards -- 127.0.0.1:9000 2  # two loops
//! ```
//!
//! The system assigns each connection to one loop, where it stays. Ctrl-C ends the program:
//!
//! ```text
//! 2 shards listen on 127.0.0.1:7777
//! shard 0 served 12 connections
//! shard 1 served 9 connections
//! ```

use std::cell::Cell;
use std::env;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;

use evloop::net::{ListenOptions, TcpListener, TcpStream};
use evloop::shards::{Shard, try_shards};

const DEFAULT_ADDR: &str = "127.0.0.1:7777";

/// The size of the read buffer of a connection, in bytes.
const BUFFER: usize = 16 * 1024;

/// The number of connections of a shard. Prints it when the shard ends.
struct Count {
    shard: usize,
    connections: Cell<usize>,
}

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| DEFAULT_ADDR.to_owned()).parse();
    let count = args.next().map(|count| count.parse()).transpose();
    let (Ok(addr), Ok(count)) = (addr, count) else {
        eprintln!("usage: echo-shards [address:port] [shards]");
        return ExitCode::FAILURE;
    };
    let cores = || thread::available_parallelism().map_or(1, |cores| cores.get());
    match try_shards(count.unwrap_or_else(cores), async |shard| run(shard, addr).await) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-shards: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until Ctrl-C. The first shard receives it and stops all shards.
async fn run(shard: Shard, addr: SocketAddr) -> io::Result<()> {
    let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
    let listener = TcpListener::bind_with(addr, &options).await?;
    let count = Rc::new(Count { shard: shard.index(), connections: Cell::new(0) });
    let serve = serve(listener, count.clone());
    if shard.index() > 0 {
        return serve.await;
    }
    println!("{} shards listen on {addr}", shard.count());
    let _serving = evloop::spawn(serve);
    interrupted().await?;
    println!();
    shard.stop_all();
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

async fn serve(listener: TcpListener, count: Rc<Count>) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                count.connections.set(count.connections.get() + 1);
                evloop::spawn(echo(stream)).detach();
            }
            // The listener stays usable: the next accept waits until it may succeed.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

/// Sends the received bytes back until the client closes its sending side or the connection fails.
async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; BUFFER];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n]).await?,
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        println!("shard {} served {} connections", self.shard, self.connections.get());
    }
}
