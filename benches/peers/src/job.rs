//! What a peer's binary was asked to do: `on-tokio WORKLOAD N`.

use std::env;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process;

use crate::measure::Sample;

/// One run of one workload.
pub struct Job {
    pub workload: String,
    /// Operations to measure; for the echo, the bytes of a connection's buffer; for a
    /// proxy, the port that it forwards to; without a meaning for the other servers.
    pub n: u64,
}

impl Job {
    /// Reads the command line, or ends the process with a sentence about how to call it.
    pub fn from_args() -> Job {
        let mut args = env::args().skip(1);
        match (args.next(), args.next().and_then(|n| n.parse().ok()), args.next()) {
            (Some(workload), Some(n), None) => Job { workload, n },
            _ => {
                eprintln!("usage: on-PEER WORKLOAD N, or on-PEER SERVER NUMBER");
                process::exit(2)
            }
        }
    }

    /// Prints the sample, or ends with status 3 where the peer lacks the workload.
    pub fn report(&self, sample: Option<Sample>) {
        match sample {
            Some(sample) => println!("{sample}"),
            None => {
                eprintln!("no workload {} here", self.workload);
                process::exit(3)
            }
        }
    }
}

/// Tells the driver where a server listens and which process to measure.
pub fn announce(addr: SocketAddr) {
    println!("port={} pid={}", addr.port(), process::id());
    io::stdout().flush().expect("the driver reads this pipe");
}
