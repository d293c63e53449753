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

mod file;
#[path = "../crawler/head.rs"]
mod head;
#[path = "../wget/url.rs"]
mod url;

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use evloop::task;
use evloop::time::interval;

use file::{Download, RateLimit};

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
    let limit = RateLimit::new(bytes_per_second);
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
