//! Panics whose payload panics when it is dropped: they end what any other panic ends, and no more.

use std::any::Any;
use std::future::{Future, pending, poll_fn, ready};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use evloop::task::{self, spawn_blocking, yield_now};
use evloop::{JoinHandle, Runtime, block_on, spawn};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// A payload. Dropped, it panics with another of its kind, and so on.
struct Spiteful;

impl Drop for Spiteful {
    fn drop(&mut self) {
        panic_any(Spiteful);
    }
}

/// Panics with that payload when it is dropped or woken.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Spiteful);
    }
}

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        // The bomb itself stays as it is.
        mem::forget(self);
        panic_any(Spiteful);
    }
}

async fn hold(value: impl Sized) {
    let _value = value;
    pending().await
}

/// Asserts that `f` panics with the payload.
fn panics_with_it<T>(f: impl FnOnce() -> T) {
    let payload: Box<dyn Any + Send> = catch_unwind(AssertUnwindSafe(f)).err().expect("it panics");
    mem::forget(payload.downcast::<Spiteful>().expect("it is the payload"));
}

/// Asserts that tasks that end as those of `spawn_all` do end alone.
fn end_alone(spawn_all: impl AsyncFnOnce()) {
    let mut runtime = Runtime::new().unwrap();
    let seven = runtime.block_on(async {
        spawn_all().await;
        yield_now().await;
        spawn(ready(7)).await.unwrap()
    });
    assert_eq!(seven, 7);
    drop(runtime);
}

#[test]
fn of_a_task_whose_error_is_dropped() {
    end_alone(async || {
        let task: JoinHandle<()> = spawn(async { panic_any(Spiteful) });
        assert!(task.await.unwrap_err().is_panic());
    });
}

#[test]
fn of_a_detached_task() {
    end_alone(async || {
        drop::<JoinHandle<()>>(spawn(async { panic_any(Spiteful) }));
        drop(spawn(ready(Bomb)));
    });
}

#[test]
fn of_a_task_that_is_detached_once_it_has_ended() {
    end_alone(async || {
        let panicked: JoinHandle<()> = spawn(async { panic_any(Spiteful) });
        let output = spawn(ready(Bomb));
        yield_now().await;
        drop(panicked);
        drop(output);
    });
}

#[test]
fn of_a_destructor_after_the_panic_of_the_task() {
    /// Panics as it is polled, and as it is dropped.
    struct Twice(#[allow(dead_code)] Bomb);

    impl Future for Twice {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic_any(Spiteful)
        }
    }

    end_alone(async || {
        assert!(spawn(Twice(Bomb)).await.unwrap_err().is_panic());
        task::scope(async |s| {
            assert!(s.spawn(Twice(Bomb)).await.unwrap_err().is_panic());
        })
        .await;
    });
}

#[test]
fn of_destructors_at_the_end_of_the_loop() {
    end_alone(async || {
        drop(spawn(hold(Bomb)));
        drop(spawn(hold(Bomb)));
    });
}

#[test]
fn of_children_that_end_with_their_scope() {
    end_alone(async || {
        task::scope(async |s| {
            drop(s.spawn(hold(Bomb)));
            drop(s.spawn(hold(Bomb)));
            yield_now().await;
            s.cancel();
        })
        .await;
    });
}

#[test]
fn of_the_handler_the_first_comes_out_of_the_loops_end() {
    let mut runtime = Runtime::builder().on_task_error(|_| panic_any(Spiteful)).build().unwrap();
    for _ in 0..3 {
        drop(runtime.spawn(hold(Bomb)));
    }
    runtime.handle().call_threadsafe(|| ());
    runtime.run_until_stalled().unwrap();
    let bomb = Unsent(Some(Bomb));
    runtime.handle().call_threadsafe(move || drop(bomb));
    panics_with_it(|| drop(runtime));
}

/// A bomb that may be moved.
struct Unsent(#[allow(dead_code)] Option<Bomb>);

#[test]
fn of_the_root_before_that_of_the_loops_end() {
    let waker = Waker::from(Arc::new(Bomb));
    let mut sleep = None;
    panics_with_it(|| {
        block_on(async {
            let mut new = Box::pin(evloop::time::sleep(LIMIT));
            assert!(new.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            sleep = Some(new);
            panic_any(Spiteful)
        })
    });
    mem::forget(waker);
}

#[test]
fn while_a_panic_unwinds_through_the_owner_of_the_loop() {
    let runtime = Runtime::builder().on_task_error(|_| panic_any(Spiteful)).build().unwrap();
    drop(runtime.spawn(hold(Bomb)));
    let unwinds = catch_unwind(AssertUnwindSafe(|| {
        let _runtime = runtime;
        panic!("the owner's");
    }));
    assert_eq!(unwinds.unwrap_err().downcast_ref(), Some(&"the owner's"));
}

#[test]
fn no_thread_of_the_pool_ends_by_it() {
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    runtime.block_on(async {
        let release = |work: fn() -> Option<Bomb>| {
            let (release, released) = mpsc::channel::<()>();
            let (tell, told) = mpsc::channel();
            let handle = spawn_blocking(move || {
                tell.send(()).unwrap();
                released.recv_timeout(LIMIT).expect("it is released");
                work()
            });
            told.recv_timeout(LIMIT).expect("it begins");
            (release, handle)
        };
        // Detached: the work panics, its output does.
        for work in [(|| panic_any(Spiteful)) as fn() -> _, || Some(Bomb)] {
            let (release, handle) = release(work);
            drop(handle);
            release.send(()).unwrap();
            assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
        }
        // The waker of who waits does.
        let (release, mut handle) = release(|| None);
        let waker = Waker::from(Arc::new(Bomb));
        let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        release.send(()).unwrap();
        assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
        mem::forget(waker);
        poll_fn(|cx| Pin::new(&mut handle).poll(cx)).await.unwrap();
    });
    runtime.shutdown_timeout(LIMIT).unwrap();
}

#[test]
fn awaiting_work_gives_it_back() {
    block_on(async {
        let error = spawn_blocking(|| panic_any(Spiteful)).await.unwrap_err();
        mem::forget(error.into_panic().downcast::<Spiteful>().expect("it is the payload"));
    });
}
