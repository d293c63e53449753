//! What other processes see of a loop: by the socket, also while the loop is stuck.
#![cfg(all(unix, feature = "inspect"))]

mod inspected;

use std::future::pending;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use evloop::Runtime;
use evloop::task::Builder;
use inspected::{LIMIT, Program, field, number, ready, role};

const TASKS: usize = 100_000;

/// The programs of the tests, each in its own process.
#[test]
fn program() {
    let Some(role) = role() else { return };
    match role.as_str() {
        "sleeps" => evloop::block_on(async {
            let task = Builder::new().name("sleeper").spawn(async {
                ready();
                thread::sleep(Duration::from_secs(1000));
            });
            task.await.unwrap();
        }),
        "computes" => two_loops(|| {
            loop {
                std::hint::spin_loop();
            }
        }),
        "outside" => outside(),
        "many" => evloop::block_on(async {
            let tasks: Vec<_> = (0..TASKS).map(|_| evloop::spawn(pending::<()>())).collect();
            evloop::task::yield_now().await;
            ready();
            pending::<()>().await;
            drop(tasks);
        }),
        "nests" => nests(),
        "locks" => locks(),
        "shares" => shares(),
        "waits" => waits(),
        "ends" => ends(),
        role => panic!("{role}"),
    }
}

/// A loop whose task calls `f`, and another one, which only waits.
fn two_loops(f: impl Fn()) {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut runtime = Runtime::builder().name("waits").build().unwrap();
        runtime.block_on(async {
            sender.send(()).unwrap();
            pending::<()>().await;
        });
    });
    receiver.recv().unwrap();
    let mut runtime = Runtime::builder().name("stuck").build().unwrap();
    runtime.block_on(async {
        evloop::spawn(async {}).await.unwrap();
        ready();
        f();
    });
}

/// A loop that nobody turns any more.
fn outside() {
    let mut runtime = Runtime::new().unwrap();
    let _task = runtime.spawn(pending::<()>());
    runtime.turn(Some(Duration::ZERO)).unwrap();
    ready();
    thread::sleep(Duration::from_secs(1000));
}

/// An eager task, and a child of a scope, hold the loop in turn; then their task does.
fn nests() {
    evloop::block_on(async {
        drop(Builder::new().name("eager").eager(true).spawn(async { hold() }));
        hold();
        evloop::task::scope(async |scope| {
            scope.spawn(async { hold() });
        })
        .await;
        hold();
    });
}

/// Two tasks that lock two locks in different orders. Then the loop is held until the test has sent
/// a byte.
fn locks() {
    use evloop::sync::Mutex;
    let both = std::rc::Rc::new([Mutex::new(()), Mutex::new(())]);
    let lock = |first: usize| {
        let both = both.clone();
        async move {
            let _one = both[first].lock().await;
            evloop::task::yield_now().await;
            drop(both[1 - first].lock().await);
        }
    };
    evloop::block_on(async {
        let _tasks =
            [0, 1].map(|first| Builder::new().name(format!("locks {first}")).spawn(lock(first)));
        ready();
        evloop::task::spawn_blocking(|| std::io::stdin().read_exact(&mut [0]))
            .await
            .unwrap()
            .unwrap();
        hold();
    });
}

/// Blocks the thread until the test has sent a byte.
fn hold() {
    ready();
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

/// Two tasks that compute for 30% and for 10% of the time.
fn shares() {
    let computes = async |ms: u64| {
        loop {
            evloop::time::sleep(Duration::from_millis(10 - ms)).await;
            let end = Instant::now() + Duration::from_millis(ms);
            while Instant::now() < end {}
        }
    };
    evloop::block_on(async {
        let _one = Builder::new().name("one").spawn(computes(1));
        let _three = Builder::new().name("three").spawn(computes(3));
        ready();
        pending::<()>().await;
    });
}

fn waits() {
    evloop::block_on(async {
        ready();
        pending::<()>().await;
    });
}

/// Ends once the test closes its stdin.
fn ends() {
    evloop::block_on(async {
        ready();
        let _ = evloop::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await;
    });
}

fn line_of<'a>(lines: &'a [String], key: &str, value: &str) -> &'a str {
    let line = lines.iter().find(|line| field(line, key) == value);
    line.unwrap_or_else(|| panic!("no {key} {value}: {lines:?}"))
}

#[test]
fn a_loop_in_a_sleep_of_the_thread_is_asked_for_the_first_time() {
    let program = Program::start("sleeps");
    let lines = program.ask_until("status", |lines| field(&lines[0], "stuck") == "true");
    let status = &lines[0];
    assert_eq!(lines.len(), 1);
    assert_eq!(field(status, "phase"), "turn");
    assert_eq!(field(status, "task_name"), "sleeper");
    assert!(field(status, "spawned_at").starts_with("tests/inspect.rs:"), "{status}");
    assert!(number(status, "turn_ms") >= 250.0);
    assert_eq!(field(status, "snapshot_age_ms"), "null");
    if cfg!(target_os = "linux") {
        assert_eq!(field(status, "state"), "S", "{status}");
        assert_ne!(field(status, "syscall"), "null", "{status}");
    }
    // No snapshot exists.
    let tasks = program.ask("tasks");
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!((field(&tasks[0], "stale_ms"), field(&tasks[0], "stuck")), ("null", "true"));
    assert_eq!(field(&tasks[0], "task_name"), "sleeper");
}

#[test]
fn one_of_two_loops_computes_and_the_other_one_still_answers() {
    let program = Program::start("computes");
    let lines = program.ask_until("status", |lines| {
        let stuck = line_of(lines, "name", "stuck");
        let computes = !cfg!(target_os = "linux") || field(stuck, "state") == "R";
        field(stuck, "stuck") == "true" && computes
    });
    assert_eq!(lines.len(), 2);
    let waits = line_of(&lines, "name", "waits");
    assert_eq!((field(waits, "phase"), field(waits, "stuck")), ("waiting", "false"));
    assert_eq!(field(waits, "task"), "null");
    let tasks = program.ask(&format!("tasks {}", field(waits, "loop")));
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!(field(&tasks[0], "state"), "waiting");
    let tasks = program.ask("tasks");
    assert_eq!(tasks.len(), 2, "a task, and the state of the loop that does not answer: {tasks:?}");
    assert_eq!(field(&program.ask("tasks 99")[0], "error"), "the process has no loop 99");
}

#[test]
fn a_task_inside_another_is_shown_and_then_the_outer_one_again() {
    let mut program = Program::start("nests");
    let names = [("eager", "eager"), ("null", "root"), ("null", "child"), ("null", "root")];
    let mut tasks = Vec::new();
    for (name, what) in names {
        let lines = program.ask_until("status", |lines| field(&lines[0], "stuck") == "true");
        assert_eq!(field(&lines[0], "task_name"), name, "{what}: {lines:?}");
        tasks.push(field(&lines[0], "task").to_owned());
        program.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        if what != "root" || tasks.len() < 4 {
            // The next task holds the loop as soon as this one has released it.
            let task = tasks.last().unwrap();
            program.ask_until("status", |lines| field(&lines[0], "task") != task);
        }
    }
    assert_eq!(tasks[1], tasks[3], "the task is shown again after its child: {tasks:?}");
    assert_ne!(tasks[0], tasks[1]);
    assert_ne!(tasks[2], tasks[1]);
}

#[test]
fn a_deadlock_is_seen_also_in_the_last_snapshot_of_a_stuck_loop() {
    let mut program = Program::start("locks");
    let check = |tasks: &[String]| {
        let [one, other] = ["locks 0", "locks 1"].map(|name| line_of(tasks, "name", name));
        for (waits, holds) in [(one, other), (other, one)] {
            assert_eq!(field(waits, "for"), "lock", "{waits}");
            assert!(field(waits, "at").starts_with("tests/inspect.rs:"), "{waits}");
            assert!(waits.contains(&format!("\"held_by\":[{}]", field(holds, "task"))), "{waits}");
        }
    };
    let waits = |lines: &[String]| {
        lines.iter().filter(|line| field(line, "state") == "waiting").count() == 3
    };
    check(&program.ask_until("tasks", waits));
    assert_ne!(field(&program.ask("status")[0], "snapshot_age_ms"), "null");
    program.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    program.ask_until("status", |lines| field(&lines[0], "stuck") == "true");
    let tasks = program.ask("tasks");
    assert!(number(&tasks[0], "stale_ms") >= 250.0, "{}", tasks[0]);
    assert_eq!(field(&tasks[0], "stuck"), "true");
    check(&tasks[1..]);
    program.stdin.as_mut().unwrap().write_all(b"x").unwrap();
}

#[test]
fn a_loop_that_nobody_turns_is_not_stuck() {
    let program = Program::start("outside");
    let lines = program.ask_until("status", |lines| number(&lines[0], "turn_ms") >= 300.0);
    assert_eq!((field(&lines[0], "phase"), field(&lines[0], "stuck")), ("outside", "false"));
    let tasks = program.ask("tasks");
    assert_eq!((field(&tasks[0], "stale_ms"), field(&tasks[0], "stuck")), ("null", "false"));
}

#[test]
fn all_of_100_000_tasks_are_listed_once() {
    let program = Program::start("many");
    let begin = Instant::now();
    let tasks = program.ask("tasks");
    println!("{} tasks in {:?}", tasks.len(), begin.elapsed());
    assert_eq!(tasks.len(), TASKS + 1);
    let mut ids: Vec<_> = tasks.iter().map(|task| field(task, "task")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), TASKS + 1);
    // A client that does not read delays no other.
    let mut slow = program.connect();
    slow.write_all(b"evloop 1 tasks\n").unwrap();
    assert_eq!(program.ask("tasks").len(), TASKS + 1);
    assert_eq!(number(&program.ask("loops")[0], "tasks"), (TASKS + 1) as f64);
    assert_eq!(inspected::read(slow).len(), TASKS + 2);
}

#[test]
fn shares_of_time_are_sampled() {
    let program = Program::start("shares");
    let begin = Instant::now();
    // A busy machine suspends the loop within polls and between them: the shares differ from 30%
    // and 10% then, but in most samples not their order.
    let of_loop = loop {
        let lines = program.ask("sample 2000");
        let tasks = program.ask("tasks");
        let share = |name| number(line_of(&tasks, "name", name), "busy_share");
        let (one, three) = (share("one"), share("three"));
        println!("{one} {three}");
        if one > 0.0 && three > one {
            break lines[0].clone();
        }
        assert!(begin.elapsed() < LIMIT, "{tasks:?}");
    };
    let sum = number(&of_loop, "busy_share") + number(&of_loop, "waiting_share");
    assert!(sum > 0.99 && sum < 1.01, "{of_loop}");
}

#[test]
fn polls_are_traced_with_their_times() {
    let program = Program::start("shares");
    let mut lines = program.ask("trace 1");
    assert_eq!(lines.pop().unwrap(), "{\"dropped\":0}");
    assert_eq!(field(&lines[0], "ph"), "M");
    let mut spans = Vec::new();
    let mut three = 0;
    for line in &lines[1..] {
        assert_eq!(field(line, "ph"), "X");
        let (begin, took) = (number(line, "ts"), number(line, "dur"));
        spans.push((begin, begin + took));
        if field(line, "name") == "three" && took >= 2990.0 {
            three += 1;
        }
    }
    assert!(three > 0, "{three} long polls of {}", spans.len());
    spans.sort_by(|one, other| one.0.total_cmp(&other.0).then(other.1.total_cmp(&one.1)));
    let mut open: Vec<f64> = Vec::new();
    for (begin, end) in spans {
        open.retain(|outer| *outer > begin);
        assert!(open.iter().all(|outer| *outer >= end), "spans cross");
        open.push(end);
    }
    // Nothing is recorded any more, and the next trace can begin.
    assert_eq!(program.ask("trace 0").last().unwrap(), "{\"dropped\":0}");
}

#[test]
fn the_times_of_polls_are_counted_by_class() {
    let program = Program::start("shares");
    // One task computes for 1 ms at a time, one for 3 ms. On a busy machine some polls take longer.
    program.ask_until("polls 1000", |lines| {
        assert_eq!(lines.len(), 1, "a line a loop");
        assert!(lines[0].ends_with(",\"dropped\":0}"), "{lines:?}");
        let pairs = lines[0].split_once("\"poll\":[[").unwrap().1.split_once("]]").unwrap().0;
        let pairs: Vec<_> = pairs.split("],[").map(|pair| pair.split_once(',').unwrap()).collect();
        let uppers: Vec<u64> = pairs.iter().map(|(upper, _)| upper.parse().unwrap()).collect();
        let is_power = |upper: &u64| upper.is_power_of_two();
        assert!(uppers.is_sorted() && uppers.iter().all(is_power), "{lines:?}");
        let longer = |limit: u64| -> u64 {
            let counts = pairs.iter().zip(&uppers).filter(|(_, upper)| **upper >= limit);
            counts.map(|((_, count), _)| count.parse::<u64>().unwrap()).sum()
        };
        longer(1024) > longer(4096) && longer(4096) > 0
    });
    // Nothing is recorded any more.
    assert_eq!(program.ask("trace 0").last().unwrap(), "{\"dropped\":0}");
    assert_eq!(program.ask("polls 0").len(), 1);
}

#[test]
fn a_second_trace_is_refused_until_the_first_client_goes() {
    let program = Program::start("waits");
    let mut first = program.connect();
    first.write_all(b"evloop 1 trace 1000\n").unwrap();
    first.read_exact(&mut [0]).unwrap();
    assert!(field(&program.ask("trace 0")[0], "error").contains("another client"));
    assert!(field(&program.ask("polls 0")[0], "error").contains("another client"));
    drop(first);
    program.ask_until("trace 0", |lines| lines.last().unwrap() == "{\"dropped\":0}");
}

#[test]
fn the_program_may_end_while_it_is_asked() {
    let mut program = Program::start("ends");
    let mut stream = program.connect();
    stream.write_all(b"evloop 1 sample 100000\n").unwrap();
    let mut header = [0; 10];
    stream.read_exact(&mut header).unwrap();
    program.stdin = None;
    let _ = stream.read_to_end(&mut Vec::new());
    let begin = Instant::now();
    while program.child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < LIMIT);
    }
    assert!(!program.socket().exists(), "the last loop removes the socket");
}
