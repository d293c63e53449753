//! Finds the open TCP ports of a host, with a limit on concurrent attempts.
//!
//! ```sh
//! cargo run --example port-scanner 127.0.0.1           # ports 1 to 1024
//! cargo run --example port-scanner 127.0.0.1 1 65535
//! ```
//!
//! ```text
//! 22 is open
//! 631 is open
//! 2 of 1024 are open
//! ```
//!
//! Scan only your own hosts.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{TcpStream, lookup_host};
use evloop::spawn;
use evloop::sync::Semaphore;
use evloop::time::timeout;

/// The most concurrent attempts: fewer than the usual limit of descriptors of a process.
const ATTEMPTS_MAX: usize = 200;

/// A port that does not answer for this long counts as closed.
const PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let port = |at: usize, default| args.get(at).map_or(Ok(default), |port| port.parse());
    let (Some(host), Ok(first), Ok(last)) = (args.first(), port(1, 1u16), port(2, 1024u16)) else {
        eprintln!("usage: port-scanner HOST [FIRST-PORT [LAST-PORT]]");
        return ExitCode::FAILURE;
    };
    match evloop::block_on(scan(host, first, last)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("port-scanner: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn scan(host: &str, first: u16, last: u16) -> io::Result<()> {
    let mut addrs = lookup_host((host, 0)).await?;
    let ip = addrs.next().expect("a resolved host has an address").ip();
    let permits = Rc::new(Semaphore::new(ATTEMPTS_MAX));
    let mut attempts = Vec::new();
    for port in first..=last {
        // Waits for a permit before the spawn, so that there are never more tasks than attempts.
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        attempts.push(spawn(async move {
            let is_open = is_open(SocketAddr::new(ip, port)).await;
            if is_open {
                println!("{port} is open");
            }
            drop(permit);
            is_open
        }));
    }
    let (mut open, all) = (0, attempts.len());
    for attempt in attempts {
        open += usize::from(attempt.await?);
    }
    println!("{open} of {all} are open");
    Ok(())
}

async fn is_open(addr: SocketAddr) -> bool {
    timeout(PATIENCE, TcpStream::connect(addr)).await.is_ok_and(|attempt| attempt.is_ok())
}
