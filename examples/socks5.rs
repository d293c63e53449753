//! A SOCKS5 proxy (RFC 1928): connects clients to the addresses and names that they ask for.
//!
//! ```sh
//! cargo run --release --example socks5                  # listens on 127.0.0.1:7780
//! cargo run --release --example socks5 '[::1]:9000'     # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:7780`. In another terminal:
//!
//! ```sh
//! curl --socks5-hostname 127.0.0.1:7780 http://example.org
//! ```
//!
//! The proxy prints where each connection went:
//!
//! ```text
//! 127.0.0.1:40174 to example.org:80: 75 bytes there, 1591 back
//! ```
//!
//! It serves CONNECT without authentication: listen on a loopback address only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use evloop::io::copy_bidirectional;
use evloop::net::{TcpListener, TcpStream};
use evloop::time::timeout;

const DEFAULT_ADDR: &str = "127.0.0.1:7780";
/// How long a client may take to say where it wants to go, and a server to accept.
const PATIENCE: Duration = Duration::from_secs(20);

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;

/// Replies.
const SUCCEEDED: u8 = 0;
const FAILURE: u8 = 1;
const NETWORK_UNREACHABLE: u8 = 3;
const HOST_UNREACHABLE: u8 = 4;
const REFUSED: u8 = 5;
const COMMAND_NOT_SUPPORTED: u8 = 7;
const ADDRESS_NOT_SUPPORTED: u8 = 8;

fn main() -> ExitCode {
    let addr = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_ADDR.to_owned());
    match evloop::block_on(serve(addr)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("socks5: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(addr: String) -> io::Result<()> {
    let listener = TcpListener::bind(addr).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((client, peer)) => evloop::spawn(report(client, peer)).detach(),
            // The listener stays usable: the next accept waits until it may succeed.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

async fn report(client: TcpStream, peer: SocketAddr) {
    match forward(client).await {
        Ok((to, there, back)) => println!("{peer} to {to}: {there} bytes there, {back} back"),
        Err(error) => eprintln!("{peer}: {error}"),
    }
}

/// Serves one client. Returns where it went, and the number of bytes in each direction.
async fn forward(client: TcpStream) -> io::Result<(String, u64, u64)> {
    client.set_nodelay(true)?;
    let to = timeout(PATIENCE, read_request(&client)).await??;
    let connected = timeout(PATIENCE, TcpStream::connect(to.as_str())).await;
    let server = match connected.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        Ok(server) => server,
        Err(error) => {
            reply(&client, reason(&error)).await?;
            return Err(io::Error::new(error.kind(), format!("{to}: {error}")));
        }
    };
    server.set_nodelay(true)?;
    reply(&client, SUCCEEDED).await?;
    let (there, back) = copy_bidirectional(client, server).await?;
    Ok((to, there, back))
}

/// Agrees on the method, and reads the address that the client asks for.
async fn read_request(client: &TcpStream) -> io::Result<String> {
    let [version, methods] = read(client).await?;
    if version != VERSION {
        return Err(invalid(format!("version {version} of SOCKS")));
    }
    let methods = read_vec(client, methods).await?;
    if !methods.contains(&NO_AUTHENTICATION) {
        client.write_all(&[VERSION, NO_METHOD]).await?;
        return Err(invalid("the client offers authentication only".to_owned()));
    }
    client.write_all(&[VERSION, NO_AUTHENTICATION]).await?;

    let [_version, command, _reserved, kind] = read(client).await?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(client).await?).to_string(),
        3 => {
            let [len] = read(client).await?;
            let name = read_vec(client, len).await?;
            String::from_utf8(name).map_err(|error| invalid(error.to_string()))?
        }
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(client).await?)),
        _ => {
            reply(client, ADDRESS_NOT_SUPPORTED).await?;
            return Err(invalid(format!("kind {kind} of an address")));
        }
    };
    let port = u16::from_be_bytes(read(client).await?);
    if command != CONNECT {
        reply(client, COMMAND_NOT_SUPPORTED).await?;
        return Err(invalid(format!("command {command}")));
    }
    Ok(format!("{host}:{port}"))
}

async fn read<const N: usize>(client: &TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn read_vec(client: &TcpStream, len: u8) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len.into()];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Sends a reply. The address that the proxy itself uses is left out, as most proxies do.
async fn reply(client: &TcpStream, code: u8) -> io::Result<()> {
    client.write_all(&[VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

fn reason(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => REFUSED,
        io::ErrorKind::NetworkUnreachable => NETWORK_UNREACHABLE,
        io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => HOST_UNREACHABLE,
        _ => FAILURE,
    }
}

fn invalid(sentence: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}
