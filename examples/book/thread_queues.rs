//! The queues: first in first out, last in first out, by priority, and one that counts its work.
//!
//! ```sh
//! cargo run --package evloop-book --example thread_queues
//! ```
//!
//! prints
//!
//! ```text
//! Queue: first second third
//! LifoQueue: third second first
//! PriorityQueue: (10, "a") (20, "b") (40, "c")
//! full: true, empty: false
//! nothing within 5ms
//! JoinableQueue: 3 cooks made 9 dishes, 2 guests ate 9
//! ```

use std::cell::Cell;
use std::time::Duration;

use evloop::queue::{LifoQueue, PriorityQueue, Queue};
use evloop::task::{self, JoinSet};
use evloop::time::{sleep, timeout};

fn main() {
    evloop::block_on(async {
        orders();
        limits().await;
        joinable().await;
    });
}

fn orders() {
    let (queue, stack) = (Queue::bounded(3), LifoQueue::bounded(3));
    for value in ["first", "second", "third"] {
        queue.try_put(value).expect("there is a free slot");
        stack.try_put(value).expect("there is a free slot");
    }
    let (mut queued, mut stacked) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        queued.push(queue.try_get().expect("there is a value"));
        stacked.push(stack.try_get().expect("there is a value"));
    }
    println!("Queue: {}", queued.join(" "));
    println!("LifoQueue: {}", stacked.join(" "));

    // The smaller the number, the higher the priority.
    let sorted = PriorityQueue::unbounded();
    for value in [(20, "b"), (10, "a"), (40, "c")] {
        sorted.try_put(value).expect("it has no limit");
    }
    let values: Vec<_> = (0..3).map(|_| format!("{:?}", sorted.try_get().unwrap())).collect();
    println!("PriorityQueue: {}", values.join(" "));
}

async fn limits() {
    let queue = Queue::bounded(1);
    queue.put("value").await.expect("the queue is open");
    println!("full: {}, empty: {}", queue.is_full(), queue.is_empty());
    queue.get().await.expect("the queue is open");
    let limit = Duration::from_millis(5);
    if timeout(limit, queue.get()).await.is_err() {
        println!("nothing within {limit:?}"); // Python: queue.get(timeout=...) raises Empty
    }
}

/// The guests are like Python's daemon threads: they wait for more for ever, so `main` ends them
/// when all dishes are eaten.
async fn joinable() {
    let (queue, eaten) = (std::rc::Rc::new(Queue::bounded(2)), std::rc::Rc::new(Cell::new(0)));
    let mut guests = JoinSet::new();
    for _ in 0..2 {
        let (queue, eaten) = (queue.clone(), eaten.clone());
        guests.spawn(async move {
            while let Ok(_dish) = queue.get().await {
                sleep(Duration::from_millis(2)).await;
                eaten.set(eaten.get() + 1);
                queue.task_done();
            }
        });
    }
    let cook = async |name: &str| {
        for n in 1..=3 {
            queue.put(format!("dish {n} of {name}")).await.expect("the queue is open");
        }
    };
    task::gather(["ann", "bea", "carl"].map(cook)).await; // the cooks have ended
    queue.join().await; // and each dish is eaten
    guests.shutdown().await;
    println!("JoinableQueue: 3 cooks made 9 dishes, 2 guests ate {}", eaten.get());
}
