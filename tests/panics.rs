//! Panics: which tasks they end, where they are reported, and the messages of misuse.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::runtime::RemoteHandle;
use evloop::task::{self, JoinError, ReentrantMutex, yield_now};
use evloop::time::{interval, sleep};
use evloop::{Handle, JoinHandle, Runtime, block_on, spawn};
use futures::task::Spawn;

/// Records events in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn add(&self, event: impl Into<String>) {
        self.0.borrow_mut().push(event.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Returns a future that never ends, and records `event` when it is dropped; then it may panic.
    fn idle(&self, event: &'static str, panics: bool) -> impl Future<Output = ()> + use<> {
        let on_drop = OnDrop { trace: self.clone(), event, panics };
        async move {
            let _on_drop = on_drop;
            pending().await
        }
    }

    /// Makes a runtime that records the panics of detached tasks.
    fn runtime(&self) -> Runtime {
        let trace = self.clone();
        let handler = move |error: JoinError| trace.add(text(error.into_panic()));
        Runtime::builder().on_task_error(handler).build().unwrap()
    }
}

struct OnDrop {
    trace: Trace,
    event: &'static str,
    panics: bool,
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.trace.add(self.event);
        if self.panics {
            panic!("destructor of {}", self.event);
        }
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

/// A future that is ready at once, with a destructor that panics.
struct ReadyBomb<T>(Option<T>, #[allow(dead_code)] Bomb);

impl<T: Unpin> Future for ReadyBomb<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(self.0.take().expect("polled once"))
    }
}

/// Returns the message of a panic.
fn text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().expect("a text").to_string(),
    }
}

/// Returns the message of the panic of `f`.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(payload) => text(payload),
    }
}

/// Returns the message of a task's panic.
fn payload<T>(result: Result<T, JoinError>) -> String {
    text(result.err().expect("the task panicked").into_panic())
}

#[test]
fn a_panic_ends_only_its_task() {
    let trace = Trace::default();
    block_on(async {
        let (before, after) = (trace.clone(), trace.clone());
        let before = spawn(async move { before.add("before") });
        let panics = spawn(async { panic_any(vec![1, 2, 3]) });
        let after = spawn(async move { after.add("after") });
        let error: JoinError = panics.await.unwrap_err();
        assert_eq!((error.is_panic(), error.is_cancelled()), (true, false));
        assert_eq!(*error.into_panic().downcast::<Vec<i32>>().unwrap(), [1, 2, 3]);
        before.await.unwrap();
        after.await.unwrap();
    });
    assert_eq!(trace.take(), ["before", "after"]);
}

#[test]
fn a_panic_drops_the_future_before_the_handle_is_woken() {
    let trace = Trace::default();
    block_on(async {
        let on_drop = OnDrop { trace: trace.clone(), event: "dropped", panics: false };
        let task = spawn(poll_fn(move |_| -> Poll<()> {
            let on_drop = &on_drop;
            panic!("{}", on_drop.event)
        }));
        assert_eq!(payload(task.await), "dropped");
        trace.add("awaited");
    });
    assert_eq!(trace.take(), ["dropped", "awaited"]);
}

#[test]
fn a_panic_after_several_polls_reaches_the_waiting_task() {
    block_on(async {
        let task = spawn(async {
            yield_now().await;
            yield_now().await;
            panic!("late");
        });
        let waiter = spawn(async { payload::<()>(task.await) });
        assert_eq!(waiter.await.unwrap(), "late");
    });
}

#[test]
fn a_destructors_panic_on_completion_replaces_the_output() {
    let trace = Trace::default();
    block_on(async {
        let output = OnDrop { trace: trace.clone(), event: "output dropped", panics: false };
        let task = spawn(ReadyBomb(Some(output), Bomb));
        assert_eq!(payload(task.await), "bomb");
        assert_eq!(trace.take(), ["output dropped"]);
    });
}

#[test]
fn a_destructors_panic_on_abort_reaches_the_handle() {
    let trace = Trace::default();
    block_on(async {
        let task = spawn(trace.idle("idle", true));
        yield_now().await;
        assert_eq!(payload(task.cancel().await), "destructor of idle");
    });
}

#[test]
fn the_first_of_two_panics_is_returned() {
    struct Twice(#[allow(dead_code)] Bomb);
    impl Future for Twice {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("poll");
        }
    }
    block_on(async { assert_eq!(payload(spawn(Twice(Bomb)).await), "poll") });
}

#[test]
fn a_destructors_panic_at_the_end_does_not_stop_the_others() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    let kept = runtime.spawn(trace.idle("a", true));
    drop(runtime.spawn(trace.idle("b", true)));
    drop(runtime.spawn(trace.idle("c", false)));
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(trace.take(), ["a", "b", "destructor of b", "c"]);
    assert_eq!(payload(block_on(kept)), "destructor of a");
}

#[test]
fn a_detached_tasks_panic_goes_to_the_handler_once() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    drop(runtime.spawn(async { panic!("detached") }));
    runtime.handle().call_threadsafe(|| panic!("called"));
    let awaited: JoinHandle<()> = runtime.spawn(async { panic!("awaited") });
    assert_eq!(payload(runtime.block_on(awaited)), "awaited");
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    let mut events = trace.take();
    events.sort();
    assert_eq!(events, ["called", "detached"]);
}

#[test]
fn a_remote_tasks_panic_goes_to_the_handler_if_its_handle_was_dropped() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    let handle = runtime.handle();
    drop(handle.spawn(|| async { panic!("dropped at once") }));
    drop(handle.spawn(|| -> std::future::Ready<()> { panic!("in the function") }));
    let late = handle.spawn(|| async {
        yield_now().await;
        panic!("dropped while it ran")
    });
    let kept: RemoteHandle<()> = handle.spawn(|| async { panic!("kept") });
    handle.call_threadsafe(move || drop::<RemoteHandle<()>>(late));
    runtime.run_until_stalled().unwrap();
    let events = ["dropped at once", "in the function", "dropped while it ran"];
    assert_eq!(trace.take(), events);
    assert_eq!(payload(kept.join()), "kept");
    drop(runtime);
    assert!(trace.take().is_empty());
}

#[test]
fn the_panic_of_a_task_spawned_by_the_spawn_trait_goes_to_the_handler() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    let future = async { panic!("spawned by a trait") };
    runtime.handle().spawn_obj(Box::new(future).into()).unwrap();
    runtime.run_until_stalled().unwrap();
    assert_eq!(trace.take(), ["spawned by a trait"]);
}

#[test]
fn destructor_panics_of_detached_tasks_go_to_the_handler_once() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    drop(runtime.spawn(ready(Bomb)));
    drop(runtime.spawn(ReadyBomb(Some(()), Bomb)));
    let aborted = runtime.spawn(trace.idle("idle", true));
    aborted.abort();
    drop(aborted);
    runtime.run_until_stalled().unwrap();
    assert_eq!(trace.take(), ["bomb", "bomb", "idle", "destructor of idle"]);
    drop(runtime);
    assert!(trace.take().is_empty());
}

#[test]
fn the_abort_of_a_detached_task_is_not_reported() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    let task = runtime.spawn(trace.idle("idle", false));
    task.abort();
    drop(task);
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(trace.take(), ["idle"]);
}

#[test]
fn the_handler_runs_inside_the_loop() {
    let seen = Rc::new(Cell::new(0));
    let (by_handler, by_task) = (seen.clone(), seen.clone());
    let handler = move |_| {
        let by_task = by_task.clone();
        by_handler.set(by_handler.get() + 1);
        drop(spawn(async move { by_task.set(by_task.get() + 10) }));
    };
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    drop(runtime.spawn(async { panic!("seen") }));
    runtime.run_until_stalled().unwrap();
    assert_eq!(seen.get(), 11);
}

#[test]
fn no_task_is_current_in_the_handler() {
    let lock = Rc::new(ReentrantMutex::new(()));
    let (of_task, of_handler) = (lock.clone(), lock.clone());
    let seen = Rc::new(Cell::new(None));
    let in_handler = seen.clone();
    let handler = move |_| {
        // It reuses the slot of the task that has ended.
        drop(spawn(ready(())));
        in_handler.set(Some((task::current().is_none(), of_handler.try_lock().is_err())));
    };
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    drop(runtime.spawn(async move {
        mem::forget(of_task.lock().await);
        panic!("seen");
    }));
    runtime.run_until_stalled().unwrap();
    assert_eq!(seen.get(), Some((true, true)));
}

#[test]
fn a_panic_is_reported_to_no_other_loop_if_its_handle_is_dropped_between_turns() {
    let trace = Trace::default();
    let mut own = Runtime::new().unwrap();
    let [first, second]: [JoinHandle<()>; 2] =
        ["first", "second"].map(|text| own.spawn(async move { panic!("{text}") }));
    own.run_until_stalled().unwrap();
    drop(first);
    drop(own);
    drop(second);
    let mut other = trace.runtime();
    drop(other.spawn(ready(())));
    assert_eq!(other.run_until_stalled().unwrap(), 1);
    drop(other);
    assert!(trace.take().is_empty());
}

/// The handler spawns a task, then panics when it receives the panic of a task of `panics`.
fn check_that_a_panic_of_the_handler_propagates<F>(panics: F)
where
    F: Future<Output: 'static> + 'static,
{
    let spawned: Rc<Cell<Option<JoinHandle<i32>>>> = Rc::default();
    let slot = spawned.clone();
    let handler = move |_| {
        slot.set(Some(spawn(ready(7))));
        panic!("the handler");
    };
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    drop(runtime.spawn(panics));
    assert_eq!(panic_of(|| runtime.turn(Some(Duration::ZERO))), "the handler");
    runtime.run_until_stalled().unwrap();
    assert_eq!(runtime.block_on(spawned.take().unwrap()).unwrap(), 7);
}

#[test]
fn a_panic_of_the_handler_after_a_poll_propagates() {
    check_that_a_panic_of_the_handler_propagates(async { panic!("the task") });
}

#[test]
fn a_panic_of_the_handler_after_an_outputs_drop_propagates() {
    check_that_a_panic_of_the_handler_propagates(ready(Bomb));
}

#[test]
fn a_panic_of_the_handler_at_the_end_leaves_no_task_waiting() {
    let handler = |_| panic!("the handler");
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    let handle = runtime.handle();
    drop(runtime.spawn(Trace::default().idle("idle", true)));
    let before = handle.spawn(pending::<()>);
    runtime.run_until_stalled().unwrap();
    let queued = handle.spawn(pending::<()>);
    assert_eq!(panic_of(|| drop(runtime)), "the handler");
    let after = handle.spawn(pending::<()>);
    assert_eq!([before, queued, after].map(|task| task.is_finished()), [true; 3]);
}

#[test]
fn a_panic_of_the_root_propagates_after_the_tasks_were_dropped() {
    let trace = Trace::default();
    let message = panic_of(|| {
        block_on(async {
            drop(spawn(trace.idle("a", false)));
            drop(spawn(trace.idle("b", false)));
            yield_now().await;
            let _root = OnDrop { trace: trace.clone(), event: "root", panics: false };
            panic!("out of block_on");
        })
    });
    trace.add(message);
    assert_eq!(trace.take(), ["root", "a", "b", "out of block_on"]);
    assert!(Handle::try_current().is_none(), "no loop is entered");
}

#[test]
fn a_runtime_can_be_used_after_a_panic_of_the_root() {
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(async {
        yield_now().await;
        7
    });
    for _ in 0..3 {
        assert_eq!(panic_of(|| runtime.block_on(async { panic!("root") })), "root");
    }
    assert_eq!(runtime.block_on(task).unwrap(), 7);
}

#[test]
fn a_join_error_implements_the_error_traits() {
    fn is_error<E: Error + Send + Sync + 'static>(error: E) -> io::Error
    where
        io::Error: From<E>,
    {
        error.into()
    }
    block_on(async {
        let line = line!() + 1;
        let task = spawn(async { panic!("out of {}", "paper") });
        let at = format!("{}:{line}:", file!());
        let error: JoinError = task.await.unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("task {} (spawned at {at}", error.task_id())),
            "{message}"
        );
        assert!(message.ends_with(") panicked: out of paper"), "{message}");
        assert_eq!(format!("{error:?}"), format!("JoinError({message})"));
        let error = is_error(error);
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::Other, message));
        assert!(error.get_ref().unwrap().is::<JoinError>());
    });
}

#[test]
fn a_join_error_names_its_task() {
    block_on(async {
        let (line, builder) = (line!(), task::Builder::new().name("printer"));
        let error = builder.spawn(async { panic!("out of paper") }).await.unwrap_err();
        assert_eq!(error.name(), Some("printer"));
        let place = error.spawned_at();
        assert_eq!((place.file(), place.line()), (file!(), line + 1));
        let (id, column) = (error.task_id(), place.column());
        let place = format!("{}:{}:{column}", file!(), line + 1);
        let expected = format!("task {id} `printer` (spawned at {place}) panicked: out of paper");
        assert_eq!(error.to_string(), expected);
        let unnamed = spawn(pending::<()>()).cancel().await.unwrap_err();
        assert_eq!(unnamed.name(), None);
    });
}

#[test]
fn the_name_of_an_aborted_task_outlives_the_task() {
    block_on(async {
        let task = task::Builder::new().name("idle").spawn(pending::<()>());
        task.abort();
        yield_now().await;
        assert!(task.is_finished());
        assert_eq!(task.await.unwrap_err().name(), Some("idle"));
    });
}

#[test]
fn a_join_error_reports_a_payload_without_text() {
    block_on(async {
        let panicked: JoinError = spawn(async { panic_any(7) }).await.unwrap_err();
        let message = panicked.to_string();
        assert!(message.ends_with(") panicked with a payload that is not text"), "{message}");
        let cancelled = spawn(pending::<()>()).cancel().await.unwrap_err();
        assert!(cancelled.to_string().ends_with(") was cancelled"), "{cancelled}");
        let cancelled = cancelled.try_into_panic().unwrap_err();
        assert!(cancelled.is_cancelled());
        let id = cancelled.task_id();
        let message = panic_of(|| cancelled.into_panic());
        assert!(
            message.starts_with(&format!("into_panic was called, but task {id} (")),
            "{message}"
        );
        let advice = ") was cancelled: call is_panic before, or try_into_panic";
        assert!(message.ends_with(advice), "{message}");
        assert_eq!(panicked.try_into_panic().unwrap().downcast_ref(), Some(&7));
    });
}

#[test]
fn block_on_inside_a_loop_panics() {
    const SENTENCE: &str = "was called inside of a running event loop: await the future instead";
    let mut other = Runtime::new().unwrap();
    block_on(async {
        for message in [
            panic_of(|| block_on(ready(()))),
            panic_of(|| other.block_on(ready(()))),
            panic_of(|| other.run()),
        ] {
            assert!(message.contains(SENTENCE), "{message}");
        }
        assert_eq!(spawn(ready(7)).await.unwrap(), 7, "the running loop still works");
    });
    assert_eq!(other.block_on(ready(7)), 7);
}

#[test]
fn run_inside_a_loop_names_run_in_its_panic() {
    let mut other = Runtime::new().unwrap();
    let message = block_on(async { panic_of(|| other.run()) });
    assert!(message.starts_with("run was called inside of a running event loop"), "{message}");
}

#[test]
fn functions_that_need_a_loop_panic_outside_with_their_name() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut late = sleep(Duration::ZERO);
    for (what, message) in [
        ("spawn", panic_of(|| drop(spawn(ready(()))))),
        ("task::Builder::spawn", panic_of(|| drop(task::Builder::new().spawn(ready(()))))),
        ("Handle::current", panic_of(Handle::current)),
        ("a sleep or timeout", panic_of(|| Pin::new(&mut late).poll(&mut cx))),
    ] {
        let rest = "was called outside of a running loop: call it inside evloop::block_on";
        assert_eq!(message, format!("{what} {rest}"));
    }
    assert!(Handle::try_current().is_none());
}

#[test]
fn spawn_outside_a_loop_drops_the_future() {
    let trace = Trace::default();
    panic_of(|| drop(spawn(trace.idle("dropped", false))));
    assert_eq!(trace.take(), ["dropped"]);
}

#[test]
fn guards_dropped_out_of_order_panic() {
    let (a, b) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let outer = a.enter();
    let inner = b.enter();
    let message = panic_of(|| drop(outer));
    assert!(
        message.starts_with("the guards of Runtime::enter were dropped out of order"),
        "{message}"
    );
    drop(inner);
}

#[test]
fn no_loop_is_entered_after_guards_were_dropped_out_of_order() {
    let (a, b) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let outer = a.enter();
    let inner = b.enter();
    panic_of(|| drop(outer));
    drop(inner);
    drop(a);
    assert!(Handle::try_current().is_none());
    assert_eq!(block_on(ready(7)), 7);
}

#[test]
fn a_handle_polled_after_its_output_panics() {
    block_on(async {
        let (line, builder) = (line!(), task::Builder::new().name("seven"));
        let mut task = builder.spawn(ready(7));
        assert_eq!((&mut task).await.unwrap(), 7);
        let mut cx = Context::from_waker(Waker::noop());
        let message = panic_of(|| Pin::new(&mut task).poll(&mut cx));
        let task = format!("task {} `seven` (spawned at {}:{}:", task.id(), file!(), line + 1);
        assert!(message.starts_with(&format!("the handle of {task}")), "{message}");
        let rest = ") was polled after it returned the output: await it once";
        assert!(message.ends_with(rest), "{message}");
    });
}

#[test]
fn an_interval_without_a_period_panics() {
    let message = panic_of(|| interval(Duration::ZERO));
    assert_eq!(message, "an interval needs a period above zero");
}
