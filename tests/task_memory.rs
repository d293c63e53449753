//! The memory of a task: when it is freed, and what may still refer to it.
//!
//! `.ci/miri` runs this file under Miri, which finds wrong accesses and leaks.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;

use evloop::task::{self, AbortHandle, TaskInfo, scope, yield_now};
use evloop::{JoinHandle, Runtime, block_on, spawn};

/// More than the blocks of three chunks.
const MANY: usize = 200;

/// Counts its drops.
struct Drops(Rc<Cell<usize>>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A waker of another crate. Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a destructor");
    }
}

/// A value that needs a larger alignment than any block of a chunk has.
#[repr(align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Aligned(u8);

async fn held_for_a_yield<T>(value: T) -> T {
    let place = &value;
    yield_now().await;
    assert!(std::ptr::from_ref(place).is_aligned());
    value
}

#[test]
fn a_handle_and_a_slot_are_one_word() {
    assert_eq!(size_of::<JoinHandle<String>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<JoinHandle<()>>>(), size_of::<usize>());
    assert_eq!(size_of::<AbortHandle>(), size_of::<usize>());
}

#[test]
fn futures_of_all_sizes_and_alignments_keep_their_values() {
    fn both<const N: usize>(handles: &mut Vec<JoinHandle<()>>) {
        handles.push(spawn(async {
            assert_eq!(held_for_a_yield([N as u8; N]).await, [N as u8; N]);
        }));
        handles.push(spawn(async {
            assert_eq!(held_for_a_yield([Aligned(9); N]).await, [Aligned(9); N]);
        }));
    }
    block_on(async {
        let mut handles = Vec::new();
        both::<0>(&mut handles);
        both::<1>(&mut handles);
        both::<7>(&mut handles);
        both::<100>(&mut handles);
        both::<500>(&mut handles);
        both::<900>(&mut handles);
        for handle in handles {
            handle.await.unwrap();
        }
    });
}

#[test]
fn blocks_are_reused_in_any_order() {
    block_on(async {
        let mut handles: Vec<_> = (0..MANY).map(|i| Some(spawn(held_for_a_yield(i)))).collect();
        for step in [7, 3] {
            for i in (0..MANY).step_by(step) {
                let Some(handle) = handles[i].take() else { continue };
                assert_eq!(handle.await.unwrap(), i);
                handles[i] = Some(spawn(held_for_a_yield(i)));
            }
        }
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.unwrap().await.unwrap(), i);
        }
    });
}

#[test]
fn the_waker_of_another_crate_is_kept_until_it_is_used_replaced_or_dropped() {
    fn wait(handle: &mut JoinHandle<()>, waker: &Waker) {
        assert!(pin!(handle).poll(&mut Context::from_waker(waker)).is_pending());
    }
    let wakes = [(); 3].map(|()| Arc::new(Wakes::default()));
    let wakers = wakes.each_ref().map(|wakes| Waker::from(wakes.clone()));
    let stored = || wakes.each_ref().map(|wakes| Arc::strong_count(wakes) - 2);
    let mut runtime = Runtime::new().unwrap();
    let mut outlives = None;
    runtime.block_on(async {
        let own = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let mut tasks = [(); 5].map(|()| spawn(pending::<()>()));
        let mut ends = spawn(yield_now());
        wait(&mut ends, &wakers[0]);
        wait(&mut tasks[0], &wakers[1]);
        wait(&mut tasks[1], &wakers[1]);
        wait(&mut tasks[2], &wakers[2]);
        assert_eq!(stored(), [1, 2, 1]);
        wait(&mut tasks[0], &wakers[1]);
        assert_eq!(stored(), [1, 2, 1], "the same waker is not cloned again");
        wait(&mut tasks[0], &wakers[2]);
        assert_eq!(stored(), [1, 1, 2], "another one replaces it");
        wait(&mut tasks[0], &own);
        wait(&mut tasks[3], &own);
        assert_eq!(stored(), [1, 1, 1], "and one of this crate does");
        wait(&mut tasks[3], &wakers[0]);
        assert_eq!(stored(), [2, 1, 1]);
        yield_now().await;
        yield_now().await;
        assert!(ends.is_finished());
        assert_eq!(stored(), [1, 1, 1]);
        let [first, second, third, fourth, fifth] = tasks;
        drop((second, first, fifth));
        assert_eq!(stored(), [1, 0, 1], "a dropped handle waits no longer");
        fourth.abort();
        yield_now().await;
        assert_eq!(stored(), [0, 0, 1]);
        outlives = Some(third);
    });
    assert_eq!(wakes.each_ref().map(|wakes| wakes.0.load(Ordering::Relaxed)), [2, 0, 0]);
    drop(runtime);
    assert_eq!(stored(), [0; 3]);
    assert_eq!(wakes[2].0.load(Ordering::Relaxed), 1);
    let mut outlives = pin!(outlives.unwrap());
    assert!(outlives.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_ready());
}

#[test]
fn a_waker_that_is_stored_after_the_end_of_the_task_is_dropped_with_the_task() {
    thread_local! {
        static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
        /// The number of wakers that are not dropped.
        static LIVE: Cell<usize> = const { Cell::new(1) };
    }
    /// Ends the loop when it is cloned.
    static ENDS_LOOP: RawWakerVTable = RawWakerVTable::new(
        |data| {
            drop(RUNTIME.take());
            LIVE.set(LIVE.get() + 1);
            RawWaker::new(data, &ENDS_LOOP)
        },
        |_| LIVE.set(LIVE.get() - 1),
        |_| {},
        |_| LIVE.set(LIVE.get() - 1),
    );
    let runtime = Runtime::new().unwrap();
    let mut handle = runtime.spawn(pending::<()>());
    RUNTIME.set(Some(runtime));
    // SAFETY: the functions use no data.
    let waker = unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &ENDS_LOOP)) };
    let mut cx = Context::from_waker(&waker);
    assert!(pin!(&mut handle).poll(&mut cx).is_pending());
    assert!(pin!(&mut handle).poll(&mut cx).is_ready());
    assert_eq!(LIVE.get(), 2);
    drop(handle);
    assert_eq!(LIVE.get(), 1);
}

#[test]
fn handles_outlive_their_loop() {
    let drops = Rc::new(Cell::new(0));
    let mut runtime = Runtime::new().unwrap();
    let done = runtime.spawn(std::future::ready(Drops(drops.clone())));
    let value = Drops(drops.clone());
    let waits = runtime.spawn(async move {
        pending::<()>().await;
        drop(value);
    });
    let (aborts, wakers) = (waits.abort_handle(), Rc::new(RefCell::new(None)));
    let stored = wakers.clone();
    let stores = runtime.spawn(poll_fn(move |cx| {
        *stored.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    }));
    runtime.block_on(yield_now());
    let all: Vec<TaskInfo> = runtime.block_on(async { task::all() });
    drop(runtime);
    assert_eq!(drops.get(), 1, "the future was dropped, the output was not");
    assert!(stores.is_finished() && waits.is_finished() && aborts.is_finished());
    aborts.abort();
    wakers.take().unwrap().wake();
    all.iter().for_each(TaskInfo::abort);
    drop((waits, stores, aborts));
    let output = block_on(done).unwrap();
    assert_eq!(drops.get(), 1);
    drop(output);
    assert_eq!(drops.get(), 2);
    assert!(all.iter().any(|task| task.polls() == 1));
}

#[test]
fn a_handle_may_be_dropped_while_its_thread_ends() {
    thread_local! {
        static KEPT: RefCell<Vec<JoinHandle<Box<u32>>>> = const { RefCell::new(Vec::new()) };
    }
    let thread = thread::spawn(|| {
        // Registers the destructor of the thread-local before any of this crate's.
        KEPT.with_borrow_mut(|kept| kept.reserve(MANY));
        block_on(async {
            let handles = (0..MANY as u32).map(|i| spawn(async move { Box::new(i) }));
            KEPT.with_borrow_mut(|kept| kept.extend(handles));
            yield_now().await;
        });
    });
    thread.join().unwrap();
}

#[test]
fn an_output_is_dropped_once() {
    let drops = Rc::new(Cell::new(0));
    let value = || std::future::ready(Drops(drops.clone()));
    block_on(async {
        drop(spawn(value()));
        yield_now().await;
        assert_eq!(drops.get(), 1, "detached before the end");
        let handle = spawn(value());
        yield_now().await;
        assert!(handle.is_finished());
        drop(handle);
        assert_eq!(drops.get(), 2, "detached after the end");
        let mut handle = spawn(value());
        let output = (&mut handle).await.unwrap();
        drop(handle);
        assert_eq!(drops.get(), 2, "taken");
        drop(output);
        assert_eq!(drops.get(), 3);
    });
}

#[test]
fn panics_of_destructors_leave_the_memory_intact() {
    let errors = Rc::new(RefCell::new(Vec::new()));
    let seen = errors.clone();
    let report = move |error: task::JoinError| seen.borrow_mut().push(error.to_string());
    let mut runtime = Runtime::builder().on_task_error(report).build().unwrap();
    runtime.block_on(async {
        // The destructors of an output and of an aborted future.
        drop(spawn(async { Bomb }));
        let bomb = Bomb;
        let aborted = spawn(async move {
            pending::<()>().await;
            drop(bomb);
        });
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_panic());
        assert_eq!(errors.borrow().len(), 1);
    });
}

#[test]
fn a_waker_outlives_the_memory_of_its_task() {
    let waker = block_on(async {
        let task = spawn(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        let waker: Waker = task.await.unwrap();
        waker.wake_by_ref();
        // Takes the block and the slot.
        let next = spawn(async {});
        waker.wake_by_ref();
        next.await.unwrap();
        waker
    });
    let woken = thread::spawn(move || waker.wake());
    woken.join().unwrap();
}

#[test]
fn a_childs_slot_does_not_access_what_the_child_borrowed() {
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let infos = block_on(async {
        let mut infos = Vec::new();
        for _ in 0..3 {
            let text = String::from("borrowed");
            scope(async |s| {
                for _ in 0..MANY / 4 {
                    let (text, wakers) = (&text, wakers.clone());
                    s.spawn(async move {
                        poll_fn(|cx| {
                            wakers.borrow_mut().push(cx.waker().clone());
                            Poll::Ready(())
                        })
                        .await;
                        yield_now().await;
                        text.len()
                    });
                }
                let kept = s.spawn(async { text.as_str() });
                infos.extend(task::all());
                assert_eq!(kept.await.unwrap(), "borrowed");
                // Queues slots of children that have ended when their turn comes.
                wakers.borrow().iter().for_each(Waker::wake_by_ref);
            })
            .await;
            drop(text);
            infos.iter().for_each(TaskInfo::abort);
            yield_now().await;
        }
        infos
    });
    wakers.borrow().iter().for_each(Waker::wake_by_ref);
    assert!(infos.len() > MANY / 4);
}

/// Polls a future once, and drops it.
struct Once<F>(Option<Pin<Box<F>>>);

impl<F: Future> Future for Once<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut future = self.0.take().unwrap();
        assert!(future.as_mut().poll(cx).is_pending());
        drop(future);
        Poll::Ready(())
    }
}

#[test]
fn a_child_ends_with_a_scope_that_is_dropped() {
    let drops = Rc::new(Cell::new(0));
    block_on(async {
        let (first, second) = (Drops(drops.clone()), Drops(drops.clone()));
        let borrowed = String::from("borrowed");
        let future = scope(async |s| {
            let (first, borrowed) = (first, &borrowed);
            let handle = s.spawn(async move {
                pending::<()>().await;
                (first, borrowed)
            });
            // Its output is stored, and never taken.
            let done = s.spawn(std::future::ready((second, borrowed)));
            yield_now().await;
            yield_now().await;
            pending::<()>().await;
            drop((handle, done));
        });
        let mut future = pin!(Once(Some(Box::pin(future))));
        future.as_mut().await;
        assert_eq!(drops.get(), 2);
        // The slots of the children are still queued.
        yield_now().await;
    });
}
