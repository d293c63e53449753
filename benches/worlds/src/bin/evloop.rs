//! The workloads in evloop's world, with its defaults: the seed decides the order, and the record
//! of the run is on.

use std::io;

use evloop::net::{TcpListener, TcpStream, UdpSocket};
use evloop::sim::{self, Client, Sim, World};
use evloop::{spawn, time};
use evloop_worlds::{BEAT, HOUR, Job, LATENCY, LOSS, MESSAGE, PATIENCE};

fn main() {
    let job = Job::from_args();
    let (hosts, count) = (job.hosts, job.count);
    let ops = match &*job.workload {
        "tcp" => one(|sim| sim.run(async |world| tcp_pairs(&world, hosts, count).await)),
        "tcp_one" => one(|sim| sim.run(async |world| tcp_one(&world, hosts, count).await)),
        "udp" => one(|sim| sim.loss(LOSS).run(async |world| udp_pairs(&world, hosts, count).await)),
        "heartbeats" => one(|sim| sim.run(async |world| heartbeats(&world, hosts).await)),
        "connections" => one(|sim| sim.run(async |world| connections(&world, count).await)),
        "idle" => one(|sim| sim.run(async |world| idle(&world, hosts).await)),
        "seeds" => {
            sim::check(0..count, |sim| small(sim, hosts));
            count
        }
        "seeds_in_turn" => {
            sim::check_in_turn(0..count, |sim| small(sim, hosts));
            count
        }
        other => panic!("there is no workload {other}"),
    };
    job.report(ops);
}

/// Runs one world of the seed 1. A range's first seed is run twice: here it does nothing.
fn one(scenario: impl Fn(&mut Sim) -> u64) -> u64 {
    let mut ops = 0;
    sim::check_in_turn(0..2, |sim| {
        if sim.seed() == 1 {
            ops = scenario(sim.latency(LATENCY).step_limit(u64::MAX));
        }
    });
    ops
}

/// The scenario of many seeds: hosts that each send ten requests to one server.
fn small(sim: &mut Sim, hosts: usize) {
    sim.run(async |world| tcp_one(&world, hosts, 10).await);
}

/// Half of the hosts each send requests to a server of their own.
async fn tcp_pairs(world: &World<'_>, hosts: usize, requests: u64) -> u64 {
    let mut clients = Vec::new();
    for pair in 0..hosts / 2 {
        let server = format!("server{pair}");
        world.host(&server, serve_tcp);
        let ask = async move || ask_tcp(&server, requests).await;
        clients.push(world.client(&format!("client{pair}"), ask));
    }
    completed(clients).await * requests
}

/// All hosts but one send requests to that one.
async fn tcp_one(world: &World<'_>, hosts: usize, requests: u64) -> u64 {
    world.host("server", serve_tcp);
    let client = |number| {
        let ask = async move || ask_tcp("server", requests).await;
        world.client(&format!("client{number}"), ask)
    };
    completed((1..hosts).map(client).collect()).await * requests
}

async fn udp_pairs(world: &World<'_>, hosts: usize, requests: u64) -> u64 {
    let mut clients = Vec::new();
    for pair in 0..hosts / 2 {
        let server = format!("server{pair}");
        world.host(&server, serve_udp);
        let ask = async move || ask_udp(&server, requests).await;
        clients.push(world.client(&format!("client{pair}"), ask));
    }
    completed(clients).await * requests
}

/// Each host sends a datagram to the next one at each beat, for an hour.
async fn heartbeats(world: &World<'_>, hosts: usize) -> u64 {
    for number in 0..hosts {
        let next = format!("host{}", (number + 1) % hosts);
        world.host(&format!("host{number}"), async move || {
            let socket = std::rc::Rc::new(UdpSocket::bind("[::]:80").await?);
            let receiver = socket.clone();
            drop(spawn(async move { while receiver.recv(&mut [0; MESSAGE]).await.is_ok() {} }));
            let next = evloop::net::lookup_host((&*next, 80)).await?.next().expect("an address");
            let mut beats = time::interval(BEAT);
            loop {
                beats.tick().await;
                socket.send_to(&[0; MESSAGE], next).await?;
            }
            #[expect(unreachable_code)]
            io::Result::Ok(())
        });
    }
    time::sleep(HOUR).await;
    hosts as u64 * (HOUR.as_millis() / BEAT.as_millis()) as u64
}

/// Opens and closes connections one after the other.
async fn connections(world: &World<'_>, count: u64) -> u64 {
    world.host("server", serve_tcp);
    let client = world.client("client", async move || {
        for _ in 0..count {
            ask_tcp("server", 1).await?;
        }
        io::Result::Ok(())
    });
    completed(vec![client]).await * count
}

/// Hosts that sleep for an hour.
async fn idle(world: &World<'_>, hosts: usize) -> u64 {
    let client = |number| {
        let sleep = async || io::Result::Ok(time::sleep(HOUR).await);
        world.client(&format!("host{number}"), sleep)
    };
    completed((0..hosts).map(client).collect()).await
}

/// Returns the number of clients, which all must succeed.
async fn completed(clients: Vec<Client<'_, io::Result<()>>>) -> u64 {
    let count = clients.len() as u64;
    for client in clients {
        client.await.expect("a client's requests succeed");
    }
    count
}

async fn serve_tcp() -> io::Result<()> {
    let listener = TcpListener::bind("[::]:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        drop(spawn(async move {
            let mut buf = [0; MESSAGE];
            while stream.read_exact(&mut buf).await.is_ok() {
                stream.write_all(&buf).await?;
            }
            io::Result::Ok(())
        }));
    }
}

async fn ask_tcp(server: &str, requests: u64) -> io::Result<()> {
    let stream = TcpStream::connect((server, 80)).await?;
    let mut buf = [0; MESSAGE];
    for _ in 0..requests {
        stream.write_all(&buf).await?;
        stream.read_exact(&mut buf).await?;
    }
    Ok(())
}

async fn serve_udp() -> io::Result<()> {
    let socket = UdpSocket::bind("[::]:80").await?;
    let mut buf = [0; MESSAGE];
    loop {
        let (got, client) = socket.recv_from(&mut buf).await?;
        socket.send_to(&buf[..got], client).await?;
    }
}

/// Sends each request again until it is answered.
async fn ask_udp(server: &str, requests: u64) -> io::Result<()> {
    let server = evloop::net::lookup_host((server, 80)).await?.next().expect("an address");
    let socket = UdpSocket::bind("[::]:0").await?;
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
