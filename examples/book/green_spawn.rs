//! Spawn and joinall: two functions that wait 0.2 s and 0.1 s take 0.2 s together, not 0.3 s.
//!
//! ```sh
//! cargo run --package evloop-book --example green_spawn
//! ```
//!
//! prints
//!
//! ```text
//! one after the other:
//! ann eats 1
//! ann eats 2
//! ann plays 1
//! ann plays 2
//! together:
//! bea eats 1
//! bea plays 1
//! bea plays 2
//! bea eats 2
//! ```
//!
//! and the times to stderr, such as `one after the other: 301 ms`, `together: 200 ms`. The course's
//! program waits ten times as long.

use std::time::Duration;

use evloop::task;
use evloop::time::{now, sleep};

/// The course's `gevent.sleep(1)`.
const SECOND: Duration = Duration::from_millis(100);

async fn eat(name: &str) {
    println!("{name} eats 1");
    sleep(2 * SECOND).await;
    println!("{name} eats 2");
}

async fn play(name: &str) {
    println!("{name} plays 1");
    sleep(SECOND).await;
    println!("{name} plays 2");
}

fn main() {
    evloop::block_on(async {
        println!("one after the other:");
        let start = now();
        eat("ann").await;
        play("ann").await;
        eprintln!("one after the other: {} ms", start.elapsed().as_millis());

        println!("together:");
        let start = now();
        // gevent.joinall([gevent.spawn(eat, "bea"), gevent.spawn(play, "bea")])
        let tasks = [evloop::spawn(eat("bea")), evloop::spawn(play("bea"))];
        for ended in task::gather(tasks).await {
            ended.expect("neither task panics");
        }
        eprintln!("together: {} ms", start.elapsed().as_millis());
    });
}
