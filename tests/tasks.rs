//! Tasks: the order in which they run, how they end, and what `TaskInfo` reports.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use evloop::task::{self, AbortHandle, TaskState, yield_now};
use evloop::{JoinHandle, Runtime, block_on, spawn};

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

    /// Returns a value that records `event` when it is dropped.
    fn on_drop(&self, event: &'static str) -> OnDrop {
        OnDrop(self.clone(), event)
    }
}

struct OnDrop(Trace, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}

/// Counts the polls and drops of a [`Counted`] future.
#[derive(Default)]
struct Counts {
    polls: Cell<u32>,
    drops: Cell<u32>,
    waker: RefCell<Option<Waker>>,
    /// The next poll returns `Ready`.
    is_ready: Cell<bool>,
}

impl Counts {
    fn future(self: &Rc<Self>) -> Counted {
        Counted(self.clone())
    }

    fn wake(&self) {
        self.waker.borrow().as_ref().expect("it was polled").wake_by_ref();
    }

    fn get(&self) -> (u32, u32) {
        (self.polls.get(), self.drops.get())
    }
}

struct Counted(Rc<Counts>);

impl Future for Counted {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.polls.set(self.0.polls.get() + 1);
        self.0.waker.replace(Some(cx.waker().clone()));
        if self.0.is_ready.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.drops.set(self.0.drops.get() + 1);
    }
}

/// Counts the wakes of a waker that belongs to no task.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl CountingWaker {
    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The abort handle of a task, for the task itself.
type Own = Rc<OnceCell<AbortHandle>>;

/// Spawns a task that receives its own abort handle.
fn spawn_with_own<F: Future + 'static>(task: impl FnOnce(Own) -> F) -> JoinHandle<F::Output> {
    let own = Own::default();
    let handle = spawn(task(own.clone()));
    own.set(handle.abort_handle()).expect("it is set once");
    handle
}

fn abort(own: &Own) {
    own.get().expect("the task runs after it was spawned").abort();
}

#[test]
fn spawned_tasks_run_first_in_first_out() {
    let trace = Trace::default();
    block_on(async {
        let mut tasks = Vec::new();
        for [first, second] in [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]] {
            let trace = trace.clone();
            tasks.push(spawn(async move {
                trace.add(first);
                yield_now().await;
                trace.add(second);
            }));
        }
        trace.add("spawned");
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(trace.take(), ["spawned", "a1", "b1", "c1", "a2", "b2", "c2"]);
}

#[test]
fn woken_tasks_run_in_the_order_of_their_wakes() {
    let trace = Trace::default();
    block_on(async {
        let counts: [Rc<Counts>; 3] = Default::default();
        for (counts, name) in counts.iter().zip(["a", "b", "c"]) {
            let (future, trace) = (counts.future(), trace.clone());
            drop(spawn(async move {
                future.await;
                trace.add(name);
            }));
        }
        yield_now().await;
        for i in [2, 0, 2, 1, 0] {
            counts[i].is_ready.set(true);
            counts[i].wake();
        }
        yield_now().await;
    });
    assert_eq!(trace.take(), ["c", "a", "b"]);
}

#[test]
fn a_task_woken_many_times_is_queued_once() {
    let counts = Rc::new(Counts::default());
    block_on(async {
        let _task = spawn(counts.future());
        yield_now().await;
        assert_eq!(counts.get(), (1, 0));
        (0..1000).for_each(|_| counts.wake());
        yield_now().await;
        assert_eq!(counts.get(), (2, 0));
        yield_now().await;
        assert_eq!(counts.get(), (2, 0));
    });
    assert_eq!(counts.get(), (2, 1));
}

#[test]
fn a_task_that_wakes_itself_runs_again_after_the_others() {
    let trace = Trace::default();
    block_on(async {
        let (a, b) = (trace.clone(), trace.clone());
        let itself = spawn(async move {
            let mut polls = 0;
            poll_fn(|cx| {
                a.add("itself");
                polls += 1;
                cx.waker().wake_by_ref();
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        let _other = spawn(async move { b.add("other") });
        itself.await.unwrap();
    });
    assert_eq!(trace.take(), ["itself", "other", "itself", "itself"]);
}

#[test]
fn a_handle_returns_the_output_before_and_after_the_end() {
    block_on(async {
        let early = spawn(async { String::from("early") });
        assert_eq!(early.await.unwrap(), "early");
        let late = spawn(async { Box::new([7; 100]) });
        yield_now().await;
        assert!(late.is_finished());
        assert_eq!(*late.await.unwrap(), [7; 100]);
    });
}

#[test]
fn a_dropped_handle_detaches() {
    let counts = Rc::new(Counts::default());
    block_on(async {
        drop(spawn(counts.future()));
        yield_now().await;
        assert_eq!(counts.get(), (1, 0));
        counts.is_ready.set(true);
        counts.wake();
        yield_now().await;
        assert_eq!(counts.get(), (2, 1));
    });
}

#[test]
fn the_output_of_a_dropped_handle_is_dropped_once() {
    let trace = Trace::default();
    block_on(async {
        let (early, late) = (trace.on_drop("early"), trace.on_drop("late"));
        drop(spawn(async move { early }));
        yield_now().await;
        assert_eq!(trace.take(), ["early"]);
        let task = spawn(async move { late });
        yield_now().await;
        assert!(trace.take().is_empty(), "the output is kept for the handle");
        drop(task);
        assert_eq!(trace.take(), ["late"]);
    });
    assert!(trace.take().is_empty());
}

#[test]
fn abort_drops_the_future_at_the_tasks_turn() {
    let trace = Trace::default();
    block_on(async {
        let (dropped, neighbour) = (trace.on_drop("dropped"), trace.clone());
        let task = spawn(async move {
            let _dropped = dropped;
            pending::<()>().await;
        });
        yield_now().await;
        let _neighbour = spawn(async move { neighbour.add("neighbour") });
        task.abort();
        trace.add("abort returned");
        assert!(!task.is_finished());
        assert!(task.await.unwrap_err().is_cancelled());
        trace.add("awaited");
    });
    assert_eq!(trace.take(), ["abort returned", "neighbour", "dropped", "awaited"]);
}

#[test]
fn abort_before_the_first_poll_drops_the_future_in_its_turn() {
    let trace = Trace::default();
    let counts = Rc::new(Counts::default());
    block_on(async {
        let (future, dropped, other) = (counts.future(), trace.on_drop("dropped"), trace.clone());
        let task = spawn(async move {
            let _dropped = dropped;
            future.await;
        });
        let other = spawn(async move { other.add("other") });
        task.abort();
        task.abort();
        other.await.unwrap();
        assert!(task.is_finished());
    });
    assert_eq!(trace.take(), ["dropped", "other"]);
    assert_eq!(counts.get(), (0, 1));
}

#[test]
fn a_task_that_aborts_itself_is_dropped_after_its_poll() {
    let trace = Trace::default();
    block_on(async {
        let inner = trace.clone();
        let task = spawn_with_own(|own| async move {
            let _dropped = inner.on_drop("dropped");
            abort(&own);
            inner.add("continues");
            yield_now().await;
            inner.add("never");
        });
        assert!(task.await.unwrap_err().is_cancelled());
        trace.add("awaited");
    });
    assert_eq!(trace.take(), ["continues", "dropped", "awaited"]);
}

#[test]
fn abort_during_the_last_poll_leaves_the_output() {
    block_on(async {
        let task = spawn_with_own(|own| async move {
            abort(&own);
            7
        });
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn abort_by_the_futures_own_destructor_leaves_the_output() {
    struct AbortOnDrop(Own);
    impl Drop for AbortOnDrop {
        fn drop(&mut self) {
            abort(&self.0);
        }
    }
    block_on(async {
        let task = spawn_with_own(|own| async move {
            let _abort = AbortOnDrop(own);
            7
        });
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn a_task_drops_its_own_handle() {
    let trace = Trace::default();
    block_on(async {
        let own: Rc<Cell<Option<JoinHandle<OnDrop>>>> = Rc::default();
        let (held, output) = (own.clone(), trace.on_drop("output"));
        own.set(Some(spawn(async move {
            drop(held.take());
            yield_now().await;
            output
        })));
        yield_now().await;
        assert!(own.take().is_none());
        yield_now().await;
        assert_eq!(trace.take(), ["output"]);
    });
}

#[test]
fn cancel_returns_when_the_future_was_dropped() {
    let trace = Trace::default();
    block_on(async {
        let dropped = trace.on_drop("dropped");
        let task = spawn(async move {
            let _dropped = dropped;
            pending::<()>().await;
        });
        yield_now().await;
        assert!(task.cancel().await.unwrap_err().is_cancelled());
        trace.add("cancelled");
    });
    assert_eq!(trace.take(), ["dropped", "cancelled"]);
}

#[test]
fn cancel_returns_the_output_of_a_finished_task() {
    block_on(async {
        let task = spawn(async { 7 });
        yield_now().await;
        assert_eq!(task.cancel().await.unwrap(), 7);
    });
}

#[test]
fn abort_on_drop_aborts_at_the_tasks_turn() {
    let trace = Trace::default();
    block_on(async {
        let dropped = trace.on_drop("future dropped");
        let task = spawn(async move {
            let _dropped = dropped;
            pending::<()>().await;
        });
        yield_now().await;
        drop(task.abort_on_drop());
        trace.add("handle dropped");
        yield_now().await;
        trace.add("next turn");
    });
    assert_eq!(trace.take(), ["handle dropped", "future dropped", "next turn"]);
}

#[test]
fn abort_on_drop_ignores_a_task_that_was_awaited() {
    block_on(async {
        let mut task = spawn(async { 7 }).abort_on_drop();
        assert_eq!((&mut task).await.unwrap(), 7);
        drop(task);
    });
}

#[test]
fn an_abort_handle_after_the_end_does_nothing() {
    let counts = Rc::new(Counts::default());
    block_on(async {
        counts.is_ready.set(true);
        let task = spawn(counts.future());
        let (id, abort_handle) = (task.id(), task.abort_handle());
        task.await.unwrap();
        assert_eq!(counts.get(), (1, 1));
        // The next task reuses the slot: the handle must not abort it.
        let next = spawn(async {
            yield_now().await;
            7
        });
        yield_now().await;
        abort_handle.abort();
        assert!(abort_handle.is_finished());
        assert_eq!(abort_handle.id(), id);
        assert_eq!(next.await.unwrap(), 7);
    });
}

#[test]
fn shield_reverts_only_abort_on_drop() {
    let counts = Rc::new(Counts::default());
    block_on(async {
        let task = task::shield(spawn(counts.future()).abort_on_drop());
        yield_now().await;
        let (id, abort_handle) = (task.id(), task.abort_handle());
        drop(task);
        counts.wake();
        yield_now().await;
        assert_eq!(counts.get(), (2, 0), "the task continues");
        abort_handle.abort();
        yield_now().await;
        assert_eq!(counts.get(), (2, 1), "the task can still be aborted");
        assert_eq!(abort_handle.id(), id);
        let output = task::shield(spawn(async { 7 })).await;
        assert_eq!(output.unwrap(), 7);
    });
}

#[test]
fn a_shielded_task_continues_after_its_awaiter_is_aborted() {
    let counts = Rc::new(Counts::default());
    block_on(async {
        let awaiters = [false, true].map(|is_shielded| {
            let task = spawn(counts.future()).abort_on_drop();
            spawn(async move { if is_shielded { task::shield(task).await } else { task.await } })
        });
        yield_now().await;
        for awaiter in awaiters {
            assert!(awaiter.cancel().await.unwrap_err().is_cancelled());
        }
        yield_now().await;
        assert_eq!(counts.get(), (2, 1), "the task without a shield was dropped");
    });
}

#[test]
fn on_done_calls_back_in_a_later_turn() {
    let trace = Trace::default();
    block_on(async {
        let (dropped, of_task, of_callback) =
            (trace.on_drop("future dropped"), trace.clone(), trace.clone());
        let running = spawn(async move {
            let _dropped = dropped;
            yield_now().await;
            of_task.add("ends");
            7
        });
        running.on_done(move |output| {
            assert_eq!(output.unwrap(), 7);
            of_callback.add("called");
        });
        let (finished, of_callback) = (spawn(ready(())), trace.clone());
        yield_now().await;
        assert!(finished.is_finished());
        finished.on_done(move |_| of_callback.add("called late"));
        trace.add("returned");
        for _ in 0..3 {
            yield_now().await;
        }
    });
    let events = ["returned", "ends", "future dropped", "called late", "called"];
    assert_eq!(trace.take(), events);
}

#[test]
fn on_done_receives_errors_and_its_panic_goes_to_the_handler() {
    let trace = Trace::default();
    let of_handler = trace.clone();
    let builder = Runtime::builder().on_task_error(move |error| {
        assert_eq!(*error.into_panic().downcast_ref::<&str>().unwrap(), "of the callback");
        of_handler.add("handler");
    });
    builder.build().unwrap().block_on(async {
        let of_callback = trace.clone();
        spawn(async { panic!("of the task") }).on_done(move |output: Result<(), _>| {
            assert!(output.unwrap_err().is_panic());
            of_callback.add("panicked");
        });
        let aborted = spawn(pending::<()>()).abort_on_drop();
        let (abort_handle, of_callback) = (aborted.abort_handle(), trace.clone());
        aborted.on_done(move |output| {
            assert!(output.unwrap_err().is_cancelled());
            of_callback.add("aborted");
            panic!("of the callback");
        });
        for _ in 0..3 {
            yield_now().await;
        }
        trace.add("waits, and is not aborted by itself");
        abort_handle.abort();
        for _ in 0..3 {
            yield_now().await;
        }
    });
    let events = ["panicked", "waits, and is not aborted by itself", "aborted", "handler"];
    assert_eq!(trace.take(), events);
}

#[test]
fn a_callback_is_a_task_that_reports_its_on_done_line() {
    block_on(async {
        let task = spawn(pending::<()>());
        task.on_done(drop);
        let line = line!() - 1;
        let callback = task::all().pop().unwrap();
        assert_eq!(callback.spawned_at().line(), line);
        assert_eq!(task::all().len(), 3);
    });
}

#[test]
fn is_finished_is_right_in_each_state() {
    block_on(async {
        let own_view = Rc::new(Cell::new(None));
        let seen = own_view.clone();
        let task = spawn_with_own(|own| async move {
            seen.set(own.get().map(AbortHandle::is_finished));
            yield_now().await;
        });
        assert!(!task.is_finished(), "queued");
        yield_now().await;
        assert_eq!(own_view.get(), Some(false), "running");
        assert!(!task.is_finished(), "waiting");
        yield_now().await;
        assert!(task.is_finished(), "done");
        let abort_handle = task.abort_handle();
        task.await.unwrap();
        assert!(abort_handle.is_finished(), "taken");
        let aborted = spawn(pending::<()>());
        aborted.abort();
        assert!(!aborted.is_finished(), "aborted, before its turn");
        yield_now().await;
        assert!(aborted.is_finished(), "aborted");
    });
}

#[test]
fn a_task_is_polled_once_per_turn_with_wakes() {
    let counts = Rc::new(Counts::default());
    block_on(async {
        let task = spawn(counts.future());
        for polls in 1..=100 {
            yield_now().await;
            yield_now().await;
            assert_eq!(counts.get(), (polls, 0));
            counts.is_ready.set(polls == 100);
            counts.wake();
        }
        task.await.unwrap();
    });
    assert_eq!(counts.get(), (101, 1));
}

#[test]
fn a_handle_polled_with_two_wakers_wakes_the_last() {
    let (first, last) = (Arc::new(CountingWaker::default()), Arc::new(CountingWaker::default()));
    block_on(async {
        let mut task = pin!(spawn(ready(7)));
        for bell in [&first, &first, &last, &last] {
            let waker = Waker::from(bell.clone());
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(
            [&first, &last].map(Arc::strong_count),
            [1, 2],
            "the handle holds one clone of the last waker"
        );
        yield_now().await;
        assert_eq!([&first, &last].map(|bell| bell.wakes()), [0, 1]);
        assert_eq!([&first, &last].map(Arc::strong_count), [1, 1]);
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn a_handle_dropped_while_it_waits_drops_its_waker() {
    let bell = Arc::new(CountingWaker::default());
    block_on(async {
        let mut task = spawn(ready(7));
        let waker = Waker::from(bell.clone());
        assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&bell), 2);
        drop(task);
        assert_eq!(Arc::strong_count(&bell), 1);
        yield_now().await;
    });
    assert_eq!(bell.wakes(), 0);
}

#[test]
fn a_turn_counts_futures_polled() {
    let mut runtime = Runtime::builder().batch_max(3).build().unwrap();
    let tasks: Vec<_> = (0..4).map(|_| runtime.spawn(ready(()))).collect();
    let mut turn = || runtime.turn(Some(Duration::ZERO)).unwrap();
    let turns = [turn(), turn(), turn()].map(|turn| (turn.polled, turn.ready_left));
    assert_eq!(turns, [(3, 1), (1, 0), (0, 0)]);
    assert!(tasks.iter().all(JoinHandle::is_finished));
}

/// Spawns a task that wakes itself during its last poll: it is still queued when it has ended.
fn spawn_that_ends_queued(runtime: &Runtime) {
    drop(runtime.spawn(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    })));
}

#[test]
fn a_task_that_ended_while_queued_is_not_polled_again() {
    let mut runtime = Runtime::new().unwrap();
    spawn_that_ends_queued(&runtime);
    let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!((turn.polled, turn.ready_left), (1, 0));
}

#[test]
fn a_task_that_was_aborted_is_not_polled_again() {
    let mut runtime = Runtime::new().unwrap();
    let counts = Rc::new(Counts::default());
    let task = runtime.spawn(counts.future());
    task.abort();
    let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!((counts.get(), turn.polled), ((0, 1), 0));
}

#[test]
fn a_task_that_ended_while_queued_is_not_listed() {
    let mut runtime = Runtime::new().unwrap();
    spawn_that_ends_queued(&runtime);
    let looker = runtime.spawn(async { task::all().len() });
    runtime.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(runtime.block_on(looker).unwrap(), 1);
}

#[test]
fn current_describes_the_running_task() {
    block_on(async {
        let root = task::current().unwrap().id();
        let line = line!() + 1;
        let task = task::Builder::new().name("described").spawn(async { task::current().unwrap() });
        let id = task.id();
        let info = task.await.unwrap();
        assert_eq!((info.id(), info.parent()), (id, Some(root)));
        assert_eq!((info.name(), info.state()), (Some("described"), TaskState::Running));
        assert_eq!((info.spawned_at().file(), info.spawned_at().line()), (file!(), line));
        assert_eq!(info.polls(), 1);
    });
}

#[test]
fn a_child_names_its_parent_after_the_parents_end() {
    block_on(async {
        let slot: Rc<Cell<Option<JoinHandle<_>>>> = Rc::default();
        let child = slot.clone();
        let parent = spawn(async move {
            child.set(Some(spawn(async { task::current().unwrap().parent() })));
        });
        let id = parent.id();
        parent.await.unwrap();
        assert_eq!(slot.take().unwrap().await.unwrap(), Some(id));
    });
}

#[test]
fn a_task_spawned_outside_the_loop_has_no_parent() {
    let mut runtime = Runtime::new().unwrap();
    let line = line!() + 1;
    let task = runtime.spawn(async { task::current().unwrap() });
    let info = runtime.block_on(task).unwrap();
    assert_eq!((info.parent(), info.name(), info.spawned_at().line()), (None, None, line));
    assert!(task::current().is_none());
    assert!(task::all().is_empty());
}

#[test]
fn all_lists_tasks_in_the_order_of_spawning() {
    block_on(async {
        let ended = spawn(ready(()));
        let waiting = task::Builder::new().name("waiting").spawn(pending::<()>());
        ended.await.unwrap();
        // It reuses the slot of the task that ended.
        let ready = task::Builder::new().name("ready").spawn(pending::<()>());
        let all = task::all();
        let states: Vec<_> = all.iter().map(|info| (info.name(), info.state())).collect();
        let expected = [
            (None, TaskState::Running),
            (Some("waiting"), TaskState::Waiting),
            (Some("ready"), TaskState::Ready),
        ];
        assert_eq!(states, expected);
        let ids: Vec<_> = all.iter().map(|info| info.id()).collect();
        assert_eq!(ids, [task::current().unwrap().id(), waiting.id(), ready.id()]);
        assert_eq!(all.iter().map(|info| info.polls()).collect::<Vec<_>>(), [2, 1, 0]);
    });
}

#[test]
fn ids_are_not_reused_when_slots_are() {
    let mut ids = HashSet::new();
    for _ in 0..2 {
        block_on(async {
            for _ in 0..3000 {
                let task = spawn(ready(()));
                assert!(ids.insert(task.id()));
                task.await.unwrap();
            }
        });
    }
    assert_eq!(ids.len(), 6000);
}

#[test]
fn the_root_is_a_task() {
    let line = line!() + 1;
    let info = block_on(async { task::current().unwrap() });
    assert_eq!((info.parent(), info.name(), info.polls()), (None, None, 1));
    assert_eq!((info.spawned_at().file(), info.spawned_at().line()), (file!(), line));
    let mut runtime = Runtime::new().unwrap();
    let mut look = || runtime.block_on(async { task::all().remove(0) });
    let (first, second) = (look(), look());
    assert!(first.id() < second.id(), "each root is a new task");
    assert_eq!(first.state(), TaskState::Running);
}

/// Completes in its first poll. Its drop records which task runs.
struct AtOnce<'a>(&'a Cell<Option<task::TaskId>>);

impl Future for AtOnce<'_> {
    type Output = task::TaskId;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<task::TaskId> {
        Poll::Ready(task::current().unwrap().id())
    }
}

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        self.0.set(task::current().map(|task| task.id()));
    }
}

#[test]
fn the_future_of_the_root_is_dropped_by_the_root() {
    let dropped_by = Cell::new(None);
    let root = block_on(AtOnce(&dropped_by));
    assert_eq!(dropped_by.get(), Some(root));
}

#[test]
fn the_root_needs_neither_send_nor_static() {
    let text = String::from("borrowed");
    let mut lengths = Vec::new();
    let kept = Rc::new(7);
    let returned = block_on(async {
        for part in text.split('r') {
            yield_now().await;
            lengths.push(part.len());
        }
        kept.clone()
    });
    assert_eq!(lengths, [2, 0, 4]);
    assert!(Rc::ptr_eq(&returned, &kept));
}

#[test]
fn tasks_survive_from_one_block_on_to_the_next() {
    let mut runtime = Runtime::new().unwrap();
    let counts = Rc::new(Counts::default());
    let task = runtime.spawn(counts.future());
    runtime.block_on(yield_now());
    assert_eq!(counts.get(), (1, 0));
    counts.is_ready.set(true);
    counts.wake();
    runtime.block_on(task).unwrap();
    assert_eq!(counts.get(), (2, 1));
}

#[test]
fn a_future_is_dropped_where_it_was_polled() {
    /// Records its address when it is polled, and compares it when it is dropped.
    struct Still(Rc<Cell<usize>>, std::marker::PhantomPinned);
    fn address(still: &Still) -> usize {
        std::ptr::from_ref(still).addr()
    }
    impl Future for Still {
        type Output = Rc<Cell<usize>>;
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            if self.0.replace(address(&self)) == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.0.clone())
        }
    }
    impl Drop for Still {
        fn drop(&mut self) {
            assert_eq!(self.0.get(), address(self));
            self.0.set(1);
        }
    }
    block_on(async {
        let task = spawn(Still(Rc::default(), std::marker::PhantomPinned));
        let others: Vec<_> = (0..1000).map(|_| spawn(yield_now())).collect();
        assert_eq!(task.await.unwrap().get(), 1);
        drop(others);
    });
}
