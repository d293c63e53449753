//! Connections that send requests of one kind, and take the time of each answer.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

/// All connections that are asked.
pub struct Client {
    poll: OwnedFd,
    conns: Vec<Conn>,
    depth: usize,
    request: usize,
    answer: usize,
    /// As many requests as one connection can have on its way.
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
    /// Takes over connections on which nothing is on its way. Each will have `depth` times the
    /// bytes of `request` on its way; an answer has `answer` bytes.
    pub fn new(
        conns: Vec<TcpStream>,
        request: &[u8],
        answer: usize,
        depth: usize,
    ) -> io::Result<Client> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        let edges = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        let add = |(key, io): (usize, TcpStream)| -> io::Result<Conn> {
            io.set_nonblocking(true)?;
            epoll::add(&poll, &io, EventData::new_u64(key as u64), edges)?;
            Ok(Conn { io, sent: VecDeque::with_capacity(depth), unsent: 0, partial: 0 })
        };
        Ok(Client {
            conns: conns.into_iter().enumerate().map(add).collect::<io::Result<Vec<_>>>()?,
            poll,
            depth,
            request: request.len(),
            answer,
            payload: request.repeat(depth),
            buf: vec![0; 1 << 18],
            events: Vec::with_capacity(1024),
        })
    }

    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Sends `n` requests, and returns the nanoseconds that each took, when all are answered.
    pub fn run(&mut self, n: usize) -> io::Result<Vec<u32>> {
        let mut latencies = Vec::with_capacity(n);
        let mut left = n;
        for conn in &mut self.conns {
            let share = left.min(self.depth);
            left -= share;
            conn.send(share, self.request, &self.payload)?;
        }
        while latencies.len() < n {
            wait(&self.poll, &mut self.events)?;
            for event in self.events.drain(..) {
                let conn = &mut self.conns[event.data.u64() as usize];
                conn.flush(&self.payload)?;
                let answered = conn.receive(self.answer, &mut self.buf, &mut latencies)?;
                let share = left.min(answered);
                left -= share;
                conn.send(share, self.request, &self.payload)?;
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

    /// The unsent bytes are whole requests but for the first: the end of `payload`.
    fn flush(&mut self, payload: &[u8]) -> io::Result<()> {
        while self.unsent > 0 {
            match self.io.write(&payload[payload.len() - self.unsent..]) {
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

pub fn wait(poll: &OwnedFd, events: &mut Vec<Event>) -> io::Result<()> {
    epoll::wait(poll, rustix::buffer::spare_capacity(events), None)?;
    Ok(())
}
