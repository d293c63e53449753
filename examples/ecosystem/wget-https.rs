//! Fetches pages by HTTPS, concurrently on one thread: streams over TLS by rustls, with evloop's
//! feature `rustls`.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin wget-https https://example.com/ https://www.rust-lang.org/
//! SSL_CERT_FILE=own.pem cargo run --bin wget-https https://localhost:8443/
//! ```
//!
//! prints for each page a line like
//!
//! ```text
//! https://example.com/: HTTP/1.0 200 OK, 1256 bytes, TLSv1_3
//! ```
//!
//! or its error on stderr; then the exit status is 1. It trusts the certificates in the file
//! `SSL_CERT_FILE`, or else those of the system. A body that ends without the server's
//! `close_notify` is an error: an attacker may have cut it.

#[path = "shared/trust.rs"]
mod trust;

use std::process::ExitCode;
use std::{env, io};

use evloop::rustls::TlsConnector;
use evloop::streams::open_connection_tls;

fn main() -> ExitCode {
    let urls: Vec<String> = env::args().skip(1).collect();
    match evloop::block_on(fetch_all(urls)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("wget-https: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all pages were fetched.
async fn fetch_all(urls: Vec<String>) -> io::Result<bool> {
    let connector = trust::connector()?;
    let fetches = urls.into_iter().map(|url| {
        let connector = connector.clone();
        evloop::spawn(async move {
            let page = fetch(&url, &connector).await;
            match &page {
                Ok(line) => println!("{url}: {line}"),
                Err(error) => eprintln!("{url}: {error}"),
            }
            page.is_ok()
        })
    });
    let mut are_all_ok = true;
    for fetch in fetches.collect::<Vec<_>>() {
        are_all_ok &= fetch.await?;
    }
    Ok(are_all_ok)
}

/// Returns the status line, the size of the body, and the version of TLS.
async fn fetch(url: &str, connector: &TlsConnector) -> io::Result<String> {
    let rest = url.strip_prefix("https://").ok_or_else(|| invalid("write https://host/path"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| invalid("a port is a number"))?),
        None => (authority, 443),
    };
    let (mut reader, writer) = open_connection_tls((host, port), host, connector).await?;
    let version = writer.tls_info().and_then(|info| info.version);
    let target = if path.is_empty() { "/" } else { path };
    writer.write(format!("GET {target} HTTP/1.0\r\nHost: {authority}\r\n\r\n"));
    let head = reader.read_until(b"\r\n\r\n").await?;
    let body = reader.read_to_end().await?;
    let head = String::from_utf8_lossy(&head);
    let status = head.lines().next().unwrap_or_default().escape_debug();
    let version = version.map_or("no TLS".into(), |version| format!("{version:?}"));
    Ok(format!("{status}, {} bytes, {version}", body.len()))
}

fn invalid(sentence: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, sentence)
}
