//! Five pages from a slow server: one after the other, and all at once.
//!
//! ```sh
//! cargo run --package evloop-book --example green_fetch
//! ```
//!
//! prints the pages in the order in which they arrive:
//!
//! ```text
//! serial: 1 2 3 4 5
//! concurrent: 5 4 3 2 1
//! concurrent, in the order of the list: 1 2 3 4 5
//! ```
//!
//! and the times to stderr: about 600, 200 and 200 ms. The server answers the first page after
//! 200 ms, and each further one 40 ms earlier.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use evloop::task::{self, JoinSet};
use evloop::time::{now, sleep};
use evloop::{StreamReader, StreamWriter, open_connection, start_server};

const PAGES: [u64; 5] = [1, 2, 3, 4, 5];

fn main() -> io::Result<()> {
    evloop::block_on(async {
        let server = start_server("127.0.0.1:0", answer).await?;
        let addr = server.local_addrs()[0];

        let start = now();
        let mut pages = Vec::new();
        for page in PAGES {
            pages.push(fetch(addr, page).await?);
        }
        println!("serial: {}", pages.join(" "));
        eprintln!("serial: {} ms", start.elapsed().as_millis());

        let start = now();
        let mut tasks = JoinSet::new();
        for page in PAGES {
            tasks.spawn(fetch(addr, page));
        }
        let mut pages = Vec::new();
        while let Some(page) = tasks.join_next().await {
            pages.push(page??);
        }
        println!("concurrent: {}", pages.join(" "));
        eprintln!("concurrent: {} ms", start.elapsed().as_millis());

        let start = now();
        let pages = task::try_gather(PAGES.map(|page| fetch(addr, page))).await?;
        println!("concurrent, in the order of the list: {}", pages.join(" "));
        eprintln!("concurrent, in the order of the list: {} ms", start.elapsed().as_millis());
        Ok(())
    })
}

/// Requests a page, and returns the text that the server sends.
async fn fetch(addr: SocketAddr, page: u64) -> io::Result<String> {
    let (mut reader, writer) = open_connection(addr).await?;
    writer.write(format!("{page}\n"));
    let text = reader.read_to_end().await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The server: answers a number after a delay.
async fn answer(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let line = reader.read_line().await?;
    let text = String::from_utf8_lossy(&line);
    let page: u64 = text.trim().parse().map_err(io::Error::other)?;
    sleep(Duration::from_millis(240 - 40 * page)).await;
    writer.write(text.trim());
    Ok(())
}
