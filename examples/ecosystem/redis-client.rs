//! A client of Redis by the crate redis, without tokio's runtime: the crate speaks the protocol
//! over any connection with tokio's I/O traits, which evloop's feature `tokio-io` implements.
//!
//! ```sh
//! redis-server --port 6379 --save ''                    # on another terminal
//! cd examples/ecosystem
//! cargo run --bin redis-client 127.0.0.1:6379
//! ```
//!
//! It uses keys that begin with `fruits`, and prints:
//!
//! ```text
//! 3 fruits, the first is apple
//! 100 tasks on one connection have counted to 100
//! a transaction has moved 3: 7 and 3
//! notified on news: it works
//! WRONGTYPE: Operation against a key holding the wrong kind of value
//! ```
//!
//! `MultiplexedConnection` returns a client, which sends requests, and its driver, a future that
//! has to run beside it. The tasks share one connection, and send without waiting for each other's
//! answers. The crate demands that the connection and the function for notifications are `Send`:
//! a `task::Local` is.
//!
//! The crate's own time limit would need the runtime of tokio: it is off, and evloop's is used.

use std::error::Error;
use std::time::Duration;

use evloop::net::TcpStream;
use evloop::sync::mpsc;
use evloop::task::Local;
use evloop::time::timeout;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncCommands, AsyncConnectionConfig, Msg, ProtocolVersion, PushInfo, RedisConnectionInfo,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A server that takes longer is given up.
const TIME_MAX: Duration = Duration::from_secs(10);

fn main() -> Outcome<()> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6379".to_owned());
    evloop::block_on(async { timeout(TIME_MAX, run(&addr)).await? })
}

async fn run(addr: &str) -> Outcome<()> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (sender, mut pushed) = mpsc::unbounded::<PushInfo>();
    let sender = Local::new(sender);
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_push_sender(move |push| sender.with(|sender| sender.send(push)));
    // Only version 3 of the protocol has notifications between the answers.
    let info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    let stream = Local::new(stream);
    let (mut client, driver) =
        MultiplexedConnection::new_with_config(&info, stream, config).await?;
    let driver = evloop::spawn(driver);

    let () = client.del(&["fruits", "fruits:count", "fruits:a", "fruits:b"]).await?;
    let count: u32 = client.rpush("fruits", &["apple", "banana", "cherry"]).await?;
    let first: String = client.lindex("fruits", 0).await?;
    println!("{count} fruits, the first is {first}");

    let tasks = [(); 100].map(|()| {
        let mut client = client.clone();
        async move { client.incr::<_, _, u32>("fruits:count", 1).await }
    });
    let counts = evloop::task::try_gather(tasks).await?;
    let max = counts.iter().max().ok_or("no counts")?;
    println!("{} tasks on one connection have counted to {max}", counts.len());

    let () = client.set("fruits:a", 10).await?;
    let mut transaction = redis::pipe();
    transaction.atomic().decr("fruits:a", 3).incr("fruits:b", 3);
    let (a, b): (i32, i32) = transaction.query_async(&mut client).await?;
    println!("a transaction has moved 3: {a} and {b}");

    client.subscribe("news").await?;
    let () = client.publish("news", "it works").await?;
    let message = loop {
        // The answer to `subscribe` is pushed as well.
        let push = pushed.recv().await.ok_or("the connection ended")?;
        if let Some(message) = Msg::from_push_info(push) {
            break message;
        }
    };
    let text: String = message.get_payload()?;
    println!("notified on {}: {text}", message.get_channel_name());

    let Err(error) = client.incr::<_, _, u32>("fruits", 1).await else {
        return Err("a list was incremented".into());
    };
    println!("{}: {}", error.code().unwrap_or("?"), error.detail().unwrap_or("?"));

    let () = client.del(&["fruits", "fruits:count", "fruits:a", "fruits:b"]).await?;
    // The driver ends after its last client.
    drop(client);
    driver.await?;
    Ok(())
}
