//! Solution of exercise 2.2: a scheduler whose coroutines yield requests to it.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_2_scheduler
//! ```
//!
//! prints
//!
//! ```text
//! turn 0: parent starts
//! turn 1: parent waits for the child
//! turn 1: child 1
//! turn 2: child 2
//! turn 3: child 3
//! turn 5: parent goes on
//! ```
//!
//! A coroutine yields a request to the scheduler, as a program makes a system call to the kernel.
//! The scheduler resumes it when the request is fulfilled.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use evloop::coroutine::{Co, Coroutine};

type Task = Coroutine<'static, Request>;

/// What a coroutine asks of the scheduler.
enum Request {
    /// Let the others run, then resume me.
    Yield,
    /// Run another coroutine beside me.
    Spawn(Task),
    /// Resume me when the latest coroutine that I spawned has ended.
    WaitForChild,
}

fn main() {
    let turn = Rc::new(Cell::new(0));
    let shown = turn.clone();
    let parent = Coroutine::new(async move |co: Co<Request>| {
        println!("turn {}: parent starts", shown.get());
        co.yield_(Request::Spawn(child(shown.clone()))).await;
        println!("turn {}: parent waits for the child", shown.get());
        co.yield_(Request::WaitForChild).await;
        println!("turn {}: parent goes on", shown.get());
    });
    run(parent, &turn);
}

fn child(turn: Rc<Cell<u32>>) -> Task {
    Coroutine::new(async move |co| {
        for n in 1..=3 {
            println!("turn {}: child {n}", turn.get());
            co.yield_(Request::Yield).await;
        }
    })
}

/// A coroutine, and the coroutine to resume when it has ended.
struct Entry {
    task: Task,
    waiting: Option<Box<Entry>>,
}

/// Runs `first` and all that it spawns. In a turn each coroutine of the queue runs once.
fn run(first: Task, turn: &Cell<u32>) {
    let mut queue = VecDeque::from([Entry { task: first, waiting: None }]);
    while !queue.is_empty() {
        for _ in 0..queue.len() {
            let Some(mut entry) = queue.pop_front() else { break };
            match entry.task.next() {
                Some(Request::Yield) => queue.push_back(entry),
                Some(Request::Spawn(task)) => {
                    queue.push_back(entry);
                    queue.push_back(Entry { task, waiting: None });
                }
                // The child stands at the end of the queue: it was spawned last.
                Some(Request::WaitForChild) => match queue.back_mut() {
                    Some(child) => child.waiting = Some(Box::new(entry)),
                    None => queue.push_back(entry),
                },
                None => queue.extend(entry.waiting.map(|waiting| *waiting)),
            }
        }
        turn.set(turn.get() + 1);
    }
}
