//! Simulated worlds: the examples' own functions, unchanged, with many clients and with faults.
//!
//! The tests run in processes of their own: the examples print to stdout.
#![cfg(all(feature = "sim", feature = "streams", feature = "signal", unix))]

#[allow(unreachable_pub)]
mod alone;
mod sim_programs {
    pub(crate) mod clients;
    pub(crate) mod faults;
    pub(crate) mod site;
}

#[allow(dead_code)]
#[path = "../examples/chat.rs"]
mod chat;
#[allow(dead_code)]
#[path = "../examples/echo-server.rs"]
mod echo_server;
#[allow(dead_code)]
#[path = "../examples/proxy.rs"]
mod proxy;
#[allow(dead_code)]
#[path = "../examples/wget/main.rs"]
mod wget;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use evloop::net::TcpListener;
use evloop::sim::{Client, Sim, World};
use evloop::{sim, time};

use sim_programs::clients::{chat_until_done, echo_until_done};
use sim_programs::faults::cause_faults;
use sim_programs::site;

const MS: Duration = Duration::from_millis(1);
/// The longest time for which TCP repeats a packet, and more.
const RECOVERY: Duration = Duration::from_secs(1200);

/// The state of the last life of the echo server.
type Counts = RefCell<Rc<echo_server::Count>>;

/// The program of a host: the example's server, which counts its connections in `counts`.
async fn echo(counts: &Counts) -> io::Result<()> {
    let count = Rc::new(echo_server::Count::default());
    counts.replace(count.clone());
    let listener = TcpListener::bind("[::]:7").await?;
    let addr = listener.local_addr()?;
    echo_server::serve(listener, addr, count).await;
    Ok(())
}

/// Waits until all clients have ended.
async fn join(world: &World<'_>, clients: Vec<Client<'_, ()>>) {
    let all = async || {
        for client in clients {
            client.await;
        }
    };
    world.within(RECOVERY, all).await;
}

/// Waits until the server has no connection.
async fn until_empty(world: &World<'_>, counts: &Counts) {
    let empty = async || {
        while counts.borrow().open.get() > 0 {
            time::sleep(MS).await;
        }
    };
    world.within(RECOVERY, empty).await;
}

/// Runs the echo server, directly or behind the proxy, with clients and faults.
fn run_echo(sim: &mut Sim, clients: usize, is_proxied: bool) -> u64 {
    let (counts, done) = (Counts::default(), Cell::new(0));
    sim.latency(MS..20 * MS).short_io(0.2).loss(0.01);
    sim.run(async |world| {
        world.invariant(|| assert!(done.get() <= clients));
        let mut servers = vec![world.host("server", async || echo(&counts).await)];
        let mut target = "server:7";
        if is_proxied {
            let proxy = async || proxy::serve("[::]:8", "server:7").await;
            servers.push(world.host("proxy", proxy));
            target = "proxy:8";
        }
        let names: Vec<_> = (0..clients).map(|number| format!("client{number}")).collect();
        let start = |name: &String| {
            world.client(name, async || {
                echo_until_done(target).await;
                done.set(done.get() + 1);
            })
        };
        let clients: Vec<_> = names.iter().map(start).collect();
        cause_faults(&world, &servers, &names).await;
        join(&world, clients).await;
        until_empty(&world, &counts).await;
    });
    assert_eq!(done.get(), clients);
    sim.hash()
}

/// Runs the chat with clients and faults.
fn run_chat(sim: &mut Sim, clients: usize) -> u64 {
    sim.latency(MS..20 * MS).short_io(0.2);
    sim.run(async |world| {
        let server = world.host("server", async || chat::run("[::]:7").await);
        let names: Vec<_> = (0..clients).map(|number| format!("client{number}")).collect();
        let start = |name: &String| {
            let own = name.clone();
            world.client(name, async move || chat_until_done("server:7", &own).await)
        };
        let clients: Vec<_> = names.iter().map(start).collect();
        cause_faults(&world, &[server], &names).await;
        join(&world, clients).await;
    });
    sim.hash()
}

/// Runs wget on clients that fetch all pages of a site until they have them.
fn run_wget(sim: &mut Sim, clients: usize) -> u64 {
    sim.latency(MS..20 * MS).short_io(0.2).loss(0.01);
    sim.run(async |world| {
        let server = world.host("site", site::serve);
        let names: Vec<_> = (0..clients).map(|number| format!("client{number}")).collect();
        let fetch = async || {
            let urls = || ["sized", "chunked", "closed"].map(|page| format!("http://site/{page}"));
            while !wget::fetch_all(urls().to_vec()).await.unwrap() {
                time::sleep(100 * MS).await;
            }
        };
        let clients: Vec<_> = names.iter().map(|name| world.client(name, fetch)).collect();
        cause_faults(&world, &[server], &names).await;
        join(&world, clients).await;
    });
    sim.hash()
}

/// Runs a test for two seeds, the first one twice, in a process of its own.
fn check(test: &str, run: impl Fn(&mut Sim) -> u64) {
    if alone::is_here(test) {
        sim::check_in_turn(0..2, |sim| _ = run(sim));
    }
}

#[test]
fn a_thousand_clients_of_the_echo_server_end() {
    check("a_thousand_clients_of_the_echo_server_end", |sim| run_echo(sim, 1_000, false));
}

#[test]
fn a_thousand_clients_behind_the_proxy_end() {
    check("a_thousand_clients_behind_the_proxy_end", |sim| run_echo(sim, 1_000, true));
}

#[test]
fn a_thousand_clients_fetch_pages() {
    check("a_thousand_clients_fetch_pages", |sim| run_wget(sim, 1_000));
}

#[test]
fn the_lines_of_a_chat_arrive_in_order_and_once() {
    check("the_lines_of_a_chat_arrive_in_order_and_once", |sim| run_chat(sim, 60));
}

/// The built-in sites of wget answer after 150 ms and after 1.5 s.
#[test]
fn wget_fetches_its_own_sites_in_the_time_of_the_slowest() {
    if !alone::is_here("wget_fetches_its_own_sites_in_the_time_of_the_slowest") {
        return;
    }
    sim::check(0..20, |sim| {
        sim.run(async |world| {
            assert!(wget::fetch_all(Vec::new()).await.unwrap());
            assert_eq!(world.elapsed(), 1_500 * MS);
        });
    });
}

/// A run of all programs has one hash, however many worlds this thread and others have run.
#[test]
fn a_thousand_runs_of_a_seed_have_one_hash() {
    if !alone::is_here("a_thousand_runs_of_a_seed_have_one_hash") {
        return;
    }
    let hashes = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let run = || {
        let mut all = [0; 4];
        sim::check_in_turn(7..8, |sim| {
            all = [
                run_echo(sim, 3, false),
                run_echo(sim, 3, true),
                run_chat(sim, 3),
                run_wget(sim, 3),
            ];
        });
        hashes.lock().unwrap().insert(all);
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..250).for_each(|_| run()));
        }
    });
    assert_eq!(hashes.into_inner().unwrap().len(), 1);
}
