//! A chat server, stage 7: the server of stage 6 in 100 simulated worlds.
//!
//! ```sh
//! cargo run --package evloop-book --example chat_7_simulated
//! ```
//!
//! prints
//!
//! ```text
//! 100 worlds, each of 330 seconds
//! ```
//!
//! The power of bea's host fails. No packet tells the server, so it notices by the time limit, and
//! tells ann. Five minutes of waiting take no time here.

use std::io;
use std::time::Duration;

use evloop::sync::Event;
use evloop::time::{interval, sleep};
use evloop::{StreamReader, StreamWriter, open_connection, sim};

#[path = "chat_6_shutdown.rs"]
#[allow(dead_code)] // its `main`
mod chat;

const SECOND: Duration = Duration::from_secs(1);
const WORLDS: u64 = 100;

fn main() {
    sim::check(0..WORLDS, |sim| {
        let stop = Event::new();
        // The times of the packets differ from seed to seed, and so do the sizes of the reads.
        sim.latency(Duration::from_millis(1)..Duration::from_millis(50)).short_io(0.3);
        sim.run(async |world| {
            world.host("server", async || serve(&stop).await);
            sleep(SECOND).await;
            let ann = world.client("ann", async || listen("ann").await);
            sleep(SECOND).await;
            world.host("bea", async || {
                let (_reader, writer) = join("bea").await?;
                writer.write("hello\n");
                std::future::pending::<io::Result<()>>().await
            });
            sleep(8 * SECOND).await;
            world.find("bea").crash();
            sleep(320 * SECOND).await;
            stop.set();
            let said = ann.await.expect("ann is connected to the end");
            let wanted = [
                "* your name?",
                "* bea is in lobby",
                "<bea> hello",
                "* bea has left lobby",
                "* the server ends",
            ];
            assert_eq!(said, wanted);
            assert_eq!(world.elapsed().as_secs(), 330);
        });
    });
    println!("{WORLDS} worlds, each of 330 seconds");
}

/// The program of the server's host.
async fn serve(stop: &Event) -> io::Result<usize> {
    let (server, chat) = chat::start("server:7777", Default::default()).await?;
    let stopped = async {
        stop.wait().await;
        Ok(())
    };
    chat::serve_until(&server, &chat, stopped).await
}

async fn join(name: &str) -> io::Result<(StreamReader, StreamWriter)> {
    let (reader, writer) = open_connection("server:7777").await?;
    writer.write(format!("{name}\n"));
    Ok((reader, writer))
}

/// A client that sends an empty line each minute, so that the server does not end it. Returns the
/// lines that it received.
async fn listen(name: &str) -> io::Result<Vec<String>> {
    let (mut reader, writer) = join(name).await?;
    let mut minutes = interval(60 * SECOND);
    let mut said = Vec::new();
    loop {
        evloop::select! {
            line = reader.read_line() => match line? {
                line if line.is_empty() => return Ok(said),
                line => said.push(String::from_utf8_lossy(&line).trim_end().to_string()),
            },
            _ = minutes.tick() => writer.write("\n"),
        }
    }
}
