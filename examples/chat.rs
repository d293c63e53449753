//! A chat: what one says, all the others hear. Who does not listen is not waited for.
//!
//! ```sh
//! cargo run --example chat                  # listens on 127.0.0.1:7777
//! cargo run --example chat '[::1]:9000'     # or where you like
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
//! What a client has not taken yet waits in its writer: `write` never waits, so a slow client holds
//! nobody up. One that lets too much pile up is given up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use evloop::{StreamReader, StreamWriter, start_server};

/// Bytes that may wait for a client.
const UNHEARD_MAX: usize = 1024 * 1024;

/// The writers of those who are here.
#[derive(Clone, Default)]
struct Room(Rc<RefCell<BTreeMap<SocketAddr, Rc<StreamWriter>>>>);

/// Somebody who is here, until this is dropped.
struct Guest<'a> {
    room: &'a Room,
    addr: SocketAddr,
    name: String,
}

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    evloop::block_on(async {
        let room = Room::default();
        let handler = async move |reader, writer| talk(&room, reader, writer).await;
        let server = start_server(addr, handler).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

/// One guest, from name to end.
async fn talk(room: &Room, mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let name = text(&reader.read_line().await?);
    let guest = room.enter(name, writer)?;
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        guest.say(&format!("<{}> {}\n", guest.name, text(&line?)));
    }
    Ok(())
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim().to_owned()
}

impl Room {
    fn enter(&self, name: String, writer: StreamWriter) -> io::Result<Guest<'_>> {
        let addr = writer.peer_addr()?;
        self.0.borrow_mut().insert(addr, Rc::new(writer));
        let guest = Guest { room: self, addr, name };
        guest.say(&format!("* {} is here\n", guest.name));
        Ok(guest)
    }
}

impl Guest<'_> {
    /// To all the others.
    fn say(&self, line: &str) {
        for (addr, writer) in &*self.room.0.borrow() {
            if writer.write_buffer_size() > UNHEARD_MAX {
                // Its task reads to its end then, and lets it go.
                writer.abort();
            } else if *addr != self.addr {
                writer.write(line.as_bytes());
            }
        }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.say(&format!("* {} is gone\n", self.name));
        self.room.0.borrow_mut().remove(&self.addr);
    }
}
