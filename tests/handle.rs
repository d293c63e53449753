//! The handle of a loop: what it reports, blocking on a future of another thread, ended loops, and
//! panics that point at the caller.

use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use evloop::runtime::{call_at, call_later, call_soon};
use evloop::task::{spawn_blocking, yield_now};
use evloop::{Handle, Runtime, block_on, spawn};
use futures::FutureExt;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;

#[test]
fn a_handle_reports_the_name_the_mode_and_the_state_of_its_loop() {
    let mut runtime = Runtime::builder().name("gateway").debug(true).build().unwrap();
    let handle = runtime.handle();
    assert_eq!((handle.name(), handle.is_debug()), ("gateway", true));
    assert_eq!((handle.is_running(), handle.is_closed()), (false, false));
    let id = handle.id();
    let (inner, remote) = runtime.block_on(async {
        let inner = Handle::current();
        let remote = inner.clone();
        let remote = thread::spawn(move || (remote.id(), remote.is_running())).join().unwrap();
        (inner, remote)
    });
    assert_eq!(inner.id(), id);
    assert_eq!(remote, (id, true));
    assert!(!handle.is_running());
    drop(runtime);
    assert!(handle.is_closed());
    assert_eq!((handle.name(), handle.id()), ("gateway", id));
    assert!(format!("{handle:?}").contains("is_closed: true"), "{handle:?}");

    let other = Runtime::builder().debug(false).build().unwrap().handle();
    assert!(other.id() > id, "ids are not reused");
    assert_eq!((other.name(), other.is_debug()), ("evloop", false));
}

/// Runs `f` on another thread with the handle of a loop that runs until `f` returns.
fn on_thread<T: Send + 'static>(f: impl FnOnce(Handle) -> T + Send + 'static) -> thread::Result<T> {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let thread = thread::spawn(move || {
        let stop = handle.clone();
        let result = catch_unwind(AssertUnwindSafe(|| f(handle)));
        stop.stop();
        result
    });
    runtime.run().unwrap();
    thread.join().unwrap()
}

#[test]
fn block_on_returns_the_output_of_a_task_of_the_loop() {
    let outcome = on_thread(|handle| {
        let this = thread::current().id();
        handle.block_on(async move || {
            yield_now().await;
            spawn(async move { thread::current().id() != this }).await.unwrap()
        })
    });
    assert!(outcome.unwrap());
}

#[test]
fn block_on_propagates_a_panic() {
    let outcome = on_thread(|handle| handle.block_on(async || panic!("of the future")));
    assert_eq!(*outcome.unwrap_err().downcast_ref::<&str>().unwrap(), "of the future");
}

#[test]
fn block_on_of_an_ended_loop_panics_with_the_reason() {
    let handle = Runtime::new().unwrap().handle();
    let outcome = thread::spawn(move || handle.block_on(async || ())).join();
    let message = outcome.unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with("Handle::block_on: task"), "{message}");
    assert!(message.ends_with("was cancelled: the event loop has ended"), "{message}");
}

#[test]
fn a_task_sent_to_an_ended_loop_says_that_the_loop_ended() {
    let handle = Runtime::new().unwrap().handle();
    let error = handle.spawn(|| async {}).join().unwrap_err();
    assert!(error.is_cancelled());
    assert!(error.to_string().ends_with("was cancelled: the event loop has ended"), "{error}");
    let error = block_on(handle.spawn_blocking(|| ())).unwrap_err();
    let sentence = "the event loop has ended: it takes no blocking work";
    assert!(error.to_string().ends_with(sentence), "{error}");
}

#[test]
fn a_task_that_the_end_of_its_loop_drops_says_so_and_an_aborted_one_does_not() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let [begun, aborted] = [(); 2].map(|()| handle.spawn(std::future::pending::<()>));
    runtime.run_until_stalled().unwrap();
    aborted.abort();
    runtime.run_until_stalled().unwrap();
    let never_begun = thread::spawn(move || handle.spawn(|| async {})).join().unwrap();
    drop(runtime);
    for task in [begun, never_begun] {
        let error = task.join().unwrap_err();
        assert!(error.to_string().ends_with("was cancelled: the event loop has ended"), "{error}");
    }
    let error = aborted.join().unwrap_err();
    assert!(error.to_string().ends_with("was cancelled"), "{error}");
}

#[test]
fn blocking_work_is_spawned_from_any_thread_and_before_the_loop_runs() {
    let mut runtime = Runtime::builder().name("own").build().unwrap();
    let name = || thread::current().name().map(str::to_owned);
    let early = runtime.spawn_blocking(name);
    let handle = runtime.handle();
    let remote = thread::spawn(move || handle.spawn_blocking(name)).join().unwrap();
    runtime.block_on(async {
        assert_eq!(early.await.unwrap().as_deref(), Some("own-blocking"));
        assert_eq!(remote.await.unwrap().as_deref(), Some("own-blocking"));
    });
}

#[test]
fn a_call_knows_whether_it_was_cancelled_in_time() {
    block_on(async {
        let (cancelled, called) = (call_soon(|| unreachable!()), call_soon(|| ()));
        assert!(!cancelled.is_cancelled());
        cancelled.cancel();
        cancelled.cancel();
        assert!(cancelled.is_cancelled());
        yield_now().await;
        yield_now().await;
        called.cancel();
        assert!(!called.is_cancelled(), "the function was called before");
    });
}

#[test]
fn metrics_count_what_exists_now() {
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let far = Duration::from_secs(1000);
    let new = runtime.metrics();
    assert_eq!((new.alive_tasks, new.timers, new.next_deadline), (0, 0, None));
    let _sleeps = [far, 2 * far].map(|time| runtime.spawn(evloop::time::sleep(time)));
    runtime.block_on(async {
        yield_now().await;
        let _ready = spawn(async {});
        let (begun_sender, begun) = mpsc::channel();
        let busy = spawn_blocking(move || {
            begun_sender.send(()).unwrap();
            wait.recv()
        });
        let queued = spawn_blocking(|| ());
        begun.recv().unwrap();
        assert!(busy.is_running() && !queued.is_running());
        let socket = evloop::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let metrics = Handle::current().metrics();
        assert_eq!((metrics.alive_tasks, metrics.timers, metrics.sources), (4, 2, 1));
        assert!(metrics.next_deadline.is_some());
        let threads = (metrics.blocking_threads, metrics.busy_blocking_threads);
        assert_eq!((threads, metrics.queued_blocking_work), ((1, 1), 1));
        drop(socket);
        go.send(()).unwrap();
        busy.await.unwrap().unwrap();
        queued.await.unwrap();
        assert_eq!(Handle::current().metrics().queued_blocking_work, 0);
    });
    // A wake of the root that came after its end is still queued.
    runtime.run_until_stalled().unwrap();
    let metrics = runtime.metrics();
    assert_eq!((metrics.alive_tasks, metrics.ready_tasks, metrics.sources), (2, 0, 0));
}

#[test]
#[should_panic = "Handle::metrics was called where its loop is not running"]
fn metrics_of_a_loop_that_is_not_current_panic() {
    Runtime::new().unwrap().handle().metrics();
}

#[test]
fn a_handle_that_is_awaited_twice_names_its_task() {
    block_on(async {
        let mut task = Handle::current().spawn(|| async {});
        (&mut task).await.unwrap();
        let mut work = spawn_blocking(|| ());
        (&mut work).await.unwrap();
        let again = AssertUnwindSafe(task).catch_unwind().await.unwrap_err();
        let message = again.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("the RemoteHandle of the task spawned at tests/handle.rs:"));
        let again = AssertUnwindSafe(work).catch_unwind().await.unwrap_err();
        let message = again.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("the handle of the blocking work spawned at tests/handle.rs:"));
    });
}

#[track_caller]
fn assert_here(what: &str, f: impl FnOnce()) {
    let here = Location::caller();
    let (message, place) = panic_place::message_and_place(f);
    assert_eq!(place, (here.file().to_owned(), here.line()), "{what}: {message}");
    assert!(message.starts_with(what), "{message}");
}

#[test]
#[rustfmt::skip]
fn a_call_outside_of_a_loop_points_at_the_caller() {
    let later = Duration::from_secs(1);
    assert_here("call_soon", || drop(call_soon(|| ())));
    assert_here("call_later", || drop(call_later(later, || ())));
    assert_here("call_at", || drop(call_at(evloop::time::now(), || ())));
    assert_here("spawn", || drop(spawn(async {})));
    assert_here("spawn_blocking", || drop(spawn_blocking(|| ())));
    assert_here("Handle::current", || drop(Handle::current()));
    let handle = Runtime::new().unwrap().handle();
    assert_here("Handle::metrics", || _ = handle.metrics());
    assert_here("Handle::block_on", || handle.block_on(async || ()));
    let runtime = Runtime::new().unwrap();
    let task = runtime.handle().spawn(|| async {});
    assert_here("RemoteHandle::join", || drop(task.join()));
    block_on(async { assert_here("block_on", || block_on(async {})) });
    #[cfg(all(unix, feature = "process"))]
    {
        use evloop::process::Command;
        use evloop::signal::{self, SignalKind};
        assert_here("process::Command::spawn", || drop(Command::new("true").spawn()));
        assert_here("signal::unix", || drop(signal::unix(SignalKind::hangup())));
        assert_here("signal::ctrl_c", || drop(signal::ctrl_c()));
    }
}

#[test]
fn io_errors_of_a_loop_that_ended_convert() {
    let handle = Runtime::new().unwrap().handle();
    let error: io::Error = handle.spawn(|| async {}).join().unwrap_err().into();
    assert!(error.to_string().contains("the event loop has ended"));
}
