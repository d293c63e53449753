//! Solution of exercise 2.1: a coroutine that yields a running average and returns a summary.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_2_average
//! ```
//!
//! prints
//!
//! ```text
//! 10 -> 10
//! 20 -> 15
//! 30 -> 20
//! 3 values, average 20
//! ```

use evloop::coroutine::{Coroutine, Step};

fn main() {
    let mut averages = averager();
    averages.next();
    for value in [10.0, 20.0, 30.0] {
        if let Step::Yielded(Some(average)) = averages.send(Some(value)) {
            println!("{value} -> {average}");
        }
    }
    // Python writes `return` in the generator, and the caller catches StopIteration.
    if let Step::Returned(summary) = averages.send(None) {
        println!("{summary}");
    }
}

/// Receives values. `None` ends it. There is no average before the first value.
fn averager() -> Coroutine<'static, Option<f64>, Option<f64>, String> {
    Coroutine::new(async |co| {
        let (mut sum, mut count) = (0.0, 0);
        let mut average = None;
        while let Some(value) = co.yield_(average).await {
            sum += value;
            count += 1;
            average = Some(sum / f64::from(count));
        }
        format!("{count} values, average {}", average.unwrap_or(0.0))
    })
}
