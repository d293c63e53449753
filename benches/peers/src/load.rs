//! The server under test as the load generator sees it: its port, its CPU clock, its memory.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::measure::cpu_ns;

/// A server in another process, so that its CPU time is its own.
pub struct Server {
    pub port: u16,
    pub pid: i32,
    clock: libc::clockid_t,
}

impl Server {
    pub fn new(port: u16, pid: i32) -> Server {
        let mut clock = 0;
        // SAFETY: `clock` outlives the call that fills it.
        assert_eq!(unsafe { libc::clock_getcpuclockid(pid, &mut clock) }, 0, "no process {pid}");
        Server { port, pid, clock }
    }

    /// User and system time of all its threads.
    pub fn cpu_ns(&self) -> u64 {
        cpu_ns(self.clock)
    }

    /// Resident bytes, from the page tables: the counters in `status` lag behind.
    pub fn rss_bytes(&self) -> io::Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.pid);
        let text = fs::read_to_string(path)?;
        let line = text.lines().find(|line| line.starts_with("Rss:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no Rss line"))
    }

    /// Opens a connection, and sees `size` bytes come back, so that it has been accepted.
    pub fn connect(&self, size: usize) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        let mut message = vec![0x5A; size];
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        Ok(stream)
    }
}
