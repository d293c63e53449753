//! `Semaphore(5)` with 23 tasks: five are inside, the others wait in their order.
//!
//! ```sh
//! cargo run --package evloop-book --example thread_semaphore
//! ```
//!
//! prints
//!
//! ```text
//! in: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
//! at most 5 at a time
//! ```

use std::cell::{Cell, RefCell};
use std::time::Duration;

use evloop::sync::Semaphore;
use evloop::task;
use evloop::time::sleep;

fn main() {
    evloop::block_on(async {
        let semaphore = Semaphore::new(5);
        let (inside, most) = (Cell::new(0), Cell::new(0));
        let order = RefCell::new(Vec::new());
        let visit = async |n: u64| {
            let _permit = semaphore.acquire().await.expect("the semaphore is not closed");
            order.borrow_mut().push(n.to_string());
            inside.set(inside.get() + 1);
            most.set(most.get().max(inside.get()));
            sleep(Duration::from_millis(5 + n % 3)).await;
            inside.set(inside.get() - 1);
            // Dropping the permit wakes the task that has waited longest.
        };
        task::gather((1..=23).map(visit)).await;
        println!("in: {}", order.borrow().join(" "));
        println!("at most {} at a time", most.get());
    });
}
