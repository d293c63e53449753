//! Simulated worlds: a program with a planted bug, which some seeds find: a key-value store that
//! acknowledges a write before its replica has it.
#![cfg(feature = "sim")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::sim::Sim;
use evloop::{random, sim, time};

const MS: Duration = Duration::from_millis(1);

/// When the primary acknowledges a write.
#[derive(Clone, Copy, PartialEq)]
enum Acknowledge {
    Early,
    AfterTheReplica,
}

type Store = Rc<RefCell<BTreeMap<u8, u8>>>;

/// Calls `serve` for each connection.
async fn accept(serve: impl AsyncFn(TcpStream) -> io::Result<()> + 'static) -> io::Result<()> {
    let (listener, serve) = (TcpListener::bind("[::]:80").await?, Rc::new(serve));
    loop {
        let (stream, _) = listener.accept().await?;
        let serve = serve.clone();
        evloop::spawn(async move { serve(stream).await }).detach();
    }
}

/// Stores each pair of a key and a value, and answers with the value that it had before.
async fn replica() -> io::Result<()> {
    let store = Store::default();
    accept(async move |stream| {
        let mut pair = [0; 2];
        loop {
            stream.read_exact(&mut pair).await?;
            let old = store.borrow_mut().insert(pair[0], pair[1]);
            stream.write_all(&[old.unwrap_or(0)]).await?;
        }
    })
    .await
}

/// Passes each pair to the replica, and acknowledges it.
async fn primary(acknowledge: Acknowledge) -> io::Result<()> {
    accept(async move |client| {
        let (replica, mut pair) = (TcpStream::connect("replica:80").await?, [0; 2]);
        loop {
            client.read_exact(&mut pair).await?;
            if acknowledge == Acknowledge::Early {
                client.write_all(&pair[..1]).await?;
            }
            replica.write_all(&pair).await?;
            replica.read_exact(&mut [0]).await?;
            if acknowledge == Acknowledge::AfterTheReplica {
                client.write_all(&pair[..1]).await?;
            }
        }
    })
    .await
}

/// Writes keys until the primary is gone.
async fn write(acknowledged: &RefCell<Vec<u8>>) {
    let stream = TcpStream::connect("primary:80").await.unwrap();
    for key in 1.. {
        let write = async {
            stream.write_all(&[key, key]).await?;
            stream.read_exact(&mut [0]).await
        };
        if write.await.is_err() {
            return;
        }
        acknowledged.borrow_mut().push(key);
    }
}

/// The primary crashes at a random time. All acknowledged writes must be in the replica.
fn scenario(sim: &mut Sim, acknowledge: Acknowledge) {
    let acknowledged = RefCell::default();
    sim.latency(MS..10 * MS).loss(0.05).run(async |world| {
        let primary = world.host("primary", async || primary(acknowledge).await);
        world.host("replica", replica);
        time::sleep(MS).await;
        world.host("client", async || write(&acknowledged).await);
        time::sleep(u32::try_from(random::range(50..500)).unwrap() * MS).await;
        primary.crash();
        let keys = acknowledged.borrow().clone();
        let stream = TcpStream::connect("replica:80").await.unwrap();
        for key in keys {
            let mut value = [0];
            stream.write_all(&[key, 0]).await.unwrap();
            stream.read_exact(&mut value).await.unwrap();
            assert_eq!(value[0], key, "the acknowledged write of {key} is lost");
        }
    });
}

#[test]
fn a_seed_finds_the_write_that_is_acknowledged_too_early() {
    sim::check(0..200, |sim| scenario(sim, Acknowledge::AfterTheReplica));
    let check = || sim::check(0..200, |sim| scenario(sim, Acknowledge::Early));
    let panic = catch_unwind(AssertUnwindSafe(check)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("`world` panicked") && message.contains("is lost"), "{message}");
}
