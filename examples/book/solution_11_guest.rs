//! Solution of exercise 11.2: a loop inside the loop of a program that draws a picture each 16 ms.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_11_guest
//! ```
//!
//! prints, with the delay of each picture on stderr,
//!
//! ```text
//! 6 pictures
//! 300 tasks have ended
//! ```
//!
//! `turn` gets the time until the next picture as its limit. It returns earlier when something has
//! happened, so it is called again until the time has come. A turn runs a limited number of polls,
//! `batch_max`: a crowd of ready tasks does not delay a picture.

use std::io;
use std::time::{Duration, Instant};

use evloop::Runtime;
use evloop::time::sleep;

const PICTURE: Duration = Duration::from_millis(16);

fn main() -> io::Result<()> {
    let mut runtime = Runtime::builder().batch_max(64).build()?;
    let tasks: Vec<_> = (0..300)
        .map(|n| {
            runtime.spawn(async move {
                for _ in 0..5 {
                    sleep(Duration::from_millis(n % 10)).await;
                }
            })
        })
        .collect();
    let start = Instant::now();
    for picture in 1..=6 {
        let next = start + picture * PICTURE;
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            runtime.turn(Some(left))?;
        }
        eprintln!("picture {picture}: {:?} late", Instant::now() - next);
    }
    println!("6 pictures");
    // What is left runs to its end.
    runtime.run_until_empty()?;
    println!("{} tasks have ended", tasks.iter().filter(|task| task.is_finished()).count());
    Ok(())
}
