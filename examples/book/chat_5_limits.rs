//! A chat server, stage 5: time-outs and limits. Rooms and names are those of stage 4.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_5_limits
//! cargo run --package evloop-book --example chat_5_limits 127.0.0.1:7777 2    # two seconds
//! nc 127.0.0.1 7777     # in another terminal
//! ```
//!
//! prints `listening on 127.0.0.1:7777`. A client that sends nothing for five minutes, or for the
//! time of the second argument, receives:
//!
//! ```text
//! * your name?
//! * goodbye: no line within 2s
//! ```

use std::env;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::ToAddrs;
use evloop::streams::{ServerOptions, StreamOptions, start_server_with};
use evloop::time::timeout;
use evloop::{Server, StreamReader, StreamWriter};

#[path = "chat_4_rooms.rs"]
#[allow(dead_code)] // its `main` and `serve`
mod rooms;

pub(crate) use rooms::Chat;

/// The limits of each client.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The time in which a client must send the next line.
    pub(crate) silence: Duration,
    /// The most bytes in a line.
    pub(crate) line: usize,
    /// The most clients.
    pub(crate) clients: usize,
    /// The most bytes that the server stores for a client that does not receive them.
    pub(crate) unsent: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { silence: Duration::from_secs(300), line: 512, clients: 1000, unsent: 256 * 1024 }
    }
}

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let (server, _chat) = start(addr, limits()).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

/// Returns the limits. The second argument of the program sets the silence, in seconds.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    if let Some(seconds) = env::args().nth(2).and_then(|text| text.parse().ok()) {
        limits.silence = Duration::from_secs_f64(seconds);
    }
    limits
}

/// Starts the server. Returns it with the list of its clients.
pub(crate) async fn start(addr: impl ToAddrs, limits: Limits) -> io::Result<(Server, Rc<Chat>)> {
    let streams = StreamOptions { limit: limits.line, ..Default::default() };
    let options = ServerOptions { streams, ..Default::default() };
    let chat = Rc::<Chat>::default();
    let shared = chat.clone();
    let handler = async move |reader, writer| serve(&shared, &limits, reader, writer).await;
    let server = start_server_with(addr, &options, handler).await?;
    Ok((server, chat))
}

/// Serves one client. An error that the client has caused is told to the client.
async fn serve(
    chat: &Chat,
    limits: &Limits,
    mut reader: StreamReader,
    writer: StreamWriter,
) -> io::Result<()> {
    let writer = Rc::new(writer);
    let Err(error) = talk(chat, limits, &mut reader, &writer).await else { return Ok(()) };
    let reason = match error.kind() {
        io::ErrorKind::TimedOut => format!("no line within {:?}", limits.silence),
        io::ErrorKind::InvalidData => format!("a line has at most {} bytes", limits.line),
        io::ErrorKind::QuotaExceeded => format!("there are {} clients", limits.clients),
        _ => return Err(error), // such as a reset; the server prints it to stderr
    };
    writer.write(format!("* goodbye: {reason}\n"));
    Ok(())
}

async fn talk(
    chat: &Chat,
    limits: &Limits,
    reader: &mut StreamReader,
    writer: &Rc<StreamWriter>,
) -> io::Result<()> {
    if chat.clients.borrow().len() >= limits.clients {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    writer.write("* your name?\n");
    let member = loop {
        let Some(line) = next_line(reader, limits).await? else { return Ok(()) };
        match chat.enter(&line, writer) {
            Ok(member) => break member,
            Err(reason) => writer.write(format!("* {reason}\n")),
        }
    };
    while let Some(line) = next_line(reader, limits).await? {
        if !member.obey(&line) {
            break;
        }
        abort_slow(chat, limits.unsent);
    }
    Ok(())
}

/// Returns the next line, or `None` at the end of the stream. The time limit is for a whole line: a
/// client that sends one byte at a time does not extend it.
async fn next_line(reader: &mut StreamReader, limits: &Limits) -> io::Result<Option<String>> {
    let line = timeout(limits.silence, reader.read_line()).await??;
    Ok((!line.is_empty()).then(|| rooms::text(&line)))
}

/// Aborts the connections of the clients that do not receive. Their readers reach the end of the
/// stream, and their tasks end.
fn abort_slow(chat: &Chat, unsent: usize) {
    for client in chat.clients.borrow().values() {
        if client.writer.write_buffer_size() > unsent {
            client.writer.abort();
        }
    }
}
