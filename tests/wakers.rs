//! Wakers: they wake their task from every thread and loop, and no other task.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use evloop::net::TcpListener;
use evloop::sync::Notify;
use evloop::task::{self, yield_now};
use evloop::time::{Sleep, now, sleep, sleep_until};
use evloop::{JoinHandle, Runtime, block_on, spawn};

/// Counts the polls of a [`Counted`] future.
#[derive(Default)]
struct Counts {
    polls: Cell<u32>,
    waker: RefCell<Option<Waker>>,
    /// The next poll returns `Ready`.
    is_ready: Cell<bool>,
}

impl Counts {
    fn future(self: &Rc<Self>) -> Counted {
        Counted(self.clone())
    }

    fn waker(&self) -> Waker {
        self.waker.borrow().clone().expect("it was polled")
    }

    /// Spawns a task, and polls it once.
    fn spawned(self: &Rc<Self>, runtime: &mut Runtime) -> JoinHandle<()> {
        let task = runtime.spawn(self.future());
        let polls = self.polls.get();
        runtime.run_until_stalled().unwrap();
        assert_eq!(self.polls.get(), polls + 1);
        task
    }
}

struct Counted(Rc<Counts>);

impl Future for Counted {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.polls.set(self.0.polls.get() + 1);
        self.0.waker.replace(Some(cx.waker().clone()));
        if self.0.is_ready.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Returns the waker of the running task.
async fn waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Runs a turn that does not wait. Returns the number of polled futures.
fn turn(runtime: &mut Runtime) -> usize {
    runtime.turn(Some(Duration::ZERO)).unwrap().polled
}

/// Wakes from another thread, and joins that thread.
fn wake_elsewhere(waker: Waker) {
    thread::spawn(move || waker.wake()).join().unwrap();
}

#[test]
fn a_stale_waker_does_not_poll_the_next_task_in_the_slot() {
    let mut runtime = Runtime::new().unwrap();
    let counts: [Rc<Counts>; 2] = Default::default();
    let first = counts[0].spawned(&mut runtime);
    let stale = counts[0].waker();
    counts[0].is_ready.set(true);
    stale.wake_by_ref();
    assert_eq!(turn(&mut runtime), 1);
    assert!(first.is_finished());
    let _next = counts[1].spawned(&mut runtime);
    assert!(!stale.will_wake(&counts[1].waker()));
    stale.wake_by_ref();
    wake_elsewhere(stale);
    assert_eq!(turn(&mut runtime), 0);
    counts[1].waker().wake();
    assert_eq!(turn(&mut runtime), 1);
    assert_eq!(counts.each_ref().map(|counts| counts.polls.get()), [2, 2]);
}

#[test]
fn a_stale_waker_that_is_woken_while_its_task_ends_does_nothing() {
    let mut runtime = Runtime::new().unwrap();
    let counts = Rc::new(Counts::default());
    let task = runtime.spawn(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(cx.waker().clone())
    }));
    let next = counts.clone();
    let spawner = runtime.spawn(async move { drop(spawn(next.future())) });
    runtime.run_until_stalled().unwrap();
    assert!(spawner.is_finished());
    assert_eq!(counts.polls.get(), 1);
    runtime.block_on(task).unwrap().wake();
    assert_eq!(turn(&mut runtime), 0);
    assert_eq!(counts.polls.get(), 1);
}

#[test]
fn a_stale_waker_whose_generation_wrapped_keeps_the_queue_intact() {
    let mut runtime = Runtime::new().unwrap();
    let counts: [Rc<Counts>; 3] = Default::default();
    let _waiting = [&counts[0], &counts[1]].map(|counts| counts.spawned(&mut runtime));
    runtime.block_on(async {
        let stale = spawn(waker()).await.unwrap();
        for _ in 0..u16::MAX {
            spawn(ready(())).await.unwrap();
        }
        stale.wake();
        counts[..2].iter().for_each(|counts| counts.waker().wake());
        drop(spawn(counts[2].future()));
    });
    turn(&mut runtime);
    assert_eq!(counts.each_ref().map(|counts| counts.polls.get()), [2, 2, 1]);
}

#[test]
fn a_stale_waker_of_a_root_does_not_poll_the_next_root() {
    let mut runtime = Runtime::new().unwrap();
    let stale = runtime.block_on(waker());
    let counts = Rc::new(Counts::default());
    let next = counts.future();
    runtime.block_on(async {
        let mut next = next;
        let mut stale = Some(stale);
        poll_fn(|cx| {
            // The first of its polls arranges for the second.
            if let Some(stale) = stale.take() {
                stale.wake();
                let ready = counts.clone();
                drop(spawn(async move {
                    yield_now().await;
                    ready.is_ready.set(true);
                    ready.waker().wake();
                }));
            }
            Pin::new(&mut next).poll(cx)
        })
        .await;
    });
    assert_eq!(counts.polls.get(), 2);
}

#[test]
fn a_waker_wakes_from_another_thread() {
    let (sender, receiver) = mpsc::channel::<Waker>();
    let thread = thread::spawn(move || receiver.iter().for_each(Waker::wake));
    let mut runtime = Runtime::new().unwrap();
    for polls in 1..=1000 {
        let counts = Rc::new(Counts::default());
        let task = counts.spawned(&mut runtime);
        counts.is_ready.set(true);
        sender.send(counts.waker()).unwrap();
        runtime.block_on(task).unwrap();
        assert_eq!(counts.polls.get(), 2, "task {polls}");
    }
    drop(sender);
    thread.join().unwrap();
}

#[test]
fn a_wake_between_two_turns_keeps_the_next_from_waiting() {
    let mut runtime = Runtime::new().unwrap();
    let counts = Rc::new(Counts::default());
    let _task = counts.spawned(&mut runtime);
    for wake in [Waker::wake, wake_elsewhere] {
        wake(counts.waker());
        assert_eq!(runtime.turn(None).unwrap().polled, 1);
        assert_eq!(turn(&mut runtime), 0);
    }
}

#[test]
fn a_timer_behind_a_panicking_waker_fires_in_the_next_turn() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a waker");
        }
    }
    let mut runtime = Runtime::new().unwrap();
    // Later than the next turn, also if the thread is suspended before that.
    let deadline = now() + Duration::from_millis(200);
    let bomb = Waker::from(Arc::new(Bomb));
    let _first = sleep_in(&runtime, deadline, &bomb);
    let second = runtime.spawn(sleep_until(deadline));
    assert_eq!(turn(&mut runtime), 1);
    while now() < deadline + Duration::from_millis(1) {}
    catch_unwind(AssertUnwindSafe(|| turn(&mut runtime))).unwrap_err();
    let (begin, hang) = (now(), Duration::from_secs(10));
    assert_eq!(runtime.turn(Some(hang)).unwrap().polled, 1);
    assert!(second.is_finished() && now() - begin < hang);
}

/// Returns a sleep that was made and polled while `runtime` did not run.
fn sleep_in(runtime: &Runtime, deadline: Instant, waker: &Waker) -> Sleep {
    let _entered = runtime.enter();
    let mut sleep = sleep_until(deadline);
    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(waker)).is_pending());
    sleep
}

#[test]
fn a_million_wakes_during_one_poll_cause_one_poll() {
    let mut polls = 0;
    let task = poll_fn(move |cx| {
        polls += 1;
        if polls == 1 {
            let waker = cx.waker().clone();
            let thread = thread::spawn(move || (0..1_000_000).for_each(|_| waker.wake_by_ref()));
            thread.join().unwrap();
        }
        Poll::<()>::Pending
    });
    let mut runtime = Runtime::new().unwrap();
    let _task = runtime.spawn(task);
    assert_eq!([(); 3].map(|()| turn(&mut runtime)), [1, 1, 0]);
}

#[test]
fn each_wake_from_four_threads_causes_one_poll() {
    const LANES: u32 = 64;
    const WAKES: u32 = 500;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| mpsc::channel::<Waker>()).unzip();
    let wakes = |receiver: mpsc::Receiver<Waker>| receiver.iter().map(Waker::wake).count();
    let threads: Vec<_> =
        receivers.into_iter().map(|receiver| thread::spawn(move || wakes(receiver))).collect();
    let polls = Rc::new(Cell::new(0));
    block_on(async {
        let lanes = (0..LANES).map(|lane| {
            let (senders, polls) = (senders.clone(), polls.clone());
            // A new task for each wake, so that slots are reused while wakes are in the inbox.
            spawn(async move {
                for wake in 0..WAKES {
                    let sender = &senders[(lane + wake) as usize % senders.len()];
                    spawn(one_wake(sender.clone(), polls.clone())).await.unwrap();
                }
            })
        });
        for lane in lanes.collect::<Vec<_>>() {
            lane.await.unwrap();
        }
    });
    drop(senders);
    let woken: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!((woken as u32, polls.get()), (LANES * WAKES, LANES * WAKES * 2));
}

/// Sends its waker at the first poll, is ready at the second.
async fn one_wake(sender: mpsc::Sender<Waker>, polls: Rc<Cell<u32>>) {
    let mut sender = Some(sender);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        let Some(sender) = sender.take() else { return Poll::Ready(()) };
        sender.send(cx.waker().clone()).unwrap();
        Poll::Pending
    })
    .await;
}

#[test]
fn wakes_from_another_thread_keep_their_order() {
    let mut runtime = Runtime::new().unwrap();
    let order: Rc<RefCell<Vec<usize>>> = Rc::default();
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    for i in 0..100 {
        let (order, wakers) = (order.clone(), wakers.clone());
        drop(runtime.spawn(async move {
            let waker = waker().await;
            wakers.borrow_mut().push(waker);
            yield_once_woken().await;
            order.borrow_mut().push(i);
        }));
    }
    runtime.run_until_stalled().unwrap();
    let wakers = wakers.take();
    let shuffled: Vec<usize> = (0..100).map(|i| i * 37 % 100).collect();
    let sent: Vec<_> = shuffled.iter().map(|i| wakers[*i].clone()).collect();
    thread::spawn(move || sent.iter().chain(&sent).for_each(Waker::wake_by_ref)).join().unwrap();
    // Not in one turn: a turn whose thread is suspended ends before it is full.
    assert_eq!(runtime.run_until_stalled().unwrap(), 100);
    assert_eq!(*order.borrow(), shuffled);
}

/// Returns `Pending` once. Other code has the waker.
async fn yield_once_woken() {
    let mut polls = 0;
    poll_fn(|_| {
        polls += 1;
        if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

#[test]
fn a_wake_for_the_outer_loop_while_an_inner_one_turns() {
    let mut outer = Runtime::new().unwrap();
    let counts = Rc::new(Counts::default());
    let _task = counts.spawned(&mut outer);
    let waker = counts.waker();
    let driver = outer.spawn(async move {
        let mut inner = Runtime::new().unwrap();
        drop(inner.spawn(async move { waker.wake() }));
        turn(&mut inner)
    });
    assert_eq!([(); 3].map(|()| turn(&mut outer)), [1, 1, 0]);
    assert_eq!(counts.polls.get(), 2);
    assert_eq!(outer.block_on(driver).unwrap(), 1);
}

#[test]
fn a_turn_inside_a_task_does_not_change_the_outer_loop() {
    let mut inner = Runtime::new().unwrap();
    let ran_on = inner.spawn(async { task::all().len() });
    block_on(async {
        let before = task::current().unwrap();
        assert_eq!(inner.run_until_stalled().unwrap(), 1);
        assert_eq!(task::current().unwrap().id(), before.id());
        let outer = spawn(async { task::current().unwrap().parent() });
        assert_eq!(task::all().len(), 2, "the new task is listed");
        assert_eq!(outer.await.unwrap(), Some(before.id()));
    });
    assert_eq!(inner.block_on(ran_on).unwrap(), 1, "the inner task saw only itself");
}

#[test]
fn a_loop_can_be_entered_again_inside_the_turn_of_an_inner_loop() {
    let outer = Rc::new(Runtime::new().unwrap());
    let mut inner = Runtime::new().unwrap();
    let all = |expected: usize| assert_eq!(task::all().len(), expected);
    let guard = outer.enter();
    let reentered = outer.clone();
    let nested = inner.spawn(async move {
        all(1);
        let guard = reentered.enter();
        all(0);
        let _of_outer = (spawn(pending::<()>()), reentered.spawn(pending::<()>()));
        assert!(reentered.next_deadline().unwrap() <= now(), "the loop has work");
        all(2);
        drop(guard);
        let _of_inner = spawn(ready(()));
        all(2);
    });
    assert_eq!(turn(&mut inner), 2);
    all(2);
    drop(guard);
    all(0);
    assert!(nested.is_finished());
    let mut outer = Rc::into_inner(outer).unwrap();
    assert_eq!(turn(&mut outer), 2);
}

#[test]
fn next_deadline_returns_when_to_turn() {
    let mut runtime = Runtime::new().unwrap();
    assert_eq!(runtime.next_deadline(), None);
    let hour = Duration::from_secs(3600);
    let task = runtime.spawn(sleep_from_now(hour));
    assert!(runtime.next_deadline().unwrap() <= now());
    let before = now();
    assert_eq!(turn(&mut runtime), 1);
    let next = runtime.next_deadline().unwrap();
    let finest = Duration::from_millis(1);
    assert!(before + hour <= next && next < now() + hour + finest);
    task.abort();
    assert!(runtime.next_deadline().unwrap() <= now());
    turn(&mut runtime);
    assert!(task.is_finished());
    assert_eq!(runtime.next_deadline(), None);
}

/// Sleeps for `duration` from its first poll.
async fn sleep_from_now(duration: Duration) {
    sleep(duration).await;
}

/// The loop's descriptor, watched by another loop.
#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
mod embedded {
    use evloop::Handle;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    /// Far longer than these tests take: a wait that reaches it has failed.
    const HANG: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    fn is_readable_within(runtime: &Runtime, limit: Timespec) -> bool {
        let mut fds = [PollFd::new(runtime, PollFlags::IN)];
        poll(&mut fds, Some(&limit)).unwrap() == 1
    }

    fn is_readable(runtime: &Runtime) -> bool {
        is_readable_within(runtime, NOW)
    }

    /// Makes a loop whose descriptor was polled before, with a task that waits to be woken.
    fn watched() -> (Runtime, Rc<Counts>, JoinHandle<()>) {
        let mut runtime = Runtime::new().unwrap();
        assert!(!is_readable(&runtime));
        let counts = Rc::new(Counts::default());
        let task = counts.spawned(&mut runtime);
        assert!(!is_readable(&runtime));
        (runtime, counts, task)
    }

    /// Asserts that the descriptor is readable, and that one turn does all work, in `polls` polls.
    fn assert_turn(runtime: &mut Runtime, polls: usize) {
        assert!(is_readable(runtime));
        assert_eq!(turn(runtime), polls);
        assert!(!is_readable(runtime));
    }

    #[test]
    fn a_wake_between_two_turns_makes_the_descriptor_readable() {
        let (mut runtime, counts, _task) = watched();
        for _ in 0..3 {
            for wake in [Waker::wake, wake_elsewhere] {
                wake(counts.waker());
                wake(counts.waker());
                assert_turn(&mut runtime, 1);
            }
        }
        assert_eq!(counts.polls.get(), 7);
    }

    #[test]
    fn a_wake_from_another_thread_ends_the_embedders_wait() {
        let (mut runtime, counts, _task) = watched();
        let (sender, receiver) = mpsc::channel::<Waker>();
        let thread = thread::spawn(move || receiver.iter().for_each(Waker::wake));
        for _ in 0..1000 {
            sender.send(counts.waker()).unwrap();
            assert!(is_readable_within(&runtime, HANG));
            assert_eq!(turn(&mut runtime), 1);
        }
        drop(sender);
        thread.join().unwrap();
        assert!(!is_readable(&runtime));
    }

    #[test]
    fn a_wake_before_the_first_poll_of_the_descriptor_is_reported() {
        let mut runtime = Runtime::new().unwrap();
        let counts = Rc::new(Counts::default());
        let _task = counts.spawned(&mut runtime);
        counts.waker().wake();
        assert_turn(&mut runtime, 1);
    }

    #[test]
    fn a_spawn_between_two_turns_makes_the_descriptor_readable() {
        let (mut runtime, ..) = watched();
        let _task = runtime.spawn(pending::<()>());
        assert_turn(&mut runtime, 1);
    }

    #[test]
    fn an_abort_between_two_turns_makes_the_descriptor_readable() {
        let (mut runtime, _, task) = watched();
        task.abort();
        assert!(is_readable(&runtime));
        turn(&mut runtime);
        assert!(task.is_finished() && !is_readable(&runtime));
    }

    #[test]
    fn a_call_between_two_turns_makes_the_descriptor_readable() {
        let (mut runtime, ..) = watched();
        runtime.handle().call_threadsafe(|| {});
        assert_turn(&mut runtime, 1);
        let remote = runtime.handle().spawn(|| ready(7));
        // The call, and the task that it spawns.
        assert_turn(&mut runtime, 2);
        assert_eq!(remote.join().unwrap(), 7);
    }

    #[test]
    fn work_left_by_a_turn_makes_the_descriptor_readable() {
        let mut runtime = Runtime::builder().batch_max(2).build().unwrap();
        assert!(!is_readable(&runtime));
        let tasks: Vec<_> = (0..5).map(|_| runtime.spawn(ready(()))).collect();
        for polls in [2, 2] {
            assert!(is_readable(&runtime));
            assert_eq!(turn(&mut runtime), polls);
        }
        assert_turn(&mut runtime, 1);
        assert!(tasks.iter().all(JoinHandle::is_finished));
    }

    #[test]
    fn a_wake_for_an_inner_loop_wakes_the_watching_task() {
        let (mut inner, counts, _task) = watched();
        block_on(async {
            counts.waker().wake();
            assert_turn(&mut inner, 1);
        });
    }

    #[test]
    fn a_wake_and_a_spawn_under_a_guard_make_the_descriptor_readable() {
        let (mut runtime, counts, _task) = watched();
        let guard = runtime.enter();
        counts.waker().wake();
        drop(guard);
        assert_turn(&mut runtime, 1);
        let guard = runtime.enter();
        drop(spawn(ready(())));
        drop(guard);
        assert_turn(&mut runtime, 1);
    }

    #[test]
    fn a_handle_used_under_a_guard_makes_the_descriptor_readable() {
        let (mut runtime, ..) = watched();
        let guard = runtime.enter();
        Handle::current().call_threadsafe(|| {});
        drop(guard);
        assert_turn(&mut runtime, 1);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    mod deadlines {
        use super::*;

        #[test]
        fn a_deadline_that_comes() {
            let (mut runtime, ..) = watched();
            for duration in [200, 900, 1100, 5000].map(Duration::from_micros) {
                let begin = now();
                let task = runtime.spawn(sleep_from_now(duration));
                assert_eq!(turn(&mut runtime), 1);
                assert!(is_readable_within(&runtime, HANG));
                assert_eq!(turn(&mut runtime), 1);
                assert!(task.is_finished() && now() - begin >= duration);
            }
            assert!(!is_readable(&runtime));
        }

        #[test]
        fn a_deadline_set_between_two_turns() {
            let (mut runtime, ..) = watched();
            let far = now() + Duration::from_secs(3600);
            let _far = sleep_in(&runtime, far, Waker::noop());
            assert!(!is_readable(&runtime));
            for duration in [200, 900, 1100, 5000].map(Duration::from_micros) {
                let deadline = now() + duration;
                let _near = sleep_in(&runtime, deadline, Waker::noop());
                assert!(is_readable_within(&runtime, HANG));
                assert!(now() >= deadline);
                assert_eq!(turn(&mut runtime), 0);
                assert!(!is_readable(&runtime));
            }
        }

        #[test]
        fn a_deadline_that_is_far() {
            let (mut runtime, ..) = watched();
            let task = runtime.spawn(sleep_from_now(Duration::from_secs(3600)));
            assert_eq!(turn(&mut runtime), 1);
            assert!(!is_readable(&runtime));
            task.abort();
            assert!(is_readable(&runtime));
            turn(&mut runtime);
            assert!(task.is_finished() && !is_readable(&runtime));
        }
    }
}

/// A waker that counts its wakes and then panics.
#[derive(Default)]
struct Panics(AtomicUsize);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a waker");
    }
}

/// Polls four futures with wakers that panic. Returns the number of wakes of each waker.
fn wakes_of_panicking_wakers<F: Future>(
    mut futures: [Pin<&mut F>; 4],
    wake: impl FnOnce(),
) -> [usize; 4] {
    let wakers = [(); 4].map(|()| Arc::new(Panics::default()));
    for (future, waker) in futures.iter_mut().zip(&wakers) {
        let waker = Waker::from(waker.clone());
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let panic = catch_unwind(AssertUnwindSafe(wake)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"a waker"));
    wakers.map(|waker| waker.0.load(Ordering::SeqCst))
}

#[test]
fn one_call_wakes_all_waiters_though_each_waker_panics() {
    let notify = Notify::new();
    let mut waits = [(); 4].map(|()| Box::pin(notify.notified()));
    let waits = waits.each_mut().map(|wait| wait.as_mut());
    assert_eq!(wakes_of_panicking_wakers(waits, || notify.notify_waiters()), [1; 4]);
}

#[test]
fn the_loops_end_wakes_all_sleeps_though_each_waker_panics() {
    let runtime = Runtime::new().unwrap();
    let mut sleeps = {
        let _entered = runtime.enter();
        [(); 4].map(|()| Box::pin(sleep(Duration::from_secs(3600))))
    };
    let sleeps = sleeps.each_mut().map(|sleep| sleep.as_mut());
    assert_eq!(wakes_of_panicking_wakers(sleeps, || drop(runtime)), [1; 4]);
}

#[test]
fn the_loops_end_wakes_all_socket_waiters_though_each_waker_panics() {
    let mut runtime = Runtime::new().unwrap();
    let listen = async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
    let listener = Rc::new(runtime.block_on(listen));
    let mut accepts = [(); 4].map(|()| {
        let listener = listener.clone();
        Box::pin(async move { drop(listener.accept().await) })
    });
    let accepts = accepts.each_mut().map(|accept| accept.as_mut());
    assert_eq!(wakes_of_panicking_wakers(accepts, || drop(runtime)), [1; 4]);
}
