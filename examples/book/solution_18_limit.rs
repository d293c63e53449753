//! Solution of exercise 18.1: a client with a time limit, and one without, when their server has
//! crashed.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_18_limit
//! ```
//!
//! prints
//!
//! ```text
//! with a time limit: all are answered within 5 s after the restart
//! without: some wait longer
//! ```
//!
//! A host without power sends nothing. A client that has sent its request and only reads gets no
//! error: it waits for ever. A client that connects repeats its packet after 1, 2 and 4 seconds.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::time::{sleep, timeout};
use evloop::{random, sim};

const SECOND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
/// Longer than any run: no limit.
const NEVER: Duration = Duration::from_secs(1_000_000);
const SEEDS: u64 = 100;

fn main() {
    let text = |late| {
        if late == 0 { "all are answered within 5 s after the restart" } else { "some wait longer" }
    };
    println!("with a time limit: {}", text(late_worlds(SECOND)));
    println!("without: {}", text(late_worlds(NEVER)));
}

/// Returns the number of worlds in which the client has no answer 5 s after the restart.
fn late_worlds(limit: Duration) -> usize {
    let mut late = 0;
    sim::check_in_turn(0..SEEDS, |sim| {
        let answers = Cell::new(0);
        sim.latency(Duration::from_millis(1)..PAUSE);
        sim.run(async |world| {
            let server = world.host("server", serve);
            world.host("client", async || ask(limit, &answers).await);
            sleep(Duration::from_millis(random::range(1000..2000))).await;
            server.crash();
            sleep(4 * SECOND).await;
            server.restart();
            let before = answers.get();
            let answered = async {
                while answers.get() == before {
                    sleep(PAUSE).await;
                }
            };
            late += usize::from(timeout(5 * SECOND, answered).await.is_err());
        });
    });
    late
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        // The peer may have gone.
        _ = stream.write_all(b"!").await;
    }
}

/// Asks the server again and again, and counts its answers.
async fn ask(limit: Duration, answers: &Cell<u32>) -> io::Result<()> {
    loop {
        let answer = timeout(limit, async {
            let stream = TcpStream::connect("server:80").await?;
            stream.read_exact(&mut [0; 1]).await
        });
        if let Ok(Ok(())) = answer.await {
            answers.set(answers.get() + 1);
        }
        sleep(PAUSE).await;
    }
}
