//! `io::sync_bridge`: the traits of std over an I/O object of a loop, on another thread.

#![cfg(feature = "streams")]

use std::future::Future;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::time::Duration;

use evloop::Runtime;
use evloop::io::{duplex, sync_bridge};
use evloop::streams::{from_io, memory_reader};
use evloop::task::spawn_blocking;
use evloop::time::timeout;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

#[test]
fn a_thread_reads_and_writes_while_the_loop_serves_the_other_end() {
    run(async {
        let (one, other) = duplex(16);
        let (mut reader, writer) = from_io(one);
        let (bridge, handle) = sync_bridge(other);
        let thread = spawn_blocking(move || {
            let mut bridge = BufReader::new(bridge);
            let mut line = String::new();
            let mut lines = 0;
            while bridge.read_line(&mut line).unwrap() > 0 {
                bridge.get_mut().write_all(line.to_uppercase().as_bytes()).unwrap();
                bridge.get_mut().flush().unwrap();
                line.clear();
                lines += 1;
            }
            bridge.get_mut().shutdown().unwrap();
            lines
        });
        for i in 0..100 {
            writer.write(format!("line {i}\n"));
            assert_eq!(reader.read_line().await.unwrap(), format!("LINE {i}\n").as_bytes());
        }
        writer.shutdown_write();
        assert_eq!(thread.await.unwrap(), 100);
        assert_eq!(reader.read(1).await.unwrap(), b"", "the thread has ended its direction");
        drop(handle.await.unwrap());
    });
}

/// The reader is not `Send`: it stays on the thread of the loop.
#[test]
fn an_object_that_only_reads_is_bridged_and_returned() {
    run(async {
        let (feeder, reader) = memory_reader();
        let (mut bridge, handle) = sync_bridge(reader.into_async_read());
        let thread = spawn_blocking(move || {
            let mut buf = [0; 3];
            bridge.read_exact(&mut buf).unwrap();
            buf
        });
        feeder.feed_data("abcdef");
        assert_eq!(&thread.await.unwrap(), b"abc");
        let mut reader = handle.await.unwrap().into_inner();
        assert_eq!(reader.read(3).await.unwrap(), b"def", "no byte is lost in the bridge");
    });
}

#[test]
fn large_buffers_pass_in_parts() {
    run(async {
        let (one, other) = duplex(1 << 20);
        let (mut reader, _writer) = from_io(one);
        let (mut bridge, _handle) = sync_bridge(other);
        let thread = spawn_blocking(move || bridge.write_all(&vec![7; 300_000]).unwrap());
        assert_eq!(reader.read_exact(300_000).await.unwrap(), [7; 300_000]);
        thread.await.unwrap();
    });
}

#[test]
fn errors_of_the_object_reach_the_thread() {
    run(async {
        let (one, other) = duplex(16);
        let (mut bridge, _handle) = sync_bridge(other);
        drop(one);
        let thread = spawn_blocking(move || bridge.write(b"x").unwrap_err().kind());
        assert_eq!(thread.await.unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_thread_that_waits_gets_an_error_when_the_loop_ends() {
    let thread = {
        let mut runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let (feeder, reader) = memory_reader();
            let (mut bridge, _handle) = sync_bridge(reader.into_async_read());
            let thread = std::thread::spawn(move || {
                let first = bridge.read(&mut [0; 4]).unwrap_err();
                (first, bridge.read(&mut [0; 4]).unwrap_err())
            });
            evloop::time::sleep(Duration::from_millis(10)).await;
            std::mem::forget(feeder);
            thread
        })
    };
    let (first, second) = thread.join().unwrap();
    for error in [first, second] {
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("its event loop"), "{error}");
    }
}

#[test]
fn a_thread_that_waits_gets_an_error_when_the_handle_is_aborted() {
    run(async {
        let (_one, other) = duplex(1);
        let (mut bridge, handle) = sync_bridge(other);
        let reads = spawn_blocking(move || bridge.read(&mut [0]));
        handle.abort();
        assert!(handle.await.unwrap_err().is_cancelled());
        let error = reads.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("its handle was aborted"), "{error}");
    });
}

#[test]
#[should_panic(expected = "was called on the thread of a running loop")]
fn a_call_on_the_thread_of_the_loop_panics() {
    run(async {
        let (mut bridge, _handle) = sync_bridge(duplex(1).0);
        let _ = bridge.read(&mut [0]);
    });
}
