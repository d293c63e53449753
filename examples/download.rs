//! Downloads several files at the same time within one limit of bytes a second, and resumes what
//! was interrupted.
//!
//! ```sh
//! cargo run --example download 100000 /tmp http://127.0.0.1:8080/one http://127.0.0.1:8080/two
//! ```
//!
//! The arguments are the bytes a second of all files together, the folder, and the URLs. It prints
//! the progress on stderr each second. Ctrl-C or SIGTERM stops it:
//!
//! ```text
//! one  98304 of 400000    two  98304 of 400000
//! download: interrupted
//! one: incomplete, 131072 bytes are in /tmp/one.part; run it again to go on
//! two: incomplete, 131072 bytes are in /tmp/two.part; run it again to go on
//! ```
//!
//! A file has the suffix `.part` until it is complete. The next run asks the server for the rest of
//! it (RFC 9110, section 14). A server without ranges sends the whole file again.
//!
//! The first error stops all downloads, and leaves the parts in the same way.

#[path = "wget/url.rs"]
mod url;

use std::cell::Cell;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use evloop::fs::{self, File};
use evloop::streams::{StreamReader, open_connection};
use evloop::sync::Mutex;
use evloop::task;
use evloop::time::{interval, now, sleep_until, timeout};

use url::Url;

/// How long to wait for the next bytes of a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many bytes are read at once.
const PIECE: usize = 16 * 1024;

/// A limit of bytes a second, which all downloads share.
struct RateLimit {
    bytes_per_second: f64,
    /// When the bytes that were taken so far are paid for.
    paid_at: Mutex<Instant>,
}

struct Download {
    url: Url,
    name: String,
    /// The file until it is complete.
    part: PathBuf,
    path: PathBuf,
    received: Cell<u64>,
    /// `None` until the server has answered.
    total: Cell<Option<u64>>,
    is_complete: Cell<bool>,
}

/// The answer of a server.
struct Head {
    status: u16,
    length: u64,
}

fn main() -> ExitCode {
    let Some((bytes_per_second, downloads)) = parse(env::args().skip(1)) else {
        eprintln!("usage: download bytes-per-second folder http://host/file...");
        return ExitCode::FAILURE;
    };
    // When the loop has ended, no thread of it writes any more: the sizes below are final.
    let result = evloop::block_on(run(bytes_per_second, &downloads));
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("download: {error}");
    for download in downloads.iter().filter(|download| !download.is_complete.get()) {
        let (name, part) = (&download.name, download.part.display());
        match std::fs::metadata(&download.part).map_or(0, |part| part.len()) {
            0 => eprintln!("{name}: nothing was received"),
            n => eprintln!("{name}: incomplete, {n} bytes are in {part}; run it again to go on"),
        }
    }
    ExitCode::FAILURE
}

fn parse(mut args: impl Iterator<Item = String>) -> Option<(f64, Vec<Download>)> {
    let rate = args.next()?.parse().ok().filter(|rate| (1.0..1e12).contains(rate))?;
    let folder = PathBuf::from(args.next()?);
    let downloads = args.map(|url| Download::new(&folder, &url)).collect::<Option<Vec<_>>>()?;
    (!downloads.is_empty()).then_some((rate, downloads))
}

/// Completes all downloads, unless a signal or an error stops them.
async fn run(bytes_per_second: f64, downloads: &[Download]) -> io::Result<()> {
    let limit = RateLimit { bytes_per_second, paid_at: Mutex::new(now()) };
    let all = task::try_gather(downloads.iter().map(|download| download.run(&limit)));
    evloop::select! {
        results = all => results.map(drop),
        () = show_progress(downloads) => Ok(()),
        signal = stop_signal() => {
            signal?;
            Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"))
        }
    }
}

/// Completes at Ctrl-C or SIGTERM.
#[cfg(unix)]
async fn stop_signal() -> io::Result<()> {
    use evloop::signal::{self, SignalKind};

    signal::unix_many([SignalKind::interrupt(), SignalKind::terminate()])?.recv().await?;
    Ok(())
}

/// Never completes: Ctrl-C ends the process.
#[cfg(not(unix))]
async fn stop_signal() -> io::Result<()> {
    std::future::pending().await
}

/// Prints the progress each second. Never completes.
async fn show_progress(downloads: &[Download]) {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let parts = downloads.iter().map(|download| match download.total.get() {
            Some(total) => format!("{}  {} of {total}", download.name, download.received.get()),
            None => format!("{}  -", download.name),
        });
        eprintln!("{}", parts.collect::<Vec<_>>().join("    "));
    }
}

impl RateLimit {
    /// Waits until `bytes` more may be received. The downloads take turns: the mutex is fair.
    async fn take(&self, bytes: usize) {
        let mut paid_at = self.paid_at.lock().await;
        // Time in which nothing was received is not saved up.
        *paid_at = (*paid_at).max(now());
        *paid_at += Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        sleep_until(*paid_at).await;
    }
}

impl Download {
    fn new(folder: &Path, url: &str) -> Option<Download> {
        let url = Url::parse(url).ok()?;
        let path = url.target.split('?').next()?;
        let name = path.rsplit('/').next().filter(|name| !matches!(*name, "" | "." | ".."))?;
        Some(Download {
            name: name.to_owned(),
            part: folder.join(format!("{name}.part")),
            path: folder.join(name),
            url,
            received: Cell::new(0),
            total: Cell::new(None),
            is_complete: Cell::new(false),
        })
    }

    async fn run(&self, limit: &RateLimit) -> io::Result<()> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.name));
        self.receive(limit).await.map_err(named)?;
        fs::rename(&self.part, &self.path).await?;
        self.is_complete.set(true);
        Ok(())
    }

    /// Receives what is missing of the file.
    async fn receive(&self, limit: &RateLimit) -> io::Result<()> {
        let present = match fs::metadata(&self.part).await {
            Ok(part) => part.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let (host, target) = (&self.url, &self.url.target);
        let (mut reader, writer) = open_connection((host.host.as_str(), host.port)).await?;
        writer.write(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"));
        if present > 0 {
            writer.write(format!("Range: bytes={present}-\r\n"));
        }
        writer.write("\r\n");
        let head = timeout(PATIENCE, Head::read(&mut reader)).await??;
        let start = match head.status {
            200 => 0,
            206 => present,
            // The range begins at the end of the file.
            416 if present > 0 => return Ok(()),
            status => return Err(io::Error::other(format!("the server answered {status}"))),
        };
        let mut file = File::options().append(true).create(true).open(&self.part).await?;
        file.set_len(start).await?;
        self.received.set(start);
        self.total.set(Some(start + head.length));
        while self.received.get() < start + head.length {
            let bytes = timeout(PATIENCE, reader.read(PIECE)).await??;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_all(&bytes).await?;
            self.received.set(self.received.get() + bytes.len() as u64);
            // Meanwhile nothing is read, so the server has to wait, too.
            limit.take(bytes.len()).await;
        }
        file.sync_all().await
    }
}

impl Head {
    async fn read(reader: &mut StreamReader) -> io::Result<Head> {
        let head = reader.read_until(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&head);
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split_whitespace().nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|(_, length)| length.trim().parse().ok());
        match (status, length) {
            (Some(status), Some(length)) => Ok(Head { status, length }),
            (Some(status @ 400..), None) => Ok(Head { status, length: 0 }),
            (Some(_), None) => Err(io::Error::other("the server does not send the length")),
            (None, _) => Err(io::Error::other("the answer is not HTTP/1")),
        }
    }
}
