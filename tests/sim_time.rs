//! Simulated worlds: virtual time, random numbers, task numbers.
#![cfg(feature = "sim")]

use std::cell::RefCell;
use std::io;
use std::time::{Duration, SystemTime};

use evloop::net::UdpSocket;
use evloop::{random, runtime, sim, task, time};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_sleep_takes_exactly_its_time() {
    sim::run(1, async |world| {
        let begin = time::now();
        time::sleep(MS).await;
        assert_eq!((time::now() - begin, world.elapsed()), (MS, MS));
        time::sleep(Duration::from_nanos(1)).await;
        assert_eq!(time::now() - begin, MS + Duration::from_nanos(1));
        time::sleep(Duration::from_secs(24 * 3600) - 2 * MS).await;
        time::sleep_until(begin).await;
        assert_eq!(
            time::now() - begin,
            Duration::from_secs(24 * 3600) - MS + Duration::from_nanos(1)
        );
    });
}

async fn echo(socket: UdpSocket) -> io::Result<()> {
    let mut buf = [0; 9];
    loop {
        let (n, peer) = socket.recv_from(&mut buf).await?;
        socket.send_to(&buf[..n], peer).await?;
    }
}

#[test]
fn time_passes_while_a_task_waits_for_it_with_packets_that_take_no_time() {
    let ask = async |server: &str| {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect(server).await.unwrap();
        let end = time::now() + MS;
        while time::now() < end {
            socket.send(&[1]).await.unwrap();
            socket.recv(&mut [0; 9]).await.unwrap();
        }
    };
    sim::check_in_turn(0..2, |sim| {
        sim.latency(Duration::ZERO).step_limit(200_000).run(async |world| {
            world.host("server", async || echo(UdpSocket::bind("0.0.0.0:53").await?).await);
            ask("server:53").await;
            let own = UdpSocket::bind("0.0.0.0:53").await.unwrap();
            let _own = evloop::spawn(echo(own));
            ask("127.0.0.1:53").await;
            assert!(world.elapsed() >= 2 * MS);
        });
    });
}

#[test]
fn timers_end_in_the_order_of_their_deadlines() {
    let order = RefCell::new(Vec::new());
    let (order, hosts) = (&order, [3, 1, 2]);
    sim::run(5, async |world| {
        for ms in hosts {
            world.host(&format!("host {ms}"), async move || {
                for round in 0..2 {
                    time::sleep(ms * MS).await;
                    order.borrow_mut().push((ms * (round + 1), ms));
                }
            });
        }
        time::sleep(10 * MS).await;
    });
    let mut sorted = order.borrow().clone();
    sorted.sort_by_key(|(at, _)| *at);
    assert_eq!(*order.borrow(), sorted);
}

#[test]
fn a_timeout_and_an_interval_are_exact() {
    sim::run(1, async |world| {
        let late = time::timeout(5 * MS, time::sleep(6 * MS)).await;
        assert!(late.is_err());
        assert_eq!(world.elapsed(), 5 * MS);
        assert_eq!(time::timeout(5 * MS, time::sleep(4 * MS)).await, Ok(()));
        assert_eq!(world.elapsed(), 9 * MS);
        let mut ticks = time::interval(100 * MS);
        for _ in 0..5 {
            ticks.tick().await;
        }
        assert_eq!(world.elapsed(), 409 * MS);
        let fired = RefCell::new(None);
        task::scope(async |_| {
            let (sender, receiver) = evloop::sync::oneshot::channel();
            runtime::call_later(7 * MS, || sender.send(time::now()).unwrap());
            *fired.borrow_mut() = receiver.await.ok();
        })
        .await;
        assert_eq!(world.elapsed(), 416 * MS);
        assert_eq!(*fired.borrow(), Some(time::now()));
    });
}

#[test]
fn a_task_that_yields_for_ever_lets_the_time_pass() {
    sim::run(1, async |world| {
        let end = time::now() + MS;
        while time::now() < end {
            task::yield_now().await;
        }
        assert!(world.elapsed() >= MS);
        // Timers of others are on time meanwhile.
        let sleeper = world.client("sleeper", async || {
            let begin = time::now();
            time::sleep(MS).await;
            time::now() - begin
        });
        let spinner = evloop::spawn(async {
            loop {
                task::yield_now().await;
            }
        });
        let slept = sleeper.await;
        assert!((MS..2 * MS).contains(&slept), "{slept:?}");
        spinner.abort();
    });
}

#[test]
fn the_time_stands_still_while_a_task_is_ready() {
    sim::run(1, async |world| {
        for _ in 0..500 {
            task::yield_now().await;
        }
        assert_eq!(world.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_host_has_a_time_of_day_of_its_own() {
    sim::run(1, async |world| {
        let host = world.host("other", async || {
            let begin = (time::now(), time::system_now());
            time::sleep(Duration::from_secs(2)).await;
            let passed = time::system_now().duration_since(begin.1).unwrap();
            assert_eq!(passed, Duration::from_secs(62));
            assert_eq!(time::now() - begin.0, Duration::from_secs(2));
        });
        let start = time::system_now();
        assert_eq!(start.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 1_000_000_000);
        time::sleep(Duration::from_secs(1)).await;
        host.clock().jump_forward(Duration::from_secs(60));
        time::sleep(Duration::from_secs(2)).await;
        assert!(!host.is_up());
        assert_eq!(time::system_now().duration_since(start).unwrap(), Duration::from_secs(3));
    });
}

#[test]
fn an_hour_of_ten_heartbeats_takes_no_time() {
    let beats = std::cell::Cell::new(0);
    let begin = std::time::Instant::now();
    sim::run(1, async |world| {
        for host in 0..10 {
            world.host(&format!("host {host}"), async || {
                let mut ticks = time::interval(100 * MS);
                loop {
                    ticks.tick().await;
                    beats.set(beats.get() + 1);
                }
            });
        }
        time::sleep(Duration::from_secs(3600) - MS).await;
    });
    assert_eq!(beats.get(), 10 * 36_000);
    println!("{:?}", begin.elapsed());
}

#[test]
fn random_numbers_are_those_of_the_seed() {
    let numbers = |seed| {
        sim::run(seed, async |_| {
            let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
            random::shuffle(&mut items);
            let mut bytes = [0; 13];
            random::fill(&mut bytes);
            (random::u64(), random::range(10..1000), items, bytes)
        })
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    let outside = (random::u64(), random::range(5..6));
    assert_ne!(outside.0, random::u64());
    assert_eq!(outside.1, 5);
}

#[test]
fn task_numbers_count_the_tasks_of_a_host() {
    let numbers = || {
        sim::run(1, async |world| {
            let other = world.client("other", async || {
                let task = evloop::spawn(async { task::current().unwrap().id().to_string() });
                task.await.unwrap()
            });
            (task::current().unwrap().id().to_string(), other.await)
        })
    };
    assert_eq!(numbers(), ("0.1".into(), "1.2".into()));
    evloop::block_on(async { evloop::spawn(async {}).await.unwrap() });
    assert_eq!(numbers(), ("0.1".into(), "1.2".into()));
}
