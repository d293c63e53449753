//! A deadlock of two locks: two tasks lock them in opposite orders.
//!
//! ```sh
//! cargo run --package evloop-book --example thread_deadlock
//! ```
//!
//! prints
//!
//! ```text
//! opposite orders:
//! ann has the fork
//! bea has the noodles
//! nothing happens within 100ms
//! one order:
//! ann has the fork
//! ann has the noodles
//! bea has the fork
//! bea has the noodles
//! ```

use std::time::Duration;

use evloop::sync::Mutex;
use evloop::task::{self, yield_now};
use evloop::time::timeout;

/// A lock has a name here.
struct Lock(&'static str, Mutex<()>);

fn main() {
    evloop::block_on(async {
        let fork = &Lock("the fork", Mutex::new(()));
        let noodles = &Lock("the noodles", Mutex::new(()));
        let limit = Duration::from_millis(100);

        println!("opposite orders:");
        let both = task::scope(async |scope| {
            scope.spawn(eat("ann", fork, noodles));
            scope.spawn(eat("bea", noodles, fork));
        });
        // A time limit ends a deadlock, since it drops both tasks and with them their guards.
        if timeout(limit, both).await.is_err() {
            println!("nothing happens within {limit:?}");
        }

        println!("one order:");
        task::gather([eat("ann", fork, noodles), eat("bea", fork, noodles)]).await;
    });
}

/// Takes both locks.
async fn eat(name: &str, first: &Lock, second: &Lock) {
    let _first = first.1.lock().await;
    println!("{name} has {}", first.0);
    yield_now().await; // the other task takes its first lock
    let _second = second.1.lock().await;
    println!("{name} has {}", second.0);
}
