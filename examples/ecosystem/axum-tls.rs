//! A server with axum's router over TLS: HTTP/1 and HTTP/2 on one port.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin axum-tls                      # listens on 127.0.0.1:8443
//! cargo run --bin axum-tls '[::1]:9000' 500     # another address; ms for the handshake
//! ```
//!
//! It prints `listening on 127.0.0.1:8443`. Then, on another terminal:
//!
//! ```sh
//! curl -k https://localhost:8443/hello/you              # HTTP/2, which ALPN selects
//! curl -k --http1.1 https://localhost:8443/hello/you
//! curl -k --tls-max 1.2 https://localhost:8443/hello/you
//! openssl s_client -connect localhost:8443 -alpn h2
//! ```
//!
//! `-k` because the certificate signs itself. A real server reads its own from a file. A client has
//! 10 seconds for the handshake, see `ServerOptions::handshake_timeout`. Ctrl-C ends the server.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use evloop::hyper::{Io, ServerOptions, serve_with};
use evloop::net::TcpListener;
use evloop::rustls::TlsAcceptor;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:8443".to_owned());
    let mut options = ServerOptions::default();
    if let Some(ms) = args.next() {
        options.handshake_timeout = Some(Duration::from_millis(ms.parse()?));
    }
    let acceptor = TlsAcceptor::from(Arc::new(tls_config()?));
    let router = Router::new().route("/hello/{name}", get(hello));
    evloop::block_on(async move {
        let listener = TcpListener::bind(addr).await?;
        println!("listening on {}", listener.local_addr()?);
        let server = serve_with(listener, &options, async move |stream, _| {
            let service = TowerToHyperService::new(router.clone());
            io::Result::Ok((Io::new(acceptor.accept(stream).await?), service))
        })?;
        evloop::signal::ctrl_c().await?;
        server.stop(Duration::from_secs(10)).await;
        Ok(())
    })
}

/// Returns the configuration of TLS 1.2 and 1.3, with the protocols that ALPN offers.
fn tls_config() -> Result<ServerConfig, Box<dyn Error>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = own.key_pair.serialize_der().try_into()?;
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(vec![own.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn hello(Path(name): Path<String>) -> String {
    format!("hello {name}\n")
}
