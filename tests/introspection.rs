//! What `TaskInfo` reports of waiting tasks; renaming and aborting by it.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use evloop::net::TcpListener;
use evloop::queue::Queue;
use evloop::spawn;
use evloop::sync::{Event, Mutex, mpsc, oneshot};
use evloop::task::{self, TaskId, TaskInfo, WaitsFor, yield_now};
use evloop::time::sleep;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn waits_for_names_the_primitive() {
    evloop::block_on(async {
        let lock = Rc::new(Mutex::new(()));
        let _guard = lock.clone().lock_owned().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_sender, mut receiver) = mpsc::bounded::<String>(1);
        let (_answer, question) = oneshot::channel::<String>();
        let event = Event::new();
        let queue = Queue::<String>::unbounded();
        let spawned = [
            (spawn_detached(pending()), None),
            (spawn_detached(async { sleep(HOUR).await }), Some(WaitsFor::Time)),
            (spawn_detached(async move { drop(listener.accept().await) }), Some(WaitsFor::Io)),
            (spawn_detached(async move { drop(lock.lock().await) }), Some(WaitsFor::Lock)),
            (spawn_detached(async move { event.wait().await }), Some(WaitsFor::Event)),
            (spawn_detached(async move { drop(receiver.recv().await) }), Some(WaitsFor::Channel)),
            (spawn_detached(async { drop(question.await) }), Some(WaitsFor::Channel)),
            (spawn_detached(async move { drop(queue.get().await) }), Some(WaitsFor::Channel)),
            (spawn_detached(async { drop(spawn(pending::<()>()).await) }), Some(WaitsFor::Task)),
        ];
        yield_now().await;
        yield_now().await;
        let all = task::all();
        for (id, waits_for) in spawned {
            let info = all.iter().find(|info| info.id() == id).unwrap();
            assert_eq!(info.waits_for(), waits_for, "{info}");
        }
        assert_eq!(task::current().unwrap().waits_for(), None, "the task runs");
    });
}

fn spawn_detached(future: impl Future<Output = ()> + 'static) -> TaskId {
    let task = spawn(future);
    let id = task.id();
    drop(task);
    id
}

fn find(id: TaskId) -> Option<TaskInfo> {
    task::all().into_iter().find(|info| info.id() == id)
}

#[test]
fn a_task_can_be_renamed() {
    evloop::block_on(async {
        let named = task::Builder::new().name("old").spawn(pending::<()>());
        let unnamed = spawn(pending::<()>());
        for id in [named.id(), unnamed.id()] {
            let mut info = find(id).unwrap();
            info.set_name("new");
            assert_eq!(info.name(), Some("new"));
            assert_eq!(find(id).unwrap().name(), Some("new"));
        }
        assert_eq!(named.cancel().await.unwrap_err().name(), Some("new"));
        let renames_itself = spawn(async {
            task::current().unwrap().set_name(String::from("itself"));
            task::current().unwrap().to_string()
        });
        assert!(renames_itself.await.unwrap().contains(" `itself` (spawned at "));
    });
}

#[test]
fn the_root_can_be_renamed_while_it_runs() {
    let mut runtime = evloop::Runtime::new().unwrap();
    let mut info = runtime.block_on(async {
        let mut info = task::current().unwrap();
        info.set_name("main");
        assert_eq!(task::current().unwrap().name(), Some("main"));
        info.abort();
        yield_now().await;
        info
    });
    info.set_name("late");
    assert_eq!(info.name(), Some("late"));
    runtime.block_on(async { assert_eq!(task::current().unwrap().name(), None) });
}

#[test]
fn a_child_of_a_scope_can_be_renamed_and_aborted() {
    evloop::block_on(task::scope(async |s| {
        let child = s.spawn(pending::<()>());
        let mut info = find(child.id()).unwrap();
        info.set_name("child");
        assert_eq!(find(child.id()).unwrap().name(), Some("child"));
        info.abort();
        let error = child.await.unwrap_err();
        assert_eq!((error.is_cancelled(), error.name()), (true, Some("child")));
    }));
}

#[test]
fn a_description_does_not_keep_its_task() {
    evloop::block_on(async {
        let value = Rc::new(());
        let held = Rc::downgrade(&value);
        let task = spawn(async move {
            yield_now().await;
            value
        });
        let info = find(task.id()).unwrap();
        yield_now().await;
        yield_now().await;
        assert!(task.is_finished());
        drop(task);
        assert!(held.upgrade().is_none());
        info.abort();
        assert_eq!(info.clone().id(), info.id());
    });
}

#[test]
fn an_abort_by_description_takes_effect_in_the_next_turn_of_the_task() {
    evloop::block_on(async {
        let idle = spawn(pending::<()>());
        yield_now().await;
        find(idle.id()).unwrap().abort();
        assert!(!idle.is_finished());
        yield_now().await;
        assert!(idle.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn the_iterator_of_tasks_returns_each_task_that_stays_once() {
    assert_eq!(task::iter().count(), 0, "outside of a loop");
    evloop::block_on(async {
        let stays: Vec<_> = (0..50).map(|_| spawn(pending::<()>())).collect();
        let mut ends: Vec<_> = (0..50).map(|_| spawn(pending::<()>())).collect();
        let mut expected: BTreeSet<_> = stays.iter().map(|task| task.id()).collect();
        expected.insert(task::current().unwrap().id());
        let mut tasks = task::iter();
        let mut seen = Vec::new();
        while let piece @ [_, ..] = &*tasks.by_ref().take(7).collect::<Vec<_>>() {
            seen.extend(piece.iter().map(|info| info.id()));
            // Slots become vacant, and are used again.
            ends.drain(ends.len().saturating_sub(5)..).for_each(|task| task.abort());
            task::yield_now().await;
            drop(spawn(pending::<()>()));
        }
        let distinct: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "no task is returned twice");
        assert!(expected.is_subset(&distinct));
        assert!(tasks.next().is_none());
    });
}

#[test]
fn the_iterator_of_tasks_is_empty_after_its_loop() {
    let mut tasks = evloop::block_on(async {
        let _idle = spawn(pending::<()>());
        let mut tasks = task::iter();
        assert!(tasks.next().is_some());
        tasks
    });
    assert!(tasks.next().is_none());
}
