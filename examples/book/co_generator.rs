//! A generator: a function that yields values, receives values, and can be closed.
//!
//! ```sh
//! cargo run --package evloop-book --example co_generator
//! ```
//!
//! prints
//!
//! ```text
//! as an iterator: [3, 2, 1]
//! looking for "python"
//! found: "a python is a snake"
//! the generator is closed
//! send after close panics; is_finished: true
//! ```

use evloop::coroutine::Coroutine;

fn main() {
    let numbers: Vec<u32> = countdown(3).collect();
    println!("as an iterator: {numbers:?}");

    let mut search = grep("python");
    // Runs the body to its first yield. Before that it cannot receive a value.
    search.next();
    search.send("a tiger is a cat");
    search.send("a python is a snake");
    // Drops the variables of the body. It runs no further.
    search.close();
    println!("send after close panics; is_finished: {}", search.is_finished());
}

/// Yields `from`, and all numbers below it down to 1.
fn countdown(from: u32) -> Coroutine<'static, u32> {
    Coroutine::new(async move |co| {
        for n in (1..=from).rev() {
            co.yield_(n).await;
        }
    })
}

/// Receives lines and prints those that contain `word`.
fn grep(word: &'static str) -> Coroutine<'static, (), &'static str> {
    Coroutine::new(async move |co| {
        println!("looking for {word:?}");
        // Python raises GeneratorExit at the yield. In Rust the destructors of the variables run.
        let _closed = OnDrop("the generator is closed");
        loop {
            let line: &str = co.yield_(()).await;
            if line.contains(word) {
                println!("found: {line:?}");
            }
        }
    })
}

/// Prints its text when it is dropped.
struct OnDrop(&'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}
