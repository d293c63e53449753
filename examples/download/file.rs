//! Downloads one file, or the rest of it, within a limit that all downloads share.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use evloop::fs::{self, File};
use evloop::streams::open_connection;
use evloop::sync::Mutex;
use evloop::time::{now, sleep_until, timeout};

use crate::head::Head;
use crate::url::Url;

/// How long to wait for the next bytes of a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many bytes are read at once.
const PIECE: usize = 16 * 1024;

/// A limit of bytes a second, which all downloads share.
pub(crate) struct RateLimit {
    bytes_per_second: f64,
    /// When the bytes that were taken so far are paid for.
    paid_at: Mutex<Instant>,
}

/// A file to download.
pub(crate) struct Download {
    url: Url,
    pub(crate) name: String,
    /// The file until it is complete.
    pub(crate) part: PathBuf,
    path: PathBuf,
    pub(crate) received: Cell<u64>,
    /// `None` until the server has answered.
    pub(crate) total: Cell<Option<u64>>,
    pub(crate) is_complete: Cell<bool>,
}

impl RateLimit {
    pub(crate) fn new(bytes_per_second: f64) -> RateLimit {
        RateLimit { bytes_per_second, paid_at: Mutex::new(now()) }
    }

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
    pub(crate) fn new(folder: &Path, url: &str) -> Option<Download> {
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

    pub(crate) async fn run(&self, limit: &RateLimit) -> io::Result<()> {
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
        let unknown = || io::Error::other("the server does not send the length");
        let end = start + head.length.ok_or_else(unknown)?;
        let mut file = File::options().append(true).create(true).open(&self.part).await?;
        file.set_len(start).await?;
        self.received.set(start);
        self.total.set(Some(end));
        while self.received.get() < end {
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
