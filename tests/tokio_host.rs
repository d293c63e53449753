//! Both runtimes on one thread: tokio hosts a loop. And tokio's reactor on a helper thread.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use evloop::tokio::Helper;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Far longer than these tests take: a wait that reaches it has failed.
const HANG: Duration = Duration::from_secs(60);

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or(panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default()
}

/// Catches the panic of `f`, and returns its message.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(panic) => message(&*panic),
    }
}

/// Serves one connection of tokio: sends back what it receives. Returns the address.
async fn tokio_echo() -> io::Result<std::net::SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).await.unwrap() == 1 {
            stream.write_all(&byte).await.unwrap();
        }
    });
    Ok(address)
}

#[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
mod host {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::Poll;

    use evloop::runtime::Handle;
    use evloop::tokio::block_on;
    use futures::FutureExt;

    use super::*;

    type Log = Arc<Mutex<Vec<&'static str>>>;

    #[test]
    fn tasks_of_both_runtimes_spawn_and_await_each_other() {
        let text = String::from("borrowed");
        let sum = block_on(async {
            let ours = evloop::spawn(async {
                let theirs = tokio::spawn(async {
                    drop(evloop::spawn(async {}));
                    tokio::task::yield_now().await;
                    2
                });
                theirs.await.unwrap() + 1
            });
            text.len() + ours.await.unwrap()
        });
        assert_eq!(sum, 11);
    }

    #[test]
    fn a_task_of_tokio_awaits_the_tasks_timers_and_sockets_of_the_loop() {
        block_on(async {
            let local = tokio::task::LocalSet::new();
            let reply = local.run_until(async {
                tokio::task::spawn_local(async {
                    evloop::time::sleep(Duration::from_millis(2)).await;
                    let (ours, theirs) = evloop::net::UnixStream::pair().unwrap();
                    let writing = evloop::spawn(async move { theirs.write_all(b"pong").await });
                    let mut reply = [0; 4];
                    ours.read_exact(&mut reply).await.unwrap();
                    writing.await.unwrap().unwrap();
                    reply
                })
                .await
            });
            assert_eq!(&reply.await.unwrap(), b"pong");
        });
    }

    #[test]
    fn timers_of_both_runtimes_fire_and_not_early() {
        block_on(async {
            let tasks = [40, 10, 0, 30, 20].map(|ms| {
                evloop::spawn(async move {
                    let (begin, delay) = (Instant::now(), Duration::from_millis(ms));
                    match ms % 20 {
                        0 => tokio::time::sleep(delay).await,
                        _ => evloop::time::sleep(delay).await,
                    }
                    assert!(begin.elapsed() >= delay);
                })
            });
            for task in tasks {
                task.await.unwrap();
            }
        });
    }

    /// Runs `n` round trips between a task of the loop, on a socket of tokio, and a task of tokio.
    /// Returns how often tokio waited for events.
    async fn round_trips(n: u64) -> u64 {
        let mut stream = tokio::net::TcpStream::connect(tokio_echo().await.unwrap()).await.unwrap();
        let metrics = tokio::runtime::Handle::current().metrics();
        let before = metrics.worker_park_count(0);
        let task = evloop::spawn(async move {
            for n in 0..n {
                stream.write_all(&[n as u8]).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), n as u8);
            }
        });
        task.await.unwrap();
        metrics.worker_park_count(0) - before
    }

    #[test]
    fn round_trips_over_sockets_of_tokio_cost_two_waits_each() {
        assert!(block_on(round_trips(500)) <= 1010);
    }

    #[test]
    fn sockets_of_the_loop_are_served() {
        block_on(async {
            let server = evloop::start_server("127.0.0.1:0", async |mut reader, writer| {
                while let Ok(byte) = reader.read_exact(1).await {
                    writer.write(byte);
                }
                io::Result::Ok(())
            });
            let server = server.await.unwrap();
            let address = server.local_addrs()[0];
            let clients = (0..200).map(|_| {
                tokio::spawn(async move {
                    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                    for n in 0..5 {
                        stream.write_all(&[n]).await.unwrap();
                        assert_eq!(stream.read_u8().await.unwrap(), n);
                    }
                })
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
        });
    }

    #[test]
    fn wakes_from_other_threads_reach_both() {
        block_on(async {
            let (ours, mut our_values) = evloop::sync::thread_channel::unbounded::<u32>();
            let (theirs, mut their_values) = tokio::sync::mpsc::unbounded_channel();
            let thread = thread::spawn(move || {
                for n in 0..300 {
                    ours.send(n).unwrap();
                    theirs.send(n).unwrap();
                    if n % 10 == 0 {
                        thread::yield_now();
                    }
                }
            });
            let sum = evloop::spawn(async move {
                let mut sum = 0;
                while let Some(n) = their_values.recv().await {
                    sum += n;
                }
                sum
            });
            let mut count = 0;
            while our_values.recv().await.is_some() {
                count += 1;
            }
            assert_eq!((count, sum.await.unwrap()), (300, 299 * 300 / 2));
            thread.join().unwrap();
        });
    }

    #[test]
    fn tasks_of_the_loop_that_are_always_ready_do_not_starve_tokio() {
        block_on(async {
            for _ in 0..100 {
                drop(evloop::spawn(async {
                    loop {
                        evloop::task::yield_now().await;
                    }
                }));
            }
            tokio::time::timeout(HANG, round_trips_of_tokio()).await.unwrap();
        });
    }

    #[test]
    fn tasks_of_tokio_that_are_always_ready_do_not_starve_the_loop() {
        block_on(async {
            for _ in 0..100 {
                tokio::spawn(async {
                    loop {
                        // Unlike `yield_now`, it does not wait for tokio's look at its driver.
                        let mut is_woken = false;
                        poll_fn(|cx| {
                            cx.waker().wake_by_ref();
                            if std::mem::replace(&mut is_woken, true) {
                                Poll::Ready(())
                            } else {
                                Poll::Pending
                            }
                        })
                        .await;
                    }
                });
            }
            evloop::time::timeout(HANG, async {
                evloop::time::sleep(Duration::from_millis(1)).await;
                let (ours, theirs) = evloop::net::UnixStream::pair().unwrap();
                let echo = evloop::spawn(async move {
                    let mut byte = [0];
                    while theirs.read(&mut byte).await.unwrap() == 1 {
                        theirs.write_all(&byte).await.unwrap();
                    }
                });
                for n in 0..20 {
                    ours.write_all(&[n]).await.unwrap();
                    ours.read_exact(&mut [0]).await.unwrap();
                }
                drop(ours);
                echo.await.unwrap();
            })
            .await
            .unwrap();
        });
    }

    async fn round_trips_of_tokio() {
        let mut stream = tokio::net::TcpStream::connect(tokio_echo().await.unwrap()).await.unwrap();
        for n in 0..20 {
            stream.write_all(&[n]).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), n);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[test]
    fn a_task_whose_channel_of_tokio_is_always_ready_starves_neither() {
        block_on(async {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            let received = Rc::new(Cell::new(0));
            let count = received.clone();
            drop(evloop::spawn(async move {
                loop {
                    sender.send(()).unwrap();
                    receiver.recv().await.unwrap();
                    count.set(count.get() + 1);
                }
            }));
            evloop::time::sleep(Duration::from_millis(1)).await;
            tokio::time::timeout(HANG, round_trips_of_tokio()).await.unwrap();
            assert!(received.get() > 128);
        });
    }

    #[test]
    fn tasks_of_tokio_whose_channels_of_the_loop_are_always_ready_starve_neither() {
        block_on(async {
            let counts = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
            for count in counts.clone() {
                let (sender, mut receiver) = evloop::sync::thread_channel::unbounded();
                tokio::spawn(async move {
                    loop {
                        sender.send(()).unwrap();
                        receiver.recv().await.unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let is_done = || counts.iter().all(|count| count.load(Ordering::Relaxed) > 1000);
            evloop::time::timeout(HANG, async {
                evloop::time::sleep(Duration::from_millis(1)).await;
                while !is_done() {
                    evloop::task::yield_now().await;
                }
                round_trips_of_tokio().await;
            })
            .await
            .unwrap();
        });
    }

    #[test]
    fn the_budget_is_unlimited_again_after_the_end() {
        block_on(async {
            tokio::task::yield_now().await;
        });
        let (sender, mut receiver) = evloop::sync::thread_channel::unbounded();
        for n in 0..1000 {
            sender.send(n).unwrap();
        }
        for n in 0..1000 {
            assert_eq!(receiver.recv().now_or_never(), Some(Some(n)));
        }
    }

    #[test]
    fn tokio_polls_its_tasks_after_61_polls_of_the_loop() {
        block_on(async {
            let polls = Arc::new(AtomicUsize::new(0));
            for _ in 0..200 {
                let polls = polls.clone();
                drop(evloop::spawn(async move {
                    loop {
                        polls.fetch_add(1, Ordering::Relaxed);
                        evloop::task::yield_now().await;
                    }
                }));
            }
            let between = tokio::spawn(async move {
                let mut most = 0;
                let mut before = polls.load(Ordering::Relaxed);
                for _ in 0..10_000 {
                    tokio::task::yield_now().await;
                    let now = polls.load(Ordering::Relaxed);
                    most = most.max(now - before);
                    before = now;
                }
                most
            });
            let most = between.await.unwrap();
            assert!((2..=61).contains(&most), "{most} polls between two of tokio");
        });
    }

    #[test]
    fn timers_in_the_far_future_and_of_no_duration_are_right() {
        block_on(async {
            let far = evloop::spawn(evloop::time::sleep(Duration::MAX));
            evloop::time::sleep(Duration::ZERO).await;
            evloop::time::sleep(Duration::from_millis(2)).await;
            assert!(!far.is_finished());
            far.abort();
            assert!(far.await.unwrap_err().is_cancelled());
        });
    }

    #[test]
    fn timers_that_came_due_during_a_blocking_poll_fire_on_both_sides() {
        block_on(async {
            let block = || thread::sleep(Duration::from_millis(5));
            for blocks_in_tokio in [false, true] {
                let ours = evloop::spawn(evloop::time::sleep(Duration::from_millis(1)));
                let theirs = tokio::spawn(tokio::time::sleep(Duration::from_millis(1)));
                if blocks_in_tokio {
                    tokio::spawn(async move { block() }).await.unwrap();
                } else {
                    evloop::spawn(async move { block() }).await.unwrap();
                }
                tokio::time::timeout(HANG, ours).await.unwrap().unwrap();
                evloop::time::timeout(HANG, theirs).await.unwrap().unwrap();
            }
        });
    }

    #[test]
    fn a_panic_of_the_future_propagates_after_the_tasks_were_dropped() {
        let log = Log::default();
        let note = |text| {
            let log = log.clone();
            OnDrop(move || log.lock().unwrap().push(text))
        };
        let message = panic_of(|| {
            block_on(async {
                let (ours, theirs) = (note("ours"), note("theirs"));
                drop(evloop::spawn(async move {
                    let _ours = ours;
                    pending::<()>().await;
                }));
                tokio::spawn(async move {
                    let _theirs = theirs;
                    pending::<()>().await;
                });
                tokio::task::yield_now().await;
                panic!("out of paper")
            })
        });
        assert_eq!(message, "out of paper");
        assert_eq!(*log.lock().unwrap(), ["theirs", "ours"]);
    }

    #[test]
    fn panics_of_tasks_end_those_alone() {
        block_on(async {
            let ours = evloop::spawn(async { panic!("ours") });
            assert!(ours.await.unwrap_err().is_panic());
            let theirs = tokio::spawn(async { panic!("theirs") });
            assert!(theirs.await.unwrap_err().is_panic());
        });
    }

    #[test]
    fn destructors_of_the_tasks_left_reach_both_runtimes() {
        let log = Log::default();
        let seen = log.clone();
        block_on(async move {
            let log = seen.clone();
            let in_tokio = OnDrop(move || {
                drop(evloop::spawn(async {}));
                drop(tokio::spawn(async {}));
                log.lock().unwrap().push("tokio");
            });
            let in_loop = OnDrop(move || {
                assert!(Handle::try_current().is_some());
                drop(evloop::spawn(async {}));
                drop(tokio::spawn(async {}));
                seen.lock().unwrap().push("loop");
            });
            drop(evloop::spawn(async move {
                let _in_loop = in_loop;
                let _socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await;
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }));
            tokio::spawn(async move {
                let _in_tokio = in_tokio;
                pending::<()>().await;
            });
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(*log.lock().unwrap(), ["tokio", "loop"]);
        assert!(Handle::try_current().is_none());
        assert!(tokio::runtime::Handle::try_current().is_err());
    }

    #[test]
    fn it_does_not_nest() {
        let inside = "was called inside of a running event loop";
        block_on(async {
            assert!(panic_of(|| block_on(async {})).contains(inside));
            assert!(panic_of(|| evloop::block_on(async {})).contains(inside));
            let in_tokio = tokio::spawn(async { panic_of(|| block_on(async {})) });
            assert!(in_tokio.await.unwrap().contains(inside));
        });
        evloop::block_on(async {
            assert!(panic_of(|| block_on(async {})).contains(inside));
        });
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let message = tokio.block_on(async { panic_of(|| block_on(async {})) });
        assert!(message.contains("Cannot start a runtime"), "{message}");
        assert_eq!(block_on(async { 1 }), 1);
    }

    #[test]
    fn calls_that_would_block_both_runtimes_panic_in_a_task_of_tokio() {
        let messages = block_on(async {
            let task = tokio::spawn(async {
                let (sender, mut receiver) = evloop::sync::thread_channel::unbounded();
                sender.send(()).unwrap();
                let mut runtime = evloop::Runtime::new().unwrap();
                // One turn does not block.
                runtime.turn(Some(Duration::ZERO)).unwrap();
                runtime.handle().stop();
                [
                    panic_of(|| evloop::block_on(async {})),
                    panic_of(|| runtime.run()),
                    panic_of(|| receiver.blocking_recv()),
                ]
            });
            // Another thread may block.
            tokio::task::spawn_blocking(|| evloop::block_on(async {})).await.unwrap();
            task.await.unwrap()
        });
        for message in messages {
            assert!(message.contains("running"), "{message}");
        }
        evloop::block_on(async {});
    }

    /// Holds a guard of tokio's context until `end` is done.
    async fn with_guard(end: impl Future<Output = ()>) {
        let _guard = tokio::runtime::Handle::current().enter();
        end.await;
    }

    #[test]
    fn a_task_holds_a_guard_of_tokio_across_an_await() {
        block_on(async {
            let held = evloop::spawn(with_guard(evloop::time::sleep(Duration::from_millis(2))));
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(evloop::spawn(async { 7 }).await.unwrap(), 7);
            held.await.unwrap();
        });
    }

    #[test]
    fn guards_of_tokio_that_overlap_panic_with_its_sentence() {
        let message = panic_of(|| {
            block_on(async {
                let (sender, receiver) = evloop::sync::oneshot::channel();
                let first = evloop::spawn(with_guard(async { receiver.await.unwrap() }));
                let second = evloop::spawn(with_guard(async {
                    sender.send(()).unwrap();
                    evloop::task::yield_now().await;
                }));
                assert!(first.await.unwrap_err().is_panic());
                let _ = second.await;
            })
        });
        assert!(message.contains("dropped out of order"), "{message}");
        assert_eq!(block_on(async { tokio::spawn(async { 7 }).await.unwrap() }), 7);
    }
}

mod helper {
    use evloop::block_on;

    use super::*;

    #[test]
    fn a_future_of_tokio_runs_in_a_task_of_the_loop() {
        let helper = Helper::new().unwrap();
        block_on(async {
            let here = thread::current().id();
            let not_send = Rc::new(Cell::new(0));
            let shared = not_send.clone();
            let run = helper.run(async move {
                let address = tokio_echo().await.unwrap();
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                for n in 0..100 {
                    stream.write_all(&[n]).await.unwrap();
                    assert_eq!(stream.read_u8().await.unwrap(), n);
                    shared.set(shared.get() + 1);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
                let there = tokio::spawn(async { thread::current().id() }).await.unwrap();
                assert_eq!(thread::current().id(), here);
                assert_eq!(evloop::spawn(async { thread::current().id() }).await.unwrap(), here);
                there
            });
            assert_ne!(evloop::spawn(run).await.unwrap(), here);
            assert_eq!(not_send.get(), 100);
        });
    }

    #[test]
    fn the_context_is_entered_during_polls_and_drops_alone() {
        let is_entered = || tokio::runtime::Handle::try_current().is_ok();
        let helper = Helper::new().unwrap();
        block_on(async {
            let dropped = Rc::new(Cell::new(false));
            for is_polled in [false, true] {
                let seen = dropped.clone();
                let on_drop = OnDrop(move || seen.set(is_entered()));
                let run = helper.run(async move {
                    let _on_drop = on_drop;
                    assert!(is_entered());
                    pending::<()>().await;
                });
                let task = evloop::spawn(run);
                if is_polled {
                    evloop::task::yield_now().await;
                }
                assert!(!is_entered());
                let _ = task.cancel().await;
                assert!(!is_entered());
                assert!(dropped.take(), "the drop of the future was not in the context");
            }
            helper.enter(|| assert!(is_entered()));
            assert!(!is_entered());
        });
    }

    #[test]
    fn two_helpers_serve_one_task_after_the_other() {
        let helpers = [(); 2].map(|()| Helper::new().unwrap());
        let ids = block_on(async {
            let [a, b] = &helpers;
            let id = async || tokio::spawn(async { thread::current().id() }).await.unwrap();
            let (first, second) = (a.run(id()), b.run(id()));
            let mut both = pin!(futures::future::join(first, second));
            poll_fn(|cx| both.as_mut().poll(cx)).await
        });
        assert_ne!(ids.0, ids.1);
    }

    #[test]
    fn a_panic_inside_leaves_the_context() {
        let helper = Helper::new().unwrap();
        block_on(async {
            let task = evloop::spawn(helper.run(async { panic!("inside") }));
            assert!(task.await.unwrap_err().is_panic());
            assert!(tokio::runtime::Handle::try_current().is_err());
            assert_eq!(panic_of(|| helper.enter(|| panic!("function"))), "function");
            assert!(tokio::runtime::Handle::try_current().is_err());
        });
    }

    #[test]
    fn the_drop_of_a_helper_drops_its_tasks_and_hangs_nothing() {
        let helper = Helper::new().unwrap();
        let (sender, mut dropped) = evloop::sync::thread_channel::unbounded();
        block_on(async {
            let on_drop = OnDrop(move || sender.send(()).unwrap());
            let task = helper.handle().spawn(async move {
                let _on_drop = on_drop;
                pending::<()>().await;
            });
            let sleeping = evloop::spawn(helper.run(tokio_sleep(Duration::from_secs(3600))));
            evloop::task::yield_now().await;
            drop(helper);
            evloop::time::timeout(HANG, dropped.recv()).await.unwrap();
            assert!(evloop::time::timeout(HANG, task).await.unwrap().unwrap_err().is_cancelled());
            // tokio's timer panics when its runtime has ended.
            let ended = evloop::time::timeout(HANG, sleeping).await.unwrap();
            assert!(ended.unwrap_err().is_panic());
        });
    }

    #[test]
    fn a_run_future_is_not_begun_before_it_is_polled() {
        let helper = Helper::new().unwrap();
        let polls = Cell::new(0);
        let mut run = pin!(helper.run(async { polls.set(polls.get() + 1) }));
        assert_eq!(polls.get(), 0);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut cx).is_ready());
        assert_eq!(polls.get(), 1);
    }

    #[test]
    fn a_sleep_under_the_helper_ends_after_its_time() {
        let helper = Helper::new().unwrap();
        let begin = Instant::now();
        block_on(helper.run(tokio_sleep(Duration::from_millis(5))));
        assert!(begin.elapsed() >= Duration::from_millis(5));
    }

    async fn tokio_sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
