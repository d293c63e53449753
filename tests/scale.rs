//! The cost of a task, a timer and a socket does not grow with their number.
//!
//! Costs are counts: polls, turns, bytes on the heap. Each test runs in its own process.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::io::{Read, Write};
use std::net;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::task::{self, JoinSet, yield_now};
use evloop::time::sleep;
use evloop::{JoinHandle, Runtime, spawn};

/// Runs a test in a process of its own.
#[allow(unreachable_pub)]
mod alone;

/// Live heap bytes, counted by the allocator of this test.
#[allow(unreachable_pub)]
mod heap;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer than a test takes.
const FAR: Duration = Duration::from_secs(3600);
/// The most memory that the first task of a size allocates.
const CHUNK: u64 = 16 << 10;
/// The most bytes on the heap of an idle connection with a buffer of 16 bytes. mio's poll(2)
/// selector has a record of its own for each.
const CONNECTION_MAX: u64 = if cfg!(mio_unsupported_force_poll_poll) { 1024 } else { 410 };
/// The maximum number of polls in a turn.
const BATCH_MAX: usize = 256;
/// The maximum number of outputs that a task takes in one poll.
const JOINED_PER_POLL: usize = 128;
/// Powers of two: a vector that doubles its capacity has the same spare share for each of them.
const MANY: [usize; 3] = [1 << 10, 1 << 13, 1 << 17];
const SOCKETS: [usize; 3] = [50, 500, 5000];

/// The number of turns and polls until a loop has no work left.
#[derive(Debug, PartialEq)]
struct Cost {
    turns: usize,
    polls: usize,
}

fn run_until_idle(runtime: &mut Runtime) -> Cost {
    let mut cost = Cost { turns: 0, polls: 0 };
    loop {
        let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
        cost.turns += 1;
        cost.polls += turn.polled;
        if turn.ready_left == 0 {
            return cost;
        }
    }
}

/// Returns the bytes that `make` adds to the heap of a warm loop, divided by `count`.
fn bytes_each(count: usize, make: impl FnOnce(&mut Runtime)) -> u64 {
    let mut runtime = Runtime::new().unwrap();
    let before = heap::live();
    make(&mut runtime);
    (heap::live() - before) / count as u64
}

/// Asserts that no cost exceeds the first, that of the smallest number, by more than `slack`.
fn assert_constant(costs: &[u64], slack: u64) {
    assert!(costs.iter().all(|cost| *cost <= costs[0] + slack), "{costs:?}");
}

#[test]
fn polls_and_turns_per_task_are_constant() {
    if !alone::is_here("polls_and_turns_per_task_are_constant") {
        return;
    }
    for count in MANY {
        let mut runtime = Runtime::new().unwrap();
        for _ in 0..count {
            drop(runtime.spawn(async {
                yield_now().await;
                yield_now().await;
            }));
        }
        let polls = 3 * count;
        let cost = run_until_idle(&mut runtime);
        assert_eq!(cost.polls, polls);
        // A turn in which the thread is suspended ends before it is full.
        let full = polls / BATCH_MAX;
        assert!((full..=full + full / 4).contains(&cost.turns), "{cost:?}");
    }
}

#[test]
fn memory_per_task_is_constant() {
    if !alone::is_here("memory_per_task_is_constant") {
        return;
    }
    let costs = MANY.map(|count| {
        bytes_each(count, |runtime| {
            (0..count).for_each(|_| drop(runtime.spawn(pending::<()>())));
            run_until_idle(runtime);
        })
    });
    // The run queue may have a sixteenth of its slots, of 16 bytes each, to spare.
    assert_constant(&costs, 2);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_waiting_task_with_one_variable_takes_106_bytes() {
    if !alone::is_here("a_waiting_task_with_one_variable_takes_106_bytes") {
        return;
    }
    let variable = Rc::new(());
    let count = MANY[2];
    let cost = bytes_each(count, |runtime| {
        for _ in 0..count {
            let variable = variable.clone();
            drop(runtime.spawn(poll_fn(move |_| {
                assert!(Rc::strong_count(&variable) > 1);
                Poll::<()>::Pending
            })));
        }
        run_until_idle(runtime);
    });
    assert!(cost <= 106, "{cost}");
}

#[test]
fn memory_per_scope_child_and_join_set_member_is_constant() {
    if !alone::is_here("memory_per_scope_child_and_join_set_member_is_constant") {
        return;
    }
    let members = MANY.map(|count| {
        bytes_each(count, |runtime| {
            drop(runtime.spawn(async move {
                let mut set = JoinSet::new();
                (0..count).for_each(|_| drop(set.spawn(pending::<()>())));
                set.join_next().await;
            }));
            run_until_idle(runtime);
        })
    });
    assert_constant(&members, 2);
    let children = MANY.map(|count| {
        bytes_each(count, |runtime| {
            drop(runtime.spawn(task::scope(async move |s| {
                (0..count).for_each(|_| drop(s.spawn(pending::<()>())));
            })));
            run_until_idle(runtime);
        })
    });
    assert_constant(&children, 2);
}

#[test]
fn a_task_spawned_between_turns_needs_no_more_memory() {
    if !alone::is_here("a_task_spawned_between_turns_needs_no_more_memory") {
        return;
    }
    let count = MANY[1];
    let in_turn = bytes_each(count, |runtime| {
        runtime.block_on(async { (0..count).for_each(|_| drop(spawn(pending::<()>()))) });
    });
    let between = bytes_each(count, |runtime| {
        (0..count).for_each(|_| drop(runtime.spawn(pending::<()>())));
    });
    assert_eq!(between, in_turn);
}

#[test]
fn polls_per_join_set_member_are_constant() {
    if !alone::is_here("polls_per_join_set_member_are_constant") {
        return;
    }
    for count in MANY {
        let mut runtime = Runtime::new().unwrap();
        drop(runtime.spawn(async move {
            let mut set = JoinSet::new();
            (0..count).for_each(|i| drop(set.spawn(async move { i })));
            for i in 0..count {
                assert_eq!(set.join_next().await.unwrap().unwrap(), i);
            }
        }));
        let cost = run_until_idle(&mut runtime);
        assert_eq!(cost.polls, count + 1 + count / JOINED_PER_POLL);
        assert!(cost.turns <= cost.polls / BATCH_MAX * 5 / 4 + 1, "{cost:?}");
    }
}

#[test]
fn the_cost_of_a_busy_task_is_constant_among_idle_ones() {
    if !alone::is_here("the_cost_of_a_busy_task_is_constant_among_idle_ones") {
        return;
    }
    for count in MANY {
        let mut runtime = Runtime::new().unwrap();
        (0..count).for_each(|_| drop(runtime.spawn(pending::<()>())));
        run_until_idle(&mut runtime);
        let live = heap::live();
        let task = runtime.spawn(async {
            for _ in 1..BATCH_MAX * 4 {
                yield_now().await;
            }
        });
        let cost = run_until_idle(&mut runtime);
        assert_eq!(cost.polls, BATCH_MAX * 4);
        assert!((4..8).contains(&cost.turns), "{cost:?}");
        drop(task);
        for _ in 0..100 {
            drop(runtime.spawn(async {}));
            assert_eq!(run_until_idle(&mut runtime), Cost { turns: 1, polls: 1 });
        }
        assert!(heap::live() - live <= 2 * CHUNK, "memory for two more types of tasks");
    }
}

#[test]
fn memory_per_timer_is_constant() {
    if !alone::is_here("memory_per_timer_is_constant") {
        return;
    }
    let costs = MANY.map(|count| {
        bytes_each(count, |runtime| {
            let later = |i| FAR + Duration::from_micros(i as u64 * 7919 % 1_000_000);
            (0..count).for_each(|i| drop(runtime.spawn(async move { sleep(later(i)).await })));
            run_until_idle(runtime);
        })
    });
    assert_constant(&costs, 2);
}

#[test]
fn setting_and_cancelling_a_timer_allocates_nothing() {
    if !alone::is_here("setting_and_cancelling_a_timer_allocates_nothing") {
        return;
    }
    for count in MANY {
        let mut runtime = Runtime::new().unwrap();
        (0..count).for_each(|_| drop(runtime.spawn(sleep(FAR))));
        let rounds = async || {
            for i in 0..1000 {
                let short = Duration::from_secs(i % 100);
                evloop::time::timeout(FAR + short, yield_now()).await.unwrap();
            }
        };
        runtime.block_on(rounds());
        let live = heap::live();
        runtime.block_on(rounds());
        assert_eq!(heap::live(), live);
    }
}

#[test]
fn each_of_many_timers_is_polled_twice() {
    if !alone::is_here("each_of_many_timers_is_polled_twice") {
        return;
    }
    for count in MANY {
        let mut runtime = Runtime::new().unwrap();
        let tasks: Vec<_> = (0..count)
            .map(|i| {
                runtime.spawn(async move { sleep(Duration::from_micros(50 + i as u64)).await })
            })
            .collect();
        let mut polls = 0;
        while tasks.iter().rev().any(|task| !task.is_finished()) {
            polls += runtime.turn(Some(LIMIT)).unwrap().polled;
        }
        assert_eq!(polls, 2 * count);
    }
}

/// Opens connections with an echo task for each. Returns their peers.
fn connect(runtime: &mut Runtime, count: usize) -> Vec<net::TcpStream> {
    let listener = Rc::new(runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap());
    let addr = listener.local_addr().unwrap();
    let mut peers = Vec::with_capacity(count);
    for _ in 0..count {
        peers.push(net::TcpStream::connect(addr).unwrap());
        let (stream, _) = runtime.block_on(listener.accept()).unwrap();
        drop(runtime.spawn(echo(stream)));
    }
    run_until_idle(runtime);
    peers
}

async fn echo(stream: TcpStream) {
    loop {
        let mut buf = [0; 16];
        let n = stream.read(&mut buf).await.unwrap();
        stream.write_all(&buf[..n]).await.unwrap();
    }
}

#[test]
fn an_echo_costs_one_poll_and_one_turn_among_many_sockets() {
    if !alone::is_here("an_echo_costs_one_poll_and_one_turn_among_many_sockets") {
        return;
    }
    const ROUNDS: usize = 200;
    for count in SOCKETS {
        let mut runtime = Runtime::new().unwrap();
        let mut peers = connect(&mut runtime, count);
        let mut cost = Cost { turns: 0, polls: 0 };
        for round in 0..ROUNDS {
            let peer = &mut peers[round * 37 % count];
            peer.write_all(b"echo").unwrap();
            let mut polled = 0;
            while polled == 0 {
                polled = runtime.turn(Some(LIMIT)).unwrap().polled;
                cost.turns += 1;
            }
            cost.polls += polled;
            let mut buf = [0; 4];
            peer.read_exact(&mut buf).unwrap();
            assert_eq!(&buf, b"echo");
        }
        assert_eq!(cost.polls, ROUNDS);
        // The poll(2) selector reports writability again after each WouldBlock.
        if cfg!(not(mio_unsupported_force_poll_poll)) {
            assert_eq!(cost.turns, ROUNDS);
        }
    }
}

#[test]
fn memory_per_idle_connection_is_constant_and_small() {
    if !alone::is_here("memory_per_idle_connection_is_constant_and_small") {
        return;
    }
    let costs = [1 << 7, 1 << 10, 1 << 12].map(|count| {
        let mut peers = Vec::new();
        bytes_each(count, |runtime| peers = connect(runtime, count))
    });
    assert!(costs.iter().all(|cost| *cost <= CONNECTION_MAX), "{costs:?}");
    assert_constant(&costs[1..], 32);
    assert!(costs[2] <= costs[0] + 32, "{costs:?}");
}

/// Completes when it is woken. Until then its waker is in `wakers`.
fn parked(wakers: &Rc<RefCell<Vec<Waker>>>) -> impl Future<Output = ()> + use<> {
    let mut wakers = Some(wakers.clone());
    poll_fn(move |cx| match wakers.take() {
        Some(wakers) => {
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
}

#[test]
fn a_task_woken_many_times_takes_one_entry() {
    if !alone::is_here("a_task_woken_many_times_takes_one_entry") {
        return;
    }
    let mut runtime = Runtime::new().unwrap();
    let wakers = Rc::default();
    let task = runtime.spawn(parked(&wakers));
    run_until_idle(&mut runtime);
    let live = heap::live();
    // The loop is in no turn: the wakes go through the inbox, as from another thread.
    (0..1_000_000).for_each(|_| wakers.borrow()[0].wake_by_ref());
    assert!(heap::live() - live < 1024);
    assert_eq!(run_until_idle(&mut runtime), Cost { turns: 1, polls: 1 });
    assert!(task.is_finished());
}

/// Makes many objects of one kind at once, and drops them.
type Burst = fn(&mut Runtime);

const BURST: usize = 100_000;

const BURSTS: [(&str, Burst); 7] = [
    ("tasks", |runtime| (0..BURST).for_each(|_| drop(runtime.spawn(yield_now())))),
    ("calls", |runtime| {
        let handle = runtime.handle();
        (0..BURST).for_each(|_| handle.call_threadsafe(|| ()));
    }),
    ("wakes from elsewhere", |runtime| {
        let wakers = Rc::default();
        (0..BURST).for_each(|_| drop(runtime.spawn(parked(&wakers))));
        run_until_idle(runtime);
        wakers.take().into_iter().for_each(Waker::wake);
    }),
    ("names of local values", |runtime| {
        let _entered = runtime.enter();
        drop((0..BURST).map(task::Local::new).collect::<Vec<_>>());
    }),
    ("timers that fire", |runtime| {
        (0..BURST).for_each(|_| drop(runtime.spawn(sleep(Duration::from_millis(1)))));
        runtime.block_on(sleep(Duration::from_millis(1)));
    }),
    ("timers that are taken back", |runtime| {
        let tasks: Vec<_> = (0..BURST).map(|_| runtime.spawn(sleep(FAR))).collect();
        run_until_idle(runtime);
        tasks.iter().for_each(JoinHandle::abort);
    }),
    ("readers of one socket", |runtime| {
        let (stream, peer) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (Rc::new(listener.accept().await.unwrap().0), peer)
        });
        for _ in 0..BURST {
            let stream = stream.clone();
            drop(runtime.spawn(async move { assert_eq!(stream.read(&mut [0]).await.unwrap(), 0) }));
        }
        run_until_idle(runtime);
        drop(peer);
        assert_eq!(runtime.block_on(stream.read(&mut [0])).unwrap(), 0);
    }),
];

#[test]
fn memory_is_freed_after_a_burst() {
    if !alone::is_here("memory_is_freed_after_a_burst") {
        return;
    }
    /// The bytes that may be kept for the next burst: a few for each object.
    const KEPT: u64 = 4 * BURST as u64;
    for (what, burst) in BURSTS {
        let mut runtime = Runtime::new().unwrap();
        let before = heap::live();
        burst(&mut runtime);
        run_until_idle(&mut runtime);
        runtime.run_until_stalled().unwrap();
        // The loop has no work left, so this turn is about to wait.
        assert_eq!(run_until_idle(&mut runtime), Cost { turns: 1, polls: 0 }, "{what}");
        let kept = heap::live() - before;
        assert!(kept < KEPT, "{what}: {kept} bytes");
    }
}

#[test]
fn memory_of_a_million_tasks_is_freed() {
    if !alone::is_here("memory_of_a_million_tasks_is_freed") {
        return;
    }
    // The loop and the first handle make what stays for the whole thread.
    drop(Runtime::new().unwrap().spawn(async {}));
    let before = heap::live();
    let mut runtime = Runtime::new().unwrap();
    let idle = heap::live();
    for i in 0..500_000_u64 {
        drop(runtime.spawn(async {}));
        drop(runtime.spawn(yield_now()));
        if i % 500 == 0 {
            drop(runtime.spawn(held_for_a_yield([i; 20])));
            // Larger than a block of a chunk.
            drop(runtime.spawn(held_for_a_yield([i; 200])));
        }
    }
    run_until_idle(&mut runtime);
    run_until_idle(&mut runtime);
    assert!(heap::live() - idle > 2000 * CHUNK, "one turn frees a piece of the memory");
    // A wait would keep the rest: the next turns come at once, and do not wait.
    while runtime.next_deadline().is_some() {
        runtime.turn(Some(FAR)).unwrap();
    }
    let kept = heap::live() - idle;
    assert!(kept < 24 * CHUNK, "{kept} bytes");

    // Handles that outlive their loop keep their tasks alone.
    let handles: Vec<_> = (0..1000).map(|i| runtime.spawn(async move { i })).collect();
    run_until_idle(&mut runtime);
    drop(runtime);
    assert!(handles.iter().all(JoinHandle::is_finished));
    drop(handles);
    assert_eq!(heap::live(), before);
}

#[test]
fn memory_of_many_timers_is_freed_in_pieces() {
    if !alone::is_here("memory_of_many_timers_is_freed_in_pieces") {
        return;
    }
    /// The most bytes that one turn frees: 4 MiB, and the spare capacity.
    const PIECE: u64 = 5 << 20;
    /// So many that little capacity is spare.
    const TIMERS: usize = (1 << 20) - 1_000;
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let mut timers: Vec<_> = (0..TIMERS).map(|_| Box::pin(sleep(FAR))).collect();
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(timers.iter_mut().all(|timer| timer.as_mut().poll(cx).is_pending()));
    drop(entered);
    let last = timers.pop();
    drop(timers);
    let mut live = heap::live();
    assert!(live > 2 * PIECE);
    drop(last);
    let mut pieces = vec![live - heap::live()];
    while runtime.next_deadline().is_some() {
        live = heap::live();
        // The rest of the memory is freed at once: the loop does not wait.
        runtime.turn(Some(FAR)).unwrap();
        pieces.push(live - heap::live());
    }
    assert!(pieces.len() >= 3 && pieces.iter().all(|piece| *piece <= PIECE), "{pieces:?}");
    assert!(heap::live() < PIECE / 4, "{}", heap::live());
}

async fn held_for_a_yield<T>(value: T) -> T {
    yield_now().await;
    value
}
