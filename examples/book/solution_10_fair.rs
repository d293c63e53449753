//! Solution of exercise 10.1: a task ticks while another one computes.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_10_fair
//! ```
//!
//! prints, with the numbers of ticks on stderr,
//!
//! ```text
//! as it is: no tick
//! with consume_budget: ticks
//! with spawn_blocking: ticks
//! ```
//!
//! Without an await the loop is stopped for the time of the computation.

use std::cell::Cell;
use std::time::{Duration, Instant};

use evloop::task;
use evloop::time::interval;

const COMPUTATION: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_millis(5);

/// A piece of the computation, of some microseconds.
fn piece() {
    std::hint::black_box((0..1000_u64).fold(0, |sum, n| sum ^ n.wrapping_mul(n)));
}

async fn count_ticks(name: &str, computation: impl Future<Output = ()>) {
    let ticks = Cell::new(0);
    let tick = async {
        let mut interval = interval(PERIOD);
        interval.tick().await; // the first one comes at once
        loop {
            interval.tick().await;
            ticks.set(ticks.get() + 1);
        }
    };
    evloop::select! {
        biased;
        () = computation => {}
        () = tick => {}
    }
    println!("{name}: {}", if ticks.get() == 0 { "no tick" } else { "ticks" });
    eprintln!("{name}: {} ticks", ticks.get());
}

fn main() {
    evloop::block_on(async {
        let as_it_is = async {
            let start = Instant::now();
            while start.elapsed() < COMPUTATION {
                piece();
            }
        };
        count_ticks("as it is", as_it_is).await;

        let in_pieces = async {
            let start = Instant::now();
            while start.elapsed() < COMPUTATION {
                piece();
                task::consume_budget().await;
            }
        };
        count_ticks("with consume_budget", in_pieces).await;

        let on_a_thread = async {
            let compute = || {
                let start = Instant::now();
                while start.elapsed() < COMPUTATION {
                    piece();
                }
            };
            task::spawn_blocking(compute).await.expect("it does not panic");
        };
        count_ticks("with spawn_blocking", on_a_thread).await;
    });
}
