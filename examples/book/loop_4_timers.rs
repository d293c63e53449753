//! Step 4 of the loop: timers. The thread sleeps until the next deadline.
//!
//! ```sh
//! cargo run --package evloop-book --example loop_4_timers
//! ```
//!
//! prints
//!
//! ```text
//! 10 ms are over
//! 20 ms are over
//! 30 ms are over
//! ```
//!
//! and on stderr how long that took: about 30 ms, not 60.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

type Task = Pin<Box<dyn Future<Output = ()>>>;

fn main() {
    let begin = Instant::now();
    for millis in [30, 10, 20] {
        spawn(async move {
            sleep(Duration::from_millis(millis)).await;
            println!("{millis} ms are over");
        });
    }
    run();
    eprintln!("all took {} ms", begin.elapsed().as_millis());
}

thread_local! {
    static LOOP: Loop = Loop::default();
}

#[derive(Default)]
struct Loop {
    tasks: RefCell<Vec<Option<Task>>>,
    ready: Arc<Mutex<VecDeque<usize>>>,
    /// The timers by deadline. The number tells timers with the same deadline apart.
    timers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    timer_count: Cell<u64>,
}

struct TaskWaker {
    id: usize,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().expect("no thread panics").push_back(self.id);
    }
}

fn spawn(future: impl Future<Output = ()> + 'static) {
    LOOP.with(|this| {
        let mut tasks = this.tasks.borrow_mut();
        this.ready.lock().expect("no thread panics").push_back(tasks.len());
        tasks.push(Some(Box::pin(future)));
    });
}

/// Runs until no task is ready and no timer is set.
fn run() {
    LOOP.with(|this| {
        while this.wait() {
            this.fire_timers();
            while let Some(id) = this.pop() {
                this.poll(id);
            }
        }
    });
}

impl Loop {
    /// Sleeps until the next deadline, if no task is ready. Returns false if there is neither.
    fn wait(&self) -> bool {
        if !self.ready.lock().expect("no thread panics").is_empty() {
            return true;
        }
        let next = self.timers.borrow().keys().next().map(|(deadline, _)| *deadline);
        if let Some(deadline) = next {
            thread::sleep(deadline.saturating_duration_since(Instant::now()));
        }
        next.is_some()
    }

    /// Wakes the tasks whose deadline has passed.
    fn fire_timers(&self) {
        let later = self.timers.borrow_mut().split_off(&(Instant::now(), u64::MAX));
        for waker in self.timers.replace(later).into_values() {
            waker.wake();
        }
    }

    fn pop(&self) -> Option<usize> {
        self.ready.lock().expect("no thread panics").pop_front()
    }

    fn poll(&self, id: usize) {
        let Some(mut task) = self.tasks.borrow_mut()[id].take() else { return };
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: self.ready.clone() }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut()[id] = Some(task);
        }
    }
}

/// A future that is ready when its deadline has passed.
struct Sleep {
    deadline: Instant,
    /// Its number among the timers.
    number: u64,
}

fn sleep(duration: Duration) -> Sleep {
    let number = LOOP.with(|this| this.timer_count.replace(this.timer_count.get() + 1));
    Sleep { deadline: Instant::now() + duration, number }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let key = (self.deadline, self.number);
        LOOP.with(|this| this.timers.borrow_mut().insert(key, cx.waker().clone()));
        Poll::Pending
    }
}
