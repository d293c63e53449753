//! Runs a test in its own process: signals, children and descriptors belong to the whole process.

use std::env;
use std::process::{Command, Output};

/// The environment variable that is set in the test's own process.
const ALONE: &str = "EVLOOP_ALONE";

/// Starts the test `name` again in its own process, and returns the output of that process. Returns
/// `None` in that process.
pub fn run(name: &str) -> Option<Output> {
    if env::var_os(ALONE).is_some() {
        return None;
    }
    let args = [name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"];
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.args(args).env(ALONE, "1").output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("running 1 test"), "no such test: {name}");
    Some(output)
}

/// Returns whether this is the own process of the test `name`. If not, the test has passed there.
pub fn is_here(name: &str) -> bool {
    let Some(output) = run(name) else { return true };
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    false
}
