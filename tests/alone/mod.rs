//! A test in a process of its own: signals, children and descriptors are the whole process's.

use std::env;
use std::process::{Command, Output};

/// Set in the process that is a test's own.
const ALONE: &str = "EVLOOP_ALONE";

/// Starts the test `name` again in a process of its own, and gives what became of that; in that
/// process: `None`.
pub fn run(name: &str) -> Option<Output> {
    if env::var_os(ALONE).is_some() {
        return None;
    }
    let args = [name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"];
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.args(args).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("running 1 test"), "no such test: {name}");
    Some(output)
}

/// Whether this is the process of the test `name`; if not, the test has passed in its own.
pub fn is_here(name: &str) -> bool {
    let Some(output) = run(name) else { return true };
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    false
}
