//! A server of the Redis protocol that knows GET and SET, for `redis-benchmark`.
//!
//! A command is an array of strings: `*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::rc::Rc;

use crate::job::announce;
use crate::net::{Buffered, Net};

/// Bytes of a connection's buffer: commands must be shorter.
const BUFFER: usize = 16 * 1024;
/// Further arguments of a command are read, and ignored.
const ARGUMENTS: usize = 3;

/// The keys and their values.
#[derive(Default)]
struct Store(RefCell<HashMap<Vec<u8>, Vec<u8>>>);

impl Store {
    /// Runs one command, and appends its reply to `replies`.
    fn execute(&self, command: [&[u8]; ARGUMENTS], replies: &mut Vec<u8>) {
        match command {
            [b"SET", key, value] => {
                let mut values = self.0.borrow_mut();
                match values.get_mut(key) {
                    Some(old) => value.clone_into(old),
                    None => drop(values.insert(key.to_vec(), value.to_vec())),
                }
                replies.extend_from_slice(b"+OK\r\n");
            }
            [b"GET", key, _] => match self.0.borrow().get(key) {
                Some(value) => {
                    let _ = write!(replies, "${}\r\n", value.len());
                    replies.extend_from_slice(value);
                    replies.extend_from_slice(b"\r\n");
                }
                None => replies.extend_from_slice(b"$-1\r\n"),
            },
            _ => replies.extend_from_slice(b"-ERR unknown command\r\n"),
        }
    }
}

/// Reads what is there, answers all commands in it, and writes the replies at once.
pub async fn serve<P: Net>() -> io::Result<()> {
    let (listener, addr) = P::bind().await?;
    announce(addr);
    let store = Rc::new(Store::default());
    loop {
        let stream = P::accept(&listener).await?;
        P::detach(P::spawn(serve_client::<P>(stream, store.clone())));
    }
}

async fn serve_client<P: Net>(mut stream: P::Stream, store: Rc<Store>) -> io::Result<()> {
    let mut buf = vec![0; BUFFER].into_boxed_slice();
    let (mut filled, mut replies) = (0, Vec::new());
    loop {
        let got = P::read(&mut stream, &mut buf, filled).await?;
        if got == 0 {
            return Ok(());
        }
        filled += got;
        let mut rest = &buf[..filled];
        while let Some((command, after)) = parse(rest) {
            store.execute(command, &mut replies);
            rest = after;
        }
        let left = rest.len();
        buf.copy_within(filled - left..filled, 0);
        filled = left;
        P::write_all(&mut stream, &mut replies).await?;
    }
}

/// The first command of `input` and what follows it, or None if it is not complete.
fn parse(input: &[u8]) -> Option<([&[u8]; ARGUMENTS], &[u8])> {
    let mut command = [&[][..]; ARGUMENTS];
    let (count, mut rest) = parse_count(input)?;
    for index in 0..count {
        let (len, after) = parse_count(rest)?;
        let argument = after.get(..len)?;
        rest = after.get(len + 2..)?;
        if let Some(place) = command.get_mut(index) {
            *place = argument;
        }
    }
    Some((command, rest))
}

/// The number of a line `*2\r\n` or `$3\r\n`, and what follows the line.
fn parse_count(input: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    let mut rest = input.get(1..)?;
    loop {
        let (byte, after) = rest.split_first()?;
        match byte {
            b'0'..=b'9' => number = 10 * number + usize::from(byte - b'0'),
            b'\n' => return Some((number, after)),
            _ => {}
        }
        rest = after;
    }
}

/// The same line by line, with a buffered reader and a buffered writer.
pub async fn serve_lines<P: Buffered>() -> io::Result<()> {
    let (listener, addr) = P::bind().await?;
    announce(addr);
    let store = Rc::new(Store::default());
    loop {
        let stream = P::accept(&listener).await?;
        P::detach(P::spawn(serve_client_lines::<P>(P::buffered(stream), store.clone())));
    }
}

async fn serve_client_lines<P: Buffered>(
    mut connection: P::Connection,
    store: Rc<Store>,
) -> io::Result<()> {
    let (mut header, mut reply) = (Vec::new(), Vec::new());
    let mut arguments: [Vec<u8>; ARGUMENTS] = Default::default();
    loop {
        header.clear();
        if P::read_line(&mut connection, &mut header).await? == 0 {
            return Ok(());
        }
        arguments.iter_mut().for_each(Vec::clear);
        let (count, _) = parse_count(&header).unwrap_or_default();
        for index in 0..count {
            header.clear();
            P::read_line(&mut connection, &mut header).await?;
            let argument = arguments.get_mut(index).unwrap_or(&mut header);
            P::read_line(&mut connection, argument).await?;
        }
        reply.clear();
        store.execute(arguments.each_ref().map(|line| line.trim_ascii_end()), &mut reply);
        P::write_reply(&mut connection, &reply).await?;
    }
}
