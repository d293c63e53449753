//! `task::Local`: the name of a value that stays on its loop's thread.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

use evloop::Runtime;
use evloop::net::{TcpListener, TcpStream};
use evloop::task::{Local, LocalError, yield_now};
use evloop::time::timeout;
use futures_lite::{AsyncReadExt, AsyncWriteExt, Stream, StreamExt};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

fn is_send_and_sync<T: Send + Sync>(value: T) -> T {
    value
}

/// Returns the message of the panic of `f`.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("it does not panic");
    let text = payload.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| payload.downcast_ref::<&str>().unwrap().to_string())
}

/// Records the thread on which it is dropped. It is not `Send`.
struct Drops(Arc<Mutex<Vec<ThreadId>>>, PhantomData<Rc<()>>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(thread::current().id());
    }
}

fn drops() -> (Drops, Arc<Mutex<Vec<ThreadId>>>) {
    let list = Arc::new(Mutex::default());
    (Drops(list.clone(), PhantomData), list)
}

#[test]
fn a_value_is_used_changed_and_taken_back() {
    run(async {
        let local = is_send_and_sync(Local::new(Rc::new(Cell::new(1))));
        local.with(|cell| cell.set(2));
        assert_eq!(local.with(|cell| cell.get()), 2);
        assert!(local.is_here());
        let rc = local.into_inner();
        assert_eq!((rc.get(), Rc::strong_count(&rc)), (2, 1));
    });
}

#[test]
fn the_traits_of_futures_pass_through() {
    run(async {
        let rc = Rc::new(7);
        assert_eq!(is_send_and_sync(Local::pin(async move { *rc })).await, 7);
        let rc = Rc::new(1);
        let stream = Box::pin(futures::stream::iter([1, 2]).map(move |n| n + *rc));
        let stream = is_send_and_sync(Local::new(stream));
        assert_eq!(stream.size_hint(), (2, Some(2)));
        assert_eq!(stream.collect::<Vec<_>>().await, [2, 3]);

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let mut client = is_send_and_sync(Local::new(client));
        let (mut server, _) = listener.accept().await?;
        client.write_all(b"hello").await?;
        client.close().await?;
        let mut text = String::new();
        server.read_to_string(&mut text).await?;
        AsyncWriteExt::write_all(&mut server, b"there").await?;
        let mut reply = [0; 5];
        client.read_exact(&mut reply).await?;
        assert_eq!((&*text, &reply), ("hello", b"there"));
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_use_on_another_thread_panics_and_says_what_to_do() {
    run(async {
        let local = Local::new(Rc::new(1));
        let (local, message) = thread::spawn(move || {
            assert_eq!(local.try_with(|_| ()), Err(LocalError::OtherLoop));
            assert!(!local.is_here());
            let message = panic_of(|| local.with(|_| ()));
            (local, message)
        })
        .join()
        .unwrap();
        assert!(message.contains("the Local made at tests/local.rs:"), "{message}");
        assert!(message.contains("used on another thread, or outside of its"), "{message}");
        assert!(message.contains("by Handle::spawn"), "{message}");
        assert_eq!(local.with(|rc| **rc), 1, "it is not lost");
    });
}

#[test]
fn a_poll_in_another_loop_panics() {
    run(async {
        let mut other = Runtime::new().unwrap();
        let mut future = Local::pin(pending::<()>());
        let task = other.spawn(async move {
            poll_fn(|cx| Pin::new(&mut future).poll(cx)).await;
        });
        assert_eq!(other.turn(Some(Duration::ZERO)).unwrap().polled, 1);
        let message = format!("{:?}", task.await.unwrap_err().into_panic().downcast::<String>());
        assert!(message.contains("outside of its running loop"), "{message}");
    });
}

#[test]
fn a_use_inside_a_use_is_refused() {
    run(async {
        let local = Local::new(1);
        local.with(|_| {
            assert_eq!(local.try_with(|_| ()), Err(LocalError::InUse));
            assert!(panic_of(|| local.with(|_| ())).contains("while it is in use"));
        });
        assert_eq!(local.try_with(|n| *n), Ok(1));
        assert!(catch_unwind(AssertUnwindSafe(|| local.with(|_| panic!("once")))).is_err());
        assert_eq!(local.try_with(|n| *n), Ok(1), "a panic ends the use");
    });
}

#[test]
fn a_name_dropped_on_another_thread_drops_the_value_on_the_loop() {
    let (value, list) = drops();
    run(async {
        let local = Local::new(value);
        thread::spawn(move || drop(local)).join().unwrap();
        assert_eq!(list.lock().unwrap().len(), 0, "the loop did not run yet");
        while list.lock().unwrap().is_empty() {
            yield_now().await;
        }
        assert_eq!(*list.lock().unwrap(), [thread::current().id()]);
    });
}

#[test]
fn a_name_dropped_between_two_turns_drops_the_value_in_the_next_one() {
    let (value, list) = drops();
    let mut runtime = Runtime::new().unwrap();
    let local = runtime.block_on(async { Local::new(value) });
    assert_eq!(local.try_with(|_| ()), Err(LocalError::OtherLoop));
    drop(local);
    assert_eq!(list.lock().unwrap().len(), 0);
    runtime.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(list.lock().unwrap().len(), 1);
}

#[test]
fn the_end_of_the_loop_drops_the_values() {
    let (value, list) = drops();
    let local = evloop::block_on(async { Local::new(value) });
    assert_eq!(*list.lock().unwrap(), [thread::current().id()]);
    assert_eq!(local.try_with(|_| ()), Err(LocalError::Ended));
    assert!(panic_of(|| local.with(|_| ())).contains("after its loop had ended"));
    // Another loop has the id of the ended one, and a value at the same place.
    run(async {
        let other = Local::new(drops().0);
        assert_eq!(local.try_with(|_| ()), Err(LocalError::Ended));
        drop(local);
        assert!(other.is_here());
    });
    assert_eq!(list.lock().unwrap().len(), 1);
}

#[test]
fn a_name_dropped_elsewhere_while_its_loop_ends_loses_nothing() {
    let (value, list) = drops();
    let mut runtime = Runtime::new().unwrap();
    let local = runtime.block_on(async { Local::new(value) });
    let here = thread::current().id();
    // The key waits in the inbox, which never runs it.
    thread::spawn(move || drop(local)).join().unwrap();
    drop(runtime);
    assert_eq!(*list.lock().unwrap(), [here]);
}

/// Makes a `Local` in its destructor, and uses an older one.
struct Late(Rc<RefCell<Vec<LocalError>>>, Option<Local<Late>>);

impl Drop for Late {
    fn drop(&mut self) {
        let late = Local::new(Drops(Arc::default(), PhantomData));
        self.0.borrow_mut().extend(late.try_with(|_| ()).err());
        if let Some(old) = self.1.take() {
            self.0.borrow_mut().extend(old.try_with(|_| ()).err());
        }
    }
}

#[test]
fn a_value_made_while_the_values_are_dropped_is_dropped_at_once() {
    let errors = Rc::new(RefCell::new(Vec::new()));
    evloop::block_on(async {
        let old = Local::new(Late(errors.clone(), None));
        std::mem::forget(Local::new(Late(errors.clone(), Some(old))));
    });
    assert_eq!(*errors.borrow(), [LocalError::Ended; 3]);
}

#[test]
fn a_panic_of_one_destructor_does_not_keep_the_others() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a destructor");
        }
    }
    let (value, list) = drops();
    let message = panic_of(|| {
        evloop::block_on(async {
            std::mem::forget(Local::new(Panics));
            std::mem::forget(Local::new(value));
        });
    });
    assert_eq!((&*message, list.lock().unwrap().len()), ("a destructor", 1));
}

#[test]
fn a_local_outside_of_a_loop_panics() {
    let message = panic_of(|| Local::new(1));
    assert!(message.contains("Local::new was called outside of a running loop"), "{message}");
}

/// A future that counts its polls, and is woken by another thread.
struct Counted(Rc<Cell<u32>>);

impl Future for Counted {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.set(self.0.get() + 1);
        if self.0.get() == 2 {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake());
        Poll::Pending
    }
}

#[test]
fn a_local_future_is_woken_as_any_other() {
    let polls = Rc::new(Cell::new(0));
    run(async { Local::new(Counted(polls.clone())).await });
    assert_eq!(polls.get(), 2);
}
