//! Waiting until all other tasks are blocked, and running until no task is left.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::sync::{Event, mpsc};
use evloop::task::{until_idle, yield_now};
use evloop::time::{now, sleep};
use evloop::{Runtime, block_on, spawn};
use futures::{FutureExt, poll};

type Log = Rc<RefCell<Vec<&'static str>>>;

#[test]
fn it_completes_after_every_task_that_can_run_has_run() {
    block_on(async {
        let log = Log::default();
        let (sender, mut receiver) = mpsc::bounded(1);
        let _producer = spawn({
            let log = log.clone();
            async move {
                for word in ["one", "two", "three", "four"] {
                    yield_now().await;
                    sender.send(word).await.unwrap();
                    log.borrow_mut().push(word);
                }
            }
        });
        until_idle().await;
        assert_eq!(*log.borrow(), ["one"]);
        assert_eq!(receiver.recv().await, Some("one"));
        until_idle().await;
        assert_eq!(*log.borrow(), ["one", "two"]);
    });
}

#[test]
fn it_completes_at_once_if_nothing_else_is_ready() {
    block_on(async {
        let _blocked = spawn(std::future::pending::<()>());
        yield_now().await;
        for _ in 0..3 {
            until_idle().await;
        }
    });
}

#[test]
fn a_task_that_is_always_ready_delays_it() {
    block_on(async {
        let turns = Rc::new(Cell::new(0));
        let busy = spawn({
            let turns = turns.clone();
            async move {
                for _ in 0..1000 {
                    turns.set(turns.get() + 1);
                    yield_now().await;
                }
            }
        });
        until_idle().await;
        assert_eq!(turns.get(), 1000);
        assert!(busy.is_finished());
    });
}

#[test]
fn timers_that_are_not_due_count_as_blocked_and_due_ones_do_not() {
    block_on(async {
        let far = spawn(sleep(Duration::from_secs(1000)));
        let due = spawn(sleep(Duration::from_millis(1)));
        yield_now().await;
        let past = now() + Duration::from_millis(2);
        while now() < past {}
        until_idle().await;
        assert!(due.is_finished());
        assert!(!far.is_finished());
    });
}

#[test]
fn data_that_has_arrived_is_read_first() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let stream: TcpStream = stream;
        let reader = spawn(async move {
            let mut buf = [0; 3];
            stream.read_exact(&mut buf).await.unwrap();
            stream.write_all(&buf).await.unwrap();
            buf
        });
        until_idle().await;
        assert!(!reader.is_finished());
        peer.write_all(b"abc").unwrap();
        // Loopback: the bytes are in the socket once `write_all` has returned.
        until_idle().await;
        assert!(reader.is_finished());
        let mut echoed = [0; 3];
        peer.read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"abc");
    });
}

#[test]
fn several_waiters_continue_together_in_order() {
    block_on(async {
        let log = Log::default();
        let tasks: Vec<_> = ["one", "two", "three"]
            .map(|name| {
                let log = log.clone();
                spawn(async move {
                    until_idle().await;
                    log.borrow_mut().push(name);
                    until_idle().await;
                    log.borrow_mut().push("again");
                })
            })
            .into();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*log.borrow(), ["one", "two", "three", "again", "again", "again"]);
    });
}

#[test]
fn a_dropped_waiter_is_forgotten_and_the_others_continue() {
    block_on(async {
        let mut dropped = until_idle();
        assert!(poll!(&mut dropped).is_pending());
        let mut kept = until_idle();
        assert!(poll!(&mut kept).is_pending());
        drop(dropped);
        kept.await;

        // One that was woken and is dropped before its poll.
        let mut woken = Box::pin(until_idle());
        let event = Event::new();
        let mut wait = Box::pin(event.wait());
        futures::future::poll_fn(|cx| {
            let _ = wait.poll_unpin(cx);
            woken.poll_unpin(cx)
        })
        .await;
        drop(woken);
        until_idle().await;
    });
}

#[test]
fn it_works_in_turns_of_another_loop() {
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(async {
        yield_now().await;
        until_idle().await;
        until_idle().await;
    });
    runtime.run_until_stalled().unwrap();
    assert!(task.is_finished());
}

#[test]
fn a_loop_with_a_waiter_is_not_left_alone_by_the_loop_that_embeds_it() {
    let mut runtime = Runtime::new().unwrap();
    let task = runtime.spawn(until_idle());
    assert_eq!(runtime.turn(Some(Duration::ZERO)).unwrap().polled, 1);
    assert!(!task.is_finished());
    let next = runtime.next_deadline().expect("the next turn is due now");
    assert!(next <= evloop::time::now());
    assert_eq!(runtime.turn(None).unwrap().polled, 1);
    assert!(task.is_finished());
    assert!(runtime.next_deadline().is_none());
}

#[test]
fn a_wake_from_another_thread_comes_first() {
    block_on(async {
        let woken = Rc::new(Cell::new(false));
        let set = woken.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut is_first = true;
        let _task = spawn(futures::future::poll_fn(move |cx| {
            if std::mem::take(&mut is_first) {
                sender.send(cx.waker().clone()).unwrap();
                return Poll::Pending;
            }
            set.set(true);
            Poll::Ready(())
        }));
        until_idle().await;
        assert!(!woken.get());
        let waker = receiver.recv().unwrap();
        thread::spawn(move || waker.wake()).join().unwrap();
        until_idle().await;
        assert!(woken.get());
    });
}

#[test]
#[should_panic = "task::until_idle was called outside of a running loop"]
fn it_panics_outside_of_a_loop() {
    let _ = until_idle().now_or_never();
}

#[test]
fn run_until_empty_ends_with_the_last_task() {
    let mut runtime = Runtime::new().unwrap();
    assert!(runtime.is_empty());
    runtime.run_until_empty().unwrap();
    let log = Log::default();
    let of_task = log.clone();
    // One timer at a time: two would be due at once after the thread was suspended.
    drop(runtime.spawn(async move {
        sleep(Duration::from_millis(1)).await;
        of_task.borrow_mut().push("task");
        drop(spawn(async move {
            sleep(Duration::from_millis(1)).await;
            of_task.borrow_mut().push("child");
            drop(spawn(async move { of_task.borrow_mut().push("grandchild") }));
        }));
    }));
    assert!(!runtime.is_empty());
    runtime.run_until_empty().unwrap();
    assert_eq!(*log.borrow(), ["task", "child", "grandchild"]);
    assert!(runtime.is_empty());
}

#[test]
fn run_until_empty_runs_a_call_that_waits_and_ends_by_stop() {
    let mut runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let (sender, receiver) = std::sync::mpsc::channel();
    let remote = runtime.handle();
    thread::spawn(move || remote.call_threadsafe(move || sender.send(1).unwrap())).join().unwrap();
    assert!(!runtime.is_empty());
    runtime.run_until_empty().unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));

    drop(runtime.spawn(async move {
        yield_now().await;
        handle.stop();
        std::future::pending::<()>().await;
    }));
    runtime.run_until_empty().unwrap();
    assert!(!runtime.is_empty(), "stop came before the end of the task");
}
