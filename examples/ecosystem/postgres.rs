//! A client of PostgreSQL by tokio-postgres, without tokio's runtime: the crate speaks the protocol
//! over any connection with tokio's I/O traits, which evloop's feature `tokio-io` implements.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin postgres 127.0.0.1:5432 'user=postgres'      # also: password=…, dbname=…
//! ```
//!
//! It uses a temporary table, and prints:
//!
//! ```text
//! 3 fruits, the longest is banana
//! three queries on one connection at once: 1 4 9
//! rolled back: 3 fruits
//! notified on news: it works
//! unique_violation: duplicate key value violates unique constraint "fruits_pkey"
//! ```
//!
//! `connect_raw` returns a client, which sends requests, and the connection, a future that has to
//! run beside it. The queries of several tasks share one connection, and are sent without waiting
//! for each other's answers.

use std::error::Error;
use std::future::poll_fn;

use evloop::net::TcpStream;
use evloop::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [addr, config] = &args[..] else { return Err("usage: postgres ADDRESS CONFIG".into()) };
    evloop::block_on(run(addr, config.parse()?))
}

async fn run(addr: &str, config: Config) -> Outcome<()> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (mut client, mut connection) = config.connect_raw(stream, NoTls).await?;
    let (sender, mut notifications) = mpsc::unbounded();
    let connection = evloop::spawn(async move {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(notification) = message? {
                sender.send(notification)?;
            }
        }
        Outcome::Ok(())
    });

    client.batch_execute("create temporary table fruits (name text primary key)").await?;
    let insert = client.prepare("insert into fruits values ($1)").await?;
    for name in ["apple", "banana", "cherry"] {
        client.execute(&insert, &[&name]).await?;
    }
    let longest = "select name from fruits order by length(name) desc, name limit 1";
    let longest: String = client.query_one(longest, &[]).await?.get(0);
    println!("{} fruits, the longest is {longest}", count(&client).await?);

    let square = client.prepare("select $1::int4 * $1::int4").await?;
    let squares = [1, 2, 3].map(|number| {
        let (client, square) = (&client, &square);
        async move { client.query_one(square, &[&number]).await }
    });
    let rows = evloop::task::try_gather(squares).await?;
    let rows: Vec<_> = rows.iter().map(|row| row.get::<_, i32>(0).to_string()).collect();
    println!("three queries on one connection at once: {}", rows.join(" "));

    // A transaction that is dropped is rolled back.
    let transaction = client.transaction().await?;
    transaction.execute("delete from fruits", &[]).await?;
    drop(transaction);
    println!("rolled back: {} fruits", count(&client).await?);

    client.batch_execute("listen news; notify news, 'it works'").await?;
    let notification = notifications.recv().await.ok_or("the connection ended")?;
    println!("notified on {}: {}", notification.channel(), notification.payload());

    let Err(error) = client.execute(&insert, &[&"apple"]).await else {
        return Err("an apple was inserted twice".into());
    };
    let error = error.as_db_error().ok_or("the connection failed")?;
    println!("unique_violation: {}", error.message());

    // The connection ends after its client: it says goodbye to the server.
    drop(client);
    connection.await?
}

async fn count(client: &Client) -> Outcome<i64> {
    Ok(client.query_one("select count(*) from fruits", &[]).await?.get(0))
}
