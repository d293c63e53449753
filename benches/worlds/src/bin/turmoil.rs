//! The workloads in turmoil. Nothing subscribes to its events.

use std::time::Duration;

use evloop_worlds::{BEAT, HOUR, Job, LATENCY, LOSS, MESSAGE, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time;
use turmoil::net::{TcpListener, TcpStream, UdpSocket};
use turmoil::{Builder, Result, Sim};

fn main() {
    let job = Job::from_args();
    let (hosts, count) = (job.hosts, job.count);
    let ops = match &*job.workload {
        "tcp" => tcp_pairs(&mut world(1).build(), hosts, count),
        "tcp_one" => tcp_one(&mut world(1).build(), hosts, count),
        "udp" => {
            // A link fails with the first probability at each datagram, and is repaired with the
            // second one: each datagram is lost with the first one.
            let mut sim = world(1).fail_rate(LOSS).repair_rate(1.0 - LOSS).build();
            udp_pairs(&mut sim, hosts, count)
        }
        "heartbeats" => heartbeats(&mut world(1).build(), hosts),
        "seeds_in_turn" => {
            for seed in 0..count {
                tcp_one(&mut world(seed).build(), hosts, 10);
            }
            count
        }
        other => panic!("there is no workload {other}"),
    };
    job.report(ops);
}

fn world(seed: u64) -> Builder {
    let mut builder = Builder::new();
    builder.rng_seed(seed).simulation_duration(Duration::from_secs(1 << 30));
    builder.min_message_latency(LATENCY).max_message_latency(LATENCY);
    // A full queue of a listener would panic.
    builder.tcp_capacity(1 << 10);
    builder
}

fn tcp_pairs(sim: &mut Sim<'_>, hosts: usize, requests: u64) -> u64 {
    for pair in 0..hosts / 2 {
        let server = format!("server{pair}");
        sim.host(&*server, serve_tcp);
        sim.client(format!("client{pair}"), ask_tcp(server, requests));
    }
    sim.run().expect("the clients' requests succeed");
    (hosts / 2) as u64 * requests
}

fn tcp_one(sim: &mut Sim<'_>, hosts: usize, requests: u64) -> u64 {
    sim.host("server", serve_tcp);
    for number in 1..hosts {
        sim.client(format!("client{number}"), ask_tcp("server".into(), requests));
    }
    sim.run().expect("the clients' requests succeed");
    (hosts - 1) as u64 * requests
}

fn udp_pairs(sim: &mut Sim<'_>, hosts: usize, requests: u64) -> u64 {
    for pair in 0..hosts / 2 {
        let server = format!("server{pair}");
        sim.host(&*server, serve_udp);
        sim.client(format!("client{pair}"), ask_udp(server, requests));
    }
    sim.run().expect("the clients' requests succeed");
    (hosts / 2) as u64 * requests
}

fn heartbeats(sim: &mut Sim<'_>, hosts: usize) -> u64 {
    for number in 0..hosts {
        let next = format!("host{}", (number + 1) % hosts);
        sim.host(format!("host{number}"), move || beat(next.clone()));
    }
    sim.client("clock", async { Ok(time::sleep(HOUR).await) });
    sim.run().expect("the hosts succeed");
    hosts as u64 * (HOUR.as_millis() / BEAT.as_millis()) as u64
}

async fn beat(next: String) -> Result {
    let socket = std::rc::Rc::new(UdpSocket::bind("0.0.0.0:80").await?);
    let receiver = socket.clone();
    tokio::task::spawn_local(async move {
        while receiver.recv_from(&mut [0; MESSAGE]).await.is_ok() {}
    });
    let next = (turmoil::lookup(next), 80);
    let mut beats = time::interval(BEAT);
    loop {
        beats.tick().await;
        socket.send_to(&[0; MESSAGE], next).await?;
    }
}

async fn serve_tcp() -> Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::task::spawn_local(async move {
            let mut buf = [0; MESSAGE];
            while stream.read_exact(&mut buf).await.is_ok() {
                stream.write_all(&buf).await?;
            }
            std::io::Result::Ok(())
        });
    }
}

async fn ask_tcp(server: String, requests: u64) -> Result {
    let mut stream = TcpStream::connect((server, 80)).await?;
    let mut buf = [0; MESSAGE];
    for _ in 0..requests {
        stream.write_all(&buf).await?;
        stream.read_exact(&mut buf).await?;
    }
    Ok(())
}

async fn serve_udp() -> Result {
    let socket = UdpSocket::bind("0.0.0.0:80").await?;
    let mut buf = [0; MESSAGE];
    loop {
        let (got, client) = socket.recv_from(&mut buf).await?;
        socket.send_to(&buf[..got], client).await?;
    }
}

/// Sends each request again until it is answered.
async fn ask_udp(server: String, requests: u64) -> Result {
    let server = (turmoil::lookup(server), 80);
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    let mut buf = [0; MESSAGE];
    for _ in 0..requests {
        loop {
            socket.send_to(&buf, server).await?;
            if let Ok(answer) = time::timeout(PATIENCE, socket.recv_from(&mut buf)).await {
                answer?;
                break;
            }
        }
    }
    Ok(())
}
