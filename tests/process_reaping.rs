//! Children leave no zombie, no thread and no descriptor in this process, and inherit no
//! descriptor.
//!
//! The counts are those of the whole process, so each test runs in a process of its own.

#![cfg(all(target_os = "linux", feature = "process", feature = "fs"))]

use std::fs;
use std::future::{Future, pending};
use std::time::Duration;

use evloop::Runtime;
use evloop::net::{TcpListener, TcpStream};
use evloop::process::{Child, Command, Stdio};
use evloop::signal::{self, SignalKind};
use evloop::task::yield_now;
use evloop::time::{sleep, timeout};
use futures::FutureExt;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

/// Runs tests in processes of their own.
#[allow(unreachable_pub)]
mod alone;
/// A blocking thread that is busy.
mod busy_pool;
/// Restarts a test with a signal ignored.
#[allow(unreachable_pub)]
mod ignoring;
/// A directory for the files of one test.
mod temp_dir;

use busy_pool::Busy;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

fn cat() -> Command {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn descriptors() -> usize {
    count("/proc/self/fd")
}

/// The children of this process that are not reaped, each with the letter of its state.
fn children() -> Vec<(u32, char)> {
    let stats = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = fs::read_to_string(entry.unwrap().path().join("stat")).ok()?;
        let (id, rest) = stat.split_once(" (")?;
        let (state, parent) = rest.rsplit_once(") ")?.1.split_once(' ')?;
        let is_ours = parent.split_once(' ')?.0 == std::process::id().to_string();
        is_ours.then(|| (id.parse().unwrap(), state.chars().next().unwrap()))
    });
    stats.collect()
}

/// Waits until no child is left. No process is started meanwhile.
async fn until_childless() {
    while !children().is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until the child has ended, without a loop. The child is not reaped.
fn until_zombie(id: u32) {
    while children() != [(id, 'Z')] {
        std::thread::yield_now();
    }
}

#[test]
fn a_dropped_child_is_reaped() {
    if !alone::is_here("a_dropped_child_is_reaped") {
        return;
    }
    run(async {
        // The first short wait opens a descriptor. A sleep that is due before the loop waits,
        // because the thread was suspended, does not.
        for _ in 0..20 {
            sleep(Duration::from_millis(1)).await;
        }
        let open = descriptors();
        // The drop closes the input of `cat`, so it ends.
        drop(cat().spawn().unwrap());
        let names: Vec<_> =
            evloop::task::all().iter().filter_map(|t| t.name().map(str::to_owned)).collect();
        assert!(names.iter().any(|name| name.starts_with("reaper of process ")), "{names:?}");
        until_childless().await;
        // A child whose wait was dropped, one whose task was aborted, one that had ended.
        let mut child = cat().spawn().unwrap();
        let stdin = child.stdin.take();
        assert!(child.wait().now_or_never().is_none());
        drop((child, stdin));
        let task = evloop::spawn(async { cat().spawn().unwrap().wait().await });
        yield_now().await;
        task.abort();
        let child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.stdout.as_ref().unwrap().read(&mut [0]).await.unwrap(), 0);
        drop(child);
        until_childless().await;
        yield_now().await;
        assert_eq!(descriptors(), open);
    });
}

#[test]
fn a_dropped_child_runs_on_unless_kill_on_drop_is_set() {
    if !alone::is_here("a_dropped_child_runs_on_unless_kill_on_drop_is_set") {
        return;
    }
    run(async {
        let mut sleeper = Command::new("sleep");
        let survivor = sleeper.arg("1000").stdout(Stdio::null()).spawn().unwrap();
        let id = survivor.id();
        drop(survivor);
        drop(sleeper.kill_on_drop(true).spawn().unwrap());
        let mut output = Box::pin(sleeper.output());
        assert!(output.as_mut().now_or_never().is_none());
        drop(output);
        while children().len() > 1 {
            sleep(Duration::from_millis(1)).await;
        }
        assert!(matches!(*children(), [(pid, 'S' | 'R')] if pid == id), "{:?}", children());
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(id as i32).unwrap(),
            Signal::KILL,
        )
        .unwrap();
        until_childless().await;
    });
}

#[test]
fn a_dropped_spawn_async_leaves_no_process() {
    if !alone::is_here("a_dropped_spawn_async_leaves_no_process") {
        return;
    }
    // One thread runs all work on files in turn, and starts processes.
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    runtime.block_on(async {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("1000").stdout(Stdio::null()).kill_on_drop(true);
        let busy = Busy::new();
        for mut command in [cat(), sleeper] {
            assert!(command.spawn_async().now_or_never().is_none());
            let error = command.spawn().unwrap_err();
            assert!(error.to_string().starts_with("could not start \"\": "), "{error}");
        }
        busy.end().await;
        // The thread runs this after both starts.
        evloop::fs::metadata("/").await.unwrap();
        timeout(LIMIT, until_childless()).await.expect("a child is left");
    });
}

#[test]
fn children_that_outlive_their_loop_are_reaped_later() {
    if !alone::is_here("children_that_outlive_their_loop_are_reaped_later") {
        return;
    }
    let mut in_task = 0;
    let child = run(async {
        // The end of the loop drops the task of the first child; the second is dropped afterwards.
        let mut child = cat().kill_on_drop(true).spawn().unwrap();
        in_task = child.id();
        drop(evloop::spawn(async move {
            let _ = child.wait().await;
            pending::<()>().await;
        }));
        cat().spawn().unwrap()
    });
    // The first child was killed. The drop has reaped it if it ended at once.
    while children().iter().any(|&(id, state)| id == in_task && state != 'Z') {
        std::thread::yield_now();
    }
    let id = child.id();
    drop(child);
    while !children().iter().all(|(_, state)| *state == 'Z') {
        std::thread::yield_now();
    }
    run(async { assert!(Command::new("true").status().await.unwrap().success()) });
    assert_eq!(children(), [], "process {id} was not reaped");
    // A loop that exists, but does not run when its child is dropped.
    let mut runtime = Runtime::new().unwrap();
    let child = runtime.block_on(async { cat().spawn().unwrap() });
    let id = child.id();
    drop(child);
    until_zombie(id);
    runtime.block_on(async { timeout(LIMIT, until_childless()).await.unwrap() });
}

#[test]
fn a_thousand_children_need_no_thread() {
    if !alone::is_here("a_thousand_children_need_no_thread") {
        return;
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let threads = count("/proc/self/task");
    run(async {
        let open = descriptors();
        let children: Vec<Child> = (0..1000).map(|_| cat().spawn().unwrap()).collect();
        assert_eq!(self::children().len(), 1000);
        let outputs = children.into_iter().enumerate().map(|(n, mut child)| {
            evloop::spawn(async move { child.communicate(n.to_string()).await.unwrap() })
        });
        let outputs: Vec<_> = outputs.collect();
        yield_now().await;
        assert_eq!(count("/proc/self/task"), threads);
        for (n, output) in outputs.into_iter().enumerate() {
            let output = output.await.unwrap();
            assert!(output.status.success() && output.stdout == n.to_string().as_bytes());
        }
        assert_eq!(count("/proc/self/task"), threads);
        yield_now().await;
        assert_eq!((self::children().len(), descriptors()), (0, open));
    });
}

#[test]
fn children_inherit_none_of_the_loops_descriptors() {
    if !alone::is_here("children_inherit_none_of_the_loops_descriptors") {
        return;
    }
    let list = || {
        let mut list = std::process::Command::new("ls");
        list.arg("/proc/self/fd");
        list
    };
    // The parent of this test may have left descriptors open.
    let before = list().output().unwrap().stdout;
    run(async {
        // One descriptor of each kind that a loop opens.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stream, accepted) = futures::join!(TcpStream::connect(addr), listener.accept());
        let pipe = evloop::net::pipe::pair().unwrap();
        let hangups = signal::unix(SignalKind::hangup()).unwrap();
        sleep(Duration::from_micros(10)).await;
        let child = cat().spawn().unwrap();
        let lookup = evloop::net::lookup_host("localhost:80").await.map(drop);
        let own = descriptors();
        let output = Command::from(list()).output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout), String::from_utf8(before));
        assert!(own > 10, "the loop has descriptors: {own}");
        drop((stream, accepted, pipe, hangups, child, lookup));
    });
}

#[test]
fn spawn_without_free_descriptors_returns_an_error_and_leaks_nothing() {
    if !alone::is_here("spawn_without_free_descriptors_returns_an_error_and_leaks_nothing") {
        return;
    }
    run(async {
        // Each number of free descriptors fails at another step: at a pipe, at the pidfd.
        let open = descriptors() as u64;
        let maximum = getrlimit(Resource::Nofile).maximum;
        let mut failed = 0;
        for free in 1..40 {
            setrlimit(Resource::Nofile, Rlimit { current: Some(open + free), maximum }).unwrap();
            let mut started = Vec::new();
            let error = loop {
                match cat().stderr(Stdio::piped()).spawn() {
                    Ok(child) => started.push(child),
                    Err(error) => break error,
                }
            };
            assert!(error.to_string().contains("Too many open files"), "{error}");
            failed += 1;
            setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
            for mut child in started {
                let output = child.communicate("x").await.unwrap();
                assert!(output.status.success() && output.stdout == b"x");
            }
            until_childless_after_spawn().await;
            // The listener of SIGCHLD, if there is one, ends a turn after the last child.
            yield_now().await;
            assert_eq!(descriptors() as u64, open, "{free} were free");
        }
        assert_eq!(failed, 39);
    });
}

/// Waits until no child is left, and starts processes meanwhile: each start reaps the children that
/// no task watches.
async fn until_childless_after_spawn() {
    while !children().is_empty() {
        assert!(Command::new("true").status().await.unwrap().success());
    }
}

#[test]
fn waiting_for_a_child_that_was_reaped_elsewhere_returns_echild() {
    if !alone::is_here("waiting_for_a_child_that_was_reaped_elsewhere_returns_echild") {
        return;
    }
    // The same holds for all children of a program that ignores SIGCHLD.
    run(async {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = rustix::process::Pid::from_raw(child.id() as i32);
        rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).unwrap();
        for _ in 0..2 {
            let error = child.wait().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::CHILD.raw_os_error()));
            assert!(child.try_wait().is_err());
            child.kill().expect("killing an ended process is no error");
        }
    });
}

#[test]
fn a_program_that_ignores_sigchld_still_ignores_it_afterwards() {
    if !alone::is_here("a_program_that_ignores_sigchld_still_ignores_it_afterwards") {
        return;
    }
    ignoring::restart(Signal::CHILD, "CHLD");
    run(async {
        let mut child = cat().spawn().unwrap();
        let stdin = child.stdin.take();
        assert!(child.wait().now_or_never().is_none(), "the child is alive");
        drop(stdin);
        // The system has reaped the child.
        let error = child.wait().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::CHILD.raw_os_error()));
        drop(cat().spawn().unwrap());
        until_childless().await;
    });
    assert!(ignoring::is_ignored(Signal::CHILD));
}
