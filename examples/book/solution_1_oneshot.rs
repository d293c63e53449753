//! Solution of exercise 1.2: an edge-triggered reader that takes turns and loses nothing.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_1_oneshot
//! ```
//!
//! prints
//!
//! ```text
//! a: "aaaa"
//! b: "bbbb"
//! a: "aaaa"
//! b: "bbbb"
//! a: "aa"
//! b: "bb"
//! ```
//!
//! A reader that reads until `WouldBlock` can be kept busy by one peer that sends without a pause.
//! This reader takes four bytes and goes on to the next socket. With EPOLLONESHOT an event disables
//! its registration. `modify` enables it again, and the selector checks the descriptor then: bytes
//! that are left make a new event.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;

const FLAGS: EventFlags = EventFlags::IN.union(EventFlags::ET).union(EventFlags::ONESHOT);
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

fn main() -> io::Result<()> {
    let selector = epoll::create(CreateFlags::CLOEXEC)?;
    let (mut sockets, mut peers) = (Vec::new(), Vec::new());
    for (index, name) in ["a", "b"].into_iter().enumerate() {
        let (socket, mut peer) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        epoll::add(&selector, &socket, EventData::new_u64(index as u64), FLAGS)?;
        peer.write_all(name.repeat(10).as_bytes())?;
        sockets.push((name, socket));
        peers.push(peer);
    }
    let mut events = Vec::with_capacity(8);
    // A server would wait for ever. This program ends when no event is there.
    while epoll::wait(&selector, rustix::buffer::spare_capacity(&mut events), Some(&NOW))? > 0 {
        for event in events.drain(..) {
            let (name, socket) = &mut sockets[event.data.u64() as usize];
            let mut buf = [0; 4];
            match socket.read(&mut buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => println!("{name}: {:?}", String::from_utf8_lossy(&buf[..read?])),
            }
            epoll::modify(&selector, &*socket, event.data, FLAGS)?;
        }
    }
    Ok(())
}
