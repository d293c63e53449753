//! The threads of the blocking pool: their settings and hooks; a pool of its own; work that is told
//! that it was cancelled.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use evloop::task::{BlockingHandle, BlockingPool, blocking_is_cancelled, gather, spawn_blocking};
use evloop::{Runtime, block_on};

/// Where a panic points.
#[allow(unreachable_pub)]
mod panic_place;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

type Log = Arc<Mutex<Vec<&'static str>>>;

fn push(log: &Log, word: &'static str) -> impl Fn() + Send + Sync + 'static {
    let log = log.clone();
    move || log.lock().unwrap().push(word)
}

/// Work that has begun on a thread and lasts until the sender is used or dropped.
fn hold(pool: &BlockingPool) -> (BlockingHandle<()>, mpsc::Sender<()>) {
    let (begun, wait) = mpsc::channel();
    let (sender, receiver) = mpsc::channel::<()>();
    let work = pool.spawn(move || {
        begun.send(()).unwrap();
        _ = receiver.recv();
    });
    wait.recv_timeout(LIMIT).unwrap();
    (work, sender)
}

#[test]
fn the_hooks_run_first_and_last_on_each_thread() {
    let log = Log::default();
    let mut runtime = Runtime::builder()
        .blocking_threads_max(1)
        .on_blocking_thread_start(push(&log, "start"))
        .on_blocking_thread_stop(push(&log, "stop"))
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..2 {
            spawn_blocking(push(&log, "work")).await.unwrap();
        }
    });
    assert_eq!(*log.lock().unwrap(), ["start", "work", "work"]);
    runtime.shutdown_timeout(LIMIT).unwrap();
    assert_eq!(*log.lock().unwrap(), ["start", "work", "work", "stop"]);
}

#[test]
fn a_hook_that_panics_stops_no_work() {
    let mut runtime = Runtime::builder()
        .on_blocking_thread_start(|| panic!("in the first hook"))
        .on_blocking_thread_stop(|| panic!("in the last hook"))
        .build()
        .unwrap();
    assert_eq!(runtime.block_on(async { spawn_blocking(|| 7).await.unwrap() }), 7);
    runtime.shutdown_timeout(LIMIT).unwrap();
}

#[test]
fn a_thread_ends_after_the_time_without_work() {
    let (sender, ended) = mpsc::channel();
    let mut runtime = Runtime::builder()
        .blocking_thread_keep_alive(Duration::from_millis(1))
        .on_blocking_thread_stop(move || sender.send(()).unwrap())
        .build()
        .unwrap();
    for _ in 0..2 {
        runtime.block_on(async { spawn_blocking(|| ()).await.unwrap() });
        ended.recv_timeout(LIMIT).expect("the thread ends while the loop exists");
    }
}

/// Sends the answer of `blocking_is_cancelled` when its thread has ended.
struct AsksAtExit(mpsc::Sender<bool>);

impl Drop for AsksAtExit {
    fn drop(&mut self) {
        let _ = self.0.send(blocking_is_cancelled());
    }
}

#[test]
fn a_thread_that_is_ending_runs_no_cancelled_work() {
    thread_local! {
        static LAST: Cell<Option<AsksAtExit>> = const { Cell::new(None) };
    }
    let (sender, answers) = mpsc::channel();
    // Stored before the first work, so dropped after the thread's own state.
    let store = move || LAST.set(Some(AsksAtExit(sender.clone())));
    let pool = BlockingPool::builder().on_thread_start(store).build();
    block_on(pool.spawn(|| ())).unwrap();
    pool.shutdown_timeout(LIMIT).unwrap();
    assert!(!answers.recv_timeout(LIMIT).unwrap());
}

#[test]
fn a_name_that_no_thread_can_have_panics_at_the_caller() {
    let part = "must not contain a NUL byte";
    panic_place::assert_points_here(|| _ = BlockingPool::builder().thread_name("a\0b"), part);
    panic_place::assert_points_here(|| _ = Runtime::builder().name("a\0b"), part);
}

#[test]
fn the_stack_has_the_size_that_was_set() {
    /// Uses about `kib` KiB of stack.
    fn recurse(kib: usize) -> usize {
        let frame = std::hint::black_box([1_u8; 1024]);
        if kib == 0 { 0 } else { recurse(kib - 1) + usize::from(frame[kib % 1024]) }
    }
    let size = 64 << 20;
    let mut runtime = Runtime::builder().blocking_thread_stack_size(size).build().unwrap();
    // Far more than the default of 2 MiB.
    let depth = runtime.block_on(async { spawn_blocking(|| recurse(8 << 10)).await.unwrap() });
    assert_eq!(depth, 8 << 10);
}

#[test]
fn a_pool_of_its_own_works_while_that_of_the_loop_is_full() {
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    runtime.block_on(async {
        let (go, wait) = mpsc::channel::<()>();
        let full = spawn_blocking(move || wait.recv());
        let pool = BlockingPool::new(1);
        assert_eq!(pool.spawn(|| 7).await.unwrap(), 7);
        drop(go);
        full.await.unwrap().unwrap_err();
    });
}

#[test]
fn a_pool_runs_as_many_jobs_as_it_has_threads_and_the_rest_in_order() {
    block_on(async {
        let started = Arc::new(AtomicUsize::new(0));
        let count = started.clone();
        let pool = BlockingPool::builder()
            .threads(2)
            .thread_name("images")
            .thread_stack_size(1 << 20)
            .on_thread_start(move || _ = count.fetch_add(1, Ordering::SeqCst))
            .build();
        assert_eq!((pool.num_threads(), pool.num_queued()), (0, 0));
        let held = [hold(&pool), hold(&pool)];
        let log = Log::default();
        let queued = ["one", "two", "three"].map(|word| pool.spawn(push(&log, word)));
        assert_eq!((pool.num_threads(), pool.num_queued()), (2, 3));
        assert!(held[0].0.is_running() && !queued[0].is_running());
        let [(first, go), (other, end)] = held;
        go.send(()).unwrap();
        first.await.unwrap();
        for work in queued {
            work.await.unwrap();
        }
        assert_eq!(*log.lock().unwrap(), ["one", "two", "three"]);
        let name = pool.spawn(|| thread::current().name().map(str::to_owned)).await.unwrap();
        assert_eq!(name.as_deref(), Some("images"));
        drop(end);
        other.await.unwrap();
        assert_eq!(started.load(Ordering::SeqCst), 2);
        pool.shutdown_timeout(LIMIT).unwrap();
    });
}

#[test]
fn outcomes_of_a_pool_are_gathered_in_order() {
    block_on(async {
        let pool = BlockingPool::new(3);
        let squares = gather((0..100_u64).map(|n| pool.spawn(move || n * n))).await;
        let squares: Vec<_> = squares.into_iter().map(Result::unwrap).collect();
        assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
    });
}

#[test]
fn dropping_a_pool_cancels_what_has_not_begun_and_says_so() {
    block_on(async {
        let pool = BlockingPool::new(1);
        let (begun, go) = hold(&pool);
        let queued = pool.spawn(|| unreachable!());
        drop(pool);
        let error = queued.await.unwrap_err();
        assert!(error.is_cancelled());
        let sentence = "was cancelled: the blocking pool ended before the work began";
        assert!(error.to_string().ends_with(sentence), "{error}");
        go.send(()).unwrap();
        begun.await.unwrap();
    });
}

#[test]
fn shutdown_of_a_pool_reports_work_that_still_runs() {
    let pool = BlockingPool::new(1);
    let (begun, go) = hold(&pool);
    let still = pool.shutdown_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(still.spawned_at().len(), 1);
    assert!(still.spawned_at()[0].file().ends_with("blocking_threads.rs"));
    go.send(()).unwrap();
    block_on(begun).unwrap();
}

#[test]
fn a_panic_in_a_pool_is_returned_and_its_thread_goes_on() {
    block_on(async {
        let pool = BlockingPool::new(1);
        let error = pool.spawn(|| panic!("in a pool")).await.unwrap_err();
        assert!(error.to_string().ends_with("panicked: in a pool"), "{error}");
        pool.spawn(|| ()).await.unwrap();
        assert_eq!(pool.num_threads(), 1);
    });
}

#[test]
fn a_callback_receives_the_output_the_panic_and_the_cancellation_on_the_loop() {
    block_on(async {
        let this = thread::current().id();
        let (sender, mut outcomes) = evloop::sync::mpsc::unbounded();
        let pool = BlockingPool::new(1);
        let (begun, go) = hold(&pool);
        let queued = [pool.spawn(|| 1), pool.spawn(|| panic!("two")), pool.spawn(|| 3)];
        queued[2].abort();
        for work in queued {
            let sender = sender.clone();
            work.on_done(move |outcome| {
                assert_eq!(thread::current().id(), this);
                sender.send(outcome.map_err(|error| error.is_panic())).unwrap();
            });
        }
        assert_eq!(outcomes.recv().await, Some(Err(false)), "cancelled at once");
        go.send(()).unwrap();
        assert_eq!(outcomes.recv().await, Some(Ok(1)));
        assert_eq!(outcomes.recv().await, Some(Err(true)));
        begun.await.unwrap();
    });
}

/// Blocking work that reports when it has begun, and when it has been told that it was cancelled.
fn until_cancelled(pool: &BlockingPool) -> (BlockingHandle<()>, mpsc::Receiver<()>) {
    let (sender, receiver) = mpsc::channel();
    let work = pool.spawn(move || {
        assert!(!blocking_is_cancelled());
        sender.send(()).unwrap();
        while !blocking_is_cancelled() {
            thread::yield_now();
        }
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(LIMIT).unwrap();
    (work, receiver)
}

#[test]
fn running_work_is_told_that_its_handle_was_dropped_or_aborted_or_its_pool_has_ended() {
    assert!(!blocking_is_cancelled());
    let pool = BlockingPool::new(3);
    let (dropped, told) = until_cancelled(&pool);
    drop(dropped);
    told.recv_timeout(LIMIT).unwrap();

    let (aborted, told) = until_cancelled(&pool);
    aborted.abort();
    told.recv_timeout(LIMIT).unwrap();
    block_on(aborted).expect("work that has begun has an output, aborted or not");

    let (closed, told) = until_cancelled(&pool);
    drop(pool);
    told.recv_timeout(LIMIT).unwrap();
    block_on(closed).unwrap();
}
