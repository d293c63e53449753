//! Step 3 of the loop: a run queue. Many tasks share one thread.
//!
//! ```sh
//! cargo run --package evloop-book --example loop_3_run_queue
//! ```
//!
//! prints
//!
//! ```text
//! A1 B1 A2 B2 A3 B3
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Task = Pin<Box<dyn Future<Output = ()>>>;

fn main() {
    spawn(count("A"));
    spawn(count("B"));
    run();
    println!();
}

async fn count(name: &'static str) {
    for n in 1..=3 {
        let space = if n == 3 && name == "B" { "" } else { " " };
        print!("{name}{n}{space}");
        yield_now().await;
    }
}

thread_local! {
    static LOOP: Loop = Loop::default();
}

#[derive(Default)]
struct Loop {
    /// The tasks, by number. The place is empty while the task runs, and after its end.
    tasks: RefCell<Vec<Option<Task>>>,
    /// The numbers of the tasks to poll, first in first out.
    ready: Arc<Mutex<VecDeque<usize>>>,
}

/// Puts a task into the run queue. Its waker must be `Send` and `Sync`, the task need not be: so
/// the waker holds the number of the task.
struct TaskWaker {
    id: usize,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().expect("no thread panics").push_back(self.id);
    }
}

/// Adds a task to the loop of this thread. It runs when the loop runs.
fn spawn(future: impl Future<Output = ()> + 'static) {
    LOOP.with(|this| {
        let mut tasks = this.tasks.borrow_mut();
        this.ready.lock().expect("no thread panics").push_back(tasks.len());
        tasks.push(Some(Box::pin(future)));
    });
}

/// Runs the tasks until none of them is ready.
fn run() {
    LOOP.with(|this| {
        while let Some(id) = this.pop() {
            this.poll(id);
        }
    });
}

impl Loop {
    fn pop(&self) -> Option<usize> {
        self.ready.lock().expect("no thread panics").pop_front()
    }

    fn poll(&self, id: usize) {
        // Taken out of its place: the task may spawn others, which borrows the list.
        let Some(mut task) = self.tasks.borrow_mut()[id].take() else { return };
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: self.ready.clone() }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut()[id] = Some(task);
        }
    }
}

/// Lets the other ready tasks run: wakes its own task, so it goes to the end of the queue.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
