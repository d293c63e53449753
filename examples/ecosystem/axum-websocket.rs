//! A WebSocket echo server by axum, which needs tokio, beside a task of evloop that counts its
//! messages.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --features tokio --bin axum-websocket                  # listens on 127.0.0.1:7777
//! cargo run --features tokio --bin axum-websocket '[::1]:9000'     # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:7777`, and later the number of messages, once a second at
//! most. In a browser's console:
//!
//! ```js
//! ws = new WebSocket("ws://127.0.0.1:7777");
//! ws.onmessage = message => console.log(message.data);
//! ws.onopen = () => ws.send("hello");
//! ```

use std::env;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use evloop::sync::thread_channel::{Receiver, UnboundedSender, unbounded};
use evloop::time::interval;

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    evloop::tokio::block_on(async {
        let listener = tokio::net::TcpListener::bind(addr).await?;
        println!("listening on {}", listener.local_addr()?);
        // axum wants handlers that are `Send`, so they send to the task by a channel for threads.
        let (sender, receiver) = unbounded();
        evloop::spawn(count(receiver)).detach();
        axum::serve(listener, Router::new().route("/", get(upgrade)).with_state(sender)).await
    })
}

/// Counts the messages of all connections. A task of evloop.
async fn count(mut messages: Receiver<()>) {
    let (mut count, mut batch) = (0, Vec::new());
    let mut seconds = interval(Duration::from_secs(1));
    // Ends when all senders are dropped: with the server.
    while messages.recv_many(&mut batch, 1024).await > 0 {
        count += batch.drain(..).count();
        if messages.is_empty() {
            seconds.tick().await;
            println!("{count} messages");
        }
    }
}

async fn upgrade(
    upgrade: WebSocketUpgrade,
    State(counter): State<UnboundedSender<()>>,
) -> Response {
    upgrade.on_upgrade(|socket| echo(socket, counter))
}

/// Sends each message back. A task of tokio.
async fn echo(mut socket: WebSocket, counter: UnboundedSender<()>) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            // It fails only while the program ends.
            let _ = counter.send(());
            if let Err(error) = socket.send(message).await {
                return eprintln!("{error}");
            }
        }
    }
}
