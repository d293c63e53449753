//! Level and edge triggering: the same reader, which reads too little for each event.
//!
//! ```sh
//! cargo run --package evloop-book --example wait_edge
//! ```
//!
//! prints
//!
//! ```text
//! level-triggered: 3 events, received "0123456789"
//! edge-triggered: 1 event, received "0123", never reported: "456789"
//! edge-triggered, read until WouldBlock: 1 event, received "0123456789"
//! ```
//!
//! The peer sends ten bytes. The reader takes at most four bytes for each event.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;

fn main() -> io::Result<()> {
    show("level-triggered", EventFlags::empty(), read_once)?;
    show("edge-triggered", EventFlags::ET, read_once)?;
    show("edge-triggered, read until WouldBlock", EventFlags::ET, read_all)
}

type ReadStep = fn(&mut UnixStream, &mut Vec<u8>) -> io::Result<()>;

fn show(name: &str, trigger: EventFlags, read: ReadStep) -> io::Result<()> {
    let (mut socket, mut peer) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    let selector = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&selector, &socket, EventData::new_u64(0), EventFlags::IN | trigger)?;
    peer.write_all(b"0123456789")?;

    let (mut events, mut received) = (0, Vec::new());
    // A server would wait for ever. This program ends when no event is there.
    while has_event(&selector)? {
        events += 1;
        read(&mut socket, &mut received)?;
    }
    let plural = if events == 1 { "" } else { "s" };
    print!("{name}: {events} event{plural}, received {:?}", String::from_utf8_lossy(&received));
    let mut left = Vec::new();
    read_all(&mut socket, &mut left)?;
    if !left.is_empty() {
        print!(", never reported: {:?}", String::from_utf8_lossy(&left));
    }
    println!();
    Ok(())
}

/// Returns whether the selector reports an event now.
fn has_event(selector: impl rustix::fd::AsFd) -> io::Result<bool> {
    let mut events = Vec::with_capacity(1);
    let spare = rustix::buffer::spare_capacity(&mut events);
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(epoll::wait(selector, spare, Some(&now))? > 0)
}

/// Reads once, up to four bytes. With level triggering the rest makes the next event.
fn read_once(socket: &mut UnixStream, received: &mut Vec<u8>) -> io::Result<()> {
    let mut buf = [0; 4];
    let count = socket.read(&mut buf)?;
    received.extend(&buf[..count]);
    Ok(())
}

/// Reads until the receive buffer is empty: the rule of edge triggering.
fn read_all(socket: &mut UnixStream, received: &mut Vec<u8>) -> io::Result<()> {
    loop {
        match read_once(socket, received) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            result => result?,
        }
    }
}
