//! The cost of a TCP echo of 64 bytes, both ends on one loop, on 1 and on 64 connections.
//!
//! ```sh
//! cargo bench --bench tcp
//! ```

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use evloop::Runtime;
use evloop::net::{TcpListener, TcpStream};

const MESSAGE: usize = 64;
const CONNECTIONS: [u64; 2] = [1, 64];

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; MESSAGE];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n]).await?,
        }
    }
}

/// Makes connections to echo tasks, which run as long as the loop.
async fn connect(connections: u64) -> io::Result<Vec<Rc<TcpStream>>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(Rc::new(TcpStream::connect(listener.local_addr()?).await?));
        drop(evloop::spawn(echo(listener.accept().await?.0)));
    }
    Ok(streams)
}

async fn ask(stream: Rc<TcpStream>, times: u64) -> io::Result<()> {
    let mut buf = [1; MESSAGE];
    for _ in 0..times {
        stream.write_all(&buf).await?;
        stream.read_exact(&mut buf).await?;
    }
    Ok(())
}

/// Sends `times` requests on every connection, on all connections at once.
async fn ask_all(streams: &[Rc<TcpStream>], times: u64) -> io::Result<Duration> {
    let begin = Instant::now();
    let asking: Vec<_> =
        streams.iter().map(|stream| evloop::spawn(ask(stream.clone(), times))).collect();
    for asked in asking {
        asked.await??;
    }
    Ok(begin.elapsed())
}

fn tcp(c: &mut Criterion) {
    let mut group = c.benchmark_group("tcp echo");
    for connections in CONNECTIONS {
        let mut runtime = Runtime::new().expect("a selector");
        let streams = runtime.block_on(connect(connections)).expect("loopback");
        group.throughput(Throughput::Elements(connections));
        group.bench_function(format!("{connections}x{MESSAGE}"), |b| {
            b.iter_custom(|times| {
                runtime.block_on(ask_all(&streams, times)).expect("the echo goes on")
            })
        });
    }
    group.finish();
}

fn short() -> Criterion {
    let times = [Duration::from_millis(300), Duration::from_secs(1)];
    Criterion::default().warm_up_time(times[0]).measurement_time(times[1]).sample_size(20)
}

criterion_group! { name = benches; config = short(); targets = tcp }
criterion_main!(benches);
