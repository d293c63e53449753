//! Simulated worlds: the order of tasks, and that a seed repeats it.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use evloop::net::UdpSocket;
use evloop::sim::{Order, Sim, World};
use evloop::{random, runtime, select, sim, sync, task, time};

const MS: Duration = Duration::from_millis(1);

/// Two tasks that check, await, and act: with an unlucky order both act.
fn race(sim: &mut Sim) -> bool {
    sim.run(async |_| {
        let balance = Cell::new(100);
        task::scope(async |s| {
            for _ in 0..2 {
                s.spawn(async {
                    if balance.get() >= 100 {
                        task::yield_now().await;
                        balance.set(balance.get() - 100);
                    }
                });
            }
        })
        .await;
        balance.get() < 0
    })
}

/// The same with tasks of their own; each first does something of a random length.
fn race_of_tasks(sim: &mut Sim) -> bool {
    sim.run(async |_| {
        let balance = std::rc::Rc::new(Cell::new(100));
        let tasks = [0, 1].map(|_| {
            let balance = balance.clone();
            evloop::spawn(async move {
                for _ in 0..3 {
                    task::yield_now().await;
                }
                if balance.get() >= 100 {
                    // Ready at once: an await of a lock that is free.
                    task::yield_now().await;
                    balance.set(balance.get() - 100);
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        balance.get() < 0
    })
}

/// Tasks that write their numbers when they run.
fn trace(sim: &mut Sim) -> Vec<u32> {
    let trace = RefCell::new(Vec::new());
    sim.run(async |world| {
        for host in 0..3 {
            let trace = &trace;
            world.host(&host.to_string(), async move || {
                task::scope(async |s| {
                    for number in 0..3 {
                        s.spawn(async move {
                            for _ in 0..3 {
                                trace.borrow_mut().push(host * 10 + number);
                                task::yield_now().await;
                            }
                        });
                    }
                })
                .await;
            });
        }
        time::sleep(Duration::from_millis(1)).await;
    });
    trace.into_inner()
}

#[test]
fn one_seed_is_one_trace_and_one_hash() {
    let runs: Mutex<Vec<(u64, u64, Vec<u32>)>> = Mutex::default();
    for _ in 0..3 {
        sim::check(0..20, |sim| {
            let trace = trace(sim);
            runs.lock().unwrap().push((sim.seed(), sim.hash(), trace));
        });
    }
    let mut runs = runs.into_inner().unwrap();
    runs.sort();
    // Seed 0 is run twice by each check.
    assert_eq!(runs.len(), 63);
    runs.dedup();
    assert_eq!(runs.len(), 20, "each seed has one trace");
    runs.dedup_by_key(|(_, hash, _)| *hash);
    assert_eq!(runs.len(), 20, "different seeds have different hashes");
}

#[test]
fn a_thousand_runs_of_one_seed_are_the_same() {
    let mut hashes = Vec::new();
    for _ in 0..500 {
        sim::check_in_turn(42..43, |sim| {
            race_of_tasks(sim);
            hashes.push(sim.hash());
        });
    }
    assert_eq!(hashes.len(), 1000);
    hashes.dedup();
    assert_eq!(hashes.len(), 1);
}

/// A task that reads, awaits an answer and writes; another that writes in between in some orders.
fn lost_update(sim: &mut Sim) -> bool {
    sim.run(async |_| {
        let value = std::rc::Rc::new(Cell::new(0));
        let (first, second) = (value.clone(), value.clone());
        let reader = evloop::spawn(async move {
            let old = first.get();
            task::yield_now().await;
            first.set(old + 1);
        });
        let writer = evloop::spawn(async move {
            for _ in 0..8 {
                task::yield_now().await;
            }
            second.set(second.get() + 1);
        });
        reader.await.unwrap();
        writer.await.unwrap();
        value.get() != 2
    })
}

#[test]
fn seeds_find_an_order_that_first_in_first_out_never_has() {
    let (mut seeded, mut fifo) = (0, 0);
    sim::check_in_turn(0..1000, |sim| seeded += u32::from(lost_update(sim)));
    sim::check_in_turn(0..1000, |sim| fifo += u32::from(lost_update(sim.order(Order::Fifo))));
    assert!((1..500).contains(&seeded), "{seeded} seeds");
    assert_eq!(fifo, 0);
}

#[test]
fn calls_keep_their_order_in_every_seed() {
    sim::check(0..200, |sim| {
        let order = std::rc::Rc::new(RefCell::new(Vec::new()));
        sim.run(async |_| {
            for number in 0..6 {
                let order = order.clone();
                runtime::call_soon(move || order.borrow_mut().push(number));
                evloop::spawn(task::yield_now()).detach();
            }
            let handle = evloop::Handle::current();
            let at = time::now() + Duration::from_millis(1);
            for number in 6..9 {
                let order = order.clone();
                runtime::call_at(at, move || order.borrow_mut().push(number));
            }
            drop(handle);
            time::sleep(Duration::from_millis(2)).await;
        });
        assert_eq!(*order.borrow(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    });
}

#[test]
fn a_select_begins_with_any_branch() {
    let firsts: Mutex<Vec<u32>> = Mutex::default();
    sim::check(0..50, |sim| {
        let first = sim.run(async |_| {
            select! {
                first = async { 1 } => first,
                second = async { 2 } => second,
            }
        });
        firsts.lock().unwrap().push(first);
    });
    let firsts = firsts.into_inner().unwrap();
    assert!(firsts.contains(&1) && firsts.contains(&2), "{firsts:?}");
}

#[test]
fn the_children_of_a_scope_run_in_an_order_of_the_seed() {
    let outcomes = [Order::Seeded, Order::Fifo].map(|order| {
        let mut wrong = 0;
        sim::check_in_turn(0..64, |sim| wrong += u32::from(race(sim.order(order))));
        wrong
    });
    // The first seed runs twice. In the order of the wakes, both children check before one acts.
    assert!((1..64).contains(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[1], 65);
}

/// The lost update between two children of a scope.
fn lost_update_in_a_scope(sim: &mut Sim) -> bool {
    sim.run(async |_| {
        let value = Cell::new(0);
        let (results, mut read) = sync::mpsc::bounded(1);
        task::scope(async |s| {
            s.spawn(async {
                let old = value.get();
                task::yield_now().await;
                value.set(old + 1);
            });
            s.spawn(async {
                for _ in 0..8 {
                    task::yield_now().await;
                }
                value.set(value.get() + 1);
                results.send(()).await.unwrap();
            });
            read.recv().await
        })
        .await;
        value.get() != 2
    })
}

#[test]
fn seeds_find_a_race_between_the_children_of_a_scope() {
    let (mut seeded, mut fifo) = (0, 0);
    sim::check_in_turn(0..1000, |sim| seeded += u32::from(lost_update_in_a_scope(sim)));
    sim::check_in_turn(0..1000, |sim| {
        fifo += u32::from(lost_update_in_a_scope(sim.order(Order::Fifo)));
    });
    assert!((1..900).contains(&seeded), "{seeded} seeds");
    assert_eq!(fifo, 0);
}

/// Notes when datagrams arrive, in nanoseconds since the start of the world.
async fn note_arrivals(world: World<'_>, times: &RefCell<Vec<u128>>) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:53").await?;
    loop {
        socket.recv_from(&mut [0; 9]).await?;
        times.borrow_mut().push(world.elapsed().as_nanos());
    }
}

/// Sends a datagram to each of two hosts, fifty times.
async fn send_to_two() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    for _ in 0..50 {
        socket.send_to(b"noise", "noisy:53").await?;
        socket.send_to(b"data", "quiet:53").await?;
        time::sleep(MS).await;
    }
    Ok(())
}

/// Returns when the datagrams of one host arrive, and a random number of the script. `fault`
/// affects another host, and the program draws `draws` random numbers.
fn arrivals(sim: &mut Sim, fault: fn(&World<'_>), draws: u32) -> (Vec<u128>, u64) {
    let (times, others) = (RefCell::default(), RefCell::default());
    let number = sim.latency(Duration::ZERO..9 * MS).run(async |world| {
        for (name, times) in [("quiet", &times), ("noisy", &others)] {
            let own = world.clone();
            world.host(name, async move || note_arrivals(own.clone(), times).await);
        }
        let client = world.client("sender", async move || {
            (0..draws).for_each(|_| _ = random::u64());
            send_to_two().await
        });
        fault(&world);
        client.await.unwrap();
        time::sleep(10 * MS).await;
        random::u64()
    });
    (times.into_inner(), number)
}

#[test]
fn a_change_of_one_kind_changes_no_random_number_of_another() {
    let faults: [fn(&World<'_>); 3] = [
        |world| world.partition("sender", "noisy"),
        |world| world.hold("sender", "noisy"),
        |world| world.loss("sender", "noisy", 0.5),
    ];
    sim::check_in_turn(0..5, |sim| {
        let calm = arrivals(sim, |_| (), 0);
        assert_eq!(calm.0.len(), 50);
        assert_eq!(arrivals(sim, |_| (), 7), calm, "the program draws more numbers");
        for fault in faults {
            assert_eq!(arrivals(sim, fault, 0), calm);
        }
    });
}

#[test]
fn a_program_that_differs_from_run_to_run_is_found() {
    let times = Cell::new(0);
    let checked = catch_unwind(AssertUnwindSafe(|| {
        sim::check_in_turn(0..1, |sim| {
            times.set(times.get() + 1);
            let times = times.get();
            sim.run(async |_| time::sleep(Duration::from_millis(times)).await);
        });
    }));
    let panic = checked.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("two runs of one seed differ at entry 1\n"), "{text}");
}
