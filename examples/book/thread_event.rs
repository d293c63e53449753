//! `event.wait(0.5)`, three times: a client waits until a database is up, but not for ever.
//!
//! ```sh
//! cargo run --package evloop-book --example thread_event
//! ```
//!
//! prints
//!
//! ```text
//! up after 1.2 s:
//! attempt 1
//! attempt 2
//! attempt 3
//! connected
//! up after 2 s:
//! attempt 1
//! attempt 2
//! attempt 3
//! no connection after 3 attempts
//! ```
//!
//! It waits for a tenth of these times.

use std::time::Duration;

use evloop::sync::Event;
use evloop::task;
use evloop::time::{sleep, timeout};

/// The course's second.
const SECOND: Duration = Duration::from_millis(100);

fn main() {
    evloop::block_on(async {
        for seconds in [1.2, 2.0] {
            println!("up after {seconds} s:");
            let is_up = Event::new();
            let connected = task::scope(async |scope| {
                scope.spawn(async {
                    sleep(SECOND.mul_f64(seconds)).await;
                    is_up.set();
                });
                connect(&is_up).await
            });
            match connected.await {
                Ok(()) => println!("connected"),
                Err(attempts) => println!("no connection after {attempts} attempts"),
            }
        }
    });
}

/// Waits for the event. An error is the number of attempts.
async fn connect(is_up: &Event) -> Result<(), u32> {
    for attempt in 1..=3 {
        println!("attempt {attempt}");
        // Python: `event.wait(0.5)` returns whether the event is set.
        if timeout(SECOND / 2, is_up.wait()).await.is_ok() {
            return Ok(());
        }
    }
    Err(3)
}
