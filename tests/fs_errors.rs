//! Errors of files and directories name the operation and the path, and keep the system's number.

#![cfg(all(unix, feature = "fs"))]

mod temp_dir;

use std::error::Error;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use evloop::block_on;
use evloop::fs::{self, DirBuilder, File};
use futures::AsyncReadExt;
use rustix::io::Errno;
use temp_dir::Dir;

/// Returns the system's number of the first source that has one.
fn number(error: &io::Error) -> Option<i32> {
    let mut sources = std::iter::successors(error.source(), |&error| error.source());
    sources.find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
}

#[track_caller]
fn assert_error<T>(outcome: io::Result<T>, operation: &str, path: &Path, errno: Errno) {
    let (error, system) = (outcome.err().expect("the operation fails"), io::Error::from(errno));
    assert_eq!(error.to_string(), format!("{operation} {path:?}: {system}"));
    assert_eq!(error.kind(), system.kind());
    assert_eq!(number(&error), Some(errno.raw_os_error()));
}

#[test]
fn an_operation_on_a_missing_path_names_itself_and_the_path() {
    let dir = Dir::new();
    let missing = dir.join("missing");
    let path = missing.as_path();
    block_on(async {
        assert_error(File::open(path).await, "open", path, Errno::NOENT);
        assert_error(fs::read(path).await, "read", path, Errno::NOENT);
        assert_error(fs::read_to_string(path).await, "read_to_string", path, Errno::NOENT);
        assert_error(fs::metadata(path).await, "metadata", path, Errno::NOENT);
        assert_error(fs::symlink_metadata(path).await, "symlink_metadata", path, Errno::NOENT);
        assert_error(fs::canonicalize(path).await, "canonicalize", path, Errno::NOENT);
        assert_error(fs::read_link(path).await, "read_link", path, Errno::NOENT);
        assert_error(fs::read_dir(path).await, "read_dir", path, Errno::NOENT);
        assert_error(fs::remove_file(path).await, "remove_file", path, Errno::NOENT);
        assert_error(fs::remove_dir(path).await, "remove_dir", path, Errno::NOENT);
        assert_error(fs::remove_dir_all(path).await, "remove_dir_all", path, Errno::NOENT);
        let outcome = fs::set_permissions(path, Permissions::from_mode(0o600)).await;
        assert_error(outcome, "set_permissions", path, Errno::NOENT);

        let inside = path.join("a");
        assert_error(File::create(&inside).await, "open", &inside, Errno::NOENT);
        assert_error(fs::write(&inside, "a").await, "write", &inside, Errno::NOENT);
        assert_error(fs::create_dir(&inside).await, "create_dir", &inside, Errno::NOENT);
        let outcome = DirBuilder::new().create(&inside).await;
        assert_error(outcome, "create_dir", &inside, Errno::NOENT);
        let file = dir.file("file", b"");
        let inside = file.join("a");
        assert_error(fs::try_exists(&inside).await, "try_exists", &inside, Errno::NOTDIR);
    });
}

#[test]
fn a_path_with_unusual_characters_is_shown_on_one_line_without_loss() {
    let dir = Dir::new();
    let path = dir.0.join(OsStr::from_bytes(b"two\nlines: \xff"));
    block_on(async {
        let error = fs::read(&path).await.unwrap_err().to_string();
        assert!(error.contains(r#"two\nlines: \xFF": No such file"#), "{error}");
    });
}

#[test]
fn an_operation_on_two_paths_names_both() {
    let dir = Dir::new();
    let (from, to) = (dir.join("from"), dir.join("to/a"));
    block_on(async {
        let outcomes = [
            ("rename", fs::rename(&from, &to).await),
            ("copy", fs::copy(&from, &to).await.map(drop)),
            ("hard_link", fs::hard_link(&from, &to).await),
            ("symlink", fs::symlink(&from, &to).await),
        ];
        for (operation, outcome) in outcomes {
            let (error, system) = (outcome.unwrap_err(), io::Error::from(Errno::NOENT));
            let sentence = format!("{operation} {from:?} -> {to:?}: {system}");
            assert_eq!(error.to_string(), sentence);
            assert_eq!(number(&error), Some(Errno::NOENT.raw_os_error()));
        }
    });
}

#[test]
fn an_operation_on_an_open_file_names_its_path() {
    let dir = Dir::new();
    let path = dir.file("a", b"0123");
    block_on(async {
        let mut folder = File::open(&dir.0).await.unwrap();
        assert_error(folder.read(&mut [0]).await, "read", &dir.0, Errno::ISDIR);
        assert_error(AsyncReadExt::read(&mut folder, &mut [0]).await, "read", &dir.0, Errno::ISDIR);

        let mut file = File::open(&path).await.unwrap();
        assert_error(file.seek(SeekFrom::Current(-1)).await, "seek", &path, Errno::INVAL);
        assert_error(file.set_len(1).await, "set_len", &path, Errno::INVAL);
        let error = file.read_exact(&mut [0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().starts_with(&format!("read_exact {path:?}: ")));
        file.write(b"x").await.unwrap();
        for _ in 0..2 {
            assert_error(file.flush().await, "write", &path, Errno::BADF);
        }

        let clone = file.try_clone().await.unwrap().set_len(1).await.unwrap_err();
        assert_eq!(number(&clone), Some(Errno::INVAL.raw_os_error()));
        assert!(clone.to_string().starts_with("set_len \"/"), "a clone has the path: {clone}");
    });
}

#[test]
fn a_file_of_std_has_no_path_and_keeps_the_error_as_it_is() {
    let dir = Dir::new();
    let std = std::fs::File::open(&dir.0).unwrap();
    block_on(async {
        let error = File::from_std(std).read(&mut [0]).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ISDIR.raw_os_error()));
    });
}
