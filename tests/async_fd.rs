//! Any descriptor in a loop: what it says is a state, whoever else reads or has it.

#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::fs::{self, File};
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use evloop::Runtime;
use evloop::io::AsyncFd;
use evloop::time::timeout;
use futures::poll;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Polls a future once, and says whether it is done.
fn is_ready<F: Future>(future: F) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// One turn without waiting. Returns how many tasks were polled.
fn turn(runtime: &mut Runtime) -> usize {
    runtime.turn(Some(Duration::ZERO)).unwrap().polled
}

/// The two ends of a pipe.
fn ends() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (reader.into(), writer.into())
}

/// A pipe of which the reading end is in the running loop; its duplicate is not.
fn pipe() -> (AsyncFd<File>, File, File) {
    let (reader, writer) = ends();
    let duplicate = reader.try_clone().unwrap();
    (AsyncFd::new(reader).unwrap(), duplicate, writer)
}

fn until(fd: impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(&fd, flags)];
    while !fds[0].revents().contains(flags) {
        rustix::event::poll(&mut fds, None).unwrap();
    }
}

#[test]
fn readable_is_a_state() {
    run(async {
        let (reader, _, mut writer) = pipe();
        assert!(!is_ready(reader.readable()));
        writer.write_all(b"ab").unwrap();
        for _ in 0..3 {
            reader.readable().await.unwrap();
        }
        let mut buf = [0];
        assert_eq!(reader.try_io(|mut pipe| pipe.read(&mut buf)).unwrap(), 1);
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
fn what_another_took_is_not_there() {
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
        // The event is there, the byte is not.
        let polled = turn(&mut runtime) + turn(&mut runtime);
        assert!(polled <= 2, "{polled} in round {round}");
        assert!(!task.is_finished());
    }
    assert_eq!(turn(&mut runtime), 0, "nobody spins");
    writer.write_all(b"x").unwrap();
    runtime.block_on(timeout(LIMIT, task)).unwrap().unwrap().unwrap();
}

#[test]
fn writable_waits_for_room() {
    run(async {
        let (mut reader, writer) = ends();
        let writer = AsyncFd::new(writer).unwrap();
        let mut full = 0;
        while is_ready(writer.writable()) {
            full += writer.try_io(|mut pipe| pipe.write(&[7; 4096])).unwrap();
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
fn an_eventfd_a_timerfd_an_inotify_another_epoll() {
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

        let mut inner = Runtime::new().unwrap();
        let remote = inner.handle();
        #[cfg(not(mio_unsupported_force_poll_poll))]
        {
            let epoll = AsyncFd::new(inner.as_fd().try_clone_to_owned().unwrap()).unwrap();
            while is_ready(epoll.readable()) {
                turn(&mut inner);
            }
            remote.call_threadsafe(|| ());
            epoll.readable().await.unwrap();
        }
        drop((inner, remote));
    });
}

#[test]
fn a_terminal() {
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
        assert!(!is_ready(terminal.readable()), "a terminal gives whole lines");
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
fn what_is_always_ready_is_refused() {
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
fn once_at_a_time() {
    run(async {
        let (reader, duplicate, mut writer) = pipe();
        let again = AsyncFd::new(reader.as_fd()).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        // The refusal leaves the first as it is; a duplicate is another.
        let duplicate = AsyncFd::new(duplicate).unwrap();
        let mut both = Box::pin(async { futures::join!(reader.readable(), duplicate.readable()) });
        assert!(poll!(&mut both).is_pending());
        writer.write_all(b"x").unwrap();
        let (first, second) = both.await;
        first.and(second).unwrap();
        // Out, it can go in again; in between its duplicate tells this loop nothing.
        let reader = reader.into_inner().unwrap();
        AsyncFd::new(reader).unwrap().readable().await.unwrap();
    });
}

#[test]
fn a_duplicate_does_not_keep_what_was_dropped() {
    let mut runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let (reader, duplicate, mut writer) = pipe();
    let mut wait = Box::pin(reader.readable());
    assert!(!is_ready(&mut wait));
    drop(wait);
    drop(reader);
    // The next has the same key in the loop's slab.
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
fn several_wait_and_who_leaves_is_forgotten() {
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
fn always_ready_leaves_others_their_turn() {
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
fn the_descriptor_stays_as_it_is() {
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
fn after_the_end_of_its_loop_it_is_not_connected() {
    let (reader, _duplicate, mut writer) = run(async { pipe() });
    writer.write_all(b"x").unwrap();
    run(async {
        assert_eq!(reader.readable().await.unwrap_err().kind(), ErrorKind::NotConnected);
    });
    let mut buf = [0];
    reader.into_inner().unwrap().read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"x");
}
