//! The budget of a poll: a leaf that is always ready delays no timeout, no branch and no task.

#![cfg(feature = "streams")]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::io::Write;
use std::net::{self, SocketAddr};
use std::pin::{Pin, pin};
use std::process;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream, UdpSocket};
use evloop::queue::Queue;
use evloop::sync::{
    Barrier, Condvar, Event, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot,
    thread_channel, watch,
};
use evloop::task::{self, JoinSet, ReturnWhen, scope, try_scope, yield_now};
use evloop::time::{now, timeout, timeout_at, timeout_scope};
use evloop::{block_on, call_soon, spawn};
use futures::{FutureExt, future, join, select_biased};

const LIMIT: Duration = Duration::from_millis(5);
/// A timeout in these tests ends within milliseconds, or never.
const HUNG: Duration = Duration::from_secs(60);

/// Runs `test`. A test that never ends fails, instead of blocking all tests.
fn within_a_minute(name: String, test: impl FnOnce()) {
    let (done, receiver) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if receiver.recv_timeout(HUNG) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} delayed its timeout for {HUNG:?}");
            process::abort();
        }
    });
    test();
    drop(done);
    watchdog.join().unwrap();
}

/// Checks a leaf that is ready each time it is made: `check!("name", make, |state| future)`.
macro_rules! check {
    ($name:expr, $make:expr, |$state:ident| $leaf:expr) => {
        within_a_minute($name.to_string(), || {
            block_on(async {
                let $state = $make;
                let limits = [Duration::ZERO, LIMIT];
                for limit in limits {
                    let result = timeout(limit, async {
                        loop {
                            let _ = $leaf;
                        }
                    });
                    assert!(result.await.is_err(), "{}: timeout", $name);
                    let result = timeout_at(now() + limit, async {
                        loop {
                            let _ = $leaf;
                        }
                    });
                    assert!(result.await.is_err(), "{}: timeout_at", $name);
                    let result = timeout_scope(limit, async |_| {
                        loop {
                            let _ = $leaf;
                        }
                    });
                    assert!(result.await.is_err(), "{}: timeout_scope", $name);
                }
                // Other futures, in the same task and in another one, are polled too.
                let turns = Rc::new(Cell::new(0));
                let neighbour = turns.clone();
                let other = spawn(async move {
                    for _ in 0..3 {
                        yield_now().await;
                        neighbour.set(neighbour.get() + 1);
                    }
                });
                let busy = async {
                    while turns.get() < 3 {
                        let _ = $leaf;
                    }
                };
                busy.await;
                other.await.unwrap();
            });
        });
    };
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[test]
fn locks_delay_no_timeout() {
    check!("semaphore", Semaphore::new(1), |s| drop(s.acquire().await));
    check!("mutex", Mutex::new(()), |m| drop(m.lock().await));
    check!("rw lock, read", RwLock::new(()), |l| drop(l.read().await));
    check!("rw lock, write", RwLock::new(()), |l| drop(l.write().await));
    check!("reentrant mutex", task::ReentrantMutex::new(()), |m| drop(m.lock().await));
    check!("closed semaphore", closed_semaphore(), |s| s.acquire().await.is_err());
    check!("once cell", OnceCell::from(1), |c| c.get_or_init(async || 2).await);
    check!("barrier of one", Barrier::new(1), |b| b.wait().await);
}

fn closed_semaphore() -> Semaphore {
    let semaphore = Semaphore::new(1);
    semaphore.close();
    semaphore
}

#[test]
fn events_delay_no_timeout() {
    let set = Event::new();
    set.set();
    check!("event", set, |e| e.wait().await);
    check!("notify", Notify::new(), |n| {
        n.notify_one();
        n.notified().await
    });
    let mutex = Mutex::new(());
    check!("condvar whose predicate holds", (Condvar::new(), mutex), |c| {
        let guard = c.1.lock().await;
        c.0.wait_for(guard, |()| true).await
    });
}

/// A macro for receivers, whose methods take `&mut`: each is in its own cell.
macro_rules! check_mut {
    ($name:expr, $make:expr, |$state:ident| $leaf:expr) => {
        check!($name, RefCell::new($make), |cell| {
            let mut guard = cell.borrow_mut();
            let $state = &mut *guard;
            let _ = $leaf;
        })
    };
}

#[test]
#[allow(clippy::await_holding_refcell_ref)]
fn final_states_of_channels_delay_no_timeout() {
    check_mut!("mpsc, closed receiver", mpsc::bounded::<u8>(1).1, |r| r.recv().await);
    check!("mpsc, closed sender", mpsc::bounded::<u8>(1).0, |s| s.send(1).await.is_err());
    check!("mpsc, closed, reserve", mpsc::bounded::<u8>(1).0, |s| s.reserve().await.is_err());
    check_mut!("unbounded, closed receiver", mpsc::unbounded::<u8>().1, |r| r.recv().await);
    check_mut!("oneshot, closed", oneshot::channel::<u8>().0, |s| s.closed().await);
    check_mut!("broadcast, closed", broadcast::channel::<u8>(1).1, |r| r.recv().await.is_err());
    check_mut!("watch, changed, closed", watch::channel(1).1, |r| r.changed().await.is_err());
    check_mut!("watch, wait_for", watch::channel(1).1, |r| r.wait_for(|_| true).await.is_ok());
    check_mut!("watch, wait_for, closed", watch::channel(1).1, |r| {
        r.wait_for(|_| false).await.is_err()
    });
    check!("watch, closed", watch::channel(1).0, |s| s.closed().await);
    check_mut!("thread channel, closed", thread_channel::bounded::<u8>(1).1, |r| r.recv().await);
    check!("thread channel, send", thread_channel::bounded::<u8>(1).0, |s| {
        s.send(1).await.is_err()
    });
    let queue = Queue::unbounded();
    queue.close();
    check!("queue, closed, put", queue, |q| q.put(1).await.is_err());
    let queue = Queue::<u8>::unbounded();
    queue.close_now();
    check!("queue, closed, get", queue, |q| q.get().await.is_err());
    check!("queue, join", Queue::<u8>::unbounded(), |q| q.join().await);
}

#[test]
#[allow(clippy::await_holding_refcell_ref)]
fn values_in_channels_delay_no_timeout() {
    // A timeout may end between a send and its receive: the capacity suffices for such values.
    check_mut!("mpsc", mpsc::bounded(100), |c| {
        c.0.send(1).await.unwrap();
        c.1.recv().await
    });
    check_mut!("unbounded", mpsc::unbounded(), |c| {
        c.0.send(1).unwrap();
        c.1.recv().await
    });
    check!("oneshot", (), |_s| {
        let (sender, receiver) = oneshot::channel();
        sender.send(1).unwrap();
        receiver.await
    });
    check_mut!("broadcast", broadcast::channel(1), |c| {
        c.0.send(1).unwrap();
        c.1.recv().await
    });
    check_mut!("watch", watch::channel(1), |c| {
        c.0.send(2).unwrap();
        c.1.changed().await
    });
    check!("queue", Queue::unbounded(), |q| {
        q.put(1).await.unwrap();
        q.get().await
    });
}

#[test]
#[allow(clippy::await_holding_refcell_ref)]
fn tasks_delay_no_timeout() {
    check_mut!("join set, empty", JoinSet::<()>::new(), |s| s.join_next().await);
    check_mut!("wait, empty", JoinSet::<()>::new(), |s| {
        task::wait(s, ReturnWhen::All, None).await
    });
    check!("eager task", (), |_s| task::Builder::new().eager(true).spawn(ready(1)).await);
    check!("empty scope", (), |_s| scope(async |_| ()).await);
    check!("empty try_scope", (), |_s| try_scope(async |_| Ok::<_, ()>(())).await);
    check!("scope of a ready child", (), |_s| scope(async |s| drop(s.spawn(async {}))).await);
    check!("gather of nothing", (), |_s| task::gather(Vec::<future::Ready<()>>::new()).await);
    check!("limit that is over", (), |_s| timeout(Duration::ZERO, pending::<()>()).await);
    check!("limit in the past", (), |_s| { timeout_at(now(), pending::<()>()).await });
    check!("timeout_scope that is over", (), |_s| {
        timeout_scope(Duration::ZERO, async |_| pending::<()>().await).await
    });
}

#[test]
fn sockets_delay_no_timeout() {
    check!("bad address", (), |_s| TcpStream::connect("nowhere").await.is_err());
    check!("lookup of an address", (), |_s| evloop::net::lookup_host("127.0.0.1:1").await);
    check!("bind", (), |_s| TcpListener::bind(loopback()).await.unwrap());
    check!("bind to a bad address", (), |_s| TcpListener::bind("nowhere").await.is_err());
    check!("bind udp", (), |_s| UdpSocket::bind(loopback()).await.unwrap());
}

/// Returns a reader at end of stream.
async fn reader_at_end() -> evloop::StreamReader {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let connecting = evloop::open_connection(listener.local_addr().unwrap());
    let (mut reader, writer) = connecting.await.unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(reader.read(1).await.unwrap(), b"");
    writer.close();
    reader
}

#[test]
#[allow(clippy::await_holding_refcell_ref)]
fn ended_streams_and_servers_delay_no_timeout() {
    check_mut!("read", reader_at_end().await, |r| r.read(1).await.unwrap());
    check_mut!("read_to_end", reader_at_end().await, |r| r.read_to_end().await.unwrap());
    check_mut!("read_line", reader_at_end().await, |r| r.read_line().await.unwrap());
    check_mut!("read_exact", reader_at_end().await, |r| r.read_exact(1).await.is_err());
    check_mut!("lines", reader_at_end().await, |r| r.lines().next().await);
    let closed = async {
        let server = evloop::start_server(loopback(), async |_, _| {}).await.unwrap();
        server.close();
        server
    };
    check!("wait_closed", closed.await, |s| s.wait_closed().await);
}

#[cfg(unix)]
#[test]
#[allow(clippy::await_holding_refcell_ref)]
fn an_ended_child_delays_no_timeout() {
    let ended = async {
        let mut child = evloop::process::Command::new("true").spawn().unwrap();
        child.wait().await.unwrap();
        child
    };
    check_mut!("child", ended.await, |c| c.wait().await);
}

/// Returns a connection whose peer sends as long as it is read.
async fn flood() -> (evloop::StreamReader, evloop::StreamWriter, thread::JoinHandle<()>) {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let mut peer = listener.accept().unwrap().0;
        while peer.write_all(&[b'\n'; 65536]).is_ok() {}
    });
    let (reader, writer) = evloop::open_connection(addr).await.unwrap();
    (reader, writer, peer)
}

#[test]
fn a_flooding_peer_delays_no_timeout() {
    within_a_minute("flood".to_string(), || {
        let peer = block_on(async {
            let (mut reader, writer, peer) = flood().await;
            for limit in [Duration::ZERO, LIMIT] {
                let lines = async {
                    loop {
                        reader.read_line().await.unwrap();
                    }
                };
                assert!(timeout(limit, lines).await.is_err());
                let bytes = async {
                    loop {
                        reader.read_exact(1).await.unwrap();
                    }
                };
                assert!(timeout(limit, bytes).await.is_err());
            }
            writer.abort();
            peer
        });
        peer.join().unwrap();
    });
}

/// A leaf that is always ready.
async fn busy(served: &Cell<u64>) {
    let semaphore = Semaphore::new(1);
    loop {
        drop(semaphore.acquire().await);
        served.set(served.get() + 1);
    }
}

fn cells(n: usize) -> Vec<Cell<u64>> {
    (0..n).map(|_| Cell::new(0)).collect()
}

/// Returns whether each branch has been served.
fn all_served(cells: &[Cell<u64>]) -> bool {
    cells.iter().all(|cell| cell.get() > 0)
}

#[test]
fn the_second_branch_of_a_join_is_served() {
    within_a_minute("join".to_string(), || {
        let served = cells(3);
        block_on(async {
            let light = async {
                let semaphore = Semaphore::new(1);
                for _ in 0..1000 {
                    drop(semaphore.acquire().await);
                }
            };
            let all = async { join!(busy(&served[0]), busy(&served[1]), busy(&served[2])) };
            let mut all = Box::pin(all);
            let mut light = Box::pin(light);
            // A join written by hand: the busy branches come first.
            poll_fn(|cx| {
                let _ = all.as_mut().poll(cx);
                light.as_mut().poll(cx)
            })
            .await;
        });
        assert!(all_served(&served));
    });
}

#[test]
fn the_second_branch_of_a_select_is_served() {
    within_a_minute("select".to_string(), || {
        block_on(async {
            let (shutdown, shut_down) = oneshot::channel();
            shutdown.send(()).unwrap();
            let semaphore = Semaphore::new(1);
            let mut shut_down = shut_down.fuse();
            loop {
                let mut value = pin!(semaphore.acquire().fuse());
                select_biased! {
                    permit = value => drop(permit),
                    got = shut_down => break got.unwrap(),
                }
            }
        });
    });
}

/// Polls its branches in an order that rotates by one each time, as futures-concurrency does.
struct Rotating<'a>(Vec<Pin<Box<dyn Future<Output = ()> + 'a>>>, usize);

impl Future for Rotating<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let len = self.0.len();
        let first = self.1;
        self.1 = (first + 1) % len;
        for i in 0..len {
            let _ = self.0[(first + i) % len].as_mut().poll(cx);
        }
        Poll::Pending
    }
}

/// Returns whether the future that `hold` returns serves all branches.
fn serves_all<'a, F: Future>(served: &'a [Cell<u64>], hold: impl FnOnce(&'a [Cell<u64>]) -> F) {
    within_a_minute(format!("{} branches", served.len()), || {
        block_on(async {
            let mut held = pin!(hold(served));
            poll_fn(|cx| match held.as_mut().poll(cx) {
                _ if all_served(served) => Poll::Ready(()),
                Poll::Ready(_) => panic!("it has ended"),
                Poll::Pending => Poll::Pending,
            })
            .await;
        });
    });
}

#[test]
fn every_branch_of_a_rotating_join_is_served() {
    for n in [1, 2, 3, 8, 100] {
        serves_all(&cells(n), |served| {
            Rotating(served.iter().map(|cell| Box::pin(busy(cell)) as _).collect(), 0)
        });
    }
}

#[test]
fn every_branch_of_a_large_join_is_served() {
    for n in [1, 2, 3, 8, 20, 300] {
        serves_all(&cells(n), |served| future::join_all(served.iter().map(busy)));
    }
}

#[test]
fn the_last_of_a_thousand_busy_children_is_served() {
    for n in [1, 2, 127, 128, 129, 1000] {
        serves_all(&cells(n), |served| {
            scope(async move |s| {
                for cell in served {
                    drop(s.spawn(busy(cell)));
                }
            })
        });
    }
}

#[test]
fn the_children_of_a_busy_body_are_served() {
    serves_all(&cells(4), |served| {
        scope(async move |s| {
            for cell in &served[1..] {
                drop(s.spawn(busy(cell)));
            }
            busy(&served[0]).await;
        })
    });
}

#[test]
fn a_branch_that_spends_the_exact_budget_starves_no_other() {
    for results in [127, 128, 129] {
        serves_all(&cells(2), |served| {
            let batches = async move {
                let semaphore = Semaphore::new(1);
                loop {
                    for _ in 0..results {
                        drop(semaphore.acquire().await);
                    }
                    served[0].set(1);
                    yield_now().await;
                }
            };
            let mut batches = Box::pin(batches);
            let mut other = Box::pin(busy(&served[1]));
            poll_fn(move |cx| {
                let _: Poll<()> = batches.as_mut().poll(cx);
                other.as_mut().poll(cx)
            })
        });
    }
}

#[test]
fn a_leaf_inside_many_scopes_is_served_beside_a_busy_branch() {
    fn tower(depth: usize, served: &Cell<u64>) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move {
            match depth {
                0 => busy(served).await,
                _ => scope(async |s| drop(s.spawn(tower(depth - 1, served)))).await,
            }
        })
    }
    for depth in [1, 10, 127] {
        serves_all(&cells(2), |served| future::join(busy(&served[0]), tower(depth, &served[1])));
    }
}

#[test]
fn scopes_nest_to_any_depth() {
    fn deep(n: usize) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let semaphore = Semaphore::new(1);
            drop(semaphore.acquire().await);
            if n > 0 {
                scope(async |s| drop(s.spawn(deep(n - 1)))).await;
            }
        })
    }
    within_a_minute("deep scopes".to_string(), || {
        for n in [1, 127, 128, 129, 300] {
            block_on(deep(n));
        }
    });
}

#[test]
fn a_signal_reaches_a_listener_behind_a_busy_branch() {
    within_a_minute("notify".to_string(), || {
        block_on(async {
            let notify = Rc::new(Notify::new());
            let ring = notify.clone();
            call_soon(move || ring.notify_one());
            let served = Cell::new(0);
            let mut busy = Box::pin(busy(&served));
            let mut notified = Box::pin(notify.notified());
            poll_fn(|cx| {
                let _ = busy.as_mut().poll(cx);
                notified.as_mut().poll(cx)
            })
            .await;
        });
    });
}

#[test]
fn a_timeout_polls_its_future_again_after_a_refusal() {
    within_a_minute("grace".to_string(), || {
        block_on(async {
            let served = Cell::new(0);
            let mut busy = Box::pin(busy(&served));
            for _ in 0..100 {
                let mut limit = Box::pin(timeout(Duration::ZERO, pending::<()>()));
                let got = poll_fn(|cx| {
                    let _ = busy.as_mut().poll(cx);
                    limit.as_mut().poll(cx)
                });
                assert!(got.await.is_err());
            }
            for _ in 0..300 {
                let task = spawn(ready(7));
                while !task.is_finished() {
                    yield_now().await;
                }
                assert_eq!(timeout(Duration::ZERO, task).await.unwrap().unwrap(), 7);
            }
        });
    });
}
