//! Fetches pages concurrently on one thread with streams, like the program in asyncio's tutorial.
//!
//! ```sh
//! cargo run --release --example wget                    # from three built-in sites
//! cargo run --release --example wget http://example.com http://localhost:8000/file
//! ```
//!
//! prints the status line and the headers of each page when they arrive, each line after the host.
//! Then it prints the size of the body and the time:
//!
//! ```text
//! 127.0.0.1:38211  HTTP/1.1 200 OK
//! 127.0.0.1:38211  Content-Length: 13
//! 127.0.0.1:38211  13 bytes in 102 ms
//! ...
//! 3 of 3 pages in 1504 ms; one by one it would take 1754 ms
//! ```
//!
//! A URL that cannot be fetched is one line on stderr. The others are fetched, and the exit status
//! is
//! 1. The program supports http only, without TLS. It treats a redirection or an error page like
//!    any other page. To run your own site: `python3 -m http.server 8000`.

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

/// The result of one URL.
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

/// Returns whether all pages were fetched.
pub(crate) async fn fetch_all(mut urls: Vec<String>) -> io::Result<bool> {
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

/// Fetches one page, and prints its error.
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

/// Returns untrusted text as one line without control characters, safe for a terminal.
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
