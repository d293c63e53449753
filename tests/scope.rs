//! Scopes: the order in which children run and are dropped, which are polled, how a scope ends.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::sync::oneshot;
use evloop::task::{self, JoinError, Scope, ScopedHandle, TaskState, yield_now};
use evloop::time::{sleep, timeout};
use evloop::{Runtime, block_on, spawn};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use probe::Probe;

/// Wakers and values that record what was done with them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn add(&self, event: impl Into<String>) {
        self.0.borrow_mut().push(event.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }

    fn on_drop(&self, event: &'static str) -> OnDrop {
        OnDrop(self.clone(), event)
    }

    /// A future that never completes, and records `event` when it is dropped.
    fn idle(&self, event: &'static str) -> impl Future<Output = ()> + use<> {
        let on_drop = self.on_drop(event);
        async move {
            let _on_drop = on_drop;
            pending().await
        }
    }
}

struct OnDrop(Trace, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// The message of the panic of `f`.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().expect("a text").to_string(),
    }
}

/// A future that counts its polls, stores its waker, and is ready once it is opened.
#[derive(Default)]
struct Gate {
    polls: Cell<u32>,
    waker: RefCell<Option<Waker>>,
    is_open: Cell<bool>,
}

impl Gate {
    fn wait(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            self.polls.set(self.polls.get() + 1);
            self.waker.replace(Some(cx.waker().clone()));
            if self.is_open.get() { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    fn wake(&self) {
        self.waker.borrow().as_ref().expect("it was polled").wake_by_ref();
    }

    fn open(&self) {
        self.is_open.set(true);
        self.wake();
    }
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn children_run_first_in_first_out_after_the_body_waits() {
    let trace = Trace::default();
    let output = block_on(task::scope(async |s| {
        for [first, second] in [["a1", "a2"], ["b1", "b2"]] {
            let trace = &trace;
            s.spawn(async move {
                trace.add(first);
                yield_now().await;
                trace.add(second);
            });
        }
        trace.add("body");
        7
    }));
    assert_eq!(output, 7);
    assert_eq!(trace.take(), ["body", "a1", "b1", "a2", "b2"]);
}

#[test]
fn woken_children_run_in_the_order_of_their_wakes() {
    let trace = Trace::default();
    let gates: [Gate; 3] = Default::default();
    block_on(task::scope(async |s| {
        for (gate, name) in gates.iter().zip(["a", "b", "c"]) {
            let trace = &trace;
            s.spawn(async move {
                gate.wait().await;
                trace.add(name);
            });
        }
        yield_now().await;
        for i in [2, 0, 2, 1, 0] {
            gates[i].open();
        }
    }));
    assert_eq!(trace.take(), ["c", "a", "b"]);
    assert_eq!(gates.map(|gate| gate.polls.get()), [2; 3], "woken twice, polled once");
}

#[test]
fn only_woken_children_are_polled() {
    let gates: Vec<Gate> = (0..1000).map(|_| Gate::default()).collect();
    block_on(task::scope(async |s| {
        for gate in &gates {
            s.spawn(gate.wait());
        }
        while gates[999].polls.get() == 0 {
            yield_now().await;
        }
        for _ in 0..50 {
            gates[500].wake();
            yield_now().await;
            yield_now().await;
        }
        assert_eq!(gates[500].polls.get(), 51);
        let others = gates.iter().enumerate().filter(|(i, _)| *i != 500);
        assert!(others.map(|(_, gate)| gate.polls.get()).all(|polls| polls == 1));
        s.cancel();
    }));
}

#[test]
fn ten_thousand_yielding_children_are_polled_once_a_wake() {
    const CHILDREN: u32 = 10_000;
    let (polls, body_polls) = (Cell::new(0), Cell::new(0));
    block_on(task::scope(async |s| {
        let mut children = Vec::new();
        for _ in 0..CHILDREN {
            let (mut yields_left, polls) = (3, &polls);
            children.push(s.spawn(poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                if yields_left == 0 {
                    return Poll::Ready(());
                }
                yields_left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            })));
        }
        let mut last = children.pop().unwrap();
        let body = poll_fn(|cx| {
            body_polls.set(body_polls.get() + 1);
            Pin::new(&mut last).poll(cx)
        });
        body.await.unwrap();
    }));
    assert_eq!(polls.get(), 4 * CHILDREN);
    assert!(body_polls.get() < 4 * CHILDREN / 64, "the body was polled {} times", body_polls.get());
}

#[test]
fn a_child_that_wakes_itself_starves_no_other_task() {
    let turns = Cell::new(0);
    block_on(async {
        let other = spawn(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
        task::scope(async |s| {
            for _ in 0..200 {
                s.spawn(async {
                    loop {
                        turns.set(turns.get() + 1);
                        yield_now().await;
                    }
                });
            }
            other.await.unwrap();
            s.cancel();
        })
        .await;
    });
    assert!(turns.get() < 200 * 15, "{} turns", turns.get());
}

#[test]
fn a_scope_with_many_children_yields_after_the_budget_of_one_task() {
    const CHILDREN: usize = 1000;
    const PER_POLL: usize = 128;
    let polls = Rc::new(Cell::new(0));
    block_on(async {
        let (seen, mut most) = (polls.clone(), 0);
        let other = spawn(async move {
            let mut before = 0;
            while before < CHILDREN {
                most = most.max(seen.get() - before);
                before = seen.get();
                yield_now().await;
            }
            most
        });
        task::scope(async |s| {
            for _ in 0..CHILDREN {
                s.spawn(async { polls.set(polls.get() + 1) });
            }
        })
        .await;
        let most = other.await.unwrap();
        assert!(most <= PER_POLL, "{most} children ran in one turn");
    });
}

/// Neither the body nor the children use up the whole budget.
#[test]
fn a_body_and_a_child_that_are_always_ready_both_advance() {
    let (done_by_body, done_by_child) = (Cell::new(0), Cell::new(0));
    let always = async |count: &Cell<u32>| {
        while done_by_body.get() < 1000 || done_by_child.get() < 1000 {
            let (sender, receiver) = oneshot::channel();
            sender.send(()).unwrap();
            receiver.await.unwrap();
            count.set(count.get() + 1);
        }
    };
    block_on(task::scope(async |s| {
        s.spawn(always(&done_by_child));
        always(&done_by_body).await;
    }));
    let counts = [done_by_body.get(), done_by_child.get()];
    assert!(counts.iter().all(|count| (1000..3000).contains(count)), "{counts:?}");
}

#[test]
fn a_child_can_spawn_a_sibling_and_open_a_scope() {
    let trace = Trace::default();
    block_on(task::scope(async |s: Scope<'_>| {
        let (trace, siblings) = (&trace, s.clone());
        s.spawn(async move {
            trace.add("child");
            siblings.spawn(async move { trace.add("sibling") });
            let local = String::from("grandchild");
            task::scope(async |s| {
                s.spawn(async { trace.add(local.as_str()) });
            })
            .await;
            trace.add(local + " has ended");
        });
    }));
    assert_eq!(trace.take(), ["child", "grandchild", "grandchild has ended", "sibling"]);
}

#[test]
fn handles_return_outputs_and_errors() {
    block_on(task::scope(async |s| {
        let mut output = s.spawn(async { 7 });
        let panicked: ScopedHandle<()> = s.spawn(async { panic!("awaited") });
        assert!(!output.is_finished());
        assert_eq!((&mut output).await.unwrap(), 7);
        assert!(output.is_finished());
        assert!(panicked.await.unwrap_err().is_panic());
    }));
}

#[test]
fn a_child_can_abort_itself_and_a_sibling() {
    let trace = Trace::default();
    let handles: Rc<RefCell<Vec<ScopedHandle<'static, ()>>>> = Rc::default();
    block_on(task::scope(async |s| {
        let (own, trace) = (handles.clone(), trace.clone());
        let idle = trace.idle("sibling");
        handles.borrow_mut().push(s.spawn(async move {
            let _on_drop = trace.on_drop("itself");
            own.borrow().iter().for_each(ScopedHandle::abort);
            trace.add("runs on");
            yield_now().await;
            trace.add("never");
        }));
        handles.borrow_mut().push(s.spawn(idle));
        yield_now().await;
        yield_now().await;
        let [itself, sibling] = <[_; 2]>::try_from(handles.take()).unwrap();
        assert!(itself.await.unwrap_err().is_cancelled());
        assert!(sibling.await.unwrap_err().is_cancelled());
    }));
    assert_eq!(trace.take(), ["runs on", "itself", "sibling"]);
}

#[test]
fn abort_drops_a_child_at_its_turn() {
    let trace = Trace::default();
    block_on(task::scope(async |s| {
        let child = s.spawn(trace.idle("child"));
        yield_now().await;
        child.abort();
        trace.add("abort returned");
        assert!(child.cancel().await.unwrap_err().is_cancelled());
        trace.add("awaited");
        assert_eq!(s.len(), 0);
    }));
    assert_eq!(trace.take(), ["abort returned", "child", "awaited"]);
}

#[test]
fn cancel_from_the_body_drops_the_children_in_spawn_order() {
    let trace = Trace::default();
    block_on(task::scope(async |s| {
        // The last child reuses the slot of the first.
        s.spawn(ready(()));
        s.spawn(trace.idle("a"));
        s.spawn(trace.idle("b"));
        yield_now().await;
        s.spawn(trace.idle("c"));
        s.cancel();
        trace.add("cancel returned");
        assert!(s.is_cancelled());
        assert!(s.spawn(trace.idle("late")).await.unwrap_err().is_cancelled());
        yield_now().await;
        trace.add("body");
    }));
    assert_eq!(trace.take(), ["cancel returned", "late", "a", "b", "c", "body"]);
}

#[test]
fn cancel_from_a_child_takes_effect_when_its_poll_returns() {
    let trace = Trace::default();
    block_on(task::scope(async |s: Scope<'_>| {
        let (trace, scope) = (&trace, s.clone());
        s.spawn(trace.idle("before"));
        s.spawn(async move {
            let _on_drop = trace.on_drop("canceller");
            scope.cancel();
            trace.add("runs on");
            yield_now().await;
            trace.add("never");
        });
        s.spawn(trace.idle("after"));
        pending_until_empty(&s).await;
    }));
    assert_eq!(trace.take(), ["runs on", "before", "canceller", "after"]);
}

async fn pending_until_empty(s: &Scope<'_>) {
    while !s.is_empty() {
        yield_now().await;
    }
}

#[test]
fn cancel_from_another_task_wakes_the_scope() {
    let trace = Trace::default();
    block_on(async {
        let scope: Rc<RefCell<Option<Scope<'static>>>> = Rc::default();
        let (shared, idle) = (scope.clone(), trace.idle("child"));
        let task = spawn(task::scope(async move |s: Scope<'static>| {
            s.spawn(idle);
            shared.replace(Some(s));
        }));
        yield_now().await;
        yield_now().await;
        assert!(!task.is_finished());
        scope.borrow().as_ref().unwrap().cancel();
        task.await.unwrap();
        assert_eq!(trace.take(), ["child"]);
    });
}

#[test]
fn another_task_can_spawn_into_a_scope_until_it_ends() {
    let trace = Trace::default();
    block_on(async {
        let shared: Rc<RefCell<Option<Scope<'static>>>> = Rc::default();
        let gate = Rc::new(Gate::default());
        let (scope, opened) = (shared.clone(), gate.clone());
        let task = spawn(task::scope(async move |s| {
            scope.replace(Some(s));
            opened.wait().await;
        }));
        yield_now().await;
        let scope = shared.take().unwrap();
        let from_outside = trace.clone();
        let child = scope.spawn(async move { from_outside.add("spawned from outside") });
        child.await.unwrap();
        gate.open();
        task.await.unwrap();
        assert!(scope.is_cancelled() && scope.is_empty());
        let late = scope.spawn(trace.idle("too late"));
        assert!(late.await.unwrap_err().is_cancelled());
        assert_eq!(trace.take(), ["spawned from outside", "too late"]);
    });
}

#[test]
fn a_scope_dropped_before_its_end_drops_the_body_then_the_children() {
    let trace = Trace::default();
    block_on(async {
        let scope = task::scope(async |s| {
            let _on_drop = trace.on_drop("body");
            s.spawn(trace.idle("a"));
            s.spawn(trace.idle("b"));
            yield_now().await;
            s.spawn(trace.idle("c, never polled"));
            pending::<()>().await;
        });
        assert!(timeout(Duration::from_millis(1), scope).await.is_err());
        trace.add("scope dropped");
        assert_eq!(task::all().len(), 1);
    });
    assert_eq!(trace.take(), ["body", "a", "b", "c, never polled", "scope dropped"]);
}

#[test]
fn a_scope_that_is_never_polled_does_not_run_its_body() {
    let trace = Trace::default();
    let on_drop = trace.on_drop("body");
    drop(task::scope(async move |s: Scope<'_>| {
        let _on_drop = &on_drop;
        s.spawn(ready(()));
    }));
    assert_eq!(trace.take(), ["body"]);
}

#[test]
fn scopes_can_be_moved_before_their_first_poll_and_polled_in_a_group() {
    let trace = Trace::default();
    block_on(async {
        let scope = |name: &'static str| {
            let trace = &trace;
            task::scope(async move |s| {
                let child = s.spawn(async move {
                    yield_now().await;
                    name
                });
                trace.add(child.await.unwrap());
            })
        };
        let mut group = FuturesUnordered::new();
        group.extend([scope("a"), scope("b"), scope("c")]);
        while group.next().await.is_some() {}
    });
    assert_eq!(trace.take(), ["a", "b", "c"]);
}

#[test]
fn a_scope_that_moved_to_another_task_is_woken_there() {
    block_on(async {
        let gate = Rc::new(Gate::default());
        let opened = gate.clone();
        let mut scope = Box::pin(task::scope(async move |s| {
            s.spawn(async move { opened.wait().await });
        }));
        let scope = poll_fn(|cx| {
            assert!(scope.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        });
        scope.await;
        // The task that polled the scope last is woken.
        let gate_of_moved = Rc::new(Gate::default());
        let opened = gate_of_moved.clone();
        let mut moved = Box::pin(task::scope(async move |s| {
            s.spawn(async move { opened.wait().await });
        }));
        assert!(poll_once(moved.as_mut()).is_pending());
        let task = spawn(moved);
        yield_now().await;
        gate_of_moved.open();
        task.await.unwrap();
        assert_eq!(gate.polls.get(), 1);
    });
}

#[test]
fn a_leaked_scope_is_harmless() {
    let trace = Trace::default();
    let gate = Rc::new(Gate::default());
    block_on(async {
        let (leaked, opened) = (trace.clone(), gate.clone());
        let mut scope = Box::pin(task::scope(async move |s| {
            let _on_drop = leaked.on_drop("never");
            s.spawn(async move { opened.wait().await });
            pending::<()>().await;
        }));
        assert!(poll_once(scope.as_mut()).is_pending());
        std::mem::forget(scope);
        gate.open();
        yield_now().await;
        yield_now().await;
        assert_eq!(gate.polls.get(), 1, "no task polls it");
    });
    assert!(trace.take().is_empty());
}

#[test]
fn a_panic_of_the_body_drops_the_children_and_is_resumed() {
    let trace = Trace::default();
    let message = panic_of(|| {
        block_on(task::scope(async |s| {
            let _on_drop = trace.on_drop("body");
            s.spawn(trace.idle("a"));
            s.spawn(trace.idle("b"));
            yield_now().await;
            panic!("the body");
        }))
    });
    assert_eq!(message, "the body");
    assert_eq!(trace.take(), ["body", "a", "b"]);
}

#[test]
fn a_panic_of_a_detached_child_drops_all_and_is_resumed() {
    let trace = Trace::default();
    let message = panic_of(|| {
        block_on(task::scope(async |s| {
            let _on_drop = trace.on_drop("body");
            s.spawn(trace.idle("a"));
            s.spawn(async { panic!("the child") });
            s.spawn(trace.idle("b"));
            pending::<()>().await;
        }))
    });
    assert_eq!(message, "the child");
    assert_eq!(trace.take(), ["body", "a", "b"]);
}

#[test]
fn after_a_panic_the_body_and_the_children_are_dropped_with_the_future() {
    let runs: [(&str, &[&str]); 2] =
        [("the child", &["body", "a", "b"]), ("the body", &["a", "b"])];
    for (panics, dropped_later) in runs {
        let trace = Trace::default();
        block_on(async {
            let mut scope = Box::pin(task::scope(async |s| {
                let _on_drop = trace.on_drop("body");
                s.spawn(trace.idle("a"));
                s.spawn(async move { assert_ne!(panics, "the child", "it panics") });
                s.spawn(trace.idle("b"));
                assert_ne!(panics, "the body", "it panics");
                pending::<()>().await;
            }));
            panic_of(|| poll_once(scope.as_mut()));
            assert_eq!(trace.take().len(), 3 - dropped_later.len());
            drop(scope);
        });
        assert_eq!(trace.take(), dropped_later, "{panics}");
    }
}

#[test]
fn dropping_the_handle_of_a_panicked_child_later_ends_the_scope() {
    let trace = Trace::default();
    let message = panic_of(|| {
        block_on(task::scope(async |s| {
            let panics = s.spawn(async { panic!("dropped unread") });
            yield_now().await;
            yield_now().await;
            trace.add("still here");
            drop(panics);
            pending::<()>().await;
        }))
    });
    assert_eq!(message, "dropped unread");
    assert_eq!(trace.take(), ["still here"]);
}

/// The handle is dropped while the scope drops its cancelled children: no other wake would come.
#[test]
fn a_panic_whose_handle_is_dropped_with_a_cancelled_child_ends_the_scope() {
    let message = panic_of(|| {
        block_on(timeout(
            Duration::from_secs(10),
            task::scope(async |s| {
                let panics = s.spawn(async { panic!("dropped unread") });
                s.spawn(async move {
                    let _panics = panics;
                    pending::<()>().await;
                });
                yield_now().await;
                s.cancel();
                pending::<()>().await;
            }),
        ))
    });
    assert_eq!(message, "dropped unread");
}

/// A runtime that records the panics of detached tasks.
fn runtime(trace: &Trace) -> Runtime {
    let trace = trace.clone();
    let report = move |error: JoinError| trace.add(format!("reported: {}", text(error)));
    Runtime::builder().on_task_error(report).build().unwrap()
}

fn text(error: JoinError) -> &'static str {
    error.into_panic().downcast_ref::<&'static str>().expect("a text")
}

#[test]
fn a_panic_whose_handle_outlives_the_scope_goes_to_the_handler() {
    let trace = Trace::default();
    runtime(&trace).block_on(async {
        let handle = task::scope(async |s| s.spawn(async { std::panic::panic_any("outlives") }));
        drop(handle.await);
    });
    assert_eq!(trace.take(), ["reported: outlives"]);
}

#[test]
fn a_panicking_destructor_does_not_stop_those_of_other_children() {
    let trace = Trace::default();
    let kept = RefCell::new(None);
    runtime(&trace).block_on(async {
        let scope = task::scope(async |s| {
            s.spawn(trace.idle("a"));
            kept.replace(Some(s.spawn(async {
                let _bomb = Bomb("kept");
                pending::<()>().await;
            })));
            s.spawn(trace.idle("b"));
            pending::<()>().await;
        });
        assert!(timeout(Duration::from_millis(1), scope).await.is_err());
    });
    assert_eq!(trace.take(), ["a", "b"]);
    let error = block_on(kept.take().unwrap()).unwrap_err();
    assert_eq!(*error.into_panic().downcast::<String>().unwrap(), "kept");
}

/// The error handler is user code: if it panics, the children must still be dropped.
#[test]
fn a_scope_drops_all_children_when_the_handler_panics() {
    let trace = Trace::default();
    let b = RefCell::new(None);
    let mut runtime = Runtime::builder().on_task_error(|_| panic!("the handler")).build().unwrap();
    let message = panic_of(|| {
        runtime.block_on(async {
            let scope = task::scope(async |s| {
                s.spawn(async {
                    let _bomb = Bomb("unread");
                    pending::<()>().await;
                });
                b.replace(Some(s.spawn(trace.idle("b"))));
                pending::<()>().await;
            });
            let _ = timeout(Duration::from_millis(1), scope).await;
        })
    });
    assert_eq!(message, "the handler");
    assert_eq!(trace.take(), ["b"]);
    assert!(block_on(b.take().unwrap()).unwrap_err().is_cancelled());
}

#[test]
fn of_two_panics_the_first_is_resumed_and_the_second_goes_to_the_handler() {
    let trace = Trace::default();
    let message = panic_of(|| {
        runtime(&trace).block_on(task::scope(async |s| {
            s.spawn(async { panic!("the first") });
            s.spawn(async { panic!("the second") });
            pending::<()>().await;
        }))
    });
    assert_eq!(message, "the first");
    assert_eq!(trace.take(), ["reported: the second"]);
}

#[test]
fn a_handle_dropped_by_another_task_wakes_the_scope_with_the_panic() {
    block_on(async {
        let handle = Rc::new(RefCell::new(None));
        let stored = handle.clone();
        let scope = spawn(task::scope(async move |s| {
            stored.replace(Some(s.spawn(async { panic!("reported late") })));
            pending::<()>().await;
        }));
        yield_now().await;
        drop(handle.take());
        yield_now().await;
        assert!(scope.is_finished());
        assert_eq!(text(scope.await.unwrap_err()), "reported late");
    });
}

#[test]
fn a_panic_that_a_dropped_scope_did_not_resume_goes_to_the_handler() {
    let trace = Trace::default();
    let handle = RefCell::new(None);
    runtime(&trace).block_on(async {
        let mut scope = Box::pin(task::scope(async |s| {
            handle.replace(Some(s.spawn(async { panic!("reported late") })));
            pending::<()>().await;
        }));
        assert!(poll_once(scope.as_mut()).is_pending());
        drop(handle.take());
        drop(scope);
        yield_now().await;
    });
    assert_eq!(trace.take(), ["reported: reported late"]);
}

/// A second panic while unwinding would abort the process.
#[test]
fn a_panicking_handler_does_not_abort_while_the_body_panics() {
    let trace = Trace::default();
    let mut runtime = Runtime::builder().on_task_error(|_| panic!("the handler")).build().unwrap();
    let message = panic_of(|| {
        runtime.block_on(task::scope(async |s| {
            s.spawn(async {
                let _bomb = Bomb("unread");
                pending::<()>().await;
            });
            s.spawn(trace.idle("b"));
            yield_now().await;
            panic!("the body");
        }))
    });
    assert_eq!(message, "the body");
    assert_eq!(trace.take(), ["b"]);
}

#[test]
fn a_destructor_can_spawn_and_wake_while_the_scope_is_cancelled() {
    struct SpawnOnDrop<'a>(Scope<'a>, Trace, Rc<Gate>);
    impl Drop for SpawnOnDrop<'_> {
        fn drop(&mut self) {
            self.2.wake();
            self.0.cancel();
            self.0.spawn(self.1.idle("spawned by a destructor"));
            self.1.add(format!("{} left", self.0.len()));
        }
    }
    let (trace, gate) = (Trace::default(), Rc::new(Gate::default()));
    block_on(task::scope(async |s: Scope<'_>| {
        let (spawner, opened) = (SpawnOnDrop(s.clone(), trace.clone(), gate.clone()), gate.clone());
        s.spawn(async move {
            let _spawner = spawner;
            opened.wait().await;
        });
        s.spawn(trace.idle("sibling"));
        yield_now().await;
        s.cancel();
    }));
    assert_eq!(trace.take(), ["spawned by a destructor", "0 left", "sibling"]);
    gate.wake();
}

#[test]
fn a_child_is_the_current_task_while_it_runs() {
    block_on(async {
        let root = task::current().unwrap().id();
        let line = line!() + 2;
        task::scope(async |s| {
            let child = s.spawn(async {
                let own = task::current().unwrap();
                let grandchild = spawn(async { task::current().unwrap().parent() });
                yield_now().await;
                assert_eq!(task::current().unwrap().id(), own.id());
                assert_eq!(task::current().unwrap().polls(), 2);
                (own, grandchild.await.unwrap())
            });
            let id = child.id();
            let (info, parent_of_grandchild) = child.await.unwrap();
            assert_eq!((info.id(), info.parent()), (id, Some(root)));
            assert_eq!((info.spawned_at().file(), info.spawned_at().line()), (file!(), line));
            assert_eq!(parent_of_grandchild, Some(id));
            assert_eq!(task::current().unwrap().id(), root);
        })
        .await;
        assert_eq!(task::all().len(), 1);
    });
}

#[test]
fn all_lists_children_and_their_states() {
    let states = || task::all().iter().map(|info| info.state()).collect::<Vec<_>>();
    let gate = Gate::default();
    block_on(task::scope(async |s| {
        s.spawn(gate.wait());
        yield_now().await;
        use TaskState::{Ready, Running, Waiting};
        assert_eq!(states(), [Running, Waiting]);
        s.spawn(async {
            assert_eq!(states(), [Running, Ready, Running], "the polling task runs too");
        });
        assert_eq!(states(), [Running, Waiting, Ready]);
        gate.open();
        assert_eq!(states(), [Running, Ready, Ready]);
    }));
}

#[test]
fn timeouts_nest_around_and_inside_a_scope() {
    let trace = Trace::default();
    block_on(async {
        // So late that the inner limit does not end at the same time after a suspension.
        let outer = timeout(
            Duration::from_millis(500),
            task::scope(async |s| {
                let inner = s.spawn(timeout(Duration::from_millis(1), trace.idle("inner")));
                s.spawn(trace.idle("outer"));
                assert!(inner.await.unwrap().is_err());
                trace.add("inner elapsed");
                sleep(Duration::from_secs(60)).await;
            }),
        );
        assert!(outer.await.is_err());
    });
    assert_eq!(trace.take(), ["inner", "inner elapsed", "outer"]);
}

#[test]
fn the_end_of_the_loop_drops_the_body_then_the_children() {
    let trace = Trace::default();
    let mut runtime = Runtime::new().unwrap();
    let (body, a, b) = (trace.on_drop("body"), trace.idle("a"), trace.idle("b"));
    drop(runtime.spawn(task::scope(async move |s| {
        let _body = body;
        s.spawn(a);
        s.spawn(b);
        pending::<()>().await;
    })));
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(trace.take(), ["body", "a", "b"]);
}

#[test]
fn a_scope_can_outlive_its_loop_on_another_loop() {
    let trace = Trace::default();
    let mut first = Runtime::new().unwrap();
    let gate = Rc::new(Gate::default());
    let (idle, opened, late) = (trace.idle("child"), gate.clone(), trace.idle("late"));
    let mut scope = Box::pin(task::scope(async move |s| {
        let child = s.spawn(idle);
        opened.wait().await;
        assert!(child.await.unwrap_err().is_cancelled());
        assert!(s.spawn(late).await.unwrap_err().is_cancelled());
        "ended"
    }));
    first.block_on(async { assert!(poll_once(scope.as_mut()).is_pending()) });
    let ended = block_on(async move {
        let task = spawn(scope);
        yield_now().await;
        drop(first);
        // The wake comes from a loop inside this one: it arrives with the next turn.
        while trace.0.borrow().is_empty() {
            yield_now().await;
        }
        assert_eq!(trace.take(), ["child"], "the child ends with its loop");
        gate.open();
        let ended = task.await.unwrap();
        assert_eq!(trace.take(), ["late"]);
        ended
    });
    assert_eq!(ended, "ended");
}

#[test]
fn a_scope_outside_of_a_loop_panics_with_a_sentence() {
    let mut scope = pin!(task::scope(async |_| ()));
    let message = panic_of(|| poll_once(scope.as_mut()));
    assert!(message.starts_with("task::scope was called outside of a running loop"), "{message}");
}

/// Cloning the waker of a task that awaits a child is user code: it may poll the scope.
#[test]
fn a_child_that_ends_while_its_waker_is_cloned_wakes_it() {
    let mut runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let handle: Rc<RefCell<Option<ScopedHandle<'static, i32>>>> = Rc::default();
    let shared = handle.clone();
    // The sibling is spawned while the children run, so it comes in the next poll.
    let body = async move |s: Scope<'static>| {
        let siblings = s.clone();
        s.spawn(async move { drop(shared.replace(Some(siblings.spawn(ready(7))))) });
    };
    let mut scope: Pin<Box<dyn Future<Output = ()>>> = Box::pin(task::scope(body));
    assert!(poll_once(scope.as_mut()).is_pending());
    let mut handle = handle.take().unwrap();
    assert!(!handle.is_finished());
    let waiter = Probe::new().on_clone(move || while poll_once(scope.as_mut()).is_pending() {});
    assert!(waiter.poll(&mut handle).is_pending());
    assert_eq!(waiter.calls.wakes.get(), 1);
    assert!(matches!(waiter.poll(&mut handle), Poll::Ready(Ok(7))));
    drop(_entered);
    runtime.run_until_stalled().unwrap();
}

#[test]
fn an_ended_scope_stores_no_waker() {
    block_on(async {
        let mut scope = Box::pin(task::scope(async |s: Scope<'static>| {
            yield_now().await;
            s
        }));
        let waker = Probe::new();
        assert!(waker.poll(&mut scope).is_pending());
        let Poll::Ready(s) = waker.poll(&mut scope) else { panic!("it yields once") };
        assert_eq!(waker.kept(), 0);
        assert!(s.is_cancelled(), "the handle of the scope still works");
    });
}
