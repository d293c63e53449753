//! Simulated worlds: what fails a run, and what the message says.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::env;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::sim::{Sim, World};
use evloop::{sim, sync, task, time};

/// Runs a test in a process of its own.
#[allow(dead_code, unreachable_pub)]
mod alone;

const MS: Duration = Duration::from_millis(1);

/// Returns the message of a run that fails.
fn failure(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("the run must fail");
    match panic.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => (*panic.downcast_ref::<&str>().expect("a panic with a text")).to_owned(),
    }
}

/// Checks that the run of a script fails with a message that has all of `parts`.
#[track_caller]
fn fails<'env, F: AsyncFnOnce(World<'env>)>(script: F, parts: &[&str]) {
    let text = failure(|| sim::run(7, script));
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn a_panic_of_a_host_fails_the_run() {
    let script = async |world: World<'_>| {
        world.host("server", async || {
            time::sleep(3 * MS).await;
            panic!("out of paper");
        });
        std::future::pending().await
    };
    fails(script, &["`server` panicked: out of paper", "at 3ms of virtual time", "seed 7"]);
    fails(async |_| panic!("at once"), &["`world` panicked: at once", "EVLOOP_SIM_SEED=7"]);
}

#[test]
fn a_panic_of_a_detached_task_fails_the_run() {
    let script = async |world: World<'_>| {
        world.host("server", async || {
            evloop::spawn(async { panic!("in a task") }).detach();
            std::future::pending::<()>().await;
        });
        std::future::pending().await
    };
    fails(script, &["host `server`", "panicked: in a task", "tests/sim_failures.rs"]);
}

#[test]
fn a_panic_of_a_destructor_fails_the_run() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("in a destructor");
            }
        }
    }
    let script = async |world: World<'_>| {
        let host = world.host("server", async || {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        });
        time::sleep(MS).await;
        host.crash();
        std::future::pending().await
    };
    fails(script, &["`server` panicked: in a destructor"]);
}

#[test]
fn an_error_of_a_program_fails_the_run() {
    let script = async |world: World<'_>| {
        world.host("server", async || Err::<(), io::Error>(io::Error::other("no such record")));
        std::future::pending().await
    };
    fails(script, &["host `server`: no such record"]);
}

#[test]
fn a_result_in_which_errors_are_not_recognized_fails_the_run() {
    #[derive(Debug)]
    struct Full;

    let script = async |world: World<'_>| {
        world.host("server", async || Err::<(), Full>(Full));
        std::future::pending().await
    };
    fails(script, &["host `server`: its program returned a ", "Full>, in which", "unwrap it"]);
}

#[test]
fn a_panic_of_what_belongs_to_the_script_fails_the_run() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("at the end");
            }
        }
    }
    let bomb = Bomb;
    let script = async |world: World<'_>| {
        world.host("server", async move || _ = &bomb);
        time::sleep(MS).await;
    };
    fails(script, &["`world` panicked: at the end", "seed 7"]);
    let bomb = Bomb;
    let script = async |world: World<'_>| world.invariant(move || _ = &bomb);
    fails(script, &["`world` panicked: at the end", "seed 7"]);
}

#[test]
fn an_error_of_a_detached_task_is_a_note_of_the_record() {
    sim::check(0..1, |sim| {
        sim.run(async |world| {
            world.host("server", async || {
                evloop::spawn(async { io::Result::<()>::Err(io::Error::other("no paper")) })
                    .detach();
                std::future::pending::<()>().await;
            });
            time::sleep(MS).await;
        });
        let text = sim.trace().to_text();
        let line = text.lines().find(|line| line.contains("no paper")).expect(&text);
        assert!(line.starts_with("0.000000000  server  note: task 1.2"), "{line}");
    });
}

/// As outside of a world, it is a line on stderr.
#[test]
fn an_error_of_a_detached_task_is_written_to_stderr() {
    let Some(output) = alone::run("an_error_of_a_detached_task_is_written_to_stderr") else {
        return sim::run(1, async |_| {
            evloop::spawn(async { io::Result::<()>::Err(io::Error::other("no paper")) }).detach();
            time::sleep(MS).await;
        });
    };
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.ends_with("no paper")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].starts_with("evloop: host `world`: task 0.2"), "{text}");
}

#[test]
fn a_poll_that_never_returns_aborts_the_process() {
    let Some(output) = alone::run("a_poll_that_never_returns_aborts_the_process") else {
        return sim::check(0..1, |sim| {
            sim.poll_limit(Duration::from_secs(1)).run(async |world| {
                world.host("spinner", async || {
                    time::sleep(7 * MS).await;
                    loop {
                        std::hint::spin_loop();
                    }
                });
                time::sleep(Duration::from_secs(1)).await;
            });
        });
    };
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    for part in ["host `spinner` has not returned for 1 s", "began at 7ms", "seed 0"] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

/// Many worlds take longer than the limit of one poll.
#[test]
fn polls_that_return_are_not_aborted() {
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(3500) {
        sim::check_in_turn(0..1, |sim| {
            sim.poll_limit(Duration::from_secs(1)).run(async |_| time::sleep(MS).await);
        });
    }
}

#[test]
fn a_panic_of_blocking_work_reaches_its_handle() {
    sim::run(1, async |_| {
        let error = task::spawn_blocking(|| panic!("in work")).await.unwrap_err();
        assert!(error.is_panic() && error.to_string().contains("in work"), "{error}");
    });
}

#[test]
fn a_host_that_spawns_for_ever_reaches_a_limit() {
    let text = failure(|| {
        sim::check_in_turn(0..1, |sim| {
            sim.step_limit(20_000).run(async |world| {
                world.host("breeder", async || {
                    loop {
                        evloop::spawn(std::future::pending::<()>()).detach();
                        task::yield_now().await;
                    }
                });
                std::future::pending::<()>().await;
            });
        });
    });
    assert!(text.contains("has not ended after 20000 turns"), "{text}");
    assert!(text.contains("host `breeder`") && text.contains("more lines"), "{text}");
}

#[test]
fn all_hosts_end_after_a_panic_of_a_destructor() {
    struct Bomb<'a>(&'a Cell<u32>);

    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            if !std::thread::panicking() {
                panic!("bomb {}", self.0.get());
            }
        }
    }
    let dropped = Cell::new(0);
    let text = failure(|| {
        sim::run(7, async |world| {
            for name in ["a", "b", "c"] {
                world.host(name, async || {
                    let _bomb = Bomb(&dropped);
                    std::future::pending::<()>().await;
                });
            }
            time::sleep(MS).await;
        });
    });
    assert_eq!(dropped.get(), 3);
    assert!(text.contains("`a` panicked: bomb 1"), "the first is reported: {text}");
}

#[test]
fn an_invariant_is_checked_after_each_poll_also_of_the_last_turn() {
    let text = failure(|| {
        let broken = Cell::new(false);
        sim::run(7, async |world| {
            world.invariant(|| assert!(!broken.get(), "it is broken"));
            broken.set(true);
        });
    });
    assert!(text.contains("an invariant` panicked: it is broken"), "{text}");
    // A task that mends it in its next poll does not hide it.
    let text = failure(|| {
        let broken = Cell::new(false);
        sim::run(7, async |world| {
            world.invariant(|| assert!(!broken.get(), "it was broken"));
            broken.set(true);
            task::yield_now().await;
            broken.set(false);
        });
    });
    assert!(text.contains("it was broken"), "{text}");
}

#[test]
fn an_invariant_fails_the_run_at_the_turn_that_breaks_it() {
    let value = Cell::new(0);
    let text = failure(|| {
        sim::run(7, async |world| {
            world.invariant(|| assert!(value.get() < 3, "the value is {}", value.get()));
            loop {
                time::sleep(MS).await;
                value.set(value.get() + 1);
            }
        })
    });
    assert!(text.contains("an invariant` panicked: the value is 3"), "{text}");
    assert!(text.contains("at 3ms of virtual time"), "{text}");
}

#[test]
fn an_invariant_has_the_time_of_the_script() {
    let times = RefCell::new(Vec::new());
    sim::run(1, async |world| {
        let (begin, times) = (time::now(), &times);
        world.invariant(move || times.borrow_mut().push(time::now() - begin));
        time::sleep(MS).await;
    });
    assert_eq!(*times.borrow(), [Duration::ZERO, MS]);
}

#[test]
fn within_fails_when_the_time_has_passed() {
    sim::run(1, async |world| world.within(2 * MS, async || time::sleep(MS).await).await);
    let script = async |world: World<'_>| {
        world.host("server", async || sync::Event::new().wait().await);
        let _task = task::Builder::new().name("helper").spawn(std::future::pending::<()>());
        world.within(2 * MS, async || std::future::pending::<()>().await).await;
    };
    let parts = [
        "World::within: 2ms have passed",
        "tests/sim_failures.rs",
        "What waits:\n    host `world`\n      task 0.1",
        "`helper`",
        "host `server`\n      task 1.1",
        "waits for an event at tests/sim_failures.rs",
    ];
    fails(script, &parts);
}

#[test]
fn a_standstill_lists_what_waits() {
    let script = async |world: World<'_>| {
        world.host("server", async || {
            let listener = TcpListener::bind("[::]:80").await?;
            let mutex = std::rc::Rc::new(sync::Mutex::new(()));
            let guard = mutex.lock().await;
            let other = mutex.clone();
            let _task = task::Builder::new().name("writer").spawn(async move {
                drop(other.lock().await);
            });
            listener.accept().await?;
            drop(guard);
            io::Result::Ok(())
        });
        let paused = world.host("paused", async || std::future::pending::<()>().await);
        time::sleep(MS).await;
        paused.pause();
        sync::Event::new().wait().await;
    };
    let parts = [
        "nothing can happen any more",
        "host `world`\n      task 0.1 (spawned at tests/sim_failures.rs:",
        "waits for an event at tests/sim_failures.rs:",
        "host `server`\n",
        "waits to read from a socket at tests/sim_failures.rs:",
        "task 1.2 `writer` (spawned at tests/sim_failures.rs:",
        "waits for a lock at tests/sim_failures.rs:",
        "host `paused` is paused",
    ];
    fails(script, &parts);
}

#[test]
fn a_standstill_names_the_tasks_that_wait_for_each_other() {
    let script = async |_: World<'_>| {
        let (sender, receiver) = sync::oneshot::channel::<task::JoinHandle<()>>();
        let first = evloop::spawn(async move { receiver.await.unwrap().await.unwrap() });
        let second = evloop::spawn(async move { first.await.unwrap() });
        sender.send(second).unwrap();
        std::future::pending().await
    };
    fails(
        script,
        &["deadlock: task 0.2 waits for the end of task 0.3, task 0.3 waits for the end"],
    );
}

#[test]
fn a_deadline_that_never_comes_is_a_standstill() {
    fails(async |_| time::sleep(Duration::MAX).await, &["no timer comes due", "at 0ns of virtual"]);
    let script = async |world: World<'_>| {
        let host = world.host("stands", async || time::sleep(MS).await);
        host.clock().drift(-1_000_000);
        std::future::pending().await
    };
    fails(script, &["no timer comes due", "at 0ns of virtual time"]);
}

#[test]
fn a_host_that_starts_after_a_pause_is_not_paused() {
    let script = async |world: World<'_>| {
        let host = world.host("server", async || std::future::pending::<()>().await);
        time::sleep(MS).await;
        host.pause();
        host.crash();
        host.restart();
        std::future::pending().await
    };
    fails(script, &["host `server`\n      task 1."]);
}

#[test]
fn a_run_ends_at_its_limits() {
    let forever = |sim: &mut Sim| {
        sim.run(async |_| {
            loop {
                time::sleep(MS).await;
            }
        })
    };
    let late = failure(|| {
        sim::check_in_turn(0..1, |sim| forever(sim.time_limit(Duration::from_secs(1))));
    });
    assert!(
        late.contains("has not ended after 1s") && late.contains("at 1s of virtual time"),
        "{late}"
    );
    assert!(late.contains("waits for a deadline in 0.001 s at tests/sim_failures.rs:"), "{late}");
    let long = failure(|| sim::check_in_turn(0..1, |sim| forever(sim.step_limit(5_000))));
    assert!(long.contains("has not ended after 5000 turns"), "{long}");
}

#[test]
fn a_task_that_yields_for_ever_reaches_the_time_limit() {
    let text = failure(|| {
        sim::check_in_turn(0..1, |sim| {
            sim.time_limit(2 * MS).step_limit(10_000).run(async |_| {
                loop {
                    task::yield_now().await;
                }
            })
        });
    });
    assert!(text.contains("has not ended after 2ms"), "{text}");
}

#[test]
fn an_event_after_the_time_limit_does_not_happen() {
    let is_late = Cell::new(false);
    let text = failure(|| {
        sim::check_in_turn(0..1, |sim| {
            sim.time_limit(MS).run(async |_| {
                time::sleep(Duration::from_secs(100)).await;
                is_late.set(true);
            })
        });
    });
    assert!(text.contains("at 1ms of virtual time") && !is_late.get(), "{text}");
}

#[test]
fn options_without_a_meaning_are_refused() {
    let text = |set: fn(&mut Sim)| failure(|| sim::check_in_turn(0..1, set));
    for set in [
        (|sim| _ = sim.loss(1.5)) as fn(&mut Sim),
        |sim| _ = sim.loss(f64::NAN),
        |sim| _ = sim.duplicate(-0.1),
        |sim| _ = sim.reorder(2.0),
        |sim| _ = sim.short_io(f64::INFINITY),
        |sim| sim.run(async |world| world.loss("world", "world", 7.0)),
    ] {
        assert!(text(set).contains("is no probability"));
    }
    assert!(text(|sim| _ = sim.bandwidth(0)).contains("cannot carry 0 bytes"));
    assert!(text(|sim| _ = sim.latency(MS..MS)).contains("the range of the latency is empty"));
}

#[test]
fn latencies_have_no_upper_limit() {
    sim::check_in_turn(0..1, |sim| {
        let mean = Duration::MAX;
        sim.latency(sim::Latency::Exponential { min: mean, mean }).trace_limit(usize::MAX);
        sim.run(async |world| {
            world.host("server", async || TcpListener::bind("[::]:80").await?.accept().await);
            let connect = TcpStream::connect("server:80");
            assert!(time::timeout(MS, connect).await.is_err());
        });
    });
}

#[test]
fn a_name_that_is_an_address_is_refused() {
    for name in ["localhost", "10.0.0.1", "::1", ""] {
        let script = async |world: World<'_>| _ = world.host(name, async || ());
        fails(script, &["cannot be the name of a host"]);
    }
    let script = async |world: World<'_>| {
        world.set_name("server", &[]);
        world.host("server", async || ());
    };
    fails(script, &["is a name of World::set_name"]);
}

#[test]
fn seeds_of_the_environment_are_checked() {
    const NAME: &str = "seeds_of_the_environment_are_checked";
    let vars = [
        ("EVLOOP_SIM_SEED", "seven", "EVLOOP_SIM_SEED is \"seven\": it must be a number"),
        ("EVLOOP_SIM_SEED", "18446744073709551615", "from 0 to 2^64 - 2"),
        ("EVLOOP_SIM_SEEDS", "7", "must be a range like 0..5000"),
        ("EVLOOP_SIM_SEEDS", "0..=7", "must be a range like 0..5000"),
        ("EVLOOP_SIM_SEEDS", "7..7", "and not empty"),
        ("EVLOOP_SIM_SEEDS", "9..7", "and not empty"),
        ("EVLOOP_SIM_SEEDS", " 3 .. 5 ", "runs seed 3\nruns seed 3\nruns seed 4\n"),
        ("EVLOOP_SIM_SEED", "17", "runs seed 17\n"),
    ];
    for (name, value, expected) in vars {
        let Some(output) = alone::run_with(NAME, &[(name, value)]) else {
            sim::check_in_turn(0..2, |sim| println!("runs seed {}", sim.seed()));
            return;
        };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains(expected), "{name}={value}: {text}");
    }
}

#[test]
fn a_turn_that_does_not_return_aborts_the_process_with_a_message() {
    const NAME: &str = "a_turn_that_does_not_return_aborts_the_process_with_a_message";
    if env::var_os("EVLOOP_TEST_BLOCKS").is_some() {
        // A world that has ended is not watched, also if one of its handles is left.
        sim::check_in_turn(2..3, |sim| {
            let run = sim.poll_limit(MS);
            std::mem::forget(run.run(async |world| world.host("ended", async || ())));
        });
        sim::check_in_turn(3..4, |sim| {
            sim.poll_limit(MS).run(async |world| {
                world.client("blocks", async || thread::sleep(Duration::from_secs(60))).await;
            });
        });
        return;
    }
    // Not with --nocapture: the message must be seen although the test's output is captured.
    let mut command = Command::new(env::current_exe().unwrap());
    let command = command.args(["--exact", NAME, "--test-threads=1"]);
    let output = command.env("EVLOOP_TEST_BLOCKS", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("a turn of the host `blocks` has not returned"), "{text}");
    assert!(text.contains("seed 3"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_looks_at_a_host_whatever_the_environment_says() {
    const NAME: &str = "no_thread_looks_at_a_host_whatever_the_environment_says";
    let Some(output) = alone::run_with(NAME, &[("EVLOOP_INSPECT", "1")]) else {
        let count = async |_: World<'_>| {
            let threads = std::fs::read_dir("/proc/self/task").unwrap();
            let names = threads.map(|thread| {
                std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap()
            });
            names.filter(|name| name.contains("inspect")).count()
        };
        println!("{} threads look at it", sim::run(1, count));
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("0 threads look at it"), "{text}");
}

#[test]
fn the_lowest_seed_that_fails_is_reported() {
    let text = failure(|| {
        sim::check(0..100, |sim| {
            let seed = sim.seed();
            sim.run(async move |_| assert!(seed < 10, "seed {seed} fails"));
        });
    });
    assert!(text.contains("panicked: seed 10 fails"), "{text}");
    assert!(text.contains("EVLOOP_SIM_SEED=10"), "{text}");
}

#[test]
fn an_output_of_a_client_that_was_ended_is_lost() {
    let script = async |world: World<'_>| {
        let client = world.client("client", async || std::future::pending::<()>().await);
        time::sleep(MS).await;
        client.host().kill();
        client.await;
    };
    fails(script, &["the output of the client \"client\" was awaited"]);
}

#[test]
fn a_program_that_blocks_is_refused_with_a_sentence() {
    fails(async |_| evloop::block_on(async {}), &["inside of a running event loop"]);
    fails(
        async |_| {
            let (sender, mut receiver) = sync::thread_channel::bounded::<()>(1);
            receiver.blocking_recv();
            drop(sender);
        },
        &["which it would block"],
    );
    fails(async |_| sim::run(1, async |_| ()), &["cannot be run inside of another one"]);
}

#[test]
fn a_wake_from_a_real_thread_fails_the_run() {
    let script = async |_: World<'_>| {
        let (sender, mut receiver) = sync::thread_channel::bounded(1);
        let waiting = evloop::spawn(async move { receiver.recv().await });
        time::sleep(MS).await;
        let thread = std::thread::spawn(move || sender.blocking_send(1));
        assert!(thread.join().is_err(), "the thread panics");
        assert_eq!(waiting.await.unwrap(), Some(1));
    };
    fails(script, &["from a thread"]);
}
