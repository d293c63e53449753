//! A coroutine in a thread of its own: the sender passes values on and does not wait for their use.
//!
//! ```sh
//! cargo run --package evloop-book --example co_thread
//! ```
//!
//! prints
//!
//! ```text
//! sum: 6
//! the coroutine ran in another thread: true
//! ```
//!
//! A coroutine stays on the thread on which it was made. So the thread makes it, and the two sides
//! share a channel.

use std::thread::{self, JoinHandle, ThreadId};

use evloop::coroutine::{Coroutine, Step};
use evloop::sync::thread_channel::{self, Sender};

/// A coroutine that receives numbers, and ends with a result when it receives `None`.
type Sum = Coroutine<'static, (), Option<u32>, (u32, ThreadId)>;

fn main() {
    evloop::block_on(async {
        let (sender, thread) = in_thread(sum);
        for n in [1, 2, 3] {
            // Waits while the channel is full. The loop runs other tasks meanwhile.
            sender.send(n).await.expect("the thread receives");
        }
        drop(sender); // ends the coroutine: its next value is `None`
        // `join` blocks. The loop must not: a thread of the blocking pool waits for the other one.
        let joined = evloop::task::spawn_blocking(|| thread.join()).await;
        let (sum, id) = joined.expect("join does not panic").expect("the coroutine does not panic");
        println!("sum: {sum}");
        println!("the coroutine ran in another thread: {}", id != thread::current().id());
    });
}

/// Starts a thread, which makes a coroutine and sends it each value of the channel.
fn in_thread(make: fn() -> Sum) -> (Sender<u32>, JoinHandle<(u32, ThreadId)>) {
    let (sender, mut receiver) = thread_channel::bounded(4);
    let thread = thread::spawn(move || {
        let mut target = make();
        target.next();
        loop {
            // Blocks this thread. `None`: all senders were dropped.
            if let Step::Returned(result) = target.send(receiver.blocking_recv()) {
                return result;
            }
        }
    });
    (sender, thread)
}

fn sum() -> Sum {
    Coroutine::new(async |co| {
        let mut sum = 0;
        while let Some(n) = co.yield_(()).await {
            sum += n;
        }
        (sum, thread::current().id())
    })
}
