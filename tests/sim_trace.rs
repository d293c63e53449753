//! The record of a run: one seed, one hash; the first event in which two runs differ; the outputs.

#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, SystemTime};

use evloop::net::{TcpListener, TcpStream};
use evloop::sim::{self, Sim, Trace};
use evloop::{task, time};

/// Returns the port's bytes in capitals to each client.
async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        evloop::spawn(async move {
            let mut buf = [0; 100];
            loop {
                let n = stream.read(&mut buf).await?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                buf[..n].make_ascii_uppercase();
                stream.write_all(&buf[..n]).await?;
            }
        })
        .detach();
    }
}

async fn ask(text: &str) -> io::Result<()> {
    let stream = TcpStream::connect("server:80").await?;
    stream.write_all(text.as_bytes()).await?;
    let mut buf = vec![0; text.len()];
    stream.read_exact(&mut buf).await?;
    assert_eq!(buf, text.to_ascii_uppercase().as_bytes());
    Ok(())
}

/// Runs a server and clients whose packets take a random time.
fn run_some(sim: &mut Sim) {
    sim.latency(Duration::from_millis(1)..Duration::from_millis(9)).loss(0.1);
    sim.run(async |world| {
        world.host("server", serve);
        let clients = (0..3).map(|n| {
            world.client(&format!("client{n}"), async move || {
                time::sleep(Duration::from_micros(n * 700)).await;
                task::yield_now().await;
                ask("hello").await
            })
        });
        for client in futures::future::join_all(clients).await {
            client.unwrap();
        }
    });
}

fn hash_of(seed: u64) -> u64 {
    let mut hash = 0;
    sim::check_in_turn(seed..seed + 1, |sim| {
        run_some(sim);
        hash = sim.hash();
    });
    hash
}

#[test]
fn a_thousand_runs_of_one_seed_have_one_hash() {
    let first = hash_of(17);
    for run in 1..1000 {
        assert_eq!(hash_of(17), first, "run {run}");
    }
}

#[test]
fn other_seeds_have_other_hashes() {
    let hashes: BTreeSet<u64> = (0..100).map(hash_of).collect();
    assert_eq!(hashes.len(), 100);
}
