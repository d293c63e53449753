//! Operations on files that are dropped or wait for a blocking thread: their effects, and the
//! cursor afterwards.

#![cfg(all(unix, feature = "fs"))]

/// A blocking thread that is busy.
mod busy_pool;
/// A directory for the files of one test, and reading them.
mod temp_dir;

use std::future::Future;
use std::io::{ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use evloop::fs::{self, File};
use evloop::task::yield_now;
use evloop::{Runtime, block_on, spawn};
use futures::{AsyncSeekExt, FutureExt, poll};

use busy_pool::Busy;
use temp_dir::{Dir, contents, read};

/// Runs `future` on a loop with one blocking thread.
fn run<T>(future: impl Future<Output = T>) -> T {
    Runtime::builder().blocking_threads_max(1).build().unwrap().block_on(future)
}

/// Polls a future once and drops it. The poll must return `Pending`.
fn poll_and_drop(future: impl Future) {
    assert!(future.now_or_never().is_none());
}

#[test]
fn a_dropped_next_entry_loses_no_entry() {
    let dir = Dir::new();
    (0..100).for_each(|i| drop(dir.file(&i.to_string(), b"")));
    run(async {
        let mut entries = fs::read_dir(&dir.0).await.unwrap();
        let mut count = 0;
        for _ in 0..64 {
            assert!(entries.next_entry().await.unwrap().is_some());
            count += 1;
        }
        let busy = Busy::new();
        poll_and_drop(entries.next_entry());
        busy.end().await;
        while entries.next_entry().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 100);
    });
}

#[test]
fn a_dropped_read_leaves_its_bytes_for_the_next_read() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    run(async {
        let mut file = File::open(&path).await.unwrap();
        let busy = Busy::new();
        let mut buf = [0; 4];
        poll_and_drop(file.read(&mut buf));
        poll_and_drop(file.read(&mut buf));
        busy.end().await;
        assert_eq!(read(&mut file, 2).await, "01");
        assert_eq!(read(&mut file, 9).await, "23", "the bytes that the dropped read requested");
        assert_eq!(read(&mut file, 9).await, "456789");
        assert_eq!(buf, [0; 4], "a dropped read does not write to its buffer");
    });
}

#[test]
fn after_a_dropped_read_at_the_end_the_next_read_returns_zero() {
    let dir = Dir::new();
    let path = dir.file("a", b"");
    run(async {
        let mut file = File::open(&path).await.unwrap();
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        busy.end().await;
        assert_eq!(read(&mut file, 9).await, "");
        std::fs::write(&path, "more").unwrap();
        assert_eq!(read(&mut file, 9).await, "more");
    });
}

#[test]
fn seeks_and_writes_start_at_the_cursor_of_the_caller() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    let begin = async || {
        let mut file = File::options().read(true).write(true).open(&path).await.unwrap();
        assert_eq!(read(&mut file, 1).await, "0");
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 5]));
        busy.end().await;
        // One of the five bytes is read: the caller's cursor is 2, the system's offset is 6.
        assert_eq!(read(&mut file, 1).await, "1");
        file
    };
    run(async {
        let mut file = begin().await;
        assert_eq!(file.seek(SeekFrom::Current(0)).await.unwrap(), 2);
        assert_eq!(read(&mut file, 3).await, "234");
        let mut file = begin().await;
        assert_eq!(file.seek(SeekFrom::Current(5)).await.unwrap(), 7);
        assert_eq!(read(&mut file, 3).await, "789");
        let mut file = begin().await;
        let error = file.seek(SeekFrom::Current(-3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(read(&mut file, 9).await, "2345", "the cursor has not moved");
        assert_eq!(read(&mut file, 9).await, "6789");
        let mut file = begin().await;
        assert_eq!(
            file.seek(SeekFrom::Current(i64::MIN)).await.unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(file.seek(SeekFrom::Start(4)).await.unwrap(), 4);
        assert_eq!(read(&mut file, 2).await, "45");
        let mut file = begin().await;
        let mut std = file.into_std().await.unwrap();
        assert_eq!(std.stream_position().unwrap(), 2);
        assert_eq!(std.read(&mut [0; 100]).unwrap(), 8);
        file = begin().await;
        file.write_all(b"ab").await.unwrap();
        assert_eq!(read(&mut file, 2).await, "45");
        assert_eq!(contents(&path), "01ab456789");
    });
}

#[test]
fn a_dropped_seek_takes_place() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    run(async {
        let mut file = File::open(&path).await.unwrap();
        let busy = Busy::new();
        poll_and_drop(file.seek(SeekFrom::Current(3)));
        busy.end().await;
        assert_eq!(file.seek(SeekFrom::Current(3)).await.unwrap(), 6, "both seeks took place");
        let busy = Busy::new();
        poll_and_drop(file.seek(SeekFrom::Start(1)));
        busy.end().await;
        assert_eq!(read(&mut file, 2).await, "12");
    });
}

#[test]
fn a_dropped_seek_takes_place_after_the_pending_operation() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    run(async {
        let mut file = File::options().read(true).write(true).open(&path).await.unwrap();
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        poll_and_drop(file.seek(SeekFrom::Start(6)));
        busy.end().await;
        assert_eq!(read(&mut file, 2).await, "67", "after a read");
        let busy = Busy::new();
        assert_eq!(file.write(b"ab").now_or_never().unwrap().unwrap(), 2);
        poll_and_drop(file.seek(SeekFrom::Current(-9)));
        poll_and_drop(file.seek(SeekFrom::Current(1)));
        poll_and_drop(file.seek(SeekFrom::Current(1)));
        busy.end().await;
        assert_eq!(read(&mut file, 2).await, "34", "three seeks after a write");
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        poll_and_drop(file.seek(SeekFrom::Current(1)));
        busy.end().await;
        assert_eq!(file.into_std().await.unwrap().stream_position().unwrap(), 6);
        assert_eq!(contents(&path), "01234567ab");
    });
}

#[test]
fn a_seek_by_the_trait_takes_place_once_after_many_polls() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    run(async {
        let mut file = File::open(&path).await.unwrap();
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        let mut seek = AsyncSeekExt::seek(&mut file, SeekFrom::Current(3));
        for _ in 0..3 {
            assert!(poll!(&mut seek).is_pending());
        }
        busy.end().await;
        assert_eq!(seek.await.unwrap(), 3);
        assert_eq!(read(&mut file, 2).await, "34");
    });
}

#[test]
fn the_error_of_the_pending_operation_is_returned_before_a_dropped_seek() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    run(async {
        let mut file = File::open(&path).await.unwrap();
        let busy = Busy::new();
        assert_eq!(file.write(b"x").now_or_never().unwrap().unwrap(), 1, "accepted");
        poll_and_drop(file.seek(SeekFrom::Start(5)));
        busy.end().await;
        file.read(&mut [0; 2]).await.unwrap_err();
        assert_eq!(read(&mut file, 2).await, "56");
    });
}

#[test]
fn a_dropped_write_has_accepted_no_bytes() {
    let dir = Dir::new();
    let path = dir.join("a");
    run(async {
        let mut file = File::create(&path).await.unwrap();
        let busy = Busy::new();
        assert_eq!(file.write(b"one").now_or_never().unwrap().unwrap(), 3);
        poll_and_drop(file.write(b"two"));
        poll_and_drop(file.flush());
        poll_and_drop(file.sync_all());
        poll_and_drop(file.metadata());
        busy.end().await;
        assert_eq!(file.write(b"three").await.unwrap(), 5);
        drop(file);
        // The thread runs the write after the file was dropped, and before this operation.
        fs::metadata(&path).await.unwrap();
        assert_eq!(contents(&path), "onethree");
    });
}

#[test]
fn metadata_sync_and_set_len_come_after_pending_writes() {
    let dir = Dir::new();
    let path = dir.join("a");
    run(async {
        let mut file = File::create(&path).await.unwrap();
        let busy = Busy::new();
        assert_eq!(file.write(b"0123456789").await.unwrap(), 10);
        let file = Rc::new(file);
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let file = file.clone();
                spawn(async move { file.metadata().await.unwrap().len() })
            })
            .collect();
        yield_now().await;
        busy.end().await;
        for task in tasks {
            assert_eq!(task.await.unwrap(), 10, "any number of tasks may wait");
        }
        file.set_len(4).await.unwrap();
        file.sync_all().await.unwrap();
        file.sync_data().await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 4);
        let mut permissions = file.metadata().await.unwrap().permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions).await.unwrap();
        assert!(file.metadata().await.unwrap().permissions().readonly());
        assert_eq!(contents(&path), "0123");
    });
}

#[test]
fn a_pipe_can_be_read_but_not_seeked() {
    use std::os::fd::OwnedFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    run(async {
        let mut file = File::from_std(OwnedFd::from(reader).into());
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 8]));
        busy.end().await;
        writer.write_all(b"0123").unwrap();
        assert_eq!(read(&mut file, 2).await, "01");
        let error = file.seek(SeekFrom::Current(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSeekable);
        assert_eq!(read(&mut file, 9).await, "23", "the unread bytes stay");
        drop(writer);
        assert_eq!(read(&mut file, 9).await, "");
    });
}

#[test]
fn an_operation_whose_loop_has_ended_returns_an_error() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123");
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    let (mut file, mut written, busy) = runtime.block_on(async {
        let mut file = File::open(&path).await.unwrap();
        assert_eq!(read(&mut file, 1).await, "0");
        let mut written = File::create(dir.join("b")).await.unwrap();
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        assert_eq!(written.write(b"x").now_or_never().unwrap().unwrap(), 1, "accepted");
        (file, written, busy)
    });
    drop(runtime);
    block_on(async {
        let error = file.read(&mut [0; 4]).await.unwrap_err();
        let sentence = "the event loop ended before the work began";
        assert_eq!(error.to_string(), format!("read {path:?}: {sentence}"));
        assert_eq!(read(&mut file, 9).await, "123", "the file is read on another loop");
        for _ in 0..2 {
            let error = written.flush().await.unwrap_err();
            let written = dir.join("b");
            assert_eq!(error.to_string(), format!("write {written:?}: {sentence}"));
        }
        busy.end().await;
    });
}

#[test]
fn a_dropped_vectored_write_has_accepted_nothing() {
    let dir = Dir::new();
    let path = dir.join("a");
    run(async {
        let mut file = File::create(&path).await.unwrap();
        let busy = Busy::new();
        file.write(b"first").await.unwrap();
        poll_and_drop(file.write_vectored(&[IoSlice::new(b"second")]));
        busy.end().await;
        file.flush().await.unwrap();
        assert_eq!(contents(&path), "first");
    });
}

#[test]
fn the_position_counts_what_the_caller_has_read() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    run(async {
        let mut file = File::open(&path).await.unwrap();
        assert_eq!(read(&mut file, 3).await, "012");
        assert_eq!(file.stream_position().await.unwrap(), 3);
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        busy.end().await;
        assert_eq!(file.stream_position().await.unwrap(), 3, "the read was dropped");
        file.rewind().await.unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 0);
    });
}

#[test]
fn an_idle_file_becomes_a_file_of_std_at_once_and_a_busy_one_comes_back() {
    let dir = Dir::new();
    let path = dir.join("a");
    run(async {
        let mut file = File::create(&path).await.unwrap();
        let busy = Busy::new();
        file.write(b"contents").await.unwrap();
        file = file.try_into_std().expect_err("a write is pending");
        busy.end().await;
        file.flush().await.unwrap();
        let std = file.try_into_std().unwrap();
        assert_eq!(std.metadata().unwrap().len(), 8);

        let mut file = File::open(&path).await.unwrap();
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        file = file.try_into_std().expect_err("a read is pending");
        busy.end().await;
        assert_eq!(file.seek(SeekFrom::Current(0)).await.unwrap(), 0);
        file.try_into_std().unwrap();
    });
}
