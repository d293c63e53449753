//! The record of a run: one seed, one hash; the first event in which two runs differ; the outputs.

#![cfg(feature = "sim")]

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use evloop::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use evloop::sim::{self, Sim, Trace};
use evloop::{task, time};

/// Runs a test in a process of its own.
#[allow(dead_code, unreachable_pub)]
mod alone;

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

/// Runs `scenario` for one seed, twice. Returns the message of the failure.
fn failure(scenario: impl FnMut(&mut Sim)) -> String {
    let check = || sim::check_in_turn(5..6, scenario);
    let panic = panic::catch_unwind(AssertUnwindSafe(check)).expect_err("the check fails");
    *panic.downcast::<String>().expect("a message")
}

/// Returns the lines of the two runs where they differ.
fn sides(message: &str) -> [&str; 2] {
    let side = |name: &str| {
        let line = message.lines().find_map(|line| line.trim_start().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no line of the {name}: {message}")).trim_start()
    };
    [side("first run:"), side("second run:")]
}

#[test]
fn the_order_of_a_hash_map_is_caught() {
    let message = failure(|sim| {
        sim.run(async |_world| {
            let map: HashMap<u64, ()> = (0..50).map(|n| (n, ())).collect();
            for n in map.into_keys() {
                sim::note(format!("key {n}"));
                task::yield_now().await;
            }
        });
    });
    assert!(message.contains("two runs of one seed differ at entry "), "{message}");
    let sides = sides(&message);
    assert!(sides.iter().all(|side| side.contains("world  note: key ")), "{sides:?}");
    assert_ne!(sides[0], sides[1]);
}

#[test]
fn a_real_clock_is_caught() {
    let start = Instant::now();
    let message = failure(|sim| {
        sim.run(async |world| {
            let client = world.client("client", async || {
                time::sleep(Duration::from_millis(1)).await;
                // Real time has passed between the two runs.
                time::sleep(start.elapsed()).await;
            });
            client.await;
        });
    });
    assert!(message.contains("a real clock"), "{message}");
    let sides = sides(&message);
    assert!(sides.iter().all(|side| side.ends_with("  client  timer")), "{sides:?}");
}

/// State that outlives the run is a difference, too.
#[test]
fn a_run_with_an_event_more_is_caught() {
    let runs = Cell::new(0);
    let message = failure(|sim| {
        runs.set(runs.get() + 1);
        sim.run(async |_world| {
            for n in 0..runs.get() {
                sim::note(format!("note {n}"));
            }
        });
    });
    assert_eq!(sides(&message), ["(ended)", "0.000000000  world  note: note 1"]);
}

#[test]
fn a_test_that_runs_fewer_worlds_when_it_is_repeated_is_caught() {
    let is_first = Cell::new(true);
    let message = failure(|sim| {
        for _ in 0..if is_first.take() { 2 } else { 1 } {
            sim.run(async |_world| ());
        }
    });
    assert!(message.contains("ran 1 worlds less"), "{message}");
}

#[test]
fn a_failure_shows_the_last_events() {
    let message = failure(|sim| {
        sim.run(async |_world| {
            (0..100).for_each(|n| sim::note(format!("note {n}")));
            time::sleep(Duration::from_millis(3)).await;
            panic!("it fails");
        });
    });
    let (_, events) = message.split_once("the last events:\n").expect("the events");
    assert_eq!(events.lines().count(), 12);
    assert!(events.ends_with("0.003000000  world  timer\n    0.003000000  world  poll task 1"));
    assert!(!events.contains("note 89\n") && events.contains("note 99\n"), "{events}");
}

#[test]
fn the_last_events_are_those_before_the_failure() {
    let message = failure(|sim| {
        sim.run(async |world| {
            world.host("server", async || {
                let (_stream, _) = TcpListener::bind("[::]:80").await?.accept().await?;
                std::future::pending::<std::io::Result<()>>().await
            });
            world.host("client", async || {
                let _stream = TcpStream::connect("server:80").await?;
                std::future::pending::<std::io::Result<()>>().await
            });
            time::sleep(Duration::from_secs(1)).await;
            sim::note("the last one");
            panic!("it fails");
        });
    });
    // The end of the world closes the connections.
    assert!(message.ends_with("  world   note: the last one"), "{message}");
}

#[test]
fn a_failure_writes_its_record_to_the_file_that_the_environment_names() {
    let beginnings =
        [("json", "{\"displayTimeUnit\""), ("mmd", "sequenceDiagram\n"), ("txt", "0.000000000  ")];
    for (extension, beginning) in beginnings {
        let file = format!("evloop-sim-trace-{}.{extension}", process::id());
        let path = env::temp_dir().join(file);
        let vars = [("EVLOOP_SIM_TRACE", path.to_str().expect("a path in UTF-8"))];
        let name = "a_failure_writes_its_record_to_the_file_that_the_environment_names";
        if alone::run_with(name, &vars).is_none() {
            let message = failure(|sim| {
                sim.run(async |_world| {
                    sim::note("it was here");
                    panic!("it fails");
                });
            });
            assert!(message.contains("the record of the run is in "), "{message}");
            return;
        }
        let text = fs::read_to_string(&path).expect("the file of the record");
        fs::remove_file(&path).expect("a file");
        assert!(text.starts_with(beginning) && text.contains("it was here"), "{text}");
    }
}

#[test]
fn a_note_outside_of_a_world_does_nothing() {
    sim::note("nobody reads this");
}

#[test]
fn the_record_is_bounded() {
    sim::check(0..1, |sim| {
        sim.trace_limit(100).run(async |_world| {
            for _ in 0..1000 {
                task::yield_now().await;
            }
        });
        assert_eq!(sim.trace().len(), 128);
        assert!(sim.trace().dropped() > 800, "{:?}", sim.trace());
        let text = sim.trace().to_text();
        assert_eq!(text.lines().count(), 129);
        assert!(text.ends_with("world  poll task 1\n"), "{text}");
    });
}

#[test]
fn the_hash_does_not_depend_on_the_length_of_the_record() {
    let hash = |limit| {
        let mut hash = 0;
        sim::check_in_turn(3..4, |sim| {
            sim.trace_limit(limit);
            run_some(sim);
            hash = sim.hash();
        });
        hash
    };
    assert_eq!(hash(1), hash(1 << 16));
}

#[test]
fn a_trace_can_be_taken_while_the_world_runs() {
    sim::run(1, async |world| {
        let before = world.trace();
        sim::note("here");
        let after: Trace = world.trace();
        assert_eq!(after.len(), before.len() + 1);
        assert_ne!(after.hash(), before.hash());
        assert!(format!("{after:?}").starts_with("Trace { len: "), "{after:?}");
    });
}

#[test]
fn an_empty_trace_has_no_run() {
    sim::check(0..1, |sim| assert!(sim.trace().is_empty()));
}

/// Returns the lines about the network and about hosts: no turns, polls and timers.
fn visible(trace: &Trace) -> String {
    let is_visible = |line: &&str| {
        !line.contains("  poll task ") && !line.ends_with("  timer") && !line.contains("  turn, ")
    };
    trace.to_text().lines().filter(is_visible).map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn a_request_is_recorded_with_its_bytes_and_times() {
    sim::check(0..1, |sim| {
        sim.run(async |world| {
            let server = world.host("server", serve);
            time::sleep(Duration::from_millis(10)).await;
            world.client("client", async || ask("hello").await).await.unwrap();
            time::sleep(Duration::from_millis(10)).await;
            world.partition("client", "server");
            server.crash();
        });
        assert_eq!(visible(sim.trace()), EXPECTED);
        let chart = sim.trace().to_mermaid();
        assert!(chart.contains("participant h1 as server\n"), "{chart}");
        assert!(chart.contains("h2->>h1: 0.015000000 receive 5 bytes from client, flow 2\n"));
        let json = sim.trace().to_trace_events();
        assert!(json.contains("\"name\":\"send 5 bytes to server\""), "{json}");
    });
}

#[test]
fn a_datagram_has_the_flow_of_its_sender_and_an_arrow() {
    sim::check(0..1, |sim| {
        sim.run(async |world| {
            let receive = async || {
                let socket = UdpSocket::bind("0.0.0.0:53").await?;
                socket.recv_from(&mut [0; 9]).await.map(|(n, _)| n)
            };
            let server = world.client("server", receive);
            world.host("client", async || {
                let socket = UdpSocket::bind("0.0.0.0:0").await?;
                let addr = lookup_host("server:53").await?.find(SocketAddr::is_ipv4);
                socket.send_to(b"hello", addr.expect("an address of IPv4")).await.map(drop)
            });
            assert_eq!(server.await.unwrap(), 5);
        });
        let text = visible(sim.trace());
        let flows: Vec<_> = text.lines().map(|line| line.rsplit("  ").next()).collect();
        assert!(flows.len() == 2 && flows[0] == flows[1], "{text}");
        assert!(text.contains("client  send 5 bytes to server"), "{text}");
        assert!(text.contains("server  receive 5 bytes from client"), "{text}");
        let json = sim.trace().to_trace_events();
        assert!(json.contains("\"ph\":\"s\"") && json.contains("\"ph\":\"f\""), "{json}");
    });
}

/// The name has an IPv6 address, too, at which the server does not listen.
const EXPECTED: &str = "\
0.010000000  client  connect to server:80  flow 1
0.012000000  client  refused by server, port 80  flow 1
0.012000000  client  connect to server:80  flow 2
0.014000000  client  send 5 bytes to server  flow 2
0.015000000  server  accept client on port 80  flow 2
0.015000000  server  receive 5 bytes from client  flow 2
0.015000000  server  send 5 bytes to client  flow 2
0.016000000  client  receive 5 bytes from server  flow 2
0.016000000  client  send FIN to server  flow 2
0.017000000  server  receive FIN from client  flow 2
0.017000000  server  send FIN to client  flow 2
0.018000000  client  receive FIN from server  flow 2
0.026000000  client  partition from server
0.026000000  server  partition from client
0.026000000  server  crash
";
