//! A chat server, stage 3: it sends each line to all other clients.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_3_clients
//! nc 127.0.0.1 7777     # in two other terminals
//! ```
//!
//! prints `listening on 127.0.0.1:7777`. The second client says `hello` and leaves. The first one
//! receives:
//!
//! ```text
//! * client 2 is here
//! <2> hello
//! * client 2 has left
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::rc::Rc;

use evloop::{StreamReader, StreamWriter, start_server};

/// What all connections share.
#[derive(Default)]
struct Chat {
    /// The writers of the clients, by number.
    clients: RefCell<BTreeMap<u64, StreamWriter>>,
    /// The number of the newest client.
    last: Cell<u64>,
}

/// A client that is in the chat. Dropping it removes the client.
struct Member<'a> {
    chat: &'a Chat,
    id: u64,
}

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let chat = Rc::new(Chat::default());
        let handler = async move |reader, writer| chat.serve(reader, writer).await;
        let server = start_server(addr, handler).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

impl Chat {
    /// Serves one client.
    async fn serve(&self, mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
        let member = self.enter(writer);
        let mut lines = reader.lines();
        while let Some(line) = lines.next().await {
            self.send(member.id, &format!("<{}> {}", member.id, text(&line?)));
        }
        Ok(())
    }

    fn enter(&self, writer: StreamWriter) -> Member<'_> {
        let id = self.last.get() + 1;
        self.last.set(id);
        self.clients.borrow_mut().insert(id, writer);
        self.send(id, &format!("* client {id} is here"));
        Member { chat: self, id }
    }

    /// Sends a line to all clients but `from`. `write` does not wait, so the list is borrowed for a
    /// moment only, and no other task runs meanwhile.
    fn send(&self, from: u64, line: &str) {
        for (id, writer) in &*self.clients.borrow() {
            if *id != from {
                writer.write(format!("{line}\n"));
            }
        }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.chat.clients.borrow_mut().remove(&self.id);
        self.chat.send(self.id, &format!("* client {} has left", self.id));
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_string()
}
