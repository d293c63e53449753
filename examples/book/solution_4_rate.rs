//! Solution of exercise 4.2: a limit of lines per second, with bursts: a token bucket.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_4_rate
//! ```
//!
//! prints when lines are sent, in milliseconds, and which are accepted:
//!
//! ```text
//! 0 yes
//! 0 yes
//! 0 yes
//! 0 no
//! 400 no
//! 500 yes
//! 600 no
//! 2500 yes
//! 2500 yes
//! 2500 yes
//! 2500 no
//! ```
//!
//! The server has a bucket for each client, and calls `take(evloop::time::now())` for each line.
//! The bucket gets the time as an argument, so this program tries it without a clock.

use std::time::{Duration, Instant};

/// How many lines a second a client may send in the long run.
const RATE: f64 = 2.0;
/// How many lines a client may send at once.
const BURST: f64 = 3.0;

/// Holds up to `BURST` tokens. A line takes one, and `RATE` tokens a second come back.
struct Bucket {
    tokens: f64,
    counted_at: Instant,
}

impl Bucket {
    fn new(now: Instant) -> Bucket {
        Bucket { tokens: BURST, counted_at: now }
    }

    /// Takes a token. Returns whether there was one.
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.duration_since(self.counted_at).as_secs_f64();
        self.tokens = BURST.min(self.tokens + passed * RATE);
        self.counted_at = now;
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= 1.0;
        }
        is_allowed
    }
}

fn main() {
    let start = Instant::now();
    let mut bucket = Bucket::new(start);
    for millis in [0, 0, 0, 0, 400, 500, 600, 2500, 2500, 2500, 2500] {
        let is_allowed = bucket.take(start + Duration::from_millis(millis));
        println!("{millis} {}", if is_allowed { "yes" } else { "no" });
    }
}
