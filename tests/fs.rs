//! Files: contents, directories, and where the cursor is when futures are dropped.

use std::collections::BTreeSet;
use std::env;
use std::future::Future;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use evloop::fs::{self, File};
use evloop::task::{BlockingHandle, spawn_blocking, yield_now};
use evloop::{Runtime, block_on, spawn};
use futures::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, FutureExt, StreamExt};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// A directory of its own, which goes when this is dropped.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("evloop-fs-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Dir(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these contents.
    fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A loop whose only helper thread is busy: operations begin, and wait.
struct Busy {
    release: mpsc::Sender<()>,
    work: BlockingHandle<()>,
}

impl Busy {
    fn new() -> Busy {
        let (release, released) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let work = spawn_blocking(move || {
            tell.send(()).unwrap();
            released.recv_timeout(LIMIT).expect("it is released");
        });
        told.recv_timeout(LIMIT).expect("it begins");
        Busy { release, work }
    }

    async fn end(self) {
        self.release.send(()).unwrap();
        self.work.await.unwrap();
    }
}

/// Runs `future` on a loop with one helper thread.
fn run<T>(future: impl Future<Output = T>) -> T {
    Runtime::builder().blocking_threads_max(1).build().unwrap().block_on(future)
}

/// Polls a future once, which must not complete, and drops it.
fn poll_and_drop(future: impl Future) {
    assert!(future.now_or_never().is_none());
}

async fn read(file: &mut File, n: usize) -> String {
    let mut buf = vec![0; n];
    let n = file.read(&mut buf).await.unwrap();
    String::from_utf8(buf[..n].to_vec()).unwrap()
}

fn contents(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn whole_files_are_written_and_read() {
    let dir = Dir::new();
    block_on(async {
        let path = dir.join("a");
        assert!(!fs::try_exists(&path).await.unwrap());
        fs::write(&path, b"one").await.unwrap();
        fs::write(&path, "two").await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"two");
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "two");
        assert!(fs::try_exists(&path).await.unwrap());
        assert_eq!(fs::metadata(&path).await.unwrap().len(), 3);
        fs::write(&path, [0xff]).await.unwrap();
        let error = fs::read_to_string(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn names_are_changed_copied_linked_and_removed() {
    let dir = Dir::new();
    block_on(async {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| dir.join(name));
        fs::write(&a, "contents").await.unwrap();
        assert_eq!(fs::copy(&a, &b).await.unwrap(), 8);
        fs::rename(&b, &c).await.unwrap();
        fs::hard_link(&c, &d).await.unwrap();
        assert_eq!(fs::read(&d).await.unwrap(), b"contents");
        fs::remove_file(&c).await.unwrap();
        assert_eq!(fs::read(&d).await.unwrap(), b"contents");
        let error = fs::read(&c).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.raw_os_error().is_some(), "the system's error as it is");
        let mut permissions = fs::metadata(&d).await.unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&d, permissions).await.unwrap();
        assert!(fs::metadata(&d).await.unwrap().permissions().readonly());
        let dotted = dir.join(".").join("d");
        assert_eq!(fs::canonicalize(&dotted).await.unwrap(), d.canonicalize().unwrap());
    });
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_seen() {
    let dir = Dir::new();
    let (file, link) = (dir.file("a", b"contents"), dir.join("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    block_on(async {
        assert!(fs::symlink_metadata(&link).await.unwrap().is_symlink());
        assert!(fs::metadata(&link).await.unwrap().is_file());
        assert_eq!(fs::read_link(&link).await.unwrap(), file);
        let mut entries = fs::read_dir(&dir.0).await.unwrap();
        while let Some(entry) = entries.next_entry().await.unwrap() {
            let is_link = entry.file_name() == "link";
            assert_eq!(entry.file_type().await.unwrap().is_symlink(), is_link);
            assert_eq!(entry.metadata().await.unwrap().is_symlink(), is_link);
        }
    });
}

#[test]
fn directories_are_made_listed_and_removed() {
    let dir = Dir::new();
    block_on(async {
        let deep = dir.join("x").join("y");
        assert_eq!(fs::create_dir(&deep).await.unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir_all(&deep).await.unwrap();
        fs::create_dir(deep.join("z")).await.unwrap();
        let error = fs::remove_dir(&deep).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_dir(deep.join("z")).await.unwrap();
        // Some batches, the last of them full.
        for count in [0, 1, 63, 64, 65, 128, 300] {
            let names: BTreeSet<_> = (0..count).map(|i| format!("{i}")).collect();
            for name in &names {
                std::fs::write(deep.join(name), "").unwrap();
            }
            let entries = fs::read_dir(&deep).await.unwrap();
            let entries: Vec<_> = entries.map(|entry| entry.unwrap()).collect().await;
            assert_eq!(entries.len(), count);
            let found = entries.iter().map(|entry| entry.file_name().into_string().unwrap());
            assert_eq!(found.collect::<BTreeSet<_>>(), names);
            for entry in entries.iter().take(3) {
                assert!(entry.file_type().await.unwrap().is_file());
                assert_eq!(entry.path(), deep.join(entry.file_name()));
            }
        }
        fs::remove_dir_all(dir.join("x")).await.unwrap();
        assert!(!fs::try_exists(&deep).await.unwrap());
        let error = fs::read_dir(&deep).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_dropped_entry_is_not_lost() {
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
fn a_file_is_opened_as_the_options_say() {
    let dir = Dir::new();
    block_on(async {
        let path = dir.join("a");
        assert_eq!(File::open(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
        let mut file = File::create_new(&path).await.unwrap();
        file.write_all(b"1234").await.unwrap();
        file.seek(SeekFrom::Start(1)).await.unwrap();
        assert_eq!(read(&mut file, 9).await, "234");
        let error = File::create_new(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let mut options = File::options();
        options.append(true).read(true);
        let mut file = options.open(&path).await.unwrap();
        file.write_all(b"5").await.unwrap();
        assert_eq!(contents(&path), "12345");
        File::create(&path).await.unwrap();
        assert_eq!(contents(&path), "");
    });
}

#[test]
fn reads_writes_and_seeks_move_one_cursor() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    block_on(async {
        let mut file = File::options().read(true).write(true).open(&path).await.unwrap();
        assert_eq!(read(&mut file, 3).await, "012");
        file.write_all(b"ab").await.unwrap();
        assert_eq!(read(&mut file, 2).await, "56");
        assert_eq!(file.seek(SeekFrom::Current(-1)).await.unwrap(), 6);
        assert_eq!(read(&mut file, 2).await, "67");
        assert_eq!(file.seek(SeekFrom::End(-1)).await.unwrap(), 9);
        assert_eq!(read(&mut file, 9).await, "9");
        assert_eq!(read(&mut file, 9).await, "", "the end");
        assert_eq!(read(&mut file, 0).await, "");
        let error = file.seek(SeekFrom::Current(-11)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(file.stream_position().await.unwrap(), 10);
        let mut buf = [0; 4];
        assert_eq!(file.seek(SeekFrom::Start(0)).await.unwrap(), 0);
        file.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"012a");
        file.seek(SeekFrom::End(-3)).await.unwrap();
        let error = file.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(contents(&path), "012ab56789");
    });
}

#[test]
fn a_large_file_goes_in_pieces() {
    let dir = Dir::new();
    let path = dir.join("large");
    let bytes: Vec<u8> = (0..1_000_003u32).map(|i| (i % 251) as u8).collect();
    block_on(async {
        let mut file = File::create(&path).await.unwrap();
        file.write_all(&bytes).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "written when write_all is done");
        let mut copy = Vec::new();
        File::open(&path).await.unwrap().read_to_end(&mut copy).await.unwrap();
        assert_eq!(copy, bytes);
        let mut from = File::open(&path).await.unwrap();
        let mut to = File::create(dir.join("copy")).await.unwrap();
        let n = futures::io::copy(&mut from, &mut to).await.unwrap();
        to.close().await.unwrap();
        assert_eq!(n, 1_000_003);
        assert_eq!(std::fs::read(dir.join("copy")).unwrap(), bytes);
    });
}

#[test]
fn a_dropped_read_leaves_its_bytes_for_the_next() {
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
        assert_eq!(read(&mut file, 9).await, "23", "what was asked for, and no more");
        assert_eq!(read(&mut file, 9).await, "456789");
        assert_eq!(buf, [0; 4], "a dropped read touches no buffer");
    });
}

#[test]
fn a_dropped_read_at_the_end_is_the_end() {
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
fn seeks_and_writes_count_from_where_the_caller_has_read_to() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    let begin = async || {
        let mut file = File::options().read(true).write(true).open(&path).await.unwrap();
        assert_eq!(read(&mut file, 1).await, "0");
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 5]));
        busy.end().await;
        // One of the five is taken: the caller is at 2, the system at 6.
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
        assert_eq!(read(&mut file, 9).await, "2345", "nothing has moved");
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
        assert_eq!(file.seek(SeekFrom::Current(3)).await.unwrap(), 6, "both");
        let busy = Busy::new();
        poll_and_drop(file.seek(SeekFrom::Start(1)));
        busy.end().await;
        assert_eq!(read(&mut file, 2).await, "12");
    });
}

#[test]
fn a_write_is_taken_over_or_not() {
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
        // The thread comes to it after the file was dropped.
        spawn_blocking(|| ()).await.unwrap();
        assert_eq!(contents(&path), "onethree");
    });
}

#[test]
fn metadata_sync_and_length_see_what_was_written() {
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
fn the_error_of_a_write_is_told_once_by_the_next_operation() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123");
    run(async {
        let mut file = File::open(&path).await.unwrap();
        assert_eq!(file.write(b"x").await.unwrap(), 1, "taken over");
        let error = file.write(b"x").await.unwrap_err();
        assert!(error.raw_os_error().is_some(), "{error}");
        assert!(file.write_all(b"x").await.is_err());
        file.flush().await.unwrap();
        assert_eq!(read(&mut file, 9).await, "0123");
        assert_eq!(file.write(b"x").await.unwrap(), 1);
        assert!(file.metadata().await.is_err());
        file.metadata().await.unwrap();
        assert_eq!(file.write(b"x").await.unwrap(), 1);
        assert!(file.into_std().await.is_err());
    });
}

#[test]
fn clones_share_the_cursor() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    block_on(async {
        let mut file = File::open(&path).await.unwrap();
        let mut clone = file.try_clone().await.unwrap();
        assert_eq!(read(&mut file, 3).await, "012");
        assert_eq!(read(&mut clone, 3).await, "345");
    });
}

#[test]
fn a_file_goes_from_std_and_back() {
    let dir = Dir::new();
    let path = dir.join("a");
    let mut std = std::fs::File::create(&path).unwrap();
    std.write_all(b"one").unwrap();
    block_on(async {
        let mut file = File::from(std);
        assert_eq!(file.write(b"two").await.unwrap(), 3);
        let mut std = file.into_std().await.unwrap();
        assert_eq!(std.stream_position().unwrap(), 6);
        std.write_all(b"three").unwrap();
    });
    assert_eq!(contents(&path), "onetwothree");
}

#[cfg(unix)]
#[test]
fn a_pipe_has_no_places_but_is_read() {
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
        assert_eq!(read(&mut file, 9).await, "23", "kept");
        drop(writer);
        assert_eq!(read(&mut file, 9).await, "");
    });
}

#[test]
fn an_operation_whose_loop_ended_says_so() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123");
    let mut runtime = Runtime::builder().blocking_threads_max(1).build().unwrap();
    let (mut file, busy) = runtime.block_on(async {
        let mut file = File::open(&path).await.unwrap();
        assert_eq!(read(&mut file, 1).await, "0");
        let busy = Busy::new();
        poll_and_drop(file.read(&mut [0; 4]));
        (file, busy)
    });
    drop(runtime);
    block_on(async {
        let error = file.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(error.to_string(), "the event loop ended before the work began");
        assert_eq!(read(&mut file, 9).await, "123", "on another loop it goes on");
        busy.end().await;
    });
}

#[test]
fn a_task_reads_a_file_while_others_run() {
    let dir = Dir::new();
    let path = dir.file("a", &[7; 100_000]);
    block_on(async {
        let reads: Vec<_> = (0..50)
            .map(|_| {
                let path = path.clone();
                spawn(async move { fs::read(path).await.unwrap().len() })
            })
            .collect();
        let mut sum = 0;
        for read in reads {
            sum += read.await.unwrap();
        }
        assert_eq!(sum, 5_000_000);
    });
}
