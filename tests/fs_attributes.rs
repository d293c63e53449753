//! Files and directories: how they are created, their times, numbers and links; the size of one
//! operation.

#![cfg(feature = "fs")]

mod temp_dir;

use std::io::IoSlice;
use std::time::{Duration, SystemTime};

use evloop::block_on;
use evloop::fs::{self, DirBuilder, File, FileTimes};
use futures::AsyncWriteExt;
use temp_dir::{Dir, contents, read};

#[test]
fn a_recursive_builder_creates_the_parents_and_accepts_an_existing_directory() {
    let dir = Dir::new();
    let path = dir.join("a/b/c");
    block_on(async {
        assert!(DirBuilder::new().create(&path).await.is_err());
        assert!(!fs::try_exists(dir.join("a")).await.unwrap());
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        for _ in 0..2 {
            builder.create(&path).await.unwrap();
        }
        let error = builder.recursive(false).create(&path).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    });
}

#[cfg(unix)]
#[test]
fn a_builder_sets_the_mode_of_all_directories_that_it_creates() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    block_on(async {
        DirBuilder::new().recursive(true).mode(0o700).create(dir.join("a/b")).await.unwrap();
        for name in ["a", "a/b"] {
            let mode = fs::metadata(dir.join(name)).await.unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{name}");
        }
    });
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_names_its_target_and_may_dangle() {
    let dir = Dir::new();
    let link = dir.join("link");
    block_on(async {
        fs::symlink("target", &link).await.unwrap();
        assert_eq!(fs::read_link(&link).await.unwrap().as_os_str(), "target");
        assert!(!fs::try_exists(&link).await.unwrap());
        assert!(fs::symlink_metadata(&link).await.unwrap().is_symlink());
        fs::write(&link, "through").await.unwrap();
        assert_eq!(contents(&dir.join("target")), "through");
    });
}

#[cfg(unix)]
#[test]
fn an_entry_has_the_inode_number_of_its_file() {
    use std::os::unix::fs::MetadataExt;
    let dir = Dir::new();
    let path = dir.file("a", b"");
    block_on(async {
        let mut entries = fs::read_dir(&dir.0).await.unwrap();
        let entry = entries.next_entry().await.unwrap().unwrap();
        assert_eq!(entry.ino(), std::fs::metadata(path).unwrap().ino());
    });
}

#[test]
fn the_times_of_a_file_are_set_together_and_alone() {
    let dir = Dir::new();
    let path = dir.join("a");
    let [early, late] = [1_000_000_000, 1_500_000_000].map(Duration::from_secs);
    let [early, late] = [early, late].map(|time| SystemTime::UNIX_EPOCH + time);
    block_on(async {
        let mut file = File::create(&path).await.unwrap();
        // A pending write would change the time of modification afterwards.
        file.write(b"contents").await.unwrap();
        file.set_times(FileTimes::new().set_accessed(early).set_modified(late)).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        assert_eq!((metadata.accessed().unwrap(), metadata.modified().unwrap()), (early, late));
        file.set_modified(early).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        assert_eq!((metadata.accessed().unwrap(), metadata.modified().unwrap()), (early, early));
        assert_eq!(contents(&path), "contents");
    });
}

#[test]
fn one_operation_transfers_no_more_than_the_buffer_size() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123456789");
    block_on(async {
        let mut file = File::options().read(true).write(true).open(&path).await.unwrap();
        assert_eq!(file.max_buf_size(), 128 << 10);
        file.set_max_buf_size(4);
        assert_eq!(read(&mut file, 9).await, "0123");
        assert_eq!(file.write(b"abcdefgh").await.unwrap(), 4);
        let slices = [IoSlice::new(b"A"), IoSlice::new(b""), IoSlice::new(b"BCDEF")];
        assert_eq!(file.write_vectored(&slices).await.unwrap(), 4);
        file.flush().await.unwrap();
        assert_eq!(contents(&path), "0123abcdABCD");
        file.set_max_buf_size(0);
        assert_eq!(file.max_buf_size(), 1);
        file.rewind().await.unwrap();
        assert_eq!(read(&mut file, 9).await, "0");
    });
}

#[test]
fn a_vectored_write_accepts_all_buffers_in_order_as_one_operation() {
    let dir = Dir::new();
    let path = dir.join("a");
    block_on(async {
        let mut file = File::create(&path).await.unwrap();
        let slices = [b"one".as_slice(), b"", b"two"].map(IoSlice::new);
        assert_eq!(file.write_vectored(&slices).await.unwrap(), 6);
        assert_eq!(AsyncWriteExt::write_vectored(&mut file, &slices[2..]).await.unwrap(), 3);
        assert_eq!(file.write_vectored(&[]).await.unwrap(), 0);
        assert_eq!(file.write_vectored(&[IoSlice::new(b"")]).await.unwrap(), 0);
        file.flush().await.unwrap();
        assert_eq!(contents(&path), "onetwotwo");
    });
}
