//! Fetches pages concurrently on one thread, by the streams layer, as asyncio's tutorial does.
//!
//! ```sh
//! cargo run --release --example wget                    # from three small sites of its own
//! cargo run --release --example wget http://example.com http://localhost:8000/file
//! ```
//!
//! prints each page's status line and headers as they come, the host in front, then how large the
//! body was and how long it took:
//!
//! ```text
//! 127.0.0.1:38211  HTTP/1.1 200 OK
//! 127.0.0.1:38211  Content-Length: 13
//! 127.0.0.1:38211  13 bytes in 102 ms
//! ...
//! 3 of 3 pages in 1504 ms; one by one it would take 1754 ms
//! ```
//!
//! What cannot be fetched is one line on stderr; the others go on, and the exit status is 1. Only
//! http is spoken, without TLS. A redirection or an error page is a page like any other. For a
//! site of your own: `python3 -m http.server 8000`.

mod response;
mod sites;
mod url;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use evloop::streams::{StreamOptions, open_connection_with};
use evloop::time::now;

use response::{LINE_MAX, Response, patiently};
use url::Url;

/// What became of one URL.
struct Fetched {
    is_ok: bool,
    took: Duration,
}

fn main() -> ExitCode {
    let urls = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match evloop::block_on(fetch_all(urls)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("wget: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all could be fetched.
async fn fetch_all(mut urls: Vec<String>) -> io::Result<bool> {
    if urls.is_empty() {
        urls = sites::start().await?;
    }
    let begin = now();
    let fetches: Vec<_> = urls.into_iter().map(|url| evloop::spawn(fetch(url))).collect();
    let (pages, mut fetched, mut sum) = (fetches.len(), 0, Duration::ZERO);
    for fetch in fetches {
        let Fetched { is_ok, took } = fetch.await?;
        fetched += usize::from(is_ok);
        sum += took;
    }
    let (all, sum) = (begin.elapsed().as_millis(), sum.as_millis());
    let line = format!("{fetched} of {pages} pages in {all} ms; one by one it would take {sum} ms");
    writeln!(io::stdout(), "{line}")?;
    Ok(fetched == pages)
}

/// Fetches one page, and says what went wrong.
async fn fetch(url: String) -> Fetched {
    let begin = now();
    let result = match Url::parse(&url) {
        Ok(url) => get(&url).await,
        Err(sentence) => Err(io::Error::new(io::ErrorKind::InvalidInput, sentence)),
    };
    if let Err(error) = &result {
        eprintln!("{}", printable(&format!("{url}: {error}")));
    }
    Fetched { is_ok: result.is_ok(), took: begin.elapsed() }
}

async fn get(url: &Url) -> io::Result<()> {
    let begin = now();
    let show = |line: &str| writeln!(io::stdout(), "{url}  {}", printable(line));
    let options = StreamOptions { limit: LINE_MAX, ..Default::default() };
    let addr = (url.host.clone(), url.port);
    let (reader, writer) = patiently(open_connection_with(addr, &options)).await?;
    let target = &url.target;
    let request = format!("GET {target} HTTP/1.1\r\nHost: {url}\r\nConnection: close\r\n\r\n");
    writer.write(request.as_bytes());
    writer.drain().await?;
    let mut response = Response::new(reader);
    let body = response.head(show).await?;
    let size = response.body(body).await?;
    show(&format!("{size} bytes in {} ms", begin.elapsed().as_millis()))
}

/// What a stranger sent, made fit for a terminal, and one line.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => printable.extend(c.escape_default()),
            c => printable.push(c),
        }
    }
    printable
}
