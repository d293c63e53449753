//! The errors of detached tasks: which ones the loop's handler receives, when, and how often.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::{Future, pending, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use evloop::task::{self, JoinError, TaskOutput, yield_now};
use evloop::{JoinHandle, Runtime, spawn};

/// Records what the loop's handler receives, without the task.
#[derive(Clone, Default)]
struct Reports(Rc<RefCell<Vec<String>>>);

impl Reports {
    fn runtime(&self) -> Runtime {
        let reports = self.0.clone();
        let handler = move |error: JoinError| {
            assert_eq!((error.is_failed(), error.is_cancelled()), (!error.is_panic(), false));
            let text = error.to_string();
            reports.borrow_mut().push(text.split_once(") ").unwrap().1.to_owned());
        };
        Runtime::builder().on_task_error(handler).build().unwrap()
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Returns what the handler receives if the handle of a task is dropped before its output
    /// exists, and if it is dropped afterwards.
    fn of_dropped<T: 'static>(&self, output: impl Fn() -> T) -> [Vec<String>; 2] {
        let mut runtime = self.runtime();
        drop(runtime.spawn(ready(output())));
        runtime.run_until_stalled().unwrap();
        let early = self.take();
        let task = runtime.spawn(ready(output()));
        runtime.run_until_stalled().unwrap();
        drop(task);
        runtime.run_until_stalled().unwrap();
        [early, self.take()]
    }
}

/// An error of a type that the crate does not know.
struct Odd(&'static str);

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn io_error() -> io::Error {
    io::Error::other("odd")
}

#[test]
fn errors_of_known_types_are_reported_when_the_handle_is_dropped() {
    let reports = Reports::default();
    let expected = [["failed: odd"]; 2];
    assert_eq!(reports.of_dropped(|| Err::<(), _>(io_error())), expected);
    assert_eq!(reports.of_dropped(|| Err::<usize, _>(io_error())), expected);
    assert_eq!(reports.of_dropped(|| Err::<u64, _>(io_error())), expected);
    assert_eq!(reports.of_dropped(|| Err::<String, _>(io_error())), expected);
    assert_eq!(reports.of_dropped(|| Err::<Vec<u8>, _>(io_error())), expected);
    assert_eq!(reports.of_dropped(|| Err::<(), String>("odd".into())), expected);
    assert_eq!(reports.of_dropped(|| Err::<(), &'static str>("odd")), expected);
    assert_eq!(reports.of_dropped(|| Err::<(), Box<dyn Error>>("odd".into())), expected);
    assert_eq!(
        reports.of_dropped(|| Err::<(), Box<dyn Error + Send>>(Box::new(io_error()))),
        expected
    );
    assert_eq!(
        reports.of_dropped(|| Err::<(), Box<dyn Error + Send + Sync>>("odd".into())),
        expected
    );
    assert_eq!(reports.of_dropped(|| Err::<Vec<u8>, Box<dyn Error>>("odd".into())), expected);
}

#[test]
fn what_is_no_error_is_not_reported() {
    let reports = Reports::default();
    let nothing: [Vec<String>; 2] = Default::default();
    assert_eq!(reports.of_dropped(|| ()), nothing);
    assert_eq!(reports.of_dropped(|| String::from("fine")), nothing);
    assert_eq!(reports.of_dropped(|| Ok::<(), io::Error>(())), nothing);
    assert_eq!(reports.of_dropped(|| Ok::<(), &'static str>(())), nothing);
    // Such a type needs `detach`.
    assert_eq!(reports.of_dropped(|| Err::<(), _>(Odd("odd"))), nothing);
}

#[test]
fn a_taken_error_is_not_reported() {
    let reports = Reports::default();
    reports.runtime().block_on(async {
        spawn(ready(Err::<(), _>(io_error()))).await.unwrap().unwrap_err();
    });
    assert_eq!(reports.take(), [""; 0]);
}

/// Returns what the handler receives about a task that is detached in its first poll, and about one
/// that has ended when it is detached.
fn of_detached<T: TaskOutput + 'static>(output: impl Fn() -> T) -> [Vec<String>; 2] {
    let reports = Reports::default();
    let mut runtime = reports.runtime();
    let first = output();
    runtime
        .spawn(async {
            yield_now().await;
            first
        })
        .detach();
    runtime.run_until_stalled().unwrap();
    let early = reports.take();
    let task = runtime.spawn(ready(output()));
    runtime.run_until_stalled().unwrap();
    task.detach();
    runtime.run_until_stalled().unwrap();
    [early, reports.take()]
}

#[test]
fn detach_reports_errors_of_all_types() {
    let expected = [["failed: odd"]; 2];
    assert_eq!(of_detached(|| Err::<i8, _>(Odd("odd"))), expected);
    assert_eq!(of_detached(|| Err::<(), _>(io_error())), expected);
    assert_eq!(of_detached(|| Ok::<_, Odd>(7)), [[""; 0]; 2]);
    assert_eq!(of_detached(|| ()), [[""; 0]; 2]);
}

#[test]
fn detach_reports_panics_and_no_aborts() {
    let reports = Reports::default();
    let mut runtime = reports.runtime();
    runtime.spawn(panics("poll")).detach();
    let idle = runtime.spawn(pending::<Result<(), Odd>>());
    let abort = idle.abort_handle();
    idle.detach();
    runtime.run_until_stalled().unwrap();
    abort.abort();
    runtime.run_until_stalled().unwrap();
    assert!(abort.is_finished());
    let ended = runtime.spawn(panics("before detach"));
    runtime.run_until_stalled().unwrap();
    ended.detach();
    runtime.run_until_stalled().unwrap();
    assert_eq!(reports.take(), ["panicked: poll", "panicked: before detach"]);
}

async fn panics(text: &'static str) -> Result<(), Odd> {
    panic!("{text}")
}

#[test]
fn detach_reports_the_panic_of_a_destructor_of_the_output() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    let expected = [["panicked: bomb"]; 2];
    assert_eq!(of_detached(|| Ok::<_, Odd>(Bomb)), expected);
}

#[test]
fn detach_reverts_abort_on_drop() {
    let reports = Reports::default();
    let task = async {
        yield_now().await;
        Err::<(), _>(Odd("odd"))
    };
    let mut runtime = reports.runtime();
    runtime.spawn(task).abort_on_drop().detach();
    runtime.run_until_stalled().unwrap();
    assert_eq!(reports.take(), ["failed: odd"]);
}

#[test]
fn an_error_in_the_last_turn_is_reported() {
    let reports = Reports::default();
    reports.runtime().block_on(async {
        spawn(ready(Err::<(), _>(Odd("detached")))).detach();
        drop(spawn(ready(Err::<(), _>(io_error()))));
        yield_now().await;
    });
    // The handler is called at the end of a task whose handle was dropped, and for `detach` at the
    // end of the batch.
    assert_eq!(reports.take(), ["failed: odd", "failed: detached"]);
}

#[test]
fn an_error_of_a_destructor_at_the_end_is_reported() {
    let reports = Reports::default();
    let mut runtime = reports.runtime();
    let ended = Some(runtime.spawn(ready(Err::<(), _>(Odd("late")))));
    runtime.run_until_stalled().unwrap();
    struct DetachOnDrop(Option<JoinHandle<Result<(), Odd>>>);
    impl Drop for DetachOnDrop {
        fn drop(&mut self) {
            self.0.take().unwrap().detach();
        }
    }
    let detaches = DetachOnDrop(ended);
    drop(runtime.spawn(async move {
        let _detaches = detaches;
        pending::<()>().await;
    }));
    runtime.run_until_stalled().unwrap();
    drop(runtime);
    assert_eq!(reports.take(), ["failed: late"]);
}

#[test]
fn an_error_of_a_remote_task_is_reported_if_its_handle_was_dropped() {
    let reports = Reports::default();
    let mut runtime = reports.runtime();
    let handle = runtime.handle();
    drop(handle.spawn(|| ready(Err::<(), _>(io_error()))));
    let kept = handle.spawn(|| ready(Err::<(), _>(io_error())));
    runtime.run_until_stalled().unwrap();
    assert_eq!(reports.take(), ["failed: odd"]);
    kept.join().unwrap().unwrap_err();
}

#[test]
fn no_task_is_current_while_the_handler_runs_and_the_error_names_the_task() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let in_handler = seen.clone();
    let handler = move |error: JoinError| {
        assert!(task::current().is_none());
        in_handler.borrow_mut().push((error.name().map(String::from), error.task_id()));
    };
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    runtime.block_on(async {
        let named = task::Builder::new().name("odd").spawn(ready(Err::<(), _>(Odd("odd"))));
        let id = named.id();
        named.detach();
        yield_now().await;
        yield_now().await;
        assert_eq!(*seen.borrow(), [], "the batch has not ended");
        spawn(async move { assert!(task::all().iter().all(|task| task.id() != id)) })
            .await
            .unwrap();
    });
    let seen = seen.borrow();
    assert_eq!((seen.len(), seen[0].0.as_deref()), (1, Some("odd")));
}

#[test]
fn a_reported_error_names_the_task_which_continues() {
    let texts = Rc::new(RefCell::new(Vec::new()));
    let seen = texts.clone();
    let handler = move |error: JoinError| seen.borrow_mut().push(error.to_string());
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    let line = line!() + 2;
    let id = runtime.block_on(async {
        let task = task::Builder::new().name("disk").spawn(async {
            task::report_error(io_error());
            task::report_error("twice");
            7
        });
        let id = task.id();
        assert_eq!(task.await.unwrap(), 7);
        id
    });
    let _entered = runtime.enter();
    let outside = line!() + 1;
    task::report_error("outside");
    drop(_entered);
    runtime.run_until_stalled().unwrap();
    let texts = texts.borrow();
    let start = format!("task {id} `disk` (spawned at {}:{line}:", file!());
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].starts_with(&start) && texts[0].ends_with(") failed: odd"), "{texts:?}");
    assert!(texts[1].starts_with(&start) && texts[1].ends_with(") failed: twice"), "{texts:?}");
    let place = format!("(spawned at {}:{outside}:", file!());
    assert!(texts[2].contains(&place) && texts[2].ends_with(") failed: outside"), "{texts:?}");
}

#[test]
fn a_panic_of_the_handler_propagates_and_later_errors_are_reported() {
    let calls = Rc::new(Cell::new(0));
    let count = calls.clone();
    let handler = move |_| {
        count.set(count.get() + 1);
        if count.get() == 1 {
            panic!("the handler");
        }
    };
    let mut runtime = Runtime::builder().on_task_error(handler).build().unwrap();
    let errors: [Box<dyn Future<Output = Result<(), Odd>> + Unpin>; 2] =
        [Box::new(ready(Err(Odd("first")))), Box::new(ready(Err(Odd("second"))))];
    errors.into_iter().for_each(|error| runtime.spawn(error).detach());
    let run = AssertUnwindSafe(|| runtime.run_until_stalled());
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "the handler");
    runtime.run_until_stalled().unwrap();
    assert_eq!(calls.get(), 2);
}

#[test]
fn tasks_that_never_return_can_be_detached() {
    let reports = Reports::default();
    let mut runtime = reports.runtime();
    runtime.block_on(async {
        spawn(async {
            loop {
                yield_now().await;
            }
        })
        .detach();
        spawn(async { panic!("odd") }).detach();
        yield_now().await;
    });
    drop(runtime);
    assert_eq!(reports.take(), ["panicked: odd"]);
}
