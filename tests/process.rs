//! Child processes: start, communication, end; and children that behave badly.

#![cfg(all(unix, feature = "process", feature = "fs"))]

/// A blocking thread that is busy.
mod busy_pool;
/// A directory for the files of one test.
mod temp_dir;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::time::Duration;

use evloop::Runtime;
use evloop::net::pipe;
use evloop::process::{Child, Command, Stdio};
use evloop::signal::SignalKind;
use evloop::time::timeout;
use futures::FutureExt;
use futures::io::{AsyncBufReadExt, BufReader};

use busy_pool::Busy;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a test waits for an event that must not happen.
const MOMENT: Duration = Duration::from_millis(50);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

/// Starts a shell that runs `line`, with three pipes.
fn shell(line: &str) -> Child {
    let mut command = Command::shell(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Reads the first line of the output of a child.
async fn line(child: &Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.as_ref().unwrap();
    // The child has written no more, so the reader buffers nothing but the line.
    BufReader::new(stdout).read_line(&mut line).await.unwrap();
    line.trim_end().into()
}

#[test]
fn output_and_exit_status_are_returned() {
    run(async {
        let output = Command::shell("echo out; echo err >&2; cat; exit 7").output().await.unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(Command::shell("exit 5").status().await.unwrap().code(), Some(5));
        assert_eq!(Command::shell("kill -9 $$").status().await.unwrap().signal(), Some(9));
    });
}

#[test]
fn arguments_environment_and_pipes_reach_the_child() {
    run(async {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "pwd; echo $A-$B-$C-$0-$1"]).arg("zero").args(["one"]);
        command.env("A", "a").envs([("B", "b"), ("C", "c")]).env_remove("B").current_dir("/");
        let output = command.output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "/\na--c-zero-one\n");
        // The second start keeps the settings of stdout and stderr.
        command.stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        assert!(child.stdin.is_none() && child.stderr.is_none());
        assert_eq!(child.output().await.unwrap().stdout.len(), output.stdout.len());
        let mut clear = Command::new("/usr/bin/env");
        let output = clear.env_clear().env("ONLY", "this").output().await.unwrap();
        assert_eq!(output.stdout, b"ONLY=this\n");
        let mut renamed = Command::from(std::process::Command::new("/bin/sh"));
        renamed.as_std_mut().arg0("name").args(["-c", "echo $0"]);
        assert_eq!(renamed.output().await.unwrap().stdout, b"name\n");
    });
}

#[test]
fn a_process_is_started_on_another_thread() {
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    let started = async {
        let mut command = Command::shell("read line; echo $line; exit 3");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for line in ["one", "two"] {
            let busy = Busy::new();
            let mut starts = Box::pin(command.spawn_async());
            // The poll returns while the blocking thread has not started the process.
            assert!(starts.as_mut().now_or_never().is_none());
            busy.end().await;
            let mut child = starts.await.unwrap();
            let output = child.communicate(line).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), line);
            assert_eq!(output.status.code(), Some(3));
        }
        let mut missing = Command::new("no-such-program");
        for _ in 0..2 {
            let error = missing.spawn_async().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            let sentence = "could not start \"no-such-program\": ";
            assert!(error.to_string().starts_with(sentence), "{error}");
        }
    };
    runtime.block_on(async { timeout(LIMIT, started).await.expect("the test hangs") });
}

#[test]
fn starting_a_missing_program_returns_an_error() {
    run(async {
        let error = Command::new("no-such-program").spawn().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("could not start \"no-such-program\": "), "{error}");
        let error = Command::new("/").output().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let error = Command::new("true").current_dir("/nowhere").status().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    });
}

#[test]
fn every_wait_returns_the_same_status() {
    run(async {
        let mut child = shell("read line; exit 3");
        assert!(child.try_wait().unwrap().is_none());
        let stdin = child.stdin.take();
        for _ in 0..3 {
            assert!(
                timeout(Duration::from_millis(2), child.wait()).await.is_err(),
                "the child is alive"
            );
        }
        assert!(child.wait().now_or_never().is_none());
        drop(stdin);
        for _ in 0..3 {
            assert_eq!(child.wait().await.unwrap().code(), Some(3));
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(3));
        }
        child.kill().unwrap();
        assert_eq!(child.output().await.unwrap().status.code(), Some(3));
    });
}

#[test]
fn a_child_that_ended_before_the_wait_is_reported() {
    run(async {
        let mut child = shell("exit 4");
        // The child ends while no task waits for it.
        while child.try_wait().unwrap().is_none() {
            evloop::task::yield_now().await;
        }
        assert_eq!(child.wait().await.unwrap().code(), Some(4));
        // The system reports the end before a task waits: `wait` still returns the status.
        let mut child = shell("exit 5");
        assert_eq!(line(&child).await, "");
        evloop::time::sleep(MOMENT).await;
        assert_eq!(child.wait().await.unwrap().code(), Some(5));
    });
}

#[test]
fn wait_closes_the_stdin_of_the_child() {
    run(async {
        assert!(shell("cat").wait().await.unwrap().success());
    });
}

#[test]
fn ten_megabytes_are_written_and_read() {
    let data: Vec<u8> = (0..10 << 20).map(|n: u32| (n / 251 + n) as u8).collect();
    run(async {
        let output = shell("tee /dev/stderr").communicate(&data).await.unwrap();
        assert!(output.stdout == data && output.stderr == data && output.status.success());
        // The child writes all of its output before it reads its input.
        let line = "head -c 10485760 /dev/zero; head -c 10485760 /dev/zero >&2; wc -c";
        let output = shell(line).communicate(&data).await.unwrap();
        assert_eq!(output.stderr.len(), 10 << 20);
        assert_eq!(output.stdout[10 << 20..].trim_ascii(), b"10485760");
    });
}

#[test]
fn a_child_that_reads_a_part_of_its_input_is_no_error() {
    run(async {
        let output = shell("head -c 3; exit 6").communicate(vec![b'x'; 10 << 20]).await.unwrap();
        assert_eq!((&*output.stdout, output.status.code()), (&b"xxx"[..], Some(6)));
    });
}

#[test]
fn communicate_continues_after_a_drop() {
    let data: Vec<u8> = (0..1 << 20).map(|n: u32| (n / 251 + n) as u8).collect();
    run(async {
        let mut child = shell("cat; echo end >&2");
        let mut tries = 0;
        let output = loop {
            tries += 1;
            match child.communicate(&data).now_or_never() {
                Some(output) => break output.unwrap(),
                None => evloop::task::yield_now().await,
            }
        };
        assert!(output.stdout == data && output.stderr == b"end\n", "after {tries} tries");
        // The output that a child wrote before it was killed is returned.
        let (sender, written) = pipe::pair().unwrap();
        let mut command = Command::shell("echo first; echo said >&2; exec sleep 1000");
        command.stdout(Stdio::piped()).stderr(sender.into_fd().unwrap());
        let mut child = command.spawn().unwrap();
        assert!(child.communicate("").now_or_never().is_none());
        written.read_exact(&mut [0; 5]).await.unwrap();
        assert!(timeout(MOMENT, child.communicate("")).await.is_err());
        child.kill().unwrap();
        let output = child.communicate("").await.unwrap();
        assert_eq!((&*output.stdout, output.status.signal()), (&b"first\n"[..], Some(9)));
    });
}

#[test]
fn a_child_that_closes_its_outputs_is_still_waited_for() {
    run(async {
        let mut child = shell("exec >&- 2>&-; read line; exit 8");
        let stdin = child.stdin.take().unwrap();
        assert_eq!(child.stdout.as_ref().unwrap().read(&mut [0; 8]).await.unwrap(), 0);
        assert!(child.try_wait().unwrap().is_none());
        assert!(
            timeout(MOMENT, child.output()).await.is_err(),
            "the outputs have ended, the process has not"
        );
        stdin.write_all(b"\n").await.unwrap();
        assert_eq!(child.output().await.unwrap().status.code(), Some(8));
    });
}

#[test]
fn a_grandchild_that_holds_the_pipe_keeps_output_waiting() {
    run(async {
        let mut child = shell("sleep 1000 & echo $!; exit 9");
        let grandchild = Grandchild(line(&child).await.parse().unwrap());
        assert_eq!(child.wait().await.unwrap().code(), Some(9), "the process has ended");
        assert!(timeout(MOMENT, child.output()).await.is_err(), "the outputs have not ended");
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.output().await.unwrap().status.code(), Some(9));
        drop(grandchild);
    });
}

/// A process that is no child of this one. It is killed when this is dropped.
struct Grandchild(i32);

impl Drop for Grandchild {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

#[test]
fn terminate_within_kills_a_child_that_ignores_sigterm() {
    run(async {
        let mut child = shell("trap '' TERM; echo ready; exec sleep 1000");
        assert_eq!(line(&child).await, "ready");
        child.terminate().unwrap();
        assert!(timeout(MOMENT, child.wait()).await.is_err());
        let status = child.terminate_within(Duration::from_millis(5)).await.unwrap();
        assert_eq!(status.signal(), Some(9));
        // A child that ends at SIGTERM is not killed.
        let mut child = shell("trap 'exit 10' TERM; echo ready; while :; do read line; done");
        assert_eq!(line(&child).await, "ready");
        let stdin = child.stdin.take();
        assert_eq!(child.terminate_within(LIMIT).await.unwrap().code(), Some(10));
        drop(stdin);
    });
}

#[test]
fn send_signal_reaches_the_child_and_checks_the_number() {
    run(async {
        let mut child = shell("trap 'echo usr1' USR1; echo ready; while read line; do :; done");
        assert_eq!(line(&child).await, "ready");
        child.send_signal(SignalKind::user_defined1()).unwrap();
        // A shell runs its trap between two lines of input. If it ran the trap within one, it has
        // ended.
        let _ = child.stdin.as_ref().unwrap().write_all(b"\n").await;
        assert_eq!(line(&child).await, "usr1");
        let error = child.send_signal(1000).unwrap_err();
        assert_eq!(error.to_string(), "signal 1000 cannot be sent: it has no name here");
        assert!(child.wait().await.unwrap().success());
        child.send_signal(15).unwrap();
    });
}

#[test]
fn fifty_children_are_waited_for_in_another_order_than_they_end() {
    run(async {
        let children: Vec<_> = (0..50).map(|n| shell(&format!("read line; exit {n}"))).collect();
        // The waits start in reverse order.
        let waits = children.into_iter().enumerate().rev().map(|(n, mut child)| {
            let stdin = child.stdin.take();
            let wait = evloop::spawn(async move { (n, child.wait().await.unwrap().code()) });
            (stdin, wait)
        });
        let (stdins, waits): (Vec<_>, Vec<_>) = waits.collect();
        evloop::task::yield_now().await;
        let mut codes = HashMap::new();
        for stdin in stdins.into_iter().rev() {
            drop(stdin);
        }
        for wait in waits {
            let (n, code) = wait.await.unwrap();
            codes.insert(n, code);
        }
        assert!((0..50).all(|n| codes[&n] == Some(n as i32)), "{codes:?}");
    });
}

#[test]
fn a_pipe_connects_two_children_directly() {
    run(async {
        let mut first = Command::shell("echo b; echo a; echo b");
        let mut first = first.stdout(Stdio::piped()).spawn().unwrap();
        let mut sort = Command::new("sort");
        let stdout = first.stdout.take().unwrap().into_fd().unwrap();
        let mut sort = sort.arg("-u").stdin(stdout).stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(sort.output().await.unwrap().stdout, b"a\nb\n");
        assert!(first.wait().await.unwrap().success());
    });
}

#[test]
fn waiting_on_another_loop_returns_not_connected() {
    let mut child = run(async { shell("cat") });
    let error = run(async {
        let wait = child.wait().await.unwrap_err();
        // The child is dropped in another loop than its own.
        drop(child);
        wait
    });
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

#[test]
fn a_loop_that_runs_again_waits_for_its_children() {
    let mut runtime = Runtime::new().unwrap();
    let mut child = runtime.block_on(async { shell("exit 11") });
    let status = runtime.block_on(async { timeout(LIMIT, child.wait()).await });
    assert_eq!(status.unwrap().unwrap().code(), Some(11));
}

#[test]
#[should_panic(expected = "process::Command::spawn was called outside of a running loop")]
fn spawn_outside_of_a_loop_panics() {
    let _ = Command::new("true").spawn();
}
