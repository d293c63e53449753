//! Debug mode: what it reports on stderr, and what it does not report.

#![cfg(feature = "streams")]

use std::cell::RefCell;
use std::env;
use std::io;
use std::process::Command;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use evloop::Runtime;
use evloop::sync::{Mutex, RwLock, Semaphore};
use evloop::task::{self, ReentrantMutex, yield_now};
use futures::{FutureExt, StreamExt};

/// Runs the test `name` in its own process. Returns the stderr of that process; `None` if this is
/// that process.
fn stderr_of(name: &str, debug: &str) -> Option<String> {
    if env::var_os("EVLOOP_TOLD").is_some() {
        return None;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    let output = command.env("EVLOOP_TOLD", "1").env("EVLOOP_DEBUG", debug).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "no such test: {name}");
    Some(String::from_utf8(output.stderr).unwrap())
}

/// Returns the lines of this crate in `stderr`, with HERE for the lines of this file.
fn lines(stderr: &str) -> Vec<String> {
    let ours = stderr.lines().filter(|line| line.starts_with("evloop:"));
    ours.map(|line| {
        let (head, tail) = line.split_once("tests/debug_mode.rs:").unwrap();
        let digits = |c: char| c.is_ascii_digit() || c == ':';
        format!("{head}HERE{}", tail.trim_start_matches(digits))
    })
    .collect()
}

/// Returns the lines of this crate in `stderr`, with HERE for the line that spawned the task, and
/// HERE:LINE for others of this file.
fn places(stderr: &str) -> Vec<String> {
    let ours = stderr.lines().filter(|line| line.starts_with("evloop:"));
    ours.map(|line| {
        let mut parts = line.split("tests/debug_mode.rs:");
        let mut all = parts.next().unwrap().to_string();
        for (i, part) in parts.enumerate() {
            let digits = |c: char| c.is_ascii_digit() || c == ':';
            let line = part.split(':').next().unwrap();
            all += &if i == 0 { "HERE".into() } else { format!("HERE:{line}") };
            all += part.trim_start_matches(digits);
        }
        all
    })
    .collect()
}

/// Far longer than a poll that does nothing, also on a busy machine.
const THRESHOLD: Duration = Duration::from_millis(500);

fn block() {
    thread::sleep(THRESHOLD);
}

/// Runs `future` on a loop that reports no slow polls.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let patient = Runtime::builder().slow_poll_threshold(Duration::from_secs(3600));
    patient.build().unwrap().block_on(future)
}

fn threshold() -> evloop::runtime::Builder {
    Runtime::builder().slow_poll_threshold(THRESHOLD)
}

async fn block_in_tasks() {
    let named = task::Builder::new().name("sorter").spawn(async {
        yield_now().await;
        block();
    });
    named.await.unwrap();
    evloop::spawn(async { block() }).await.unwrap();
    yield_now().await;
    block();
}

#[test]
fn a_slow_poll_is_reported_with_task_name_and_spawn_line() {
    let Some(stderr) = stderr_of("a_slow_poll_is_reported_with_task_name_and_spawn_line", "1")
    else {
        threshold().build().unwrap().block_on(block_in_tasks());
        return;
    };
    let stderr = lines(&stderr);
    assert_eq!(stderr.len(), 3, "{stderr:?}");
    assert!(
        stderr[0].starts_with("evloop: task 2 `sorter` (spawned at HERE) ran for "),
        "{stderr:?}"
    );
    assert!(stderr[0].contains("ms without an await, and held up all others: call "), "{stderr:?}");
    assert!(stderr[1].starts_with("evloop: task 3 (spawned at HERE) ran for "), "{stderr:?}");
    assert!(stderr[2].starts_with("evloop: task 1 (spawned at HERE) ran for "), "{stderr:?}");
}

#[test]
fn debug_mode_is_off_by_default() {
    let Some(stderr) = stderr_of("debug_mode_is_off_by_default", "0") else {
        threshold().build().unwrap().block_on(block_in_tasks());
        return;
    };
    assert_eq!(lines(&stderr), [""; 0]);
}

#[test]
fn the_builder_overrides_the_environment() {
    let Some(stderr) = stderr_of("the_builder_overrides_the_environment", "1") else {
        threshold().debug(false).build().unwrap().block_on(block_in_tasks());
        threshold().debug(true).build().unwrap().block_on(async { block() });
        return;
    };
    assert_eq!(lines(&stderr).len(), 1, "{stderr}");
}

async fn fail_without_a_handle() {
    drop(evloop::spawn(async { Err::<(), _>(io::Error::other("disk on fire")) }));
    drop(evloop::spawn(async { Err::<(), Box<dyn std::error::Error>>("odd".into()) }));
    drop(evloop::spawn(async { Ok::<(), io::Error>(()) }));
    yield_now().await;
    let kept = evloop::spawn(async { Err::<(), _>(String::from("too late")) });
    let awaited = evloop::spawn(async { Err::<(), _>(String::from("heard")) });
    awaited.await.unwrap().unwrap_err();
    drop(kept);
    yield_now().await;
}

#[test]
fn an_error_of_a_detached_task_is_reported_in_any_mode() {
    let Some(stderr) = stderr_of("an_error_of_a_detached_task_is_reported_in_any_mode", "0") else {
        block_on(fail_without_a_handle());
        return;
    };
    let stderr = lines(&stderr);
    let expected = [
        "evloop: task 2 (spawned at HERE) failed: disk on fire",
        "evloop: task 3 (spawned at HERE) failed: odd",
        "evloop: task 5 (spawned at HERE) failed: too late",
    ];
    assert_eq!(stderr, expected);
}

#[test]
fn a_panic_is_reported_once_when_its_handle_is_dropped_later() {
    let Some(stderr) = stderr_of("a_panic_is_reported_once_when_its_handle_is_dropped_later", "0")
    else {
        block_on(async {
            let panics = evloop::spawn(async { panic!("lost") });
            yield_now().await;
            assert!(panics.is_finished());
            drop(panics);
            yield_now().await;
        });
        return;
    };
    assert_eq!(lines(&stderr), ["evloop: task 2 (spawned at HERE) panicked: lost"]);
}

#[test]
fn a_lock_that_outlives_its_task_is_reported() {
    let Some(stderr) = stderr_of("a_lock_that_outlives_its_task_is_reported", "1") else {
        block_on(async {
            let [kept, freed, shared] = [(); 3].map(|()| Rc::new(Mutex::new(())));
            let locks = Rc::new((RwLock::new(()), Semaphore::new(1), ReentrantMutex::new(())));
            let guard = evloop::spawn(kept.clone().lock_owned()).await.unwrap();
            let inside = locks.clone();
            let tidy = evloop::spawn(async move {
                drop((freed.lock().await, inside.0.read().await));
                inside.1.acquire().await.unwrap().forget();
                drop((inside.2.lock().await, inside.2.lock().await));
            });
            tidy.await.unwrap();
            let leaky = evloop::spawn(async move {
                std::mem::forget(locks.0.write().await);
                drop(locks.2.lock().await);
                std::mem::forget(locks.2.lock().await);
            });
            leaky.await.unwrap();
            // Unlocked by another task, before the end of its own.
            let slot = Rc::new(RefCell::new(None));
            let (target, lock) = (slot.clone(), shared.clone());
            let locker = evloop::spawn(async move {
                *target.borrow_mut() = Some(lock.lock_owned().await);
                yield_now().await;
            });
            yield_now().await;
            drop(slot.borrow_mut().take());
            locker.await.unwrap();
            drop(guard);
        });
        return;
    };
    let expected = [
        "evloop: task 2 (spawned at HERE) has ended, and left a Mutex locked",
        "evloop: task 4 (spawned at HERE) has ended, and left a RwLock locked",
        "evloop: task 4 (spawned at HERE) has ended, and left a ReentrantMutex locked",
    ];
    assert_eq!(lines(&stderr), expected);
}

#[test]
fn of_several_readers_the_one_that_keeps_the_lock_is_reported() {
    let name = "of_several_readers_the_one_that_keeps_the_lock_is_reported";
    let Some(stderr) = stderr_of(name, "1") else {
        evloop::block_on(async {
            let lock = Rc::new(RwLock::new(()));
            let (one, other) = (lock.clone(), lock.clone());
            let tidy = evloop::spawn(async move {
                let guard = one.read().await;
                yield_now().await;
                drop(guard);
            });
            let leaky = evloop::spawn(async move {
                let guard = other.read().await;
                yield_now().await;
                yield_now().await;
                std::mem::forget(guard);
            });
            tidy.await.unwrap();
            leaky.await.unwrap();
        });
        return;
    };
    assert_eq!(
        lines(&stderr),
        ["evloop: task 3 (spawned at HERE) has ended, and left a RwLock locked"]
    );
}

#[test]
fn unsent_bytes_of_a_stream_are_reported_at_the_loops_end() {
    let Some(stderr) = stderr_of("unsent_bytes_of_a_stream_are_reported_at_the_loops_end", "1")
    else {
        return block_on(async {
            let listener = evloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let (_reader, writer) = evloop::open_connection(addr).await.unwrap();
            writer.write(vec![0; 64 << 20]);
            yield_now().await;
        });
    };
    let line = stderr.lines().find(|line| line.starts_with("evloop:")).expect("a line");
    assert!(line.starts_with("evloop: the loop ended before "), "{line}");
    assert!(line.contains(" bytes were sent by Tcp("), "{line}");
}

#[test]
fn a_task_that_waits_for_its_own_lock_is_reported() {
    let name = "a_task_that_waits_for_its_own_lock_is_reported";
    let Some(stderr) = stderr_of(name, "1") else {
        return block_on(async {
            let mutex = Rc::new(Mutex::new(()));
            let lock = Rc::new(RwLock::new(()));
            let (inside, other) = (mutex.clone(), lock.clone());
            let tasks = [
                evloop::spawn(async move {
                    let _guard = inside.lock().await; // [m1]
                    yield_now().await;
                    drop(inside.lock().await); // [m2]
                }),
                evloop::spawn(async move {
                    let _guard = other.write().await; // [rw1]
                    drop(other.read().await); // [rw2]
                }),
                // A reader that waits behind a writer, which waits for this task.
                evloop::spawn(async move {
                    let lock = Rc::new(RwLock::new(()));
                    let _guard = lock.read().await; // [r1]
                    let writer = lock.clone();
                    drop(evloop::spawn(async move { drop(writer.write().await) }));
                    yield_now().await;
                    drop(lock.read().await); // [r2]
                }),
            ];
            (0..5).for_each(|_| drop(evloop::spawn(async {})));
            for _ in 0..5 {
                yield_now().await;
            }
            assert!(tasks.iter().all(|task| !task.is_finished()));
        });
    };
    let place = |mark| {
        let is_here = |line: &&str| line.contains(mark) && !line.contains("place(");
        1 + include_str!("debug_mode.rs").lines().position(|line| is_here(&line)).unwrap()
    };
    let report = |task, lock, locked, waits| {
        let (locked, waits) = (place(locked), place(waits));
        format!(
            "evloop: task {task} (spawned at HERE) waits at HERE:{waits} for a {lock} that it has \
             locked at HERE:{locked}, and for nothing else: a deadlock. Drop the guard first, pass \
             it on, or use a ReentrantMutex"
        )
    };
    let expected = [
        report(3, "RwLock", "// [rw1]", "// [rw2]"),
        report(2, "Mutex", "// [m1]", "// [m2]"),
        report(4, "RwLock", "// [r1]", "// [r2]"),
    ];
    assert_eq!(places(&stderr), expected);
}

#[test]
fn a_lock_that_another_future_of_the_task_holds_is_not_reported() {
    let name = "a_lock_that_another_future_of_the_task_holds_is_not_reported";
    let Some(stderr) = stderr_of(name, "1") else {
        return block_on(async {
            let mutex = Rc::new(Mutex::new(0));
            let hold = async || {
                let mut guard = mutex.lock().await;
                evloop::time::sleep(Duration::from_millis(2)).await;
                *guard += 1;
            };
            let add = async || *mutex.lock().await += 1;
            // Branches of one task, polled together or apart, the holder first or last.
            futures::join!(hold(), add());
            let late = async {
                yield_now().await;
                add().await;
            };
            futures::join!(late, hold());
            let apart = futures::stream::FuturesUnordered::new();
            apart.push(hold().boxed_local());
            apart.push(add().boxed_local());
            apart.push(add().boxed_local());
            apart.collect::<()>().await;
            futures::join!(hold(), evloop::time::timeout(Duration::from_secs(60), add()))
                .1
                .unwrap();
            // The guard is in another task.
            let guard = mutex.clone().lock_owned().await;
            let other = evloop::spawn(async move {
                yield_now().await;
                drop(guard);
            });
            add().await;
            other.await.unwrap();
            // A wait that is given up.
            let guard = mutex.lock().await;
            assert!(add().now_or_never().is_none());
            assert!(evloop::time::timeout(Duration::from_millis(2), add()).await.is_err());
            drop(guard);
            // An upgrade waits for the other readers.
            let lock = Rc::new(RwLock::new(0));
            let reader = lock.clone().read_owned().await;
            let upgradable = lock.upgradable_read().await;
            yield_now().await;
            let reader = evloop::spawn(async move {
                let _reader = reader;
                yield_now().await;
            });
            *upgradable.upgrade().await += 1;
            reader.await.unwrap();
        });
    };
    assert_eq!(lines(&stderr), [""; 0]);
}
