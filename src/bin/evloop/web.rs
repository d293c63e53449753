//! `evloop web PID`: serves the page, and asks the program for it. A server on evloop itself.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use evloop::streams::{ServerOptions, StreamOptions, serve_listeners};
use evloop::task::spawn_blocking;
use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter};

use crate::args::Args;
use crate::client;
use crate::failure::{Failure, failed};
use crate::http::{HEAD_MAX, NOTHING, Route, Site, head, page_policy, route};
use crate::json::{Json, object};
use crate::output::print;
use crate::peers::peers;

/// The page. `NONCE` stands where that of the answer belongs.
const PAGE: &str = include_str!("page.html");
/// How long a browser may take to send a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than a browser opens.
const CONNECTIONS_MAX: usize = 32;

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    let is_json = args.flag("--json");
    let port = args.number("--port")?.unwrap_or(0);
    let ip: IpAddr = match args.flag("--ipv6") {
        true => Ipv6Addr::LOCALHOST.into(),
        false => Ipv4Addr::LOCALHOST.into(),
    };
    let pid = args.pid()?;
    args.end()?;
    let port = u16::try_from(port);
    let port = port.map_err(|_| Failure::Usage("--port needs a number below 65536".into()))?;
    client::ask(pid, "status", Duration::ZERO)?;
    let token = random().map_err(|error| failed(format!("cannot read /dev/urandom: {error}")))?;
    evloop::block_on(async move {
        let address = SocketAddr::new(ip, port);
        let cannot_listen = |error| failed(format!("cannot listen at {address}: {error}"));
        // Not serving yet: the handler needs the port.
        let listener = evloop::net::TcpListener::bind(address).await.map_err(cannot_listen)?;
        let host = listener.local_addr().map_err(cannot_listen)?.to_string();
        let site = Rc::new(Site { host, token });
        let url = format!("http://{}/#{}", site.host, site.token);
        let line = match is_json {
            true => object([("url", Json::from(url.as_str()))]).to_string(),
            false => url,
        };
        print(&line)?;
        let handler = async move |reader, writer| {
            // An error is that of a browser that went away.
            let _ = answer(site.clone(), pid, reader, writer).await;
        };
        let options = ServerOptions {
            streams: StreamOptions { limit: HEAD_MAX, ..Default::default() },
            connection_limit: Some(CONNECTIONS_MAX),
            ..Default::default()
        };
        let server = serve_listeners([listener], &options, handler).map_err(cannot_listen)?;
        server.serve_forever().await.map_err(cannot_listen)
    })
}

/// Returns 128 random bits in hexadecimal digits.
fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Answers the one request of a connection.
async fn answer(
    site: Rc<Site>,
    pid: u32,
    mut reader: StreamReader,
    writer: StreamWriter,
) -> io::Result<()> {
    let request = timeout(PATIENCE, reader.read_until(b"\r\n\r\n")).await??;
    let request = String::from_utf8_lossy(&request);
    let route = match request.strip_suffix("\r\n\r\n") {
        Some(head) => route(&site, head),
        None => Route::Refused(400, "Bad Request"),
    };
    match route {
        Route::Page => {
            let nonce = random()?;
            writer.write(head(200, "OK", "text/html; charset=utf-8", &page_policy(&nonce)));
            writer.write(PAGE.replace("NONCE", &nonce));
        }
        Route::Refused(status, reason) => {
            writer.write(head(status, reason, "text/plain; charset=utf-8", NOTHING));
            writer.write(reason);
        }
        Route::Command(command) => {
            let ask = move || read_answer(pid, &command);
            let (status, body) = match spawn_blocking(ask).await {
                Ok(Ok(body)) => (200, body),
                Ok(Err(failure)) => (502, error_line(&failure)),
                Err(error) => (500, error_line(&failed(error.to_string()))),
            };
            writer.write(head(status, "Answer", "application/x-ndjson", NOTHING));
            writer.write(body);
        }
    }
    writer.drain().await?;
    writer.close();
    writer.wait_closed().await
}

/// Returns the answer of the program as it came. Runs on a thread of the blocking pool.
fn read_answer(pid: u32, command: &str) -> Result<String, Failure> {
    if command == "peers" {
        let line = |(fd, peer): (u64, String)| {
            object([("fd", fd.into()), ("peer", peer.as_str().into())]).to_string() + "\n"
        };
        return Ok(peers(pid).into_iter().map(line).collect());
    }
    let time = command.split_once(' ').and_then(|(_, ms)| ms.parse().ok()).unwrap_or(0);
    let mut answer = client::ask(pid, command, Duration::from_millis(time))?;
    let mut body = answer.first_line.clone() + "\n";
    answer.each(|line, _| {
        body.extend([line, "\n"]);
        Ok(())
    })?;
    Ok(body)
}

fn error_line(failure: &Failure) -> String {
    let sentence = failure.sentence("web").unwrap_or_default();
    object([("error", Json::from(sentence.as_str()))]).to_string() + "\n"
}
