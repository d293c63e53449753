//! A chat server: it sends the lines of each client to all others. It does not wait for slow
//! clients.
//!
//! ```sh
//! cargo run --example chat                  # listens on 127.0.0.1:7777
//! cargo run --example chat '[::1]:9000'     # or another address
//! ```
//!
//! It prints `listening on 127.0.0.1:7777`. In two or more other terminals:
//!
//! ```sh
//! nc 127.0.0.1 7777     # the first line is your name
//! ```
//!
//! ```text
//! * bea is here
//! <bea> hello
//! * bea is gone
//! ```
//!
//! Bytes that a client has not received yet are buffered in its writer. `write` never waits, so a
//! slow client does not delay the others. The server aborts a connection whose buffer grows too
//! large.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use evloop::{StreamReader, StreamWriter, start_server};

/// The most bytes that are buffered for one client.
const BUFFERED_MAX: usize = 1024 * 1024;

/// The writers of all clients, by address.
#[derive(Clone, Default)]
struct Clients(Rc<RefCell<BTreeMap<SocketAddr, Rc<StreamWriter>>>>);

/// A connected client. Dropping it removes the client from the chat.
struct Client<'a> {
    clients: &'a Clients,
    addr: SocketAddr,
    name: String,
}

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    evloop::block_on(run(&addr))
}

/// Serves until the process ends.
pub(crate) async fn run(addr: &str) -> io::Result<()> {
    let clients = Clients::default();
    let handler = async move |reader, writer| serve(&clients, reader, writer).await;
    let server = start_server(addr, handler).await?;
    println!("listening on {}", server.local_addrs()[0]);
    server.serve_forever().await
}

/// Serves one client, from its name to the end of its input.
async fn serve(
    clients: &Clients,
    mut reader: StreamReader,
    writer: StreamWriter,
) -> io::Result<()> {
    let name = text(&reader.read_line().await?);
    let client = clients.add(name, writer)?;
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        client.broadcast(&format!("<{}> {}\n", client.name, text(&line?)));
    }
    Ok(())
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim().to_owned()
}

impl Clients {
    fn add(&self, name: String, writer: StreamWriter) -> io::Result<Client<'_>> {
        let addr = writer.peer_addr()?;
        self.0.borrow_mut().insert(addr, Rc::new(writer));
        let client = Client { clients: self, addr, name };
        client.broadcast(&format!("* {} is here\n", client.name));
        Ok(client)
    }
}

impl Client<'_> {
    /// Sends a line to all other clients.
    fn broadcast(&self, line: &str) {
        for (addr, writer) in &*self.clients.0.borrow() {
            if writer.write_buffer_size() > BUFFERED_MAX {
                // The read of its task fails or ends then, and the task drops the client.
                writer.abort();
            } else if *addr != self.addr {
                writer.write(line);
            }
        }
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        self.broadcast(&format!("* {} is gone\n", self.name));
        self.clients.0.borrow_mut().remove(&self.addr);
    }
}
