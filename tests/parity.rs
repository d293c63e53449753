//! The names of the public API: code outside the crate compiles against them.
//!
//! Most of this code is compiled only. Other test files check its behaviour.
#![cfg(all(feature = "fs", feature = "streams"))]
#![allow(dead_code, unused_must_use, clippy::all)]

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;

type Fallible<T = ()> = Result<T, Box<dyn Error>>;

const MS: Duration = Duration::from_millis(1);

fn is_error<E: Error + 'static>() {}
fn is_portable_error<E: Error + Send + Sync + 'static>() {}
fn is_debug<T: Debug>() {}
fn is_clone<T: Clone>() {}
fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

fn the_loop() -> Fallible {
    use evloop::runtime::{Builder, CallHandle, RemoteHandle, Turn};
    use evloop::{Handle, Runtime};

    let _: i32 = evloop::block_on(async { 1 });
    let mut runtime: Runtime = Runtime::new()?;
    let _: Runtime = Runtime::builder()
        .name("mine")
        .debug(true)
        .slow_poll_threshold(MS)
        .batch_max(10)
        .events_capacity(10)
        .blocking_threads_max(2)
        .spin(MS)
        .on_task_error(|error| eprintln!("{error}"))
        .build()?;
    let _: Builder = Builder::new().name(String::from("mine"));
    let task: evloop::JoinHandle<i32> = runtime.spawn(async { 1 });
    let _: i32 = runtime.block_on(task)?;
    let handle: Handle = runtime.handle();
    let guard = runtime.enter();
    let _ = Handle::current();
    let _: Option<Handle> = Handle::try_current();
    drop(guard);
    let _ = runtime.run();
    let Turn { polled: _, ready_left: _, .. } = runtime.turn(Some(MS))?;
    runtime.turn(None)?;
    runtime.run_until_stalled()?;
    let _: Option<Instant> = runtime.next_deadline();
    #[cfg(all(unix, not(mio_unsupported_force_poll_poll)))]
    let _ = std::os::fd::AsFd::as_fd(&runtime);
    handle.stop();
    handle.clone().call_threadsafe(|| ());
    let remote: RemoteHandle<i32> = handle.spawn(|| async { 1 });
    remote.is_finished();
    remote.abort();
    let _: i32 = remote.join()?;
    let call: CallHandle = evloop::call_soon(|| ());
    evloop::call_later(MS, || ()).cancel();
    let _: Instant = evloop::call_at(Instant::now(), || ()).when();
    call.cancel();
    let _: Instant = evloop::time::now();
    is_send::<Handle>();
    is_sync::<Handle>();
    is_clone::<Handle>();
    is_debug::<(Handle, Runtime, Builder, CallHandle, RemoteHandle<i32>)>();
    #[cfg(all(unix, feature = "signal"))]
    {
        let _: Result<i32, evloop::signal::Interrupted> = runtime.block_on_or_cancel(async { 1 });
        is_portable_error::<evloop::signal::Interrupted>();
    }
    runtime.shutdown_timeout(MS);
    Ok(())
}

async fn ends_of_tasks() {
    use evloop::task::{self, EndCallback, TaskEnd};

    evloop::spawn(async { Err::<i32, _>("odd") }).detach();
    let callback: EndCallback = evloop::spawn(async { 1 }).on_end(|end| match end {
        TaskEnd::Returned | TaskEnd::Cancelled | TaskEnd::Panicked => {}
    });
    let _: bool = callback.remove();
    task::report_error("odd");
    let _: i32 = task::shielded(async { 1 }).await;
    let _: i32 = task::unconstrained(async { 1 }).await;
    let _: i32 = task::cooperative(async { 1 }).await;
    task::consume_budget().await;
    let _: bool = task::has_budget_remaining();
}

fn infos_of_tasks() {
    use evloop::task::{self, TaskInfo};

    let info: Option<TaskInfo> = task::current();
    for info in task::all().into_iter().chain(info) {
        info.id();
        info.name();
        info.spawned_at();
        info.parent();
        info.state();
        info.polls();
        info.clone().set_name("y");
        info.abort();
    }
}

async fn tasks() -> Fallible {
    use evloop::task::{
        self, AbortHandle, GroupError, JoinError, JoinHandle, JoinSet, ReturnWhen, TaskId, TaskInfo,
    };

    let mut handle: JoinHandle<i32> = evloop::spawn(async { 1 });
    let _: Result<i32, JoinError> = (&mut handle).await;
    task::spawn(async {}).await?;
    task::Builder::new().name("x").eager(true).spawn(async {}).await?;
    handle.abort();
    handle.is_finished();
    let abort: AbortHandle = handle.abort_handle();
    abort.clone().abort();
    let _: Result<i32, JoinError> = handle.cancel().await;
    evloop::spawn(async { 1 }).abort_on_drop().await?;
    evloop::spawn(async { 1 }).on_done(|result| drop(result));
    let error = evloop::spawn(async { panic!() }).await.unwrap_err();
    let _: TaskId = error.task_id();
    let _: (bool, bool, bool) = (error.is_cancelled(), error.is_panic(), error.is_failed());
    let _: (Option<&str>, &'static Location<'static>) = (error.name(), error.spawned_at());
    let _ = error.into_panic();
    let local = Cell::new(1);
    task::scope(async |s| {
        let child = s.spawn(async { local.set(2) });
        s.cancel();
        child.await
    })
    .await;
    let _: Result<i32, GroupError<io::Error>> = task::try_scope(async |s| {
        s.spawn(async { io::Result::Ok(()) });
        Ok(1)
    })
    .await;
    let _: Vec<i32> = task::gather([1, 2].map(|n| async move { n })).await;
    let _: Vec<i32> = task::gather(vec![async { 1 }]).await;
    let _: Vec<i32> = task::try_gather([async { io::Result::Ok(1) }]).await?;
    let mut set: JoinSet<i32> = JoinSet::new();
    set.spawn(async { 1 });
    let _: Option<Result<i32, JoinError>> = set.join_next().await;
    set.try_join_next();
    set.len();
    task::wait(&mut set, ReturnWhen::FirstCompleted, Some(MS)).await;
    task::wait(&mut set, ReturnWhen::All, None).await;
    set.abort_all();
    let _: Vec<i32> = set.join_all().await;
    task::shield(evloop::spawn(async {})).await?;
    task::yield_now().await;
    let _: i32 = task::spawn_blocking(|| 1).await?;
    evloop::task_local! { static X: i32; }
    X.scope(1, async { X.with(|x| *x) }).await;
    let lock = task::ReentrantMutex::new(1);
    let guard = lock.lock().await;
    let _: &i32 = &guard;
    is_portable_error::<JoinError>();
    is_portable_error::<GroupError<io::Error>>();
    io::Error::from(evloop::spawn(async {}).await.unwrap_err());
    is_clone::<(TaskId, AbortHandle, TaskInfo)>();
    is_debug::<(JoinHandle<Cell<i32>>, AbortHandle, TaskInfo, JoinSet<i32>, TaskId)>();
    Ok(())
}

async fn time() -> Fallible {
    use evloop::time::{self, Elapsed, Interval, MissedTick, Sleep};

    time::sleep(MS).await;
    time::sleep_until(Instant::now()).await;
    let mut sleep: Sleep = time::sleep(MS);
    let at: Instant = sleep.deadline();
    sleep.reset(at + MS);
    let mut ticks: Interval = time::interval(MS);
    let _: Instant = ticks.tick().await;
    ticks.set_missed_tick(MissedTick::Burst);
    ticks.set_missed_tick(MissedTick::Delay);
    ticks.set_missed_tick(MissedTick::Skip);
    time::interval_at(at, MS).tick().await;
    ticks.next().await;
    let _: Result<i32, Elapsed> = time::timeout(MS, async { 1 }).await;
    let _: Result<i32, Elapsed> = time::timeout_at(at, async { 1 }).await;
    let _: i32 = time::timeout_scope(MS, async |t| {
        t.reschedule(time::now() + MS);
        1
    })
    .await?;
    time::timeout_scope_at(at, async |t| t.reschedule(None)).await?;
    let _: Option<Instant> = time::current_deadline();
    is_portable_error::<Elapsed>();
    let _: io::Error = time::timeout(MS, async {}).await.unwrap_err().into();
    is_debug::<(Sleep, Interval, MissedTick)>();
    Ok(())
}

/// Every type that converts to addresses.
async fn addresses() -> Fallible {
    use evloop::net::{TcpListener, TcpStream, UdpSocket, lookup_host};

    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let v4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
    let v6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0, 0);
    let name = String::from("localhost:1");
    let host = String::from("localhost");
    TcpStream::connect(addr).await?;
    TcpStream::connect(v4).await?;
    TcpStream::connect(v6).await?;
    TcpStream::connect((IpAddr::V4(Ipv4Addr::LOCALHOST), 1)).await?;
    TcpStream::connect((Ipv4Addr::LOCALHOST, 1)).await?;
    TcpStream::connect((Ipv6Addr::LOCALHOST, 1)).await?;
    TcpStream::connect(("localhost", 1)).await?;
    TcpStream::connect((host.clone(), 1)).await?;
    TcpStream::connect((&*host, 1)).await?;
    TcpStream::connect((host.as_str(), 1)).await?;
    TcpStream::connect("localhost:1").await?;
    TcpStream::connect(&name).await?;
    TcpStream::connect(name.clone()).await?;
    TcpStream::connect(&[addr, addr][..]).await?;
    TcpStream::connect(vec![addr].as_slice()).await?;
    TcpStream::connect(&addr).await?;
    TcpStream::connect(lookup_host(("localhost", 1)).await?.as_slice()).await?;
    TcpListener::bind(("localhost", 0)).await?;
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?.send_to(b"", &name).await?;
    Ok(())
}

async fn net() -> Fallible {
    use evloop::net::{ConnectOptions, ListenOptions, TcpListener, TcpStream};

    let options = ListenOptions {
        backlog: 10,
        reuse_addr: true,
        reuse_port: true,
        only_v6: Some(true),
        ..Default::default()
    };
    let listener: TcpListener = TcpListener::bind_with("[::1]:0", &options).await?;
    TcpListener::bind("127.0.0.1:0").await?;
    let (stream, peer): (TcpStream, SocketAddr) = listener.accept().await?;
    let _: TcpStream = listener.incoming().next().await.unwrap()?;
    let options = ConnectOptions { local_addr: Some(peer), ..Default::default() };
    TcpStream::connect_with(("localhost", 1), &options).await?;
    let stream = TcpStream::from_std(stream.into_std()?)?;

    let (buf, other) = (&mut [0; 9][..], &mut [0; 9][..]);
    let _: usize = stream.read(buf).await?;
    let () = stream.read_exact(buf).await?;
    let _: usize = stream.peek(buf).await?;
    stream.read_vectored(&mut [io::IoSliceMut::new(buf), io::IoSliceMut::new(other)]).await?;
    let _: usize = stream.write(b"x").await?;
    let () = stream.write_all(b"x").await?;
    let mut rest: &[u8] = b"xx";
    stream.write_all_buf(&mut rest).await?;
    stream.write_vectored(&[io::IoSlice::new(b"x")]).await?;
    stream.readable().await?;
    stream.writable().await?;
    let _: usize = stream.try_read(buf)?;
    let _: usize = stream.try_write(b"x")?;
    let _: i32 = stream.try_io(evloop::io::Interest::READABLE, || Ok(1))?;
    std::future::poll_fn(|cx| stream.poll_read_ready(cx)).await?;
    std::future::poll_fn(|cx| stream.poll_write_ready(cx)).await?;
    stream.shutdown(Shutdown::Write)?;
    stream.set_nodelay(true)?;
    #[cfg(unix)]
    {
        stream.set_keepalive(true)?;
        stream.set_linger(Some(Duration::ZERO))?;
    }
    let _: (SocketAddr, SocketAddr) = (stream.peer_addr()?, stream.local_addr()?);
    {
        use futures_lite::{AsyncReadExt, AsyncWriteExt};
        let (mut by_value, mut by_ref) = (TcpStream::connect(peer).await?, &stream);
        AsyncReadExt::read(&mut by_value, buf).await?;
        AsyncReadExt::read_to_end(&mut by_ref, &mut Vec::new()).await?;
        AsyncWriteExt::write_all(&mut by_ref, b"x").await?;
        by_value.close().await?;
    }
    let (read, write) = stream.into_split();
    read.read(buf).await?;
    write.write_all(b"x").await?;
    read.reunite(write)?;
    is_debug::<(TcpStream, TcpListener, ConnectOptions, ListenOptions)>();
    is_clone::<(ConnectOptions, ListenOptions)>();
    Ok(())
}

async fn datagrams_and_names() -> Fallible {
    use evloop::net::{self, TcpStream, UdpSocket};

    let (buf, peer) = (&mut [0; 9][..], SocketAddr::from(([127, 0, 0, 1], 1)));
    let udp = UdpSocket::bind("127.0.0.1:0").await?;
    udp.connect(peer).await?;
    let _: usize = udp.send(b"x").await?;
    let _: usize = udp.recv(buf).await?;
    let _: usize = udp.send_to(b"x", peer).await?;
    let _: (usize, SocketAddr) = udp.recv_from(buf).await?;
    let _: (usize, SocketAddr) = udp.peek_from(buf).await?;
    udp.set_broadcast(udp.broadcast()?)?;
    udp.join_multicast_v4(Ipv4Addr::new(224, 0, 0, 251), Ipv4Addr::UNSPECIFIED)?;
    udp.into_std()?;

    for addr in net::lookup_host("localhost:80").await? {
        let _: SocketAddr = addr;
    }
    #[cfg(feature = "lookup-addr")]
    {
        let _: String = net::lookup_addr(peer).await?;
        net::lookup_addr(peer.ip()).await?;
    }
    let stream = TcpStream::connect(peer).await?;
    let _: u64 = net::sendfile(&stream, &std::fs::File::open("x")?, 0, u64::MAX).await?;
    is_debug::<UdpSocket>();
    is_portable_error::<net::Truncated>();
    Ok(())
}

#[cfg(unix)]
async fn net_unix() -> Fallible {
    use evloop::net::{UnixDatagram, UnixListener, UnixStream, pipe};
    use std::path::{Path, PathBuf};

    let listener = UnixListener::bind("x")?;
    UnixListener::bind(Path::new("x"))?;
    UnixListener::bind(&PathBuf::from("x"))?;
    let (stream, _) = listener.accept().await?;
    stream.peer_cred()?;
    stream.write_all(b"x").await?;
    UnixStream::connect("x").await?;
    let (one, other) = UnixStream::pair()?;
    evloop::io::copy_bidirectional(one, other).await?;
    let datagrams = UnixDatagram::bind("x")?;
    datagrams.send_to(b"x", "y").await?;
    UnixDatagram::pair()?;
    UnixDatagram::unbound()?;
    let (sender, receiver) = pipe::pair()?;
    sender.write_all(b"x").await?;
    receiver.read(&mut [0; 9]).await?;
    let (_, _): (pipe::Sender, pipe::Receiver) =
        (pipe::Sender::from_fd(sender.into_fd()?)?, pipe::Receiver::from_fd(receiver.into_fd()?)?);
    is_debug::<(UnixStream, UnixListener, UnixDatagram, pipe::Sender, pipe::Receiver)>();
    Ok(())
}

async fn io_helpers() -> Fallible {
    use evloop::io as eio;
    use futures_lite::{AsyncReadExt, AsyncWriteExt};

    #[cfg(unix)]
    {
        let fd = std::os::fd::OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0")?);
        let fd = eio::AsyncFd::new(fd)?;
        fd.readable().await?;
        fd.writable().await?;
        let _: i32 = fd.try_io(eio::Interest::READABLE, |_fd| Ok(1))?;
        let _: eio::Interest = fd.ready(eio::Interest::READABLE).await?;
    }
    let (mut stdin, mut stdout) = (eio::stdin(), eio::stdout());
    let _: Vec<u8> = stdin.read_line().await?;
    let _: usize = stdin.read(&mut [0; 9]).await?;
    stdout.write_all(b"x").await?;
    eio::stderr().write_all(b"x").await?;
    let (mut a, mut b) = eio::duplex(10);
    a.write_all(b"x").await?;
    b.read(&mut [0; 9]).await?;
    let _: u64 = eio::copy(&a, &b).await?;
    let _: u64 = eio::copy(&mut a, &mut b).await?;
    let _: (u64, u64) = eio::copy_bidirectional(&a, &b).await?;
    is_debug::<(eio::Stdin, eio::DuplexStream)>();
    Ok(())
}

async fn streams() -> Fallible {
    use evloop::streams::{
        self, IncompleteRead, LimitOverrun, StreamOptions, StreamReader, StreamWriter,
    };

    let (mut reader, writer): (StreamReader, StreamWriter) =
        evloop::open_connection(("localhost", 1)).await?;
    evloop::open_connection("localhost:1").await?;
    let options = StreamOptions { limit: 10, ..Default::default() };
    streams::open_connection_with("localhost:1", &options).await?;
    let _: Vec<u8> = reader.read(10).await?;
    let _: Vec<u8> = reader.read_to_end().await?;
    let _: Vec<u8> = reader.read_line().await?;
    let _: Vec<u8> = reader.read_exact(10).await?;
    let _: Vec<u8> = reader.read_until(b"\r\n").await?;
    let _: Vec<u8> = reader.read_until_any(&[b"\r\n", b"\n"]).await?;
    let _: Vec<u8> = reader.read_until_any(&[b"\n"]).await?;
    let _: bool = reader.at_eof();
    while let Some(line) = reader.lines().next().await {
        let _: Vec<u8> = line?;
    }
    let mut lines = reader.lines();
    let _: Option<Vec<u8>> = lines.try_next().await?;
    drop(lines);
    writer.write(b"x");
    writer.write("x".as_bytes());
    writer.write(format!("{}\n", 1).as_bytes());
    writer.write(&vec![1]);
    writer.write_vectored(&[io::IoSlice::new(b"x")]);
    writer.drain().await?;
    writer.shutdown_write();
    writer.is_closing();
    writer.set_write_buffer_limits(1, 2);
    let _: usize = writer.write_buffer_size();
    let _: SocketAddr = writer.peer_addr()?;
    let _: SocketAddr = reader.local_addr()?;
    writer.get_ref().as_tcp().unwrap().set_nodelay(true)?;
    futures_lite::AsyncWriteExt::write_all(&mut writer.as_async_write(), b"x").await?;
    futures_lite::AsyncReadExt::read(&mut reader.as_async_read(), &mut [0]).await?;
    writer.abort();
    writer.close();
    writer.wait_closed().await?;

    is_portable_error::<IncompleteRead>();
    is_portable_error::<LimitOverrun>();
    is_clone::<(IncompleteRead, LimitOverrun, StreamOptions)>();
    is_debug::<(StreamReader, StreamWriter, StreamOptions)>();
    Ok(())
}

async fn servers() -> Fallible {
    use evloop::streams::{Server, StreamReader, StreamWriter};

    let server: Server = evloop::start_server("127.0.0.1:0", async |mut reader, writer| {
        let line = reader.read_line().await.unwrap();
        writer.write(&line);
    })
    .await?;
    evloop::start_server(("localhost", 0), async |mut reader, writer| -> io::Result<()> {
        writer.write(&reader.read_to_end().await?);
        writer.drain().await
    })
    .await?;
    evloop::start_server("localhost:0", async |mut reader, _writer| -> Fallible {
        reader.read_to_end().await?;
        Err("no good")?
    })
    .await?;
    evloop::start_server("localhost:0", handle).await?;
    evloop::start_server("localhost:0", handle_nothing).await?;
    evloop::start_server("localhost:0", |_: StreamReader, writer: StreamWriter| async move {
        writer.write(b"x")
    })
    .await?;
    let count = Rc::new(Cell::new(0));
    evloop::start_server("localhost:0", move |_reader, _writer| {
        let count = count.clone();
        async move { count.set(count.get() + 1) }
    })
    .await?;
    let seen = Rc::new(RefCell::new(Vec::new()));
    evloop::start_server("localhost:0", async move |mut reader: StreamReader, _| {
        let line = reader.read_line().await?;
        seen.borrow_mut().push(line);
        io::Result::Ok(())
    })
    .await?;
    let _: &[SocketAddr] = server.local_addrs();
    server.is_serving();
    server.close_clients();
    server.abort_clients();
    server.close();
    server.wait_closed().await;
    server.serve_forever().await?;
    #[cfg(unix)]
    {
        evloop::open_unix_connection("x").await?;
        evloop::start_unix_server("x", async |_, _| ()).await?;
        evloop::start_unix_server(std::path::Path::new("x"), handle).await?;
    }
    is_debug::<Server>();
    Ok(())
}

async fn handle(mut reader: evloop::StreamReader, writer: evloop::StreamWriter) -> io::Result<()> {
    writer.write(&reader.read_line().await?);
    Ok(())
}

async fn handle_nothing(_: evloop::StreamReader, _: evloop::StreamWriter) {}

async fn sync() -> Fallible {
    use evloop::sync::{
        Barrier, BrokenBarrier, Condvar, Event, Mutex, Notify, OnceCell, RwLock, Semaphore,
        broadcast, mpsc, oneshot, thread_channel, watch,
    };

    let mutex = Mutex::new(1);
    *mutex.lock().await += 1;
    mutex.try_lock()?;
    let lock = RwLock::new(1);
    *lock.write().await += *lock.read().await;
    let event = Event::new();
    event.set();
    event.clear();
    event.is_set();
    event.wait().await;
    let notify = Notify::new();
    notify.notify_one();
    notify.notified().await;
    let condvar = Condvar::new();
    let guard = condvar.wait(mutex.lock().await).await;
    drop(condvar.wait_for(guard, |n| *n == 1).await);
    condvar.notify_one();
    condvar.notify_n(2);
    condvar.notify_all();
    let semaphore = Semaphore::new(2);
    let _permit = semaphore.acquire().await?;
    let _permits = semaphore.acquire_many(2).await?;
    semaphore.try_acquire()?;
    semaphore.add_permits(1);
    semaphore.close();
    Semaphore::bounded(2);
    let barrier = Barrier::new(2);
    let _: Result<_, BrokenBarrier> = barrier.wait().await;
    barrier.reset();
    barrier.abort();
    let cell = OnceCell::new();
    let _: &i32 = cell.get_or_init(async || 1).await;
    let (tx, rx) = oneshot::channel();
    tx.send(1).unwrap();
    let _: i32 = rx.await?;
    let (tx, mut rx) = mpsc::bounded(1);
    tx.clone().send(1).await?;
    tx.reserve().await?.send(1);
    tx.try_send(1)?;
    let _: Option<i32> = rx.recv().await;
    let (tx, mut rx) = mpsc::unbounded();
    tx.send(1)?;
    let _: Option<i32> = rx.next().await;
    rx.try_recv()?;
    let (tx, mut rx) = broadcast::channel(10);
    tx.subscribe();
    tx.send(1)?;
    let _: i32 = rx.recv().await?;
    let (tx, mut rx) = watch::channel(1);
    tx.send(2)?;
    rx.changed().await?;
    let _: i32 = *rx.borrow();
    let (tx, mut rx) = thread_channel::bounded(1);
    std::thread::spawn(move || tx.blocking_send(1));
    let _: Option<i32> = rx.recv().await;
    is_error::<mpsc::SendError<Rc<i32>>>();
    is_error::<mpsc::TrySendError<Rc<i32>>>();
    is_portable_error::<BrokenBarrier>();
    is_debug::<(Mutex<i32>, RwLock<i32>, Event, Notify, Condvar, Semaphore, Barrier)>();
    Ok(())
}

async fn queues() -> Fallible {
    use evloop::queue::{LifoQueue, PriorityQueue, Queue, QueueClosed, QueueEmpty, QueueFull};

    let queue: Queue<i32> = Queue::bounded(2);
    Queue::<i32>::unbounded();
    queue.put(1).await?;
    queue.try_put(1)?;
    let _: i32 = queue.get().await?;
    let _: i32 = queue.try_get()?;
    (queue.len(), queue.is_empty(), queue.is_full(), queue.capacity());
    queue.reserve().await?.put(1);
    queue.task_done();
    queue.join().await;
    queue.close();
    queue.close_now();
    LifoQueue::bounded(1).put(1).await?;
    PriorityQueue::unbounded().put((1, "x")).await?;
    PriorityQueue::unbounded().put(std::cmp::Reverse(1)).await?;
    let _ = (QueueFull(1), QueueEmpty);
    is_portable_error::<QueueClosed>();
    is_debug::<(Queue<i32>, LifoQueue<i32>, PriorityQueue<i32>)>();
    Ok(())
}

fn coroutines() {
    use evloop::coroutine::{Coroutine, Step};

    let mut averager = Coroutine::new(async |co| {
        let mut sum = 0;
        while let Some(n) = co.yield_(sum).await {
            sum += n;
        }
        "over"
    });
    averager.next();
    let _: Step<i32, &str> = averager.send(Some(1));
    match averager.send(None) {
        Step::Yielded(_) => {}
        Step::Returned(_) => {}
    }
    averager.close();
    let _: Coroutine<'_, i32, Option<i32>, i32> =
        Coroutine::new(async |co| co.yield_from(Coroutine::new(async |_| 1)).await);
    evloop::coroutine::stream(async |co| co.yield_(1).await);
    let counter = Coroutine::new(async |co| {
        for n in 0..3 {
            let () = co.yield_(n).await;
        }
    });
    let _: Vec<i32> = counter.collect();
}

#[cfg(all(unix, feature = "process"))]
async fn processes() -> Fallible {
    use evloop::process::{self, Child, Command, ExitError, Output, Pool, PoolError, Stdio};
    use evloop::signal::{self, SignalKind};

    let mut child: Child = Command::new("cat")
        .arg("-")
        .args(["x"])
        .env("A", "b")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    child.stdin.take().unwrap().write_all(b"x").await?;
    child.stdout.as_ref().unwrap().read(&mut [0; 9]).await?;
    let status: std::process::ExitStatus = child.wait().await?;
    status.success();
    let _: Option<std::process::ExitStatus> = child.try_wait()?;
    child.kill()?;
    child.terminate()?;
    child.send_signal(SignalKind::hangup())?;
    Command::shell("ls | wc").output().await?;
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.communicate(b"x").await?;
    Command::new("cat").spawn()?.output().await?;
    let mut command = Command::new("cat");
    command.envs([("a", "b")]).env_remove("a").env_clear().stderr_to_stdout();
    let _: Output = command.check_output().await?;
    command.check_status().await?;
    let pool = Pool::builder().workers(2).command(|| Command::new("x")).build()?;
    let _: Result<Vec<u8>, PoolError> = pool.run("job").await;
    let _: Vec<Result<Vec<u8>, PoolError>> = pool.map(["job"]).await;
    process::worker(|job: Vec<u8>| job);
    let error: Option<&ExitError> = None;
    error.map(|error| (error.status(), error.output().stdout.len()));
    signal::ctrl_c().await?;
    signal::unix(SignalKind::hangup())?.recv().await?;
    let _: SignalKind = signal::unix_many([SignalKind::hangup()])?.recv().await?;
    Ok(())
}

async fn files() -> Fallible {
    use evloop::fs::{self, File};

    let _: Vec<u8> = fs::read("x").await?;
    let _: String = fs::read_to_string("x").await?;
    fs::write("x", b"y").await?;
    fs::write("x", "y").await?;
    fs::write("x", String::from("y")).await?;
    let mut file = File::open("x").await?;
    file.read(&mut [0; 9]).await?;
    File::create("x").await?.write_all(b"y").await?;
    File::create_new("x").await?.flush().await?;
    fs::DirBuilder::new().recursive(true).create("x").await?;
    fs::rename("x", "y").await?;
    fs::copy("x", "y").await?;
    fs::create_dir_all("x").await?;
    fs::remove_file("x").await?;
    fs::metadata("x").await?.len();
    Ok(())
}

fn cores() -> Fallible {
    let _: Vec<Result<usize, evloop::task::JoinError>> = evloop::shards(2, async |i| {
        i.handles();
        let _: evloop::shards::Mailbox<String> = i.mailbox();
        i.index()
    })?;
    Ok(())
}

async fn groups_of_tasks() -> Fallible {
    use evloop::task::{
        self, BlockingPool, JoinMap, JoinQueue, JoinSet, NotStarted, Started, TaskTracker,
    };

    let first: i32 = evloop::select! {
        n = async { 1 } => n,
        () = std::future::pending(), if false => 2,
        else => 3,
    };
    let (_, _): (i32, &str) = evloop::join!(async { 1 }, async { "x" });
    let _: io::Result<(i32, bool)> = evloop::try_join!(async { Ok(1) }, async { Ok(true) });
    let _: i32 = task::race([1, 2].map(|n| Box::pin(async move { n }))).await;
    let _: Vec<i32> = task::gather_limit(2, [async { 1 }]).await;
    let _: Vec<i32> = task::try_gather_limit(2, [async { io::Result::Ok(1) }]).await?;
    let _: Option<i32> = task::buffered(2, [async { 1 }]).next().await;
    let _: Option<i32> = task::buffer_unordered(2, [async { 1 }]).next().await;
    let _: i32 = task::spawn_later(MS, async { 1 }).await?;
    task::until_idle().await;
    task::Builder::new().name("x").spawn(async {}).detach();

    let (mut set, mut queue, mut map) = (JoinSet::new(), JoinQueue::new(), JoinMap::new());
    set.insert(evloop::spawn(async { 1 }));
    set.spawn_limited(2, async { 1 }).await;
    set.spawn_blocking(|| 1);
    queue.insert(evloop::spawn(async { 1 }));
    queue.spawn_blocking(|| 1);
    map.insert("key", evloop::spawn(async move { first }));
    map.spawn_blocking("key", || 1);
    map.spawn("key", async { 1 }).abort();
    map.abort_matching(|key| *key == "key");
    task::Builder::new().spawn_in(&mut set, async { 1 });
    let tracker = TaskTracker::new();
    tracker.spawn(async { 1 }).await?;
    let _: i32 = tracker.track_future(async { 1 }).await;

    let child = async |started: Started<i32>| started.set(1);
    let ready: Result<i32, NotStarted<()>> =
        task::scope(async |s| s.start(async |started| child(started).await).await).await;
    ready.is_ok();
    let pool: BlockingPool = BlockingPool::builder()
        .threads(2)
        .thread_name("x")
        .on_thread_start(|| ())
        .on_thread_stop(|| ())
        .build();
    let _: i32 = pool.spawn(|| 1).await?;
    evloop::task_local! { static X: i32; }
    let _: i32 = X.sync_scope(1, || X.get());
    X.scope(1, X.inherit(async {})).await;
    let _: i32 = X.try_with(|n| *n)?;
    Ok(())
}

async fn functions_on_guards() -> Fallible {
    use evloop::sync::{
        CancellationToken, MutexGuard, OnceCell, RwLockReadGuard, RwLockWriteGuard, Shared, watch,
    };

    type Pair = (i32, Option<i32>);
    let mutex = evloop::sync::Mutex::<Pair>::new((1, None));
    *MutexGuard::map(mutex.lock().await, |pair| &mut pair.0) += 1;
    let part: Result<_, MutexGuard<'_, Pair>> =
        MutexGuard::try_map(mutex.lock().await, |pair| pair.1.as_mut());
    drop(part);
    let lock = evloop::sync::RwLock::<Pair>::new((1, None));
    let _: i32 = *RwLockReadGuard::map(lock.read().await, |pair| &pair.0);
    RwLockReadGuard::try_map(lock.read().await, |pair| pair.1.as_ref()).is_ok();
    *RwLockWriteGuard::map(lock.write().await, |pair| &mut pair.0) += 1;
    RwLockWriteGuard::try_map(lock.write().await, |pair| pair.1.as_mut()).is_ok();
    let _: i32 = *RwLockWriteGuard::downgrade_map(lock.write().await, |pair| &pair.0);
    RwLockWriteGuard::try_downgrade_map(lock.write().await, |pair| pair.1.as_ref()).is_ok();

    let cell = OnceCell::new();
    let _: Result<&i32, io::Error> = cell.get_or_try_init(async || Ok(1)).await;
    let _: i32 = Shared::from_future(async { 1 }).wait().await?;
    let token = CancellationToken::new();
    let _: Option<i32> = token.run_until_cancelled(async { 1 }).await;
    let _: Option<i32> = token.run_until_cancelled_owned(async { 1 }).await;
    let (sender, mut receiver) = watch::channel(1);
    sender.send_modify(|n| *n += 1);
    let _: bool = sender.send_if_modified(|n| *n == 2);
    receiver.wait_for(|n| *n == 2).await?;
    let limiter = evloop::sync::CapacityLimiter::new(1);
    let _: evloop::task::TaskId = limiter.acquire().await?.borrower().clone();
    Ok(())
}

#[cfg(unix)]
async fn functions_on_sockets() -> Fallible {
    use evloop::io::{AsyncFd, Interest, add_reader, add_writer};
    use evloop::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream, pipe};

    let _ = (Interest::ERROR | Interest::PRIORITY, evloop::sync::Semaphore::MAX_PERMITS);
    let fd = AsyncFd::new(std::net::TcpListener::bind("127.0.0.1:0")?)?;
    let _: i32 = fd.read_with(|_| Ok(1)).await?;
    let _: i32 = fd.write_with(|_| Ok(1)).await?;
    add_reader(&fd, || ())?.detach();
    drop(add_writer(&fd, || ())?);
    let tcp = TcpStream::connect("x:1").await?;
    let _: i32 = tcp.async_io(Interest::READABLE, || Ok(1)).await?;
    let udp = UdpSocket::bind("x:1").await?;
    let _: i32 = udp.async_io(Interest::READABLE, || Ok(1)).await?;
    let unix = UnixStream::connect("x").await?;
    let _: i32 = unix.async_io(Interest::READABLE, || Ok(1)).await?;
    let datagrams = UnixDatagram::bind("x")?;
    let _: i32 = datagrams.async_io(Interest::WRITABLE, || Ok(1)).await?;
    let _: usize = datagrams.try_send_to(b"x", "y")?;
    let _: pipe::Receiver = pipe::OpenOptions::new().open_receiver("x")?;
    let _: pipe::Sender = pipe::OpenOptions::new().open_sender("x")?;
    let cred = unix.peer_cred()?;
    let _ = (cred.uid, cred.gid, cred.pid);
    Ok(())
}

async fn streams_of_other_connections() -> Fallible {
    use evloop::net::{ConnectError, ConnectOptions, ListenOptions, Truncated};
    use evloop::streams::{
        self, FrameFormat, FrameTooLong, IncompleteRead, LimitOverrun, ServerOptions, StreamOptions,
    };

    let (mut reader, writer) = streams::from_io(evloop::io::duplex(10).0);
    let format = FrameFormat { length_bytes: 2, little_endian: true, max_len: 100 };
    writer.write_frame("x", &format)?;
    let frame: Option<Vec<u8>> = reader.read_frame(&format).await?;
    let _: Option<i32> = reader.get_ref().as_io().unwrap().with(|_: &mut Vec<u8>| 1);
    let (connect, handshake_timeout) = (ConnectOptions::default(), MS);
    let options = StreamOptions { linger: MS, connect, handshake_timeout, limit: 10 };
    streams::from_io_with(evloop::io::duplex(10).0, &options);
    let (feeder, mut reader) = streams::memory_reader();
    feeder.feed_data("x");
    feeder.feed_error(io::ErrorKind::Other.into());
    feeder.feed_eof();
    let options = ServerOptions {
        listen: ListenOptions::default(),
        streams: options,
        connection_limit: Some(1),
        start_serving: false,
        keepalive: true,
    };
    let server = streams::start_server_with("x:1", &options, handle).await?;
    server.start_serving();
    server.pause_serving();
    streams::serve_listeners([], &options, handle)?;

    let error = reader.read_u32().await.unwrap_err();
    FrameTooLong::of(&error).map(|error| (error.len, error.max_len));
    let _: Option<usize> = LimitOverrun::of(&error).map(|error| error.limit + error.consumed);
    let expected = |error: &IncompleteRead| (error.partial.len(), error.expected);
    IncompleteRead::of(&error).map(expected);
    Truncated::of(&error).map(|error| (error.filled, error.length));
    ConnectError::of(&error).map(|error| error.failures.len());
    let _: Option<i32> = evloop::io::raw_os_error(&error);
    drop(frame);
    Ok(())
}

fn configuration() -> Fallible {
    use evloop::net::{BindOptions, ConnectOptions};
    use evloop::runtime::{Builder, Instrument, Metrics};
    use evloop::task::{TaskEnd, TaskInfo};

    struct Hooks;
    impl Instrument for Hooks {
        fn spawned(&self, _: &TaskInfo) {}
        fn before_poll(&self, _: &TaskInfo) {}
        fn after_poll(&self, _: &TaskInfo) {}
        fn ended(&self, _: &TaskInfo, _: TaskEnd) {}
        fn before_wait(&self, _: Option<Duration>) {}
        fn after_wait(&self) {}
    }
    let mut runtime = Builder::new()
        .instrument(Hooks)
        .on_blocking_thread_start(|| ())
        .on_blocking_thread_stop(|| ())
        .build()?;
    runtime.spawn_blocking(|| 1);
    runtime.run_until_empty()?;
    let handle = runtime.handle();
    handle.spawn_blocking(|| 1);
    let _: i32 = handle.block_on(|| async { 1 });
    let metrics: Metrics = handle.metrics();
    let _ = [metrics.alive_tasks, metrics.ready_tasks, metrics.timers, metrics.sources];
    let _ = [metrics.blocking_threads, metrics.busy_blocking_threads, metrics.queued_blocking_work];
    let _: Option<Instant> = metrics.next_deadline;
    let _ = ConnectOptions { attempt_delay: MS, ..Default::default() };
    let _ = BindOptions { broadcast: true, reuse_addr: true, ..Default::default() };
    Ok(())
}

/// This test only needs to compile.
#[test]
fn the_public_names_exist() {
    let (_, _, _) = (the_loop, coroutines, cores);
    let (_, _, _, _, _, _) = (tasks, time, addresses, net, io_helpers, streams);
    let (_, _, _, _, _) = (datagrams_and_names, servers, sync, queues, files);
    let (_, _) = (groups_of_tasks, functions_on_guards);
    let (_, _) = (streams_of_other_connections, configuration);
    coroutines();
}
