//! Tasks as spans of the crate `tracing`: whole traces of loops, by a subscriber that writes lines.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::future::pending;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use evloop::task::{self, scope, yield_now};
use evloop::{Runtime, spawn, sync::oneshot};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{NoSubscriber, with_default};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_core::span::Current;

/// Writes a line for each call of a span of a task. A span has the name of its task, or `root`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// The name of each span, and its number of references.
    spans: HashMap<u64, (String, usize)>,
    /// The fields `id` of the tasks, and their names.
    tasks: HashMap<u64, String>,
    latest: u64,
    spawned_at: Vec<String>,
}

/// All spans have the same.
static METADATA: OnceLock<&Metadata<'static>> = OnceLock::new();

thread_local! {
    /// The spans that are entered.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl State {
    fn name(&self, id: Option<&Id>) -> String {
        id.map_or("nothing".into(), |id| self.spans[&id.into_u64()].0.clone())
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "evloop::task"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        METADATA.get_or_init(|| span.metadata());
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut state = self.0.lock().unwrap();
        state.latest += 1;
        let id = Id::from_u64(state.latest);
        let name = fields.0.get("name").cloned().unwrap_or("root".into());
        let current = ENTERED.with_borrow(|entered| entered.last().cloned());
        let parent = if span.is_contextual() { current } else { span.parent().cloned() };
        let mut line = format!("{} {name}", span.metadata().name());
        if let Some(parent) = &parent {
            let _ = write!(line, " in {}", state.name(Some(parent)));
        }
        state.lines.push(line);
        state.spawned_at.push(fields.0["spawned_at"].clone());
        let task = fields.0["id"].parse().unwrap();
        assert!(state.tasks.insert(task, name.clone()).is_none(), "ids are not reused");
        state.spans.insert(id.into_u64(), (name, 1));
        id
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        let name = fields.0.remove("name").unwrap();
        let mut state = self.0.lock().unwrap();
        let line = format!("{} is {name}", state.name(Some(span)));
        state.lines.push(line);
        state.spans.get_mut(&span.into_u64()).unwrap().0 = name;
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        let mut state = self.0.lock().unwrap();
        let line = format!("{} follows {}", state.name(Some(span)), state.name(Some(follows)));
        state.lines.push(line);
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut state = self.0.lock().unwrap();
        let current = ENTERED.with_borrow(|entered| entered.last().cloned());
        let by = state.name(current.as_ref());
        let id = fields.0.get("id").map(|id| id.parse().unwrap());
        let line = match (fields.0["message"].as_str(), id) {
            ("wake", Some(id)) => format!("{by} wakes {}", state.tasks[&id]),
            ("wake", None) => format!("{by} wakes root"),
            ("poll", None) => format!("poll {by}"),
            other => panic!("{other:?}"),
        };
        state.lines.push(line);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.clone()));
    }

    fn exit(&self, span: &Id) {
        let left = ENTERED.with_borrow_mut(|entered| entered.pop());
        assert_eq!(left.as_ref(), Some(span), "spans nest");
        let mut state = self.0.lock().unwrap();
        let line = format!("leave {}", state.name(Some(span)));
        state.lines.push(line);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.0.lock().unwrap().spans.get_mut(&id.into_u64()).unwrap().1 += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut state = self.0.lock().unwrap();
        let (name, references) = state.spans.get_mut(&id.into_u64()).unwrap();
        *references -= 1;
        let is_closed = *references == 0;
        if is_closed {
            let line = format!("close {name}");
            state.lines.push(line);
            state.spans.remove(&id.into_u64());
        }
        is_closed
    }

    fn current_span(&self) -> Current {
        let current = ENTERED.with_borrow(|entered| entered.last().cloned());
        current.map_or_else(Current::none, |id| Current::new(id, METADATA.get().unwrap()))
    }
}

/// Subscribers that take nothing, beside those of the tests. While there is but one subscriber,
/// tracing asks that of the thread which first meets a span: a loop without one would turn the span
/// off for the test of another thread.
static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();

fn lines() -> Lines {
    OTHERS.get_or_init(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::new())));
    Lines::default()
}

impl Lines {
    /// Returns the lines since the last call.
    fn take(&self) -> Vec<String> {
        mem::take(&mut self.0.lock().unwrap().lines)
    }

    /// Returns the lines about one task, since the last call.
    fn of(&self, name: &str) -> Vec<String> {
        let is_its = |line: &String| line.split(' ').any(|word| word == name);
        self.take().into_iter().filter(is_its).collect()
    }

    /// Returns the number of spans that are not closed.
    fn open(&self) -> usize {
        self.0.lock().unwrap().spans.len()
    }
}

fn named(name: &str) -> task::Builder {
    task::Builder::new().name(name)
}

#[test]
fn a_task_is_a_span_that_is_entered_during_each_poll() {
    let lines = lines();
    with_default(lines.clone(), || {
        evloop::block_on(async {
            named("yields").spawn(yield_now()).await.unwrap();
        });
    });
    let expected = [
        "task root",
        "poll root",
        "task yields",
        "yields follows root",
        "leave root",
        "poll yields",
        "yields wakes yields",
        "leave yields",
        "poll yields",
        "leave yields",
        "close yields",
        "nothing wakes root",
        "poll root",
        "leave root",
        "close root",
    ];
    assert_eq!(lines.take(), expected);
}

#[test]
fn a_child_of_a_scope_lies_in_the_span_of_its_parent() {
    let lines = lines();
    with_default(lines.clone(), || {
        evloop::block_on(scope(async |scope| {
            drop(scope.spawn(async {
                task::current().unwrap().set_name("child");
                drop(named("task").spawn(yield_now()));
            }));
            task::until_idle().await;
        }));
    });
    let all = lines.take();
    let begins: Vec<_> = all.iter().filter(|line| !line.contains("wakes")).collect();
    let at = |line: &str| begins.iter().position(|other| *other == line).expect(line);
    assert!(at("task root in root") < at("root is child"));
    // The task of a child outlives the child: its span is in none.
    assert!(at("task task") < at("task follows child"), "{all:#?}");
    assert!(at("close child") < at("close root"));
    assert_eq!(lines.open(), 0);
}

#[test]
fn spans_are_left_and_closed_after_a_panic() {
    let lines = lines();
    with_default(lines.clone(), || {
        let mut runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            named("panics").spawn(async { panic!("odd") }).await.unwrap_err();
        });
        let expected = ["task panics", "panics follows root", "poll panics", "leave panics"];
        let of_task = lines.of("panics");
        assert_eq!(of_task[..4], expected);
        assert_eq!(of_task.last().unwrap(), "close panics");
        let root = catch_unwind(AssertUnwindSafe(|| runtime.block_on(async { panic!("odd") })));
        root.unwrap_err();
    });
    assert_eq!(lines.take(), ["task root", "poll root", "leave root", "close root"]);
    assert_eq!(lines.open(), 0);
}

#[test]
fn an_aborted_task_is_dropped_inside_its_span() {
    struct Wakes(Option<oneshot::Sender<()>>);
    impl Drop for Wakes {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let lines = lines();
    with_default(lines.clone(), || {
        evloop::block_on(async {
            let (sender, receiver) = oneshot::channel();
            let wakes = Wakes(Some(sender));
            let task = named("aborted").spawn(async move {
                let _wakes = wakes;
                pending::<()>().await;
            });
            yield_now().await;
            task.abort();
            receiver.await.unwrap();
        });
    });
    let expected = [
        "task aborted",
        "aborted follows root",
        "poll aborted",
        "leave aborted",
        "root wakes aborted",
        "poll aborted",
        "aborted wakes root",
        "leave aborted",
        "close aborted",
    ];
    assert_eq!(lines.of("aborted"), expected);
    assert_eq!(lines.open(), 0);
}

#[test]
fn an_eager_task_is_polled_inside_the_span_of_its_spawner() {
    let lines = lines();
    with_default(lines.clone(), || {
        evloop::block_on(async {
            named("eager").eager(true).spawn(async {}).await.unwrap();
        });
    });
    let expected = [
        "task root",
        "poll root",
        "task eager",
        "eager follows root",
        "poll eager",
        "leave eager",
        "close eager",
        "leave root",
        "close root",
    ];
    assert_eq!(lines.take(), expected);
}

#[test]
fn spans_are_closed_with_the_loop() {
    let lines = lines();
    with_default(lines.clone(), || {
        let mut runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            spawn(pending::<()>()).detach();
            named("ready").spawn(async {}).detach();
        });
        assert_eq!(lines.open(), 2);
    });
    assert_eq!(lines.open(), 0);
    assert_eq!(lines.take().last().unwrap(), "close ready");
}

#[test]
fn two_loops_have_spans_of_their_own() {
    let lines = lines();
    let threads = [1, 2].map(|_| {
        let lines = lines.clone();
        thread::spawn(move || {
            with_default(lines, || {
                evloop::block_on(async {
                    for _ in 0..100 {
                        named("task").spawn(yield_now()).await.unwrap();
                    }
                });
            });
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let all = lines.take();
    let count = |line: &str| all.iter().filter(|other| *other == line).count();
    for (line, times) in [("task task", 200), ("close task", 200), ("task root", 2)] {
        assert_eq!(count(line), times, "{line}");
    }
    assert_eq!((count("poll task"), count("leave task"), lines.open()), (400, 400, 0));
}

#[test]
fn a_wake_from_another_thread_is_reported_by_the_loop() {
    let lines = lines();
    with_default(lines.clone(), || {
        evloop::block_on(async {
            let (sender, mut receiver) = evloop::sync::thread_channel::bounded::<()>(1);
            let task =
                named("waits").spawn(async move { assert!(receiver.recv().await.is_none()) });
            yield_now().await;
            thread::spawn(move || drop(sender)).join().unwrap();
            task.await.unwrap();
        });
    });
    assert!(lines.of("waits").contains(&"nothing wakes waits".into()));
}

#[test]
fn a_subscriber_may_be_set_while_a_loop_runs() {
    let lines = lines();
    let mut runtime = Runtime::new().unwrap();
    runtime.block_on(async { spawn(yield_now()).await.unwrap() });
    with_default(lines.clone(), || runtime.block_on(spawn_one()));
    assert!(lines.take().contains(&"close late".into()));
    runtime.block_on(spawn_one());
    assert_eq!((lines.take().len(), lines.open()), (0, 0));
}

async fn spawn_one() {
    named("late").spawn(yield_now()).await.unwrap();
}

#[test]
fn the_place_of_the_spawn_is_a_field() {
    let lines = lines();
    let line = line!() + 3;
    with_default(lines.clone(), || {
        evloop::block_on(async {
            drop(spawn(async {}));
        });
    });
    let spawned_at = lines.0.lock().unwrap().spawned_at.clone();
    assert!(spawned_at[1].starts_with(&format!("tests/tracing.rs:{line}:")), "{spawned_at:?}");
}
