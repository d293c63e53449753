//! The program. Unix only: it needs the descriptor of a loop.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use evloop::Runtime;
use evloop::io::AsyncFd;
use evloop::time::sleep;

pub(crate) fn main() -> io::Result<()> {
    evloop::block_on(async {
        let mut inner = Runtime::new()?;
        let tocks = inner.spawn(print("inner: tock", Duration::from_millis(20)));
        let ticks = evloop::spawn(print("outer: tick", Duration::ZERO));
        // A second descriptor of the same selector, since `turn` borrows the loop mutably.
        let events = AsyncFd::new(inner.as_fd().try_clone_to_owned()?)?;
        while !tocks.is_finished() {
            events.readable().await?;
            inner.turn(Some(Duration::ZERO))?;
        }
        ticks.await?;
        println!("both are done");
        Ok(())
    })
}

/// Prints a line three times, 40 ms apart.
async fn print(text: &str, delay: Duration) {
    sleep(delay).await;
    for count in 1..=3 {
        println!("{text} {count}");
        sleep(Duration::from_millis(40)).await;
    }
}
