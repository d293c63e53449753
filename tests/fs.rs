//! Files: contents, directories, the cursor, and persistent errors.

#![cfg(feature = "fs")]

/// A directory for the files of one test, and reading them.
mod temp_dir;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Seek, SeekFrom, Write};

use evloop::fs::{self, File};
use evloop::{block_on, spawn};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

use temp_dir::{Dir, contents, read};

#[test]
fn write_replaces_the_contents_and_read_returns_them() {
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
fn copy_rename_hard_link_remove_and_permissions() {
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
        assert!(error.to_string().starts_with(&format!("read {c:?}: ")), "{error}");
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
fn symbolic_links_are_read_and_reported() {
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
fn directories_are_created_listed_and_removed() {
    let dir = Dir::new();
    block_on(async {
        let deep = dir.join("x").join("y");
        assert_eq!(fs::create_dir(&deep).await.unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir_all(&deep).await.unwrap();
        fs::create_dir(deep.join("z")).await.unwrap();
        let error = fs::remove_dir(&deep).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_dir(deep.join("z")).await.unwrap();
        // `ReadDir` reads 64 entries a batch: the last batch is empty, partly full, or full.
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
fn options_decide_how_a_file_is_opened() {
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
        assert_eq!(read(&mut file, 9).await, "", "end of file");
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
fn a_large_file_is_written_and_read_in_pieces() {
    let dir = Dir::new();
    let path = dir.join("large");
    let bytes: Vec<u8> = (0..1_000_003u32).map(|i| (i % 251) as u8).collect();
    block_on(async {
        let mut file = File::create(&path).await.unwrap();
        file.write_all(&bytes).await.unwrap();
        assert_eq!(
            std::fs::read(&path).unwrap(),
            bytes,
            "all bytes are written when write_all completes"
        );
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
fn after_a_failed_write_every_later_write_fails_and_reads_succeed() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123");
    block_on(async {
        let mut file = File::open(&path).await.unwrap();
        assert_eq!(file.write(b"x").await.unwrap(), 1, "accepted");
        let error = file.seek(SeekFrom::Start(2)).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("write {path:?}: ")), "{error}");
        assert_eq!(read(&mut file, 1).await, "0", "the seek did not take place");
        for _ in 0..2 {
            let again = file.write(b"x").await.unwrap_err();
            assert_eq!((again.kind(), again.to_string()), (error.kind(), error.to_string()));
            assert!(file.write_all(b"x").await.is_err());
            assert!(file.flush().await.is_err());
        }
        assert_eq!(file.seek(SeekFrom::Start(2)).await.unwrap(), 2);
        assert_eq!(read(&mut file, 9).await, "23");
        assert_eq!(file.metadata().await.unwrap().len(), 4);
    });
}

#[cfg(unix)]
#[test]
fn a_read_of_a_non_blocking_file_returns_resource_busy() {
    let (reader, _writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    block_on(async {
        let mut file = File::from_std(std::os::fd::OwnedFd::from(reader).into());
        let error = AsyncReadExt::read(&mut file, &mut [0]).await.unwrap_err();
        // The traits forbid WouldBlock: nothing would wake the caller.
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert!(error.to_string().ends_with("(a file must not be non-blocking: use AsyncFd)"));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn every_write_after_a_full_disk_returns_storage_full() {
    block_on(async {
        let mut file = File::options().write(true).open("/dev/full").await.unwrap();
        assert_eq!(file.write(b"x").await.unwrap(), 1, "accepted");
        for _ in 0..3 {
            let outcomes = [
                file.flush().await,
                file.sync_all().await,
                file.sync_data().await,
                file.write(b"x").await.map(|_| ()),
                file.write_all(b"x").await,
                AsyncWriteExt::flush(&mut file).await,
                AsyncWriteExt::write(&mut file, b"x").await.map(|_| ()),
                file.close().await,
            ];
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                let system = std::io::Error::from(rustix::io::Errno::NOSPC);
                assert_eq!(error.to_string(), format!("write \"/dev/full\": {system}"));
            }
        }
        // A clone does not have the error.
        let mut clone = file.try_clone().await.unwrap();
        assert_eq!(clone.write(b"x").await.unwrap(), 1);
        assert_eq!(clone.metadata().await.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.into_std().await.unwrap_err().kind(), ErrorKind::StorageFull);
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
fn a_file_converts_from_std_and_back() {
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

#[test]
fn fifty_tasks_read_files_at_the_same_time() {
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

#[test]
fn the_futures_of_functions_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let dir = Dir::new();
    block_on(async {
        let path = dir.join("a");
        is_send(fs::write(&path, "one")).await.unwrap();
        assert_eq!(is_send(fs::read(&path)).await.unwrap(), b"one");
        assert!(is_send(fs::metadata(&path)).await.unwrap().is_file());
    });
}
