//! Step 1 of the loop: a future by hand, and a function that polls it until it is ready.
//!
//! ```sh
//! cargo run --package evloop-book --example loop_1_future
//! ```
//!
//! prints
//!
//! ```text
//! pending, 3 left
//! pending, 2 left
//! pending, 1 left
//! "lift-off" after 4 polls
//! pending, 1 left
//! pending, 1 left
//! "lift-off, lift-off" after 3 polls
//! ```

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

fn main() {
    let (output, polls) = block_on(Countdown { left: 3 });
    println!("{output:?} after {polls} polls");

    // The compiler makes a future of an async block. Its poll polls the future that is awaited.
    let (output, polls) = block_on(async {
        let first = Countdown { left: 1 }.await;
        let second = Countdown { left: 1 }.await;
        format!("{first}, {second}")
    });
    println!("{output:?} after {polls} polls");
}

/// A future that is ready at the poll after `left` others.
struct Countdown {
    left: u32,
}

impl Future for Countdown {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<&'static str> {
        if self.left == 0 {
            return Poll::Ready("lift-off");
        }
        println!("pending, {} left", self.left);
        self.left -= 1;
        Poll::Pending
    }
}

/// Polls the future again and again. Returns its output and the number of polls.
fn block_on<F: Future>(future: F) -> (F::Output, u32) {
    // A future may hold references to itself. A pinned value is not moved any more.
    let mut future = pin!(future);
    // A waker that does nothing. Step 2 has a better one.
    let mut cx = Context::from_waker(Waker::noop());
    for polls in 1.. {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return (output, polls);
        }
    }
    unreachable!("the range has no end")
}
