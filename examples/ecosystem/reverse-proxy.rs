//! A reverse proxy: TLS, HTTP/1 and HTTP/2 in front, a pool of connections to a server behind.
//!
//! ```sh
//! cargo run --example http-server 127.0.0.1:8080 1000     # the server, on another terminal
//! cd examples/ecosystem
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem
//! cargo run --bin reverse-proxy certificate.pem key.pem http://127.0.0.1:8080
//! ```
//!
//! It prints `listening on 127.0.0.1:8443`; a fourth argument is another address. Then:
//!
//! ```sh
//! curl --cacert certificate.pem -i https://localhost:8443/
//! curl --cacert certificate.pem -i --http1.1 https://localhost:8443/
//! ```
//!
//! A server that cannot be reached is a response 502, one that takes longer than 30 seconds a 504.
//! Bodies are passed on as they arrive. What a complete proxy has in addition: upgrades
//! (WebSocket), and cookies of HTTP/2 joined for HTTP/1.

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use evloop::hyper::{Executor, Io, ServerOptions, Timer, serve_with};
use evloop::net::TcpListener;
use evloop::rustls::TlsAcceptor;
use evloop::time::timeout;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::Client;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

mod connector;

use connector::Connector;

type BoxError = Box<dyn Error + Send + Sync>;
/// A body of the server, or a sentence of the proxy.
type Body = Either<Incoming, Full<Bytes>>;

/// How long a client may take for the TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long the server may take until the head of its response.
const RESPONSE_TIME: Duration = Duration::from_secs(30);

/// The headers of one connection alone (RFC 9110, 7.6.1), and those that this proxy sets.
const REMOVED: [&str; 10] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-proto",
];

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, upstream, rest @ ..] = &args[..] else {
        return Err("write: reverse-proxy CERTIFICATE KEY http://HOST:PORT [ADDRESS]".into());
    };
    let acceptor = TlsAcceptor::from(Arc::new(tls(certificate, key)?));
    let upstream: Uri = upstream.parse()?;
    let authority = upstream.authority().ok_or("the URL of the server has no host")?.clone();
    evloop::block_on(async {
        let addr = rest.first().map_or("127.0.0.1:8443", String::as_str);
        let listener = TcpListener::bind(addr).await?;
        println!("listening on {}", listener.local_addr()?);
        let connections = Rc::new(Cell::new(0));
        let connector = Connector::new(connections.clone());
        let pool = Client::builder(Executor).timer(Timer).pool_timer(Timer).build(connector);
        let proxy = Rc::new(Proxy { authority, pool });
        let server = serve_with(listener, &ServerOptions::default(), async move |stream, peer| {
            let stream = timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await??;
            let proxy = proxy.clone();
            let service = service_fn(move |request| {
                let proxy = proxy.clone();
                async move { Ok::<_, Infallible>(proxy.answer(request, peer).await) }
            });
            std::io::Result::Ok((Io::new(stream), service))
        })?;
        evloop::signal::ctrl_c().await?;
        server.stop(RESPONSE_TIME).await;
        println!("{} connections to the server", connections.get());
        Ok(())
    })
}

/// TLS 1.2 and 1.3. A client chooses the version of HTTP by ALPN.
fn tls(certificate: &str, key: &str) -> Result<ServerConfig, BoxError> {
    let certificates = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

struct Proxy {
    authority: Authority,
    pool: Client<Connector, Incoming>,
}

impl Proxy {
    async fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        self.redirect(&mut request, peer);
        match timeout(RESPONSE_TIME, self.pool.request(request)).await {
            Ok(Ok(mut response)) => {
                remove_headers(response.headers_mut());
                response.map(Either::Left)
            }
            Ok(Err(error)) => {
                eprintln!("{}: {error}: {:?}", self.authority, error.source());
                sentence(StatusCode::BAD_GATEWAY, "the server cannot be reached\n")
            }
            Err(_) => sentence(StatusCode::GATEWAY_TIMEOUT, "the server takes too long\n"),
        }
    }

    /// Makes of the client's request one to the server.
    fn redirect(&self, request: &mut Request<Incoming>, peer: SocketAddr) {
        let path = request.uri().path_and_query().cloned();
        let mut parts = hyper::http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = path.or(Some(PathAndQuery::from_static("/")));
        *request.uri_mut() = Uri::from_parts(parts).expect("all three parts are set");
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        remove_headers(headers);
        let client = peer.ip().to_string().parse().expect("an address is a header value");
        headers.insert("x-forwarded-for", client);
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    }
}

/// Removes the headers that are not for the other side, with those that `Connection` names.
fn remove_headers(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in REMOVED {
        headers.remove(name);
    }
}

fn sentence(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = status;
    response
}
