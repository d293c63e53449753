//! A process that was started with a signal ignored, as nohup and shells do. Linux.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::Signal;

/// Set in a process that was started again.
const RESTARTED: &str = "EVLOOP_IGNORING";

/// Starts this process again with `signal` ignored, once. `name` is what env(1) of GNU calls it.
pub fn restart(signal: Signal, name: &str) {
    if env::var_os(RESTARTED).is_none() {
        let mut command = Command::new("env");
        command.arg(format!("--ignore-signal={name}")).args(env::args_os()).env(RESTARTED, "1");
        panic!("{}", command.exec());
    }
    assert!(is_ignored(signal));
}

/// Whether this process ignores `signal`, and so would a child of it.
pub fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    u64::from_str_radix(mask, 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}
