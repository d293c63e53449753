//! The echo on a hand-written mio loop: the limit that evloop is held against.

use std::io;

use evloop_peers::job::{Job, announce};
use evloop_peers::raw::{Conn, Next};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let job = Job::from_args();
    match job.workload.as_str() {
        "echo" => serve(job.n as usize),
        _ => {
            job.report(None);
            Ok(())
        }
    }
}

fn serve(buffer: usize) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    announce(listener.local_addr()?);

    let mut events = Events::with_capacity(1024);
    let mut conns: Vec<Option<Conn<TcpStream>>> = Vec::new();
    let mut free = Vec::new();
    let mut buf = vec![0; buffer];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut io, _)) = listener.accept() {
                    io.set_nodelay(true)?;
                    let slot = free.pop().unwrap_or_else(|| {
                        conns.push(None);
                        conns.len() - 1
                    });
                    poll.registry().register(&mut io, Token(slot), Interest::READABLE)?;
                    conns[slot] = Some(Conn::new(io));
                }
                continue;
            }
            let Token(slot) = event.token();
            let Some(conn) = &mut conns[slot] else {
                continue;
            };
            match conn.pump(&mut buf, event.is_read_closed()).unwrap_or(Next::Close) {
                Next::WaitWritable if !conn.wants_write => {
                    conn.wants_write = true;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().reregister(&mut conn.io, Token(slot), both)?;
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
