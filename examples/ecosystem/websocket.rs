//! A WebSocket echo server by async-tungstenite: a `TcpStream` works with every crate that uses the
//! traits of futures-io.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin websocket                  # listens on 127.0.0.1:7777
//! cargo run --bin websocket '[::1]:9000'     # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:7777`. Then, in a browser's console:
//!
//! ```js
//! ws = new WebSocket("ws://127.0.0.1:7777");
//! ws.onmessage = message => console.log(message.data);
//! ws.onopen = () => ws.send("hello");
//! ```

use std::io;

use async_tungstenite::accept_async;
use async_tungstenite::tungstenite::Error;
use evloop::net::{TcpListener, TcpStream};
use futures::StreamExt;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    evloop::block_on(async {
        let listener = TcpListener::bind(addr).await?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => evloop::spawn(serve(stream)).detach(),
                // The listener stays usable: the next accept waits until it may succeed.
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    })
}

async fn serve(stream: TcpStream) {
    match echo(stream).await {
        Ok(()) | Err(Error::ConnectionClosed) => {}
        Err(error) => eprintln!("{error}"),
    }
}

/// Sends each message back. The library answers pings and the closing handshake.
async fn echo(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
