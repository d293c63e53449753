//! A small Redis: strings, counters, expiry, and messages to subscribers, on one thread.
//!
//! ```sh
//! cargo run --release --example redis                   # listens on 127.0.0.1:7779
//! cargo run --release --example redis '[::1]:9000'      # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:7779`. In other terminals:
//!
//! ```sh
//! redis-cli -p 7779 set greeting hello      # also: get, incr, expire, ping
//! redis-cli -p 7779 subscribe news
//! redis-cli -p 7779 publish news 'it works'
//! redis-benchmark -p 7779 -t set,get,incr -n 100000 -P 16
//! ```
//!
//! Three things are shown:
//!
//! - Each connection is served by two futures, which run until it ends: one runs the commands, the
//!   other one sends the messages of its subscriptions. A `select!` around single reads would lose
//!   the first part of a command when a message comes.
//! - A writer sends what a turn has written in one system call: so the replies to all commands that
//!   have arrived leave together.
//! - At Ctrl-C or SIGTERM the server stops in order: it ends its connections, sends the last
//!   replies, and waits for its handlers for a limited time.

mod db;
mod protocol;

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use evloop::sync::mpsc;
use evloop::{StreamReader, StreamWriter, start_server};

use db::{Db, Message};

const DEFAULT_ADDR: &str = "127.0.0.1:7779";

/// How many messages may wait for a slow subscriber. It misses further ones.
const MESSAGES_MAX: usize = 1000;

/// How long the handlers may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let addr = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_ADDR.to_owned());
    match evloop::block_on(run(addr)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(addr: String) -> io::Result<()> {
    let db = Rc::new(Db::default());
    let served = db.clone();
    let handler = async move |reader, writer| serve(&served, reader, writer).await;
    let server = start_server(addr, handler).await?;
    println!("listening on {}", server.local_addrs()[0]);
    evloop::select! {
        stopped = stop_signal() => stopped?,
        never = db.remove_expired() => match never {},
    }
    server.close();
    server.close_clients();
    let aborted = server.stop(GRACE).await;
    println!("stopped, {aborted} handlers aborted");
    Ok(())
}

/// Completes at Ctrl-C, or when a service manager stops the program.
#[cfg(unix)]
async fn stop_signal() -> io::Result<()> {
    use evloop::signal::{SignalKind, unix_many};
    let signal = unix_many([SignalKind::interrupt(), SignalKind::terminate()])?.recv().await?;
    println!("{signal}");
    Ok(())
}

/// Never completes: Ctrl-C ends the process.
#[cfg(not(unix))]
async fn stop_signal() -> io::Result<()> {
    std::future::pending().await
}

/// Serves one client. Its errors are reported with its address, because the handler returns them.
async fn serve(db: &Db, mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let (sender, mut messages) = mpsc::bounded(MESSAGES_MAX);
    let served = evloop::select! {
        served = run_commands(db, &mut reader, &writer, &sender) => served,
        sent = send_messages(&mut messages, &writer) => sent,
    };
    match served {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            writer.write(format!("-ERR Protocol error: {error}\r\n"));
            Ok(())
        }
        served => served,
    }
}

/// Runs the commands of a client until its input ends.
async fn run_commands(
    db: &Db,
    reader: &mut StreamReader,
    writer: &StreamWriter,
    sender: &mpsc::Sender<Message>,
) -> io::Result<()> {
    let mut subscriptions = 0;
    while let Some(words) = protocol::read_command(reader).await? {
        let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
        let Some((name, args)) = words.split_first() else { continue };
        match (&*name.to_ascii_lowercase(), args) {
            (b"subscribe", [_, ..]) => {
                for channel in args {
                    db.subscribe(channel, sender);
                    subscriptions += 1;
                    protocol::write_array(writer, &[b"subscribe", channel]);
                    protocol::write_integer(writer, subscriptions);
                }
            }
            (b"publish", [channel, text]) => {
                protocol::write_integer(writer, db.publish(channel, text));
            }
            (b"get", [key]) => protocol::write_value(writer, db.get(key)),
            (b"set", [key, value]) => {
                db.set(key, value);
                writer.write("+OK\r\n");
            }
            (b"incr", [key]) => match db.increment(key) {
                Some(number) => protocol::write_integer(writer, number),
                None => writer.write("-ERR value is not an integer or out of range\r\n"),
            },
            (b"expire", [key, seconds]) => match protocol::parse(seconds) {
                Some(seconds) => protocol::write_integer(writer, db.expire(key, seconds).into()),
                None => writer.write("-ERR value is not an integer or out of range\r\n"),
            },
            (b"ping", []) => writer.write("+PONG\r\n"),
            _ => {
                let name = String::from_utf8_lossy(name);
                let name = name.escape_debug();
                writer.write(format!("-ERR unknown command or wrong arguments: '{name}'\r\n"));
            }
        }
        // Waits while a client that sends commands does not read the replies.
        writer.drain().await?;
    }
    Ok(())
}

/// Sends the messages of all subscriptions of a client.
async fn send_messages(
    messages: &mut mpsc::Receiver<Message>,
    writer: &StreamWriter,
) -> io::Result<()> {
    while let Some(Message { channel, text }) = messages.recv().await {
        protocol::write_array(writer, &[b"message", &channel, &text]);
        writer.drain().await?;
    }
    Ok(())
}
