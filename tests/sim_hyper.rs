//! Simulated worlds: hyper's server and client through the crate's adapter.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use evloop::hyper::{Executor, Io, serve};
use evloop::net::{TcpListener, TcpStream};
use evloop::sim::Sim;
use evloop::{random, sim, time};
use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};

const MS: Duration = Duration::from_millis(1);

/// Answers with the path, after a time.
async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    time::sleep(Duration::from_millis(random::range(0..20))).await;
    Ok(Response::new(request.uri().path().to_owned()))
}

async fn server() -> io::Result<()> {
    let server = serve(TcpListener::bind("[::]:80").await?, service_fn(answer))?;
    std::future::pending::<()>().await;
    drop(server);
    Ok(())
}

async fn collect(body: Incoming) -> Result<String, hyper::Error> {
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        bytes.extend_from_slice(&frame?.into_data().unwrap_or_default());
    }
    Ok(String::from_utf8(bytes).unwrap())
}

/// Makes requests on one connection. Returns how many were answered.
async fn ask(is_http2: bool, count: &Cell<u32>) -> Result<(), Box<dyn std::error::Error>> {
    let io = Io::new(TcpStream::connect("server:80").await?);
    let request = |n: u32| Request::get(format!("http://server/{n}")).body(String::new());
    if is_http2 {
        let (mut sender, connection) = http2::handshake(Executor, io).await?;
        evloop::spawn(connection).on_done(drop);
        for n in 0..5 {
            let response = sender.send_request(request(n)?).await?;
            assert_eq!(collect(response.into_body()).await?, format!("/{n}"));
            count.set(count.get() + 1);
        }
    } else {
        let (mut sender, connection) = http1::handshake(io).await?;
        evloop::spawn(connection).on_done(drop);
        for n in 0..5 {
            let response = sender.send_request(request(n)?).await?;
            assert_eq!(collect(response.into_body()).await?, format!("/{n}"));
            count.set(count.get() + 1);
        }
    }
    Ok(())
}

/// Runs clients of both protocols, with faults. Returns the hash of the run.
fn run(sim: &mut Sim, clients: usize) -> u64 {
    let (answers, done) = (Cell::new(0), RefCell::new(Vec::new()));
    sim.latency(MS..10 * MS).short_io(0.3).loss(0.01);
    sim.run(async |world| {
        let server = world.host("server", server);
        let (answers, done) = (&answers, &done);
        for number in 0..clients {
            world.host(&format!("client{number}"), async move || {
                let attempt =
                    || time::timeout(Duration::from_secs(5), ask(number % 2 == 0, answers));
                while !matches!(attempt().await, Ok(Ok(()))) {
                    time::sleep(Duration::from_millis(random::range(1..200))).await;
                }
                done.borrow_mut().push(number);
            });
        }
        for _ in 0..8 {
            time::sleep(Duration::from_millis(random::range(1..100))).await;
            let client = format!("client{}", random::range(0..clients as u64));
            match random::range(0..4_u64) {
                0 => server.restart(),
                1 => _ = world.reset(&client, "server"),
                2 => world.partition(&client, "server"),
                _ => world.heal(&client, "server"),
            }
        }
        world.calm();
        let all = async || {
            while done.borrow().len() < clients {
                time::sleep(MS).await;
            }
        };
        world.within(Duration::from_secs(300), all).await;
    });
    assert!(answers.get() as usize >= 5 * clients);
    sim.hash()
}

#[test]
fn requests_are_answered_in_spite_of_faults() {
    sim::check(0..20, |sim| _ = run(sim, 10));
}

#[test]
fn a_thousand_clients_are_answered() {
    sim::check(0..1, |sim| _ = run(sim, 1_000));
}

#[test]
fn runs_of_a_seed_have_one_hash() {
    let mut hashes = std::collections::BTreeSet::new();
    for _ in 0..100 {
        sim::check_in_turn(3..4, |sim| _ = hashes.insert(run(sim, 4)));
    }
    assert_eq!(hashes.len(), 1);
}

#[test]
fn a_request_takes_a_round_trip() {
    sim::run(1, async |world| {
        world.host("server", async || {
            let hi = async |_| Ok::<_, Infallible>(Response::new("hi".to_owned()));
            let _server = serve(TcpListener::bind("[::]:80").await?, service_fn(hi))?;
            std::future::pending::<io::Result<()>>().await
        });
        time::sleep(MS).await;
        let stream = TcpStream::connect("server:80").await.unwrap();
        let (mut sender, connection) = http1::handshake(Io::new(stream)).await.unwrap();
        evloop::spawn(connection).detach();
        let begin = time::now();
        let request = Request::get("/").body(String::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert!(!response.headers().contains_key("date"), "it would be the real one");
        assert_eq!(collect(response.into_body()).await.unwrap(), "hi");
        assert_eq!(time::now() - begin, 2 * MS);
    });
}
