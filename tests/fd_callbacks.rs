//! Callbacks of descriptors: they are called while the descriptor is ready.

#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use evloop::Runtime;
use evloop::io::{AsyncFd, FdCallback, add_reader, add_writer};
use futures::{AsyncReadExt, AsyncWriteExt};

/// Runs `count` turns that do not wait.
fn turns(runtime: &mut Runtime, count: usize) {
    for _ in 0..count {
        runtime.turn(Some(Duration::ZERO)).unwrap();
    }
}

/// Runs turns until `done`, or panics.
fn turn_until(runtime: &mut Runtime, done: impl Fn() -> bool) {
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < until, "the test hangs");
        runtime.turn(Some(Duration::from_millis(10))).unwrap();
    }
}

#[test]
fn a_reader_is_called_when_bytes_arrive_and_at_the_end() {
    let mut runtime = Runtime::new().unwrap();
    let (mut theirs, mut ours) = UnixStream::pair().unwrap();
    let log = Rc::new(RefCell::new(Vec::new()));
    let callback = {
        let _entered = runtime.enter();
        let log = log.clone();
        let fd = theirs.try_clone().unwrap();
        add_reader(&fd, move || log.borrow_mut().push(theirs.read(&mut [0; 8]).unwrap())).unwrap()
    };
    turns(&mut runtime, 3);
    assert!(log.borrow().is_empty());
    ours.write_all(b"abc").unwrap();
    turn_until(&mut runtime, || !log.borrow().is_empty());
    turns(&mut runtime, 3);
    assert_eq!(*log.borrow(), [3]);
    ours.write_all(b"de").unwrap();
    turn_until(&mut runtime, || log.borrow().len() == 2);
    drop(ours);
    turn_until(&mut runtime, || log.borrow().len() >= 4);
    drop(callback);
    let calls = log.borrow().len();
    assert_eq!(log.borrow()[..4], [3, 2, 0, 0], "the end of the stream is a state");
    turns(&mut runtime, 3);
    assert_eq!(log.borrow().len(), calls, "no call after the drop");
}

#[test]
fn other_tasks_run_between_two_calls_of_a_callback_that_reads_nothing() {
    let mut runtime = Runtime::new().unwrap();
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    ours.write_all(b"x").unwrap();
    let log = Rc::new(RefCell::new(String::new()));
    let entered = runtime.enter();
    let calls = log.clone();
    let _callback = add_reader(&theirs, move || calls.borrow_mut().push('c')).unwrap();
    drop(entered);
    runtime.block_on(async {
        for _ in 0..20 {
            log.borrow_mut().push('t');
            evloop::task::yield_now().await;
        }
    });
    // Where mio emulates edges, the first calls may come later.
    let log = log.borrow();
    let first = log.find('c').expect("the callback is called");
    assert!(log[first..].starts_with("ctctctctct"), "{log}");
}

#[test]
fn a_reader_and_a_writer_share_a_descriptor() {
    let mut runtime = Runtime::new().unwrap();
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    let log = Rc::new(RefCell::new(Vec::new()));
    let entered = runtime.enter();
    let (reads, writes) = (log.clone(), log.clone());
    let _reader = add_reader(&theirs, move || reads.borrow_mut().push("reader")).unwrap();
    let writer = add_writer(&theirs, move || writes.borrow_mut().push("writer")).unwrap();
    drop(entered);
    turn_until(&mut runtime, || !log.borrow().is_empty());
    assert!(log.borrow().iter().all(|name| *name == "writer"));
    drop(writer);
    log.borrow_mut().clear();
    ours.write_all(b"x").unwrap();
    turn_until(&mut runtime, || !log.borrow().is_empty());
    assert!(log.borrow().iter().all(|name| *name == "reader"));
}

#[test]
fn a_callback_may_remove_itself() {
    let mut runtime = Runtime::new().unwrap();
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    ours.write_all(b"x").unwrap();
    let slot: Rc<Cell<Option<FdCallback>>> = Rc::default();
    let calls = Rc::new(Cell::new(0));
    let entered = runtime.enter();
    let (own, count) = (slot.clone(), calls.clone());
    let callback = add_reader(&theirs, move || {
        count.set(count.get() + 1);
        drop(own.take());
    });
    slot.set(Some(callback.unwrap()));
    drop(entered);
    turns(&mut runtime, 5);
    assert_eq!(calls.get(), 1);
}

#[test]
fn dropping_the_callback_drops_its_closure_and_duplicate() {
    let mut runtime = Runtime::new().unwrap();
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    let held = Rc::new(());
    let entered = runtime.enter();
    let in_closure = held.clone();
    let callback = add_reader(&theirs, move || drop(in_closure.clone())).unwrap();
    drop(entered);
    drop(theirs);
    turns(&mut runtime, 2);
    assert_eq!(Rc::strong_count(&held), 2);
    drop(callback);
    turns(&mut runtime, 2);
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0, "the duplicate is closed");
}

#[test]
fn a_detached_callback_stays_until_the_loop_ends() {
    let mut runtime = Runtime::new().unwrap();
    let (mut theirs, mut ours) = UnixStream::pair().unwrap();
    let read = Rc::new(Cell::new(0));
    let entered = runtime.enter();
    let (count, fd) = (read.clone(), theirs.try_clone().unwrap());
    let callback = add_reader(&fd, move || {
        count.set(count.get() + theirs.read(&mut [0; 8]).unwrap());
    });
    callback.unwrap().detach();
    drop((entered, fd));
    for bytes in 1..=3 {
        ours.write_all(b"x").unwrap();
        turn_until(&mut runtime, || read.get() == bytes);
    }
    drop(runtime);
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0, "the closure and the duplicate are dropped");
}

#[test]
fn the_panic_of_a_callback_is_reported_and_removes_it() {
    let errors = Rc::new(RefCell::new(Vec::new()));
    let seen = errors.clone();
    let mut runtime = Runtime::builder()
        .on_task_error(move |error| seen.borrow_mut().push(error.to_string()))
        .build()
        .unwrap();
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    ours.write_all(b"x").unwrap();
    let entered = runtime.enter();
    let callback = add_reader(&theirs, || panic!("out of paper")).unwrap();
    drop((entered, theirs));
    turn_until(&mut runtime, || !errors.borrow().is_empty());
    turns(&mut runtime, 3);
    assert_eq!(errors.borrow().len(), 1);
    assert!(errors.borrow()[0].ends_with("panicked: out of paper"), "{}", errors.borrow()[0]);
    // The end of the stream, or a reset since a byte was not read.
    assert!(!matches!(ours.read(&mut [0; 8]), Ok(1..)));
    drop(callback);
}

#[test]
fn files_are_refused_and_a_loop_is_needed() {
    evloop::block_on(async {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let error = add_reader(&file, || {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
    let outcome = std::panic::catch_unwind(|| drop(add_writer(io::stdout(), || {})));
    let message = outcome.unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("add_writer was called outside of a running loop"));
}

#[test]
fn async_fd_reads_and_writes_by_the_traits_of_futures_io() {
    evloop::block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) = (AsyncFd::new(one).unwrap(), AsyncFd::new(other).unwrap());
        let writer = async {
            one.write_all(b"hello").await.unwrap();
            one.flush().await.unwrap();
            drop(one);
        };
        let reader = async {
            let mut text = String::new();
            other.read_to_string(&mut text).await.unwrap();
            text
        };
        let (text, ()) = futures::join!(reader, writer);
        assert_eq!(text, "hello");
        let waits = evloop::time::timeout(Duration::from_millis(1), pending::<()>());
        assert!(waits.await.is_err());
    });
}

#[test]
fn reads_of_async_fd_by_reference_wait_in_both_directions() {
    evloop::block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let (one, other) = (AsyncFd::new(one).unwrap(), AsyncFd::new(other).unwrap());
        let data = vec![7; 1 << 20];
        let (mut writer, mut reader) = (&other, &one);
        let write = async { writer.write_all(&data).await.unwrap() };
        let read = async {
            let mut all = vec![0; 1 << 20];
            reader.read_exact(&mut all).await.unwrap();
            all
        };
        let ((), all) = futures::join!(write, read);
        assert!(all == data);
    });
}
