//! A client of NATS by async-nats, which needs tokio, in tasks of evloop: tokio drives the loop.
//!
//! ```sh
//! nats-server -a 127.0.0.1 -p 4222                      # on another terminal
//! cd examples/ecosystem
//! cargo run --features tokio --bin nats 127.0.0.1:4222
//! ```
//!
//! It prints:
//!
//! ```text
//! weather.oslo: snow
//! weather.rome: sun
//! answer: HELLO
//! 10 jobs, each done once by one of 3 workers
//! nobody answers: no responders
//! ```
//!
//! The connection and its time limits are tokio's. The tasks, their locks and timers are evloop's,
//! and need not be `Send`.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::str;
use std::time::Duration;

use async_nats::{Client, Subscriber};
use evloop::task::JoinSet;
use evloop::time::timeout;
use futures::StreamExt;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A server that takes longer is given up.
const TIME_MAX: Duration = Duration::from_secs(10);

const JOBS: u32 = 10;
const WORKERS: u32 = 3;

fn main() -> Outcome<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4222".to_owned());
    evloop::tokio::block_on(async { timeout(TIME_MAX, run(&addr)).await? })
}

async fn run(addr: &str) -> Outcome<()> {
    let client = async_nats::connect(addr).await?;
    publish_and_subscribe(&client).await?;
    request_and_answer(&client).await?;
    queue_of_workers(&client).await?;
    let Err(error) = client.request("nobody", "hello".into()).await else {
        return Err("somebody has answered".into());
    };
    println!("nobody answers: {}", error.kind());
    client.drain().await?;
    Ok(())
}

async fn publish_and_subscribe(client: &Client) -> Outcome<()> {
    let mut weather = client.subscribe("weather.*").await?;
    for (city, text) in [("oslo", "snow"), ("rome", "sun")] {
        client.publish(format!("weather.{city}"), text.into()).await?;
    }
    for _ in 0..2 {
        let message = weather.next().await.ok_or("the subscription ended")?;
        println!("{}: {}", message.subject, str::from_utf8(&message.payload)?);
    }
    Ok(())
}

async fn request_and_answer(client: &Client) -> Outcome<()> {
    let mut requests = client.subscribe("upper").await?;
    let server = client.clone();
    let service = evloop::spawn(async move {
        while let Some(request) = requests.next().await {
            let answer = request.payload.to_ascii_uppercase();
            if let Some(reply) = request.reply {
                server.publish(reply, answer.into()).await?;
            }
        }
        Ok::<_, async_nats::PublishError>(())
    });
    // The server knows the subscription before it sees the request.
    client.flush().await?;
    let answer = client.request("upper", "hello".into()).await?;
    println!("answer: {}", str::from_utf8(&answer.payload)?);
    service.cancel();
    Ok(())
}

/// The server sends each job to one worker of the queue.
async fn queue_of_workers(client: &Client) -> Outcome<()> {
    let done = Rc::new(RefCell::new(Vec::new()));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let jobs = client.queue_subscribe("jobs", "workers".into()).await?;
        workers.spawn(work(jobs, client.clone(), done.clone()));
    }
    let mut results = client.subscribe("results").await?;
    client.flush().await?;
    for job in 0..JOBS {
        client.publish("jobs", job.to_string().into()).await?;
    }
    for _ in 0..JOBS {
        results.next().await.ok_or("the subscription ended")?;
    }
    let mut done = done.take();
    done.sort_unstable();
    assert_eq!(done, (0..JOBS).collect::<Vec<_>>());
    println!("{JOBS} jobs, each done once by one of {WORKERS} workers");
    Ok(())
}

async fn work(mut jobs: Subscriber, client: Client, done: Rc<RefCell<Vec<u32>>>) -> Outcome<()> {
    while let Some(job) = jobs.next().await {
        evloop::time::sleep(Duration::from_millis(1)).await;
        done.borrow_mut().push(str::from_utf8(&job.payload)?.parse()?);
        client.publish("results", job.payload).await?;
    }
    Ok(())
}
