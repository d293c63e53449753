//! `evloop` about real programs, each in a process of its own.

#![cfg(unix)]

mod inspected;

use std::future::pending;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use evloop::sync::Mutex;
use evloop::task::Builder;
use inspected::{LIMIT, Program, ready, role};

/// The programs of the tests, each in its own process.
#[test]
fn program() {
    let Some(role) = role() else { return };
    match role.as_str() {
        "tree" => evloop::block_on(tree()),
        "deadlock" => deadlock(),
        "sleeps" => evloop::block_on(async {
            let sleeper = Builder::new().name("sleeper").spawn(async {
                ready();
                thread::sleep(Duration::from_secs(1000));
            });
            sleeper.await.unwrap();
        }),
        "names" => evloop::block_on(async {
            let names =
                ["\x1b[2J\n\u{9b}m".to_owned(), "\x01".repeat(1 << 20), "é".repeat(1 << 20)];
            let _tasks = names.map(|name| Builder::new().name(name).spawn(pending::<()>()));
            let _renamed = evloop::spawn(async {
                for number in (0..3).cycle() {
                    evloop::task::current().unwrap().set_name(format!("name {number}"));
                    evloop::time::sleep(Duration::from_micros(100)).await;
                }
            });
            ready();
            pending::<()>().await;
        }),
        "leaks" => evloop::block_on(async {
            ready();
            loop {
                drop(evloop::spawn(pending::<()>()));
                evloop::time::sleep(Duration::from_millis(1)).await;
            }
        }),
        "busy" => evloop::block_on(async {
            let _busy = Builder::new().name("busy").spawn(async {
                loop {
                    let end = Instant::now() + Duration::from_millis(2);
                    while Instant::now() < end {}
                    evloop::time::sleep(Duration::from_millis(1)).await;
                }
            });
            ready();
            pending::<()>().await;
        }),
        "connects" => evloop::block_on(async {
            let listener = evloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = evloop::net::TcpStream::connect(listener.local_addr().unwrap());
            let (client, accepted) = (client.await.unwrap(), listener.accept().await.unwrap());
            let _reader =
                Builder::new().name("reader").spawn(async move { client.read(&mut [0]).await });
            evloop::task::yield_now().await;
            ready();
            pending::<()>().await;
            drop(accepted);
        }),
        role => panic!("{role}"),
    }
}

/// A scope with children, one of which waits for a time, and one for a task outside.
async fn tree() {
    let idle = Builder::new().name("idle").spawn(pending::<()>());
    evloop::task::scope(async |scope| {
        drop(scope.spawn(evloop::time::sleep(Duration::from_secs(1000))));
        drop(scope.spawn(async move { drop(idle.await) }));
        evloop::task::yield_now().await;
        ready();
    })
    .await;
}

/// Two tasks that lock two locks in different orders.
fn deadlock() {
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
        let _tasks = [0, 1].map(|at| Builder::new().name(format!("locks {at}")).spawn(lock(at)));
        for _ in 0..3 {
            evloop::task::yield_now().await;
        }
        ready();
        pending::<()>().await;
    });
}

fn evloop_of(program: &Program, args: &str) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
    let pid = program.child.id().to_string();
    command.args(args.split_whitespace().map(|arg| arg.replace("PID", &pid)));
    let output = command.env("XDG_RUNTIME_DIR", &program.folder.0).output().unwrap();
    let text = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    (text, output.status.code())
}

/// Runs `evloop` until its output is as wanted.
#[track_caller]
fn wait_for(program: &Program, args: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let begin = Instant::now();
    loop {
        let (text, status) = evloop_of(program, args);
        if status == Some(0) && is_wanted(&text) {
            return text;
        }
        assert!(begin.elapsed() < LIMIT, "{args}: {status:?} {text}");
    }
}

#[test]
fn a_scope_is_a_tree() {
    let program = Program::start("tree");
    let text = wait_for(&program, "pstree PID", |text| text.contains("4 tasks"));
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[1].starts_with("1  "), "{text}");
    assert!(
        lines[2].starts_with("├─ 2 idle  ") && lines[2].ends_with("waits for unknown"),
        "{text}"
    );
    assert!(lines[3].contains("waits for time, due in 16 min"), "{text}");
    assert!(lines[4].contains("waits for task 2 at tests/cli_program.rs:"), "{text}");
    let text = wait_for(&program, "pstree PID --awaits", |_| true);
    assert!(text.contains("\n2 idle  ") && text.contains("\n└─ 4  "), "{text}");
    let pid = program.child.id().to_string();
    // The answers above have woken the loop, which may still run.
    wait_for(&program, "ps", |list| {
        let row = list.lines().find(|line| line.contains(&pid));
        row.is_some_and(|row| row.contains(" 1      4  waiting for events"))
    });
}

#[test]
fn a_deadlock_of_two_locks_is_named() {
    let program = Program::start("deadlock");
    let text = wait_for(&program, "ps PID", |text| text.contains("deadlock of 2 tasks"));
    assert!(
        text.contains("locks 0 waits for lock held by task 3 at tests/cli_program.rs:"),
        "{text}"
    );
    assert!(
        text.contains("locks 1 waits for lock held by task 2 at tests/cli_program.rs:"),
        "{text}"
    );
}

#[test]
fn a_loop_in_sleep_is_stuck_when_it_is_asked_for_the_first_time() {
    let program = Program::start("sleeps");
    let text = wait_for(&program, "status PID", |text| text.contains("is stuck in a turn"));
    assert!(text.contains("by task 2 sleeper, spawned at tests/cli_program.rs:"), "{text}");
    assert!(text.contains("there is no snapshot of its tasks"), "{text}");
    assert!(!cfg!(target_os = "linux") || text.contains("its thread sleeps in "), "{text}");
    let text = wait_for(&program, "ps PID", |_| true);
    assert!(text.contains("0 tasks\n") && text.contains("2 sleeper"), "{text}");
}

#[test]
fn names_of_any_length_and_kind_are_shown() {
    let program = Program::start("names");
    let text = wait_for(&program, "ps PID", |text| text.contains("  name "));
    assert!(text.contains("\\u{1b}[2J\\n\\u{9b}m  "), "{text:.2000}");
    assert_eq!(text.lines().count(), 7, "{text:.2000}");
    for args in ["ps PID --json", "pstree PID", "ps PID --by-place", "top PID -n 1 --every 10ms"] {
        let text = wait_for(&program, args, |_| true);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{args}: {text:.2000}");
        assert!(text.len() < 100_000, "{args}: {}", text.len());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_peer_of_a_socket_is_told() {
    let program = Program::start("connects");
    let text = wait_for(&program, "pstree PID", |text| text.contains("waits for read"));
    let reader = text.lines().find(|line| line.contains("reader")).unwrap();
    assert!(
        reader.contains(", 127.0.0.1:") && reader.contains(" at tests/cli_program.rs:"),
        "{text}"
    );
}

#[test]
fn a_leak_of_tasks_grows() {
    let program = Program::start("leaks");
    let path = program.folder.0.join("before");
    std::fs::write(&path, wait_for(&program, "ps PID --json", |text| text.lines().count() > 3))
        .unwrap();
    let args = format!("ps PID --by-place --since {}", path.display());
    let text = wait_for(&program, &args, |text| text.contains("1 group grew"));
    let first = text.lines().nth(2).unwrap();
    assert!(first.contains("  +") && first.contains("tests/cli_program.rs:"), "{text}");
}

#[test]
fn top_finds_the_busy_task() {
    let program = Program::start("busy");
    // On a busy machine the task may not run during one sample.
    wait_for(&program, "top PID -n 1 --every 300ms --json", |json| {
        json.lines().next().is_some_and(|line| line.contains("\"name\":\"busy\""))
    });
}

#[test]
fn a_trace_has_the_polls() {
    let program = Program::start("busy");
    let path = program.folder.0.join("trace.json");
    wait_for(&program, &format!("trace PID 1 -o {}", path.display()), |_| true);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.starts_with("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"), "{text:.200}");
    let polls = text.lines().filter(|line| line.starts_with("{\"name\":\"busy\",\"cat\":\"poll\""));
    assert!(polls.count() > 0, "{text:.2000}");
}

#[test]
fn a_program_that_has_ended_is_no_process() {
    let mut program = Program::start("tree");
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let (text, status) = evloop_of(&program, "pstree PID");
    let expected = format!("evloop: there is no process {}\n", program.child.id());
    assert_eq!((text, status), (expected, Some(1)));
    assert!(!program.socket().exists());
}
