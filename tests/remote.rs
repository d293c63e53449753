//! Using a loop from other threads: calls, spawned tasks and their handles, wakes while it ends.
//!
//! In these tests wakers outlive their loops, and a later loop may reuse the id of an ended one. A
//! late wake is then a spurious poll, so no test here counts polls.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use evloop::runtime::RemoteHandle;
use evloop::task::yield_now;
use evloop::time::sleep;
use evloop::{Handle, JoinHandle, Runtime, block_on, spawn};
use futures::channel::oneshot;

/// Ends the loop when it is dropped.
struct Stop(Handle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Runs a loop on this thread while `f` runs on another.
fn beside_a_loop<T: Send>(f: impl FnOnce(&Handle) -> T + Send) -> T {
    let mut runtime = Runtime::new().unwrap();
    let stop = Stop(runtime.handle());
    thread::scope(|scope| {
        let thread = scope.spawn(move || f(&stop.0));
        runtime.run().unwrap();
        thread.join().unwrap()
    })
}

/// Calls its function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Stops a `run` that would wait forever.
fn limit(runtime: &Runtime) -> JoinHandle<()> {
    let handle = runtime.handle();
    runtime.spawn(async move {
        sleep(Duration::from_secs(20)).await;
        handle.stop();
    })
}

/// Waits until the loop has run all earlier calls.
fn catch_up(handle: &Handle) {
    handle.spawn(|| ready(())).join().unwrap();
}

#[test]
fn a_task_is_spawned_and_joined() {
    let loops_thread = thread::current().id();
    let thread_id = beside_a_loop(|handle| {
        let task = handle.spawn(|| async {
            // The future stays on the loop's thread, so it need not be `Send`.
            let local = Rc::new(thread::current().id());
            yield_now().await;
            *local
        });
        task.join().unwrap()
    });
    assert_eq!(thread_id, loops_thread);
}

#[test]
fn a_panic_is_returned_with_its_payload() {
    beside_a_loop(|handle| {
        let in_future = handle.spawn(|| async { panic!("in the future") });
        let in_function = handle.spawn(|| -> std::future::Ready<()> { panic!("in the function") });
        let payloads = [in_future, in_function].map(|task: RemoteHandle<()>| {
            let payload = task.join().unwrap_err().into_panic();
            *payload.downcast::<&str>().unwrap()
        });
        assert_eq!(payloads, ["in the future", "in the function"]);
    });
}

#[test]
fn abort_drops_the_future_on_the_loops_thread() {
    let loops_thread = thread::current().id();
    let (dropped, dropped_on) = mpsc::channel();
    beside_a_loop(move |handle| {
        let task = handle.spawn(move || async move {
            let _on_drop = OnDrop(move || dropped.send(thread::current().id()).unwrap());
            pending::<()>().await
        });
        catch_up(handle);
        assert!(!task.is_finished());
        task.abort();
        assert_eq!(dropped_on.recv(), Ok(loops_thread));
        assert!(task.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn abort_before_the_spawn_drops_the_function() {
    beside_a_loop(|handle| {
        let task = handle.spawn(pending::<()>);
        task.abort();
        task.abort();
        assert!(task.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn abort_after_the_end_keeps_the_output() {
    beside_a_loop(|handle| {
        let task = handle.spawn(|| ready(7));
        catch_up(handle);
        assert!(task.is_finished());
        task.abort();
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn is_finished_reports_the_outcome() {
    beside_a_loop(|handle| {
        let (release, released) = oneshot::channel();
        let task = handle.spawn(move || released);
        catch_up(handle);
        assert!(!task.is_finished());
        release.send(7).unwrap();
        catch_up(handle);
        assert!(task.is_finished());
        assert_eq!(task.join().unwrap(), Ok(7));
    });
}

#[test]
fn a_dropped_handle_detaches() {
    beside_a_loop(|handle| {
        let (release, released) = oneshot::channel();
        let (done, is_done) = mpsc::channel();
        drop(handle.spawn(move || async move { done.send(released.await).unwrap() }));
        catch_up(handle);
        release.send(7).unwrap();
        assert_eq!(is_done.recv().unwrap(), Ok(7));
    });
}

#[test]
fn errors_behind_dropped_handles_are_reported() {
    let errors = Rc::new(RefCell::new(Vec::new()));
    let seen = errors.clone();
    let report = move |error: evloop::task::JoinError| seen.borrow_mut().push(error.to_string());
    let mut runtime = Runtime::builder().on_task_error(report).build().unwrap();
    let handle = runtime.handle();
    runtime.block_on(async {
        let panics = || handle.spawn(|| async { panic!("a panic") });
        let fails = || handle.spawn(|| ready(Err::<(), _>("an error")));
        drop((panics(), fails()));
        // The tasks end before their handles are dropped: here, and on another thread.
        let (here, there) = ((panics(), fails()), (panics(), fails()));
        for _ in 0..2 {
            yield_now().await;
        }
        assert!(here.0.is_finished() && here.1.is_finished());
        assert!(there.0.is_finished() && there.1.is_finished());
        assert_eq!(errors.borrow().len(), 2);
        drop(here);
        thread::spawn(|| drop(there)).join().unwrap();
        let taken = panics();
        let output = handle.spawn(|| ready(OnDrop(|| panic!("a destructor"))));
        while errors.borrow().len() < 6 || !output.is_finished() {
            yield_now().await;
        }
        drop(output);
        assert!(taken.await.unwrap_err().is_panic());
    });
    drop(runtime);
    let count = |text: &str| errors.borrow().iter().filter(|error| error.ends_with(text)).count();
    let place = |error: &String| error.contains("(spawned at tests/remote.rs:");
    assert!(errors.borrow().iter().all(place), "{errors:?}");
    assert_eq!((count("panicked: a panic"), count("failed: an error")), (3, 3), "{errors:?}");
    assert_eq!((count("panicked: a destructor"), errors.borrow().len()), (1, 7));
}

#[test]
fn a_dropped_handle_drops_the_waker_that_it_holds() {
    let runtime = Runtime::new().unwrap();
    let mut task = runtime.handle().spawn(pending::<()>);
    let waker = Arc::new(NoWake);
    let polled = Pin::new(&mut task).poll(&mut Context::from_waker(&waker.clone().into()));
    assert!(polled.is_pending());
    assert_eq!(Arc::strong_count(&waker), 2);
    drop(task);
    assert_eq!(Arc::strong_count(&waker), 1);
}

struct NoWake;

impl Wake for NoWake {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn many_threads_spawn_and_join() {
    let sum: usize = beside_a_loop(|handle| {
        let spawns = |thread: usize| {
            let tasks: Vec<_> =
                (0..250).map(|i| handle.spawn(move || ready(thread * 250 + i))).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>()
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || spawns(i))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    });
    assert_eq!(sum, (0..1000).sum());
}

#[test]
fn calls_of_each_thread_keep_their_order() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    beside_a_loop(|handle| {
        let calls = |thread: usize| {
            for i in 0..500 {
                let seen = seen.clone();
                handle.call_threadsafe(move || seen.lock().unwrap().push((thread, i)));
            }
        };
        thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || calls(thread));
            }
        });
        catch_up(handle);
    });
    let mut seen = Arc::into_inner(seen).unwrap().into_inner().unwrap();
    // The sort is stable: a remaining disorder was in the input.
    seen.sort_by_key(|(thread, _)| *thread);
    let expected: Vec<_> = (0..4).flat_map(|thread| (0..500).map(move |i| (thread, i))).collect();
    assert_eq!(seen, expected);
}

#[test]
fn calls_run_after_earlier_ready_tasks() {
    let trace: Rc<RefCell<Vec<&str>>> = Rc::default();
    let mut runtime = Runtime::new().unwrap();
    let called = Arc::new(AtomicBool::new(false));
    let of_call = called.clone();
    runtime.handle().call_threadsafe(move || of_call.store(true, Ordering::Relaxed));
    let (of_task, seen) = (trace.clone(), called.clone());
    drop(runtime.spawn(async move {
        of_task.borrow_mut().push(if seen.load(Ordering::Relaxed) { "late" } else { "first" });
    }));
    runtime.run_until_stalled().unwrap();
    assert!(called.load(Ordering::Relaxed));
    assert_eq!(*trace.borrow(), ["first"]);
}

#[test]
fn stop_ends_run_once() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    for _ in 0..3 {
        let (ran, seen) = (Rc::new(Cell::new(false)), handle.clone());
        let of_task = ran.clone();
        drop(runtime.spawn(async move {
            seen.stop();
            yield_now().await;
            of_task.set(true);
        }));
        runtime.run().unwrap();
        assert!(ran.get());
    }
}

#[test]
fn stop_outside_run_ends_the_next_run_after_its_first_turn() {
    let mut runtime = Runtime::builder().batch_max(3).build().unwrap();
    let (handle, polls) = (runtime.handle(), Rc::new(Cell::new(0)));
    let (limit, of_task) = (limit(&runtime), polls.clone());
    let stop = async || {
        handle.stop();
        // All earlier calls have arrived.
        handle.spawn(|| ready(())).await.unwrap();
    };
    runtime.block_on(stop());
    runtime.run().unwrap();
    assert!(!limit.is_finished(), "run had no work and did not wait");
    runtime.block_on(stop());
    drop(runtime.spawn(async move {
        loop {
            of_task.set(of_task.get() + 1);
            yield_now().await;
        }
    }));
    runtime.run().unwrap();
    assert_eq!(polls.get(), 3, "a turn");
    handle.stop();
    runtime.run().unwrap();
    assert_eq!(polls.get(), 6, "one more");
}

#[test]
fn a_stop_from_another_thread_ends_a_run_that_waits() {
    let (ask, asked) = mpsc::channel::<Handle>();
    let thread = thread::spawn(move || asked.iter().for_each(|handle| handle.stop()));
    let mut runtime = Runtime::new().unwrap();
    let limit = limit(&runtime);
    for round in 0..1000 {
        let (ask, handle) = (ask.clone(), runtime.handle());
        // After this the loop only waits.
        drop(runtime.spawn(async move { ask.send(handle).unwrap() }));
        runtime.run().unwrap();
        assert!(!limit.is_finished(), "round {round}");
    }
    drop(ask);
    thread.join().unwrap();
}

#[test]
fn a_remote_handle_is_awaited_on_another_loop() {
    beside_a_loop(|handle| {
        let (release, released) = oneshot::channel();
        let late = handle.spawn(move || released);
        let aborted = handle.spawn(pending::<()>);
        block_on(async {
            let early = handle.spawn(|| ready(1));
            assert_eq!(early.await.unwrap(), 1);
            let waits = spawn(late);
            yield_now().await;
            release.send(2).unwrap();
            assert_eq!(waits.await.unwrap().unwrap(), Ok(2));
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
        });
    });
}

#[test]
fn a_remote_handle_is_awaited_on_its_own_loop() {
    block_on(async {
        let task = Handle::current().spawn(|| async { spawn(ready(7)).await.unwrap() });
        assert_eq!(task.await.unwrap(), 7);
        let aborted = Handle::current().spawn(pending::<()>);
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_spawn_in_the_own_loop_makes_one_task_at_once() {
    block_on(async {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (one, two) = (order.clone(), order.clone());
        let first = Handle::current().spawn(move || async move { one.lock().unwrap().push(1) });
        let second = spawn(async move { two.lock().unwrap().push(2) });
        assert_eq!(evloop::task::all().len(), 3, "with the root");
        second.await.unwrap();
        assert!(first.is_finished());
        assert_eq!(*order.lock().unwrap(), [1, 2]);
    });
}

#[test]
fn a_task_of_the_own_loop_is_aborted_and_awaited_on_another_thread() {
    block_on(async {
        let task = Handle::current().spawn(pending::<()>);
        let thread = thread::spawn(move || {
            task.abort();
            task.join().unwrap_err().is_cancelled()
        });
        while !thread.is_finished() {
            yield_now().await;
        }
        assert!(thread.join().unwrap());
    });
}

#[test]
fn a_late_abort_spares_the_task_that_has_the_slot_now() {
    beside_a_loop(|handle| {
        let ended = handle.spawn(|| ready(1));
        catch_up(handle);
        let (release, released) = oneshot::channel();
        let next = handle.spawn(move || released);
        catch_up(handle);
        ended.abort();
        catch_up(handle);
        release.send(2).unwrap();
        assert_eq!((ended.join().unwrap(), next.join().unwrap()), (1, Ok(2)));
    });
}

#[test]
fn a_join_on_the_loops_own_thread_panics() {
    block_on(async {
        let task = Handle::current().spawn(|| ready(7));
        let panic = catch_unwind(AssertUnwindSafe(|| task.join())).unwrap_err();
        let message = panic.downcast_ref::<&str>().unwrap();
        let expected = "RemoteHandle::join was called on the thread of its own loop, which would \
                        wait for itself: await the handle instead";
        assert_eq!(*message, expected);
    });
}

#[test]
fn a_remote_task_is_dropped_in_the_order_of_spawning() {
    let mut runtime = Runtime::new().unwrap();
    let (sender, dropped) = mpsc::channel();
    let idle = |name: &'static str| {
        let sender = sender.clone();
        move || {
            let on_drop = OnDrop(move || sender.send(name).unwrap());
            async move {
                let _on_drop = on_drop;
                pending::<()>().await
            }
        }
    };
    drop(runtime.spawn(idle("first")()));
    drop(runtime.handle().spawn(idle("second")));
    runtime.run_until_stalled().unwrap();
    drop(runtime.spawn(idle("third")()));
    drop(runtime);
    assert_eq!(dropped.try_iter().collect::<Vec<_>>(), ["first", "second", "third"]);
}

#[test]
fn a_task_that_ended_before_its_loop_returns_its_output() {
    let mut outcome = None;
    block_on(async {
        let (end, ended) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let task = Handle::current().spawn(move || async move {
            released.await.unwrap();
            // The root is woken before the task that waits for the output.
            end.send(()).unwrap();
            7
        });
        let settle = Handle::current().spawn(|| ready(()));
        settle.await.unwrap();
        release.send(()).unwrap();
        ended.await.unwrap();
        outcome = Some(task);
    });
    assert_eq!(outcome.unwrap().join().unwrap(), 7);
}

/// Wakers of live and of ended tasks, which several threads wake all the time.
#[derive(Default)]
struct SharedWakers {
    wakers: Vec<Mutex<Option<Waker>>>,
    is_over: AtomicBool,
    wakes: AtomicUsize,
}

impl SharedWakers {
    fn new() -> SharedWakers {
        SharedWakers {
            wakers: (0..64).map(|_| Mutex::new(None)).collect(),
            ..SharedWakers::default()
        }
    }

    /// The main function of a thread: wakes the wakers in turn, in steps of `step`.
    fn wake_in_turn(&self, step: usize) {
        let mut place = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            place = (place + step) % self.wakers.len();
            let waker = self.wakers[place].lock().unwrap().clone();
            if let Some(waker) = waker {
                waker.wake();
                self.wakes.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Completes at the fourth poll. Until then its waker is stored at `place`.
    async fn four_polls(self: Arc<SharedWakers>, place: usize) {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            self.wakers[place].lock().unwrap().replace(cx.waker().clone());
            if polls < 4 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Never completes, and counts its drop.
    async fn forever(self: Arc<SharedWakers>, place: usize, drops: Rc<Cell<usize>>) {
        let _on_drop = OnDrop(|| drops.set(drops.get() + 1));
        poll_fn(|cx| {
            self.wakers[place].lock().unwrap().replace(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Runs a loop in which tasks end and their slots are reused, and which ends while other tasks
    /// are still being woken. Returns the numbers of completed and of dropped tasks.
    fn run_a_loop(self: &Arc<SharedWakers>) -> (usize, usize) {
        let (completed, drops) = (Cell::new(0), Rc::new(Cell::new(0)));
        block_on(async {
            for place in 32..64 {
                drop(spawn(self.clone().forever(place, drops.clone())));
            }
            for _ in 0..4 {
                let tasks: Vec<_> =
                    (0..32).map(|place| spawn(self.clone().four_polls(place))).collect();
                for task in tasks {
                    task.await.unwrap();
                    completed.set(completed.get() + 1);
                }
            }
        });
        (completed.get(), drops.get())
    }
}

#[test]
fn wakes_of_four_threads_while_tasks_and_loops_end() {
    let wakers = Arc::new(SharedWakers::new());
    thread::scope(|scope| {
        for step in [1, 3, 5, 7] {
            let wakers = &wakers;
            scope.spawn(move || wakers.wake_in_turn(step));
        }
        // The threads must end also if the test fails.
        let _over = OnDrop(|| wakers.is_over.store(true, Ordering::Relaxed));
        for _ in 0..100 {
            assert_eq!(wakers.run_a_loop(), (128, 32));
        }
    });
    assert!(wakers.wakes.load(Ordering::Relaxed) >= 100 * 128 * 3, "no poll without a wake");
}

#[test]
fn calls_of_four_threads_while_loops_end() {
    let (runs, drops) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for _ in 0..50 {
            let runtime = Runtime::new().unwrap();
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (handle, drops) = (runtime.handle(), drops.clone());
                    scope.spawn(move || send_forty(&handle, &drops))
                })
                .collect();
            let mut runtime = runtime;
            runtime.turn(None).unwrap();
            drop(runtime);
            for thread in threads {
                runs.fetch_add(thread.join().unwrap(), Ordering::Relaxed);
            }
        }
    });
    assert_eq!(runs.into_inner(), 50 * 4 * 40, "each handle has an outcome");
    assert_eq!(drops.load(Ordering::Relaxed), 50 * 4 * 40, "each function was dropped once");
}

/// Spawns on a loop that may end meanwhile. Returns the number of handles with an outcome.
fn send_forty(handle: &Handle, drops: &Arc<AtomicUsize>) -> usize {
    let tasks = (0..40).map(|_| {
        let drops = drops.clone();
        let on_drop = OnDrop(move || _ = drops.fetch_add(1, Ordering::Relaxed));
        handle.spawn(move || async move { drop(on_drop) })
    });
    let outcomes = tasks.map(RemoteHandle::join);
    outcomes.filter(|outcome| outcome.as_ref().map_or_else(|e| e.is_cancelled(), |()| true)).count()
}

/// Handles may move to other threads; their tasks may not.
#[allow(dead_code)]
fn handles_are_send_and_sync() {
    fn is<T: Send + Sync>() {}
    is::<Handle>();
    is::<RemoteHandle<Cell<i32>>>();
}

#[test]
fn a_remote_handle_keeps_neither_task_nor_loop() {
    let mut kept = None;
    block_on(async {
        kept = Some(Handle::current().spawn(pending::<()>));
        yield_now().await;
    });
    assert!(kept.as_ref().unwrap().is_finished());
    assert!(kept.unwrap().join().unwrap_err().is_cancelled());
}
