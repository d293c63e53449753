//! The text of `debug::dump`: the tree of the tasks, what they wait for, deadlocks.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::sync::{Event, Mutex, RwLock, Semaphore, mpsc};
use evloop::task::{self, JoinHandle, TaskId, spawn_blocking, yield_now};
use evloop::time::{sleep, timeout};
use evloop::{Runtime, debug, spawn};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns the dump of the running loop. Ids of tasks are counted from `root`. Places, and all else
/// that differs from run to run, are left out.
fn dump(root: TaskId) -> String {
    let root: u64 = root.to_string().parse().unwrap();
    let mut out = String::new();
    for line in debug::dump().lines() {
        let mut words = line.split_inclusive(' ').peekable();
        while let Some(word) = words.next() {
            let number: String = word.chars().take_while(char::is_ascii_digit).collect();
            match number.parse::<u64>() {
                _ if word == "(spawned " => {
                    words.nth(1);
                    out.pop();
                    out.push_str(": ");
                }
                _ if word == "at " && words.peek().is_some_and(|it| it.contains(".rs:")) => {
                    let place = words.next().unwrap().trim_end();
                    out.pop();
                    out.push_str(if place.ends_with(',') { ", " } else { "" });
                }
                Ok(id) if out.ends_with("task ") => {
                    write!(out, "{}{}", id - root, &word[number.len()..]).unwrap()
                }
                Ok(_) if out.ends_with("loop ") || out.ends_with("descriptor ") => {
                    out.push_str(&word[number.len()..]);
                }
                Ok(_) if out.ends_with("deadline in ") => out.push_str("T "),
                _ => out.push_str(word),
            }
        }
        out.push('\n');
    }
    out
}

async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

/// Spawns a task without a handle.
fn start(future: impl Future<Output = ()> + 'static) {
    drop(spawn(future));
}

/// Runs `body` in a loop named `main`. Its argument is the id of the root.
fn run(is_debug: bool, body: impl AsyncFnOnce(TaskId)) {
    let mut runtime = Runtime::builder().name("main").debug(is_debug).build().unwrap();
    runtime.block_on(async { body(task::current().unwrap().id()).await });
}

#[test]
fn outside_a_loop_there_is_nothing_to_show() {
    assert_eq!(debug::dump(), "no event loop is running on this thread\n");
}

#[test]
fn a_task_is_named_with_its_places() {
    evloop::block_on(async {
        let builder = task::Builder::new().name("sleeper");
        let (spawned, waits) = (line!() + 1, line!() + 1);
        drop(builder.spawn(async { sleep(HOUR).await }));
        yield_now().await;
        let text = debug::dump();
        let line = text.lines().last().unwrap();
        assert!(
            line.contains(&format!(" `sleeper` (spawned at tests/dump.rs:{spawned}:")),
            "{line}"
        );
        assert!(line.contains(&format!(" s at tests/dump.rs:{waits}:")), "{line}");
        assert!(line.ends_with(", 1 poll"), "{line}");
    });
}

#[test]
fn a_name_is_a_part_of_one_line() {
    run(false, async |_| {
        let name = "\x1b[2J\n\r\u{9b}1m é `日本`";
        let idle = task::Builder::new().name(name).spawn(pending::<()>());
        let long = task::Builder::new().name("é".repeat(1 << 20)).spawn(pending::<()>());
        yield_now().await;
        let text = debug::dump();
        assert!(
            text.contains(" `\\u{1b}[2J\\n\\r\\u{9b}1m é `日本`` (spawned at "),
            "{text:.1000}"
        );
        assert_eq!(text.lines().count(), 4);
        assert!(text.len() < 4000, "{}", text.len());
        drop((idle, long));
    });
}

#[test]
fn each_kind_of_wait_has_its_words() {
    run(false, async |root| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_sender, mut receiver) = mpsc::bounded::<u32>(1);
        let (event, permits) = (Event::new(), Semaphore::new(0));
        let (release, released) = std::sync::mpsc::channel::<()>();
        start(async { sleep(HOUR).await });
        start(async { timeout(HOUR, pending::<()>()).await.unwrap() });
        start(async move { drop(listener.accept().await) });
        start(async move { assert_eq!(receiver.recv().await, None) });
        start(async move { event.wait().await });
        start(async move { drop(permits.acquire().await) });
        start(async move { spawn_blocking(move || released.recv()).await.unwrap().unwrap() });
        start(pending());
        start(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        yield_now().await;
        assert_eq!(
            dump(root),
            "loop  `main`: 10 tasks, 2 timers, 1 source
  task 0: running, 2 polls
    task 1: waits for a deadline in T s, 1 poll
    task 2: waits for a deadline in T s, 1 poll
    task 3: waits to read from descriptor , 1 poll
    task 4: waits for a channel, 1 poll
    task 5: waits for an event, 1 poll
    task 6: waits for a lock, 1 poll
    task 7: waits for a thread of the blocking pool, 1 poll
    task 8: waits for an unknown future, 1 poll
    task 9: ready, 1 poll
"
        );
        drop(release);
    });
}

#[test]
fn the_tree_is_by_parent() {
    run(false, async |root| {
        let parent = spawn(async {
            let child = spawn(async {
                drop(task::Builder::new().name("grandchild").spawn(pending::<()>()));
                pending::<()>().await;
            });
            child.await.unwrap();
        });
        let orphaned = spawn(async { start(pending()) });
        orphaned.await.unwrap();
        yield_now().await;
        assert_eq!(
            dump(root),
            "loop  `main`: 5 tasks, 0 timers, 0 sources
  task 0: running, 3 polls
    task 1: waits for the end of task 3, 1 poll
      task 3: waits for an unknown future, 1 poll
        task 5 `grandchild`: waits for an unknown future, 1 poll
  task 4: waits for an unknown future, 1 poll
"
        );
        drop(parent);
    });
}

/// A tree as deep as this would overflow the stack of a recursive function, and a text that is
/// indented as deep would have 400 MB.
#[test]
fn a_long_chain_of_parents_is_shown() {
    fn chain(left: u32) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            if left > 0 {
                start(chain(left - 1));
            }
            pending::<()>().await;
        })
    }
    const LENGTH: usize = 20_000;
    run(false, async |_| {
        start(chain(LENGTH as u32 - 1));
        for _ in 0..=LENGTH {
            yield_now().await;
        }
        let text = debug::dump();
        assert_eq!(text.lines().count(), LENGTH + 2);
        let last = text.lines().last().unwrap();
        let indent = " ".repeat(2 * 32);
        assert!(last.starts_with(&format!("{indent}[depth {LENGTH}] task ")), "{last}");
        assert!(last.ends_with("): waits for an unknown future, 1 poll"), "{last}");
    });
}

#[test]
fn a_scope_waits_for_its_children() {
    run(false, async |root| {
        start(task::scope(async |s| {
            s.spawn(async { sleep(HOUR).await });
        }));
        start(task::scope(async |s| {
            s.spawn(pending::<()>());
            s.spawn(async { task::scope(async |s| drop(s.spawn(pending::<()>()))).await });
            sleep(HOUR).await;
        }));
        let eager = task::Builder::new().eager(true);
        drop(eager.spawn(async { drop(task::gather([sleep(HOUR), sleep(HOUR)]).await) }));
        settle().await;
        assert_eq!(
            dump(root),
            "loop  `main`: 10 tasks, 4 timers, 0 sources
  task 0: running, 5 polls
    task 1: waits for a child, 1 poll
      task 6: waits for a deadline in T s, 1 poll
    task 2: waits for a deadline in T s or for 2 children, 1 poll
      task 7: waits for an unknown future, 1 poll
      task 8: waits for a child, 1 poll
        task 9: waits for an unknown future, 1 poll
    task 3: waits for 2 children, 1 poll
      task 4: waits for a deadline in T s, 1 poll
      task 5: waits for a deadline in T s, 1 poll
"
        );
    });
}

#[test]
fn nested_loops_are_shown_from_the_outer_to_the_inner() {
    run(false, async |root| {
        start(pending());
        yield_now().await;
        let mut inner = Runtime::builder().name("inner").build().unwrap();
        let (text, out) = (Rc::new(RefCell::new(String::new())), ());
        let write = text.clone();
        drop(inner.spawn(async move { *write.borrow_mut() = dump(root) }));
        inner.turn(Some(Duration::ZERO)).unwrap();
        let first = "loop  `main`: 2 tasks, 0 timers, 0 sources
  task 0: running, 2 polls
    task 1: waits for an unknown future, 1 poll
loop  `inner`: 1 task, 0 timers, 0 sources
  task ";
        assert!(text.borrow().starts_with(first), "{}", text.borrow());
        assert!(text.borrow().ends_with(": running, 1 poll\n"));
        out
    });
}

#[test]
fn an_embedded_loop_is_shown_between_two_turns_if_it_is_entered() {
    let mut runtime = Runtime::builder().name("gui").build().unwrap();
    let tasks = [runtime.spawn(sleep(HOUR)), runtime.spawn(async { yield_now().await })];
    let ids = [tasks[0].id(), tasks[1].id()];
    assert_eq!(debug::dump(), "no event loop is running on this thread\n");
    let entered = runtime.enter();
    assert_eq!(
        dump(ids[0]),
        "loop  `gui`: 2 tasks, 0 timers, 0 sources
  task 0: ready, 0 polls
  task 1: ready, 0 polls
"
    );
    drop(entered);
    runtime.turn(Some(Duration::ZERO)).unwrap();
    let _entered = runtime.enter();
    assert_eq!(
        dump(ids[0]),
        "loop  `gui`: 1 task, 1 timer, 0 sources\n  task 0: waits for a deadline in T s, 1 poll\n"
    );
}

#[test]
fn two_tasks_that_join_each_other_are_a_deadlock() {
    type Slot = Rc<Cell<Option<JoinHandle<()>>>>;
    run(false, async |root| {
        let (first, second) = (Slot::default(), Slot::default());
        let joins = |slot: &Slot| {
            let slot = slot.clone();
            async move {
                let handle = slot.take().unwrap();
                drop(handle.await);
            }
        };
        first.set(Some(spawn(joins(&second))));
        let behind = spawn(joins(&first));
        second.set(Some(behind));
        settle().await;
        let text = dump(root);
        assert_eq!(
            text,
            "loop  `main`: 3 tasks, 0 timers, 0 sources
  task 0: running, 5 polls
    task 1: waits for the end of task 2, 1 poll
    task 2: waits for the end of task 1, 1 poll
deadlock: task 1 waits for the end of task 2, task 2 waits for the end of task 1
"
        );
        task::all().iter().for_each(task::TaskInfo::abort);
    });
}

/// Locks `first`, lets other tasks run, and locks `second`.
async fn lock_both(first: Rc<Mutex<()>>, second: Rc<Mutex<()>>) {
    let _first = first.lock().await;
    yield_now().await;
    let _second = second.lock().await;
}

#[test]
fn two_locks_in_opposite_orders_are_a_deadlock_in_debug_mode() {
    run(true, async |root| {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        start(lock_both(a.clone(), b.clone()));
        start(lock_both(b.clone(), a.clone()));
        start(async move { drop(a.lock().await) });
        settle().await;
        assert_eq!(
            dump(root),
            "loop  `main`: 4 tasks, 0 timers, 0 sources
  task 0: running, 5 polls
    task 1: waits for a Mutex that task 2 has locked, 2 polls
    task 2: waits for a Mutex that task 1 has locked, 2 polls
    task 3: waits for a Mutex that task 1 has locked, 1 poll
deadlock: task 1 waits for a Mutex that task 2 has locked, \
task 2 waits for a Mutex that task 1 has locked
"
        );
    });
}

#[test]
fn without_debug_mode_the_holders_are_unknown() {
    run(false, async |root| {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        start(lock_both(a.clone(), b.clone()));
        start(lock_both(b, a));
        settle().await;
        assert_eq!(
            dump(root),
            "loop  `main`: 3 tasks, 0 timers, 0 sources
  task 0: running, 5 polls
    task 1: waits for a lock, 2 polls
    task 2: waits for a lock, 2 polls
"
        );
    });
}

#[test]
fn a_child_that_waits_for_a_lock_of_its_scope_is_a_deadlock() {
    run(true, async |root| {
        start(async {
            let lock = Mutex::new(());
            let _held = lock.lock().await;
            task::scope(async |s| drop(s.spawn(async { drop(lock.lock().await) }))).await;
        });
        settle().await;
        let text = dump(root);
        assert_eq!(
            text.lines().last().unwrap(),
            "deadlock: task 1 waits for its child, task 2, \
             task 2 waits for a Mutex that task 1 has locked"
        );
    });
}

#[test]
fn readers_and_a_writer_are_a_deadlock() {
    run(true, async |root| {
        let lock = Rc::new(RwLock::new(()));
        let reads_again = |lock: Rc<RwLock<()>>| async move {
            let _read = lock.read().await;
            yield_now().await;
            let _again = lock.read().await;
        };
        let write = lock.clone();
        start(reads_again(lock.clone()));
        start(async move { drop(write.write().await) });
        settle().await;
        let text = dump(root);
        assert!(text.contains("task 2: waits for a RwLock that task 1 has locked, 1 poll\n"));
        assert!(text.ends_with("deadlock: task 1 waits for a RwLock that task 1 has locked\n"));
    });
}

#[test]
fn a_wait_that_something_else_may_end_is_no_deadlock() {
    run(true, async |root| {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        start(lock_both(a.clone(), b.clone()));
        start(async move {
            let _b = b.lock().await;
            yield_now().await;
            drop(timeout(HOUR, a.lock()).await);
        });
        // A guard that may have moved: another task may unlock.
        let moved = Rc::new(Mutex::new(()));
        start(async move {
            let _guard = moved.clone().lock_owned().await;
            drop(moved.lock().await);
        });
        settle().await;
        let text = dump(root);
        assert!(!text.contains("deadlock"), "{text}");
        assert!(
            text.contains("task 2: waits for a Mutex that task 1 has locked or for a deadline")
        );
        assert!(text.contains("task 3: waits for a Mutex that task 3 has locked"));
    });
}

#[test]
fn a_waker_of_another_crate_hides_what_a_task_waits_on() {
    run(false, async |root| {
        let (handles, mut joins): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let idle = spawn(pending::<()>());
                (idle.abort_handle(), Box::pin(idle))
            })
            .unzip();
        // Polls its parts with a waker of its own, as `FuturesUnordered` does.
        let foreign = poll_fn(move |cx: &mut Context<'_>| {
            let waker = std::task::Waker::from(std::sync::Arc::new(Forwards(cx.waker().clone())));
            for join in &mut joins {
                let _ = join.as_mut().poll(&mut Context::from_waker(&waker));
            }
            Poll::<()>::Pending
        });
        start(foreign);
        settle().await;
        let text = dump(root);
        assert!(text.contains("task 3: waits for the end of a task, 1 poll\n"), "{text}");
        handles.iter().for_each(task::AbortHandle::abort);
    });
}

struct Forwards(std::task::Waker);

impl std::task::Wake for Forwards {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.wake_by_ref();
    }
}

#[test]
fn both_directions_of_a_socket_are_told_apart() {
    run(false, async |root| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let _peer = listener.accept().await.unwrap();
        let stream = Rc::new(stream);
        let writes = stream.clone();
        start(async move { drop(stream.read(&mut [0]).await) });
        start(async move { drop(writes.write_all(&vec![0; 64 << 20]).await) });
        settle().await;
        let text = dump(root);
        assert!(text.contains("task 1: waits to read from descriptor "), "{text}");
        assert!(text.contains("task 2: waits to write to descriptor "), "{text}");
    });
}
