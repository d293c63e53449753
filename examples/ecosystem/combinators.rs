//! join!, select!, race and similar combinators of this crate and of well-known ones, on this loop.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin combinators
//! ```
//!
//! It prints:
//!
//! ```text
//! evloop::join: slow fast
//! evloop::select: fast
//! evloop::task::race: fast
//! futures::join: slow fast
//! futures::select: fast
//! futures::FuturesUnordered: a b c
//! futures_lite::race: fast
//! futures_concurrency::join: slow fast
//! futures_concurrency::race: fast
//! ```

use std::time::Duration;

use evloop::time::sleep;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, join, pin_mut, select_biased};
use futures_concurrency::prelude::*;

/// Returns `name` after some milliseconds.
async fn after(milliseconds: u64, name: &'static str) -> &'static str {
    sleep(Duration::from_millis(milliseconds)).await;
    name
}

fn main() {
    evloop::block_on(async {
        let (first, second) = evloop::join!(after(20, "slow"), after(1, "fast"));
        println!("evloop::join: {first} {second}");

        evloop::select! {
            name = after(200, "slow") => println!("evloop::select: {name}"),
            name = after(1, "fast") => println!("evloop::select: {name}"),
        }

        let name = evloop::task::race([after(200, "slow"), after(1, "fast")]).await;
        println!("evloop::task::race: {name}");

        let (first, second) = join!(after(20, "slow"), after(1, "fast"));
        println!("futures::join: {first} {second}");

        let (slow, fast) = (after(200, "slow").fuse(), after(1, "fast").fuse());
        pin_mut!(slow, fast);
        select_biased! {
            name = slow => println!("futures::select: {name}"),
            name = fast => println!("futures::select: {name}"),
        }

        let works = [after(40, "c"), after(1, "a"), after(20, "b")];
        let order: Vec<_> = FuturesUnordered::from_iter(works).collect().await;
        println!("futures::FuturesUnordered: {}", order.join(" "));

        let name = futures_lite::future::race(after(200, "slow"), after(1, "fast")).await;
        println!("futures_lite::race: {name}");

        let (first, second) = (after(20, "slow"), after(1, "fast")).join().await;
        println!("futures_concurrency::join: {first} {second}");

        let name = (after(200, "slow"), after(1, "fast")).race().await;
        println!("futures_concurrency::race: {name}");
    });
}
