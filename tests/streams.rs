//! Stream readers and writers: cancel safety of reads, background writes, errors, limits.
//!
//! The peer is a socket of the same loop and the same test, so every test fixes the order of
//! events. `now_or_never` polls a future once and drops it.

#![cfg(all(target_os = "linux", feature = "streams"))]

use std::future::Future;
use std::io::{ErrorKind, IoSlice, Read};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use std::{io, net};

use evloop::net::{TcpListener, TcpStream};
use evloop::streams::{self, IncompleteRead, LimitOverrun, StreamOptions, StreamSocket};
use evloop::task::yield_now;
use evloop::time::timeout;
use evloop::{Runtime, StreamReader, StreamWriter, spawn};
use futures::{FutureExt, join, poll};

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Returns a reader with this limit, its writer, and their peer.
async fn pair_with(limit: usize) -> (StreamReader, StreamWriter, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = StreamOptions { limit, ..StreamOptions::default() };
    let addr = listener.local_addr().unwrap();
    let (reader, writer) = streams::open_connection_with(addr, &options).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    (reader, writer, peer)
}

async fn pair() -> (StreamReader, StreamWriter, TcpStream) {
    pair_with(StreamOptions::default().limit).await
}

/// Resets the connection from the peer, and waits until the other end has received the reset.
async fn reset(peer: TcpStream, other_end: &StreamSocket) {
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    other_end.readable().await.unwrap();
}

/// Returns bytes that depend on their position.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// Writes until more than `unsent` bytes are unsent: the peer does not read. The written bytes are
/// a `pattern` of the returned length.
fn fill(writer: &mut StreamWriter, unsent: usize) -> usize {
    let piece = pattern(251 * 1024);
    let mut written = 0;
    while writer.write_buffer_size() <= unsent {
        writer.write(&piece);
        written += piece.len();
    }
    written
}

async fn read_to_end(peer: &TcpStream) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
    while let n @ 1.. = peer.read(&mut buf).await.unwrap() {
        all.extend_from_slice(&buf[..n]);
    }
    all
}

/// Compares like `assert_eq`, which would print megabytes.
#[track_caller]
fn assert_same(found: &[u8], expected: &[u8]) {
    let first = found.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!((found.len(), first), (expected.len(), None), "length, first difference");
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Returns the pieces of `text` from a peer that sends it byte by byte and then ends. Each future
/// is dropped whenever it waits; the last piece may be incomplete.
async fn pieces(
    text: &str,
    piece: impl AsyncFn(&mut StreamReader) -> io::Result<Vec<u8>>,
) -> Vec<String> {
    let (mut reader, _writer, peer) = pair().await;
    let (mut pieces, mut drops, mut bytes) = (Vec::new(), 0, text.as_bytes().chunks(1));
    while !reader.at_eof() {
        let polled = piece(&mut reader).now_or_never();
        if let Some(result) = polled {
            let piece = result.unwrap_or_else(|error| {
                IncompleteRead::of(&error).expect("an incomplete read").partial.clone()
            });
            pieces.push(String::from_utf8(piece).unwrap());
            continue;
        }
        drops += 1;
        match bytes.next() {
            Some(byte) => peer.write_all(byte).await.unwrap(),
            None => peer.shutdown(Shutdown::Write).unwrap(),
        }
        reader.get_ref().readable().await.unwrap();
    }
    assert_eq!(drops, text.len() + 1, "one wait for each byte and one for the end");
    pieces
}

#[test]
fn reads_dropped_at_every_await_lose_no_bytes() {
    run(async {
        let found = pieces("one\n\ntwo\r\nend", async |r| r.read_line().await).await;
        assert_eq!(found, ["one\n", "\n", "two\r\n", "end"]);
        let found = pieces("a\r\r\nb\r\n\nc\r", async |r| r.read_until(b"\r\n").await).await;
        assert_eq!(found, ["a\r\r\n", "b\r\n", "\nc\r"]);
        let found = pieces("aaaabaabab", async |r| r.read_until(b"aab").await).await;
        assert_eq!(found, ["aaaab", "aab", "ab"]);
        let found = pieces("abcdefgh", async |r| r.read_exact(3).await).await;
        assert_eq!(found, ["abc", "def", "gh"]);
        let found = pieces("abc", async |r| r.read(2).await).await;
        assert_eq!(found, ["a", "b", "c", ""]);
        let found = pieces("abcdefgh", async |r| r.read_to_end().await).await;
        assert_eq!(found, ["abcdefgh"]);
    });
}

#[test]
fn a_separator_may_arrive_in_parts() {
    run(async {
        for (text, separator) in [("x\r\r\n", "\r\n"), ("aaab", "aab"), ("ababab!", "abab!")] {
            let (mut reader, _writer, peer) = pair().await;
            let send = async {
                for byte in text.as_bytes().chunks(1) {
                    peer.write_all(byte).await.unwrap();
                    yield_now().await;
                }
            };
            let (piece, ()) = join!(reader.read_until(separator.as_bytes()), send);
            assert_eq!(piece.unwrap(), text.as_bytes());
        }
    });
}

#[test]
fn bytes_received_at_once_are_read_piece_by_piece() {
    run(async {
        let (mut reader, _writer, peer) = pair().await;
        peer.write_all(b"line\nblock;rest").await.unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"line\n");
        assert_eq!(reader.read_exact(5).await.unwrap(), b"block");
        assert_eq!(reader.read_until(b";").await.unwrap(), b";");
        assert_eq!(reader.read(2).await.unwrap(), b"re");
        assert!(!reader.at_eof(), "bytes are left");
        assert_eq!(reader.read(100).await.unwrap(), b"st");
        assert!(!reader.at_eof(), "the end was not read yet");
        assert_eq!(reader.read(100).await.unwrap(), b"");
        assert!(reader.at_eof());
        assert_eq!(reader.read_line().await.unwrap(), b"");
        assert_eq!(reader.read_to_end().await.unwrap(), b"");
        let error = reader.read_exact(1).await.unwrap_err();
        let nothing = IncompleteRead { partial: Vec::new(), expected: Some(1) };
        assert_eq!(IncompleteRead::of(&error), Some(&nothing));
    });
}

#[test]
fn reading_zero_bytes_does_not_wait() {
    run(async {
        let (mut reader, _writer, _peer) = pair().await;
        assert_eq!(reader.read(0).now_or_never().unwrap().unwrap(), b"");
        assert_eq!(reader.read_exact(0).now_or_never().unwrap().unwrap(), b"");
        assert!(reader.read(1).now_or_never().is_none());
    });
}

#[test]
fn an_incomplete_read_holds_the_partial_bytes() {
    run(async {
        let (mut reader, _writer, peer) = pair().await;
        peer.write_all(b"abc").await.unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let error = reader.read_exact(5).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let partial = b"abc".to_vec();
        let expected = IncompleteRead { partial, expected: Some(5) };
        assert_eq!(IncompleteRead::of(&error), Some(&expected));
        assert!(reader.at_eof(), "the partial bytes were taken");

        let (mut reader, _writer, peer) = pair().await;
        peer.write_all(b"abc\r").await.unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let error = reader.read_until(b"\r\n").await.unwrap_err();
        let expected = IncompleteRead { partial: b"abc\r".to_vec(), expected: None };
        assert_eq!(IncompleteRead::of(&error), Some(&expected));
        assert!(reader.at_eof(), "the partial bytes were taken");
    });
}

#[test]
fn a_piece_longer_than_the_limit_is_an_error() {
    run(async {
        let (mut reader, _writer, peer) = pair_with(8).await;
        peer.write_all(b"12345678\n123456789\nnext\n").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"12345678\n");
        for _ in 0..2 {
            let error = reader.read_line().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert_eq!(LimitOverrun::of(&error), Some(&LimitOverrun { consumed: 9, limit: 8 }));
        }
        assert_eq!(reader.read_exact(9).await.unwrap(), b"123456789", "the bytes stay");
        assert_eq!(reader.read_line().await.unwrap(), b"\n");
        assert_eq!(reader.read_line().await.unwrap(), b"next\n");
    });
}

#[test]
fn skipping_an_overlong_piece_keeps_a_partial_separator() {
    run(async {
        let (mut reader, _writer, peer) = pair_with(8).await;
        peer.write_all(b"123456789\r").await.unwrap();
        let error = reader.read_until(b"\r\n").await.unwrap_err();
        assert_eq!(LimitOverrun::of(&error), Some(&LimitOverrun { consumed: 9, limit: 8 }));
        assert_eq!(reader.read_exact(9).await.unwrap(), b"123456789");
        peer.write_all(b"\nnext\r\n").await.unwrap();
        assert_eq!(reader.read_until(b"\r\n").await.unwrap(), b"\r\n");
        assert_eq!(reader.read_until(b"\r\n").await.unwrap(), b"next\r\n");
    });
}

#[test]
fn the_limit_does_not_apply_to_read_exact() {
    run(async {
        let (mut reader, mut writer, peer) = pair_with(8).await;
        let sent = fill(&mut writer, MIB);
        writer.shutdown_write();
        let back = async { peer.write_all(&read_to_end(&peer).await).await.unwrap() };
        let (block, ()) = join!(reader.read_exact(sent), back);
        assert_same(&block.unwrap(), &pattern(sent));
    });
}

#[test]
fn bytes_received_before_a_reset_can_be_read_after_it() {
    run(async {
        let (mut reader, _writer, peer) = pair().await;
        peer.write_all(b"whole\npart").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"whole\n");
        reset(peer, reader.get_ref()).await;
        assert_eq!(kind(reader.read_line().await), Some(ErrorKind::ConnectionReset));
        assert_eq!(reader.read(100).await.unwrap(), b"part");
    });
}

#[test]
fn each_read_that_needs_more_bytes_reports_a_reset() {
    run(async {
        let (mut reader, _writer, peer) = pair().await;
        peer.write_all(b"whole\npart").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"whole\n");
        reset(peer, reader.get_ref()).await;
        for _ in 0..3 {
            assert_eq!(kind(reader.read_line().await), Some(ErrorKind::ConnectionReset));
            assert_eq!(kind(reader.read_exact(5).await), Some(ErrorKind::ConnectionReset));
            assert_eq!(kind(reader.read_to_end().await), Some(ErrorKind::ConnectionReset));
        }
        assert_eq!(reader.read_exact(4).await.unwrap(), b"part", "the bytes stay");
        assert_eq!(kind(reader.read(1).await), Some(ErrorKind::ConnectionReset));
        assert!(!reader.at_eof(), "the peer has not ended its direction");
    });
}

#[test]
#[should_panic(expected = "read_until needs a separator")]
fn an_empty_separator_panics() {
    let _ = run(async { pair().await.0.read_until(b"").await });
}

#[test]
fn write_does_not_wait_and_all_bytes_arrive_in_order() {
    run(async {
        let (reader, writer, peer) = pair().await;
        let (all, mut rest) = (pattern(24 * MIB), 0);
        // Writes of many lengths, plain and vectored.
        for len in (1..).map(|i| i * 7919 % 65_537) {
            let Some(piece) = all.get(rest..rest + len) else { break };
            let (one, two) = piece.split_at(len / 2);
            match len % 2 {
                0 => writer.write(piece),
                _ => writer.write_vectored(&[IoSlice::new(one), IoSlice::new(two)]),
            }
            rest += len;
        }
        writer.write(&all[rest..]);
        assert!(writer.write_buffer_size() > 0, "the system does not accept all bytes");
        writer.write(b"");
        writer.close();
        assert_same(&read_to_end(&peer).await, &all);
        assert_eq!(writer.write_buffer_size(), 0);
        writer.wait_closed().await.unwrap();
        drop(reader);
    });
}

#[test]
fn drain_waits_above_high_water_until_low_water() {
    run(async {
        let (_reader, mut writer, peer) = pair().await;
        let (low, high) = (16 * MIB, 32 * MIB);
        writer.set_write_buffer_limits(low, high);
        fill(&mut writer, high - MIB);
        assert!(writer.write_buffer_size() < high);
        writer.drain().now_or_never().expect("drain does not wait").unwrap();

        fill(&mut writer, high);
        let mut buf = vec![0; 64 * 1024];
        let mut drain = Box::pin(writer.drain());
        while poll!(drain.as_mut()).is_pending() {
            peer.read(&mut buf).await.unwrap();
        }
        drop(drain);
        let left = writer.write_buffer_size();
        assert!(0 < left && left <= low, "drain ended with {left} unsent bytes");
    });
}

#[test]
fn wait_closed_does_not_take_the_wakes_of_a_drain_in_another_task() {
    run(async {
        let (_reader, mut writer, peer) = pair().await;
        let written = fill(&mut writer, MIB);
        let closing = Rc::new(writer);
        let draining = closing.clone();
        let closed = spawn(async move { closing.wait_closed().await.unwrap() });
        let drained = spawn(async move {
            draining.drain().await.unwrap();
            draining.close();
        });
        // The stream ends once the drain has completed.
        assert_same(&read_to_end(&peer).await, &pattern(written));
        drained.await.unwrap();
        closed.await.unwrap();
    });
}

#[test]
fn drain_and_wait_closed_dropped_at_every_await_lose_no_bytes() {
    run(async {
        let (_reader, mut writer, peer) = pair().await;
        let written = fill(&mut writer, 4 * MIB);
        let (mut received, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
        let mut drops = [0, 0];
        while writer.drain().now_or_never().is_none() {
            drops[0] += 1;
            let n = peer.read(&mut buf).await.unwrap();
            received.extend_from_slice(&buf[..n]);
        }
        let more = fill(&mut writer, MIB);
        writer.close();
        while writer.wait_closed().now_or_never().is_none() {
            drops[1] += 1;
            let n = peer.read(&mut buf).await.unwrap();
            received.extend_from_slice(&buf[..n]);
        }
        received.extend(read_to_end(&peer).await);
        assert!(drops.iter().all(|drops| *drops > 1), "{drops:?}");
        // The period of the pattern divides the length of each write of `fill`.
        assert_same(&received, &pattern(written + more));
    });
}

#[test]
#[should_panic(expected = "the low-water mark 2 must not exceed the high-water mark 1")]
fn water_marks_in_the_wrong_order_panic() {
    run(async { pair().await.1.set_write_buffer_limits(2, 1) });
}

#[test]
fn drain_and_wait_closed_report_a_reset() {
    run(async {
        let (reader, writer, peer) = pair().await;
        reset(peer, reader.get_ref()).await;
        writer.write(b"lost");
        writer.write(b"lost too");
        writer.flush();
        for _ in 0..2 {
            assert_eq!(kind(writer.drain().await), Some(ErrorKind::ConnectionReset));
            assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::ConnectionReset));
        }
        assert!(writer.is_closing());
    });
}

#[test]
fn a_reset_ends_a_drain_that_waits() {
    run(async {
        let (_reader, mut writer, peer) = pair().await;
        fill(&mut writer, MIB);
        let reset = async {
            peer.set_linger(Some(Duration::ZERO)).unwrap();
            drop(peer);
        };
        let (drained, ()) = join!(writer.drain(), reset);
        assert_eq!(kind(drained), Some(ErrorKind::ConnectionReset));
        assert_eq!(writer.write_buffer_size(), 0, "unsent bytes are dropped");
        assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_write_after_close_is_reported() {
    run(async {
        let (_reader, writer, peer) = pair().await;
        writer.write(b"before");
        writer.close();
        writer.write(b"after");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::BrokenPipe));
        assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::BrokenPipe));
        assert_eq!(read_to_end(&peer).await, b"before");
    });
}

#[test]
fn a_write_after_close_does_not_discard_earlier_bytes() {
    run(async {
        let (_reader, mut writer, peer) = pair().await;
        let written = fill(&mut writer, MIB);
        writer.close();
        writer.write(b"after");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::BrokenPipe));
        assert_same(&read_to_end(&peer).await, &pattern(written));
    });
}

#[test]
fn wait_closed_waits_until_all_is_sent() {
    run(async {
        let (_reader, mut writer, peer) = pair().await;
        let written = fill(&mut writer, MIB);
        assert!(!writer.is_closing());
        writer.close();
        assert!(writer.is_closing());
        let mut closed = Box::pin(writer.wait_closed());
        assert!(poll!(closed.as_mut()).is_pending(), "the peer has not read");
        let (closed, received) = join!(closed, read_to_end(&peer));
        closed.unwrap();
        assert_same(&received, &pattern(written));
        assert_eq!(writer.write_buffer_size(), 0);
    });
}

#[test]
fn a_dropped_writer_sends_the_rest_and_ends() {
    run(async {
        let (mut reader, mut writer, peer) = pair().await;
        let written = fill(&mut writer, MIB);
        drop(writer);
        assert_same(&read_to_end(&peer).await, &pattern(written));
        assert_eq!(reader.read_line().await.unwrap(), b"", "both directions are closed");

        let (reader, mut writer, peer) = pair().await;
        let written = fill(&mut writer, MIB);
        drop((reader, writer));
        assert_same(&read_to_end(&peer).await, &pattern(written));
    });
}

#[test]
fn a_writer_dropped_between_two_runs_sends_the_rest_in_the_next_run() {
    let mut runtime = Runtime::new().unwrap();
    let (_reader, mut writer, peer) = runtime.block_on(pair());
    let written = fill(&mut writer, MIB);
    drop(writer);
    let received = runtime.block_on(timeout(LIMIT, read_to_end(&peer)));
    assert_same(&received.expect("it hangs"), &pattern(written));
}

#[test]
fn bytes_written_while_another_loop_runs_are_sent_by_the_writers_own_loop() {
    let (mut own, mut other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (_reader, mut writer, peer) = own.block_on(pair());
    let written = other.block_on(async { fill(&mut writer, MIB) });
    drop(other);
    let drain = async {
        writer.drain().await.unwrap();
        writer.close();
    };
    let both = async { join!(drain, read_to_end(&peer)) };
    let ((), received) = own.block_on(timeout(LIMIT, both)).expect("it hangs");
    assert_same(&received, &pattern(written));
}

#[test]
fn a_dropped_reader_does_not_end_the_writer() {
    run(async {
        let (reader, mut writer, peer) = pair().await;
        drop(reader);
        let written = fill(&mut writer, MIB);
        writer.close();
        assert_same(&read_to_end(&peer).await, &pattern(written));
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn shutdown_write_ends_only_the_write_direction() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        writer.write(b"question");
        writer.shutdown_write();
        assert!(writer.is_closing());
        assert_eq!(read_to_end(&peer).await, b"question");
        assert!(reader.read_line().now_or_never().is_none(), "the reader continues");
        peer.write_all(b"answer\n").await.unwrap();
        assert_eq!(reader.read_line().await.unwrap(), b"answer\n");
        writer.wait_closed().await.unwrap();
    });
}

#[test]
fn abort_drops_unsent_bytes_and_ends_both_directions() {
    run(async {
        let (mut reader, mut writer, peer) = pair().await;
        let sent = fill(&mut writer, MIB) - writer.write_buffer_size();
        let mut line = pin!(reader.read_line());
        assert_eq!(poll!(line.as_mut()).map(|_| ()), Poll::Pending);
        writer.abort();
        assert_eq!(writer.write_buffer_size(), 0);
        assert!(writer.is_closing());
        assert_eq!(line.await.unwrap(), b"", "the end");
        assert_eq!(kind(writer.drain().await), Some(ErrorKind::ConnectionAborted));
        assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::ConnectionAborted));
        assert_same(&read_to_end(&peer).await, &pattern(sent));
    });
}

#[test]
fn bytes_unsent_at_the_end_of_the_loop_are_discarded() {
    let (sent, mut peer): (usize, net::TcpStream) = run(async {
        let (_reader, mut writer, peer) = pair().await;
        let sent = fill(&mut writer, MIB) - writer.write_buffer_size();
        (sent, peer.into_std().unwrap())
    });
    let mut received = Vec::new();
    peer.read_to_end(&mut received).unwrap();
    assert_same(&received, &pattern(sent));
}

#[test]
fn a_writer_with_unsent_bytes_reports_the_end_of_its_loop() {
    let mut runtime = Runtime::new().unwrap();
    let (_reader, mut writer, _peer) = runtime.block_on(pair());
    fill(&mut writer, MIB);
    drop(runtime);
    assert_eq!(writer.write_buffer_size(), 0, "unsent bytes are dropped");
    run(async {
        for _ in 0..2 {
            assert_eq!(kind(writer.drain().await), Some(ErrorKind::NotConnected));
            assert_eq!(kind(writer.wait_closed().await), Some(ErrorKind::NotConnected));
        }
    });
}

#[test]
fn both_directions_transfer_at_the_same_time() {
    run(async {
        let (mut reader, writer, peer) = pair().await;
        let echo = async {
            let mut buf = vec![0; 10_000];
            while let n @ 1.. = peer.read(&mut buf).await.unwrap() {
                peer.write_all(&buf[..n]).await.unwrap();
            }
            peer.shutdown(Shutdown::Write).unwrap();
        };
        let all = pattern(16 * MIB);
        let write = async {
            for piece in all.chunks(100_000) {
                writer.write(piece);
                writer.drain().await.unwrap();
            }
            writer.shutdown_write();
            writer.wait_closed().await.unwrap();
        };
        let (received, (), ()) = join!(reader.read_to_end(), write, echo);
        assert_same(&received.unwrap(), &all);
    });
}
