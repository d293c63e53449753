//! Solution of exercise 3.3: a loop that sleeps in the selector and is woken by another thread.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_3_threads
//! ```
//!
//! prints
//!
//! ```text
//! the loop received 3 values
//! ```
//!
//! The loop here has one task. What matters is the order of its steps, and of those of `wake`.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use mio::{Events, Token};

/// The token of the waker of the selector.
const WAKE: Token = Token(0);

/// What the loop and other threads share.
struct LoopWaker {
    /// The task was woken, and has not been polled since.
    is_woken: AtomicBool,
    /// Ends the wait of the selector: on Linux a write to an eventfd, which is registered with it.
    selector: mio::Waker,
}

impl Wake for LoopWaker {
    fn wake(self: Arc<Self>) {
        // Wakes that come before the next poll cost no more system calls.
        if !self.is_woken.swap(true, Ordering::SeqCst) {
            self.selector.wake().expect("the selector exists");
        }
    }
}

fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let mut selector = mio::Poll::new()?;
    let shared = Arc::new(LoopWaker {
        is_woken: AtomicBool::new(true),
        selector: mio::Waker::new(selector.registry(), WAKE)?,
    });
    let waker = Waker::from(shared.clone());
    let mut cx = Context::from_waker(&waker);
    let (mut future, mut events) = (pin!(future), Events::with_capacity(8));
    loop {
        // Reset before the poll: a wake that comes during the poll causes another one. Reset after
        // the poll, it would delete that wake.
        if shared.is_woken.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Ok(output);
            }
        }
        // A wake since then has written to the eventfd, so this wait returns at once.
        selector.poll(&mut events, None)?;
    }
}

/// The values that another thread has sent, and the waker of the task that waits for more.
#[derive(Default)]
struct Channel {
    values: Vec<u32>,
    waker: Option<Waker>,
}

fn main() -> io::Result<()> {
    let channel = Arc::new(Mutex::new(Channel::default()));
    let sending = channel.clone();
    let sender = thread::spawn(move || {
        for n in 1..=3 {
            thread::sleep(Duration::from_millis(5));
            let mut channel = sending.lock().expect("no thread panics");
            channel.values.push(n);
            let waker = channel.waker.take();
            drop(channel);
            waker.into_iter().for_each(Waker::wake);
        }
    });
    let received = block_on(poll_fn(|cx| {
        let mut channel = channel.lock().expect("no thread panics");
        if channel.values.len() == 3 {
            return Poll::Ready(channel.values.len());
        }
        channel.waker = Some(cx.waker().clone());
        Poll::Pending
    }))?;
    println!("the loop received {received} values");
    sender.join().expect("the sender does not panic");
    Ok(())
}
