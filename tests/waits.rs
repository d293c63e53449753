//! `TaskInfo::waits_at`, the line that a task awaits, and `TaskInfo::waits_on`.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use evloop::debug::WaitsOn;
use evloop::net::{TcpListener, TcpStream};
use evloop::queue::Queue;
use evloop::sync::{Event, Mutex, Notify, RwLock, Semaphore, mpsc, oneshot};
use evloop::task::{self, JoinHandle, JoinSet, TaskId, TaskInfo, WaitsFor, yield_now};
use evloop::time::{interval, now, sleep, sleep_until, timeout};
use evloop::{Runtime, select, spawn};

const HOUR: Duration = Duration::from_secs(3600);

fn info(id: TaskId) -> TaskInfo {
    task::all().into_iter().find(|info| info.id() == id).unwrap()
}

/// A task that waits in the given line.
type Case = (u32, Pin<Box<dyn Future<Output = ()>>>);

/// Checks that each task waits in its line.
async fn check(cases: Vec<Case>) {
    for (line, future) in cases {
        let task = spawn(future);
        for _ in 0..3 {
            yield_now().await;
        }
        let waits = info(task.id()).waits_at();
        let found = waits.map(|at| (at.file(), at.line()));
        assert_eq!(found, Some(("tests/waits.rs", line)), "{waits:?}");
        task.cancel().await.unwrap_err();
    }
}

#[test]
#[rustfmt::skip]
fn leaves_of_tasks_time_and_sockets_name_the_line_that_awaits_them() {
    evloop::block_on(async {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (a, _peer) = (Rc::new(stream), listener.accept().await.unwrap());
        let (b, c) = (a.clone(), a.clone());
        let mut ticks = interval(HOUR);
        ticks.tick().await;
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        let idle = || spawn(pending::<()>());
        check(vec![
            (line!(), Box::pin(async { sleep(HOUR).await })),
            (line!(), Box::pin(async { sleep_until(now() + HOUR).await })),
            (line!(), Box::pin(async { timeout(HOUR, pending::<()>()).await.unwrap() })),
            (line!(), Box::pin(async move { _ = ticks.tick().await })),
            (line!(), Box::pin({ let idle = idle(); async move { drop(idle.await) } })),
            (line!(), Box::pin(async move { drop(set.join_next().await) })),
            (line!(), Box::pin(async { task::scope(async |s| drop(s.spawn(never()))).await })),
            (line!(), Box::pin(async { drop(task::gather([pending::<()>(), pending()]).await) })),
            (line!(), Box::pin(async { drop(task::gather_limit(1, [pending::<()>()]).await) })),
            (line!(), Box::pin(async move { drop(a.read(&mut [0]).await) })),
            (line!(), Box::pin(async move { drop(b.peek(&mut [0]).await) })),
            (line!(), Box::pin(async move { drop(c.readable().await) })),
            (line!(), Box::pin(async move { drop(listener.accept().await) })),
            (line!(), Box::pin(async { task::spawn_blocking(until_dropped()).await.unwrap() })),
        ])
        .await;
    });
}

async fn never() {
    pending::<()>().await;
}

/// Returns blocking work that ends after a while: later than a suspended thread continues.
fn until_dropped() -> impl FnOnce() + Send + 'static {
    || std::thread::sleep(Duration::from_secs(2))
}

#[cfg(feature = "streams")]
#[test]
#[rustfmt::skip]
fn leaves_of_streams_name_the_line_that_awaits_them() {
    use evloop::streams::{from_io, memory_reader};
    evloop::block_on(async {
        let ((_feeder, mut a), (_other, mut b)) = (memory_reader(), memory_reader());
        let (one, _peer) = evloop::io::duplex(64);
        let (_reader, c) = from_io(one);
        c.write([0; 100_000]);
        check(vec![
            (line!(), Box::pin(async move { drop(a.read_line().await) })),
            (line!(), Box::pin(async move { drop(b.read_line_into(&mut Vec::new()).await) })),
            (line!(), Box::pin(async move { drop(c.drain().await) })),
        ])
        .await;
    });
}

#[test]
#[rustfmt::skip]
fn leaves_of_locks_and_channels_name_the_line_that_awaits_them() {
    evloop::block_on(async {
        let lock = Rc::new(Mutex::new(()));
        let (a, b, _locked) = (lock.clone(), lock.clone(), lock.clone().lock_owned().await);
        let shared = Rc::new(RwLock::new(()));
        let (c, d, _written) = (shared.clone(), shared.clone(), shared.clone().write_owned().await);
        let (event, notify, permits) = (Event::new(), Notify::new(), Semaphore::new(0));
        let (queue, full) = (Queue::<u32>::unbounded(), Queue::bounded(1));
        full.try_put(1).unwrap();
        let (sender, _receiver) = mpsc::bounded::<u32>(1);
        sender.try_send(1).unwrap();
        let (_idle_sender, mut idle) = mpsc::bounded::<u32>(1);
        let (_polled_sender, mut polled) = mpsc::bounded::<u32>(1);
        let (_answer, question) = oneshot::channel::<u32>();
        check(vec![
            (line!(), Box::pin(async move { drop(a.lock().await) })),
            (line!(), Box::pin(async move { drop(b.lock_owned().await) })),
            (line!(), Box::pin(async move { drop(c.read().await) })),
            (line!(), Box::pin(async move { drop(d.write().await) })),
            (line!(), Box::pin(async move { event.wait().await })),
            (line!(), Box::pin(async move { notify.notified().await })),
            (line!(), Box::pin(async move { drop(permits.acquire().await) })),
            (line!(), Box::pin(async move { queue.get().await.map(drop).unwrap() })),
            (line!(), Box::pin(async move { full.put(2).await.unwrap() })),
            (line!(), Box::pin(async move { sender.send(2).await.unwrap() })),
            (line!(), Box::pin(async move { assert_eq!(idle.recv().await, None) })),
            (line!(), Box::pin(async move { _ = poll_fn(|cx| polled.poll_recv(cx)).await })),
            (line!(), Box::pin(async move { question.await.map(drop).unwrap() })),
        ])
        .await;
    });
}

#[test]
fn the_place_is_that_of_the_future_that_was_pending_last() {
    evloop::block_on(async {
        let task = spawn(async {
            let (a, b) = (sleep(HOUR), Event::new());
            evloop::join!(a, b.wait());
        });
        yield_now().await;
        assert_eq!(info(task.id()).waits_for(), Some(WaitsFor::Event));
        assert_eq!(info(task.id()).waits_at().unwrap().file(), "tests/waits.rs");
    });
}

#[test]
fn a_foreign_future_has_no_place_even_after_one_of_ours() {
    evloop::block_on(async {
        let woken = Rc::new(Event::new());
        let waits = woken.clone();
        let task = spawn(async move {
            waits.wait().await;
            pending::<()>().await;
        });
        let other = spawn(async { sleep(HOUR).await });
        yield_now().await;
        assert!(info(task.id()).waits_at().is_some());
        woken.set();
        yield_now().await;
        yield_now().await;
        assert_eq!((info(task.id()).waits_at(), info(task.id()).waits_for()), (None, None));
        assert!(info(other.id()).waits_at().is_some());
        assert_eq!(task::current().unwrap().waits_at(), None, "the task runs");
    });
}

/// A leaf that has no budget left waits for its next poll, not for what an earlier task waited for.
#[test]
fn a_refused_leaf_waits_for_nothing() {
    evloop::block_on(async {
        let _io = spawn(async { sleep(HOUR).await });
        let (sender, mut receiver) = mpsc::unbounded();
        (0..200).for_each(|i| sender.send(i).unwrap());
        let task = spawn(async move { while receiver.recv().await.is_some() {} });
        yield_now().await;
        let info = info(task.id());
        assert_eq!((info.state(), info.waits_for()), (task::TaskState::Ready, None));
    });
}

#[test]
fn waits_on_names_task_timer_and_descriptor() {
    evloop::block_on(async {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let begin = now();
        let sleeper = spawn(async { sleep(HOUR).await });
        let id = sleeper.id();
        let joiner = spawn(sleeper);
        let accepts = listener.clone();
        let acceptor = spawn(async move { drop(accepts.accept().await) });
        let both = spawn(async move {
            select! {
                _ = sleep(HOUR) => {}
                _ = listener.accept() => {}
            }
        });
        yield_now().await;
        yield_now().await;
        let due = |on: &WaitsOn| match on {
            WaitsOn::Timer(at) => (begin + HOUR..now() + 2 * HOUR).contains(at),
            _ => false,
        };
        let [on] = &info(id).waits_on()[..] else { panic!("one timer") };
        assert!(due(on), "{on:?}");
        assert_eq!(info(joiner.id()).waits_on(), [WaitsOn::Task(id)]);
        let [WaitsOn::Read(descriptor)] = info(acceptor.id()).waits_on()[..] else {
            panic!("one descriptor")
        };
        let on = info(both.id()).waits_on();
        assert!(on.len() == 2 && on.contains(&WaitsOn::Read(descriptor)) && on.iter().any(due));
        assert_eq!(task::current().unwrap().waits_on(), []);
    });
}

#[test]
fn waits_on_knows_locks_in_debug_mode() {
    let on = |is_debug| {
        let mut runtime = Runtime::builder().debug(is_debug).build().unwrap();
        runtime.block_on(async {
            let lock = Rc::new(Mutex::new(()));
            let guard = lock.lock().await;
            let waits = lock.clone();
            let waiter = spawn(async move { drop(waits.lock().await) });
            yield_now().await;
            let on = info(waiter.id()).waits_on();
            drop(guard);
            waiter.await.unwrap();
            let again = lock.clone();
            let dropped = spawn(async move {
                let _guard = again.lock().await;
                let _ = timeout(Duration::ZERO, again.lock()).await;
                sleep(HOUR).await;
            });
            yield_now().await;
            yield_now().await;
            let after = info(dropped.id()).waits_on();
            assert!(matches!(after[..], [WaitsOn::Timer(_)]), "{after:?}");
            (on, task::current().unwrap().id())
        })
    };
    assert_eq!(on(false).0, []);
    let (known, root) = on(true);
    assert_eq!(known, [WaitsOn::Lock { kind: "Mutex", holders: vec![root] }]);
}

#[test]
fn a_handle_tells_nothing_after_its_task_has_ended() {
    evloop::block_on(async {
        let ended: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
        let task = spawn(async { yield_now().await });
        let id = task.id();
        ended.set(Some(task));
        let slot = ended.clone();
        let waiter = spawn(async move {
            slot.take().unwrap().await.unwrap();
            pending::<()>().await;
        });
        yield_now().await;
        assert_eq!(info(waiter.id()).waits_on(), [WaitsOn::Task(id)]);
        yield_now().await;
        yield_now().await;
        assert_eq!(info(waiter.id()).waits_on(), []);
        let gone = info(waiter.id());
        waiter.cancel().await.unwrap_err();
        assert_eq!(gone.waits_on(), [], "the task has ended");
    });
}

#[test]
fn an_instant_of_a_timer_is_the_deadline_of_the_sleep() {
    evloop::block_on(async {
        let at: Rc<Cell<Option<Instant>>> = Rc::default();
        let set = at.clone();
        let task = spawn(async move {
            let sleep = sleep(HOUR);
            set.set(Some(sleep.deadline()));
            sleep.await;
        });
        yield_now().await;
        assert_eq!(info(task.id()).waits_on(), [WaitsOn::Timer(at.get().unwrap())]);
        let ready = poll_fn(|_| Poll::Ready(7)).await;
        assert_eq!(ready, 7);
    });
}
