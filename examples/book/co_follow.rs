//! A pipeline on the loop: follows a growing log, filters its lines, and sends them to two sinks.
//!
//! ```sh
//! cargo run --package evloop-book --example co_follow
//! ```
//!
//! prints
//!
//! ```text
//! GET: 127.0.0.1 GET /index.html 200
//! error: 127.0.0.1 GET /missing.html 404
//! GET: 127.0.0.1 GET /missing.html 404
//! error: 127.0.0.1 POST /login 404
//! ```
//!
//! The source awaits: it is a stream. The filter and the sinks wait for the source only: they are
//! coroutines, which the source resumes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use evloop::coroutine::{self, Coroutine, CoroutineStream};
use evloop::fs::{self, File};
use evloop::time::sleep;

/// A coroutine that receives lines and yields no values.
type Sink = Coroutine<'static, (), String>;

const LOG: [&str; 4] = [
    "127.0.0.1 GET /index.html 200\n",
    "127.0.0.1 GET /missing.html 404\n",
    "127.0.0.1 POST /login 404\n",
    "shutdown\n",
];

fn main() -> io::Result<()> {
    let path = std::env::temp_dir().join(format!("co_follow-{}", std::process::id()));
    evloop::block_on(async {
        File::create(&path).await?;
        let writer = evloop::spawn(append_lines(path.clone()));
        let errors = grep("404", printer("error"));
        let gets = grep("GET", printer("GET"));
        let mut target = started(broadcast(vec![errors, gets]));
        let mut lines = follow(File::open(&path).await?);
        while let Some(line) = lines.next().await {
            let line = line?;
            if line == "shutdown" {
                break;
            }
            target.send(line);
        }
        writer.await??;
        fs::remove_file(&path).await
    })
}

/// Another task: appends a line, waits, appends the next one.
async fn append_lines(path: PathBuf) -> io::Result<()> {
    let mut file = File::options().append(true).open(path).await?;
    for line in LOG {
        sleep(Duration::from_millis(5)).await;
        file.write_all(line.as_bytes()).await?;
        file.flush().await?;
    }
    Ok(())
}

/// Yields the lines of the file, also those that are appended later, as `tail -f` does.
fn follow(mut file: File) -> CoroutineStream<'static, io::Result<String>> {
    coroutine::stream(async move |co| {
        let (mut text, mut buf) = (Vec::new(), [0; 4096]);
        loop {
            match file.read(&mut buf).await {
                // A regular file is always readable, so no selector reports new lines in it.
                Ok(0) => sleep(Duration::from_millis(1)).await,
                Ok(count) => text.extend(&buf[..count]),
                Err(error) => return co.yield_(Err(error)).await,
            }
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                co.yield_(Ok(String::from_utf8_lossy(&line[..end]).into_owned())).await;
            }
        }
    })
}

/// Runs a sink to its first yield, so that it can receive a line.
fn started(mut sink: Sink) -> Sink {
    sink.next();
    sink
}

/// Forwards the lines that contain `word`.
fn grep(word: &'static str, target: Sink) -> Sink {
    let mut target = started(target);
    Coroutine::new(async move |co| {
        loop {
            let line: String = co.yield_(()).await;
            if line.contains(word) {
                target.send(line);
            }
        }
    })
}

/// Forwards each line to all targets.
fn broadcast(targets: Vec<Sink>) -> Sink {
    let mut targets: Vec<Sink> = targets.into_iter().map(started).collect();
    Coroutine::new(async move |co| {
        loop {
            let line: String = co.yield_(()).await;
            for target in &mut targets {
                target.send(line.clone());
            }
        }
    })
}

/// Prints the lines.
fn printer(name: &'static str) -> Sink {
    Coroutine::new(async move |co| {
        loop {
            println!("{name}: {}", co.yield_(()).await);
        }
    })
}
