//! The end of a loop: what it drops, in which order, and what handles and wakers do afterwards.
//!
//! In these tests wakers outlive their loops, and a later loop may reuse the id of an ended one. A
//! late wake is then a spurious poll, so no test here counts polls.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::task::{self, AbortHandle, JoinError, yield_now};
use evloop::time::{Sleep, sleep};
use evloop::{Handle, JoinHandle, Runtime, block_on, spawn};
use futures::FutureExt;

/// Records events in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<&'static str>>>);

impl Trace {
    fn add(&self, event: &'static str) {
        self.0.borrow_mut().push(event);
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }

    /// Returns a future that never ends, and records `event` when it is dropped.
    fn idle(&self, event: &'static str) -> impl Future<Output = ()> + use<> {
        let trace = self.clone();
        idle(move || trace.add(event))
    }
}

/// Calls its function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Returns a future that never ends, and calls `destructor` when it is dropped.
fn idle(destructor: impl FnMut()) -> impl Future<Output = ()> {
    let on_drop = OnDrop(destructor);
    async move {
        let _on_drop = on_drop;
        pending().await
    }
}

/// Returns the waker of the running task.
async fn waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Returns the output of a task that has ended.
fn outcome<T>(task: JoinHandle<T>) -> Result<T, JoinError> {
    task.now_or_never().expect("the task has ended")
}

#[test]
fn tasks_are_dropped_in_the_order_of_spawning() {
    let trace = Trace::default();
    block_on(async {
        let ends = spawn(ready(()));
        drop(spawn(trace.idle("first")));
        let ends_too = spawn(yield_now());
        let second = trace.idle("second");
        drop(spawn(async { drop(spawn(second)) }));
        ends.await.unwrap();
        ends_too.await.unwrap();
        // They reuse the slots of ended tasks, in the order of the list of vacant slots.
        drop(spawn(trace.idle("third")));
        drop(spawn(trace.idle("fourth")));
        drop(spawn(trace.idle("fifth")));
        trace.add("root");
    });
    assert_eq!(trace.take(), ["root", "first", "second", "third", "fourth", "fifth"]);
}

#[test]
fn a_dropped_runtime_drops_tasks_that_never_ran() {
    let trace = Trace::default();
    let runtime = Runtime::new().unwrap();
    drop(runtime.spawn(trace.idle("first")));
    let kept = runtime.spawn(trace.idle("second"));
    drop(runtime);
    assert_eq!(trace.take(), ["first", "second"]);
    assert!(outcome(kept).unwrap_err().is_cancelled());
}

#[test]
fn destructors_find_the_loop_entered() {
    let seen = Rc::new(Cell::new(None));
    let of_task = seen.clone();
    block_on(async {
        drop(spawn(idle(move || {
            drop(Handle::current());
            of_task.set(Some((task::current().is_some(), task::all().len())));
        })));
        yield_now().await;
    });
    assert_eq!(seen.get(), Some((true, 1)), "the task is current, and the only one left");
    assert!(Handle::try_current().is_none());
}

#[test]
fn a_task_spawned_by_a_destructor_is_dropped_at_once() {
    let trace = Trace::default();
    block_on(async {
        let (outer, inner) = (trace.clone(), trace.clone());
        drop(spawn(idle(move || {
            outer.add("spawns");
            let task = spawn(inner.idle("dropped at once"));
            assert!(task.is_finished());
            assert!(outcome(task).unwrap_err().is_cancelled());
            outer.add("spawned");
        })));
        drop(spawn(trace.idle("next")));
    });
    assert_eq!(trace.take(), ["spawns", "dropped at once", "spawned", "next"]);
}

#[test]
fn a_task_spawned_by_a_destructor_may_spawn_another() {
    fn spawn_deeper(depth: u32, trace: Trace) {
        if depth > 0 {
            drop(spawn(idle(move || spawn_deeper(depth - 1, trace.clone()))));
        } else {
            trace.add("deepest");
        }
    }
    let trace = Trace::default();
    block_on(async {
        let deeper = trace.clone();
        drop(spawn(idle(move || spawn_deeper(10, deeper.clone()))));
    });
    assert_eq!(trace.take(), ["deepest"]);
}

#[test]
fn a_destructor_wakes_and_aborts_the_others() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    let abort_handles: Rc<RefCell<Vec<AbortHandle>>> = Rc::default();
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let mut tasks = Vec::new();
    for name in ["first", "second", "third"] {
        let (of_task, abort_handles, trace) =
            (wakers.clone(), abort_handles.clone(), trace.clone());
        let on_drop = OnDrop(move || {
            trace.add(name);
            of_task.borrow().iter().for_each(Waker::wake_by_ref);
            abort_handles.borrow().iter().for_each(AbortHandle::abort);
        });
        let wakers = wakers.clone();
        tasks.push(runtime.spawn(async move {
            let _on_drop = on_drop;
            let waker = waker().await;
            wakers.borrow_mut().push(waker);
            pending::<()>().await
        }));
    }
    abort_handles.borrow_mut().extend(tasks.iter().map(JoinHandle::abort_handle));
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(trace.take(), ["first", "second", "third"]);
    assert!(tasks.into_iter().all(|task| outcome(task).unwrap_err().is_cancelled()));
}

#[test]
fn a_destructor_holds_the_handle_of_a_later_task() {
    let trace = Trace::default();
    block_on(async {
        let slot: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
        let (held, first) = (slot.clone(), trace.clone());
        drop(spawn(idle(move || {
            let task = held.take().unwrap();
            assert!(!task.is_finished());
            drop(task.abort_on_drop());
            first.add("first");
        })));
        slot.set(Some(spawn(trace.idle("second"))));
    });
    assert_eq!(trace.take(), ["first", "second"]);
}

#[test]
fn a_destructor_sends_to_its_own_loop() {
    let (called, finished) = (Arc::new(AtomicBool::new(false)), Rc::new(Cell::new(false)));
    let (of_call, of_task) = (called.clone(), finished.clone());
    let remote = Rc::new(Cell::new(None));
    let slot = remote.clone();
    block_on(async {
        drop(spawn(idle(move || {
            let of_call = of_call.clone();
            Handle::current().call_threadsafe(move || of_call.store(true, Ordering::Relaxed));
            slot.set(Some(Handle::current().spawn(|| ready(7))));
            of_task.set(true);
        })));
    });
    assert!(finished.get());
    assert!(!called.load(Ordering::Relaxed));
    assert!(remote.take().unwrap().join().unwrap_err().is_cancelled());
}

#[test]
fn remote_handles_of_an_ended_loop_are_cancelled() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let waits = handle.spawn(pending::<()>);
    runtime.run_until_stalled().unwrap();
    let never_ran = handle.spawn(pending::<()>);
    let joins = thread::spawn(move || waits.join());
    drop(runtime);
    let too_late = handle.spawn(pending::<()>);
    assert!(joins.join().unwrap().unwrap_err().is_cancelled());
    assert!(never_ran.join().unwrap_err().is_cancelled());
    assert!(too_late.is_finished());
    assert!(too_late.join().unwrap_err().is_cancelled());
}

#[test]
fn an_ended_loop_drops_calls() {
    /// Sends a call that sets `dropped` when it is dropped, and must not be called.
    fn call(handle: &Handle, dropped: &Arc<AtomicBool>) {
        let dropped = dropped.clone();
        let on_drop = OnDrop(move || dropped.store(true, Ordering::Relaxed));
        handle.call_threadsafe(move || {
            let _on_drop = on_drop;
            panic!("it is not to be called");
        });
    }
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let [queued, late] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    call(&handle, &queued);
    assert!(!queued.load(Ordering::Relaxed));
    drop(runtime);
    assert!(queued.load(Ordering::Relaxed));
    call(&handle, &late);
    assert!(late.load(Ordering::Relaxed));
    handle.stop();
}

#[test]
fn wakers_of_an_ended_loop_are_harmless_everywhere() {
    let (root, of_task) = block_on(async {
        let task = spawn(waker());
        (waker().await, task.await.unwrap())
    });
    let use_up = |wakers: [Waker; 2]| {
        for waker in wakers {
            waker.wake_by_ref();
            assert!(waker.will_wake(&waker.clone()));
            waker.wake();
        }
    };
    use_up([root.clone(), of_task.clone()]);
    let wakers = [root.clone(), of_task.clone()];
    thread::spawn(move || use_up(wakers)).join().unwrap();
    block_on(async move { use_up([root, of_task]) });
}

#[test]
fn a_handle_kept_beyond_the_end_returns_cancelled() {
    let (idle, never_polled, ended) = block_on(async {
        let idle = spawn(pending::<()>());
        let ended = spawn(ready(7));
        yield_now().await;
        (idle, spawn(pending::<()>()), ended)
    });
    let abort_handle = idle.abort_handle();
    abort_handle.abort();
    assert!(abort_handle.is_finished());
    assert!(outcome(idle).unwrap_err().is_cancelled());
    assert!(block_on(never_polled).unwrap_err().is_cancelled(), "on another loop too");
    assert_eq!(outcome(ended).unwrap(), 7, "a stored output stays");
}

#[test]
fn a_handle_awaited_on_another_loop_wakes_it_at_the_end() {
    let runtime = Runtime::new().unwrap();
    let task = runtime.spawn(pending::<()>());
    let mut other = Runtime::new().unwrap();
    let waits = other.spawn(task);
    other.run_until_stalled().unwrap();
    assert!(!waits.is_finished());
    drop(runtime);
    other.run_until_stalled().unwrap();
    assert!(outcome(waits).unwrap().unwrap_err().is_cancelled());
}

const SLEEP_MESSAGE: &str =
    "a sleep was polled after its event loop had ended: make a new one in this loop";

#[test]
fn a_sleep_polled_after_the_end_panics() {
    let (mut polled, fresh) = block_on(async {
        let mut polled = sleep(Duration::from_secs(60));
        assert!((&mut polled).now_or_never().is_none());
        (polled, sleep(Duration::from_secs(60)))
    });
    let cx = &mut Context::from_waker(Waker::noop());
    let panic = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut polled).poll(cx)));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&SLEEP_MESSAGE));
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(fresh)));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&SLEEP_MESSAGE));
}

#[test]
fn a_sleep_awaited_on_another_loop_panics_at_the_end() {
    let runtime = Runtime::new().unwrap();
    let guard = runtime.enter();
    let late = sleep(Duration::from_secs(60));
    drop(guard);
    let mut other = Runtime::new().unwrap();
    let waits = other.spawn(late);
    other.run_until_stalled().unwrap();
    drop(runtime);
    other.run_until_stalled().unwrap();
    assert!(waits.is_finished());
    let panic = outcome(waits).unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&SLEEP_MESSAGE));
}

#[test]
fn a_runtime_dropped_inside_a_task_keeps_the_outer_loop_current() {
    let trace = Trace::default();
    block_on(async {
        let inner = Runtime::new().unwrap();
        drop(inner.spawn(trace.idle("inner")));
        let root = task::current().unwrap().id();
        drop(inner);
        assert_eq!(task::current().unwrap().id(), root);
        assert_eq!(spawn(ready(7)).await.unwrap(), 7);
        drop(spawn(trace.idle("outer")));
    });
    assert_eq!(trace.take(), ["inner", "outer"]);
}

#[test]
fn shutdown_timeout_drops_the_tasks_first() {
    let trace = Trace::default();
    let runtime = Runtime::new().unwrap();
    drop(runtime.spawn(trace.idle("dropped")));
    runtime.shutdown_timeout(Duration::ZERO).expect("no thread of the blocking pool was started");
    assert_eq!(trace.take(), ["dropped"]);
}

/// Values that a thread may keep until its thread-local destructors.
struct Held {
    waker: Waker,
    handle: Handle,
    task: Option<JoinHandle<()>>,
    _sleep: Sleep,
    _listener: TcpListener,
    _stream: TcpStream,
    runtime: Option<Runtime>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.waker.wake_by_ref();
        self.handle.call_threadsafe(|| {});
        self.task.take().unwrap().abort();
        if let Some(runtime) = &self.runtime {
            drop(runtime.spawn(pending::<()>()));
        }
        assert!(Handle::try_current().is_none());
    }
}

/// A thread-local, and a flag for the run of its destructor.
struct Local(Option<Held>, Arc<AtomicBool>);

impl Drop for Local {
    fn drop(&mut self) {
        drop(self.0.take());
        self.1.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

async fn held() -> Held {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut sleep = sleep(Duration::from_secs(60));
    assert!((&mut sleep).now_or_never().is_none());
    let task = Some(spawn(pending()));
    let (waker, handle) = (waker().await, Handle::current());
    let (_sleep, _listener, _stream) = (sleep, listener, stream);
    Held { waker, handle, task, _sleep, _listener, _stream, runtime: None }
}

/// Runs a thread that stores the values of `make` in a thread-local. A destructor that panics at
/// the thread's end would abort the process.
fn store_in_a_thread_local(first_local: bool, make: fn() -> Held) {
    let dropped = Arc::new(AtomicBool::new(false));
    let of_thread = dropped.clone();
    let thread = thread::spawn(move || {
        if first_local {
            // Thread-locals that are made first may be dropped last.
            LOCAL.set(None);
        }
        let held = make();
        LOCAL.set(Some(Local(Some(held), of_thread)));
    });
    thread.join().unwrap();
    assert!(dropped.load(Ordering::Relaxed));
}

#[test]
fn thread_locals_may_hold_objects_of_an_ended_loop() {
    for first_local in [false, true] {
        store_in_a_thread_local(first_local, || block_on(held()));
    }
}

#[test]
fn thread_locals_may_hold_a_live_loop() {
    let make = || {
        let mut runtime = Runtime::new().unwrap();
        drop(runtime.spawn(idle(|| drop(spawn(ready(()))))));
        let mut held = runtime.block_on(held());
        held.runtime = Some(runtime);
        held
    };
    for first_local in [false, true] {
        store_in_a_thread_local(first_local, make);
    }
}
