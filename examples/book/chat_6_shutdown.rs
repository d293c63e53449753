//! A chat server, stage 6: Ctrl-C or SIGTERM ends it, and no line is lost.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_6_shutdown
//! nc 127.0.0.1 7777     # in another terminal
//! ```
//!
//! prints `listening on 127.0.0.1:7777`, and after Ctrl-C `0 connections aborted`. The client
//! receives:
//!
//! ```text
//! * your name?
//! * the server ends
//! ```
//!
//! A second Ctrl-C ends the program at once. The arguments are those of stage 5.

use std::env;
use std::future::Future;
use std::io;
use std::time::Duration;

use evloop::Server;

#[path = "chat_5_limits.rs"]
#[allow(dead_code)] // its `main`
mod limits;

pub(crate) use limits::{Chat, start};

/// How long the last bytes of the connections may take.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let (server, chat) = start(addr, limits::limits()).await?;
        println!("listening on {}", server.local_addrs()[0]);
        let aborted = serve_until(&server, &chat, stop_signal()).await?;
        println!("{aborted} connections aborted");
        Ok(())
    })
}

/// Serves until `stop` completes. Returns how many connections had to be aborted.
pub(crate) async fn serve_until(
    server: &Server,
    chat: &Chat,
    stop: impl Future<Output = io::Result<()>>,
) -> io::Result<usize> {
    evloop::select! {
        result = server.serve_forever() => result?, // the listener has failed
        result = stop => result?,
    }
    // 1. No new connection is accepted.
    server.close();
    // 2. Each client gets a last line. It is sent after all lines before it.
    for client in chat.clients.borrow().values() {
        client.writer.write("* the server ends\n");
    }
    // 3. The readers reach the end of the stream: the handlers return as if the clients had left.
    server.close_clients();
    // 4. The connections have this long to send the rest.
    Ok(server.stop(GRACE).await)
}

/// Waits for Ctrl-C or SIGTERM. After that both have their usual effect again.
#[cfg(unix)]
async fn stop_signal() -> io::Result<()> {
    use evloop::signal::{SignalKind, unix_many};
    unix_many([SignalKind::interrupt(), SignalKind::terminate()])?.recv().await.map(drop)
}

#[cfg(not(unix))]
async fn stop_signal() -> io::Result<()> {
    std::future::pending().await
}
