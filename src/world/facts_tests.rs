//! The same scripts on the sockets of the system and on those of a world: equal results, errno by
//! errno.
//!
//! A script is a list of steps. `c` is the client's end of a connection and `s` the server's, `u`
//! and `v` are two UDP sockets, of which `u` is connected to `v`. `in` and `hup` wait for the
//! system to report this state; a world handles all its events before each step instead.

use std::io::{self, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::lab_tests::Lab;
use super::*;

const TCP: &str = "
    c.read  c.write  s.in  s.read  s.read  s.write  c.in  c.peek  c.read
    c.write  c.fin  c.write  c.fin  s.in  s.read  s.read  s.read  s.write  c.in  c.read  c.read
    c.fin  s.in  s.read  s.fin  c.hup  c.read  c.peer  s.hup  s.peer  c.both  s.both  c.write
    c.end  s.write  c.in  c.read  c.read
    s.close  c.in  c.read  c.write  c.hup  c.write  c.write  c.read  c.error
    s.close  c.in  c.read  c.write  c.hup  c.error  c.write  c.peer
    c.write  s.in  s.close  c.hup  c.read  c.read  c.write  c.peer  c.both
    c.write  s.in  s.close  c.hup  c.write  c.write  c.read
    c.write  s.in  s.close  c.hup  c.error  c.error  c.read  c.write
    s.write  c.in  c.write  s.in  s.close  c.hup  c.read  c.read  c.read
    s.linger  s.close  c.hup  c.read  c.read  c.fin
    s.linger  s.write  c.in  s.close  c.hup  c.peek  c.read  c.read  c.read
    s.fin  c.in  c.read  c.write  s.in  s.read  s.linger  s.close  c.hup  c.write  c.read
    s.both  c.in  c.read  c.write  c.read  s.read  s.write
    c.end  s.write  c.in  c.peek  c.end  c.fin  s.in  s.read  s.peer
    c.peer  c.local  c.error  c.empty  s.empty  c.fin  c.empty
";

const UDP: &str = "
    u.read  u.write  v.in  v.read  v.read  u.peer  v.peer  v.write
    v.close  u.write  u.in  u.read  u.read
    v.close  u.write  u.in  u.write  u.write
    v.close  u.write  u.in  u.error  u.error  u.read
    u.write  u.write  v.in  v.peek  v.peek  v.read  v.read  v.read
    u.long  u.empty  v.in  v.read
    v.to  u.in  u.read  u.to  v.in  v.read
";

/// A socket of the system or of a world.
trait Side {
    fn step(&mut self, what: &str, other: Option<SocketAddr>) -> String;
    fn local(&self) -> SocketAddr;
}

fn say<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("errno {:?}", error.raw_os_error()),
    }
}

/// What a read of three bytes at most returns.
fn bytes(read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> String {
    let mut buf = [0; 3];
    say(read(&mut buf).map(|n| buf[..n.min(3)].to_vec()))
}

/// Waits until the system reports a state of the socket.
fn wait(socket: &impl std::os::fd::AsFd, flags: PollFlags) -> String {
    let mut fds = [PollFd::new(socket, flags)];
    let limit = Duration::from_secs(20).try_into().unwrap();
    while !fds[0].revents().intersects(flags) {
        assert_ne!(poll(&mut fds, Some(&limit)).unwrap(), 0, "the system does not report it");
    }
    String::new()
}

macro_rules! tcp_step {
    ($self:expr, $what:expr, $read:expr, $write:expr, $linger:expr) => {
        match $what {
            "read" => bytes($read),
            "peek" => bytes(|buf| $self.peek(buf)),
            "write" => say($write(b"ab")),
            "empty" => say($write(b"")),
            "fin" => say($self.shutdown(Shutdown::Write)),
            "end" => say($self.shutdown(Shutdown::Read)),
            "both" => say($self.shutdown(Shutdown::Both)),
            "peer" => say($self.peer_addr().map(|addr| addr.is_ipv4())),
            "local" => say($self.local_addr().map(|addr| addr.port() != 0)),
            "error" => say($self.take_error().map(|e| e.map(|e| e.raw_os_error()))),
            "linger" => $linger,
            other => panic!("no step {other}"),
        }
    };
}

impl Side for net::TcpStream {
    fn step(&mut self, what: &str, _: Option<SocketAddr>) -> String {
        match what {
            "in" => return wait(self, PollFlags::IN | PollFlags::ERR),
            "hup" => return wait(self, PollFlags::HUP),
            _ => {}
        }
        let (mut reader, mut writer) = (&*self, &*self);
        let linger = || {
            let set = rustix::net::sockopt::set_socket_linger(&*self, Some(Duration::ZERO));
            say(set.map_err(io::Error::from))
        };
        tcp_step!(self, what, |buf| reader.read(buf), |buf| writer.write(buf), linger())
    }

    fn local(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }
}

impl Side for TcpStream {
    fn step(&mut self, what: &str, _: Option<SocketAddr>) -> String {
        if matches!(what, "in" | "hup") {
            return String::new();
        }
        let linger = || {
            self.set_options(SocketOptions { linger: Some(Duration::ZERO), ..self.options() });
            say(io::Result::Ok(()))
        };
        tcp_step!(self, what, |buf| self.read(buf), |buf| self.write(buf), linger())
    }

    fn local(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }
}

macro_rules! udp_step {
    ($self:expr, $what:expr, $other:expr) => {
        match $what {
            "write" => say($self.send(b"abcd")),
            "empty" => say($self.send(b"")),
            "long" => say($self.send(&[0; 65_508])),
            "to" => say($self.send_to(b"to", $other.unwrap())),
            "peer" => say($self.peer_addr().map(|addr| addr.is_ipv4())),
            "error" => say($self.take_error().map(|e| e.map(|e| e.raw_os_error()))),
            "read" => bytes(|buf| $self.recv_from(buf).map(|(n, _)| n)),
            "peek" => bytes(|buf| $self.peek_from(buf).map(|(n, _)| n)),
            other => panic!("no step {other}"),
        }
    };
}

impl Side for net::UdpSocket {
    fn step(&mut self, what: &str, other: Option<SocketAddr>) -> String {
        match what {
            "in" => wait(self, PollFlags::IN | PollFlags::ERR),
            _ => udp_step!(self, what, other),
        }
    }

    fn local(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }
}

impl Side for UdpSocket {
    fn step(&mut self, what: &str, other: Option<SocketAddr>) -> String {
        match what {
            "in" => String::new(),
            _ => udp_step!(self, what, other),
        }
    }

    fn local(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }
}

/// Runs a script on two sockets, and returns the result of each step.
fn run(script: &str, one: impl Side, other: impl Side, settle: impl Fn()) -> Vec<String> {
    let addrs = [one.local(), other.local()];
    let (mut one, mut other) = (Some(one), Some(other));
    let mut results = Vec::new();
    for step in script.split_whitespace() {
        settle();
        let (side, what) = step.split_once('.').unwrap();
        let is_one = matches!(side, "c" | "u");
        let result = match (is_one, what) {
            (true, "close") => one.take().map_or_else(String::new, |_closed| String::new()),
            (false, "close") => other.take().map_or_else(String::new, |_closed| String::new()),
            (true, _) => one.as_mut().unwrap().step(what, Some(addrs[1])),
            (false, _) => other.as_mut().unwrap().step(what, Some(addrs[0])),
        };
        results.push(format!("{step} {result}"));
    }
    results
}

fn scripts(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[test]
fn tcp_of_a_world_is_that_of_linux() {
    for script in scripts(TCP) {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_nonblocking(true).unwrap();
        }
        let system = run(script, client, server, || {});

        let lab = Lab::new();
        let (client, server) = lab.pair();
        let world = run(script, client, server, || lab.pass(super::lab_tests::SECOND));
        assert_eq!(world, system, "{script}");
    }
}

#[test]
fn udp_of_a_world_is_that_of_linux() {
    for script in scripts(UDP) {
        let bind = || net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (one, other) = (bind(), bind());
        one.connect(other.local_addr().unwrap()).unwrap();
        for socket in [&one, &other] {
            socket.set_nonblocking(true).unwrap();
        }
        let system = run(script, one, other, || {});

        let lab = Lab::new();
        let bind = |host| UdpSocket::bind(lab.addr(host, 0), None).unwrap();
        let [one, other] = [lab.one, lab.two].map(|host| lab.on(host, || bind(host)));
        one.connect(other.local_addr().unwrap()).unwrap();
        let world = run(script, one, other, || lab.pass(super::lab_tests::SECOND));
        assert_eq!(world, system, "{script}");
    }
}
