//! The echo and the proxy on a hand-written epoll loop: the floor that every runtime stands on.

use std::io::{self, Read, Write};
use std::net::TcpListener;

use evloop_peers::job::{Job, announce};
use evloop_peers::raw::{Conn, Next};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, SendFlags};

mod proxy;

/// The listener's event data; connections have their slot's number.
const LISTENER: u64 = u64::MAX;

/// A socket by its system calls, without std's and libc's layers.
struct Socket(OwnedFd);

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (got, _) = rustix::net::recv(&self.0, buf, RecvFlags::empty())?;
        Ok(got)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.0, buf, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let job = Job::from_args();
    match job.workload.as_str() {
        "echo" => serve(job.n as usize),
        "proxy" | "proxy_sized" => proxy::serve(job.n as u16),
        _ => {
            job.report(None);
            Ok(())
        }
    }
}

fn serve(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    announce(listener.local_addr()?);

    let edges = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    let mut events = Vec::with_capacity(1024);
    let mut conns: Vec<Option<Conn<Socket>>> = Vec::new();
    let mut free = Vec::new();
    let mut buf = vec![0; buffer];
    loop {
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let key = event.data.u64();
            if key == LISTENER {
                while let Ok((io, _)) = listener.accept() {
                    io.set_nonblocking(true)?;
                    io.set_nodelay(true)?;
                    let slot = free.pop().unwrap_or_else(|| {
                        conns.push(None);
                        conns.len() - 1
                    });
                    epoll::add(&poll, &io, EventData::new_u64(slot as u64), edges)?;
                    conns[slot] = Some(Conn::new(Socket(io.into())));
                }
                continue;
            }
            let slot = key as usize;
            let Some(conn) = &mut conns[slot] else {
                continue;
            };
            let closed = { event.flags }.intersects(EventFlags::RDHUP | EventFlags::HUP);
            match conn.pump(&mut buf, closed).unwrap_or(Next::Close) {
                Next::WaitWritable if !conn.wants_write => {
                    conn.wants_write = true;
                    let both = edges | EventFlags::OUT;
                    epoll::modify(&poll, &conn.io.0, EventData::new_u64(key), both)?;
                }
                Next::Close => {
                    conns[slot] = None;
                    free.push(slot);
                }
                _ => {}
            }
        }
    }
}
