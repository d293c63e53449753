//! Solution of exercise 3.2: a time limit for any future.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_3_timeout
//! ```
//!
//! prints
//!
//! ```text
//! 10 ms of work, limit 10 s: Some("done")
//! 10 s of work, limit 10 ms: None
//! ```
//!
//! The future that is late is dropped with `timeout`. Its timer stays in the toy's list until its
//! deadline, and then wakes a task that does not wait for it. The `Sleep` of evloop removes its
//! timer when it is dropped.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

#[allow(dead_code, reason = "this program uses no sockets")]
mod toy_loop;

use toy_loop::{block_on, sleep};

const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(10);

fn main() {
    block_on(async {
        println!("10 ms of work, limit 10 s: {:?}", timeout(LONG, work(SHORT)).await);
        println!("10 s of work, limit 10 ms: {:?}", timeout(SHORT, work(LONG)).await);
    });
}

async fn work(duration: Duration) -> &'static str {
    sleep(duration).await;
    "done"
}

/// Polls the future and a sleep. The one that is ready first decides.
async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut limit) = (pin!(future), pin!(sleep(limit)));
    poll_fn(|cx| {
        // The future comes first: if both are ready, its output is not lost.
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        limit.as_mut().poll(cx).map(|()| None)
    })
    .await
}
