//! What children leave behind: no zombie, no thread, no descriptor, neither here nor in them.
//!
//! Counts are of the process, so each test has a process of its own.

#![cfg(all(target_os = "linux", feature = "process"))]

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

/// Tests in processes of their own.
#[allow(unreachable_pub)]
mod alone;
/// Processes that were started with a signal ignored.
#[allow(unreachable_pub)]
mod ignoring;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
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

/// The children of this process that were not reaped, with the letter of their state.
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

/// Waits until no child is left, the loop doing nothing else.
async fn until_childless() {
    while !children().is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits, without any loop, until the child has ended; nobody reaps it.
fn until_zombie(id: u32) {
    while children() != [(id, 'Z')] {
        std::thread::yield_now();
    }
}

#[test]
fn a_child_that_is_dropped_is_reaped() {
    if !alone::is_here("a_child_that_is_dropped_is_reaped") {
        return;
    }
    run(async {
        // The first short one takes a descriptor.
        sleep(Duration::from_millis(1)).await;
        let open = descriptors();
        // With it goes what it reads, so it ends, sooner or later.
        drop(cat().spawn().unwrap());
        let names: Vec<_> =
            evloop::task::all().iter().filter_map(|t| t.name().map(str::to_owned)).collect();
        assert!(names.iter().any(|name| name.starts_with("reaper of process ")), "{names:?}");
        until_childless().await;
        // One whose wait was given up, one whose task was aborted, one that had ended.
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
fn a_child_that_is_dropped_lives_on_unless_it_is_to_be_killed() {
    if !alone::is_here("a_child_that_is_dropped_lives_on_unless_it_is_to_be_killed") {
        return;
    }
    run(async {
        let mut sleeper = Command::new("sleep");
        let lives = sleeper.arg("1000").stdout(Stdio::null()).spawn().unwrap();
        let id = lives.id();
        drop(lives);
        drop(sleeper.kill_on_drop(true).spawn().unwrap());
        let mut output = Box::pin(sleeper.output());
        assert!(output.as_mut().now_or_never().is_none());
        drop(output);
        while children().len() > 1 {
            sleep(Duration::from_millis(1)).await;
        }
        assert!(matches!(*children(), [(left, 'S' | 'R')] if left == id), "{:?}", children());
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(id as i32).unwrap(),
            Signal::KILL,
        )
        .unwrap();
        until_childless().await;
    });
}

#[test]
fn a_start_on_another_thread_that_was_given_up_leaves_no_process() {
    if !alone::is_here("a_start_on_another_thread_that_was_given_up_leaves_no_process") {
        return;
    }
    // One thread, which comes to all work in turn.
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    runtime.block_on(async {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("1000").stdout(Stdio::null()).kill_on_drop(true);
        for mut command in [cat(), sleeper] {
            assert!(command.spawn_async().now_or_never().is_none());
            let error = command.spawn().unwrap_err();
            assert!(error.to_string().starts_with("could not start \"\": "), "{error}");
        }
        evloop::task::spawn_blocking(|| ()).await.unwrap();
        timeout(LIMIT, until_childless_after_spawn()).await.expect("a child is left");
    });
}

#[test]
fn those_that_outlive_their_loop_are_reaped_later() {
    if !alone::is_here("those_that_outlive_their_loop_are_reaped_later") {
        return;
    }
    let mut in_task = 0;
    let child = run(async {
        // One in a task that the loop's end drops, one that is dropped after it.
        let mut child = cat().kill_on_drop(true).spawn().unwrap();
        in_task = child.id();
        drop(evloop::spawn(async move {
            let _ = child.wait().await;
            pending::<()>().await;
        }));
        cat().spawn().unwrap()
    });
    // The first was killed, or its input was closed.
    while !children().contains(&(in_task, 'Z')) {
        std::thread::yield_now();
    }
    let id = child.id();
    drop(child);
    while !children().iter().all(|(_, state)| *state == 'Z') {
        std::thread::yield_now();
    }
    run(async { assert!(Command::new("true").status().await.unwrap().success()) });
    assert_eq!(children(), [], "process {id} stayed");
    // A loop that is kept, but does not run when its child is dropped.
    let mut runtime = Runtime::new().unwrap();
    let child = runtime.block_on(async { cat().spawn().unwrap() });
    let id = child.id();
    drop(child);
    until_zombie(id);
    runtime.block_on(async { timeout(LIMIT, until_childless()).await.unwrap() });
}

#[test]
fn a_thousand_children_and_no_thread() {
    if !alone::is_here("a_thousand_children_and_no_thread") {
        return;
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let threads = count("/proc/self/task");
    run(async {
        let open = descriptors();
        let children: Vec<Child> = (0..1000).map(|_| cat().spawn().unwrap()).collect();
        assert_eq!(self::children().len(), 1000);
        let talks = children.into_iter().enumerate().map(|(n, mut child)| {
            evloop::spawn(async move { child.communicate(n.to_string()).await.unwrap() })
        });
        let talks: Vec<_> = talks.collect();
        yield_now().await;
        assert_eq!(count("/proc/self/task"), threads);
        for (n, talk) in talks.into_iter().enumerate() {
            let output = talk.await.unwrap();
            assert!(output.status.success() && output.stdout == n.to_string().as_bytes());
        }
        assert_eq!(count("/proc/self/task"), threads);
        yield_now().await;
        assert_eq!((self::children().len(), descriptors()), (0, open));
    });
}

#[test]
fn children_get_none_of_the_loops_descriptors() {
    if !alone::is_here("children_get_none_of_the_loops_descriptors") {
        return;
    }
    let list = || {
        let mut list = std::process::Command::new("ls");
        list.arg("/proc/self/fd");
        list
    };
    // Whatever started this test may have left it some.
    let before = list().output().unwrap().stdout;
    run(async {
        // One of each kind that a loop opens.
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
        assert!(own > 10, "there were some to get: {own}");
        drop((stream, accepted, pipe, hangups, child, lookup));
    });
}

#[test]
fn when_no_descriptor_is_left() {
    if !alone::is_here("when_no_descriptor_is_left") {
        return;
    }
    run(async {
        // Each number in turn fails at another point of starting: at a pipe, at watching.
        let open = descriptors() as u64;
        let maximum = getrlimit(Resource::Nofile).maximum;
        let mut failed = 0;
        for room in 1..40 {
            setrlimit(Resource::Nofile, Rlimit { current: Some(open + room), maximum }).unwrap();
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
            // Where SIGCHLD is listened to, that ends a turn after the last child.
            yield_now().await;
            assert_eq!(descriptors() as u64, open, "room for {room}");
        }
        assert_eq!(failed, 39);
    });
}

/// The same for those that could not be watched: they are reaped when another is started.
async fn until_childless_after_spawn() {
    while !children().is_empty() {
        assert!(Command::new("true").status().await.unwrap().success());
    }
}

#[test]
fn a_child_that_another_has_reaped_is_an_error() {
    if !alone::is_here("a_child_that_another_has_reaped_is_an_error") {
        return;
    }
    // As it is also for all children of a program that ignores SIGCHLD.
    run(async {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = rustix::process::Pid::from_raw(child.id() as i32);
        rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).unwrap();
        for _ in 0..2 {
            let error = child.wait().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::CHILD.raw_os_error()));
            assert!(child.try_wait().is_err());
            child.kill().expect("nobody is there to be killed");
        }
    });
}

#[test]
fn a_program_that_ignores_sigchld_goes_on_to_ignore_it() {
    if !alone::is_here("a_program_that_ignores_sigchld_goes_on_to_ignore_it") {
        return;
    }
    ignoring::restart(Signal::CHILD, "CHLD");
    run(async {
        let mut child = cat().spawn().unwrap();
        let stdin = child.stdin.take();
        assert!(child.wait().now_or_never().is_none(), "it lives");
        drop(stdin);
        // The system has reaped it.
        let error = child.wait().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::CHILD.raw_os_error()));
        drop(cat().spawn().unwrap());
        until_childless().await;
    });
    assert!(ignoring::is_ignored(Signal::CHILD));
}
