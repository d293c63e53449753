//! The folder of the sockets, and the sockets that other processes have left in it.
#![cfg(all(unix, feature = "inspect"))]

mod inspected;

use std::fs::{self, DirBuilder, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use inspected::{Folder, Program, command, ready, role};

#[test]
fn program() {
    let Some(role) = role() else { return };
    evloop::block_on(async {
        ready();
        if role == "waits" {
            std::future::pending::<()>().await;
        }
    });
}

/// Runs a program to its end. Returns its lines on stderr.
fn run(folder: &Folder) -> Vec<String> {
    let output = command("ends", folder).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr.lines().map(String::from).collect()
}

/// Checks that the program runs without the socket, and prints one line that has `words`.
fn fails(folder: &Folder, words: &str) {
    let lines = run(folder);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("evloop: no program can look at the loops: "), "{lines:?}");
    assert!(lines[0].contains(words), "{lines:?}");
}

fn make(path: PathBuf, mode: u32) {
    DirBuilder::new().mode(mode).create(&path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_folder_is_private() {
    let folder = Folder::new();
    assert_eq!(run(&folder), [""; 0]);
    let facts = fs::metadata(folder.sockets()).unwrap();
    assert_eq!(facts.mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(folder.sockets()).unwrap().count(), 0, "the socket is removed");
}

#[test]
fn a_folder_that_others_can_open_is_not_used() {
    let folder = Folder::new();
    make(folder.sockets(), 0o750);
    fails(&folder, "is open to other users: set its mode to 700");
}

#[test]
fn a_link_and_a_file_are_not_used() {
    let folder = Folder::new();
    make(folder.0.join("target"), 0o700);
    symlink("target", folder.sockets()).unwrap();
    fails(&folder, "is a link or a file: remove it");
    fs::remove_file(folder.sockets()).unwrap();
    fs::write(folder.sockets(), "").unwrap();
    fails(&folder, "is a link or a file: remove it");
}

#[test]
fn a_folder_that_cannot_be_made_is_one_line_on_stderr() {
    let folder = Folder::new();
    fs::write(folder.0.join("file"), "").unwrap();
    fails(&Folder(folder.0.join("file")), "cannot be made: ");
    fails(&Folder(folder.0.join("missing")), "cannot be made: ");
}

#[test]
fn the_folder_of_another_user_is_not_used() {
    let folder = Folder::new();
    make(folder.sockets(), 0o700);
    if let Err(error) = chown(folder.sockets(), Some(12_345), None) {
        eprintln!("SKIPPED: only root can give a folder away: {error}");
        return;
    }
    fails(&folder, "belongs to the user 12345, not to ");
}

#[test]
fn a_path_that_is_too_long_is_one_line_on_stderr() {
    let folder = Folder::new();
    let long = folder.0.join("x".repeat(100));
    make(long.clone(), 0o700);
    fails(&Folder(long), "is too long: set XDG_RUNTIME_DIR to a shorter one");
}

#[test]
fn stale_sockets_are_removed_and_others_stay() {
    let folder = Folder::new();
    make(folder.sockets(), 0o700);
    let [stale, alive, file] =
        ["1.sock", "2.sock", "3.txt"].map(|name| folder.sockets().join(name));
    drop(UnixListener::bind(&stale).unwrap());
    let listener = UnixListener::bind(&alive).unwrap();
    fs::write(&file, "").unwrap();
    assert_eq!(run(&folder), [""; 0]);
    assert_eq!([stale.exists(), alive.exists(), file.exists()], [false, true, true]);
    drop(listener);
}

#[test]
fn a_program_that_was_killed_leaves_a_socket_for_the_next_one_to_remove() {
    let mut program = Program::start_in("waits", Folder::new());
    let socket = program.socket();
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    assert!(socket.exists());
    assert_eq!(run(&program.folder), [""; 0]);
    assert!(!socket.exists());
}

#[test]
fn a_variable_that_is_no_absolute_path_is_not_used() {
    let folder = Folder::new();
    let mut command = command("waits", &folder);
    let mut child = command.env("XDG_RUNTIME_DIR", "relative").spawn().unwrap();
    let user = fs::metadata(&folder.0).unwrap().uid();
    let socket = PathBuf::from(format!("/tmp/evloop-{user}/{}.sock", child.id()));
    let begin = std::time::Instant::now();
    while !socket.exists() {
        assert!(begin.elapsed() < inspected::LIMIT);
    }
    child.stdin.take().unwrap().flush().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(socket).unwrap();
}
