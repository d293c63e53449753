//! Solution of exercise 4.1: `/msg NAME TEXT` sends a line to one client.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_4_private
//! nc 127.0.0.1 7777     # in two other terminals; the first line is the name
//! ```
//!
//! prints `listening on 127.0.0.1:7777`. `ann` sends `/msg bea hello` and `/msg carl hello`. `bea`
//! receives the first line, `ann` the second one:
//!
//! ```text
//! (ann) hello
//! * there is no carl
//! ```
//!
//! The names are the keys of the map here, so that a name is found without a search.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::rc::Rc;

use evloop::{StreamReader, StreamWriter, start_server};

/// The writers of the clients, by name.
#[derive(Default)]
struct Chat(RefCell<BTreeMap<String, StreamWriter>>);

/// A client that is in the chat. Dropping it removes the client.
struct Member<'a> {
    chat: &'a Chat,
    name: String,
}

fn main() -> io::Result<()> {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".to_string());
    evloop::block_on(async {
        let chat = Rc::new(Chat::default());
        let handler = async move |reader, writer| serve(&chat, reader, writer).await;
        let server = start_server(addr, handler).await?;
        println!("listening on {}", server.local_addrs()[0]);
        server.serve_forever().await
    })
}

async fn serve(chat: &Chat, mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let mut lines = reader.lines();
    let Some(name) = lines.next().await else { return Ok(()) };
    let Some(member) = chat.enter(text(&name?), writer) else { return Ok(()) };
    while let Some(line) = lines.next().await {
        member.obey(&text(&line?));
    }
    Ok(())
}

impl Chat {
    /// Adds a client. Returns `None` if its name is taken; its connection is closed then.
    fn enter(&self, name: String, writer: StreamWriter) -> Option<Member<'_>> {
        if self.0.borrow().contains_key(&name) {
            writer.write("* this name is taken\n");
            return None;
        }
        self.0.borrow_mut().insert(name.clone(), writer);
        Some(Member { chat: self, name })
    }

    /// Sends a line to one client. Returns whether there is a client of this name.
    fn send(&self, name: &str, line: &str) -> bool {
        let clients = self.0.borrow();
        let writer = clients.get(name);
        if let Some(writer) = writer {
            writer.write(format!("{line}\n"));
        }
        writer.is_some()
    }
}

impl Member<'_> {
    fn obey(&self, line: &str) {
        let Some(message) = line.strip_prefix("/msg ") else { return self.say(line) };
        let (to, text) = message.split_once(' ').unwrap_or((message, ""));
        if !self.chat.send(to, &format!("({}) {text}", self.name)) {
            self.chat.send(&self.name, &format!("* there is no {to}"));
        }
    }

    /// Sends a line to all others.
    fn say(&self, line: &str) {
        for (name, writer) in &*self.chat.0.borrow() {
            if *name != self.name {
                writer.write(format!("<{}> {line}\n", self.name));
            }
        }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.chat.0.borrow_mut().remove(&self.name);
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_string()
}
