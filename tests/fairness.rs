//! Fairness: a task that is always ready does not starve tasks, timers and sockets.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::io::Write;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::task::yield_now;
use evloop::time::{interval, now, sleep, timeout};
use evloop::{Handle, JoinHandle, Runtime, block_on, spawn};
use futures::StreamExt;
use futures::channel::oneshot;
use futures::stream::FuturesUnordered;

/// The number of results that one poll may take: PER_POLL in src/current/budget.rs.
const PER_POLL: usize = 128;

async fn yield_forever() {
    loop {
        yield_now().await;
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Returns the two ends of a connection: this loop's, and a blocking one.
async fn connection() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (stream, listener.accept().unwrap().0)
}

/// Counts the results of a task between two polls of a neighbour that is always ready.
#[derive(Clone, Default)]
struct Gaps {
    since: Rc<Cell<usize>>,
    longest: Rc<Cell<usize>>,
    total: Rc<Cell<usize>>,
}

impl Gaps {
    fn count(&self) {
        self.total.set(self.total.get() + 1);
        self.since.set(self.since.get() + 1);
        self.longest.set(self.longest.get().max(self.since.get()));
    }

    /// Runs `busy` beside the neighbour. Returns the longest gap, and the number of all results.
    fn beside<F: Future<Output = ()>>(busy: impl FnOnce(Gaps) -> F) -> (usize, usize) {
        let gaps = Gaps::default();
        let since = gaps.since.clone();
        block_on(async {
            drop(spawn(async move {
                loop {
                    since.set(0);
                    yield_now().await;
                }
            }));
            busy(gaps.clone()).await;
        });
        (gaps.longest.get(), gaps.total.get())
    }
}

#[cfg(unix)]
mod in_each_turn {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use futures::AsyncRead;

    use super::*;

    /// Counts the wakes of a waker that belongs to no task.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Bell {
        fn rings(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the stream is readable.
    fn wait_for_data(stream: &TcpStream) {
        use rustix::event::{PollFd, PollFlags, poll};
        poll(&mut [PollFd::new(stream, PollFlags::IN)], None).unwrap();
    }

    /// A timer and a socket, each with a counting waker.
    struct Beside {
        bells: [Arc<Bell>; 2],
        stream: TcpStream,
        peer: net::TcpStream,
        sleep: evloop::time::Sleep,
    }

    impl Beside {
        /// Polls both, then makes them ready. The loop must be entered.
        fn arm(&mut self) {
            let [timer, socket] = self.bells.clone().map(Waker::from);
            let soon = now() + Duration::from_micros(200);
            self.sleep.reset(soon);
            assert!(Pin::new(&mut self.sleep).poll(&mut Context::from_waker(&timer)).is_pending());
            let mut cx = Context::from_waker(&socket);
            let mut buf = [0; 8];
            while Pin::new(&mut &self.stream).poll_read(&mut cx, &mut buf).is_ready() {}
            self.peer.write_all(b"x").unwrap();
            wait_for_data(&self.stream);
            while now() < soon + Duration::from_micros(200) {}
        }
    }

    #[test]
    fn each_turn_serves_a_timer_and_a_socket_beside_yielding_tasks() {
        // So few that a turn reads no clock: a turn with a suspended thread would end earlier.
        const TASKS: usize = 3;
        let mut runtime = Runtime::builder().batch_max(TASKS).build().unwrap();
        let (stream, peer) = runtime.block_on(connection());
        let sleep = sleep(Duration::ZERO);
        let mut beside = Beside { bells: Default::default(), stream, peer, sleep };
        let _busy: Vec<_> = (0..TASKS).map(|_| runtime.spawn(yield_forever())).collect();
        for turns in 1..=100 {
            let guard = runtime.enter();
            beside.arm();
            drop(guard);
            let turn = runtime.turn(None).unwrap();
            assert_eq!((turn.polled, turn.ready_left), (TASKS, TASKS));
            assert_eq!(beside.bells.each_ref().map(|bell| bell.rings()), [turns, turns]);
        }
    }
}

#[test]
fn a_timer_and_a_socket_complete_beside_tasks_that_yield_forever() {
    let mut runtime = Runtime::builder().batch_max(4).build().unwrap();
    let _busy: Vec<_> = (0..8).map(|_| runtime.spawn(yield_forever())).collect();
    runtime.block_on(async {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        for i in 0..10 {
            sleep(Duration::from_micros(100)).await;
            client.write_all(&[i]).await.unwrap();
            let mut buf = [0];
            server.read_exact(&mut buf).await.unwrap();
            assert_eq!(buf, [i]);
        }
    });
}

#[test]
fn two_tasks_that_yield_take_turns() {
    let trace: Rc<RefCell<String>> = Rc::default();
    block_on(async {
        let player = |name: char| {
            let trace = trace.clone();
            spawn(async move {
                for _ in 0..5 {
                    trace.borrow_mut().push(name);
                    yield_now().await;
                }
            })
        };
        let (ping, pong) = (player('i'), player('o'));
        ping.await.unwrap();
        pong.await.unwrap();
    });
    assert_eq!(*trace.borrow(), "ioioioioio");
}

/// Computes for `d`, without an await.
fn compute(d: Duration) {
    let begin = now();
    while now() - begin < d {}
}

#[test]
fn a_timer_is_served_beside_tasks_that_compute() {
    const WORK: Duration = Duration::from_millis(2);
    block_on(async {
        let polls = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let polls = polls.clone();
                spawn(async move {
                    loop {
                        compute(WORK);
                        polls.set(polls.get() + 1);
                        yield_now().await;
                    }
                })
                .abort_on_drop()
            })
            .collect();
        for _ in 0..5 {
            let before = polls.get();
            sleep(Duration::from_millis(10)).await;
            // 10 ms are 5 polls. The batch ends after a few more; then each task is polled once.
            let between = polls.get() - before;
            assert!(between <= 25, "{between} polls of 2 ms during a sleep of 10 ms");
        }
        drop(tasks);
    });
}

#[test]
fn after_one_long_turn_of_slow_polls_the_turns_are_short() {
    let mut runtime = Runtime::new().unwrap();
    for _ in 0..64 {
        drop(runtime.spawn(async {
            loop {
                compute(Duration::from_micros(100));
                yield_now().await;
            }
        }));
    }
    // Not limited before the system's coarse clock has advanced, by up to 4 ms.
    runtime.turn(None).unwrap();
    for _ in 0..20 {
        // The time is checked after 2, 4, 8 and 16 polls. A batch has a millisecond.
        let polled = runtime.turn(None).unwrap().polled;
        assert!(polled <= 16, "{polled} polls of 100 us in a turn");
    }
}

#[test]
fn a_ping_pong_fills_its_turns() {
    const BATCH_MAX: usize = 64;
    let mut runtime = Runtime::builder().batch_max(BATCH_MAX).build().unwrap();
    let wakers: [Rc<RefCell<Option<Waker>>>; 2] = Default::default();
    for own in 0..2 {
        let wakers = wakers.clone();
        drop(runtime.spawn(std::future::poll_fn(move |cx| {
            wakers[own].replace(Some(cx.waker().clone()));
            if let Some(other) = &*wakers[1 - own].borrow() {
                other.wake_by_ref();
            }
            Poll::<()>::Pending
        })));
    }
    // A turn in which the thread is suspended for a millisecond ends earlier.
    let turns: Vec<_> = (0..100).map(|_| runtime.turn(None).unwrap()).collect();
    assert!(turns.iter().all(|turn| turn.ready_left == 1));
    let full = turns.iter().filter(|turn| turn.polled == BATCH_MAX).count();
    assert!(full > 50, "{full} of 100 turns were full");
}

#[test]
fn calls_run_beside_a_task_that_yields_forever() {
    let (sender, receiver) = oneshot::channel();
    block_on(async {
        Handle::current().call_threadsafe(move || sender.send(7).unwrap());
        let busy = spawn(yield_forever());
        assert_eq!(receiver.await, Ok(7));
        drop(busy);
    });
}

#[test]
fn a_reader_of_a_full_socket_lets_others_run() {
    const BYTES: usize = 20_000;
    let gaps = Gaps::beside(|gaps| async move {
        let (stream, mut peer) = connection().await;
        peer.write_all(&[7; BYTES]).unwrap();
        let mut buf = [0];
        for _ in 0..BYTES {
            stream.read_exact(&mut buf).await.unwrap();
            gaps.count();
        }
    });
    assert_eq!((gaps.0 <= PER_POLL, gaps.1), (true, BYTES));
}

#[test]
fn a_task_that_awaits_readiness_lets_others_run() {
    const TIMES: usize = 1000;
    let gaps = Gaps::beside(|gaps| async move {
        let (stream, mut peer) = connection().await;
        peer.write_all(&[7]).unwrap();
        for _ in 0..TIMES {
            stream.readable().await.unwrap();
            gaps.count();
        }
    });
    assert_eq!((gaps.0 <= PER_POLL, gaps.1), (true, TIMES));
}

#[test]
fn a_task_that_awaits_ready_handles_lets_others_run() {
    let gaps = Gaps::beside(|gaps| async move {
        let tasks: Vec<_> = (0..1000).map(|i| spawn(ready(i))).collect();
        yield_now().await;
        assert!(tasks.iter().all(JoinHandle::is_finished));
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), i);
            gaps.count();
        }
    });
    assert_eq!(gaps, (PER_POLL, 1000));
}

#[test]
fn a_task_that_awaits_ready_remote_handles_lets_others_run() {
    let gaps = Gaps::beside(|gaps| async move {
        let handle = Handle::current();
        let tasks: Vec<_> = (0..1000).map(|i| handle.spawn(move || ready(i))).collect();
        while !tasks.iter().all(|task| task.is_finished()) {
            yield_now().await;
        }
        yield_now().await;
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), i);
            gaps.count();
        }
    });
    assert!(gaps.0 <= PER_POLL, "{gaps:?}");
}

#[test]
fn an_interval_that_is_late_lets_others_run() {
    let gaps = Gaps::beside(|gaps| async move {
        let mut interval = interval(Duration::from_nanos(1));
        for _ in 0..1000 {
            interval.tick().await;
            gaps.count();
        }
    });
    // Plus the tick that was waited for.
    assert_eq!((gaps.0 <= PER_POLL + 1, gaps.1), (true, 1000));
}

#[test]
fn a_spent_budget_causes_no_timeout() {
    block_on(async {
        let tasks: Vec<_> = (0..=PER_POLL).map(|_| spawn(ready(()))).collect();
        yield_now().await;
        for task in tasks {
            assert!(matches!(timeout(Duration::ZERO, task).await, Ok(Ok(()))));
        }
    });
}

#[test]
fn the_budget_is_unlimited_outside_a_loop() {
    let tasks: Vec<_> = block_on(async {
        let tasks = (0..1000).map(|_| spawn(ready(7))).collect();
        yield_now().await;
        tasks
    });
    let cx = &mut Context::from_waker(Waker::noop());
    for mut task in tasks {
        assert!(Pin::new(&mut task).poll(cx).is_ready());
    }
}

#[test]
fn a_turn_of_an_inner_loop_does_not_change_the_outer_budget() {
    let mut inner = Runtime::new().unwrap();
    let gaps = Gaps::beside(|gaps| async move {
        let tasks: Vec<_> = (0..1000).map(|_| spawn(ready(()))).collect();
        yield_now().await;
        for task in tasks {
            drop(inner.spawn(ready(())));
            assert_eq!(inner.turn(Some(Duration::ZERO)).unwrap().polled, 1);
            task.await.unwrap();
            gaps.count();
        }
    });
    assert_eq!(gaps, (PER_POLL, 1000));
}

/// Counts the polls of the inner handle.
struct CountPolls<T>(JoinHandle<T>, Rc<Cell<usize>>);

impl<T> Future for CountPolls<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.1.set(self.1.get() + 1);
        Pin::new(&mut self.0).poll(cx).map(|output| output.unwrap())
    }
}

/// Awaits many tasks in one task. Each runs `task()`. Returns the number of polls of the handles.
fn polls_of_many<F>(tasks: usize, task: fn() -> F, wait_first: bool) -> usize
where
    F: Future<Output = ()> + 'static,
{
    let polls = Rc::new(Cell::new(0));
    block_on(async {
        let handles: Vec<_> = (0..tasks).map(|_| spawn(task())).collect();
        while wait_first && !handles.iter().all(JoinHandle::is_finished) {
            yield_now().await;
        }
        let children = handles.into_iter().map(|handle| CountPolls(handle, polls.clone()));
        let children: FuturesUnordered<_> = children.collect();
        assert_eq!(children.count().await, tasks);
    });
    polls.get()
}

#[test]
fn many_ready_children_of_one_task_cost_a_linear_number_of_polls() {
    let polls = polls_of_many(10_000, || ready(()), true);
    // Each time the budget is spent, the set polls two more children before it returns `Pending`;
    // and a poll may begin with two refused children.
    assert!((10_000..=10_000 + 5 * (10_000 / PER_POLL)).contains(&polls), "{polls}");
}

#[test]
fn many_children_that_become_ready_cost_a_linear_number_of_polls() {
    let polls = polls_of_many(10_000, yield_now, false);
    assert!((20_000..=20_000 + 5 * (10_000 / PER_POLL)).contains(&polls), "{polls}");
}

#[test]
fn a_waiting_task_costs_its_neighbours_no_polls() {
    let mut runtime = Runtime::new().unwrap();
    let _idle: Vec<_> = (0..1000).map(|_| runtime.spawn(pending::<()>())).collect();
    runtime.run_until_stalled().unwrap();
    let task = runtime.spawn(yield_now());
    assert_eq!(runtime.run_until_stalled().unwrap(), 2);
    assert!(task.is_finished());
}
