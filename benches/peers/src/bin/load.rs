//! The load generator: drives an echo server in another process and reads that process's clocks.
//!
//! `load echo PORT PID CONNS SIZE DEPTH N`, `load connections PORT PID PARALLEL N`,
//! `load idle PORT PID CONNS SIZE`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use evloop_peers::load::Server;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

/// Bytes of the one message on each connection of `load connections`.
const CONNECTION_MESSAGE: usize = 64;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = args.iter().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let mode = args.first().map(String::as_str);
    match (mode, &numbers[..]) {
        (Some("echo"), &[port, pid, conns, size, depth, n]) => {
            echo(&Server::new(port as u16, pid as i32), conns, size, depth, n)
        }
        (Some("connections"), &[port, pid, parallel, n]) => {
            connections(&Server::new(port as u16, pid as i32), parallel, n)
        }
        (Some("idle"), &[port, pid, conns, size]) => {
            idle(&Server::new(port as u16, pid as i32), conns, size)
        }
        _ => Err(io::Error::other("see the head of load.rs for the arguments")),
    }
}

/// `conns` connections, each with `depth` requests on their way, `n` requests in all.
fn echo(server: &Server, conns: usize, size: usize, depth: usize, n: usize) -> io::Result<()> {
    let mut client = Client::connect(server, conns, size, depth)?;
    client.run(n / 10)?;
    let (cpu, wall) = (server.cpu_ns(), Instant::now());
    let mut latencies = client.run(n)?;
    let (cpu, wall) = (server.cpu_ns() - cpu, wall.elapsed().as_nanos());
    latencies.sort_unstable();
    let at = |share: f64| latencies[((n - 1) as f64 * share) as usize];
    println!(
        "ops={n} total={} wall_ns={wall} cpu_ns={cpu} p50_ns={} p99_ns={} p999_ns={}",
        conns + n / 10 + n,
        at(0.5),
        at(0.99),
        at(0.999)
    );
    Ok(())
}

/// Connect, one echo, close: `n` times, `parallel` at once.
fn connections(server: &Server, parallel: usize, n: usize) -> io::Result<()> {
    connect_in_turn(server, parallel, n / 10)?;
    let (cpu, wall) = (server.cpu_ns(), Instant::now());
    connect_in_turn(server, parallel, n)?;
    let (cpu, wall) = (server.cpu_ns() - cpu, wall.elapsed().as_nanos());
    println!("ops={n} total={} wall_ns={wall} cpu_ns={cpu}", n / 10 + n);
    Ok(())
}

fn connect_in_turn(server: &Server, parallel: usize, n: usize) -> io::Result<()> {
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut message = [0x5A; CONNECTION_MESSAGE];
    let open = |slot: usize| -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.write_all(&[0x5A; CONNECTION_MESSAGE])?;
        epoll::add(&poll, &stream, EventData::new_u64(slot as u64), EventFlags::IN)?;
        Ok(stream)
    };
    let mut streams = (0..parallel.min(n)).map(open).collect::<io::Result<Vec<_>>>()?;
    let (mut opened, mut closed) = (streams.len(), 0);
    let mut events = Vec::with_capacity(parallel);
    while closed < n {
        wait(&poll, &mut events)?;
        for event in events.drain(..) {
            let slot = event.data.u64() as usize;
            streams[slot].read_exact(&mut message)?;
            closed += 1;
            if opened < n {
                opened += 1;
                streams[slot] = open(slot)?;
            } else {
                epoll::delete(&poll, &streams[slot])?;
            }
        }
    }
    Ok(())
}

/// What one of `conns` connections that have had one echo of `size` bytes keeps resident.
fn idle(server: &Server, conns: usize, size: usize) -> io::Result<()> {
    drop(server.connect(size)?);
    let before = server.rss_bytes()?;
    let streams = (0..conns).map(|_| server.connect(size)).collect::<io::Result<Vec<_>>>()?;
    let bytes = server.rss_bytes()? - before;
    println!("ops={} total={} rss_bytes={bytes}", streams.len(), streams.len());
    Ok(())
}

/// All connections of `load echo`.
struct Client {
    poll: OwnedFd,
    conns: Vec<Conn>,
    size: usize,
    depth: usize,
    /// As many request bytes as one connection can have on its way.
    payload: Vec<u8>,
    buf: Vec<u8>,
    events: Vec<Event>,
}

struct Conn {
    io: TcpStream,
    /// When each request on its way was sent; they are answered in order.
    sent: VecDeque<Instant>,
    /// Request bytes that the socket did not take yet.
    unsent: usize,
    /// Bytes of an answer that has not come in full.
    partial: usize,
}

impl Client {
    fn connect(server: &Server, conns: usize, size: usize, depth: usize) -> io::Result<Client> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let edges = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        let open = |key: usize| -> io::Result<Conn> {
            let io = server.connect(size)?;
            io.set_nonblocking(true)?;
            epoll::add(&poll, &io, EventData::new_u64(key as u64), edges)?;
            Ok(Conn { io, sent: VecDeque::with_capacity(depth), unsent: 0, partial: 0 })
        };
        let conns = (0..conns).map(open).collect::<io::Result<Vec<_>>>()?;
        Ok(Client {
            poll,
            conns,
            size,
            depth,
            payload: vec![0x5A; size * depth],
            buf: vec![0; 1 << 18],
            events: Vec::with_capacity(1024),
        })
    }

    /// Sends `n` requests, and returns the nanoseconds that each took, when all are answered.
    fn run(&mut self, n: usize) -> io::Result<Vec<u32>> {
        let mut latencies = Vec::with_capacity(n);
        let mut left = n;
        for conn in &mut self.conns {
            let share = left.min(self.depth);
            left -= share;
            conn.send(share, self.size, &self.payload)?;
        }
        while latencies.len() < n {
            wait(&self.poll, &mut self.events)?;
            for event in self.events.drain(..) {
                let conn = &mut self.conns[event.data.u64() as usize];
                conn.flush(&self.payload)?;
                let answered = conn.receive(self.size, &mut self.buf, &mut latencies)?;
                let share = left.min(answered);
                left -= share;
                conn.send(share, self.size, &self.payload)?;
            }
        }
        Ok(latencies)
    }
}

impl Conn {
    fn send(&mut self, requests: usize, size: usize, payload: &[u8]) -> io::Result<()> {
        if requests == 0 {
            return Ok(());
        }
        let now = Instant::now();
        self.sent.extend(std::iter::repeat_n(now, requests));
        self.unsent += requests * size;
        self.flush(payload)
    }

    fn flush(&mut self, payload: &[u8]) -> io::Result<()> {
        while self.unsent > 0 {
            match self.io.write(&payload[..self.unsent]) {
                Ok(sent) => self.unsent -= sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there; returns how many answers it completed.
    fn receive(&mut self, size: usize, buf: &mut [u8], out: &mut Vec<u32>) -> io::Result<usize> {
        let mut answered = 0;
        loop {
            let got = match self.io.read(buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(answered),
                Err(error) => return Err(error),
            };
            let now = Instant::now();
            let complete = (self.partial + got) / size;
            self.partial = (self.partial + got) % size;
            for sent in self.sent.drain(..complete) {
                out.push((now - sent).as_nanos() as u32);
            }
            answered += complete;
            if got < buf.len() {
                return Ok(answered);
            }
        }
    }
}

fn wait(poll: &OwnedFd, events: &mut Vec<Event>) -> io::Result<()> {
    epoll::wait(poll, rustix::buffer::spare_capacity(events), None)?;
    Ok(())
}
