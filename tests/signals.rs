//! Signals: which listeners receive them, and their effect without a listener.
//!
//! Signals belong to the process, so each test has a process of its own.

#![cfg(all(unix, feature = "signal"))]

use std::future::{Future, pending};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use evloop::Runtime;
use evloop::signal::{self, Interrupted, SignalKind};
use evloop::sync::mpsc;
use evloop::task::{until_idle, yield_now};
use evloop::time::timeout;
use futures::{FutureExt, StreamExt};
use rustix::process::Signal;

/// Tests in processes of their own.
#[allow(unreachable_pub)]
mod alone;
/// Processes that were started with a signal ignored.
#[cfg(target_os = "linux")]
#[allow(unreachable_pub)]
mod ignoring;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Sends a signal to this thread. Its handlers have run when this returns.
fn raise(signal: Signal) {
    signal_hook::low_level::raise(signal.as_raw()).unwrap();
}

/// Checks that a signal ended the process of a test, after its last line of output.
fn assert_killed(output: &Output, number: i32) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(number), "{}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("last words"), "{stdout}\n{stderr}");
}

#[test]
fn every_listener_receives_a_signal() {
    if !alone::is_here("every_listener_receives_a_signal") {
        return;
    }
    run(async {
        let mut first = signal::unix(SignalKind::user_defined1()).unwrap();
        let mut second = signal::unix(SignalKind::user_defined1()).unwrap();
        let mut other = signal::unix(SignalKind::user_defined2()).unwrap();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            run(async {
                let mut third = signal::unix(SignalKind::user_defined1()).unwrap();
                ready.send(()).unwrap();
                third.recv().await.unwrap();
            });
        });
        is_ready.recv().unwrap();
        raise(Signal::USR1);
        first.recv().await.unwrap();
        second.recv().await.unwrap();
        thread.join().unwrap();
        assert!(first.recv().now_or_never().is_none(), "it was one signal");
        assert!(other.recv().now_or_never().is_none(), "it was another signal");
    });
}

#[test]
fn no_signal_is_lost_between_two_awaits() {
    if !alone::is_here("no_signal_is_lost_between_two_awaits") {
        return;
    }
    run(async {
        let mut listener = signal::unix(SignalKind::hangup()).unwrap();
        for _ in 0..100 {
            raise(Signal::HUP);
            yield_now().await;
            listener.recv().await.unwrap();
            // Dropped while it waits.
            assert!(listener.recv().now_or_never().is_none());
            raise(Signal::HUP);
            listener.next().await.unwrap().unwrap();
            assert!(listener.next().now_or_never().is_none());
        }
        for count in [1, 255, 256, 257, 512, 10_000] {
            for _ in 0..count {
                raise(Signal::HUP);
            }
            listener.recv().await.unwrap();
            assert!(
                listener.recv().now_or_never().is_none(),
                "{count} pending signals count as one"
            );
        }
    });
}

#[test]
fn a_waiting_listener_is_woken() {
    if !alone::is_here("a_waiting_listener_is_woken") {
        return;
    }
    run(async {
        let mut listener = signal::unix(SignalKind::window_change()).unwrap();
        for _ in 0..10 {
            let raiser = evloop::spawn(async {
                yield_now().await;
                raise(Signal::WINCH);
            });
            listener.recv().await.unwrap();
            raiser.await.unwrap();
        }
    });
}

#[test]
fn the_default_is_back_after_the_last_listener() {
    let Some(output) = alone::run("the_default_is_back_after_the_last_listener") else {
        run(async {
            for _ in 0..3 {
                let mut first = signal::unix(SignalKind::terminate()).unwrap();
                raise(Signal::TERM);
                first.recv().await.unwrap();
                let second = signal::unix(SignalKind::terminate()).unwrap();
                drop(second);
                raise(Signal::TERM);
                first.recv().await.unwrap();
            }
            println!("last words");
            raise(Signal::TERM);
            pending::<()>().await;
        });
        unreachable!("it was killed");
    };
    assert_killed(&output, Signal::TERM.as_raw());
}

/// How often a race is run, each time in a new process: only a signal's first listener can lose it.
const RACES: usize = 20;
/// A thread that has used up its time slice is suspended as soon as it wakes another.
const TIME_SLICE: Duration = Duration::from_millis(10);

/// Runs the test `name` often, in processes of its own. There it runs `listen` on another thread,
/// which calls its argument once it listens; then it sends a signal to this thread. The handler
/// runs here, and is likely to be suspended while the loop there receives the signal and drops its
/// listener.
fn race(name: &str, signal: Signal, listen: fn(&dyn Fn())) {
    for _ in 0..RACES {
        if !alone::is_here(name) {
            continue;
        }
        let (sender, listening) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || listen(&|| sender.send(()).unwrap()));
        listening.recv().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < TIME_SLICE {}
        raise(signal);
        return thread.join().unwrap();
    }
}

#[test]
fn a_signal_that_a_listener_received_does_not_end_the_process() {
    let name = "a_signal_that_a_listener_received_does_not_end_the_process";
    race(name, Signal::TERM, |listening| {
        run(async {
            let mut listener = signal::unix(SignalKind::terminate()).unwrap();
            listening();
            listener.recv().await.unwrap();
        });
    });
}

#[test]
fn a_ctrl_c_that_cancelled_a_run_does_not_end_the_process() {
    let name = "a_ctrl_c_that_cancelled_a_run_does_not_end_the_process";
    race(name, Signal::INT, |listening| {
        let cancelled: Result<(), _> = Runtime::new().unwrap().block_on_or_cancel(async {
            listening();
            pending().await
        });
        assert!(cancelled.is_err());
    });
}

#[test]
fn the_second_ctrl_c_ends_the_process() {
    let Some(output) = alone::run("the_second_ctrl_c_ends_the_process") else {
        run(async {
            let ctrl_c = signal::ctrl_c();
            raise(Signal::INT);
            ctrl_c.await.unwrap();
            println!("last words");
            raise(Signal::INT);
        });
        unreachable!("it was killed");
    };
    assert_killed(&output, Signal::INT.as_raw());
}

#[test]
fn a_signal_without_a_name_ends_the_process_again() {
    // A real-time one.
    const NUMBER: i32 = 40;
    let Some(output) = alone::run("a_signal_without_a_name_ends_the_process_again") else {
        let raise = || {
            let kill = format!("kill -{NUMBER} {}", std::process::id());
            assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        };
        run(async {
            let mut listener = signal::unix(SignalKind::from_raw(NUMBER)).unwrap();
            raise();
            listener.recv().await.unwrap();
            assert_eq!(listener.kind().to_string(), "signal 40");
        });
        raise();
        unreachable!("it was ended");
    };
    assert_eq!(output.status.code(), Some(128 + NUMBER));
}

#[test]
fn an_ignored_or_handled_signal_stays_so() {
    if !alone::is_here("an_ignored_or_handled_signal_stays_so") {
        return;
    }
    let is_handled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(Signal::USR2.as_raw(), is_handled.clone()).unwrap();
    run(async {
        // Every Rust program ignores it.
        drop(signal::unix(SignalKind::pipe()).unwrap());
        raise(Signal::PIPE);
        let mut listener = signal::unix(SignalKind::user_defined2()).unwrap();
        raise(Signal::USR2);
        listener.recv().await.unwrap();
        assert!(is_handled.swap(false, Ordering::SeqCst));
        drop(listener);
        raise(Signal::USR2);
        assert!(is_handled.load(Ordering::SeqCst));
    });
}

#[test]
fn forbidden_and_invalid_signals_return_an_error() {
    run(async {
        let error = |number| signal::unix(SignalKind::from_raw(number)).unwrap_err();
        for (number, message) in [
            (9, "SIGKILL cannot be listened to: the system does not let a program handle it"),
            (11, "SIGSEGV cannot be listened to: it reports a fault of the current instruction"),
            (0, "0 is not the number of a signal"),
            (-1, "-1 is not the number of a signal"),
            (1000, "1000 is not the number of a signal"),
            (i32::MIN, "-2147483648 is not the number of a signal"),
        ] {
            let error = error(number);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with(message), "{error}");
        }
    });
}

#[test]
#[should_panic(expected = "signal::unix was called outside of a running loop")]
fn unix_panics_outside_a_running_loop() {
    drop(signal::unix(SignalKind::hangup()));
}

/// Sets a flag when it is dropped.
struct Guard<'a>(&'a AtomicBool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn the_first_ctrl_c_drops_the_main_future() {
    if !alone::is_here("the_first_ctrl_c_drops_the_main_future") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    let is_dropped = AtomicBool::new(false);
    let other = runtime.spawn(async {
        yield_now().await;
        raise(Signal::INT);
    });
    let cancelled: Result<(), Interrupted> = runtime.block_on_or_cancel(async {
        let _guard = Guard(&is_dropped);
        pending().await
    });
    assert_eq!(cancelled.unwrap_err().to_string(), "cancelled by Ctrl-C");
    assert!(is_dropped.load(Ordering::SeqCst));
    assert!(other.is_finished());
    let completed = runtime.block_on_or_cancel(async {
        raise(Signal::INT);
        "done"
    });
    assert_eq!(completed, Ok("done"), "an output in the same poll counts");
    assert_eq!(runtime.block_on_or_cancel(async { 7 }), Ok(7), "the earlier signal was not stored");
}

#[test]
#[cfg(target_os = "linux")]
fn an_ignored_ctrl_c_cancels_nothing_and_stays_ignored() {
    if !alone::is_here("an_ignored_ctrl_c_cancels_nothing_and_stays_ignored") {
        return;
    }
    ignoring::restart(Signal::INT, "INT");
    let mut runtime = Runtime::new().unwrap();
    let mut completes = || {
        let completed = runtime.block_on_or_cancel(async {
            raise(Signal::INT);
            yield_now().await;
            raise(Signal::INT);
            "done"
        });
        assert_eq!(completed, Ok("done"));
    };
    completes();
    assert!(ignoring::is_ignored(Signal::INT));
    // A listener receives the signal; then it is ignored again.
    run(async {
        let ctrl_c = signal::ctrl_c();
        raise(Signal::INT);
        ctrl_c.await.unwrap();
    });
    raise(Signal::INT);
    completes();
}

#[test]
fn a_future_that_never_waits_is_cancelled_too() {
    if !alone::is_here("a_future_that_never_waits_is_cancelled_too") {
        return;
    }
    let cancelled: Result<(), Interrupted> = Runtime::new().unwrap().block_on_or_cancel(async {
        let (sender, mut receiver) = mpsc::unbounded();
        raise(Signal::INT);
        // Each poll ends when its budget is spent.
        loop {
            sender.send(()).unwrap();
            receiver.recv().await.unwrap();
        }
    });
    assert!(cancelled.is_err());
}

#[test]
fn the_second_ctrl_c_ends_a_process_whose_loop_is_blocked() {
    let Some(output) = alone::run("the_second_ctrl_c_ends_a_process_whose_loop_is_blocked") else {
        let _ = Runtime::new().unwrap().block_on_or_cancel(async {
            // A task that does not return to the loop.
            raise(Signal::INT);
            println!("last words");
            raise(Signal::INT);
        });
        unreachable!("it was killed");
    };
    assert_killed(&output, Signal::INT.as_raw());
}

#[test]
fn after_a_cancelled_run_ctrl_c_ends_the_process() {
    let Some(output) = alone::run("after_a_cancelled_run_ctrl_c_ends_the_process") else {
        let mut runtime = Runtime::new().unwrap();
        let cancelled: Result<(), _> = runtime.block_on_or_cancel(async {
            raise(Signal::INT);
            pending().await
        });
        assert!(cancelled.is_err());
        println!("last words");
        raise(Signal::INT);
        unreachable!("it was killed");
    };
    assert_killed(&output, Signal::INT.as_raw());
}

#[test]
fn signals_while_loops_begin_and_end() {
    if !alone::is_here("signals_while_loops_begin_and_end") {
        return;
    }
    // So that the default, which ends the process, does not apply.
    let is_handled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(Signal::USR1.as_raw(), is_handled).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let flood = {
        let is_over = is_over.clone();
        thread::spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                raise(Signal::USR1);
            }
        })
    };
    for _ in 0..100 {
        run(async {
            let mut listener = signal::unix(SignalKind::user_defined1()).unwrap();
            // A task that waits when the loop ends.
            let mut waits = signal::unix(SignalKind::user_defined1()).unwrap();
            drop(evloop::spawn(async move { while waits.recv().await.is_ok() {} }));
            listener.recv().await.unwrap();
        });
    }
    is_over.store(true, Ordering::SeqCst);
    flood.join().unwrap();
}

#[test]
fn a_listener_outlives_its_loop() {
    if !alone::is_here("a_listener_outlives_its_loop") {
        return;
    }
    let mut listener = run(async { signal::unix(SignalKind::user_defined1()).unwrap() });
    raise(Signal::USR1);
    let error = run(async { listener.recv().await.unwrap_err() });
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

#[test]
fn a_listener_of_several_signals_returns_which_came() {
    if !alone::is_here("a_listener_of_several_signals_returns_which_came") {
        return;
    }
    let [one, two, three] =
        [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::io()];
    run(async {
        // The second `one` has no effect: a signal is not returned twice.
        let mut signals = signal::unix_many([one, one, two, three]).unwrap();
        assert_eq!(signals.kinds().collect::<Vec<_>>(), [one, two, three]);
        // Pending, and dropped: no signal is lost.
        assert!(signals.recv().now_or_never().is_none());
        for kind in [Signal::IO, Signal::USR1, Signal::USR1, Signal::USR2] {
            raise(kind);
        }
        // Both of USR1 count as one.
        for kind in [one, two, three] {
            assert_eq!(signals.next().await.unwrap().unwrap(), kind);
        }
        assert!(signals.recv().now_or_never().is_none());

        // A kind that comes again and again does not keep the others waiting.
        raise(Signal::USR1);
        raise(Signal::USR2);
        assert_eq!(signals.recv().await.unwrap(), one);
        raise(Signal::USR1);
        // The loop sees it, so both are ready.
        until_idle().await;
        assert_eq!(signals.recv().await.unwrap(), two);
        assert_eq!(signals.recv().await.unwrap(), one);

        let wait = async { signals.recv().await.unwrap() };
        let send = async { raise(Signal::IO) };
        assert_eq!(futures::join!(wait, send).0, three);
    });
}

#[test]
fn a_listener_of_several_signals_needs_valid_ones() {
    run(async {
        let kinds = [SignalKind::child(), SignalKind::kill()];
        let error = signal::unix_many(kinds).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("SIGKILL cannot be listened to"), "{error}");
        let error = signal::unix_many([]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn dropping_a_listener_of_several_signals_restores_each() {
    const NAME: &str = "dropping_a_listener_of_several_signals_restores_each";
    let Some(output) = alone::run(NAME) else {
        run(async {
            let kinds = [SignalKind::user_defined1(), SignalKind::terminate()];
            let mut signals = signal::unix_many(kinds).unwrap();
            raise(Signal::TERM);
            assert_eq!(signals.recv().await.unwrap(), SignalKind::terminate());
            drop(signals);
            println!("last words");
            raise(Signal::USR1);
        });
        unreachable!("the signal ends the process");
    };
    assert_killed(&output, Signal::USR1.as_raw());
}
