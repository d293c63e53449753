//! Hosted turns: another loop with a waker of its own drives a loop. The host of these tests is a
//! plain loop around poll(2).
#![cfg(all(unix, not(mio_unsupported_force_poll_poll)))]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use evloop::net::UnixStream;
use evloop::runtime::{HostedTurn, Instrument};
use evloop::time::sleep;
use evloop::{Runtime, block_on, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Far longer than these tests take: a wait that reaches it has failed.
const HANG: Duration = Duration::from_secs(60);

/// Far more turns than a test needs: a host that always finds work left has failed.
const TURNS_MAX: usize = 10_000;

/// The waker of a host: counts its wakes, and ends the host's wait.
struct Bell {
    wakes: AtomicUsize,
    sender: StdStream,
}

/// A host, and the loop that it drives.
struct Host {
    runtime: Runtime,
    bell: Arc<Bell>,
    receiver: StdStream,
}

/// A task that waits to be woken, for ever.
#[derive(Default)]
struct Waiting {
    polls: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        (&self.sender).write_all(&[1]).unwrap();
    }
}

fn bell() -> (Arc<Bell>, StdStream) {
    let (sender, receiver) = StdStream::pair().unwrap();
    receiver.set_nonblocking(true).unwrap();
    (Arc::new(Bell { wakes: AtomicUsize::new(0), sender }), receiver)
}

impl Host {
    fn new() -> Host {
        Host::of(Runtime::new().unwrap())
    }

    fn of(runtime: Runtime) -> Host {
        let (bell, receiver) = bell();
        let mut host = Host { runtime, bell, receiver };
        // From here on the loop wakes the host.
        assert_eq!(host.turn(), (0, false));
        host
    }

    /// Makes a host whose loop has a task that waits to be woken.
    fn waiting() -> (Host, Rc<Waiting>) {
        let mut host = Host::new();
        let waiting = Waiting::spawned(&host.runtime);
        assert_eq!(host.reports(), (1, false));
        assert_eq!(host.turn(), (1, false));
        assert_eq!(host.reports(), (0, false));
        (host, waiting)
    }

    fn turn_with(&mut self, is_readable: bool) -> HostedTurn {
        self.runtime.turn_hosted(&Waker::from(self.bell.clone()), is_readable).unwrap()
    }

    /// Runs a turn that does not ask the selector. Returns the polls, and whether work is left.
    fn turn(&mut self) -> (usize, bool) {
        let turn = self.turn_with(false);
        (turn.polled, turn.is_work_left)
    }

    /// Returns how often the waker was woken since the last call, and whether the descriptor is
    /// readable.
    fn reports(&self) -> (usize, bool) {
        (self.bell.wakes.swap(0, Ordering::SeqCst), is_readable(&self.runtime))
    }

    /// Drives the loop until `is_done`. Waits in poll(2) between two turns. Returns the turns.
    fn run_until(&mut self, is_done: impl Fn() -> bool) -> usize {
        let mut is_readable = false;
        for turns in 1..=TURNS_MAX {
            let turn = self.turn_with(is_readable);
            if is_done() {
                return turns;
            }
            let left = turn.next_deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let limit = if turn.is_work_left { Duration::ZERO } else { left.unwrap_or(HANG) };
            let mut fds = [
                PollFd::new(&self.runtime, PollFlags::IN),
                PollFd::new(&self.receiver, PollFlags::IN),
            ];
            let ready = poll(&mut fds, Some(&Timespec::try_from(limit).unwrap())).unwrap();
            assert!(ready > 0 || turn.is_work_left || left.is_some(), "nothing ends the wait");
            is_readable = !fds[0].revents().is_empty();
            let _ = (&self.receiver).read(&mut [0; 64]);
        }
        panic!("{TURNS_MAX} turns were not enough")
    }
}

impl Waiting {
    fn spawned(runtime: &Runtime) -> Rc<Waiting> {
        let waiting = Rc::new(Waiting::default());
        runtime.spawn(waiting.clone().wait()).detach();
        waiting
    }

    async fn wait(self: Rc<Waiting>) {
        poll_fn(|cx| {
            self.polls.set(self.polls.get() + 1);
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    }

    fn waker(&self) -> Waker {
        self.waker.borrow().clone().expect("the task was polled")
    }
}

fn is_readable(runtime: &Runtime) -> bool {
    let mut fds = [PollFd::new(runtime, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

fn wake_elsewhere(waker: Waker) {
    thread::spawn(|| waker.wake()).join().unwrap();
}

#[test]
fn wakes_between_two_turns_wake_the_host_once_and_leave_the_descriptor_alone() {
    let (mut host, waiting) = Host::waiting();
    for round in 1..4 {
        for wake in [Waker::wake, wake_elsewhere] {
            wake(waiting.waker());
            wake(waiting.waker());
            assert_eq!(host.reports(), (1, false), "in round {round}");
            assert_eq!(host.turn(), (1, false));
            assert_eq!(host.reports(), (0, false));
        }
    }
    assert_eq!(waiting.polls.get(), 7);
}

#[test]
fn a_spawn_a_call_and_an_abort_between_two_turns_wake_the_host() {
    let (mut host, _) = Host::waiting();
    let task = host.runtime.spawn(pending::<()>());
    assert_eq!(host.reports(), (1, false));
    assert_eq!(host.turn(), (1, false));
    host.runtime.handle().call_threadsafe(|| {});
    assert_eq!(host.reports(), (1, false));
    assert_eq!(host.turn(), (1, false));
    task.abort();
    assert_eq!(host.reports(), (1, false));
    assert_eq!(host.turn(), (0, false));
    assert!(task.is_finished());
}

#[test]
fn a_wake_during_a_turn_wakes_no_host() {
    let mut host = Host::new();
    let task = host.runtime.spawn(async {
        poll_fn(|cx| {
            wake_elsewhere(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
        // This wake comes after the turn has drained the inbox.
        let mut is_woken = false;
        poll_fn(|cx| {
            if is_woken {
                return Poll::Ready(());
            }
            is_woken = true;
            wake_elsewhere(cx.waker().clone());
            Poll::Pending
        })
        .await;
    });
    host.reports();
    assert_eq!(host.turn(), (1, true));
    assert_eq!(host.reports(), (0, false));
    assert_eq!(host.turn(), (1, false));
    assert!(task.is_finished());
}

#[test]
fn each_of_a_thousand_wakes_from_another_thread_ends_the_hosts_wait() {
    let (mut host, waiting) = Host::waiting();
    let (sender, receiver) = mpsc::channel::<Waker>();
    let thread = thread::spawn(move || receiver.iter().for_each(Waker::wake));
    for round in 0..1000 {
        sender.send(waiting.waker()).unwrap();
        host.run_until(|| waiting.polls.get() == round + 2);
    }
    drop(sender);
    thread.join().unwrap();
}

#[test]
fn the_waker_of_the_last_turn_counts() {
    let (mut host, waiting) = Host::waiting();
    let first = host.bell.clone();
    (host.bell, host.receiver) = bell();
    host.turn();
    assert_eq!(Arc::strong_count(&first), 1);
    waiting.waker().wake();
    assert_eq!((first.wakes.load(Ordering::SeqCst), host.reports()), (0, (1, false)));
}

#[test]
fn the_selector_is_asked_only_if_its_descriptor_is_readable() {
    let mut host = Host::new();
    let (ours, theirs) = StdStream::pair().unwrap();
    let task = {
        let _entered = host.runtime.enter();
        let ours = UnixStream::from_std(ours).unwrap();
        host.runtime.spawn(async move { ours.read_exact(&mut [0]).await.unwrap() })
    };
    host.run_until(|| true);
    while is_readable(&host.runtime) {
        host.turn_with(true);
    }
    (&theirs).write_all(b"x").unwrap();
    assert_eq!(host.turn(), (0, false));
    assert!(is_readable(&host.runtime));
    assert_eq!(host.turn_with(true).polled, 1);
    assert!(task.is_finished());
}

/// Returns the peers of sockets. For each socket a task counts the bytes that it reads, one by one.
fn readers(runtime: &Runtime, count: usize) -> (Vec<StdStream>, Rc<Cell<usize>>) {
    let served = Rc::new(Cell::new(0));
    let _entered = runtime.enter();
    let peers = (0..count).map(|_| {
        let (ours, theirs) = StdStream::pair().unwrap();
        let (ours, served) = (UnixStream::from_std(ours).unwrap(), served.clone());
        spawn(async move {
            while ours.read(&mut [0]).await.unwrap() == 1 {
                served.set(served.get() + 1);
            }
        })
        .detach();
        theirs
    });
    (peers.collect(), served)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn an_edge_triggered_host_serves_more_sockets_than_a_turn_receives_events() {
    use rustix::event::epoll;

    let mut host = Host::of(Runtime::builder().events_capacity(3).build().unwrap());
    let edges = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&edges, &host.runtime, epoll::EventData::new_u64(0), flags).unwrap();
    let has_edge = || {
        let mut event = [epoll::Event { flags, data: epoll::EventData::new_u64(0) }];
        epoll::wait(&edges, &mut event, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    };
    let (peers, served) = readers(&host.runtime, 64);
    let settle = |host: &mut Host| loop {
        if !host.turn_with(has_edge()).is_work_left {
            break;
        }
    };
    settle(&mut host);
    for round in 1..=3 {
        peers.iter().for_each(|mut peer| peer.write_all(b"x").unwrap());
        settle(&mut host);
        assert_eq!(served.get(), 64 * round);
    }
}

#[test]
fn the_host_waits_for_the_deadlines() {
    let mut host = Host::new();
    let begin = Instant::now();
    let task = host.runtime.spawn(async {
        for ms in [1, 3, 20] {
            sleep(Duration::from_millis(ms)).await;
        }
    });
    let turns = host.run_until(|| task.is_finished());
    assert!(begin.elapsed() >= Duration::from_millis(24));
    // poll(2) waits in whole milliseconds on some systems, so a wait may end before the deadline.
    assert!(turns >= 4);
}

#[test]
fn an_overdue_timer_fires_in_the_next_turn() {
    let mut host = Host::new();
    let mut delay = Duration::from_millis(1);
    // A thread that is suspended for the whole delay sets no timer: the task ends in this turn.
    let (task, deadline) = loop {
        let task = host.runtime.spawn(sleep(delay));
        if let Some(deadline) = host.turn_with(false).next_deadline {
            break (task, deadline);
        }
        delay *= 2;
    };
    // The host waits for the deadline itself: no alarm makes the descriptor readable.
    let mut fds = [PollFd::new(&host.runtime, PollFlags::IN)];
    let limit = Timespec::try_from(delay + Duration::from_millis(30)).unwrap();
    assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 0);
    while Instant::now() < deadline {}
    assert_eq!(host.turn_with(false).next_deadline, None);
    assert!(task.is_finished());
}

/// Linux and Android: elsewhere the alarm has no descriptor, so nothing reports the new deadline.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_deadline_set_between_two_turns_makes_the_descriptor_readable() {
    let (mut host, _) = Host::waiting();
    let far = host.runtime.spawn(sleep(Duration::from_secs(3600)));
    assert_eq!(host.turn(), (1, false));
    let entered = host.runtime.enter();
    let mut near = Box::pin(sleep(Duration::from_millis(2)));
    let (bell, _receiver) = bell();
    let waker = Waker::from(bell.clone());
    assert!(near.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    drop(entered);
    let mut fds = [PollFd::new(&host.runtime, PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })).unwrap(), 1);
    host.turn_with(true);
    assert_eq!(bell.wakes.load(Ordering::SeqCst), 1);
    drop(far);
}

#[test]
fn work_beyond_the_limit_of_a_turn_is_left() {
    let mut host = Host::of(Runtime::builder().batch_max(2).build().unwrap());
    let tasks: Vec<_> = (0..5).map(|_| host.runtime.spawn(ready(()))).collect();
    assert_eq!(host.turn(), (2, true));
    assert_eq!(host.turn(), (2, true));
    assert_eq!(host.turn(), (1, false));
    assert!(tasks.iter().all(|task| task.is_finished()));
}

#[test]
fn a_panic_that_leaves_work_wakes_the_host() {
    let builder = Runtime::builder().on_task_error(|_| panic!("handler"));
    let mut host = Host::of(builder.build().unwrap());
    host.runtime.spawn(async { panic!("task") }).detach();
    let tasks: Vec<_> = (0..2).map(|_| host.runtime.spawn(ready(()))).collect();
    assert_eq!(host.reports(), (1, false));
    catch_unwind(AssertUnwindSafe(|| host.turn())).unwrap_err();
    assert_eq!(host.reports(), (1, false));
    assert_eq!(host.turn(), (2, false));
    assert!(tasks.iter().all(|task| task.is_finished()));
}

#[test]
fn a_host_waker_that_panics_panics_in_the_thread_that_wakes() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("host");
        }
    }
    let (mut host, waiting) = Host::waiting();
    for turn in 1..4 {
        host.runtime.turn_hosted(&Waker::from(Arc::new(Panics)), false).unwrap();
        let waker = waiting.waker();
        thread::spawn(move || waker.wake()).join().unwrap_err();
        // The wake itself is not lost.
        assert_eq!(host.turn(), (1, false), "in turn {turn}");
        waiting.waker().wake();
        assert_eq!(host.reports(), (1, false));
        assert_eq!(host.turn(), (1, false));
    }
}

#[test]
fn a_turn_or_block_on_between_two_hosted_turns_ends_the_hosting() {
    let (mut host, waiting) = Host::waiting();
    let waker = waiting.waker();
    host.runtime.block_on(async {
        // The thread wakes the task while the loop sleeps, or before.
        thread::spawn(move || waker.wake());
        while waiting.polls.get() < 2 {
            sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(Arc::strong_count(&host.bell), 1);
    waiting.waker().wake();
    assert_eq!(host.reports(), (0, true));
    assert_eq!(host.runtime.turn(Some(Duration::ZERO)).unwrap().polled, 1);
    assert_eq!(host.turn(), (0, false));
    waiting.waker().wake();
    assert_eq!(host.reports().0, 1);
}

#[test]
fn the_end_of_the_loop_drops_the_waker_of_the_host() {
    let (host, waiting) = Host::waiting();
    let (handle, waker) = (host.runtime.handle(), waiting.waker());
    drop(host.runtime);
    assert_eq!(Arc::strong_count(&host.bell), 1);
    waker.wake();
    handle.call_threadsafe(|| {});
    handle.stop();
    assert_eq!(host.bell.wakes.load(Ordering::SeqCst), 0);
}

/// Runs `inner` as the guest of the loop of this task, until `is_done`.
async fn guest(mut inner: Runtime, is_done: impl Fn() -> bool) -> usize {
    let mut turns = 0;
    poll_fn(|cx| {
        // The descriptor is not watched: the inner loop has no sockets.
        let turn = inner.turn_hosted(cx.waker(), false).unwrap();
        turns += 1;
        if is_done() {
            return Poll::Ready(());
        }
        if turn.is_work_left {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
    turns
}

#[test]
fn a_loop_hosted_by_a_task_of_a_hosted_loop_is_woken_through_both() {
    let mut host = Host::new();
    let inner = Runtime::new().unwrap();
    let waiting = Waiting::spawned(&inner);
    let seen = waiting.clone();
    let task = host.runtime.spawn(guest(inner, move || seen.polls.get() == 3));
    host.reports();
    assert_eq!(host.turn(), (1, false));
    for polls in [2, 3] {
        wake_elsewhere(waiting.waker());
        assert_eq!(host.reports(), (1, false));
        assert_eq!(host.turn(), (1, false));
        assert_eq!(waiting.polls.get(), polls);
    }
    assert_eq!(block_on(task).unwrap(), 3);
}

#[test]
fn a_hosted_loop_is_dropped_inside_a_turn_of_its_host() {
    let (mut host, _) = Host::waiting();
    let inner = Runtime::new().unwrap();
    let waiting = Waiting::spawned(&inner);
    let seen = waiting.clone();
    // A thread wakes the inner loop's task all the while.
    let task = host.runtime.spawn(async move {
        let mut guest = Box::pin(guest(inner, || false));
        poll_fn(|cx| {
            assert!(guest.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let waker = seen.waker();
        let waking = thread::spawn(move || (0..1000).for_each(|_| waker.wake_by_ref()));
        drop(guest);
        waking.join().unwrap();
    });
    host.run_until(|| task.is_finished());
    block_on(task).unwrap();
}

#[test]
fn a_task_that_waits_until_the_loop_is_idle_is_woken_in_hosted_turns() {
    let mut host = Host::new();
    let order = Rc::new(RefCell::new(Vec::new()));
    let (first, second) = (order.clone(), order.clone());
    host.runtime
        .spawn(async move {
            evloop::task::until_idle().await;
            first.borrow_mut().push("idle");
        })
        .detach();
    host.runtime
        .spawn(async move {
            for _ in 0..3 {
                evloop::task::yield_now().await;
            }
            second.borrow_mut().push("busy");
        })
        .detach();
    let seen = order.clone();
    host.run_until(|| seen.borrow().len() == 2);
    assert_eq!(*order.borrow(), ["busy", "idle"]);
    assert_eq!(host.turn(), (0, false));
}

/// Counts the waits of a loop.
#[derive(Clone, Default)]
struct Waits(Rc<Cell<usize>>);

impl Instrument for Waits {
    fn before_wait(&self, longest: Option<Duration>) {
        assert_eq!(longest, Some(Duration::ZERO));
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_round_trip_between_two_threads_asks_the_selector_never() {
    let waits = Waits::default();
    let mut host = Host::of(Runtime::builder().instrument(waits.clone()).build().unwrap());
    let (ask, mut asked) = evloop::sync::thread_channel::unbounded::<u32>();
    let (answer, mut answers) = evloop::sync::thread_channel::unbounded::<u32>();
    let thread = thread::spawn(move || {
        block_on(async {
            while let Some(n) = asked.recv().await {
                answer.send(n + 1).unwrap();
            }
        });
    });
    let task = host.runtime.spawn(async move {
        for n in 0..200 {
            ask.send(n).unwrap();
            assert_eq!(answers.recv().await, Some(n + 1));
        }
    });
    host.run_until(|| task.is_finished());
    drop(task);
    thread.join().unwrap();
    assert_eq!(waits.0.get(), 0);
}

#[test]
fn a_stop_between_two_turns_wakes_the_host_and_stops_nothing() {
    let (mut host, waiting) = Host::waiting();
    host.runtime.handle().stop();
    assert_eq!(host.reports(), (1, false));
    waiting.waker().wake();
    assert_eq!(host.turn(), (1, false));
}
