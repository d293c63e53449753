//! The loop and the task that code belongs to: in polls, in destructors, in loops inside loops, and
//! after the end of a loop.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::panic::panic_any;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use evloop::task::{self, JoinError, ReentrantMutex, TaskId, yield_now};
use evloop::time::sleep;
use evloop::{JoinHandle, Runtime, block_on, spawn};

evloop::task_local!(static NAME: &'static str);

/// Records the observations of destructors and handlers, in order.
#[derive(Clone)]
struct Seen<T>(Rc<RefCell<Vec<T>>>);

impl<T> Seen<T> {
    fn new() -> Seen<T> {
        Seen(Rc::default())
    }

    fn add(&self, value: T) {
        self.0.borrow_mut().push(value);
    }

    fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

/// Calls its function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A future that never ends, and calls `destructor` when it is dropped.
fn idle(destructor: impl FnMut()) -> impl Future<Output = ()> {
    let on_drop = OnDrop(destructor);
    async move {
        let _on_drop = on_drop;
        pending().await
    }
}

fn current() -> Option<TaskId> {
    task::current().map(|info| info.id())
}

fn name() -> Option<&'static str> {
    NAME.try_with(|name| *name).ok()
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns a scope with one child, of a loop that has ended. The child had the loop's first slot.
fn scope_of_an_ended_loop() -> Pin<Box<dyn Future<Output = ()>>> {
    let mut scope: Pin<Box<dyn Future<Output = ()>>> = Box::pin(task::scope(async |s| {
        s.spawn(pending::<()>());
        pending::<()>().await;
    }));
    block_on(async { assert!(poll_once(scope.as_mut()).is_pending()) });
    scope
}

#[test]
fn a_scope_of_an_ended_loop_removes_no_task_of_the_next() {
    let scope = scope_of_an_ended_loop();
    block_on(async {
        // It has the same slot as the child had in the ended loop.
        let task = spawn(async {
            for _ in 0..3 {
                yield_now().await;
            }
            7
        });
        yield_now().await;
        drop(scope);
        assert_eq!(task::all().len(), 2, "the root and the task");
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn a_scope_of_an_ended_loop_is_dropped_in_a_loop_without_slots() {
    let scope = scope_of_an_ended_loop();
    block_on(async { drop(scope) });
}

#[test]
fn handles_of_an_ended_loop_do_not_affect_the_next() {
    let (mut handles, mut sleeps) = (Vec::new(), Vec::new());
    block_on(async {
        handles.extend((0..3).map(|_| spawn(pending::<()>())));
        for _ in 0..3 {
            let mut sleep = Box::pin(sleep(Duration::from_secs(3600)));
            assert!(poll_once(sleep.as_mut()).is_pending());
            sleeps.push(sleep);
        }
    });
    block_on(async {
        let tasks: Vec<JoinHandle<u32>> = (0..3)
            .map(|n| {
                spawn(async move {
                    sleep(Duration::from_millis(1)).await;
                    n
                })
            })
            .collect();
        yield_now().await;
        for handle in &handles {
            handle.abort();
        }
        drop(handles);
        drop(sleeps);
        for (n, task) in (0..).zip(tasks) {
            assert_eq!(task.await.unwrap(), n);
        }
    });
}

#[test]
fn a_destructor_runs_as_its_task() {
    let seen = Seen::new();
    let recorder = || {
        let seen = seen.clone();
        move || seen.add(current())
    };
    let ids = block_on(async {
        let aborted = spawn(idle(recorder()));
        let on_task_error = OnDrop(recorder());
        let panicked: JoinHandle<()> = spawn(async move {
            let _on_panic = on_task_error;
            panic_any("end")
        });
        let cancelled = spawn(idle(recorder()));
        let left = spawn(idle(recorder()));
        let ids = [panicked.id(), aborted.id(), cancelled.id(), left.id()];
        assert!(panicked.await.unwrap_err().is_panic());
        aborted.abort();
        assert!(cancelled.cancel().await.unwrap_err().is_cancelled());
        ids.map(Some)
    });
    assert_eq!(seen.take(), ids);
}

#[test]
fn a_task_spawned_by_a_destructor_at_the_end_is_dropped_as_itself() {
    let seen = Seen::new();
    let (outer, inner) = (seen.clone(), seen.clone());
    let id = block_on(async {
        let task = spawn(idle(move || {
            let inner = inner.clone();
            let spawned = spawn(idle(move || inner.add(current())));
            outer.add(Some(spawned.id()));
            outer.add(current());
        }));
        task.id()
    });
    let seen = seen.take();
    assert_eq!(seen[0], seen[1], "the destructor of the spawned task");
    assert_eq!(seen[2], Some(id), "then the destructor of the first task again");
}

#[test]
fn an_output_is_dropped_as_no_other_task() {
    let seen = Seen::new();
    let output = || {
        let seen = seen.clone();
        ready(OnDrop(move || seen.add(current())))
    };
    block_on(async {
        drop(spawn(output()));
        let kept = spawn(output());
        yield_now().await;
        drop(kept);
    });
    assert_eq!(seen.take(), [None, None], "the tasks have ended");
}

/// Runs `abandon` with a destructor that tries to lock, in a task that holds the lock. Returns
/// whether the destructor could lock.
fn enters<F: AsyncFnOnce(OnDrop<Box<dyn FnMut()>>)>(abandon: F) -> bool {
    let (mutex, seen) = (Rc::new(ReentrantMutex::new(())), Seen::new());
    let (locks, entered) = (mutex.clone(), seen.clone());
    block_on(async move {
        let _guard = mutex.lock().await;
        abandon(OnDrop(Box::new(move || entered.add(locks.try_lock().is_ok())))).await;
    });
    let seen = seen.take();
    assert_eq!(seen.len(), 1);
    seen[0]
}

async fn hold(value: impl Sized) {
    let _value = value;
    pending().await
}

#[test]
fn the_destructor_of_an_aborted_task_cannot_lock_as_the_previous_task() {
    assert!(!enters(async |on_drop| {
        let task = spawn(hold(on_drop));
        yield_now().await;
        task.abort();
        yield_now().await;
    }));
}

#[test]
fn the_destructor_of_an_output_cannot_lock_as_the_dropping_task() {
    assert!(!enters(async |on_drop| {
        let task = spawn(ready(on_drop));
        yield_now().await;
        drop(task);
    }));
}

#[test]
fn the_destructors_of_a_loop_cannot_lock_as_the_dropping_task() {
    assert!(!enters(async |on_drop| {
        let inner = Runtime::new().unwrap();
        drop(inner.spawn(hold(on_drop)));
        drop(inner);
    }));
}

#[test]
fn a_call_that_never_ran_cannot_lock_as_the_task_that_drops_its_loop() {
    struct IsSend<T>(T);
    // SAFETY: the value stays on this thread.
    #[allow(unsafe_code)]
    unsafe impl<T> Send for IsSend<T> {}
    assert!(!enters(async |on_drop| {
        let inner = Runtime::new().unwrap();
        let on_drop = IsSend(on_drop);
        inner.handle().call_threadsafe(move || drop(on_drop));
        drop(inner);
    }));
}

#[test]
fn a_childs_destructor_cannot_lock_as_its_scope() {
    assert!(!enters(async |on_drop| {
        task::scope(async |s| {
            let child = s.spawn(hold(on_drop));
            yield_now().await;
            child.abort();
            assert!(child.await.unwrap_err().is_cancelled());
        })
        .await;
    }));
    assert!(!enters(async |on_drop| {
        let mut scope = Box::pin(task::scope(async |s| {
            s.spawn(hold(on_drop));
            pending::<()>().await;
        }));
        assert!(poll_once(scope.as_mut()).is_pending());
        drop(scope);
    }));
}

thread_local! {
    /// The lock that [`Locks`] tries.
    static LOCK: Cell<Option<&'static ReentrantMutex<()>>> = const { Cell::new(None) };
    static ENTERED: Cell<Option<bool>> = const { Cell::new(None) };
}

/// A waker that tries to lock.
struct Locks;

impl Wake for Locks {
    fn wake(self: Arc<Self>) {
        ENTERED.set(Some(LOCK.get().unwrap().try_lock().is_ok()));
    }
}

#[test]
fn a_waker_in_an_inner_loop_cannot_lock_as_the_outer_task() {
    let mutex: &'static ReentrantMutex<()> = Box::leak(Box::default());
    LOCK.set(Some(mutex));
    block_on(async {
        let _guard = mutex.lock().await;
        let mut inner = Runtime::new().unwrap();
        let mut wait = {
            let _entered = inner.enter();
            Box::pin(sleep(Duration::from_millis(1)))
        };
        let waker = Waker::from(Arc::new(Locks));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        while ENTERED.get().is_none() {
            inner.turn(None).unwrap();
        }
        assert_eq!(ENTERED.get(), Some(false));
        assert!(mutex.try_lock().is_ok(), "the outer task runs again");
    });
}

#[test]
fn tasks_of_an_inner_loop_do_not_see_the_task_local() {
    let seen = Seen::new();
    let recorder = || {
        let seen = seen.clone();
        move || seen.add(name())
    };
    let mut inner = Runtime::new().unwrap();
    let polled = recorder();
    drop(inner.spawn(async move { polled() }));
    let aborted = inner.spawn(idle(recorder()));
    aborted.abort();
    drop(inner.spawn(idle(recorder())));
    block_on(NAME.scope("outer", async {
        inner.turn(None).unwrap();
        drop(inner);
        assert_eq!(name(), Some("outer"));
    }));
    assert_eq!(seen.take(), [None; 3], "polled, aborted, dropped with the loop");
}

#[test]
fn destructors_of_other_tasks_do_not_see_the_task_local() {
    let seen = Seen::new();
    let recorder = || {
        let seen = seen.clone();
        move || seen.add(name())
    };
    let (spawned, on_drop) = (recorder(), OnDrop(recorder()));
    block_on(async {
        let task = spawn(ready(on_drop));
        yield_now().await;
        NAME.sync_scope("outer", || drop(task));
        let mut spawned = Some(spawned);
        drop(spawn(idle(move || {
            let spawned = spawned.take().unwrap();
            NAME.sync_scope("outer", || drop(spawn(idle(spawned))));
        })));
    });
    assert_eq!(seen.take(), [None; 2], "of an output, of a task spawned as the loop ends");
}

#[test]
fn the_future_of_block_on_sees_the_task_locals_of_its_caller() {
    NAME.sync_scope("caller", || {
        block_on(async {
            assert_eq!(name(), Some("caller"));
            assert_eq!(spawn(async { name() }).await.unwrap(), None);
            yield_now().await;
            assert_eq!(name(), Some("caller"));
        });
    });
}

/// Makes a loop that records `name` and the panics that are reported to it.
fn reporting(name: &'static str, seen: &Seen<(&'static str, &'static str)>) -> Runtime {
    let seen = seen.clone();
    let report = move |error: JoinError| {
        seen.add((name, *error.into_panic().downcast().unwrap()));
    };
    Runtime::builder().on_task_error(report).build().unwrap()
}

#[test]
fn a_panic_is_reported_to_its_own_loop_from_a_turn_of_another() {
    let seen = Seen::new();
    let (mut outer, mut inner) = (reporting("outer", &seen), reporting("inner", &seen));
    outer.block_on(async {
        let of_outer: JoinHandle<()> = spawn(async { panic_any("of outer") });
        yield_now().await;
        drop(inner.spawn(async move { drop(of_outer) }));
        inner.run_until_stalled().unwrap();
        assert_eq!(seen.take(), []);
    });
    assert_eq!(seen.take(), [("outer", "of outer")]);
}

#[test]
fn a_panic_whose_handle_is_dropped_between_turns_is_reported_by_its_loop() {
    let seen = Seen::new();
    let (mut own, mut other) = (reporting("own", &seen), reporting("other", &seen));
    let task: JoinHandle<()> = own.spawn(async { panic_any("panicked") });
    own.run_until_stalled().unwrap();
    other.block_on(async move { drop(task) });
    assert_eq!(seen.take(), []);
    own.run_until_stalled().unwrap();
    assert_eq!(seen.take(), [("own", "panicked")]);
}

#[test]
fn each_of_two_loops_reports_the_panics_of_its_tasks() {
    let seen = Seen::new();
    let (mut outer, mut inner) = (reporting("outer", &seen), reporting("inner", &seen));
    outer.block_on(async {
        let of_outer: JoinHandle<()> = spawn(async { panic_any("of outer") });
        let of_inner: JoinHandle<()> = inner.spawn(async { panic_any("of inner") });
        drop(inner.spawn(async move {
            yield_now().await;
            drop(of_inner);
        }));
        yield_now().await;
        drop(of_outer);
        inner.run_until_stalled().unwrap();
        assert_eq!(seen.take(), [("inner", "of inner")]);
    });
    assert_eq!(seen.take(), [("outer", "of outer")]);
}

#[test]
fn a_panic_is_reported_when_its_handle_is_dropped_at_the_end() {
    let seen = Seen::new();
    let mut runtime = reporting("loop", &seen);
    runtime.block_on(async {
        let task: JoinHandle<()> = spawn(async { panic_any("kept to the end") });
        drop(spawn(hold(task)));
        yield_now().await;
    });
    drop(runtime);
    assert_eq!(seen.take(), [("loop", "kept to the end")]);
}
