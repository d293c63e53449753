//! Solution of exercise 3.1: a `spawn` whose handle is awaited for the output of the task.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_3_join_handle
//! ```
//!
//! prints
//!
//! ```text
//! the sum is 6
//! ```

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[allow(dead_code, reason = "this program uses no sockets")]
mod toy_loop;

fn main() {
    let sum = toy_loop::block_on(async {
        let handles = [30, 20, 10].map(|millis| {
            spawn(async move {
                toy_loop::sleep(Duration::from_millis(millis)).await;
                millis / 10
            })
        });
        let mut sum = 0;
        for handle in handles {
            sum += handle.await;
        }
        sum
    });
    println!("the sum is {sum}");
}

/// A future of the output of a task.
struct JoinHandle<T>(Rc<RefCell<State<T>>>);

/// What the task and its handle share. Both are on one thread, so it needs no lock.
struct State<T> {
    output: Option<T>,
    waker: Option<Waker>,
}

/// Spawns a task that stores its output and wakes the task that awaits the handle.
fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    let state = Rc::new(RefCell::new(State { output: None, waker: None }));
    let shared = state.clone();
    toy_loop::spawn(async move {
        let output = future.await;
        shared.borrow_mut().output = Some(output);
        // Taken out first: the waker is called while nothing is borrowed.
        let waker = shared.borrow_mut().waker.take();
        waker.into_iter().for_each(Waker::wake);
    });
    JoinHandle(state)
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.borrow_mut();
        match state.output.take() {
            Some(output) => Poll::Ready(output),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
