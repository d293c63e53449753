//! Solution of exercise 7.1: takes messages until none comes for a while, for a time in all, or
//! until an event.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_7_select
//! ```
//!
//! prints
//!
//! ```text
//! 5 ms apart: received 19, the time is over
//! 15 ms apart, then silence: received 3, idle
//! stopped: received 1, stopped
//! ```
//!
//! The total is one future for all rounds: it is made before the loop. The idle time begins with
//! each message: it is made in the loop. The event may be either, since it stays set. The programs
//! run on virtual time, so the counts are exact.

use std::pin::pin;
use std::time::Duration;

use evloop::sim;
use evloop::sync::{Event, mpsc};
use evloop::task;
use evloop::time::sleep;

const IDLE: Duration = Duration::from_millis(20);
const TOTAL: Duration = Duration::from_millis(98);

async fn receive(mut messages: mpsc::Receiver<()>, stop: &Event) -> (u32, &'static str) {
    let mut total = pin!(sleep(TOTAL));
    let mut count = 0;
    loop {
        evloop::select! {
            message = messages.recv() => match message {
                Some(()) => count += 1,
                None => return (count, "closed"),
            },
            () = &mut total => return (count, "the time is over"),
            () = sleep(IDLE) => return (count, "idle"),
            () = stop.wait() => return (count, "stopped"),
        }
    }
}

/// Sends so many messages, with a pause before each. Then sets the event, or stays silent.
async fn try_it(name: &str, count: u32, pause: Duration, sets_stop: bool) {
    let (sender, messages) = mpsc::bounded(1);
    let stop = Event::new();
    let (count, reason) = task::scope(async |scope| {
        let send = async {
            for _ in 0..count {
                sleep(pause).await;
                if sender.send(()).await.is_err() {
                    return;
                }
            }
            if sets_stop {
                task::yield_now().await;
                stop.set();
            }
            std::future::pending::<()>().await
        };
        scope.spawn(send);
        let result = receive(messages, &stop).await;
        scope.cancel();
        result
    })
    .await;
    println!("{name}: received {count}, {reason}");
}

fn main() {
    let milliseconds = Duration::from_millis;
    sim::run(1, async |_world| {
        try_it("5 ms apart", 100, milliseconds(5), false).await;
        try_it("15 ms apart, then silence", 3, milliseconds(15), false).await;
        try_it("stopped", 1, milliseconds(5), true).await;
    });
}
