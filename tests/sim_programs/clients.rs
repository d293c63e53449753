//! Clients that try until they have succeeded, and check what they receive.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use evloop::net::TcpStream;
use evloop::time::timeout;
use evloop::{random, time};

/// A client does not wait longer: a server that has crashed does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Retries `attempt` until it succeeds.
async fn retry(mut attempt: impl AsyncFnMut() -> io::Result<()>) {
    while !matches!(timeout(PATIENCE, attempt()).await, Ok(Ok(()))) {
        time::sleep(Duration::from_millis(random::range(1..500))).await;
    }
}

/// Sends messages to an echo server until one connection has returned all.
pub(crate) async fn echo_until_done(target: &str) {
    retry(async || echo_once(target).await).await;
}

async fn echo_once(target: &str) -> io::Result<()> {
    let stream = TcpStream::connect(target).await?;
    for _ in 0..3 {
        let mut message = vec![0; random::range(1..3_000) as usize];
        random::fill(&mut message);
        stream.write_all(&message).await?;
        let (mut received, mut buf) = (0, [0; 1_000]);
        while received < message.len() {
            let n = stream.read(&mut buf).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            assert_eq!(buf[..n], message[received..received + n], "a byte is lost or came twice");
            received += n;
        }
        time::sleep(Duration::from_millis(random::range(1..500))).await;
    }
    Ok(())
}

/// Talks in a chat until one connection has sent all lines and has received its share of others.
pub(crate) async fn chat_until_done(target: &str, name: &str) {
    let mut attempts = 0;
    retry(async || {
        attempts += 1;
        // The name is that of one connection.
        chat_once(target, &format!("{name}.{attempts}")).await
    })
    .await;
}

async fn chat_once(target: &str, name: &str) -> io::Result<()> {
    let (mut reader, writer) = evloop::open_connection(target).await?;
    writer.write(format!("{name}\n"));
    // The last number of each other client.
    let mut numbers = BTreeMap::new();
    for number in 0..5 {
        writer.write(format!("{number}\n"));
        writer.drain().await?;
        let end = time::now() + Duration::from_millis(random::range(100..1_000));
        while let Ok(line) = time::timeout_at(end, reader.read_line()).await {
            let line = String::from_utf8(line?.to_vec()).unwrap();
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            check_line(&line, name, &mut numbers);
        }
    }
    writer.shutdown_write();
    while !reader.read_line().await?.is_empty() {}
    Ok(())
}

/// Checks that the lines of another connection arrive whole, in order and once.
fn check_line(line: &str, own: &str, numbers: &mut BTreeMap<String, u32>) {
    let line = line.strip_suffix('\n').expect("a whole line");
    let Some((name, number)) = line.strip_prefix('<').and_then(|rest| rest.split_once("> ")) else {
        assert!(line.ends_with(" is here") || line.ends_with(" is gone"), "{line:?}");
        return;
    };
    assert_ne!(name, own, "a client does not receive its own lines");
    let number: u32 = number.parse().unwrap();
    if let Some(last) = numbers.insert(name.to_owned(), number) {
        assert_eq!(number, last + 1, "a line of {name} is lost or came twice");
    }
}
