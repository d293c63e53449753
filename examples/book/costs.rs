//! What single operations cost: a switch, a task, a message, a timer, a thread, a system call.
//!
//! ```sh
//! cargo run --release --package evloop-book --example costs
//! cargo run --release --package evloop-book --example costs 1000000     # times each
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

use std::io;
use std::time::{Duration, Instant};

use evloop::net::{TcpListener, TcpStream};
use evloop::sync::{Mutex, mpsc};
use evloop::{task, time};

/// Runs `operation` so many times, and prints the time of one.
async fn measure(name: &str, count: u32, mut operation: impl AsyncFnMut()) {
    let start = Instant::now();
    for _ in 0..count {
        operation().await;
    }
    println!("{name}");
    let nanos = start.elapsed().as_nanos() / u128::from(count);
    eprintln!("{name:<34} {nanos:>7} ns");
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
    let count = std::env::args().nth(1).map_or(1000, |arg| arg.parse().expect("a number"));
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
            let sleep = std::pin::pin!(time::sleep(LONG));
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
async fn is_pending_at_once(mut future: std::pin::Pin<&mut time::Sleep>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
