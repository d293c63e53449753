//! Solution of exercise 2.3: a stage that counts, and the order in which stages are dropped.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_2_count
//! ```
//!
//! prints
//!
//! ```text
//! found: a python is a snake
//! found: python generators
//! the counter is dropped after 3 lines
//! the filter is dropped
//! the printer is dropped
//! ```
//!
//! The first stage is dropped first. Its own variables go, then the next stage, which it holds.

use std::cell::Cell;

use evloop::coroutine::Coroutine;

/// A coroutine that receives lines and yields no values.
type Sink = Coroutine<'static, (), &'static str>;

fn main() {
    let mut pipeline = count(grep("python", printer()));
    pipeline.next();
    for line in ["a python is a snake", "a tiger is a cat", "python generators"] {
        pipeline.send(line);
    }
    drop(pipeline);
}

/// Calls its function when it is dropped.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Forwards each line, and counts.
fn count(mut target: Sink) -> Sink {
    target.next();
    Coroutine::new(async move |co| {
        let count = Cell::new(0);
        let _dropped = OnDrop(|| println!("the counter is dropped after {} lines", count.get()));
        loop {
            target.send(co.yield_(()).await);
            count.set(count.get() + 1);
        }
    })
}

/// Forwards the lines that contain `word`.
fn grep(word: &'static str, mut target: Sink) -> Sink {
    target.next();
    Coroutine::new(async move |co| {
        let _dropped = OnDrop(|| println!("the filter is dropped"));
        loop {
            let line: &str = co.yield_(()).await;
            if line.contains(word) {
                target.send(line);
            }
        }
    })
}

fn printer() -> Sink {
    Coroutine::new(async |co| {
        let _dropped = OnDrop(|| println!("the printer is dropped"));
        loop {
            println!("found: {}", co.yield_(()).await);
        }
    })
}
