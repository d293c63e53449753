//! What an instrument observes: whole traces of loops.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use evloop::runtime::Instrument;
use evloop::task::{self, Scope, TaskEnd, TaskInfo, TaskState, yield_now};
use evloop::time::{sleep, timeout};
use evloop::{Runtime, spawn};

/// Records the calls of an instrument. A task has its name, or `root`.
#[derive(Clone, Default)]
struct Trace {
    events: Rc<RefCell<Vec<String>>>,
    waits: Rc<RefCell<Vec<Option<Duration>>>>,
}

impl Trace {
    fn add(&self, event: &str, task: &TaskInfo, end: Option<TaskEnd>) {
        assert!(task::current().is_none(), "a hook runs outside of any task");
        let name = task.name().unwrap_or("root");
        let end = end.map(|end| format!(" {end:?}")).unwrap_or_default();
        self.events.borrow_mut().push(format!("{event} {name}{end}"));
    }

    fn take(&self) -> Vec<String> {
        self.events.take()
    }

    fn runtime(&self) -> Runtime {
        Runtime::builder().instrument(self.clone()).build().unwrap()
    }
}

impl Instrument for Trace {
    fn spawned(&self, task: &TaskInfo) {
        assert_eq!(task.polls(), 0);
        self.add("spawned", task, None);
    }

    fn before_poll(&self, task: &TaskInfo) {
        self.add("before", task, None);
    }

    fn after_poll(&self, task: &TaskInfo) {
        self.add("after", task, None);
    }

    fn ended(&self, task: &TaskInfo, end: TaskEnd) {
        self.add("ended", task, Some(end));
    }

    fn before_wait(&self, limit: Option<Duration>) {
        self.waits.borrow_mut().push(limit);
    }

    fn after_wait(&self) {
        self.events.borrow_mut().push("waited".into());
    }
}

fn named(name: &str) -> task::Builder {
    task::Builder::new().name(name)
}

#[test]
fn a_whole_run_is_traced() {
    let trace = Trace::default();
    trace.runtime().block_on(async {
        let yields = named("yields").spawn(yield_now());
        let panics = named("panics").spawn(async { panic!("odd") });
        let aborted = named("aborted").spawn(pending::<()>());
        let eager = named("eager").eager(true).spawn(ready(()));
        aborted.abort();
        yields.await.unwrap();
        panics.await.unwrap_err();
        aborted.await.unwrap_err();
        eager.await.unwrap();
    });
    let expected = [
        "spawned root",
        "waited",
        "before root",
        "spawned yields",
        "spawned panics",
        "spawned aborted",
        "spawned eager",
        "before eager",
        "after eager",
        "ended eager Returned",
        "after root",
        "before yields",
        "after yields",
        "before panics",
        "after panics",
        "ended panics Panicked",
        "before aborted",
        "after aborted",
        "ended aborted Cancelled",
        "before yields",
        "after yields",
        "ended yields Returned",
        "before root",
        "after root",
        "ended root Returned",
    ];
    assert_eq!(trace.take(), expected);
}

#[test]
fn children_of_a_scope_are_traced_inside_the_poll_of_their_task() {
    let trace = Trace::default();
    trace.runtime().block_on(task::scope(async |s| {
        s.spawn(ready(())).await.unwrap();
        drop(s.spawn(pending::<()>()));
        s.cancel();
    }));
    let events = trace.take();
    // A child has no name.
    let expected = [
        "spawned root",
        "waited",
        "before root",
        "spawned root",
        "before root",
        "after root",
        "ended root Returned",
        "after root",
    ];
    assert_eq!(events[..8], expected, "{events:?}");
    let ends: Vec<_> = events.iter().filter(|event| event.starts_with("ended")).collect();
    assert_eq!(ends, ["ended root Returned", "ended root Cancelled", "ended root Returned"]);
    let count = |start: &str| events.iter().filter(|event| event.starts_with(start)).count();
    assert_eq!(count("before"), count("after"));
}

#[test]
fn tasks_that_the_loops_end_drops_are_cancelled() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    drop(runtime.spawn(async { named("idle").spawn(pending::<()>()).await }));
    runtime.run_until_stalled().unwrap();
    trace.take();
    drop(runtime);
    let expected = [
        "before root",
        "after root",
        "ended root Cancelled",
        "before idle",
        "after idle",
        "ended idle Cancelled",
    ];
    assert_eq!(trace.take(), expected);
}

#[test]
fn the_root_ends_by_a_panic() {
    let trace = Trace::default();
    let mut runtime = trace.runtime();
    let run = AssertUnwindSafe(|| runtime.block_on(async { panic!("odd") }));
    catch_unwind(run).unwrap_err();
    let expected = ["spawned root", "waited", "before root", "after root", "ended root Panicked"];
    assert_eq!(trace.take(), expected);
}

#[test]
fn the_limit_of_a_wait_is_known_before() {
    let trace = Trace::default();
    const HOUR: Duration = Duration::from_secs(3600);
    let mut runtime = trace.runtime();
    drop(runtime.spawn(async { sleep(HOUR).await }));
    runtime.turn(None).unwrap();
    runtime.turn(Some(Duration::ZERO)).unwrap();
    runtime.turn(Some(Duration::from_millis(1))).unwrap();
    let waits = trace.waits.take();
    let zero = Some(Duration::ZERO);
    assert_eq!(waits, [zero, zero, Some(Duration::from_millis(1))]);
    // The sleep is the limit.
    let handle = runtime.handle();
    let waker = std::thread::spawn(move || handle.stop());
    runtime.run().unwrap();
    waker.join().unwrap();
    let waits = trace.waits.take();
    assert!(waits.iter().all(|limit| limit.is_some_and(|limit| limit <= HOUR)), "{waits:?}");
}

#[test]
fn hooks_see_the_state_of_a_task() {
    struct States(Rc<RefCell<Vec<(u32, TaskState)>>>);
    impl Instrument for States {
        fn before_poll(&self, task: &TaskInfo) {
            self.0.borrow_mut().push((task.polls(), task.state()));
        }
        fn after_poll(&self, task: &TaskInfo) {
            self.0.borrow_mut().push((task.polls(), task.state()));
        }
        fn ended(&self, task: &TaskInfo, _: TaskEnd) {
            self.0.borrow_mut().push((task.polls(), task.state()));
        }
    }
    let states = Rc::new(RefCell::new(Vec::new()));
    let mut runtime = Runtime::builder().instrument(States(states.clone())).build().unwrap();
    drop(runtime.spawn(yield_now()));
    runtime.run_until_stalled().unwrap();
    use TaskState::{Ended, Ready, Waiting};
    let expected = [(0, Waiting), (1, Ready), (1, Waiting), (2, Ended), (2, Ended)];
    assert_eq!(*states.borrow(), expected);
}

#[test]
fn instruments_are_called_in_the_order_in_which_they_were_added() {
    struct Named(&'static str, Rc<RefCell<Vec<&'static str>>>);
    impl Instrument for Named {
        fn spawned(&self, _: &TaskInfo) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let names = Rc::new(RefCell::new(Vec::new()));
    let builder = Runtime::builder().instrument(Named("first", names.clone()));
    let runtime = builder.instrument(Named("second", names.clone())).build().unwrap();
    drop(runtime.spawn(ready(())));
    assert_eq!(*names.borrow(), ["first", "second"]);
}

/// Panics in the first call of the hook with the name.
struct Panics(&'static str, Cell<bool>);

impl Panics {
    fn at(&self, hook: &str) {
        if hook == self.0 && !self.1.replace(true) {
            panic!("{hook}");
        }
    }
}

impl Instrument for Panics {
    fn spawned(&self, _: &TaskInfo) {
        self.at("spawned");
    }
    fn before_poll(&self, _: &TaskInfo) {
        self.at("before_poll");
    }
    fn after_poll(&self, _: &TaskInfo) {
        self.at("after_poll");
    }
    fn ended(&self, _: &TaskInfo, _: TaskEnd) {
        self.at("ended");
    }
    fn before_wait(&self, _: Option<Duration>) {
        self.at("before_wait");
    }
    fn after_wait(&self) {
        self.at("after_wait");
    }
}

#[test]
fn a_panic_of_a_hook_propagates_once_and_loses_no_task() {
    for hook in ["spawned", "before_poll", "after_poll", "ended", "before_wait", "after_wait"] {
        let instrument = Panics(hook, Cell::new(false));
        let mut runtime = Runtime::builder().instrument(instrument).build().unwrap();
        let task = runtime.spawn(async { spawn(ready(3)).await.unwrap() + 4 });
        let run = AssertUnwindSafe(|| runtime.run_until_stalled());
        let payload = catch_unwind(run).unwrap_err();
        assert_eq!(*payload.downcast::<String>().unwrap(), hook);
        assert_eq!(runtime.block_on(task).unwrap(), 7, "{hook}");
    }
}

#[test]
fn a_panic_of_a_hook_while_the_loop_ends_propagates_after_all_tasks_were_dropped() {
    let drops = Rc::new(Cell::new(0));
    struct Count(Rc<Cell<u32>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let builder = Runtime::builder().instrument(Panics("ended", Cell::new(false)));
    let mut runtime = builder.build().unwrap();
    for _ in 0..3 {
        let count = Count(drops.clone());
        drop(runtime.spawn(async move {
            let _count = count;
            pending::<()>().await;
        }));
    }
    runtime.run_until_stalled().unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| drop(runtime))).unwrap_err();
    assert_eq!(*payload.downcast::<String>().unwrap(), "ended");
    assert_eq!(drops.get(), 3);
}

#[test]
fn a_panic_of_a_hook_at_the_end_of_the_root_propagates_out_of_block_on() {
    let builder = Runtime::builder().instrument(Panics("ended", Cell::new(false)));
    let mut runtime = builder.build().unwrap();
    let run = AssertUnwindSafe(|| runtime.block_on(ready(1)));
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(*payload.downcast::<String>().unwrap(), "ended");
    assert_eq!(runtime.block_on(ready(2)), 2);
}

#[test]
fn a_hook_may_list_spawn_and_abort() {
    struct Busy(Cell<bool>);
    impl Instrument for Busy {
        fn before_poll(&self, task: &TaskInfo) {
            assert!(task::all().iter().any(|info| info.id() == task.id()));
            if !self.0.replace(true) {
                let helper = spawn(pending::<()>());
                let helper = task::all().into_iter().find(|info| info.id() == helper.id());
                helper.unwrap().abort();
            }
        }
    }
    let builder = Runtime::builder().instrument(Busy(Cell::new(false)));
    builder.build().unwrap().block_on(async {
        yield_now().await;
        assert_eq!(task::all().len(), 1, "the helper was aborted");
    });
}

#[test]
fn a_hook_may_spawn_a_sibling_of_a_new_child() {
    struct Sibling(Rc<RefCell<Option<Scope<'static>>>>, Rc<Cell<u32>>);
    impl Instrument for Sibling {
        fn spawned(&self, _: &TaskInfo) {
            let scope = self.0.take();
            if let Some(scope) = scope {
                let runs = self.1.clone();
                drop(scope.spawn(async move { runs.set(runs.get() + 1) }));
            }
        }
    }
    let (slot, runs) = (Rc::default(), Rc::new(Cell::new(0)));
    let instrument = Sibling(Rc::clone(&slot), runs.clone());
    let mut runtime = Runtime::builder().instrument(instrument).build().unwrap();
    let children = task::scope(async |s| {
        slot.replace(Some(s.clone()));
        assert_eq!(s.spawn(ready(7)).await.unwrap(), 7);
    });
    runtime.block_on(async { timeout(Duration::from_secs(60), children).await.unwrap() });
    assert_eq!(runs.get(), 1);
}
