//! Step 2 of the loop: a waker. The thread sleeps until the future can make progress.
//!
//! ```sh
//! cargo run --package evloop-book --example loop_2_waker
//! ```
//!
//! prints
//!
//! ```text
//! poll: Pending
//! wake
//! poll: Ready("the answer")
//! ```

use std::fmt::Debug;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

fn main() {
    let answer = Answer::default();
    let shared = answer.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        shared.set("the answer");
    });
    block_on(answer);
}

/// A value that another thread sets: a future of the value.
#[derive(Clone, Default)]
struct Answer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    value: Option<&'static str>,
    /// The waker of the task that was polled last.
    waker: Option<Waker>,
}

impl Answer {
    fn set(&self, value: &'static str) {
        let mut state = self.0.lock().expect("no thread panics");
        state.value = Some(value);
        let waker = state.waker.take();
        // A waker is code of the executor. It is called after the lock was released.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Answer {
    type Output = &'static str;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        let mut state = self.0.lock().expect("no thread panics");
        match state.value {
            Some(value) => Poll::Ready(value),
            None => {
                // The lock is held: the value cannot be set between the look and this line.
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Wakes a thread.
struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        println!("wake");
        // If the thread does not sleep yet, its next `park` returns at once: no wake is lost.
        self.0.unpark();
    }
}

/// Polls the future, and sleeps between two polls until the waker is called.
fn block_on<F: Future<Output: Debug>>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        let poll = future.as_mut().poll(&mut cx);
        println!("poll: {poll:?}");
        match poll {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
