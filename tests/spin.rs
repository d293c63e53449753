//! A loop that polls for events for a while before it sleeps.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use evloop::net::{TcpListener, TcpStream};
use evloop::time::{sleep, sleep_until};
use evloop::{Runtime, spawn};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until this process's first thread of the name `name` sleeps.
#[cfg(target_os = "linux")]
fn wait_until_asleep(name: &str) {
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
fn a_busy_polling_loop_serves_sockets_timers_and_tasks() {
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
fn busy_polling_ends_at_the_limit_of_a_turn() {
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
    assert!(
        begin.elapsed() >= Duration::from_millis(5),
        "the loop sleeps for the rest of the limit"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_loop_sleeps_after_busy_polling() {
    use std::thread;

    use futures::channel::oneshot;

    let (sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name("spins".into()).spawn(move || {
        let spin = Duration::from_millis(1);
        Runtime::builder().spin(spin).build().unwrap().block_on(receiver).unwrap();
    });
    wait_until_asleep("spins");
    sender.send(()).unwrap();
    thread.unwrap().join().unwrap();
}

#[test]
fn a_busy_polling_loop_fires_many_timers_of_one_deadline() {
    let mut runtime = Runtime::builder().spin(LIMIT).build().unwrap();
    let begin = Instant::now();
    let deadline = begin + Duration::from_millis(50);
    runtime.block_on(async {
        // They wake no task: the only work of the loop is to fire the next timers.
        let mut sleeps: Vec<_> = (0..20_000).map(|_| Box::pin(sleep_until(deadline))).collect();
        let mut cx = Context::from_waker(Waker::noop());
        sleeps.iter_mut().for_each(|sleep| _ = sleep.as_mut().poll(&mut cx));
        sleep_until(deadline).await;
    });
    assert!(begin.elapsed() < LIMIT, "the loop knows that more timers are due");
}
