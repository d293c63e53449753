//! The text of `debug::dump`: the tree of the tasks, what they wait for, deadlocks.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::sync::{Event, Mutex, RwLock, mpsc};
use evloop::task::{self, JoinHandle, TaskId, yield_now};
use evloop::time::sleep;
use evloop::{Runtime, debug, spawn};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns the line of the caller as the dump names it.
#[track_caller]
fn here() -> String {
    Location::caller().to_string()
}

/// Replaces what differs from run to run: the number of the loop, the ids of tasks by their rank,
/// columns, descriptors, and the time left.
fn normal(text: &str) -> String {
    let mut ids: Vec<u64> = numbers_after(text, "task ").collect();
    ids.sort_unstable();
    ids.dedup();
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let number = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(if number > 0 { number } else { c.len_utf8() });
        if number == 0 {
            out.push_str(word);
        } else if out.ends_with("task ") || is_in_list(&out) {
            let id = word.parse().unwrap();
            out.push_str(
                &ids.iter()
                    .position(|known| *known == id)
                    .map_or(word.into(), |rank| rank.to_string()),
            );
        } else if out.ends_with("loop ") || out.ends_with("descriptor ") {
            out.push('N');
        } else {
            out.push_str(word);
        }
        rest = after;
    }
    out
}

/// A task id behind the first of several: `task 1, 2 has locked`.
fn is_in_list(out: &str) -> bool {
    let holders = out.trim_end_matches(|c: char| c.is_ascii_digit() || c == ',' || c == ' ');
    out.ends_with(", ") && holders.ends_with("that task")
}

fn numbers_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = u64> + 'a {
    text.match_indices(before).filter_map(move |(at, _)| {
        let digits = &text[at + before.len()..];
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse().ok()
    })
}

#[test]
fn outside_a_loop_there_is_nothing_to_show() {
    assert_eq!(debug::dump(), "no event loop is running on this thread\n");
}

#[test]
fn print_for_development() {
    let mut runtime = Runtime::builder().name("main").build().unwrap();
    runtime.block_on(async {
        let root = here();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_sender, mut receiver) = mpsc::bounded::<u32>(1);
        let event = Rc::new(Event::new());
        let inner = spawn(async { sleep(HOUR).await });
        let _a = spawn(async move { inner.await.unwrap() });
        let _b = spawn(async move { drop(listener.accept().await) });
        let _c = spawn(async move { receiver.recv().await });
        let _d = spawn({
            let event = event.clone();
            async move { event.wait().await }
        });
        let _e = spawn(async {
            task::scope(async |s| {
                s.spawn(async { sleep(HOUR).await });
                s.spawn(pending::<()>());
            })
            .await
        });
        let _f = spawn(async { evloop::time::timeout(HOUR, pending::<()>()).await });
        let _g = spawn(async { futures_join().await });
        yield_now().await;
        yield_now().await;
        println!("{root}\n{}\n{}", debug::dump(), normal(&debug::dump()));
    });
}
async fn futures_join() {
    evloop::join!(sleep(HOUR), sleep(HOUR));
}
