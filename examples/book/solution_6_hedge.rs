//! Solution of exercise 6.1: the fastest of three servers. The next one is asked when the one
//! before has not answered in time.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_6_hedge
//! ```
//!
//! prints
//!
//! ```text
//! server 1 is asked
//! server 2 is asked
//! server 1 is cancelled
//! answer of server 2
//! ```
//!
//! A `JoinSet` that is dropped aborts its tasks. So nothing else is needed to cancel the slow ones.

use std::time::Duration;

use evloop::task::JoinSet;
use evloop::time::sleep;

const SERVERS: u32 = 3;
const PATIENCE: Duration = Duration::from_millis(20);

/// Prints that a server is cancelled, unless it has answered.
struct Request {
    server: u32,
    is_answered: bool,
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_answered {
            println!("server {} is cancelled", self.server);
        }
    }
}

async fn ask(server: u32) -> u32 {
    println!("server {server} is asked");
    let mut request = Request { server, is_answered: false };
    if server == 1 {
        sleep(Duration::from_secs(1000)).await;
    }
    request.is_answered = true;
    server
}

async fn fastest() -> u32 {
    let mut requests = JoinSet::new();
    for server in 1..=SERVERS {
        requests.spawn(ask(server));
        evloop::select! {
            biased; // an answer counts, also if the time has passed
            answer = requests.join_next() => return answer.unwrap().expect("no panic"),
            () = sleep(PATIENCE), if server < SERVERS => {}
        }
    }
    unreachable!("the last round waits for an answer")
}

fn main() {
    let server = evloop::block_on(fastest());
    println!("answer of server {server}");
}
