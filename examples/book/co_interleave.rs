//! Two functions that run in turns: by a hand-written scheduler of coroutines, and by tasks.
//!
//! ```sh
//! cargo run --package evloop-book --example co_interleave
//! ```
//!
//! prints
//!
//! ```text
//! coroutines: A1 B1 A2 B2 A3 B3
//! tasks:      A1 B1 A2 B2 A3 B3
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;

use evloop::coroutine::Coroutine;
use evloop::task;

fn main() {
    println!("coroutines: {}", by_coroutines().join(" "));
    println!("tasks:      {}", evloop::block_on(by_tasks()).join(" "));
}

/// Resumes the first coroutine of the queue, and puts it at the end if it has yielded.
fn by_coroutines() -> Vec<String> {
    let steps = RefCell::new(Vec::new());
    let count = async |co: evloop::coroutine::Co<()>, name| {
        for n in 1..=3 {
            steps.borrow_mut().push(format!("{name}{n}"));
            co.yield_(()).await;
        }
    };
    let a = Coroutine::new(async |co| count(co, "A").await);
    let b = Coroutine::new(async |co| count(co, "B").await);
    let mut queue: VecDeque<Coroutine<'_, ()>> = [a, b].into();
    while let Some(mut coroutine) = queue.pop_front() {
        if coroutine.next().is_some() {
            queue.push_back(coroutine);
        }
    }
    drop(queue);
    steps.into_inner()
}

/// The loop has such a queue. `yield_now` puts the task at its end.
async fn by_tasks() -> Vec<String> {
    let steps = RefCell::new(Vec::new());
    let count = async |name| {
        for n in 1..=3 {
            steps.borrow_mut().push(format!("{name}{n}"));
            task::yield_now().await;
        }
    };
    task::gather([count("A"), count("B")]).await;
    steps.into_inner()
}
