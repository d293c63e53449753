//! QUIC by quinn, without tokio's runtime: a server that returns the bytes of each stream, and a
//! client.
//!
//! ```sh
//! cd examples/ecosystem
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
//!     -keyout key.pem -out certificate.pem
//! cargo run --bin quic-echo serve certificate.pem key.pem 127.0.0.1:4433
//! cargo run --bin quic-echo send certificate.pem 127.0.0.1:4433 3 1000000
//! ```
//!
//! The server prints `listening on 127.0.0.1:4433`. The client, on another terminal, sends a
//! million bytes on each of three streams at once, and prints
//!
//! ```text
//! 3 streams of 1000000 bytes returned
//! ```
//!
//! Crates: quinn, without a runtime. Its trait `Runtime` is implemented here: tasks, timers, and
//! UDP sockets of evloop. quinn requires that they are `Send` and `Sync`: each is a `task::Local`.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::{self, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use evloop::io::Interest;
use evloop::net::UdpSocket;
use evloop::task::{Local, gather};
use evloop::time::{Sleep, now, sleep_until};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{
    AsyncTimer, AsyncUdpSocket, ClientConfig, Connection, Endpoint, EndpointConfig, Runtime,
    ServerConfig, UdpPoller,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The name of the protocol in the TLS handshake, which QUIC requires.
const ALPN: &[u8] = b"echo";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    evloop::block_on(async {
        match args[..] {
            ["serve", certificate, key, addr] => serve(certificate, key, addr.parse()?).await,
            ["send", certificate, addr, streams, bytes] => {
                send(certificate, addr.parse()?, streams.parse()?, bytes.parse()?).await
            }
            _ => Err("write: quic-echo serve CERTIFICATE KEY ADDRESS, or: quic-echo send \
                      CERTIFICATE ADDRESS STREAMS BYTES"
                .into()),
        }
    })
}

async fn serve(certificate: &str, key: &str, addr: SocketAddr) -> Result<()> {
    let certificate = CertificateDer::from_pem_file(certificate)?;
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_file(key)?)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let endpoint = endpoint(Some(config), addr)?;
    println!("listening on {}", endpoint.local_addr()?);
    let mut ctrl_c = pin!(evloop::signal::ctrl_c());
    loop {
        let incoming = evloop::select! {
            Some(incoming) = endpoint.accept() => incoming,
            result = &mut ctrl_c => break result?,
        };
        evloop::spawn(async {
            match incoming.await {
                Ok(connection) => echo_streams(connection).await,
                Err(error) => eprintln!("{error}"),
            }
        })
        .detach();
    }
    endpoint.close(0_u32.into(), b"the server ends");
    endpoint.wait_idle().await;
    Ok(())
}

/// Returns the bytes of each stream, until the client closes the connection.
async fn echo_streams(connection: Connection) {
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        evloop::spawn(async move {
            while let Ok(Some(chunk)) = receive.read_chunk(64 * 1024, true).await {
                // The client has closed the stream, and needs no answer.
                let Ok(()) = send.write_chunk(chunk.bytes).await else { return };
            }
            let _ = send.finish();
        })
        .detach();
    }
}

async fn send(certificate: &str, addr: SocketAddr, streams: usize, bytes: usize) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut tls =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let any = if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let endpoint = endpoint(None, any.parse()?)?;
    let connection = endpoint.connect_with(config, addr, "localhost")?.await?;
    for result in gather((0..streams).map(|_| exchange(&connection, bytes))).await {
        result?;
    }
    println!("{streams} streams of {bytes} bytes returned");
    connection.close(0_u32.into(), b"");
    endpoint.wait_idle().await;
    Ok(())
}

/// Sends bytes and receives them at the same time.
async fn exchange(connection: &Connection, bytes: usize) -> Result<()> {
    let (mut send, mut receive) = connection.open_bi().await?;
    let text: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
    let sent = async {
        send.write_all(&text).await?;
        Result::Ok(send.finish()?)
    };
    let (sent, received) = futures::join!(sent, receive.read_to_end(bytes));
    sent?;
    if received? == text { Ok(()) } else { Err("other bytes were returned".into()) }
}

fn endpoint(server: Option<ServerConfig>, addr: SocketAddr) -> io::Result<Endpoint> {
    let socket = net::UdpSocket::bind(addr)?;
    Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(OnTheLoop))
}

/// The running loop, for quinn.
#[derive(Debug)]
struct OnTheLoop;

impl Runtime for OnTheLoop {
    fn new_timer(&self, deadline: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(Timer(Local::new(Box::pin(sleep_until(deadline)))))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        evloop::spawn(future).detach();
    }

    fn wrap_udp_socket(&self, socket: net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Arc::new(Socket { state, io: Local::new(Rc::new(UdpSocket::from_std(socket)?)) }))
    }

    fn now(&self) -> Instant {
        now()
    }
}

#[derive(Debug)]
struct Timer(Local<Pin<Box<Sleep>>>);

impl AsyncTimer for Timer {
    fn reset(self: Pin<&mut Self>, deadline: Instant) {
        self.0.with(|sleep| sleep.reset(deadline));
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

#[derive(Debug)]
struct Socket {
    /// quinn's: which options the system has.
    state: UdpSocketState,
    io: Local<Rc<UdpSocket>>,
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable { socket: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let send =
            |io: &UdpSocket| io.try_io(Interest::WRITABLE, || self.state.send(io.into(), transmit));
        self.io.with(|io| send(io))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let receive = |io: &UdpSocket, bufs: &mut [_], meta: &mut [_]| {
            io.try_io(Interest::READABLE, || self.state.recv(io.into(), bufs, meta))
        };
        self.io.with(|io| {
            loop {
                ready!(io.poll_read_ready(cx))?;
                match receive(io, bufs, meta) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.with(|io| io.local_addr())
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

type Wait = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// A wait until the socket is writable. Each connection has one, so a `poll_` function of the
/// socket, which keeps one waker, would not do.
struct Writable {
    socket: Arc<Socket>,
    waiting: Option<Local<Wait>>,
}

impl UdpPoller for Writable {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Writable { socket, waiting } = &mut *self;
        let waiting = waiting.get_or_insert_with(|| {
            let io = socket.io.with(|io| io.clone());
            Local::new(Box::pin(async move { io.writable().await }) as Wait)
        });
        let result = ready!(Pin::new(waiting).poll(cx));
        self.waiting = None;
        Poll::Ready(result)
    }
}

impl fmt::Debug for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writable").finish_non_exhaustive()
    }
}
