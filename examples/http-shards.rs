//! Answers web browsers and load generators with a greeting, on all cores. It is no web server: it
//! sends the same response to every request, and reads a request only to find its end.
//!
//! ```sh
//! cargo run --release --example http-shards                      # 127.0.0.1:8080, all cores
//! cargo run --release --example http-shards -- 127.0.0.1:8080 1  # one loop
//! ```
//!
//! In another terminal:
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! wrk -t2 -c64 -d10 http://127.0.0.1:8080/
//! ```
//!
//! Connections stay open. Several requests may arrive together; one write sends their responses. A
//! request with a body is answered too, but its body is parsed as the next request.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use evloop::net::{ListenOptions, TcpListener, TcpStream};
use evloop::shards::try_shards;

const DEFAULT_ADDR: &str = "127.0.0.1:8080";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 14\r\n\
    \r\n\
    Hello, world!\n";

/// The bytes that end the head of a request.
const END: &[u8] = b"\r\n\r\n";

/// The longest head of a request. A longer one ends its connection.
const HEAD_MAX: usize = 16 * 1024;

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| DEFAULT_ADDR.to_owned()).parse::<SocketAddr>();
    let count = args.next().map(|count| count.parse()).transpose();
    let (Ok(addr), Ok(count)) = (addr, count) else {
        eprintln!("usage: http-shards [address:port] [shards]");
        return ExitCode::FAILURE;
    };
    let cores = || thread::available_parallelism().map_or(1, |cores| cores.get());
    let Err(error) = try_shards::<(), _>(count.unwrap_or_else(cores), async |shard| {
        let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
        let listener = TcpListener::bind_with(addr, &options).await?;
        if shard.index() == 0 {
            println!("{} shards listen on {}", shard.count(), listener.local_addr()?);
        }
        serve(listener).await
    }) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("http-shards: {error}");
    ExitCode::FAILURE
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => evloop::spawn(answer_all(stream)).detach(),
            // The listener stays usable: the next accept waits until it may succeed.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

/// Answers requests until the client closes its sending side.
async fn answer_all(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buf, mut len) = (vec![0; HEAD_MAX], 0);
    let mut answers = Vec::new();
    while len < HEAD_MAX {
        let n = stream.read(&mut buf[len..]).await?;
        if n == 0 {
            break;
        }
        len += n;
        let mut begin = 0;
        while let Some(end) = find(&buf[begin..len], END) {
            answers.extend_from_slice(ANSWER);
            begin += end + END.len();
        }
        stream.write_all(&answers).await?;
        answers.clear();
        // The remaining bytes are the beginning of the next request.
        buf.copy_within(begin..len, 0);
        len -= begin;
    }
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
