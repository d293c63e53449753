//! Child processes: starting, talking, ending; and the ways in which they misbehave.

#![cfg(all(unix, feature = "process"))]

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

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);
/// A wait in which what must not happen has time enough to do so.
const MOMENT: Duration = Duration::from_millis(50);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// The shell running `line`, with all its pipes here.
fn shell(line: &str) -> Child {
    let mut command = Command::shell(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The first line that a child says.
async fn line(child: &Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.as_ref().unwrap();
    // It says no more yet, so what is buffered is the line.
    BufReader::new(stdout).read_line(&mut line).await.unwrap();
    line.trim_end().into()
}

#[test]
fn output_and_status() {
    run(async {
        let output = Command::shell("echo out; echo err >&2; cat; exit 7").output().await.unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(Command::shell("exit 5").status().await.unwrap().code(), Some(5));
        assert_eq!(Command::shell("kill -9 $$").status().await.unwrap().signal(), Some(9));
    });
}

#[test]
fn what_is_built_is_what_is_started() {
    run(async {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "pwd; echo $A-$B-$C-$0-$1"]).arg("zero").args(["one"]);
        command.env("A", "a").envs([("B", "b"), ("C", "c")]).env_remove("B").current_dir("/");
        let output = command.output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "/\na--c-zero-one\n");
        // Started again, with a pipe that was set, which counts for both.
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
    run(async {
        let mut command = Command::shell("read line; echo $line; exit 3");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for line in ["one", "two"] {
            let mut starts = Box::pin(command.spawn_async());
            // The loop is free before the program is loaded.
            assert!(starts.as_mut().now_or_never().is_none());
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
    });
}

#[test]
fn a_command_that_does_not_exist() {
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
fn a_status_is_given_as_often_as_it_is_asked_for() {
    run(async {
        let mut child = shell("read line; exit 3");
        assert!(child.try_wait().unwrap().is_none());
        let stdin = child.stdin.take();
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(2), child.wait()).await.is_err(), "it lives");
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
fn a_child_that_has_ended_is_found_so() {
    run(async {
        let mut child = shell("exit 4");
        // It has closed its pipes: it ends any moment, while nobody waits.
        while child.try_wait().unwrap().is_none() {
            evloop::task::yield_now().await;
        }
        assert_eq!(child.wait().await.unwrap().code(), Some(4));
        // Its end was told before anybody waits, and is still told.
        let mut child = shell("exit 5");
        assert_eq!(line(&child).await, "");
        evloop::time::sleep(MOMENT).await;
        assert_eq!(child.wait().await.unwrap().code(), Some(5));
    });
}

#[test]
fn waiting_closes_what_the_child_reads() {
    run(async {
        assert!(shell("cat").wait().await.unwrap().success());
    });
}

#[test]
fn ten_megabytes_go_through_both_ways() {
    let data: Vec<u8> = (0..10 << 20).map(|n: u32| (n / 251 + n) as u8).collect();
    run(async {
        let output = shell("tee /dev/stderr").communicate(&data).await.unwrap();
        assert!(output.stdout == data && output.stderr == data && output.status.success());
        // It says all before it hears anything.
        let line = "head -c 10485760 /dev/zero; head -c 10485760 /dev/zero >&2; wc -c";
        let output = shell(line).communicate(&data).await.unwrap();
        assert_eq!(output.stderr.len(), 10 << 20);
        assert_eq!(output.stdout[10 << 20..].trim_ascii(), b"10485760");
    });
}

#[test]
fn a_child_need_not_hear_all() {
    run(async {
        let output = shell("head -c 3; exit 6").communicate(vec![b'x'; 10 << 20]).await.unwrap();
        assert_eq!((&*output.stdout, output.status.code()), (&b"xxx"[..], Some(6)));
    });
}

#[test]
fn a_talk_that_was_given_up_goes_on() {
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
        // What a child said before it was killed is there.
        let (sender, said) = pipe::pair().unwrap();
        let mut command = Command::shell("echo first; echo said >&2; exec sleep 1000");
        command.stdout(Stdio::piped()).stderr(sender.into_fd().unwrap());
        let mut child = command.spawn().unwrap();
        assert!(child.communicate("").now_or_never().is_none());
        said.read_exact(&mut [0; 5]).await.unwrap();
        assert!(timeout(MOMENT, child.communicate("")).await.is_err());
        child.kill().unwrap();
        let output = child.communicate("").await.unwrap();
        assert_eq!((&*output.stdout, output.status.signal()), (&b"first\n"[..], Some(9)));
    });
}

#[test]
fn a_child_that_closes_its_output_lives_on() {
    run(async {
        let mut child = shell("exec >&- 2>&-; read line; exit 8");
        let stdin = child.stdin.take().unwrap();
        assert_eq!(child.stdout.as_ref().unwrap().read(&mut [0; 8]).await.unwrap(), 0);
        assert!(child.try_wait().unwrap().is_none());
        assert!(timeout(MOMENT, child.output()).await.is_err(), "the output is not the process");
        stdin.write_all(b"\n").await.unwrap();
        assert_eq!(child.output().await.unwrap().status.code(), Some(8));
    });
}

#[test]
fn a_grandchild_that_keeps_the_pipe() {
    run(async {
        let mut child = shell("sleep 1000 & echo $!; exit 9");
        let grandchild = SignalTarget(line(&child).await.parse().unwrap());
        assert_eq!(child.wait().await.unwrap().code(), Some(9), "the process has ended");
        assert!(timeout(MOMENT, child.output()).await.is_err(), "its outputs have not");
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.output().await.unwrap().status.code(), Some(9));
        drop(grandchild);
    });
}

/// A process that is none of our children: killed when this is dropped.
struct SignalTarget(i32);

impl Drop for SignalTarget {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

#[test]
fn a_child_that_ignores_sigterm() {
    run(async {
        let mut child = shell("trap '' TERM; echo ready; exec sleep 1000");
        assert_eq!(line(&child).await, "ready");
        child.terminate().unwrap();
        assert!(timeout(MOMENT, child.wait()).await.is_err());
        let status = child.terminate_within(Duration::from_millis(5)).await.unwrap();
        assert_eq!(status.signal(), Some(9));
        // One that does as it is asked is not killed.
        let mut child = shell("trap 'exit 10' TERM; echo ready; while :; do read line; done");
        assert_eq!(line(&child).await, "ready");
        let stdin = child.stdin.take();
        assert_eq!(child.terminate_within(LIMIT).await.unwrap().code(), Some(10));
        drop(stdin);
    });
}

#[test]
fn signals_are_sent() {
    run(async {
        let mut child = shell("trap 'echo usr1' USR1; echo ready; while read line; do :; done");
        assert_eq!(line(&child).await, "ready");
        child.send_signal(SignalKind::user_defined1()).unwrap();
        // The shell comes to it between two lines. One that came to it in a line has ended.
        let _ = child.stdin.as_ref().unwrap().write_all(b"\n").await;
        assert_eq!(line(&child).await, "usr1");
        let error = child.send_signal(1000).unwrap_err();
        assert_eq!(error.to_string(), "signal 1000 cannot be sent: it has no name here");
        assert!(child.wait().await.unwrap().success());
        child.send_signal(15).unwrap();
    });
}

#[test]
fn many_at_once() {
    run(async {
        let children: Vec<_> = (0..50).map(|n| shell(&format!("read line; exit {n}"))).collect();
        // They are waited for in another order than they end in.
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
fn a_pipeline_without_the_loop_in_between() {
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
fn a_child_outlives_its_loop() {
    let mut child = run(async { shell("cat") });
    let error = run(async {
        let wait = child.wait().await.unwrap_err();
        // Dropped in another loop than its own.
        drop(child);
        wait
    });
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

#[test]
fn a_kept_loop_waits_for_its_children() {
    let mut runtime = Runtime::new().unwrap();
    let mut child = runtime.block_on(async { shell("exit 11") });
    let status = runtime.block_on(async { timeout(LIMIT, child.wait()).await });
    assert_eq!(status.unwrap().unwrap().code(), Some(11));
}

#[test]
#[should_panic(expected = "process::Command::spawn was called outside of a running loop")]
fn outside_of_a_loop_it_panics() {
    let _ = Command::new("true").spawn();
}
