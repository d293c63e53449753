//! Two coroutines take turns on one thread: while one sleeps, the other runs.
//!
//! ```sh
//! cargo run --example hello
//! ```
//!
//! prints at once:
//!
//! ```text
//! Hello world! (first)
//! Hello world! (second)
//! ```
//!
//! and a second later, since both sleep at the same time:
//!
//! ```text
//! Hello again! (first)
//! Hello again! (second)
//! ```

use std::time::Duration;

use evloop::time::sleep;

async fn greet(name: &str) {
    println!("Hello world! ({name})");
    sleep(Duration::from_secs(1)).await;
    println!("Hello again! ({name})");
}

fn main() {
    evloop::block_on(async {
        let first = evloop::spawn(greet("first"));
        let second = evloop::spawn(greet("second"));
        first.await.expect("the task does not panic");
        second.await.expect("the task does not panic");
    });
}
