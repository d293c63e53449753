//! Eager tasks: polled inside `spawn`, and otherwise like other tasks.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::oneshot;
use evloop::task::{self, TaskState, WaitsFor, yield_now};
use evloop::{JoinHandle, Runtime, block_on, spawn};

#[track_caller]
fn eager<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    task::Builder::new().eager(true).spawn(future)
}

#[test]
fn an_eager_task_runs_to_its_first_wait_inside_spawn() {
    let trace = Rc::new(RefCell::new(Vec::new()));
    block_on(async {
        let inner = trace.clone();
        let task = eager(async move {
            inner.borrow_mut().push("first");
            yield_now().await;
            inner.borrow_mut().push("second");
        });
        trace.borrow_mut().push("spawned");
        task.await.unwrap();
    });
    assert_eq!(*trace.borrow(), ["first", "spawned", "second"]);
}

#[test]
fn an_eager_task_that_never_waits_takes_no_turn() {
    let mut runtime = Runtime::new().unwrap();
    let polled = runtime.block_on(async {
        assert_eq!(eager(ready(7)).await.unwrap(), 7);
        let panicked = eager(async { panic!("at once") });
        assert!(panicked.is_finished());
        assert!(panicked.await.unwrap_err().is_panic());
        assert_eq!(task::all().len(), 1);
        task::current().unwrap().polls()
    });
    assert_eq!(polled, 1);
}

#[test]
fn an_eager_task_has_its_own_id_and_parent() {
    block_on(async {
        let root = task::current().unwrap();
        let states = || task::all().iter().map(|info| info.state()).collect::<Vec<_>>();
        let task = task::Builder::new().name("eager").eager(true).spawn(async move {
            let own = task::current().unwrap();
            assert_eq!((own.name(), own.parent()), (Some("eager"), Some(root.id())));
            assert_eq!(states(), [TaskState::Running; 2]);
            let inner = eager(async { task::current().unwrap().parent() });
            assert_eq!(inner.await.unwrap(), Some(own.id()));
            assert_eq!(task::current().unwrap().id(), own.id());
            pending::<()>().await;
        });
        assert_eq!(task::current().unwrap().polls(), 1);
        assert!(task.cancel().await.unwrap_err().is_cancelled());
    });
}

#[test]
fn an_eager_task_does_not_change_waits_for_of_its_spawner() {
    block_on(async {
        let spawner = spawn(async {
            let (_sender, receiver) = oneshot::channel::<()>();
            drop(eager(receiver));
            pending::<()>().await;
        });
        yield_now().await;
        let waits: Vec<_> = task::all().iter().map(|info| info.waits_for()).collect();
        assert_eq!(waits[1..], [None, Some(WaitsFor::Channel)]);
        drop(spawner);
    });
}

#[test]
fn an_eager_task_has_its_own_budget() {
    block_on(async {
        let always_ready = async |times: usize| {
            for _ in 0..times {
                let (sender, receiver) = oneshot::channel();
                sender.send(()).unwrap();
                receiver.await.unwrap();
            }
        };
        always_ready(100).await;
        assert!(eager(async move { always_ready(100).await }).is_finished());
        assert!(!eager(async move { always_ready(1000).await }).is_finished());
    });
}

#[test]
fn an_eager_task_woken_in_its_first_poll_runs_again() {
    let polls = Rc::new(Cell::new(0));
    block_on(async {
        let count = polls.clone();
        let task = eager(poll_fn(move |cx| {
            count.set(count.get() + 1);
            cx.waker().wake_by_ref();
            if count.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        assert_eq!(polls.get(), 1);
        task.await.unwrap();
    });
    assert_eq!(polls.get(), 3);
}

#[test]
fn an_eager_task_spawned_between_turns_waits_for_a_turn() {
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let task = eager(ready(7));
    assert!(!task.is_finished());
    drop(entered);
    assert_eq!(runtime.block_on(task).unwrap(), 7);
}
