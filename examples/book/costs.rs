//! What single operations cost: a switch, a task, a message, a timer, a thread, a system call.
//!
//! ```sh
//! cargo run --release --package evloop-book --example costs
//! cargo run --release --package evloop-book --example costs 10000     # times a round
//! ```
//!
//! prints, with the time of each on stderr,
//!
//! ```text
//! a yield
//! a task: spawn, run, await
//! a message: send, receive
//! a lock: lock, unlock
//! a timer: set, remove
//! a timeout around a ready future
//! a function on the blocking pool
//! a byte over TCP, there and back
//! ```

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use evloop::net::{TcpListener, TcpStream};
use evloop::sync::{Mutex, mpsc};
use evloop::{task, time};

/// The operations are measured in so many rounds. The best one counts: in the others the processor
/// also ran other programs.
const ROUNDS: u32 = 50;

/// Runs `operation` so many times in each round, and prints the time of one.
async fn measure(name: &str, count: u32, mut operation: impl AsyncFnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..count {
            operation().await;
        }
        best = best.min(start.elapsed() / count);
    }
    println!("{name}");
    eprintln!("{name:<34} {:>7} ns", best.as_nanos());
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {
        stream.write_all(&byte).await?;
    }
    Ok(())
}

async fn tcp(count: u32) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    evloop::spawn(echo(server)).detach();
    measure("a byte over TCP, there and back", count, async || {
        client.write_all(b"x").await.expect("the server receives");
        client.read_exact(&mut [0]).await.expect("the server answers");
    })
    .await;
    Ok(())
}

fn main() -> io::Result<()> {
    let count = std::env::args().nth(1).map_or(100, |arg| arg.parse().expect("a number"));
    evloop::block_on(async {
        measure("a yield", count, async || task::yield_now().await).await;
        measure("a task: spawn, run, await", count, async || {
            evloop::spawn(async {}).await.expect("it does not panic");
        })
        .await;

        let (sender, mut receiver) = mpsc::bounded(16);
        measure("a message: send, receive", count, async || {
            sender.send(7).await.expect("the receiver exists");
            receiver.recv().await;
        })
        .await;

        let lock = Mutex::new(0);
        measure("a lock: lock, unlock", count, async || *lock.lock().await += 1).await;

        const LONG: Duration = Duration::from_secs(60);
        measure("a timer: set, remove", count, async || {
            let sleep = pin!(time::sleep(LONG));
            assert!(is_pending_at_once(sleep).await);
        })
        .await;
        measure("a timeout around a ready future", count, async || {
            _ = time::timeout(LONG, async {}).await;
        })
        .await;
        // Threads and sockets are slower: a tenth is enough.
        let count = (count / 10).max(1);
        measure("a function on the blocking pool", count, async || {
            task::spawn_blocking(|| {}).await.expect("it does not panic");
        })
        .await;
        tcp(count).await
    })
}

/// Polls a future once. Returns whether it is pending.
async fn is_pending_at_once(mut future: Pin<&mut time::Sleep>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
