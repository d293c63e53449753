//! One seed has one hash in every build: debug and release, on epoll and on poll(2).
//!
//! The hashes are written down here. They may change only with what a world does: the order of its
//! events, their times, what is recorded, the random numbers. Then a seed that has failed before
//! may not fail again, which the change log has to say. They may not change with the machine, the
//! build, the compiler, or a faster implementation.

#![cfg(feature = "sim")]

use std::io;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, UdpSocket};
use evloop::sim::{self, Order, Sim};
use evloop::{random, spawn, task, time};

const MS: Duration = Duration::from_millis(1);

async fn echo() -> io::Result<()> {
    let listener = TcpListener::bind("[::]:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        drop(spawn(async move {
            let mut buf = [0; 700];
            loop {
                let got = stream.read(&mut buf).await?;
                if got == 0 {
                    return io::Result::Ok(());
                }
                let sum = task::spawn_blocking(move || buf[..got].iter().map(|b| *b as u64).sum());
                let sum: u64 = sum.await.expect("the function does not panic");
                sim::note(format!("{got} bytes, sum {sum}"));
                stream.write_all(&buf[..got]).await?;
            }
        }));
    }
}

/// Sends bytes of random sizes, and gives up at the first error.
async fn ask() -> io::Result<()> {
    let stream = TcpStream::connect("server:80").await?;
    for _ in 0..5 {
        let mut buf = vec![0; random::range(1..3_000) as usize];
        random::fill(&mut buf);
        stream.write_all(&buf).await?;
        time::sleep(MS * random::range(0..10) as u32).await;
        stream.read_exact(&mut buf).await?;
    }
    Ok(())
}

/// Sends a datagram at each beat, and notes those that come.
async fn gossip(own: u64) -> io::Result<()> {
    let socket = Rc::new(UdpSocket::bind("0.0.0.0:7").await?);
    let receiver = socket.clone();
    drop(spawn(async move {
        let mut buf = [0; 8];
        while let Ok(got) = receiver.recv(&mut buf).await {
            sim::note(format!("a datagram of {got} bytes"));
        }
    }));
    let mut beats = time::interval(MS * 5);
    loop {
        beats.tick().await;
        let peer = format!("gossip{}", (own + random::range(1..3)) % 3);
        socket.send_to(&own.to_le_bytes(), (&*peer, 7)).await?;
    }
}

fn hash(order: Order) -> u64 {
    let mut hash = 0;
    let scenario = |sim: &mut Sim| {
        sim.latency(MS..MS * 9).loss(0.1).duplicate(0.1).reorder(0.1).short_io(0.3);
        sim.bandwidth(1_000_000).order(order).run(async |world| {
            let server = world.host("server", async || _ = echo().await);
            for number in 0..3 {
                world.host(&format!("gossip{number}"), async move || _ = gossip(number).await);
                world.host(&format!("client{number}"), async || while ask().await.is_ok() {});
            }
            time::sleep(MS * 300).await;
            world.partition("client0", "server");
            world.find("gossip1").pause();
            time::sleep(MS * 300).await;
            world.calm();
            server.crash();
            server.restart();
            time::sleep(MS * 300).await;
        });
        hash = sim.hash();
    };
    sim::check_in_turn(7..8, scenario);
    hash
}

#[test]
fn a_seed_has_the_same_hash_in_every_build() {
    assert_eq!(hash(Order::Seeded), 8_257_248_929_703_353_729, "by the order of the seed");
    assert_eq!(hash(Order::Fifo), 1_583_907_034_583_630_635, "first in first out");
}
