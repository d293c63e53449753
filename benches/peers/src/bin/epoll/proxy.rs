//! The proxy on a hand-written epoll loop: one buffer shared by all, as large as evloop's.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use evloop_peers::job::announce;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::{LISTENER, Socket};

const BUFFER: usize = 64 * 1024;

/// A client has an even slot, and its connection to the upstream server the next one.
struct Half {
    io: Socket,
    /// What came from the other half, and the socket could not take yet.
    unsent: Vec<u8>,
}

/// Forwards connections to `port`, until one side closes.
pub fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    announce(listener.local_addr()?);

    let mut events = Vec::with_capacity(1024);
    let mut halves: Vec<Option<Half>> = Vec::new();
    let mut buf = vec![0; BUFFER];
    loop {
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            if event.data.u64() == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    let upstream = TcpStream::connect(("127.0.0.1", port))?;
                    for io in [client, upstream] {
                        halves.push(Some(add(&poll, io, halves.len())?));
                    }
                }
                continue;
            }
            let slot = event.data.u64() as usize;
            let first = slot & !1;
            let [Some(client), Some(upstream)] = &mut halves[first..first + 2] else {
                continue;
            };
            let (half, other) = if slot == first { (client, upstream) } else { (upstream, client) };
            let flags = event.flags;
            let closed = flags.intersects(EventFlags::RDHUP | EventFlags::HUP);
            let mut open = forward(half, other, &mut buf, closed).unwrap_or(false);
            if !half.unsent.is_empty() {
                open &= forward(other, half, &mut buf, true).unwrap_or(false);
            }
            if !open {
                halves[first..first + 2].fill_with(|| None);
            }
        }
    }
}

fn add(poll: &OwnedFd, io: TcpStream, slot: usize) -> io::Result<Half> {
    io.set_nonblocking(true)?;
    io.set_nodelay(true)?;
    let edges = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
    epoll::add(poll, &io, EventData::new_u64(slot as u64), edges)?;
    Ok(Half { io: Socket(io.into()), unsent: Vec::new() })
}

/// Sends what is there on to the other half; returns false at the end. A short read means that the
/// socket is empty, unless its peer has closed (`to_the_end`).
fn forward(from: &mut Half, to: &mut Half, buf: &mut [u8], to_the_end: bool) -> io::Result<bool> {
    loop {
        if !to.unsent.is_empty() {
            let Some(sent) = unless_blocked(to.io.write(&to.unsent))? else {
                return Ok(true);
            };
            to.unsent.drain(..sent);
            continue;
        }
        let got = match unless_blocked(from.io.read(buf))? {
            Some(0) => return Ok(false),
            Some(got) => got,
            None => return Ok(true),
        };
        let sent = unless_blocked(to.io.write(&buf[..got]))?.unwrap_or(0);
        if sent < got {
            to.unsent.extend_from_slice(&buf[sent..got]);
        } else if got < buf.len() && !to_the_end {
            return Ok(true);
        }
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}
