//! The clients of a chat: one of them says some lines at once, and all of them hear these.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use evloop_peers::load::Server;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::client::wait;
use crate::percentiles;

const WELCOME: &[u8] = b"welcome\n";
const LINE: &[u8] = b"a line of thirty-one characters\n";

/// Delivers `n` lines, or as many as all rounds need; `lines` of them are said at once.
pub fn run(server: &Server, clients: usize, lines: usize, n: usize) -> io::Result<()> {
    let mut chat = Chat::enter(server, clients, lines)?;
    let rounds = n.div_ceil(clients * lines);
    let warm_up = rounds.div_ceil(10);
    chat.rounds(warm_up)?;
    let (cpu, wall) = (server.cpu_ns(), Instant::now());
    let latencies = chat.rounds(rounds)?;
    let (cpu, wall) = (server.cpu_ns() - cpu, wall.elapsed().as_nanos());
    let (ops, warm_up) = (rounds * clients * lines, warm_up * clients * lines);
    let total = warm_up + ops;
    println!("ops={ops} total={total} wall_ns={wall} cpu_ns={cpu} {}", percentiles(latencies));
    Ok(())
}

struct Chat {
    poll: OwnedFd,
    clients: Vec<TcpStream>,
    /// What is said at once.
    said: Vec<u8>,
    /// What each client has still to hear.
    unheard: Vec<usize>,
    events: Vec<Event>,
}

impl Chat {
    fn enter(server: &Server, clients: usize, lines: usize) -> io::Result<Chat> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let enter = |key: usize| -> io::Result<TcpStream> {
            let mut client = TcpStream::connect(("127.0.0.1", server.port))?;
            client.read_exact(&mut [0; WELCOME.len()])?;
            client.set_nonblocking(true)?;
            client.set_nodelay(true)?;
            epoll::add(&poll, &client, EventData::new_u64(key as u64), EventFlags::IN)?;
            Ok(client)
        };
        Ok(Chat {
            clients: (0..clients).map(enter).collect::<io::Result<Vec<_>>>()?,
            poll,
            said: LINE.repeat(lines),
            unheard: vec![0; clients],
            events: Vec::with_capacity(1024),
        })
    }

    /// Returns the nanoseconds after which each client had heard all, in each round.
    fn rounds(&mut self, rounds: usize) -> io::Result<Vec<u32>> {
        let mut latencies = Vec::with_capacity(rounds * self.clients.len());
        for round in 0..rounds {
            let start = Instant::now();
            self.unheard.fill(self.said.len());
            let speaker = round % self.clients.len();
            self.clients[speaker].write_all(&self.said)?;
            let all = latencies.len() + self.clients.len();
            while latencies.len() < all {
                self.hear(start, &mut latencies)?;
            }
        }
        Ok(latencies)
    }

    fn hear(&mut self, start: Instant, latencies: &mut Vec<u32>) -> io::Result<()> {
        let mut buf = [0; 4096];
        wait(&self.poll, &mut self.events)?;
        for event in self.events.drain(..) {
            let key = event.data.u64() as usize;
            let got = match self.clients[key].read(&mut buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                got => got?,
            };
            self.unheard[key] -= got;
            if self.unheard[key] == 0 {
                latencies.push(start.elapsed().as_nanos() as u32);
            }
        }
        Ok(())
    }
}
