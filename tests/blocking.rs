//! Work on the blocking pool: its output, its panics, its end, and the number of threads.

#![cfg(feature = "fs")]

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::{Future, pending};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use evloop::fs;
use evloop::net::lookup_host;
use evloop::task::{BlockingHandle, JoinError, spawn_blocking, yield_now};
use evloop::time::timeout;
use evloop::{Runtime, block_on, spawn};
use futures::FutureExt;

/// A directory for FIFOs.
#[cfg(unix)]
mod temp_dir;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Makes a loop whose blocking pool has up to `threads` threads for each kind of work.
fn with_threads(threads: usize) -> Runtime {
    Runtime::builder().blocking_threads_max(threads).build().unwrap()
}

/// Starts work that runs until it is released.
#[track_caller]
fn begun() -> (mpsc::Sender<()>, BlockingHandle<()>) {
    begun_then(|| ())
}

/// Starts work that runs until it is released, and then calls `f`.
#[track_caller]
fn begun_then<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> (mpsc::Sender<()>, BlockingHandle<T>) {
    let (release, released) = mpsc::channel();
    let (sender, receiver) = mpsc::channel();
    let work = spawn_blocking(move || {
        sender.send(()).unwrap();
        released.recv_timeout(LIMIT).expect("the work is released");
        f()
    });
    receiver.recv_timeout(LIMIT).expect("the work begins");
    (release, work)
}

/// Sets its flag when it is dropped.
struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn outputs_and_panics_are_returned() {
    block_on(async {
        let own = thread::current().id();
        let elsewhere = spawn_blocking(|| thread::current().id()).await.unwrap();
        assert_ne!(own, elsewhere);
        let error: JoinError = spawn_blocking(|| panic!("no paper")).await.unwrap_err();
        assert!(error.is_panic());
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "no paper");
        assert_eq!(spawn_blocking(|| 8).await.unwrap(), 8, "the pool still works");
    });
}

#[test]
fn the_error_names_the_line_that_started_the_work() {
    block_on(async {
        let line = line!() + 1;
        let error = spawn_blocking(|| panic!("oh")).await.unwrap_err();
        let text = format!("(spawned at {}:{line}:21) panicked: oh", file!());
        assert!(error.to_string().ends_with(&text), "{error}");
    });
}

#[test]
fn sequential_work_uses_one_thread() {
    block_on(async {
        let mut threads = HashSet::new();
        for _ in 0..1000 {
            threads.insert(spawn_blocking(|| thread::current().id()).await.unwrap());
        }
        assert_eq!(threads.len(), 1);
    });
}

#[test]
fn concurrent_work_uses_one_thread_each_up_to_the_limit() {
    with_threads(8).block_on(async {
        // A barrier: none completes before all have begun.
        let barrier = Arc::new(Barrier::new(8));
        let work: Vec<_> = (0..8)
            .map(|_| {
                let barrier = barrier.clone();
                spawn_blocking(move || {
                    barrier.wait();
                    thread::current().id()
                })
            })
            .collect();
        let mut threads = HashSet::new();
        for work in work {
            threads.insert(work.await.unwrap());
        }
        assert_eq!(threads.len(), 8);
    });
}

#[test]
fn a_full_pool_queues_first_in_first_out() {
    with_threads(1).block_on(async {
        let (release, first) = begun();
        let order = Arc::new(Mutex::new(Vec::new()));
        let work: Vec<_> = (0..100)
            .map(|i| {
                let order = order.clone();
                spawn_blocking(move || order.lock().unwrap().push(i))
            })
            .collect();
        yield_now().await;
        assert!(work.iter().all(|work| !work.is_finished()));
        release.send(()).unwrap();
        first.await.unwrap();
        for work in work {
            work.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), Vec::from_iter(0..100));
    });
}

#[test]
fn hanging_work_delays_neither_files_nor_names() {
    with_threads(1).block_on(async {
        let (release, first) = begun();
        let queued = spawn_blocking(|| 7);
        let others = async {
            assert!(fs::metadata("Cargo.toml").await.unwrap().is_file());
            assert!(lookup_host("localhost:80").await.unwrap().count() > 0);
        };
        timeout(LIMIT, others).await.expect("files and names are served");
        assert!(!queued.is_finished(), "the work waits for work of its own kind");
        release.send(()).unwrap();
        first.await.unwrap();
        assert_eq!(queued.await.unwrap(), 7);
    });
}

/// Opens a FIFO without another end, `count` times. Each takes a thread for files.
#[cfg(unix)]
fn open_fifos(path: &std::path::Path, count: usize) -> Vec<impl Future<Output = ()> + use<>> {
    let open = |_| {
        let open = fs::File::open(path.to_owned());
        let mut open = Box::pin(open.map(|file| drop(file.unwrap())));
        assert!(open.as_mut().now_or_never().is_none());
        open
    };
    (0..count).map(open).collect()
}

#[cfg(unix)]
#[test]
fn hanging_files_delay_only_files() {
    let dir = temp_dir::Dir::new();
    let fifo = dir.fifo("fifo");
    block_on(async {
        let hanging = open_fifos(&fifo, 64);
        let mut file = Box::pin(fs::metadata("Cargo.toml"));
        assert!(file.as_mut().now_or_never().is_none());
        let others = async {
            assert!(lookup_host("localhost:80").await.unwrap().count() > 0);
            assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
        };
        timeout(LIMIT, others).await.expect("names and the user's work are served");
        assert!(file.as_mut().now_or_never().is_none(), "beyond the limit of 64");
        // Opens the other end, for all of them.
        let _writer = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
        assert!(file.await.unwrap().is_file());
        futures::future::join_all(hanging).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn each_kind_has_its_own_number_of_threads() {
    let named = || {
        let names = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|name| name.trim_end() == "kinds-blocking").count()
    };
    let dir = temp_dir::Dir::new();
    let fifo = dir.fifo("fifo");
    let runtime = Runtime::builder().name("kinds").blocking_threads_max(2);
    runtime.build().unwrap().block_on(async {
        let hanging = open_fifos(&fifo, 5);
        let work: Vec<_> = (0..2).map(|_| begun()).collect();
        let queued: Vec<_> = (0..3).map(|_| spawn_blocking(|| ())).collect();
        while named() < 4 {
            thread::yield_now();
        }
        // One more thread, for names. It takes no queued work of the other kinds.
        for _ in 0..10 {
            lookup_host("localhost:80").await.unwrap();
        }
        assert_eq!(named(), 5);
        assert!(queued.iter().all(|work| !work.is_finished()));
        for (release, work) in work {
            release.send(()).unwrap();
            work.await.unwrap();
        }
        for work in queued {
            work.await.unwrap();
        }
        let _writer = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
        futures::future::join_all(hanging).await;
        assert!(named() <= 5, "no further thread");
    });
}

#[test]
fn aborted_work_that_has_not_begun_never_runs() {
    with_threads(1).block_on(async {
        let (release, first) = begun();
        let (dropped, ran) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (held, of_work) = (OnDrop(dropped.clone()), OnDrop(ran.clone()));
        let queued = spawn_blocking(move || {
            let _held = held;
            drop(of_work);
            unreachable!()
        });
        let last = spawn_blocking(|| 7);
        queued.abort();
        assert!(queued.is_finished());
        assert!(dropped.load(Ordering::SeqCst), "the values of the closure were dropped at once");
        release.send(()).unwrap();
        let error = queued.await.unwrap_err();
        assert!(error.is_cancelled());
        assert!(error.to_string().ends_with("was cancelled"), "{error}");
        first.await.unwrap();
        assert_eq!(last.await.unwrap(), 7);
    });
}

#[test]
fn abort_wakes_the_waiting_task() {
    with_threads(1).block_on(async {
        let (release, first) = begun();
        let queued = spawn_blocking(|| ());
        let mut queued = Box::pin(queued);
        assert!(queued.as_mut().now_or_never().is_none());
        // One task polls the handle, another aborts the work.
        let queued = std::rc::Rc::new(RefCell::new(queued));
        let waiter = queued.clone();
        let waits = spawn(std::future::poll_fn(move |cx| waiter.borrow_mut().poll_unpin(cx)));
        yield_now().await;
        queued.borrow().abort();
        assert!(waits.await.unwrap().unwrap_err().is_cancelled());
        release.send(()).unwrap();
        first.await.unwrap();
    });
}

#[test]
fn work_that_has_begun_is_not_cancelled() {
    block_on(async {
        let (release, work) = begun();
        work.abort();
        assert!(!work.is_finished());
        release.send(()).unwrap();
        work.await.unwrap();
        let done = spawn_blocking(|| 7);
        while !done.is_finished() {
            yield_now().await;
        }
        done.abort();
        assert_eq!(done.await.unwrap(), 7, "the output was stored");
    });
}

#[test]
fn dropping_the_handle_detaches() {
    block_on(async {
        let (done, is_done) = mpsc::channel();
        let dropped = Arc::new(AtomicBool::new(false));
        let value = OnDrop(dropped.clone());
        drop(spawn_blocking(move || {
            done.send(()).unwrap();
            value
        }));
        is_done.recv_timeout(LIMIT).expect("the work runs");
        // The thread drops the output before it takes the next work.
        while !dropped.load(Ordering::SeqCst) {
            yield_now().await;
        }
    });
}

/// Its destructor waits for a message.
struct SlowDrop(mpsc::Sender<()>, mpsc::Receiver<()>);

impl Drop for SlowDrop {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
        self.1.recv_timeout(LIMIT).expect("other work is done meanwhile");
    }
}

#[test]
fn a_thread_that_drops_an_output_counts_as_busy() {
    with_threads(2).block_on(async {
        let (sender, receiver) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let (release, work) = begun_then(|| SlowDrop(sender, wait));
        drop(work);
        release.send(()).unwrap();
        receiver.recv_timeout(LIMIT).expect("the output of detached work is dropped");
        spawn_blocking(move || go.send(()).unwrap()).await.unwrap();
    });
}

#[test]
fn a_destructor_of_an_output_that_panics_ends_no_thread() {
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("out of paper");
        }
    }

    let mut runtime = with_threads(1);
    runtime.block_on(async {
        let (release, work) = begun_then(|| Panics);
        drop(work);
        release.send(()).unwrap();
        assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
    });
    runtime.shutdown_timeout(LIMIT).unwrap();
}

#[test]
fn a_handle_of_ended_work_is_ready_at_once() {
    block_on(async {
        let (sender, receiver) = mpsc::channel();
        let mut work = spawn_blocking(move || sender.send(7).unwrap());
        receiver.recv_timeout(LIMIT).expect("the work runs");
        while !work.is_finished() {
            thread::yield_now();
        }
        let mut cx = Context::from_waker(Waker::noop());
        assert!(work.poll_unpin(&mut cx).is_ready());
    });
}

#[test]
fn a_handle_can_be_awaited_by_another_task() {
    let runtime = Runtime::new().unwrap();
    let spawn_on = |runtime: &Runtime, output| {
        let _guard = runtime.enter();
        spawn_blocking(move || output)
    };
    let work = spawn_on(&runtime, 7);
    let thread = thread::spawn(move || block_on(work));
    assert_eq!(thread.join().unwrap().unwrap(), 7);
    let work = spawn_on(&runtime, 8);
    assert_eq!(futures::executor::block_on(work).unwrap(), 8);
}

#[test]
fn spawn_blocking_outside_a_loop_panics() {
    let panic = catch_unwind(|| drop(spawn_blocking(|| ()))).unwrap_err();
    let sentence = "spawn_blocking was called outside of a running loop: call it inside \
                    evloop::block_on";
    assert_eq!(*panic.downcast::<String>().unwrap(), sentence);
}

#[test]
fn the_loops_end_cancels_work_that_has_not_begun() {
    let mut runtime = with_threads(1);
    let ran = Arc::new(AtomicUsize::new(0));
    let (release, first, queued) = runtime.block_on(async {
        let (release, first) = begun();
        let ran = ran.clone();
        (release, first, spawn_blocking(move || ran.fetch_add(1, Ordering::SeqCst)))
    });
    drop(runtime);
    let error = queued.now_or_never().expect("the work has ended").unwrap_err();
    assert!(error.is_cancelled());
    let text = "was cancelled: the event loop ended before the work began";
    assert!(error.to_string().ends_with(text), "{error}");
    release.send(()).unwrap();
    block_on(first).unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panicking_destructor_does_not_prevent_the_loops_end() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a destructor's");
        }
    }
    let mut runtime = with_threads(1);
    let (release, first, panics, last) = runtime.block_on(async {
        let (release, first) = begun();
        let panics = Panics;
        let panics = spawn_blocking(move || std::mem::forget(panics));
        (release, first, panics, spawn_blocking(|| ()))
    });
    drop(runtime);
    for queued in [panics, last] {
        assert!(queued.now_or_never().expect("the work has ended").unwrap_err().is_cancelled());
    }
    release.send(()).unwrap();
    block_on(first).unwrap();
}

#[test]
fn a_thread_outlives_its_loop_and_wakes_it() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let (sender, receiver) = mpsc::channel();
    let release = runtime.block_on(async {
        let (release, work) = begun_then(move || {
            handle.call_threadsafe(|| unreachable!());
            handle.stop();
            let task = handle.spawn(pending::<()>);
            sender.send(task.join().unwrap_err().is_cancelled()).unwrap();
        });
        // A task of the loop waits for the work; its waker is used after the loop's end.
        drop(spawn(work));
        yield_now().await;
        release
    });
    drop(runtime);
    release.send(()).unwrap();
    assert_eq!(receiver.recv_timeout(LIMIT), Ok(true));
}

#[test]
fn shutdown_reports_threads_that_still_run() {
    let mut runtime = Runtime::new().unwrap();
    let (place, release) = runtime.block_on(async {
        let (place, (release, work)) = (line!(), begun());
        drop(work);
        // Idle threads are not reported.
        for _ in 0..10 {
            spawn_blocking(|| ()).await.unwrap();
        }
        (place, release)
    });
    let left = runtime.shutdown_timeout(Duration::ZERO).unwrap_err();
    let text = format!("1 blocking thread still runs, with work spawned at {}:{place}:50", file!());
    assert_eq!(left.to_string(), text);
    assert_eq!(left.spawned_at().len(), 1);
    release.send(()).unwrap();
}

#[test]
fn shutdown_waits_for_work_that_has_begun() {
    let mut runtime = Runtime::new().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let on_drop = OnDrop(done.clone());
    let (release, work) = runtime.block_on(async { begun_then(|| drop(on_drop)) });
    drop(work);
    release.send(()).unwrap();
    runtime.shutdown_timeout(LIMIT).unwrap();
    assert!(done.load(Ordering::SeqCst));
}

#[test]
fn the_loop_runs_other_tasks_during_blocking_work() {
    block_on(async {
        let (release, work) = begun();
        let turns = spawn(async move {
            for _ in 0..100 {
                yield_now().await;
            }
            release.send(()).unwrap();
        });
        work.await.unwrap();
        turns.await.unwrap();
    });
}

#[test]
fn a_panic_of_a_waker_ends_no_thread() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker's");
        }
    }
    with_threads(1).block_on(async {
        let (release, mut work) = begun();
        let waker = Waker::from(Arc::new(Panics));
        assert!(work.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        release.send(()).unwrap();
        assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
    });
}

#[test]
fn a_handle_keeps_only_the_waker_of_its_last_poll() {
    struct Counted;
    impl std::task::Wake for Counted {
        fn wake(self: Arc<Self>) {}
    }
    block_on(async {
        let (release, mut work) = begun();
        let counted = [(); 100].map(|()| Arc::new(Counted));
        for counted in &counted {
            let waker = Waker::from(counted.clone());
            assert!(work.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        }
        let kept = counted.iter().filter(|counted| Arc::strong_count(counted) > 1);
        assert_eq!(kept.count(), 1);
        assert_eq!(Arc::strong_count(&counted[99]), 2);
        release.send(()).unwrap();
        work.await.unwrap();
    });
}

#[test]
fn work_from_many_loops_runs_exactly_once() {
    let done = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let done = done.clone();
            thread::spawn(move || {
                with_threads(3).block_on(async {
                    let work = (0..500).map(|i| {
                        let done = done.clone();
                        let work = spawn_blocking(move || done.fetch_add(1, Ordering::SeqCst));
                        if i % 5 == 0 {
                            work.abort();
                        }
                        work
                    });
                    let mut cancelled = 0;
                    for work in Vec::from_iter(work) {
                        cancelled += usize::from(work.await.is_err());
                    }
                    cancelled
                })
            })
        })
        .collect();
    let cancelled: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(done.load(Ordering::SeqCst) + cancelled, 2000);
}
