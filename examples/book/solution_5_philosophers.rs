//! Solution of exercise 5.1: five philosophers and five forks, without a deadlock.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_5_philosophers
//! ```
//!
//! prints
//!
//! ```text
//! left fork first: nobody has eaten
//! lower number first: 15 meals
//! ```
//!
//! In a circle of tasks that wait for each other, each waits for a lock with a higher number than
//! the locks that it holds. That is impossible: the numbers cannot rise all around a circle.

use std::cell::Cell;
use std::time::Duration;

use evloop::sync::Mutex;
use evloop::task::{self, yield_now};
use evloop::time::timeout;

const SEATS: usize = 5;
const MEALS: usize = 3;

fn main() {
    evloop::block_on(async {
        match timeout(Duration::from_millis(50), dinner(|left, right| (left, right))).await {
            Ok(meals) => println!("left fork first: {meals} meals"),
            Err(_) => println!("left fork first: nobody has eaten"),
        }
        let meals = dinner(|left, right| (left.min(right), left.max(right))).await;
        println!("lower number first: {meals} meals");
    });
}

/// Lets all philosophers eat. `order` says which fork is taken first. Returns the number of meals.
async fn dinner(order: impl Fn(usize, usize) -> (usize, usize)) -> usize {
    let forks: [Mutex<()>; SEATS] = Default::default();
    let meals = Cell::new(0);
    let philosopher = async |seat: usize| {
        let (first, second) = order(seat, (seat + 1) % SEATS);
        for _ in 0..MEALS {
            let _first = forks[first].lock().await;
            yield_now().await;
            let _second = forks[second].lock().await;
            yield_now().await;
            meals.set(meals.get() + 1);
        }
    };
    task::gather((0..SEATS).map(philosopher)).await;
    meals.get()
}
