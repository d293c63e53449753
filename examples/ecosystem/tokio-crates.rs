//! Crates of tokio's world that need its I/O traits alone: WebSocket by tokio-tungstenite, HTTP/2
//! by h2, TLS by tokio-rustls, messages by tokio-util. The feature `tokio-io` of evloop gives its
//! connections these traits. Client and server run on one thread.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin tokio-crates
//! ```
//!
//! prints
//!
//! ```text
//! codec: [1, 2, 3] and 100000 bytes
//! websocket: hello
//! h2: 200 OK hello
//! tls: hello, by TLSv1_3
//! ```

use std::error::Error;
use std::sync::Arc;

use evloop::net::{TcpListener, TcpStream};
use evloop::spawn;
use futures::{SinkExt, StreamExt, future};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{accept_async, client_async};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    evloop::block_on(async {
        codec().await?;
        websocket().await?;
        h2().await?;
        tls().await
    })
}

/// The two ends of a connection.
async fn connection() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

async fn codec() -> Result<()> {
    let (client, server) = connection().await?;
    let send = spawn(async move {
        let mut frames = Framed::new(server, LengthDelimitedCodec::new());
        frames.send(&[1, 2, 3][..]).await?;
        frames.send(&[0; 100_000][..]).await
    });
    let mut frames = Framed::new(client, LengthDelimitedCodec::new());
    let (first, second) = (frames.next().await, frames.next().await);
    send.await??;
    let (first, second) = (first.ok_or("no frame")??, second.ok_or("no frame")??);
    println!("codec: {:?} and {} bytes", &*first, second.len());
    Ok(())
}

async fn websocket() -> Result<()> {
    let (client, server) = connection().await?;
    let echo = spawn(async move {
        let mut socket = accept_async(server).await?;
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() {
                socket.send(message).await?;
            }
        }
        std::result::Result::<(), WebSocketError>::Ok(())
    });
    let (mut socket, _) = client_async("ws://localhost/", client).await?;
    socket.send(Message::text("hello")).await?;
    println!("websocket: {}", socket.next().await.ok_or("no message")??);
    socket.close(None).await?;
    while socket.next().await.is_some() {}
    Ok(echo.await??)
}

async fn h2() -> Result<()> {
    let (client, server) = connection().await?;
    let serve = spawn(async move {
        let mut connection = h2::server::handshake(server).await?;
        while let Some(request) = connection.accept().await {
            let (_, mut respond) = request?;
            let mut body = respond.send_response(http::Response::new(()), false)?;
            body.send_data("hello".into(), true)?;
        }
        std::result::Result::<(), h2::Error>::Ok(())
    });
    let (mut requests, connection) = h2::client::handshake(client).await?;
    let drive = spawn(connection);
    let request = http::Request::get("https://localhost/").body(())?;
    let (response, _) = requests.send_request(request, true)?;
    let response = response.await?;
    let status = response.status();
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        text.extend_from_slice(&data?);
    }
    println!("h2: {status} {}", String::from_utf8(text)?);
    drop((body, requests));
    drive.await??;
    Ok(serve.await??)
}

async fn tls() -> Result<()> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_string()])?;
    let certificate = own.cert.der();
    let key = own.key_pair.serialize_der().try_into()?;
    let server = ServerConfig::builder().with_no_client_auth();
    let acceptor =
        TlsAcceptor::from(Arc::new(server.with_single_cert(vec![certificate.clone()], key)?));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));

    let (client, server) = connection().await?;
    let name = "localhost".try_into()?;
    let (client, server) =
        future::join(connector.connect(name, client), acceptor.accept(server)).await;
    let (mut client, mut server) = (client?, server?);
    client.write_all(b"hello").await?;
    client.shutdown().await?;
    let mut text = String::new();
    server.read_to_string(&mut text).await?;
    let version = server.get_ref().1.protocol_version().ok_or("no version")?;
    println!("tls: {text}, by {version:?}");
    Ok(())
}
