//! `evloop web`: who gets the page and the answers, over real connections.

#![cfg(unix)]

mod fake_program;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use fake_program::Fake;

const PATIENCE: Duration = Duration::from_secs(60);

/// `evloop web` about a program, and its address.
struct Web {
    child: Child,
    host: SocketAddr,
    token: String,
}

impl Web {
    fn start(fake: &Fake, options: &str) -> Web {
        let mut command = fake.command(&format!("web PID {options}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (host, token) = line.trim().strip_prefix("http://").unwrap().split_once("/#").unwrap();
        Web { child, host: host.parse().unwrap(), token: token.into() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request, and returns the status; `None` if there is no answer.
    fn status(&self, head: &str) -> Option<u16> {
        let mut stream = self.connect();
        // Fails if the server closes first: it does not read what is too long.
        let _ = stream.write_all(head.replace("HOST", &self.host.to_string()).as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Fake {
    Fake::new(&[("status", include_str!("fake_program/stuck.jsonl"))])
}

#[test]
fn the_page_and_the_answers_are_served_on_both_loopback_addresses() {
    let fake = program();
    for (options, ip) in [("", "127.0.0.1"), ("--ipv6", "[::1]")] {
        let web = Web::start(&fake, options);
        assert_eq!(web.host.to_string(), format!("{ip}:{}", web.host.port()));
        let with = format!("HTTP/1.1\r\nHost: HOST\r\nX-Evloop-Token: {}\r\n", web.token);
        assert_eq!(web.status("GET / HTTP/1.1\r\nHost: HOST\r\n\r\n"), Some(200));
        assert_eq!(web.status(&format!("GET /api/status {with}\r\n")), Some(200));
        let from = |origin: &str| {
            web.status(&format!("GET /api/status {with}Origin: http://{origin}\r\n\r\n"))
        };
        assert_eq!((from("HOST"), from("example.org")), (Some(200), Some(403)));
        let other = format!("GET /api/status {with}\r\n").replace("HOST", "localhost:80");
        assert_eq!(web.status(&other), Some(421));
        let wrong = format!("GET /api/status {with}\r\n").replace(&web.token, "x");
        assert_eq!(web.status(&wrong), Some(401));
        assert_eq!(web.status(&format!("POST /api/status {with}\r\n")), Some(405));
    }
}

#[test]
fn slow_and_large_requests_delay_no_other() {
    let fake = program();
    let web = Web::start(&fake, "");
    let page = || web.status("GET / HTTP/1.1\r\nHost: HOST\r\n\r\n");
    let slow: Vec<_> = (0..16).map(|_| web.connect()).collect();
    for mut stream in &slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    }
    let large = format!("GET / HTTP/1.1\r\nHost: HOST\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    assert_eq!(web.status(&large), None);
    assert_eq!(page(), Some(200));
    // Those that leave without a request free their places.
    slow.iter().for_each(|stream| stream.shutdown(Shutdown::Both).unwrap());
    assert_eq!(page(), Some(200));
}
