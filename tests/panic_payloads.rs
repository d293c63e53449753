//! Panics whose payload panics when it is dropped: they have the same effect as any other panic.

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

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A payload whose destructor panics with another payload of the same type.
struct PanickingPayload;

impl Drop for PanickingPayload {
    fn drop(&mut self) {
        panic_any(PanickingPayload);
    }
}

/// Panics with a [`PanickingPayload`] when it is dropped or woken.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(PanickingPayload);
    }
}

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        // The bomb must not panic a second time, in its drop.
        mem::forget(self);
        panic_any(PanickingPayload);
    }
}

async fn hold(value: impl Sized) {
    let _value = value;
    pending().await
}

/// Asserts that `f` panics with a [`PanickingPayload`].
fn panics_with_payload<T>(f: impl FnOnce() -> T) {
    let payload: Box<dyn Any + Send> = catch_unwind(AssertUnwindSafe(f)).err().expect("`f` panics");
    mem::forget(payload.downcast::<PanickingPayload>().expect("the payload is a PanickingPayload"));
}

/// Asserts that the tasks of `spawn_all` end no other task.
fn assert_others_continue(spawn_all: impl AsyncFnOnce()) {
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
fn the_error_of_a_task_is_dropped() {
    assert_others_continue(async || {
        let task: JoinHandle<()> = spawn(async { panic_any(PanickingPayload) });
        assert!(task.await.unwrap_err().is_panic());
    });
}

#[test]
fn a_detached_task_panics() {
    assert_others_continue(async || {
        drop::<JoinHandle<()>>(spawn(async { panic_any(PanickingPayload) }));
        drop(spawn(ready(Bomb)));
    });
}

#[test]
fn a_task_is_detached_after_its_panic() {
    assert_others_continue(async || {
        let panicked: JoinHandle<()> = spawn(async { panic_any(PanickingPayload) });
        let output = spawn(ready(Bomb));
        yield_now().await;
        drop(panicked);
        drop(output);
    });
}

#[test]
fn a_destructor_panics_after_the_task() {
    /// Panics when it is polled and when it is dropped.
    struct Twice(#[allow(dead_code)] Bomb);

    impl Future for Twice {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic_any(PanickingPayload)
        }
    }

    assert_others_continue(async || {
        assert!(spawn(Twice(Bomb)).await.unwrap_err().is_panic());
        task::scope(async |s| {
            assert!(s.spawn(Twice(Bomb)).await.unwrap_err().is_panic());
        })
        .await;
    });
}

#[test]
fn destructors_panic_at_the_end_of_the_loop() {
    assert_others_continue(async || {
        drop(spawn(hold(Bomb)));
        drop(spawn(hold(Bomb)));
    });
}

#[test]
fn children_panic_when_their_scope_is_dropped() {
    assert_others_continue(async || {
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
fn the_first_panic_of_the_handler_propagates_at_the_loops_end() {
    let mut runtime =
        Runtime::builder().on_task_error(|_| panic_any(PanickingPayload)).build().unwrap();
    for _ in 0..3 {
        drop(runtime.spawn(hold(Bomb)));
    }
    runtime.handle().call_threadsafe(|| ());
    runtime.run_until_stalled().unwrap();
    let bomb = Unsent(Some(Bomb));
    runtime.handle().call_threadsafe(move || drop(bomb));
    panics_with_payload(|| drop(runtime));
}

/// A bomb that is not `Send`.
struct Unsent(#[allow(dead_code)] Option<Bomb>);

#[test]
fn the_panic_of_the_root_takes_precedence_over_the_loops_end() {
    let waker = Waker::from(Arc::new(Bomb));
    let mut sleep = None;
    panics_with_payload(|| {
        block_on(async {
            let mut new = Box::pin(evloop::time::sleep(LIMIT));
            assert!(new.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            sleep = Some(new);
            panic_any(PanickingPayload)
        })
    });
    mem::forget(waker);
}

#[test]
fn the_loop_is_dropped_while_a_panic_unwinds() {
    let runtime =
        Runtime::builder().on_task_error(|_| panic_any(PanickingPayload)).build().unwrap();
    drop(runtime.spawn(hold(Bomb)));
    let unwinds = catch_unwind(AssertUnwindSafe(|| {
        let _runtime = runtime;
        panic!("the owner's");
    }));
    assert_eq!(unwinds.unwrap_err().downcast_ref(), Some(&"the owner's"));
}

#[test]
fn threads_of_the_pool_survive_such_panics() {
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    runtime.block_on(async {
        let release = |work: fn() -> Option<Bomb>| {
            let (release, released) = mpsc::channel::<()>();
            let (sender, begun) = mpsc::channel();
            let handle = spawn_blocking(move || {
                sender.send(()).unwrap();
                released.recv_timeout(LIMIT).expect("the work is released");
                work()
            });
            begun.recv_timeout(LIMIT).expect("the work begins");
            (release, handle)
        };
        // Detached work: the work panics, then an output does.
        for work in [(|| panic_any(PanickingPayload)) as fn() -> _, || Some(Bomb)] {
            let (release, handle) = release(work);
            drop(handle);
            release.send(()).unwrap();
            assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
        }
        // The waker of a waiting task panics.
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
fn awaiting_work_returns_the_payload() {
    block_on(async {
        let error = spawn_blocking(|| panic_any(PanickingPayload)).await.unwrap_err();
        mem::forget(
            error
                .into_panic()
                .downcast::<PanickingPayload>()
                .expect("the payload is a PanickingPayload"),
        );
    });
}
