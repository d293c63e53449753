//! Simulated worlds: each fault by call, with the exact virtual times that Linux would take.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::sim::World;
use evloop::{sim, time};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Sends back what it receives, on all connections.
async fn echo() -> io::Result<()> {
    let listener = TcpListener::bind("[::]:7").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        evloop::spawn(async move {
            let mut buf = [0; 1000];
            loop {
                match stream.read(&mut buf).await? {
                    0 => return io::Result::Ok(()),
                    n => stream.write_all(&buf[..n]).await?,
                }
            }
        })
        .on_done(drop);
    }
}

/// Connects the script to an echo server.
async fn connected(world: &World<'_>) -> TcpStream {
    world.host("server", echo);
    time::sleep(MS).await;
    TcpStream::connect("server:7").await.unwrap()
}

/// Returns the answer to `text`, and the time that it took.
async fn ask(stream: &TcpStream, text: &str) -> (String, Duration) {
    let begin = time::now();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut buf = vec![0; text.len()];
    stream.read_exact(&mut buf).await.unwrap();
    (String::from_utf8(buf).unwrap(), time::now() - begin)
}

/// Returns the kind of the error that ends `operation`, and the time until then.
async fn failed<T>(operation: impl Future<Output = io::Result<T>>) -> (io::ErrorKind, Duration) {
    let begin = time::now();
    let error = operation.await.err().expect("the operation must fail");
    (error.kind(), time::now() - begin)
}

/// The first time-out of TCP: 200 ms and a round trip.
const RETRY: Duration = Duration::from_millis(202);

#[test]
fn a_healed_partition_delays_by_time_outs_that_double() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        world.partition("world", "server");
        let heal = async {
            time::sleep(SECOND).await;
            world.heal("world", "server");
        };
        let (answer, ()) = evloop::join!(ask(&stream, "hello"), heal);
        // The bytes are sent at 0, 202, 606 and 1,414 ms.
        assert_eq!(answer, ("hello".into(), 7 * RETRY + 2 * MS));
        assert_eq!(ask(&stream, "again").await.1, 2 * MS);
    });
}

#[test]
fn a_partition_of_one_direction_loses_what_goes_that_way() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        world.partition_from("server", "world");
        let received = Rc::new(Cell::new(Duration::ZERO));
        let heal = async {
            time::sleep(100 * MS).await;
            world.heal("world", "server");
        };
        let (answer, ()) = evloop::join!(ask(&stream, "hello"), heal);
        // The server has received and answered at 1 ms; its answer is repeated 202 ms later.
        assert_eq!(answer, ("hello".into(), 2 * MS + RETRY));
        assert_eq!(received.get(), Duration::ZERO);
        // A new connection cannot be made: the SYN arrives, its answer is lost.
        world.partition_from("server", "world");
        let late = time::timeout(900 * MS, TcpStream::connect("server:7")).await;
        assert!(late.is_err());
    });
}

#[test]
fn held_packets_arrive_after_the_release_in_their_order() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        world.hold("world", "server");
        let release = async {
            time::sleep(50 * MS).await;
            stream.write_all(b"two").await.unwrap();
            world.release("world", "server");
        };
        let begin = time::now();
        stream.write_all(b"one").await.unwrap();
        release.await;
        let mut buf = [0; 6];
        stream.read_exact(&mut buf).await.unwrap();
        assert_eq!((&buf, time::now() - begin), (b"onetwo", 52 * MS));
    });
}

#[test]
fn the_latency_of_a_link_is_that_of_both_directions() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        world.latency("world", "server", 30 * MS);
        assert_eq!(ask(&stream, "hello").await.1, 60 * MS);
        world.latency("world", "server", 5 * MS..6 * MS);
        let took = ask(&stream, "hello").await.1;
        assert!((10 * MS..=12 * MS).contains(&took), "{took:?}");
        world.calm();
        assert_eq!(ask(&stream, "hello").await.1, 2 * MS);
    });
}

#[test]
fn the_bandwidth_of_a_link_delays_by_the_bytes() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        world.bandwidth("world", "server", 1_000_000);
        // 1,000 bytes take 1 ms in each direction.
        assert_eq!(ask(&stream, &"x".repeat(1_000)).await.1, 4 * MS);
        world.calm();
        assert_eq!(ask(&stream, &"x".repeat(1_000)).await.1, 2 * MS);
    });
}

#[test]
fn a_reset_reaches_both_ends_at_once() {
    let accepted = Cell::new(0);
    // Returns what the server learns.
    let reset = |after: Duration| {
        sim::run(1, async |world| {
            let server = world.client("server", async || {
                let listener = TcpListener::bind("[::]:7").await?;
                let (stream, _) = listener.accept().await?;
                accepted.set(accepted.get() + 1);
                stream.read(&mut [0; 1]).await
            });
            time::sleep(MS).await;
            let stream = TcpStream::connect("server:7").await.unwrap();
            time::sleep(after).await;
            assert_eq!(world.reset("server", "world"), 1);
            let own = failed(stream.read(&mut [0; 1])).await;
            assert_eq!(own, (io::ErrorKind::ConnectionReset, Duration::ZERO));
            assert_eq!(world.reset("server", "world"), 0);
            time::timeout(SECOND, failed(server)).await.ok()
        })
    };
    assert_eq!(reset(2 * MS), Some((io::ErrorKind::ConnectionReset, Duration::ZERO)));
    assert_eq!((reset(Duration::ZERO), accepted.get()), (None, 1), "the handshake is not complete");
}

#[test]
fn a_connect_to_a_host_without_power_times_out_after_127_seconds() {
    sim::run(1, async |world| {
        let server = world.host("server", echo);
        time::sleep(MS).await;
        server.crash();
        let addr = (server.addrs()[1], 7);
        let expected = (io::ErrorKind::TimedOut, 127 * SECOND);
        assert_eq!(failed(TcpStream::connect(addr)).await, expected);
        // So does one to an address that no host has.
        assert_eq!(failed(TcpStream::connect("10.1.1.1:7")).await, expected);
    });
}

#[test]
fn a_writer_to_a_host_without_power_ends_after_the_retransmissions() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        world.find("server").crash();
        let silent = time::timeout(3600 * SECOND, stream.read(&mut [0; 1])).await;
        assert!(silent.is_err(), "nothing is sent, so nothing is missed");
        stream.write_all(b"are you there?").await.unwrap();
        // 202 ms, doubled up to 120 s, 15 times (tcp_retries2 of Linux). Each time-out begins when
        // the packet is lost: where it arrives.
        let retries = (0..=15).map(|n| MS + (RETRY * (1 << n)).min(120 * SECOND));
        let doubled: Duration = retries.sum();
        let error = failed(stream.read(&mut [0; 1])).await;
        assert_eq!(error, (io::ErrorKind::TimedOut, doubled));
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(failed(stream.write(b"x")).await.0, io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_restarted_host_resets_connections_of_its_earlier_life() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        let server = world.find("server");
        server.crash();
        server.restart();
        stream.write_all(b"hello?").await.unwrap();
        let error = failed(stream.read(&mut [0; 1])).await;
        assert_eq!(error, (io::ErrorKind::ConnectionReset, 2 * MS));
        let stream = TcpStream::connect("server:7").await.unwrap();
        assert_eq!(ask(&stream, "hello").await.1, 2 * MS);
    });
}

#[test]
fn a_killed_host_ends_connections_by_fin_or_rst() {
    sim::run(1, async |world| {
        let server = world.host("server", async || {
            let listener = TcpListener::bind("[::]:7").await?;
            let streams = [listener.accept().await?, listener.accept().await?];
            std::future::pending::<()>().await;
            drop(streams);
            io::Result::Ok(())
        });
        time::sleep(MS).await;
        let quiet = TcpStream::connect("server:7").await.unwrap();
        let unread = TcpStream::connect("server:7").await.unwrap();
        unread.write_all(b"never read").await.unwrap();
        time::sleep(5 * MS).await;
        server.kill();
        let begin = time::now();
        assert_eq!(quiet.read(&mut [0; 1]).await.unwrap(), 0, "a FIN");
        assert_eq!(time::now() - begin, MS);
        assert_eq!(failed(unread.read(&mut [0; 1])).await.0, io::ErrorKind::ConnectionReset);
        // The system of the host is up: it refuses.
        let refused = (io::ErrorKind::ConnectionRefused, 2 * MS);
        assert_eq!(failed(TcpStream::connect((server.addrs()[1], 7))).await, refused);
    });
}

/// Says goodbye when it is dropped.
struct Goodbye(TcpStream);

impl Drop for Goodbye {
    fn drop(&mut self) {
        let _ = self.0.try_write(b"bye");
    }
}

#[test]
fn only_the_destructors_of_a_stopped_host_reach_the_network() {
    let farewell = |end: fn(&sim::Host<'_>)| {
        sim::run(1, async |world| {
            let server = world.host("server", async || {
                let listener = TcpListener::bind("[::]:7").await?;
                let _goodbye = Goodbye(listener.accept().await?.0);
                std::future::pending::<()>().await;
                io::Result::Ok(())
            });
            time::sleep(MS).await;
            let stream = TcpStream::connect("server:7").await.unwrap();
            time::sleep(5 * MS).await;
            end(&server);
            let mut all = Vec::new();
            let read = async {
                let mut buf = [0; 10];
                while let Ok(n @ 1..) = stream.read(&mut buf).await {
                    all.extend_from_slice(&buf[..n]);
                }
            };
            let is_late = time::timeout(SECOND, read).await.is_err();
            (String::from_utf8(all).unwrap(), is_late)
        })
    };
    assert_eq!(farewell(|host| host.stop()), ("bye".into(), false));
    assert_eq!(farewell(|host| host.kill()), ("".into(), false));
    assert_eq!(farewell(|host| host.crash()), ("".into(), true));
}

#[test]
fn a_paused_host_acknowledges_and_answers_when_it_is_resumed() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        let server = world.find("server");
        server.pause();
        // Its system completes handshakes.
        let begin = time::now();
        let other = TcpStream::connect("server:7").await.unwrap();
        assert_eq!(time::now() - begin, 2 * MS);
        let resume = async {
            time::sleep(3600 * SECOND).await;
            server.resume();
        };
        let (answer, ()) = evloop::join!(ask(&stream, "hello"), resume);
        assert_eq!(answer.1, 3600 * SECOND + MS, "no packet was repeated");
        assert_eq!(ask(&other, "hello").await.1, 2 * MS);
    });
}

#[test]
fn a_clock_that_drifts_moves_the_timers() {
    let ticks = RefCell::new(Vec::new());
    sim::run(1, async |world| {
        let begin = time::now();
        let host = world.host("host", async || {
            loop {
                time::sleep(SECOND).await;
                ticks.borrow_mut().push((time::now(), time::system_now()));
            }
        });
        host.clock().drift(250_000);
        time::sleep(4 * SECOND).await;
        assert_eq!(ticks.borrow().len(), 5, "a quarter faster");
        assert_eq!(ticks.borrow()[4].0 - begin, 5 * SECOND, "by its own clock");
        host.clock().drift(-500_000);
        time::sleep(4 * SECOND).await;
        assert_eq!(ticks.borrow().len(), 7, "half as fast");
        host.clock().jump_back(60 * SECOND);
        host.clock().drift(0);
        time::sleep(SECOND).await;
        let ticks = ticks.borrow();
        assert_eq!(ticks[7].0 - ticks[6].0, SECOND, "a jump changes no timer");
        assert_eq!(ticks[6].1.duration_since(ticks[7].1).unwrap(), 59 * SECOND);
    });
}

/// A calm world loses, duplicates and reorders nothing, whatever its options say.
#[test]
fn calm_ends_the_faults_of_the_options() {
    use evloop::net::UdpSocket;
    sim::check(0..10, |sim| {
        sim.loss(0.5).duplicate(0.5).reorder(0.5).latency(3 * MS);
        sim.run(async |world| {
            let received = Rc::new(RefCell::new(Vec::new()));
            let log = received.clone();
            world.host("server", async move || {
                let socket = UdpSocket::bind("[::]:53").await?;
                loop {
                    let mut buf = [0; 1];
                    socket.recv_from(&mut buf).await?;
                    log.borrow_mut().push(buf[0]);
                }
                #[allow(unreachable_code)]
                io::Result::Ok(())
            });
            time::sleep(MS).await;
            let socket = UdpSocket::bind("[::]:0").await.unwrap();
            let send = async || {
                for n in 0..50 {
                    socket.send_to(&[n], "server:53").await.unwrap();
                }
                time::sleep(SECOND).await;
            };
            send().await;
            assert_ne!(received.take(), (0..50).collect::<Vec<u8>>());
            world.hold("world", "server");
            send().await;
            assert_eq!(received.borrow().len(), 0);
            world.calm();
            time::sleep(2 * MS).await;
            assert_eq!(received.borrow().len(), 0, "the latency stays");
            time::sleep(2 * MS).await;
            assert_ne!(received.take(), []);
            send().await;
            assert_eq!(received.take(), (0..50).collect::<Vec<u8>>());
        });
        let text = sim.trace().to_text();
        assert!(text.contains("world   calm network"), "{text}");
    });
}

#[test]
fn a_change_of_a_link_is_in_the_record() {
    sim::check(0..1, |sim| {
        sim.run(async |world| {
            world.host("server", async || std::future::pending::<()>().await);
            world.loss("world", "server", 0.25);
            world.bandwidth("world", "server", 1_000);
        });
        let text = sim.trace().to_text();
        for line in ["loss to server is 25 %", "bandwidth to server is 1000 bytes a second"] {
            assert!(text.contains(line), "{text}");
        }
    });
}

#[test]
fn a_server_restarts_at_its_port_at_once() {
    sim::run(1, async |world| {
        let stream = connected(&world).await;
        let server = world.find("server");
        for end in [sim::Host::kill, sim::Host::stop, sim::Host::crash] {
            end(&server);
            server.restart();
            time::sleep(MS).await;
            let stream = TcpStream::connect("server:7").await.unwrap();
            assert_eq!(ask(&stream, "hello").await.1, 2 * MS);
        }
        drop(stream);
    });
}

/// No port stays in use after a connection: there are about 28,000 to choose from.
#[test]
fn a_client_opens_thirty_thousand_connections_one_after_the_other() {
    sim::run(1, async |world| {
        drop(connected(&world).await);
        for _ in 0..30_000 {
            drop(TcpStream::connect("server:7").await.unwrap());
        }
    });
}

#[test]
fn a_close_sends_all_bytes_without_a_linger_time() {
    sim::run(1, async |world| {
        let server = world.client("server", async || {
            let listener = TcpListener::bind("[::]:7").await?;
            let (stream, _) = listener.accept().await?;
            time::sleep(10 * SECOND).await;
            let mut all = Vec::new();
            let mut buf = [0; 10_000];
            while let n @ 1.. = stream.read(&mut buf).await? {
                all.extend_from_slice(&buf[..n]);
            }
            io::Result::Ok(all.len())
        });
        time::sleep(MS).await;
        let stream = TcpStream::connect("server:7").await.unwrap();
        // As outside: a close that waits would block the loop.
        let refused = stream.set_linger(Some(SECOND)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        // More than the receiver's buffer.
        stream.write_all(&[7; 200_000]).await.unwrap();
        drop(stream);
        assert_eq!(server.await.unwrap(), 200_000);
    });
}
