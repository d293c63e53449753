//! The load generator: drives a server in another process and reads that process's clocks.
//!
//! Of an echo: `load echo PORT PID CONNS SIZE DEPTH N`, `load mostly_idle PORT PID CONNS ACTIVE N`,
//! `load connections PORT PID PARALLEL N`, `load idle PORT PID CONNS SIZE`. Of the others:
//! `load http PORT PID CONNS DEPTH N`, `load chat PORT PID CLIENTS LINES N`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use client::{Client, wait};
use evloop_peers::load::Server;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

mod chat;
mod client;

/// Bytes of the one message on each connection of `load connections`.
const CONNECTION_MESSAGE: usize = 64;
/// Bytes of the messages of `load mostly_idle`.
const MOSTLY_IDLE_MESSAGE: usize = 64;
const HTTP_REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
const HTTP_BODY: &[u8] = b"\r\n\r\nHello, World!";

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = args.iter().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let (Some(mode), &[port, pid, ref numbers @ ..]) = (args.first(), &numbers[..]) else {
        return Err(io::Error::other("see the head of this program's main.rs for its arguments"));
    };
    let server = &Server::new(port as u16, pid as i32);
    match (mode.as_str(), numbers) {
        ("echo", &[conns, size, depth, n]) => echo(server, conns, size, depth, n),
        ("mostly_idle", &[conns, active, n]) => mostly_idle(server, conns, active, n),
        ("connections", &[parallel, n]) => connections(server, parallel, n),
        ("idle", &[conns, size]) => idle(server, conns, size),
        ("http", &[conns, depth, n]) => http(server, conns, depth, n),
        ("chat", &[clients, lines, n]) => chat::run(server, clients, lines, n),
        _ => Err(io::Error::other(format!("no load {mode} of these numbers: {numbers:?}"))),
    }
}

/// `conns` connections, each with `depth` requests on their way, `n` requests in all.
fn echo(server: &Server, conns: usize, size: usize, depth: usize, n: usize) -> io::Result<()> {
    let conns = connect(server, conns, size)?;
    ask(server, Client::new(conns, &vec![0x5A; size], size, depth)?, n)
}

/// `conns` connections, of which `active` have a request on its way.
fn mostly_idle(server: &Server, conns: usize, active: usize, n: usize) -> io::Result<()> {
    let size = MOSTLY_IDLE_MESSAGE;
    let mut idle = connect(server, conns, size)?;
    let every = conns / active;
    let active = (1..=active).rev().map(|nth| idle.swap_remove(nth * every - 1)).collect();
    ask(server, Client::new(active, &[0x5A; MOSTLY_IDLE_MESSAGE], size, 1)?, n)
}

/// `conns` connections, each with `depth` requests of HTTP on their way.
fn http(server: &Server, conns: usize, depth: usize, n: usize) -> io::Result<()> {
    let open = || TcpStream::connect(("127.0.0.1", server.port));
    let mut conns = (0..conns).map(|_| open()).collect::<io::Result<Vec<_>>>()?;
    let mut answer = 0;
    for conn in &mut conns {
        conn.set_nodelay(true)?;
        conn.write_all(HTTP_REQUEST)?;
        answer = http_answer(conn)?;
    }
    ask(server, Client::new(conns, HTTP_REQUEST, answer, depth)?, n)
}

/// Reads an answer, and returns its length: all have the same.
fn http_answer(conn: &mut TcpStream) -> io::Result<usize> {
    let mut answer = Vec::new();
    while !answer.ends_with(HTTP_BODY) {
        let mut byte = [0];
        conn.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    Ok(answer.len())
}

fn connect(server: &Server, conns: usize, size: usize) -> io::Result<Vec<TcpStream>> {
    (0..conns).map(|_| server.connect(size)).collect()
}

/// A warm-up of a tenth, and `n` requests between two readings of the clocks.
fn ask(server: &Server, mut client: Client, n: usize) -> io::Result<()> {
    client.run(n / 10)?;
    let (cpu, wall) = (server.cpu_ns(), Instant::now());
    let latencies = client.run(n)?;
    let (cpu, wall) = (server.cpu_ns() - cpu, wall.elapsed().as_nanos());
    let total = client.len() + n / 10 + n;
    println!("ops={n} total={total} wall_ns={wall} cpu_ns={cpu} {}", percentiles(latencies));
    Ok(())
}

fn percentiles(mut latencies: Vec<u32>) -> String {
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    format!("p50_ns={} p99_ns={} p999_ns={}", at(0.5), at(0.99), at(0.999))
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
    let streams = connect(server, conns, size)?;
    let bytes = server.rss_bytes()? - before;
    println!("ops={} total={} rss_bytes={bytes}", streams.len(), streams.len());
    Ok(())
}
