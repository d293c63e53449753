//! Solution of exercise 5.2: workers that find more work, and know when all is done.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_5_crawl
//! ```
//!
//! prints
//!
//! ```text
//! 4 workers visited 31 pages
//! ```
//!
//! An empty queue does not mean that the work is done: a worker may still find links. The queue
//! counts the pages that were put and not reported done. A worker puts the links of a page first,
//! and reports the page done after that. So the count is 0 only at the end.

use std::cell::RefCell;
use std::collections::BTreeSet;

use evloop::queue::Queue;
use evloop::task;

const WORKERS: usize = 4;

/// Returns the pages that a page links to: two below it, and the one above it.
async fn links(page: u32) -> Vec<u32> {
    task::yield_now().await; // a real program fetches the page
    let below = [2 * page, 2 * page + 1].into_iter().filter(|page| *page < 32);
    below.chain([page / 2].into_iter().filter(|page| *page > 0)).collect()
}

fn main() {
    evloop::block_on(async {
        // Without a limit: if all workers waited for a free slot, none would make one.
        let queue = Queue::unbounded();
        let seen = RefCell::new(BTreeSet::new());
        let put_new = |page| {
            if seen.borrow_mut().insert(page) {
                queue.try_put(page).expect("the queue is open and has no limit");
            }
        };
        put_new(1);
        task::scope(async |scope| {
            for _ in 0..WORKERS {
                scope.spawn(async {
                    while let Ok(page) = queue.get().await {
                        links(page).await.into_iter().for_each(put_new);
                        queue.task_done();
                    }
                });
            }
            queue.join().await;
            queue.close(); // ends the workers
        })
        .await;
        println!("{WORKERS} workers visited {} pages", seen.borrow().len());
    });
}
