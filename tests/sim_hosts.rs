//! Simulated worlds: hosts that borrow, end, restart and pause; blocking work; handles.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::time::Duration;

use evloop::sim::{Order, Sim};
use evloop::{Handle, sim, sync, task, time};

const MS: Duration = Duration::from_millis(1);

/// Notes its drop.
struct Noted<'a>(&'a RefCell<Vec<String>>, &'static str);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(format!("{} dropped", self.1));
    }
}

#[test]
fn hosts_borrow_state_that_outlives_the_world() {
    sim::check(0..10, |sim| {
        let (log, count) = (RefCell::new(Vec::new()), Cell::new(0));
        let answer = sim.run(async |world| {
            for host in ["a", "b"] {
                let (log, count) = (&log, &count);
                world.host(host, async move || {
                    let _noted = Noted(log, host);
                    count.set(count.get() + 1);
                    std::future::pending::<()>().await;
                });
            }
            time::sleep(MS).await;
            count.get()
        });
        assert_eq!((answer, count.get()), (2, 2));
        assert_eq!(*log.borrow(), ["a dropped", "b dropped"]);
    });
}

#[test]
fn a_host_restarts_from_its_beginning() {
    let log = RefCell::new(Vec::new());
    sim::run(1, async |world| {
        let host = world.host("host", async || {
            let _noted = Noted(&log, "host");
            log.borrow_mut().push(format!("started at {:?}", world_time()));
            time::sleep(2 * MS).await;
            log.borrow_mut().push("done".into());
        });
        assert!(host.is_up());
        time::sleep(MS).await;
        host.restart();
        time::sleep(MS).await;
        host.crash();
        assert!(!host.is_up());
        host.crash();
        time::sleep(MS).await;
        host.restart();
        time::sleep(5 * MS).await;
        assert!(!host.is_up(), "its program has returned");
    });
    let expected = [
        "started at 0ns",
        "host dropped",
        "started at 1ms",
        "host dropped",
        "started at 3ms",
        "done",
        "host dropped",
    ];
    assert_eq!(*log.borrow(), expected);
}

/// The time since the start of the world.
fn world_time() -> Duration {
    let start = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    time::system_now().duration_since(start).unwrap()
}

#[test]
fn a_host_may_end_and_restart_itself() {
    let starts = &Cell::new(0);
    sim::run(1, async |world| {
        let ends = world.clone();
        world.host("host", async move || {
            starts.set(starts.get() + 1);
            if starts.get() < 3 {
                ends.find("host").restart();
            } else {
                ends.find("host").crash();
            }
            task::yield_now().await;
            unreachable!("the host ends after this poll");
        });
        time::sleep(MS).await;
        assert!(!world.find("host").is_up());
    });
    assert_eq!(starts.get(), 3);
}

#[test]
fn a_paused_host_runs_nothing_and_is_late() {
    let times = RefCell::new(Vec::new());
    sim::run(1, async |world| {
        let host = world.host("host", async || {
            let begin = time::now();
            for _ in 0..3 {
                time::sleep(2 * MS).await;
                times.borrow_mut().push(time::now() - begin);
            }
        });
        time::sleep(3 * MS).await;
        host.pause();
        time::sleep(7 * MS).await;
        host.resume();
        time::sleep(10 * MS).await;
    });
    assert_eq!(*times.borrow(), [2 * MS, 10 * MS, 12 * MS]);
}

#[test]
fn tasks_of_a_host_end_with_it_in_the_order_of_their_spawns() {
    let log = RefCell::new(Vec::new());
    let shared = std::rc::Rc::new(RefCell::new(Vec::new()));
    sim::run(1, async |world| {
        let host = world.host("host", async || {
            let _noted = Noted(&log, "program");
            for name in ["first", "second"] {
                let shared = shared.clone();
                let note = move || shared.borrow_mut().push(name);
                evloop::spawn(async move {
                    let _guard = OnDrop(note);
                    std::future::pending::<()>().await;
                })
                .detach();
            }
            std::future::pending::<()>().await;
        });
        time::sleep(MS).await;
        host.stop();
        assert_eq!(*log.borrow(), ["program dropped"]);
        assert_eq!(*shared.borrow(), ["first", "second"]);
    });
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn blocking_work_runs_on_the_one_thread_at_a_later_time() {
    let ends = |sim: &mut Sim| {
        sim.run(async |world| {
            let thread = std::thread::current().id();
            let mut ends = Vec::new();
            for number in 0..5 {
                let work = task::spawn_blocking(move || (number, std::thread::current().id()));
                let (number, at) = work.await.unwrap();
                assert_eq!(at, thread);
                ends.push((number, world.elapsed()));
            }
            let panicked = task::spawn_blocking(|| panic!("in a thread")).await;
            assert!(panicked.unwrap_err().is_panic());
            ends
        })
    };
    let all = std::sync::Mutex::new(Vec::new());
    sim::check(0..10, |sim| {
        let ends = ends(sim);
        assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].1));
        all.lock().unwrap().push((sim.seed(), ends));
    });
    let mut all = all.into_inner().unwrap();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 10, "the times are those of the seed, and differ between seeds");
}

#[test]
fn blocking_work_of_a_host_that_ends_is_dropped() {
    let ran = std::rc::Rc::new(Cell::new(false));
    sim::run(1, async |world| {
        let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let of_work = flag.clone();
        let host = world.host("host", async move || {
            let flag = of_work.clone();
            let work = move || flag.store(true, std::sync::atomic::Ordering::Relaxed);
            drop(task::spawn_blocking(work));
            std::future::pending::<()>().await;
        });
        time::sleep(Duration::from_nanos(0)).await;
        host.crash();
        time::sleep(10 * MS).await;
        ran.set(flag.load(std::sync::atomic::Ordering::Relaxed));
    });
    assert!(!ran.get());
}

#[test]
fn handles_and_thread_channels_work_within_the_thread() {
    sim::check(0..20, |sim| {
        sim.run(async |world| {
            let (sender, mut receiver) = sync::thread_channel::bounded(4);
            let (handles, handle) = sync::oneshot::channel();
            let handles = Cell::new(Some(handles));
            let own = std::rc::Rc::new(handles);
            let other = world.client("other", {
                let own = own.clone();
                async move || {
                    own.take().unwrap().send(Handle::current()).unwrap();
                    let mut all = Vec::new();
                    while let Some(number) = receiver.recv().await {
                        all.push(number);
                    }
                    all
                }
            });
            let handle: Handle = handle.await.unwrap();
            let task = handle.spawn(|| async {
                time::sleep(MS).await;
                7
            });
            assert_eq!(task.await.unwrap(), 7);
            let called = sender.clone();
            handle.call_threadsafe(move || called.try_send(1).unwrap());
            time::sleep(MS).await;
            sender.send(2).await.unwrap();
            drop(sender);
            assert_eq!(other.await, [1, 2]);
        });
    });
}

#[test]
fn a_task_can_wait_until_the_loop_is_idle() {
    for order in [Order::Seeded, Order::Fifo] {
        sim::check(0..5, |sim| {
            sim.order(order).run(async |_| {
                let done = std::rc::Rc::new(Cell::new(0));
                for _ in 0..3 {
                    let done = done.clone();
                    evloop::spawn(async move {
                        task::yield_now().await;
                        done.set(done.get() + 1);
                    })
                    .detach();
                }
                task::until_idle().await;
                assert_eq!(done.get(), 3);
            });
        });
    }
}
