//! A WebSocket echo server in axum's router, without tokio: hyper upgrades the connection, and
//! async-tungstenite reads and writes the messages.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin hyper-websocket                  # listens on 127.0.0.1:7777
//! cargo run --bin hyper-websocket '[::1]:9000'     # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:7777`. `curl localhost:7777/messages` returns the number of
//! messages. In a browser's console:
//!
//! ```js
//! ws = new WebSocket("ws://127.0.0.1:7777");
//! ws.onmessage = message => console.log(message.data);
//! ws.onopen = () => ws.send("hello");
//! ```
//!
//! axum's own feature `ws` spawns on tokio: see `axum-websocket`.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::handshake::server::create_response_with_body;
use async_tungstenite::tungstenite::protocol::Role;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use evloop::hyper::{Io, ServerOptions, serve_with};
use evloop::net::TcpListener;
use evloop::task::Local;
use futures::StreamExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;

type Count = Rc<Cell<u64>>;
/// axum requires `Send`.
type SharedCount = Arc<Local<Count>>;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    evloop::block_on(async {
        let listener = TcpListener::bind(addr).await?;
        println!("listening on {}", listener.local_addr()?);
        let router = Router::new()
            .route("/", get(upgrade))
            .route("/messages", get(messages))
            .with_state(Arc::new(Local::new(Count::default())));
        let service = TowerToHyperService::new(router);
        let options = ServerOptions { upgrades: true, ..Default::default() };
        let server = serve_with(listener, &options, async move |stream, _| {
            stream.set_nodelay(true)?;
            io::Result::Ok((Io::new(stream), service.clone()))
        })?;
        evloop::signal::ctrl_c().await?;
        server.stop(Duration::from_secs(10)).await;
        Ok(())
    })
}

async fn messages(State(count): State<SharedCount>) -> String {
    format!("{}\n", count.with(|count| count.get()))
}

async fn upgrade(State(count): State<SharedCount>, mut request: Request) -> Response {
    match create_response_with_body(&request, Body::empty) {
        Ok(response) => {
            let count = count.with(|count| count.clone());
            // It gets the connection when the response has been sent.
            evloop::spawn(serve(hyper::upgrade::on(&mut request), count)).detach();
            response
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn serve(upgrade: OnUpgrade, count: Count) {
    let echo = async {
        let io = Io::new(upgrade.await.map_err(io::Error::other)?);
        echo(WebSocketStream::from_raw_socket(io, Role::Server, None).await, &count).await
    };
    match echo.await {
        Ok(()) | Err(Error::ConnectionClosed) => {}
        Err(error) => eprintln!("{error}"),
    }
}

/// Sends each message back. The library answers pings and the closing handshake.
async fn echo<T>(mut socket: WebSocketStream<T>, count: &Cell<u64>) -> Result<(), Error>
where
    T: futures::AsyncRead + futures::AsyncWrite + Unpin,
{
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            count.set(count.get() + 1);
            socket.send(message).await?;
        }
    }
    Ok(())
}
