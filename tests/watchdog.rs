//! A task that holds its loop is reported while it still does.
#![cfg(all(unix, feature = "inspect"))]

mod inspected;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::ChildStderr;
use std::time::Duration;

use evloop::Runtime;
use inspected::{Folder, command, role};

/// Longer than a busy machine suspends a thread: a poll that was suspended for so long is reported.
const LIMIT: Duration = Duration::from_millis(500);

#[test]
fn program() {
    let Some(role) = role() else { return };
    let mut runtime = Runtime::builder().name("main").watchdog(LIMIT).build().unwrap();
    let read = || std::io::stdin().read_exact(&mut [0]).unwrap();
    match role.as_str() {
        "blocks" => runtime.block_on(async {
            let task = evloop::task::Builder::new().name("reader");
            task.spawn(async move { read() }).await.unwrap();
            evloop::task::spawn_blocking(read).await.unwrap();
        }),
        "computes" => runtime.block_on(async {
            let (sender, ended) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                read();
                sender.send(()).unwrap();
            });
            while ended.try_recv().is_err() {}
            evloop::task::spawn_blocking(read).await.unwrap();
        }),
        "waits" => runtime.block_on(async {
            evloop::task::spawn_blocking(read).await.unwrap();
        }),
        role => panic!("{role}"),
    }
}

fn line(stderr: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    line
}

#[test]
fn a_hold_is_reported_while_it_lasts_and_again_at_its_end() {
    let folder = Folder::new();
    for (role, name, state) in [
        ("blocks", " `reader` (spawned at tests/watchdog.rs:", ": it is blocked in "),
        ("computes", " (spawned at tests/watchdog.rs:", ""),
    ] {
        let mut child = command(role, &folder).env_remove("EVLOOP_INSPECT").spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let begin = line(&mut stderr);
        assert!(begin.starts_with("evloop: task ") && begin.contains(name), "{begin}");
        assert!(begin.contains("has held the loop `main` for "), "{begin}");
        assert!(begin.contains("and still does"), "{begin}");
        assert!(!cfg!(target_os = "linux") || begin.contains(state), "{begin}");
        // Once a hold: the next line is its end.
        std::thread::sleep(2 * LIMIT);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"x").unwrap();
        let end = line(&mut stderr);
        assert!(end.contains(name) && end.contains("held the loop `main` for "), "{end}");
        stdin.write_all(b"x").unwrap();
        assert_eq!(line(&mut stderr), "");
        assert!(child.wait().unwrap().success());
        assert!(!folder.sockets().exists(), "the watchdog needs no socket");
    }
}

#[test]
fn a_loop_that_waits_for_events_is_not_reported() {
    let folder = Folder::new();
    let mut child = command("waits", &folder).env_remove("EVLOOP_INSPECT").spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::sleep(4 * LIMIT);
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    assert_eq!(line(&mut stderr), "");
    assert!(child.wait().unwrap().success());
}
