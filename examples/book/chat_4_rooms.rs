//! A chat server, stage 4: clients have names and are in rooms.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_4_rooms
//! nc 127.0.0.1 7777     # in two other terminals
//! ```
//!
//! prints `listening on 127.0.0.1:7777`. The first line is the name. Then the client is in the room
//! `lobby`. Commands: `/join ROOM`, `/who`, `/quit`. `ann` sends `/who` when `bea` is there:
//!
//! ```text
//! * your name?
//! * bea is in lobby
//! <bea> hello
//! * here: ann bea
//! * bea has left lobby
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::rc::Rc;

use evloop::{StreamReader, StreamWriter, start_server};

#[derive(Default)]
pub(crate) struct Chat {
    pub(crate) clients: RefCell<BTreeMap<u64, Client>>,
    /// The number of the next client.
    next: Cell<u64>,
}

pub(crate) struct Client {
    name: String,
    room: String,
    pub(crate) writer: Rc<StreamWriter>,
}

/// A client that is in the chat. Dropping it removes the client.
pub(crate) struct Member<'a> {
    chat: &'a Chat,
    id: u64,
}

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let chat = Rc::new(Chat::default());
        let server = start_server(addr, async move |r, w| serve(&chat, r, w).await).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

/// Serves one client: asks for its name, then obeys its lines.
async fn serve(chat: &Chat, mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let (mut lines, writer) = (reader.lines(), Rc::new(writer));
    writer.write("* your name?\n");
    let member = loop {
        let Some(line) = lines.next().await else { return Ok(()) };
        match chat.enter(&text(&line?), &writer) {
            Ok(member) => break member,
            Err(reason) => writer.write(format!("* {reason}\n")),
        }
    };
    while let Some(line) = lines.next().await {
        if !member.obey(&text(&line?)) {
            break;
        }
        writer.drain().await?;
    }
    Ok(())
}

impl Chat {
    /// Adds a client, unless its name is taken.
    pub(crate) fn enter(&self, name: &str, to: &Rc<StreamWriter>) -> Result<Member<'_>, &str> {
        if !is_name(name) {
            return Err("a name has 1 to 20 letters and digits");
        }
        if self.clients.borrow().values().any(|client| client.name == name) {
            return Err("this name is taken");
        }
        let id = self.next.replace(self.next.get() + 1);
        let client = Client { name: name.into(), room: "lobby".into(), writer: to.clone() };
        self.clients.borrow_mut().insert(id, client);
        let member = Member { chat: self, id };
        member.to_others(|client| format!("* {} is in lobby\n", client.name));
        Ok(member)
    }
}

impl Member<'_> {
    /// Obeys a line of this client. Returns whether the client stays.
    pub(crate) fn obey(&self, line: &str) -> bool {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("", _) => {}
            ("/quit", _) => return false,
            ("/who", _) => self.answer(&format!("here: {}", self.names())),
            ("/join", room) if is_name(room) => self.join(room),
            (word, _) if word.starts_with('/') => self.answer("/join ROOM, /who, /quit"),
            _ => self.to_others(|client| format!("<{}> {line}\n", client.name)),
        }
        true
    }

    fn answer(&self, text: &str) {
        self.chat.clients.borrow()[&self.id].writer.write(format!("* {text}\n"));
    }

    fn join(&self, room: &str) {
        self.to_others(|client| format!("* {} has left {}\n", client.name, client.room));
        self.chat.clients.borrow_mut().get_mut(&self.id).expect("a member").room = room.into();
        self.to_others(|client| format!("* {} is in {}\n", client.name, client.room));
    }

    /// Writes a line about this client to the others in its room.
    fn to_others(&self, line: impl Fn(&Client) -> String) {
        let clients = self.chat.clients.borrow();
        let client = &clients[&self.id];
        for (id, other) in &*clients {
            if *id != self.id && other.room == client.room {
                other.writer.write(line(client));
            }
        }
    }

    /// Returns the names of the clients in the room.
    fn names(&self) -> String {
        let clients = self.chat.clients.borrow();
        let here = clients.values().filter(|other| other.room == clients[&self.id].room);
        here.map(|client| &*client.name).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.to_others(|client| format!("* {} has left {}\n", client.name, client.room));
        self.chat.clients.borrow_mut().remove(&self.id);
    }
}

fn is_name(text: &str) -> bool {
    (1..=20).contains(&text.chars().count()) && text.chars().all(char::is_alphanumeric)
}

pub(crate) fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_string()
}
