//! Pipes and FIFOs: every byte arrives, closed ends are reported, other files are refused.

#![cfg(all(unix, feature = "fs", feature = "streams"))]

use std::fs::{self, File};
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use evloop::net::pipe::{self, OpenOptions, Receiver, Sender};
use evloop::streams::{StreamOptions, from_pipe};
use evloop::time::timeout;
use futures::FutureExt;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::join;

/// Files of the tests.
#[allow(unreachable_pub)]
mod temp_dir;

use temp_dir::Dir;

/// The time limit of a test: a test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("the test hangs") })
}

/// Returns bytes that differ by position.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n / 251 + n) as u8).collect()
}

#[test]
fn every_byte_arrives_with_any_buffer_sizes() {
    for (written, read) in [(1 << 20, 1 << 20), (7, 1 << 16), (1 << 16, 7), (65_536, 4096)] {
        let data = pattern(2 << 20);
        run(async {
            let (sender, receiver) = pipe::pair().unwrap();
            let send = async {
                for piece in data.chunks(written) {
                    sender.write_all(piece).await.unwrap();
                }
                drop(sender);
            };
            let receive = async {
                let (mut all, mut buf) = (Vec::new(), vec![0; read]);
                while let n @ 1.. = receiver.read(&mut buf).await.unwrap() {
                    all.extend_from_slice(&buf[..n]);
                }
                all
            };
            let ((), received) = join!(send, receive);
            assert!(received == data, "{written} {read}");
        });
    }
}

#[test]
fn vectored_io_and_futures_io_traits() {
    run(async {
        let (mut sender, mut receiver) = pipe::pair().unwrap();
        assert_eq!(
            sender.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"c")]).await.unwrap(),
            3
        );
        let (mut one, mut two) = ([0; 1], [0; 5]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(receiver.read_vectored(&mut bufs).await.unwrap(), 3);
        assert_eq!((&one, &two[..2]), (b"a", &b"bc"[..]));
        AsyncWriteExt::write_all(&mut sender, b"hello").await.unwrap();
        sender.flush().await.unwrap();
        drop(sender);
        let mut all = String::new();
        receiver.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "hello");
    });
}

#[test]
fn full_and_empty_pipes_return_would_block() {
    run(async {
        let (sender, receiver) = pipe::pair().unwrap();
        assert_eq!(receiver.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut filled = 0;
        let full = loop {
            match sender.try_write(&[0; 4096]) {
                Ok(n) => filled += n,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        receiver.readable().await.unwrap();
        let mut buf = vec![0; filled];
        let (writable, read) = join!(sender.writable(), receiver.read_exact(&mut buf));
        assert!(writable.is_ok() && read.is_ok());
    });
}

#[test]
fn a_closed_end_is_reported() {
    run(async {
        let (sender, receiver) = pipe::pair().unwrap();
        let waits = evloop::spawn(async move { receiver.read_exact(&mut [0; 2]).await });
        sender.write_all(b"x").await.unwrap();
        drop(sender);
        assert_eq!(waits.await.unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);

        let (sender, receiver) = pipe::pair().unwrap();
        let waits = evloop::spawn(async move { sender.write_all(&[0; 1 << 20]).await });
        receiver.read_exact(&mut [0; 10]).await.unwrap();
        drop(receiver);
        assert_eq!(waits.await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn into_fd_restores_the_original_mode() {
    run(async {
        let (sender, receiver) = pipe::pair().unwrap();
        let fd = receiver.into_fd().unwrap();
        let receiver = Receiver::from_fd(fd).unwrap();
        sender.write_all(b"x").await.unwrap();
        drop(sender);
        let fd = receiver.into_fd().unwrap();
        let mut all = Vec::new();
        File::from(fd).read_to_end(&mut all).unwrap();
        assert_eq!(all, b"x");
    });
}

#[test]
fn from_fd_refuses_other_files() {
    run(async {
        let file = || OwnedFd::from(fs::File::open("/dev/null").unwrap());
        let socket = OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
        for error in [
            Receiver::from_fd(file()).unwrap_err(),
            Sender::from_fd(file()).unwrap_err(),
            Receiver::from_fd(socket).unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn packets_of_one_event_are_read_one_by_one() {
    use rustix::pipe::{PipeFlags, pipe_with};
    run(async {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT).unwrap();
        let receiver = Receiver::from_fd(reader).unwrap();
        let mut buf = [0; 8];
        {
            let mut first = Box::pin(receiver.read(&mut buf));
            assert!(futures::poll!(&mut first).is_pending());
            rustix::io::write(&writer, b"one").unwrap();
            rustix::io::write(&writer, b"three").unwrap();
            assert_eq!(first.await.unwrap(), 3);
        }
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"three");
    });
}

#[test]
fn a_stream_reader_reads_from_a_pipe() {
    run(async {
        let (sender, receiver) = pipe::pair().unwrap();
        let mut reader = from_pipe(receiver, &StreamOptions::default());
        assert!(reader.get_ref().as_pipe().is_some() && reader.peer_addr().is_err());
        assert!(reader.read_line().now_or_never().is_none());
        sender.write_all(b"one\ntw").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"one\n");
        assert!(reader.read_line().now_or_never().is_none(), "the buffer keeps the partial line");
        sender.write_all(b"o\nthree").await.unwrap();
        drop(sender);
        assert_eq!(reader.read_line().await.unwrap(), b"two\n");
        assert_eq!(reader.read_to_end().await.unwrap(), b"three");
        assert!(reader.at_eof());
    });
}

/// Returns whether the system can write to a pipe without SIGPIPE. The crate uses this if it can.
#[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
fn can_write_without_signal() -> bool {
    use rustix::io::{ReadWriteFlags, pwritev2};
    let (_reader, writer) = rustix::pipe::pipe().unwrap();
    let flag = ReadWriteFlags::from_bits_retain(0x100);
    pwritev2(&writer, &[IoSlice::new(b"x")], u64::MAX, flag).is_ok()
}

#[test]
#[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
fn writing_to_a_pipe_without_a_reader_raises_no_signal() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    if !can_write_without_signal() {
        return;
    }
    // SIGPIPE is counted, not ignored. The system sends it at once to the thread that writes.
    let piped = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, piped.clone()).unwrap();
    run(async {
        let (mut sender, receiver) = pipe::pair().unwrap();
        drop(receiver);
        let bufs = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        for error in [
            sender.write(b"x").await.unwrap_err(),
            sender.write_vectored(&bufs).await.unwrap_err(),
            sender.write_all(b"x").await.unwrap_err(),
            sender.write_all_buf(&mut &b"x"[..]).await.unwrap_err(),
            sender.try_write(b"x").unwrap_err(),
            AsyncWriteExt::write(&mut sender, b"x").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
    });
    #[cfg(feature = "process")]
    run(async {
        use evloop::process::{Command, Stdio};
        let mut child = Command::shell("exec <&-; echo closed");
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut closed = [0; 7];
        child.stdout.as_ref().unwrap().read_exact(&mut closed).await.unwrap();
        assert!(child.communicate("input").await.unwrap().status.success());
    });
    assert!(!piped.load(Ordering::SeqCst), "SIGPIPE was raised");
}

/// Waits for one turn of the loop: all events that the selector has are handled.
#[cfg(target_os = "linux")]
async fn turn_once() {
    let (done, turned) = futures::channel::oneshot::channel();
    // A call from another thread runs after the selector was polled.
    evloop::Handle::current().call_threadsafe(move || done.send(()).unwrap());
    turned.await.unwrap();
}

/// The path of a FIFO. Dropping it removes the file.
#[cfg(target_os = "linux")]
struct Fifo(PathBuf);

#[cfg(target_os = "linux")]
impl Fifo {
    fn new(name: &str) -> (Fifo, Receiver) {
        use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
        let path = std::env::temp_dir().join(format!("evloop-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let flags = OFlags::NONBLOCK.bits() as i32;
        let end = File::options().read(true).custom_flags(flags).open(&path).unwrap();
        (Fifo(path), Receiver::from_fd(end).unwrap())
    }

    fn writer(&self) -> File {
        File::options().write(true).open(&self.0).unwrap()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_fifo_waits_for_its_first_writer() {
    run(async {
        let (fifo, receiver) = Fifo::new("first");
        assert_eq!(receiver.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let (mut one, mut two) = ([0; 2], [0; 2]);
        let mut read = Box::pin(receiver.read(&mut one));
        assert!(futures::poll!(&mut read).is_pending());
        let mut writer = fifo.writer();
        assert!(futures::poll!(&mut read).is_pending());
        writer.write_all(b"abcd").unwrap();
        assert_eq!(read.await.unwrap(), 2);
        let mut bufs = [IoSliceMut::new(&mut two)];
        assert_eq!(receiver.read_vectored(&mut bufs).await.unwrap(), 2);
        drop(writer);
        assert_eq!(receiver.read(&mut one).await.unwrap(), 0);
        assert_eq!((&one, &two), (b"ab", b"cd"));
    });
}

/// The writer often comes between the read and the check for a writer: without the check for its
/// bytes, a few of these reads returned an end of stream.
#[test]
#[cfg(target_os = "linux")]
fn a_first_writer_that_comes_during_a_read_is_not_missed() {
    run(async {
        let (fifo, _) = Fifo::new("during");
        for _ in 0..30 {
            let receiver = OpenOptions::new().open_receiver(&fifo.0).unwrap();
            let is_reading = Arc::new(Barrier::new(2));
            let writer = (fifo.0.clone(), is_reading.clone());
            let writer = std::thread::spawn(move || {
                writer.1.wait();
                File::options().write(true).open(writer.0).unwrap().write_all(b"x").unwrap();
            });
            is_reading.wait();
            let read = loop {
                match receiver.try_read(&mut [0; 8]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => break read.unwrap(),
                }
            };
            assert_eq!(read, 1);
            writer.join().unwrap();
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_stream_reader_of_a_fifo_waits_for_its_first_writer() {
    run(async {
        let (fifo, receiver) = Fifo::new("stream");
        let mut reader = from_pipe(receiver, &StreamOptions::default());
        let mut line = Box::pin(reader.read_line());
        assert!(futures::poll!(&mut line).is_pending());
        fifo.writer().write_all(b"hello\n").unwrap();
        assert_eq!(line.await.unwrap(), b"hello\n");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_fifo_waits_for_its_next_writer() {
    run(async {
        let (fifo, receiver) = Fifo::new("next");
        receiver.reopened().await.unwrap();
        for round in 0..3 {
            let mut writer = fifo.writer();
            let mut buf = [0; 8];
            {
                let mut read = Box::pin(receiver.read(&mut buf));
                for _ in 0..3 {
                    assert!(futures::poll!(&mut read).is_pending(), "round {round}");
                    turn_once().await;
                }
                writer.write_all(b"x").unwrap();
                assert_eq!(read.await.unwrap(), 1, "round {round}");
            }
            drop(writer);
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 0, "round {round}");
            let mut reopened = Box::pin(receiver.reopened());
            assert!(futures::poll!(&mut reopened).is_pending());
            drop(fifo.writer());
            turn_once().await;
            assert!(
                futures::poll!(&mut reopened).is_pending(),
                "a writer that wrote nothing does not count"
            );
            fifo.writer().write_all(b"yz").unwrap();
            reopened.await.unwrap();
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 2);
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 0);
            turn_once().await;
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn an_own_operation_that_maps_the_end_to_would_block_does_not_spin() {
    use evloop::io::Interest;
    run(async {
        let (fifo, receiver) = Fifo::new("own");
        drop(fifo.writer());
        let mut calls = 0;
        let mut buf = [0; 8];
        let read = async {
            loop {
                receiver.readable().await?;
                let read = || match rustix::io::read(&receiver, &mut buf)? {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    n => Ok(n),
                };
                calls += 1;
                match receiver.try_io(Interest::READABLE, read) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => break result,
                }
            }
        };
        let mut read = Box::pin(read);
        for _ in 0..100 {
            assert!(futures::poll!(&mut read).is_pending());
            evloop::task::yield_now().await;
        }
        fifo.writer().write_all(b"abc").unwrap();
        assert_eq!(read.await.unwrap(), 3);
        if cfg!(not(mio_unsupported_force_poll_poll)) {
            assert!(calls <= 4, "{calls} calls");
        }
    });
}

#[test]
fn futures_io_vectored_methods_use_all_buffers() {
    run(async {
        let (mut sender, mut receiver) = pipe::pair().unwrap();
        let bufs = [IoSlice::new(b"ab"), IoSlice::new(b"cde")];
        assert_eq!(AsyncWriteExt::write_vectored(&mut sender, &bufs).await.unwrap(), 5);
        let (mut one, mut two) = ([0; 1], [0; 9]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(AsyncReadExt::read_vectored(&mut receiver, &mut bufs).await.unwrap(), 5);
        assert_eq!((&one, &two[..4]), (b"a", &b"bcde"[..]));
    });
}

#[test]
fn a_fifo_is_opened_by_its_path_in_any_order() {
    run(async {
        let (dir, options) = (Dir::new(), OpenOptions::new());
        let path = dir.fifo("fifo");
        let error = options.open_sender(&path).unwrap_err();
        let number = Some(rustix::io::Errno::NXIO.raw_os_error());
        assert_eq!(evloop::io::raw_os_error(&error), number);
        let text = error.to_string();
        assert!(text.starts_with(&format!("could not open {path:?} as a pipe: ")), "{text}");
        assert!(text.contains("no process has opened the FIFO for reading"), "{text}");
        let receiver = options.open_receiver(&path).unwrap();
        let mut buf = [0; 8];
        assert!(receiver.read(&mut buf).now_or_never().is_none(), "no sender yet");
        for text in ["one", "four"] {
            let sender = options.open_sender(&path).unwrap();
            sender.write_all(text.as_bytes()).await.unwrap();
            drop(sender);
            assert_eq!(receiver.read(&mut buf).await.unwrap(), text.len());
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 0);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_fifo_open_for_both_directions_never_ends_and_needs_no_receiver() {
    run(async {
        let dir = Dir::new();
        let path = dir.fifo("fifo");
        let mut options = OpenOptions::new();
        options.read_write(true);
        let sender = options.open_sender(&path).unwrap();
        sender.write_all(b"abc").await.unwrap();
        let receiver = options.open_receiver(&path).unwrap();
        drop(sender);
        let mut buf = [0; 8];
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 3);
        assert!(receiver.read(&mut buf).now_or_never().is_none());
        drop(OpenOptions::new().open_sender(&path).unwrap());
        assert!(receiver.read(&mut buf).now_or_never().is_none(), "it never reads an end");
    });
}

#[test]
fn opening_another_file_as_a_fifo_says_its_path() {
    run(async {
        let dir = Dir::new();
        let path = dir.file("file", b"");
        for error in [
            OpenOptions::new().open_receiver(&path).unwrap_err(),
            OpenOptions::new().open_sender(&path).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let sentence = format!(
                "could not open {path:?} as a pipe: the descriptor is not a pipe: RegularFile"
            );
            assert_eq!(error.to_string(), sentence);
        }
        let error = OpenOptions::new().open_receiver(dir.join("none")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn another_file_is_opened_unchecked() {
    run(async {
        let error = OpenOptions::new().open_sender("/dev/ptmx").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let terminal = OpenOptions::new().unchecked(true).open_sender("/dev/ptmx").unwrap();
        assert_eq!(terminal.write(b"x").await.unwrap(), 1);
    });
}

/// Only epoll refuses such a file.
#[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
#[test]
fn an_unchecked_file_that_is_always_ready_is_an_error_with_its_path() {
    run(async {
        let error = OpenOptions::new().unchecked(true).open_receiver("Cargo.toml").unwrap_err();
        let sentence =
            "could not open \"Cargo.toml\" as a pipe: Operation not permitted (os error 1)";
        assert_eq!(error.to_string(), sentence);
    });
}

#[test]
fn opening_a_fifo_outside_of_a_loop_names_the_function() {
    for (outcome, name) in [
        (
            std::panic::catch_unwind(|| drop(OpenOptions::new().open_receiver("/x"))),
            "open_receiver",
        ),
        (std::panic::catch_unwind(|| drop(OpenOptions::new().open_sender("/x"))), "open_sender"),
    ] {
        let message = outcome.unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        let expected = format!("pipe::OpenOptions::{name} was called outside of a running loop");
        assert!(message.starts_with(&expected), "{message}");
    }
}
