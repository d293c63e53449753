//! gRPC by tonic, without tokio's runtime: a server, and a client.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin grpc serve                         # listens on 127.0.0.1:50051
//! cargo run --bin grpc call 127.0.0.1:50051 you      # on another terminal
//! ```
//!
//! The client calls a method with one answer, and one with a stream of answers. It prints
//!
//! ```text
//! hello you
//! 3 2 1
//! ```
//!
//! Crates: tonic, which encodes messages and statuses, without its default features: those have a
//! transport on tokio. `evloop::hyper` and hyper are the transport. Clients of other languages use
//! the service
//!
//! ```proto
//! package evloop;
//! message Name { string name = 1; }
//! message Greeting { string text = 1; }
//! message Number { uint32 value = 1; }
//! service Greeter {
//!     rpc Hello(Name) returns (Greeting);
//!     rpc Countdown(Number) returns (stream Number);
//! }
//! ```
//!
//! It is written by hand here, so that the example needs no `protoc`. The code that
//! tonic-prost-build generates works too: `GreeterServer` in hyper-util's `TowerToHyperService`,
//! and `GreeterClient` on the `Channel` below. Its methods must be `Send`, so a `task::Local` holds
//! the timers and sockets in them, as it holds the stream below.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use evloop::hyper::{Executor, Io, Protocol, ServerOptions, serve_with};
use evloop::net::{TcpListener, TcpStream};
use evloop::task::Local;
use futures::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use tonic::body::Body;
use tonic::{Status, client, server};
use tonic_prost::ProstCodec;
use tower::service_fn as method;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Clone, PartialEq, prost::Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Greeting {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Number {
    #[prost(uint32, tag = "1")]
    value: u32,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    evloop::block_on(async {
        match args[..] {
            ["serve"] => serve("127.0.0.1:50051").await,
            ["serve", addr] => serve(addr).await,
            ["call", addr, name] => call(addr, name).await,
            _ => Err("write: grpc serve [ADDRESS], or: grpc call ADDRESS NAME".into()),
        }
    })
}

async fn serve(addr: &str) -> Result<()> {
    let listener = TcpListener::bind(addr).await?;
    println!("listening on {}", listener.local_addr()?);
    let options = ServerOptions { protocol: Protocol::Http2, ..Default::default() };
    let server = serve_with(listener, &options, async |stream, _| {
        std::io::Result::Ok((Io::new(stream), service_fn(greeter)))
    })?;
    evloop::signal::ctrl_c().await?;
    server.stop(Duration::from_secs(10)).await;
    Ok(())
}

/// The service: a method for each path.
async fn greeter(request: Request<Incoming>) -> std::result::Result<Response<Body>, Infallible> {
    Ok(match request.uri().path() {
        "/evloop.Greeter/Hello" => {
            let codec = ProstCodec::<Greeting, Name>::default();
            server::Grpc::new(codec).unary(method(hello), request).await
        }
        "/evloop.Greeter/Countdown" => {
            let codec = ProstCodec::<Number, Number>::default();
            server::Grpc::new(codec).server_streaming(method(countdown), request).await
        }
        path => Status::unimplemented(format!("no method {path}")).into_http(),
    })
}

async fn hello(
    request: tonic::Request<Name>,
) -> std::result::Result<tonic::Response<Greeting>, Status> {
    let Name { name } = request.into_inner();
    if name.is_empty() {
        return Err(Status::invalid_argument("the name is empty"));
    }
    Ok(tonic::Response::new(Greeting { text: format!("hello {name}") }))
}

/// A stream of answers. tonic requires that it is `Send`.
type Numbers = Local<Pin<Box<dyn Stream<Item = std::result::Result<Number, Status>>>>>;

async fn countdown(
    request: tonic::Request<Number>,
) -> std::result::Result<tonic::Response<Numbers>, Status> {
    let from = request.into_inner().value;
    let numbers = stream::iter((1..=from).rev()).then(async |value| {
        evloop::time::sleep(Duration::from_millis(10)).await;
        Ok(Number { value })
    });
    Ok(tonic::Response::new(Local::new(Box::pin(numbers))))
}

/// A connection to a server, for tonic's clients.
struct Channel(SendRequest<Body>);

impl Channel {
    async fn connect(addr: &str) -> Result<Channel> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = handshake(Executor, Io::new(stream)).await?;
        evloop::spawn(connection).detach();
        Ok(Channel(requests))
    }
}

impl tower::Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

async fn call(addr: &str, name: &str) -> Result<()> {
    let origin = Uri::try_from(format!("http://{addr}"))?;
    let mut grpc = client::Grpc::with_origin(Channel::connect(addr).await?, origin);

    grpc.ready().await?;
    let path = "/evloop.Greeter/Hello".try_into()?;
    let codec = ProstCodec::<Name, Greeting>::default();
    let request = tonic::Request::new(Name { name: name.to_owned() });
    println!("{}", grpc.unary(request, path, codec).await?.into_inner().text);

    grpc.ready().await?;
    let path = "/evloop.Greeter/Countdown".try_into()?;
    let codec = ProstCodec::<Number, Number>::default();
    let request = tonic::Request::new(Number { value: 3 });
    let mut numbers = grpc.server_streaming(request, path, codec).await?.into_inner();
    let mut line = Vec::new();
    while let Some(number) = numbers.message().await? {
        line.push(number.value.to_string());
    }
    println!("{}", line.join(" "));
    Ok(())
}
