//! Serves the figures of its own loop for Prometheus, beside the tasks that do the work.
//!
//! ```sh
//! cargo run --example metrics                  # listens on 127.0.0.1:9090
//! cargo run --example metrics '[::1]:9000'     # or another address
//! curl http://127.0.0.1:9090/metrics
//! ```
//!
//! ```text
//! # HELP evloop_tasks The tasks that live.
//! # TYPE evloop_tasks gauge
//! evloop_tasks 4
//! ```
//!
//! and so on. `/tasks` answers with `debug::dump()`: what each task waits for, and where.

use std::io;
use std::time::Duration;

use evloop::runtime::Metrics;
use evloop::time::{sleep, timeout};
use evloop::{Handle, StreamReader, StreamWriter, debug, start_server};

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9090".to_owned());
    evloop::block_on(async {
        let worker = evloop::task::Builder::new().name("worker");
        drop(worker.spawn(work()));
        let server = start_server(addr, answer).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

/// Stands for what the program does.
async fn work() {
    loop {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Answers one request, and closes the connection.
async fn answer(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let request = timeout(PATIENCE, reader.read_until(b"\r\n\r\n")).await??;
    let mut words = request.split(u8::is_ascii_whitespace);
    let (status, body) = match (words.next(), words.next()) {
        (Some(b"GET"), Some(b"/metrics")) => ("200 OK", text(&Handle::current().metrics())),
        (Some(b"GET"), Some(b"/tasks")) => ("200 OK", debug::dump()),
        _ => ("404 Not Found", "see /metrics and /tasks\n".to_owned()),
    };
    writer.write(format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    ));
    writer.drain().await
}

/// Writes the figures in the text format of Prometheus.
fn text(metrics: &Metrics) -> String {
    let figures = [
        ("turns_total", "counter", "The turns that the loop has begun.", metrics.turns),
        ("tasks", "gauge", "The tasks that live.", count(metrics.alive_tasks)),
        ("ready_tasks", "gauge", "The tasks that wait for a turn.", count(metrics.ready_tasks)),
        ("timers", "gauge", "The timers that are set.", count(metrics.timers)),
        ("sources", "gauge", "The registered descriptors.", count(metrics.sources)),
        ("inbox", "gauge", "The wakes and calls to handle.", count(metrics.queued_wakes_and_calls)),
        ("blocking_threads", "gauge", "The pool's threads.", count(metrics.blocking_threads)),
        ("blocking_queue", "gauge", "The pool's queued work.", count(metrics.queued_blocking_work)),
    ];
    let lines = figures.map(|(name, kind, help, value)| {
        format!("# HELP evloop_{name} {help}\n# TYPE evloop_{name} {kind}\nevloop_{name} {value}\n")
    });
    lines.concat()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
