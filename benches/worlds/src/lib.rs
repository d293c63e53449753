//! What both programs share: their arguments, the sizes of the messages, and the report.

use std::time::{Duration, Instant};
use std::{env, fs};

use rustix::time::{ClockId, clock_gettime};

/// The bytes of a request and of its answer.
pub const MESSAGE: usize = 64;
pub const LATENCY: Duration = Duration::from_millis(1);
/// The probability that a datagram is lost.
pub const LOSS: f64 = 0.1;
/// How long a client waits for a datagram before it sends its request again.
pub const PATIENCE: Duration = Duration::from_millis(10);
/// The virtual time of the workload `heartbeats`, and the time between two heartbeats of a host.
pub const HOUR: Duration = Duration::from_secs(3600);
pub const BEAT: Duration = Duration::from_millis(100);

/// `WORKLOAD HOSTS COUNT`, and the clocks at the start.
pub struct Job {
    pub workload: String,
    pub hosts: usize,
    /// The requests of one client, or the worlds.
    pub count: u64,
    wall: Instant,
    cpu: Duration,
}

impl Job {
    pub fn from_args() -> Job {
        let args: Vec<String> = env::args().skip(1).collect();
        let [workload, hosts, count] = &args[..] else { panic!("arguments: WORKLOAD HOSTS COUNT") };
        Job {
            workload: workload.clone(),
            hosts: hosts.parse().expect("HOSTS is a number"),
            count: count.parse().expect("COUNT is a number"),
            wall: Instant::now(),
            cpu: cpu(),
        }
    }

    /// Prints the number of operations, the time since the start of the process, of its processors
    /// and of the wall clock, and its largest resident set.
    pub fn report(&self, ops: u64) {
        let (cpu, wall) = ((cpu() - self.cpu).as_nanos(), self.wall.elapsed().as_nanos());
        println!("ops={ops} cpu_ns={cpu} wall_ns={wall} peak_kib={}", peak_kib());
    }
}

/// The largest resident set of the process; 0 where there is no `/proc`.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// The processor time of the process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
