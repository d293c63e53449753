//! Simulated worlds: the order of tasks, and that a seed repeats it.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use evloop::sim::{Order, Sim};
use evloop::{runtime, select, sim, task, time};

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
fn a_scope_is_one_task() {
    // Its children run in the order of their wakes, whatever the seed.
    sim::check(0..20, |sim| assert!(race(sim)));
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
