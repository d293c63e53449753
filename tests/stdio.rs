//! Standard input and output: lines of pipes, terminals and files, descriptors that stay blocking,
//! programs that end while they wait for input.
//!
//! Each test is also the program: it starts itself again, with descriptors of its choice.

#![cfg(all(target_os = "linux", feature = "fs"))]

/// Files of one test.
mod temp_dir;

use std::any::Any;
use std::cell::RefCell;
use std::env;
use std::fs::{self, File};
use std::future::{Future, pending};
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evloop::Runtime;
use evloop::io::{stderr, stdin, stdout};
use evloop::time::{sleep, timeout};
use futures::{AsyncReadExt, AsyncWriteExt, poll};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl};
use temp_dir::Dir;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

fn is_program() -> bool {
    env::var_os("EVLOOP_PROGRAM").is_some()
}

/// Starts this test as a program.
fn start(name: &str, stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env("EVLOOP_PROGRAM", "1");
    command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap()
}

/// Returns the two ends of a pipe.
fn pipe() -> (File, File) {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (reader.into(), writer.into())
}

/// Reads from `from` until the bytes end with `text`.
fn until(from: &mut impl Read, text: &str) {
    let mut read = Vec::new();
    while !read.ends_with(text.as_bytes()) {
        let mut byte = [0];
        let n = from.read(&mut byte).unwrap();
        assert_eq!(n, 1, "{text:?} did not come in {}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
    }
}

fn assert_success(child: Child) {
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
}

#[test]
fn lines_are_read_one_by_one_from_a_pipe_that_stays_blocking() {
    const NAME: &str = "lines_are_read_one_by_one_from_a_pipe_that_stays_blocking";
    if is_program() {
        return run(async {
            loop {
                // A new handle for each line: all handles share one buffer.
                let line = stdin().read_line().await.unwrap();
                if line.is_empty() {
                    return;
                }
                let line = String::from_utf8(line).unwrap();
                stdout().write_all(format!("<{}>", line.trim_end()).as_bytes()).await.unwrap();
            }
        });
    }
    let (reader, mut writer) = pipe();
    let (output, output_end) = pipe();
    let mut child = start(NAME, reader.try_clone().unwrap(), output_end.try_clone().unwrap());
    let mut output = output;
    for line in ["one", "", "three"] {
        writeln!(writer, "{line}").unwrap();
        until(&mut output, &format!("<{line}>"));
        for shared in [fcntl_getfl(&reader), fcntl_getfl(&output_end)] {
            assert!(!shared.unwrap().contains(OFlags::NONBLOCK));
        }
    }
    writer.write_all(b"several\nat once\nand no end").unwrap();
    drop(writer);
    until(&mut output, "<several><at once><and no end>");
    assert!(child.wait().unwrap().success());
}

#[test]
fn lines_are_appended_and_found_after_another_handle_has_taken_bytes() {
    const NAME: &str = "lines_are_appended_and_found_after_another_handle_has_taken_bytes";
    if is_program() {
        return run(async {
            let line = evloop::spawn(async {
                let mut line = b"line: ".to_vec();
                let n = stdin().read_line_into(&mut line).await.unwrap();
                (line, n)
            });
            evloop::task::yield_now().await;
            // `line` has searched these bytes, and waits for more.
            let mut buf = [0; 10];
            assert_eq!(stdin().read(&mut buf).await.unwrap(), 5);
            stdout().write_all(b"taken\n").await.unwrap();
            assert_eq!(line.await.unwrap(), (b"line: a\n".to_vec(), 2));
            let mut rest = Vec::new();
            while stdin().read_line_into(&mut rest).await.unwrap() > 0 {}
            assert_eq!(rest, b"longer than the first\nno end");
        });
    }
    let (reader, mut writer) = pipe();
    let (mut output, output_end) = pipe();
    writer.write_all(b"12345").unwrap();
    let child = start(NAME, reader, output_end);
    until(&mut output, "taken\n");
    writer.write_all(b"a\nlonger than the first\nno end").unwrap();
    drop(writer);
    assert_success(child);
}

/// Since Linux 6.4. On older systems, and with the other selector, pieces of 4 KiB are written.
#[test]
fn a_blocking_pipe_accepts_many_bytes_in_one_write() {
    const NAME: &str = "a_blocking_pipe_accepts_many_bytes_in_one_write";
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap(), numbers.next().unwrap());
    let is_old = version < (6, 4) || cfg!(mio_unsupported_force_poll_poll);
    if is_program() {
        return run(async {
            let piece = vec![b'x'; 200_000];
            let n = stdout().write(&piece).await.unwrap();
            assert!(if is_old { n == 4096 } else { n > 50_000 }, "{n} bytes");
            stdout().write_all(&piece[n..]).await.unwrap();
            stderr().write_all(b"written\n").await.unwrap();
        });
    }
    let (mut output, output_end) = pipe();
    let mut child = start(NAME, Stdio::null(), output_end.try_clone().unwrap());
    assert!(!fcntl_getfl(&output_end).unwrap().contains(OFlags::NONBLOCK));
    drop(output_end);
    let mut all = String::new();
    output.read_to_string(&mut all).unwrap();
    assert_eq!(all.matches('x').count() / 1000, 200, "and the lines of the test harness");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_program_that_waits_for_input_can_end() {
    const NAME: &str = "a_program_that_waits_for_input_can_end";
    if is_program() {
        return run(async {
            let mut input = stdin();
            for _ in 0..3 {
                timeout(Duration::from_millis(5), input.read_line()).await.unwrap_err();
            }
            let waits = evloop::spawn(async { stdin().read_line().await });
            evloop::task::yield_now().await;
            stderr().write_all(b"asks\n").await.unwrap();
            // Both lines have arrived, and the loop has not seen the event yet.
            let shared = std::io::stdin();
            rustix::event::poll(&mut [PollFd::new(&shared, PollFlags::IN)], None).unwrap();
            let mut new = stdin();
            let mut line = Box::pin(new.read_line());
            assert_eq!(poll!(&mut line).map(Result::unwrap), Poll::Ready(b"now\n".to_vec()));
            // That read took both lines, and wakes the task that waits for the other one.
            assert_eq!(waits.await.unwrap().unwrap(), b"at once\n");
            drop(evloop::spawn(async { stdin().read_line().await }));
            evloop::task::yield_now().await;
        });
    }
    let mut child = start(NAME, Stdio::piped(), Stdio::piped());
    let mut writer = child.stdin.take().unwrap();
    until(child.stderr.as_mut().unwrap(), "asks\n");
    writer.write_all(b"now\nat once\n").unwrap();
    // It ends, although one of its tasks waits for a line that is never sent.
    assert_success(child);
    drop(writer);
}

#[test]
fn a_terminal_is_read_line_by_line_and_stays_blocking() {
    const NAME: &str = "a_terminal_is_read_line_by_line_and_stays_blocking";
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    if is_program() {
        return run(async {
            for line in [&b"first\n"[..], b"second\n", b""] {
                assert_eq!(stdin().read_line().await.unwrap(), line);
                stderr().write_all(b"next\n").await.unwrap();
            }
        });
    }
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let mut child = start(NAME, terminal.try_clone().unwrap(), Stdio::piped());
    let mut master = File::from(master);
    // Two lines at once, then the end: Ctrl-D.
    for (typed, answers) in [("first\nsecond\n", 2), ("\u{4}", 1)] {
        master.write_all(typed.as_bytes()).unwrap();
        for _ in 0..answers {
            until(child.stderr.as_mut().unwrap(), "next\n");
        }
        assert!(!fcntl_getfl(&terminal).unwrap().contains(OFlags::NONBLOCK));
    }
    assert_success(child);
}

#[test]
fn a_file_is_read_to_its_end_and_dropped_reads_lose_no_bytes() {
    const NAME: &str = "a_file_is_read_to_its_end_and_dropped_reads_lose_no_bytes";
    let line = |n: usize| format!("{n} {}\n", "x".repeat(n % 97));
    if is_program() {
        return run(async {
            let mut input = stdin();
            let mut all = Vec::new();
            for _ in 0..100 {
                let mut buf = [0; 7];
                // Each read is started, and dropped while it waits.
                let mut other = stdin();
                if let Poll::Ready(n) = poll!(Box::pin(other.read(&mut buf))) {
                    all.extend_from_slice(&buf[..n.unwrap()]);
                }
            }
            AsyncReadExt::read_to_end(&mut input, &mut all).await.unwrap();
            let expected: String = (0..3000).map(line).collect();
            assert!(all == expected.as_bytes());
            assert_eq!(input.read_line().await.unwrap(), b"");
        });
    }
    let path = env::temp_dir().join(format!("evloop-stdin-{}", std::process::id()));
    fs::write(&path, (0..3000).map(line).collect::<String>()).unwrap();
    assert_success(start(NAME, File::open(&path).unwrap(), Stdio::piped()));
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_read_that_never_ran_in_the_blocking_pool_is_restarted_by_the_next_loop() {
    const NAME: &str = "a_read_that_never_ran_in_the_blocking_pool_is_restarted_by_the_next_loop";
    if is_program() {
        let dir = Dir::new();
        let fifo = dir.fifo("fifo");
        let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
        let writer = runtime.block_on(async {
            // Occupies the only thread of the blocking pool once the other end is open.
            assert!(poll!(Box::pin(evloop::fs::read(&fifo))).is_pending());
            let writer = File::options().write(true).open(&fifo).unwrap();
            assert!(poll!(Box::pin(stdin().read(&mut [0]))).is_pending());
            writer
        });
        drop(runtime);
        drop(writer);
        return run(async { assert_eq!(stdin().read_line().await.unwrap(), b"one\n") });
    }
    let path = env::temp_dir().join(format!("evloop-stdin-again-{}", std::process::id()));
    fs::write(&path, "one\ntwo\n").unwrap();
    assert_success(start(NAME, File::open(&path).unwrap(), Stdio::piped()));
    fs::remove_file(&path).unwrap();
}

#[test]
fn reading_dev_null_returns_the_end() {
    if is_program() {
        return run(async {
            assert_eq!(stdin().read_line().await.unwrap(), b"");
            assert_eq!(stdin().read(&mut [0]).await.unwrap(), 0);
        });
    }
    assert_success(start("reading_dev_null_returns_the_end", Stdio::null(), Stdio::piped()));
}

#[test]
fn a_slow_reader_blocks_only_the_writing_task() {
    const NAME: &str = "a_slow_reader_blocks_only_the_writing_task";
    const MUCH: usize = 1 << 20;
    if is_program() {
        return run(async {
            let finished = Rc::new(std::cell::Cell::new(false));
            let task = evloop::spawn({
                let finished = finished.clone();
                async move {
                    stdout().write_all(&[b'~'; MUCH]).await.unwrap();
                    finished.set(true);
                }
            });
            sleep(Duration::from_millis(20)).await;
            assert!(!finished.get());
            stderr().write_all(b"others run\n").await.unwrap();
            task.await.unwrap();
        });
    }
    let mut child = start(NAME, Stdio::null(), Stdio::piped());
    until(child.stderr.as_mut().unwrap(), "others run\n");
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert_eq!(output.iter().filter(|byte| **byte == b'~').count(), MUCH);
    assert_success(child);
}

#[test]
fn writing_to_a_pipe_without_readers_is_an_error() {
    const NAME: &str = "writing_to_a_pipe_without_readers_is_an_error";
    if is_program() {
        return run(async {
            stdin().read_line().await.unwrap();
            let mut output = stdout();
            for _ in 0..3 {
                let error = output.write_all(b"x").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                assert!(AsyncWriteExt::write(&mut output, b"x").await.is_err());
            }
            // The report of the test harness would fail too.
            std::process::exit(0);
        });
    }
    let mut child = start(NAME, Stdio::piped(), Stdio::piped());
    // The test harness has started its report.
    until(child.stdout.as_mut().unwrap(), " ... ");
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"it left\n").unwrap();
    assert_success(child);
}

#[test]
fn output_is_written_to_a_file() {
    if is_program() {
        return run(async {
            stdout().write_all(b"~one~").await.unwrap();
            AsyncWriteExt::write_all(&mut stdout(), b"two~").await.unwrap();
        });
    }
    let path = env::temp_dir().join(format!("evloop-stdout-{}", std::process::id()));
    assert_success(start(
        "output_is_written_to_a_file",
        Stdio::null(),
        File::create(&path).unwrap(),
    ));
    assert!(fs::read_to_string(&path).unwrap().contains("~one~two~"));
    fs::remove_file(&path).unwrap();
}

#[test]
fn writing_to_a_file_spends_the_budget() {
    const NAME: &str = "writing_to_a_file_spends_the_budget";
    if is_program() {
        return run(async {
            let has_run = Rc::new(std::cell::Cell::new(false));
            let other = evloop::spawn({
                let has_run = has_run.clone();
                async move { has_run.set(true) }
            });
            let mut written = 0;
            while !has_run.get() {
                stdout().write_all(b"~").await.unwrap();
                written += 1;
                assert!(written < 10_000, "no other task runs");
            }
            other.await.unwrap();
        });
    }
    assert_success(start(NAME, Stdio::null(), Stdio::null()));
}

thread_local! {
    /// Values that are dropped at the end of the thread, before and after the thread-locals of the
    /// loop.
    static EARLY: RefCell<Vec<Box<dyn Any>>> = RefCell::default();
    static LATE: RefCell<Vec<Box<dyn Any>>> = RefCell::default();
}

#[test]
fn handles_in_thread_locals_are_dropped_at_the_end_of_the_thread() {
    if is_program() {
        let thread = std::thread::spawn(|| {
            EARLY.with_borrow(Vec::len);
            run(async {
                for values in [&EARLY, &LATE] {
                    let mut input = stdin();
                    input.read(&mut []).await.unwrap();
                    let server =
                        evloop::start_server("127.0.0.1:0", async |_, _| pending::<()>().await);
                    let server = server.await.unwrap();
                    let stream = evloop::open_connection(server.local_addrs()[0]).await.unwrap();
                    stream.1.write(vec![0; 1 << 24]);
                    assert!(stream.1.write_buffer_size() > 0);
                    let (one, mut other) = evloop::io::duplex(1);
                    assert!(poll!(Box::pin(other.read(&mut [0]))).is_pending());
                    let task = evloop::spawn(pending::<()>());
                    let value = Box::new((input, stdout(), one, other, stream, server, task));
                    values.with_borrow_mut(|values| values.push(value));
                }
            });
        });
        return thread.join().unwrap();
    }
    assert_success(start(
        "handles_in_thread_locals_are_dropped_at_the_end_of_the_thread",
        Stdio::null(),
        Stdio::piped(),
    ));
}
