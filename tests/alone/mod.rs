//! Runs a test in its own process: signals, children, descriptors and allocations are counted for
//! the whole process.

use std::env;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The environment variable that is set in the test's own process.
const ALONE: &str = "EVLOOP_ALONE";

/// A test that takes longer hangs, and is killed: nothing else would end a process that spins.
const LIMIT: Duration = Duration::from_secs(240);

/// Starts the test `name` again in its own process, and returns the output of that process. Returns
/// `None` in that process.
pub fn run(name: &str) -> Option<Output> {
    run_with(name, &[])
}

/// As [`run`], with additional environment variables.
pub fn run_with(name: &str, vars: &[(&str, &str)]) -> Option<Output> {
    if env::var_os(ALONE).is_some() {
        #[cfg(target_os = "linux")]
        until_main_waits();
        return None;
    }
    let args = [name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"];
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(args).env(ALONE, "1").envs(vars.iter().copied());
    let output = output_within_limit(name, &mut command);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("running 1 test"), "no such test: {name}");
    Some(output)
}

/// Returns whether this is the own process of the test `name`. If not, the test has passed there.
pub fn is_here(name: &str) -> bool {
    let Some(output) = run(name) else { return true };
    assert!(output.status.success(), "{name}: {}\n{}", output.status, text(&output));
    false
}

fn output_within_limit(name: &str, command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    if let Ok(output) = receiver.recv_timeout(LIMIT) {
        return output.unwrap();
    }
    Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    // Its children may hold the pipes.
    let output = receiver.recv_timeout(Duration::from_secs(5));
    let text = output.map(|output| text(&output.unwrap())).unwrap_or_default();
    panic!("the test {name} hangs\n{text}");
}

fn text(output: &Output) -> String {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|s| String::from_utf8_lossy(s));
    format!("{stdout}\n{stderr}")
}

/// Waits until the main thread only waits for this one, which it started: the main thread's
/// allocations would be counted.
#[cfg(target_os = "linux")]
fn until_main_waits() {
    let stat = format!("/proc/self/task/{}/stat", std::process::id());
    while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
        thread::yield_now();
    }
}
