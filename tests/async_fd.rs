//! `AsyncFd`: states of any descriptor, also if other processes or duplicates share it.

#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::env;
use std::fs::{self, File};
use std::future::{Future, poll_fn};
use std::io::ErrorKind::{self, WouldBlock};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use evloop::Runtime;
use evloop::io::{AsyncFd, Interest};
use evloop::time::timeout;
use futures::poll;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::net::{RecvFlags, SendFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Polls a future once, and returns whether it is ready.
fn is_ready<F: Future>(future: F) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Runs one turn without waiting. Returns the number of polled tasks.
fn turn(runtime: &mut Runtime) -> usize {
    runtime.turn(Some(Duration::ZERO)).unwrap().polled
}

/// Returns the two ends of a pipe.
fn ends() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (reader.into(), writer.into())
}

/// Returns a reading end that is registered with the running loop, its duplicate, which is not, and
/// the writing end.
fn pipe() -> (AsyncFd<File>, File, File) {
    let (reader, writer) = ends();
    let duplicate = reader.try_clone().unwrap();
    (AsyncFd::new(reader).unwrap(), duplicate, writer)
}

/// Waits, without the loop, until poll(2) reports `flags`.
fn until(fd: impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(&fd, flags)];
    while !fds[0].revents().contains(flags) {
        rustix::event::poll(&mut fds, None).unwrap();
    }
}

#[test]
fn readable_is_level_triggered() {
    run(async {
        let (reader, _, mut writer) = pipe();
        assert!(!is_ready(reader.readable()));
        writer.write_all(b"ab").unwrap();
        for _ in 0..3 {
            reader.readable().await.unwrap();
        }
        let mut buf = [0];
        assert_eq!(reader.try_io(Interest::READABLE, |mut pipe| pipe.read(&mut buf)).unwrap(), 1);
        assert!(is_ready(reader.readable()), "a byte is left");
        assert_eq!(reader.read_with(|mut pipe| pipe.read(&mut buf)).await.unwrap(), 1);
        assert!(!is_ready(reader.readable()));
        drop(writer);
        reader.readable().await.unwrap();
        assert_eq!(reader.read_with(|mut pipe| pipe.read(&mut buf)).await.unwrap(), 0);
        assert!(is_ready(reader.readable()), "the end stays");
    });
}

#[test]
fn bytes_taken_by_a_duplicate_do_not_complete_readable() {
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let (reader, mut thief, mut writer) = pipe();
    drop(entered);
    let reader = Rc::new(reader);
    let task = runtime.spawn({
        let reader = reader.clone();
        async move { reader.readable().await }
    });
    assert_eq!(turn(&mut runtime), 1);
    for round in 0..3 {
        writer.write_all(b"x").unwrap();
        until(&*reader, PollFlags::IN);
        thief.read_exact(&mut [0]).unwrap();
        // The event is reported, but the byte is gone.
        let polled = turn(&mut runtime) + turn(&mut runtime);
        assert!(polled <= 2, "{polled} in round {round}");
        assert!(!task.is_finished());
    }
    assert_eq!(turn(&mut runtime), 0, "no task spins");
    writer.write_all(b"x").unwrap();
    runtime.block_on(timeout(LIMIT, task)).unwrap().unwrap().unwrap();
}

#[test]
fn writable_waits_for_capacity() {
    run(async {
        let (mut reader, writer) = ends();
        let writer = AsyncFd::new(writer).unwrap();
        let mut full = 0;
        while is_ready(writer.writable()) {
            full += writer.try_io(Interest::WRITABLE, |mut pipe| pipe.write(&[7; 4096])).unwrap();
        }
        let mut write = Box::pin(writer.write_with(|mut pipe| pipe.write(&[8; 4096])));
        assert!(poll!(&mut write).is_pending());
        let mut buf = vec![0; full];
        reader.read_exact(&mut buf).unwrap();
        assert_eq!(write.await.unwrap(), 4096);
        drop(reader);
        writer.writable().await.unwrap();
        let broken = writer.write_with(|mut pipe| pipe.write(b"x")).await.unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn an_eventfd_a_timerfd_an_inotify_and_an_epoll_can_be_waited_for() {
    run(async {
        let event = AsyncFd::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap()).unwrap();
        for _ in 0..2 {
            assert!(!is_ready(event.readable()));
            rustix::io::write(&event, &3u64.to_ne_bytes()).unwrap();
            let mut buf = [0; 8];
            event.read_with(|fd| Ok(rustix::io::read(fd, &mut buf)?)).await.unwrap();
            assert_eq!(u64::from_ne_bytes(buf), 3);
        }
        assert!(is_ready(event.writable()));

        let clock = TimerfdClockId::Monotonic;
        let timer = rustix::time::timerfd_create(clock, TimerfdFlags::NONBLOCK).unwrap();
        let timer = AsyncFd::new(timer).unwrap();
        let (zero, soon) = (Timespec::default(), Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        let after = Itimerspec { it_interval: zero, it_value: soon };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &after).unwrap();
        timer.readable().await.unwrap();

        let folder = std::env::temp_dir().join(format!("evloop-inotify-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let inotify = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC).unwrap();
        let flags = rustix::fs::inotify::WatchFlags::CREATE;
        rustix::fs::inotify::add_watch(&inotify, &folder, flags).unwrap();
        let inotify = AsyncFd::new(inotify).unwrap();
        assert!(!is_ready(inotify.readable()));
        File::create(folder.join("new")).unwrap();
        inotify.readable().await.unwrap();
        fs::remove_dir_all(folder).unwrap();

        #[cfg(not(mio_unsupported_force_poll_poll))]
        {
            let mut inner = Runtime::new().unwrap();
            let remote = inner.handle();
            let epoll = AsyncFd::new(inner.as_fd().try_clone_to_owned().unwrap()).unwrap();
            while is_ready(epoll.readable()) {
                turn(&mut inner);
            }
            remote.call_threadsafe(|| ());
            epoll.readable().await.unwrap();
        }
    });
}

#[test]
fn a_terminal_can_be_waited_for() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    run(async {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let terminal = File::options().read(true).write(true).open(name).unwrap();
        let terminal = AsyncFd::new(terminal).unwrap();
        assert!(!is_ready(terminal.readable()));
        rustix::io::write(&master, b"no line yet").unwrap();
        assert!(!is_ready(terminal.readable()), "a terminal returns whole lines");
        rustix::io::write(&master, b"!\n").unwrap();
        let mut buf = [0; 64];
        let n = terminal.read_with(|mut file| file.read(&mut buf)).await.unwrap();
        assert_eq!(&buf[..n], b"no line yet!\n");
        assert!(!is_ready(terminal.readable()));
        drop(master);
        terminal.readable().await.unwrap();
    });
}

#[test]
fn files_and_folders_are_rejected() {
    run(async {
        let file = AsyncFd::new(File::open("/proc/self/exe").unwrap()).unwrap_err();
        let folder = AsyncFd::new(File::open("/").unwrap()).unwrap_err();
        for error in [file, folder] {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("evloop::fs"), "{error}");
        }
    });
}

#[test]
fn a_descriptor_can_be_in_one_async_fd_at_a_time() {
    run(async {
        let (reader, duplicate, mut writer) = pipe();
        let second = AsyncFd::new(reader.as_fd()).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AlreadyExists);
        // The error does not affect the first; a duplicate is another descriptor.
        let duplicate = AsyncFd::new(duplicate).unwrap();
        let mut both = Box::pin(async { futures::join!(reader.readable(), duplicate.readable()) });
        assert!(poll!(&mut both).is_pending());
        writer.write_all(b"x").unwrap();
        let (first, second) = both.await;
        first.and(second).unwrap();
        // A deregistered descriptor can be registered again; meanwhile its duplicate causes no
        // events for it.
        let reader = reader.into_inner().unwrap();
        AsyncFd::new(reader).unwrap().readable().await.unwrap();
    });
}

#[test]
fn a_duplicate_does_not_keep_a_dropped_registration() {
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let (reader, duplicate, mut writer) = pipe();
    let mut wait = Box::pin(reader.readable());
    assert!(!is_ready(&mut wait));
    drop(wait);
    drop(reader);
    // The next source has the same key in the loop's slab.
    let (next, _, _next_writer) = pipe();
    let next = Rc::new(next);
    drop(entered);
    let task = runtime.spawn(async move { next.readable().await });
    assert_eq!(turn(&mut runtime), 1);
    while turn(&mut runtime) > 0 {}
    writer.write_all(b"x").unwrap();
    until(&duplicate, PollFlags::IN);
    assert_eq!(turn(&mut runtime), 0);
    assert!(!task.is_finished());
}

#[test]
fn several_tasks_can_wait_and_an_aborted_one_is_deregistered() {
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let (reader, _, mut writer) = pipe();
    drop(entered);
    let reader = Rc::new(reader);
    let taken = Rc::new(Cell::new(0));
    let read = || {
        let (reader, taken) = (reader.clone(), taken.clone());
        async move {
            let n = reader.read_with(|mut pipe| pipe.read(&mut [0])).await.unwrap();
            taken.set(taken.get() + n);
        }
    };
    let mut tasks: Vec<_> = (0..4).map(|_| runtime.spawn(read())).collect();
    assert_eq!(turn(&mut runtime), 4);
    while turn(&mut runtime) > 0 {}
    tasks.remove(1).abort();
    while turn(&mut runtime) > 0 {}
    writer.write_all(b"1").unwrap();
    until(&*reader, PollFlags::IN);
    assert_eq!(turn(&mut runtime), 3);
    assert_eq!((taken.get(), tasks.iter().filter(|task| task.is_finished()).count()), (1, 1));
    writer.write_all(b"23").unwrap();
    while turn(&mut runtime) > 0 {}
    assert_eq!(taken.get(), 3);
}

#[test]
fn waiting_for_a_ready_descriptor_spends_the_budget() {
    run(async {
        let (reader, _, mut writer) = pipe();
        writer.write_all(b"x").unwrap();
        let turns = Rc::new(Cell::new(0));
        let counting = evloop::spawn({
            let turns = turns.clone();
            async move {
                loop {
                    turns.set(turns.get() + 1);
                    evloop::task::yield_now().await;
                }
            }
        });
        for _ in 0..1000 {
            reader.readable().await.unwrap();
        }
        assert!(turns.get() > 3, "{}", turns.get());
        drop(counting);
    });
}

#[test]
fn the_mode_of_the_descriptor_is_not_changed() {
    run(async {
        let (reader, _writer) = ends();
        let flags = rustix::fs::fcntl_getfl(&reader).unwrap();
        let reader = AsyncFd::new(reader).unwrap();
        assert!(!is_ready(reader.readable()));
        assert_eq!(rustix::fs::fcntl_getfl(&reader).unwrap(), flags);
        let fd: OwnedFd = reader.into_inner().unwrap().into();
        assert_eq!(rustix::fs::fcntl_getfl(&fd).unwrap(), flags);
    });
}

#[test]
fn after_the_end_of_its_loop_waits_return_not_connected() {
    let (reader, _duplicate, mut writer) = run(async { pipe() });
    writer.write_all(b"x").unwrap();
    run(async {
        assert_eq!(reader.readable().await.unwrap_err().kind(), ErrorKind::NotConnected);
    });
    let mut buf = [0];
    reader.into_inner().unwrap().read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"x");
}

/// Returns two sockets that are connected to each other; the first is non-blocking.
fn udp_pair() -> (UdpSocket, UdpSocket) {
    let [socket, peer] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    socket.connect(peer.local_addr().unwrap()).unwrap();
    peer.connect(socket.local_addr().unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    (socket, peer)
}

/// Returns a socket that poll(2) reports as hung up permanently, and that still receives datagrams.
fn hung_up() -> (AsyncFd<UdpSocket>, UdpSocket) {
    let (socket, peer) = udp_pair();
    rustix::net::shutdown(&socket, rustix::net::Shutdown::Both).unwrap();
    until(&socket, PollFlags::HUP);
    (AsyncFd::new(socket).unwrap(), peer)
}

/// Runs `task` with a socket that is hung up: it waits for the next datagram, and does not spin.
fn waits_for_the_next_datagram<F>(task: impl FnOnce(Rc<AsyncFd<UdpSocket>>, Rc<Cell<usize>>) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let (socket, peer) = hung_up();
    let (socket, calls) = (Rc::new(socket), Rc::new(Cell::new(0)));
    drop(entered);
    let task = runtime.spawn(task(socket.clone(), calls.clone()));
    for _ in 0..100 {
        turn(&mut runtime);
    }
    // Where the selector emulates edges, each turn retries; the loop runs a turn each 10 ms.
    if cfg!(not(mio_unsupported_force_poll_poll)) {
        assert!(calls.get() <= 3, "{} calls", calls.get());
    }
    assert!(!task.is_finished());
    peer.send(b"x").unwrap();
    runtime.block_on(timeout(LIMIT, task)).unwrap().unwrap();
}

#[test]
fn read_with_on_a_hung_up_descriptor_waits_after_would_block() {
    waits_for_the_next_datagram(|socket, calls| async move {
        let receive = |socket: &UdpSocket| {
            calls.set(calls.get() + 1);
            socket.recv(&mut [0; 8])
        };
        assert_eq!(socket.read_with(receive).await.unwrap(), 1);
    });
}

#[test]
fn readable_waits_after_try_io_returned_would_block() {
    waits_for_the_next_datagram(|socket, calls| async move {
        loop {
            socket.readable().await.unwrap();
            calls.set(calls.get() + 1);
            match socket.try_io(Interest::READABLE, |socket| socket.recv(&mut [0; 8])) {
                Ok(n) => break assert_eq!(n, 1),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    });
}

#[test]
fn the_poll_methods_wait_like_the_futures() {
    run(async {
        let (reader, _, mut writer) = pipe();
        let readable = || poll_fn(|cx| reader.poll_read_ready(cx));
        let mut waits = readable();
        assert!(poll!(&mut waits).is_pending());
        writer.write_all(b"x").unwrap();
        waits.await.unwrap();
        readable().await.unwrap();
        let writer = AsyncFd::new(writer).unwrap();
        poll_fn(|cx| writer.poll_write_ready(cx)).await.unwrap();
    });
}

#[test]
fn a_write_that_would_block_does_not_change_readability() {
    run(async {
        let (reader, _, mut writer) = pipe();
        writer.write_all(b"x").unwrap();
        reader.readable().await.unwrap();
        let nothing = reader.try_io(Interest::WRITABLE, |_| Err::<(), _>(WouldBlock.into()));
        assert_eq!(nothing.unwrap_err().kind(), WouldBlock);
        reader.readable().await.unwrap();
    });
}

/// Returns a TCP connection, one end of which is registered for `interest`.
fn tcp(interest: Interest) -> (AsyncFd<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (AsyncFd::with_interest(stream, interest).unwrap(), peer)
}

#[test]
fn ordinary_bytes_do_not_complete_a_wait_for_urgent_data() {
    run(async {
        let (stream, mut peer) = tcp(Interest::READABLE | Interest::PRIORITY);
        let mut urgent = Box::pin(stream.ready(Interest::PRIORITY));
        assert!(poll!(&mut urgent).is_pending());
        peer.write_all(b"ordinary").unwrap();
        let both = Interest::READABLE | Interest::PRIORITY;
        assert_eq!(stream.ready(both).await.unwrap(), Interest::READABLE);
        assert!(poll!(&mut urgent).is_pending());
        rustix::net::send(&peer, b"!", SendFlags::OOB).unwrap();
        assert_eq!(urgent.await.unwrap(), Interest::PRIORITY);
        assert_eq!(stream.ready(both).await.unwrap(), both, "both are states");

        let mut byte = [0];
        rustix::net::recv(&stream, &mut byte, RecvFlags::OOB).unwrap();
        assert_eq!(&byte, b"!");
        assert!(!is_ready(stream.ready(Interest::PRIORITY)));
        stream.readable().await.unwrap();
        let refused = stream.ready(Interest::WRITABLE).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn datagrams_do_not_complete_a_wait_for_errors() {
    run(async {
        let (socket, peer) = udp_pair();
        let socket = AsyncFd::with_interest(socket, Interest::ERROR).unwrap();
        let mut error = Box::pin(socket.ready(Interest::ERROR));
        peer.send(b"x").unwrap();
        until(&socket, PollFlags::IN);
        assert!(poll!(&mut error).is_pending());
        drop(peer);
        rustix::net::send(&socket, b"x", SendFlags::empty()).unwrap();
        assert_eq!(error.await.unwrap(), Interest::ERROR);
        assert!(is_ready(socket.ready(Interest::ERROR)), "an error is a state");
        let refused = socket.get_ref().take_error().unwrap().unwrap();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(!is_ready(socket.ready(Interest::ERROR)));
    });
}

#[test]
fn ready_returns_not_connected_after_the_end_of_the_loop() {
    let (stream, _peer) = run(async { tcp(Interest::PRIORITY | Interest::WRITABLE) });
    run(async {
        for interest in [Interest::PRIORITY, Interest::WRITABLE] {
            let error = stream.ready(interest).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        }
    });
}

#[test]
fn a_file_that_reports_changes_can_be_waited_for() {
    run(async {
        let mounts = || File::open("/proc/self/mountinfo").unwrap();
        assert_eq!(AsyncFd::new(mounts()).unwrap_err().kind(), ErrorKind::Unsupported);
        let both = Interest::READABLE | Interest::PRIORITY;
        let mounts = AsyncFd::with_interest(mounts(), both).unwrap();
        assert_eq!(mounts.ready(both).await.unwrap(), Interest::READABLE);
        assert!(!is_ready(mounts.ready(Interest::PRIORITY)));
    });
}

/// Runs this test again in a mount namespace of its own. Returns `true` in that process.
fn is_in_own_mount_namespace(test: &str) -> bool {
    const ALONE: &str = "EVLOOP_OWN_MOUNTS";
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let is_allowed = Command::new("unshare").args(["--mount", "true"]).status();
    if !is_allowed.is_ok_and(|status| status.success()) {
        eprintln!("skipped: unshare --mount is not permitted here");
        return false;
    }
    let mut command = Command::new("unshare");
    command.arg("--mount").arg(env::current_exe().unwrap()).args(["--exact", test]);
    assert!(command.env(ALONE, "1").status().unwrap().success());
    false
}

#[test]
fn each_change_of_the_mounts_is_returned_once() {
    if !is_in_own_mount_namespace("each_change_of_the_mounts_is_returned_once") {
        return;
    }
    run(async {
        let mounts = File::open("/proc/self/mountinfo").unwrap();
        let mounts = AsyncFd::with_interest(mounts, Interest::PRIORITY).unwrap();
        let folder = env::temp_dir().join(format!("evloop-mount-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        for waits in [true, false] {
            let mut change = Box::pin(mounts.ready(Interest::PRIORITY));
            assert!(!waits || poll!(&mut change).is_pending());
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "none"]).arg(&folder);
            assert!(mount.status().unwrap().success());
            // Either the selector or the wait sees the change first.
            evloop::time::sleep(Duration::from_millis(u64::from(!waits))).await;
            assert_eq!(change.await.unwrap(), Interest::PRIORITY);
            assert!(!is_ready(mounts.ready(Interest::PRIORITY)));
            assert!(Command::new("umount").arg(&folder).status().unwrap().success());
            assert_eq!(mounts.ready(Interest::PRIORITY).await.unwrap(), Interest::PRIORITY);
        }
        fs::remove_dir(&folder).unwrap();
    });
}
