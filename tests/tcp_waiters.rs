//! Several waiters on one stream, and streams that move between tasks and loops.
//!
//! A turn polls only woken tasks, so `Turn::polled` counts wakes.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::time::timeout;
use evloop::{Handle, Runtime};
use futures::channel::oneshot;
use futures::stream::FuturesUnordered;
use futures::{AsyncReadExt, StreamExt, poll};
use rustix::event::{PollFd, PollFlags};

/// Runs a test in a process of its own.
#[allow(unreachable_pub)]
mod alone;

/// Counts the live bytes on the heap in this program's allocator.
#[allow(unreachable_pub)]
mod heap;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// The number of reads that are started and dropped.
const DROPPED: usize = 20_000;

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Returns a stream of the running loop and its peer.
fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (TcpStream::from_std(stream).unwrap(), peer)
}

/// Returns a stream of `runtime` and its peer. The first events of the new socket have been
/// handled.
fn pair_in(runtime: &mut Runtime) -> (Rc<TcpStream>, net::TcpStream) {
    let entered = runtime.enter();
    let (stream, peer) = pair();
    drop(entered);
    assert_eq!(turn(runtime), 0);
    (Rc::new(stream), peer)
}

/// Runs one turn without waiting. Returns how many tasks were polled.
fn turn(runtime: &mut Runtime) -> usize {
    runtime.turn(Some(Duration::ZERO)).unwrap().polled
}

/// Blocks until the system reports `flags` for a stream, without the loop's knowledge.
fn wait_for_flags(stream: &TcpStream, flags: PollFlags) {
    let mut fds = [PollFd::new(stream, flags)];
    while !fds[0].revents().contains(flags) {
        rustix::event::poll(&mut fds, None).unwrap();
    }
}

/// Writes until the send buffer is full. Returns the number of bytes.
fn fill(stream: &TcpStream) -> usize {
    let written = std::iter::repeat_with(|| stream.try_write(&[7; 65536]));
    written.map_while(Result::ok).sum()
}

async fn read_byte(stream: Rc<TcpStream>) -> u8 {
    let mut buf = [0];
    stream.read_exact(&mut buf).await.unwrap();
    buf[0]
}

/// A waker that counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn new() -> (Arc<Wakes>, Waker) {
        let wakes = Arc::new(Wakes::default());
        (wakes.clone(), wakes.into())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs one turn of the loop, in which the pending events of the selector are handled.
async fn turn_once() {
    let (done, turned) = oneshot::channel();
    // A call from outside runs after the selector was polled.
    Handle::current().call_threadsafe(move || done.send(()).unwrap());
    turned.await.unwrap();
}

#[test]
fn all_readers_are_woken_and_one_reads_the_byte() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let tasks: Vec<_> = (0..8).map(|_| runtime.spawn(read_byte(stream.clone()))).collect();
    assert_eq!(turn(&mut runtime), 8);
    for round in 0..8 {
        assert_eq!(turn(&mut runtime), 0);
        peer.write_all(&[round]).unwrap();
        wait_for_flags(&stream, PollFlags::IN);
        assert_eq!(turn(&mut runtime), 8 - usize::from(round));
        let finished = tasks.iter().filter(|task| task.is_finished()).count();
        assert_eq!(finished, usize::from(round) + 1);
    }
    let mut got: Vec<_> = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).collect();
    got.sort();
    assert_eq!(got, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn several_readers_get_each_byte_once() {
    let data: Vec<u8> = (0..300_000).map(|i| (i / 251 + i) as u8).collect();
    let (sent, got) = (data.clone(), Rc::new(RefCell::new(Vec::<u8>::new())));
    run(async {
        let (stream, mut peer) = pair();
        let stream = Rc::new(stream);
        let writer = thread::spawn(move || peer.write_all(&sent).unwrap());
        let read = |size: usize| {
            let (stream, got) = (stream.clone(), got.clone());
            evloop::spawn(async move {
                let mut buf = vec![0; size];
                loop {
                    match stream.read(&mut buf).await.unwrap() {
                        0 => return,
                        n => got.borrow_mut().extend(&buf[..n]),
                    }
                }
            })
        };
        let tasks: Vec<_> = (1..=8).map(|i| read(i * 7)).collect();
        for task in tasks {
            task.await.unwrap();
        }
        writer.join().unwrap();
    });
    assert!(*got.borrow() == data);
}

#[test]
fn several_writers_write_each_byte_once() {
    const EACH: usize = 3_000_000;
    run(async {
        let (stream, mut peer) = pair();
        let stream = Rc::new(stream);
        let write = |byte| {
            let stream = stream.clone();
            evloop::spawn(async move { stream.write_all(&vec![byte; EACH]).await })
        };
        let tasks: Vec<_> = (0..4).map(write).collect();
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            got
        });
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        drop(stream);
        let got = reader.join().unwrap();
        let count = |byte| got.iter().filter(|&&b| b == byte).count();
        assert_eq!([0, 1, 2, 3].map(count), [EACH; 4]);
    });
}

#[test]
fn a_reader_and_a_writer_wait_at_once() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let filled = fill(&stream);
    let reader = runtime.spawn(read_byte(stream.clone()));
    let writing = stream.clone();
    let writer = runtime.spawn(async move { writing.write_all(b"w").await });
    assert_eq!(turn(&mut runtime), 2);
    assert_eq!(turn(&mut runtime), 0);
    peer.write_all(b"r").unwrap();
    assert_eq!(runtime.block_on(timeout(LIMIT, reader)).unwrap().unwrap(), b'r');
    assert!(!writer.is_finished());
    let mut got = vec![0; filled];
    peer.read_exact(&mut got).unwrap();
    runtime.block_on(timeout(LIMIT, writer)).unwrap().unwrap().unwrap();
    peer.read_exact(&mut got[..1]).unwrap();
    assert_eq!(got[0], b'w');
}

#[test]
fn the_halves_wait_at_once_and_reunite() {
    run(async {
        let (stream, mut peer) = pair();
        let filled = fill(&stream);
        let (reading, writing) = stream.into_split();
        let reader = evloop::spawn(async move {
            let mut buf = [0; 4];
            reading.read_exact(&mut buf).await.unwrap();
            (reading, buf)
        });
        let writer = evloop::spawn(async move {
            writing.write_all(b"pong").await.unwrap();
            writing
        });
        turn_once().await;
        assert!(!reader.is_finished() && !writer.is_finished());
        peer.write_all(b"ping").unwrap();
        peer.read_exact(&mut vec![0; filled]).unwrap();
        let ((reading, ping), writing) = (reader.await.unwrap(), writer.await.unwrap());
        let mut pong = [0; 4];
        peer.read_exact(&mut pong).unwrap();
        assert_eq!((&ping, &pong), (b"ping", b"pong"));
        let stream = reading.reunite(writing).unwrap();
        stream.write_all(b"whole").await.unwrap();
        drop(stream);
        let mut rest = String::new();
        peer.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "whole");
    });
}

#[test]
fn halves_of_two_streams_do_not_reunite() {
    run(async {
        let ((one, _one), (two, mut peer)) = (pair(), pair());
        let ((read, _), (_, write)) = (one.into_split(), two.into_split());
        let error = read.reunite(write).unwrap_err();
        let (_, write) = (error.0, error.1);
        write.write_all(b"still open").await.unwrap();
        drop(write);
        let mut got = String::new();
        peer.read_to_string(&mut got).unwrap();
        assert_eq!(got, "still open");
    });
}

/// Starts reads, one after the other and many at once, and drops them.
fn drop_reads(stream: &TcpStream, cx: &mut Context<'_>) {
    let mut buf = [0];
    for _ in 0..DROPPED {
        assert!(pin!(stream.read(&mut buf)).poll(cx).is_pending());
    }
    let mut buf = [0; DROPPED];
    let reads = buf.chunks_mut(1).map(|buf| Box::pin(stream.read(buf)));
    let mut reads: Vec<_> = reads.collect();
    assert!(reads.iter_mut().all(|read| read.as_mut().poll(cx).is_pending()));
    // Neither in the order in which they were started nor in its reverse.
    while !reads.is_empty() {
        drop(reads.swap_remove(reads.len() / 3));
    }
}

#[test]
fn dropped_reads_leave_no_waiter() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let task = runtime.spawn(read_byte(stream.clone()));
    assert_eq!(turn(&mut runtime), 1);
    let (wakes, waker) = Wakes::new();
    drop_reads(&stream, &mut Context::from_waker(&waker));
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1, "a waker is still stored");
    peer.write_all(b"x").unwrap();
    wait_for_flags(&stream, PollFlags::IN);
    assert_eq!(turn(&mut runtime), 1);
    assert_eq!((task.is_finished(), wakes.count()), (true, 0));
}

#[test]
fn dropped_reads_leave_no_memory() {
    if !alone::is_here("dropped_reads_leave_no_memory") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    let (stream, _peer) = pair_in(&mut runtime);
    let mut cx = Context::from_waker(Waker::noop());
    // The first read returns WouldBlock, for which mio's selectors allocate.
    assert!(pin!(stream.read(&mut [0])).poll(&mut cx).is_pending());
    let before = heap::live();
    drop_reads(&stream, &mut cx);
    assert_eq!(heap::live(), before);
}

#[test]
fn a_single_waiter_allocates_nothing() {
    if !alone::is_here("a_single_waiter_allocates_nothing") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    let (stream, _peer) = pair_in(&mut runtime);
    assert_waits_without_memory(&stream);
}

#[test]
fn a_single_waiter_of_a_connected_stream_allocates_nothing() {
    if !alone::is_here("a_single_waiter_of_a_connected_stream_allocates_nothing") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let stream = runtime.block_on(TcpStream::connect(addr)).unwrap();
    assert_waits_without_memory(&stream);
}

#[test]
fn a_single_waiter_after_a_trait_read_allocates_nothing() {
    if !alone::is_here("a_single_waiter_after_a_trait_read_allocates_nothing") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let reading = stream.clone();
    let task =
        runtime.spawn(async move { AsyncReadExt::read(&mut &*reading, &mut [0]).await.unwrap() });
    assert_eq!(turn(&mut runtime), 1);
    peer.write_all(b"x").unwrap();
    assert_eq!(runtime.block_on(timeout(LIMIT, task)).unwrap().unwrap(), 1);
    assert_waits_without_memory(&stream);
}

fn assert_waits_without_memory(stream: &TcpStream) {
    let mut cx = Context::from_waker(Waker::noop());
    fill(stream);
    let mut buf = [0];
    let (mut read, mut write) = (pin!(stream.read(&mut buf)), pin!(stream.write(b"a")));
    let before = heap::live();
    assert!(read.as_mut().poll(&mut cx).is_pending());
    assert_eq!(heap::live(), before, "a read that waits");
    assert!(write.as_mut().poll(&mut cx).is_pending());
    assert_eq!(heap::live(), before, "a write that waits");
}

#[test]
fn a_woken_reader_that_is_dropped_leaves_the_byte_to_the_other() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let ((one, waker_one), (two, waker_two)) = (Wakes::new(), Wakes::new());
    let (mut buf_one, mut buf_two) = ([0], [0]);
    let mut read_one = Box::pin(stream.read(&mut buf_one));
    let mut read_two = Box::pin(stream.read(&mut buf_two));
    assert!(read_one.as_mut().poll(&mut Context::from_waker(&waker_one)).is_pending());
    assert!(read_two.as_mut().poll(&mut Context::from_waker(&waker_two)).is_pending());
    peer.write_all(b"x").unwrap();
    wait_for_flags(&stream, PollFlags::IN);
    assert_eq!(turn(&mut runtime), 0);
    assert_eq!((one.count(), two.count()), (1, 1));
    drop(read_one);
    let polled = read_two.as_mut().poll(&mut Context::from_waker(&waker_two));
    assert!(matches!(polled, Poll::Ready(Ok(1))));
    drop(read_two);
    assert_eq!(&buf_two, b"x");
}

#[test]
fn the_second_waiter_is_woken_after_the_first_is_dropped() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let (mut buf_one, mut buf_two, mut buf_three) = ([0], [0], [0]);
    let mut one = Box::pin(stream.read(&mut buf_one));
    let mut two = Box::pin(stream.read(&mut buf_two));
    let mut three = Box::pin(stream.read(&mut buf_three));
    assert!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(two.as_mut().poll(&mut cx).is_pending());
    drop(one);
    // The third read uses the slot that is free now. Its drop must not remove another read's waker.
    assert!(three.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(two.as_mut().poll(&mut cx).is_pending());
    drop(three);
    peer.write_all(b"x").unwrap();
    wait_for_flags(&stream, PollFlags::IN);
    turn(&mut runtime);
    assert_eq!(wakes.count(), 1);
    assert!(matches!(two.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
}

#[test]
fn a_waiter_wakes_the_task_that_polled_it_last() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let ((old, waker_old), (new, waker_new)) = (Wakes::new(), Wakes::new());
    let mut bufs = [[0]; 2];
    let mut reads: Vec<_> = bufs.iter_mut().map(|buf| Box::pin(stream.read(buf))).collect();
    for waker in [&waker_old, &waker_new] {
        for read in &mut reads {
            assert!(read.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
    }
    peer.write_all(b"x").unwrap();
    wait_for_flags(&stream, PollFlags::IN);
    turn(&mut runtime);
    assert_eq!((old.count(), new.count()), (0, 2));
}

/// The first task waits by a waker of another crate, which is user code, the others by their own.
#[test]
fn one_wait_wakes_the_tasks_in_the_order_of_the_events() {
    let mut runtime = Runtime::new().unwrap();
    let read = Rc::new(RefCell::new(Vec::new()));
    let mut pairs: Vec<_> = (0..3).map(|_| pair_in(&mut runtime)).collect();
    for (place, (stream, _)) in pairs.iter().enumerate() {
        let (stream, read) = (stream.clone(), read.clone());
        drop(runtime.spawn(async move {
            if place == 0 {
                FuturesUnordered::from_iter([read_byte(stream)]).next().await.unwrap();
            } else {
                read_byte(stream).await;
            }
            read.borrow_mut().push(place);
        }));
    }
    while turn(&mut runtime) > 0 {}
    for (stream, peer) in &mut pairs {
        peer.write_all(b"x").unwrap();
        wait_for_flags(stream, PollFlags::IN);
    }
    while turn(&mut runtime) > 0 {}
    let mut read = read.take();
    if cfg!(mio_unsupported_force_poll_poll) {
        // mio's selector of poll(2) reports events in any order.
        read.sort_unstable();
    }
    assert_eq!(read, [0, 1, 2]);
}

#[test]
fn an_event_of_a_replaced_socket_does_not_reach_the_new_one() {
    let mut runtime = Runtime::new().unwrap();
    let (first, mut first_peer) = pair_in(&mut runtime);
    let (second, mut second_peer) = pair_in(&mut runtime);
    let watch = (first.clone(), second.clone());
    let doomed = runtime.spawn(async move {
        read_byte(second.clone()).await;
        std::future::pending::<()>().await;
    });
    let task = runtime.spawn(async move {
        assert_eq!(read_byte(first).await, 1);
        doomed.cancel().await.unwrap_err();
        // The new socket has the descriptor and the key of the one that was ready.
        let (new, mut peer) = pair();
        let mut buf = [0];
        let mut read = Box::pin(new.read(&mut buf));
        assert!(poll!(&mut read).is_pending());
        turn_once().await;
        assert!(poll!(&mut read).is_pending());
        peer.write_all(&[3]).unwrap();
        assert_eq!(read.await.unwrap(), 1);
        buf[0]
    });
    assert_eq!(turn(&mut runtime), 2);
    first_peer.write_all(&[1]).unwrap();
    second_peer.write_all(&[2]).unwrap();
    wait_for_flags(&watch.0, PollFlags::IN);
    wait_for_flags(&watch.1, PollFlags::IN);
    drop(watch);
    assert_eq!(runtime.block_on(timeout(LIMIT, task)).unwrap().unwrap(), 3);
}

#[test]
fn an_event_of_a_dropped_socket_is_ignored() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    peer.write_all(b"x").unwrap();
    wait_for_flags(&stream, PollFlags::IN);
    drop(stream);
    let (new, _peer) = pair_in(&mut runtime);
    let task = runtime.spawn(read_byte(new));
    assert_eq!(turn(&mut runtime), 1);
    assert_eq!(turn(&mut runtime), 0);
    assert!(!task.is_finished());
}

#[test]
fn a_stream_moves_from_task_to_task() {
    let mut runtime = Runtime::new().unwrap();
    let (stream, mut peer) = pair_in(&mut runtime);
    let witness = stream.clone();
    let (sender, receiver) = oneshot::channel();
    let first = runtime.spawn(async move {
        let mut buf = [0];
        assert!(poll!(Box::pin(stream.read(&mut buf))).is_pending());
        let _ = sender.send(stream);
        std::future::pending::<()>().await;
    });
    let second = runtime.spawn(async move { read_byte(receiver.await.unwrap()).await });
    runtime.run_until_stalled().unwrap();
    peer.write_all(b"x").unwrap();
    wait_for_flags(&witness, PollFlags::IN);
    assert_eq!(turn(&mut runtime), 1, "the first task no longer waits");
    assert_eq!(runtime.block_on(second).unwrap(), b'x');
    drop(first);
}

#[test]
fn after_the_end_of_its_loop_a_stream_is_not_connected() {
    let (stream, peer, listener) = run(async {
        let (stream, peer) = pair();
        (stream, peer, TcpListener::bind("127.0.0.1:0").await.unwrap())
    });
    run(async {
        let mut buf = [0; 8];
        let errors = [
            stream.read(&mut buf).await.unwrap_err(),
            stream.peek(&mut buf).await.unwrap_err(),
            stream.write(b"a").await.unwrap_err(),
            stream.write_all(b"a").await.unwrap_err(),
            stream.readable().await.unwrap_err(),
            stream.writable().await.unwrap_err(),
            listener.accept().await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::NotConnected);
            assert!(error.to_string().contains("the event loop"), "{error}");
        }
    });
    // The socket can still be taken out, and continues in another loop.
    let stream = stream.into_std().unwrap();
    run(async {
        let stream = TcpStream::from_std(stream).unwrap();
        (&peer).write_all(b"on").unwrap();
        let mut buf = [0; 2];
        stream.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"on");
    });
}

#[test]
fn the_end_of_a_loop_wakes_waiters_in_another_loop() {
    let (mut inner, mut outer) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (stream, _peer) = pair_in(&mut inner);
    fill(&stream);
    let (reading, writing) = (stream.clone(), stream);
    let read = outer.spawn(async move { reading.read(&mut [0]).await.unwrap_err().kind() });
    let write = outer.spawn(async move { writing.write(&[0]).await.unwrap_err().kind() });
    assert_eq!(turn(&mut outer), 2);
    drop(inner);
    assert_eq!(turn(&mut outer), 2);
    for task in [read, write] {
        assert_eq!(outer.block_on(task).unwrap(), ErrorKind::NotConnected);
    }
}

#[test]
fn a_stream_of_one_loop_wakes_a_task_of_another() {
    let (mut inner, mut outer) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (stream, mut peer) = pair_in(&mut inner);
    let task = outer.spawn(read_byte(stream.clone()));
    assert_eq!(turn(&mut outer), 1);
    peer.write_all(b"x").unwrap();
    wait_for_flags(&stream, PollFlags::IN);
    assert_eq!(turn(&mut outer), 0, "its own loop has not run");
    assert_eq!(turn(&mut inner), 0);
    assert_eq!(turn(&mut outer), 1);
    assert_eq!(outer.block_on(task).unwrap(), b'x');
}
