//! A loop that looks for events for a while before it sleeps.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use evloop::net::{TcpListener, TcpStream};
use evloop::time::{sleep, sleep_until};
use evloop::{Runtime, spawn};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until this process's first thread of the name `name` sleeps.
#[cfg(target_os = "linux")]
fn until_it_sleeps(name: &str) {
    loop {
        for entry in std::fs::read_dir("/proc/self/task").unwrap() {
            let stat =
                std::fs::read_to_string(entry.unwrap().path().join("stat")).unwrap_or_default();
            if stat.contains(&format!("({name}) S ")) {
                return;
            }
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_loop_that_spins_serves_sockets_timers_and_tasks() {
    let mut runtime = Runtime::builder().spin(LIMIT).build().unwrap();
    let begin = Instant::now();
    runtime.block_on(async {
        let deadline = Instant::now() + Duration::from_micros(1500);
        sleep(Duration::from_micros(1500)).await;
        assert!(Instant::now() >= deadline);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let client = spawn(async move { TcpStream::connect(addr).await.unwrap() });
        let (server, _) = listener.accept().await.unwrap();
        let client = client.await.unwrap();
        let mut buf = [0; 4];
        for _ in 0..100 {
            client.write_all(b"ping").await.unwrap();
            server.read_exact(&mut buf).await.unwrap();
            server.write_all(b"pong").await.unwrap();
            client.read_exact(&mut buf).await.unwrap();
            assert_eq!(&buf, b"pong");
        }
    });
    assert!(begin.elapsed() < LIMIT);
}

#[test]
fn spinning_ends_with_the_limit_of_a_turn() {
    let mut runtime = Runtime::builder().spin(LIMIT).build().unwrap();
    let begin = Instant::now();
    let turn = runtime.turn(Some(Duration::from_millis(2))).unwrap();
    assert_eq!(turn.polled, 0);
    assert!(begin.elapsed() >= Duration::from_millis(2));
    runtime.turn(Some(Duration::ZERO)).unwrap();
    assert!(begin.elapsed() < LIMIT);
    let mut runtime = Runtime::builder().spin(Duration::from_millis(1)).build().unwrap();
    let begin = Instant::now();
    runtime.turn(Some(Duration::from_millis(5))).unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(5), "the rest of the limit is slept");
}

#[cfg(target_os = "linux")]
#[test]
fn after_spinning_it_sleeps() {
    use std::thread;

    use futures::channel::oneshot;

    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("spins".into()).spawn(move || {
        let spin = Duration::from_millis(1);
        Runtime::builder().spin(spin).build().unwrap().block_on(told).unwrap();
    });
    until_it_sleeps("spins");
    tell.send(()).unwrap();
    thread.unwrap().join().unwrap();
}

#[test]
fn a_loop_that_spins_fires_many_timers_of_one_deadline() {
    let mut runtime = Runtime::builder().spin(LIMIT).build().unwrap();
    let begin = Instant::now();
    let deadline = begin + Duration::from_millis(50);
    runtime.block_on(async {
        // They wake nobody: the loop has nothing to do but to fire the next.
        let mut sleeps: Vec<_> = (0..20_000).map(|_| Box::pin(sleep_until(deadline))).collect();
        let mut nobody = Context::from_waker(Waker::noop());
        sleeps.iter_mut().for_each(|sleep| _ = sleep.as_mut().poll(&mut nobody));
        sleep_until(deadline).await;
    });
    assert!(begin.elapsed() < LIMIT, "it knows that more are due");
}
