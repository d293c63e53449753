//! What `evloop` says if it cannot ask, and the status that it ends with.

#![cfg(unix)]

mod fake_program;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use fake_program::{Fake, Run, header, pid};

#[test]
fn wrong_arguments_end_with_status_2() {
    let fake = Fake::silent();
    for (args, sentence) in [
        ("", "a command is missing"),
        ("pss", "the command `pss` is unknown"),
        ("pstree", "the number of a process is missing"),
        ("pstree x", "`x` is no number of a process"),
        ("pstree 1 2", "`2` is one argument too many"),
        ("pstree 1 --lop", "the option `--lop` is unknown"),
        ("pstree 1 --dot --json", "--dot and --json exclude each other"),
        ("ps 1 --every 5s", "--every and --since need --by-place"),
        ("ps --by-place", "--by-place and --loop need the number of a process"),
        ("ps 1 --by-place --every 5x", "--every needs a duration"),
        ("top 1 -n", "-n needs a value"),
        ("trace 1", "the number of seconds is missing"),
        ("trace 1 5h", "a trace takes 600 seconds at most"),
        ("web 1 --port 70000", "--port needs a number below 65536"),
    ] {
        let failure = fake.failure(args, 2);
        assert!(failure.starts_with(sentence), "{args}: {failure}");
        assert!(failure.contains("--help"), "{args}: {failure}");
    }
}

#[test]
fn each_command_has_help() {
    let fake = Fake::silent();
    assert!(fake.lines("--help").contains(&"Usage: evloop COMMAND [ARGUMENTS]".into()));
    for command in ["ps", "pstree", "top", "trace", "web", "status"] {
        let lines = fake.lines(&format!("{command} --help"));
        assert!(lines[2].starts_with(&format!("Usage: evloop {command}")), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("--json")), "{lines:?}");
        assert_eq!(fake.lines(&format!("help {command}")), lines);
    }
    assert_eq!(fake.lines("--version"), [format!("evloop {}", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn a_process_that_accepts_no_connection_is_not_waited_for() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};
    let fake = Fake::silent();
    let socket = || socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let address = SocketAddrUnix::new(fake.socket(pid())).unwrap();
    let listener = socket();
    bind(&listener, &address).unwrap();
    listen(&listener, 0).unwrap();
    // One connection fits into the queue of the listener.
    let waiting = socket();
    connect(&waiting, &address).unwrap();
    let failure = fake.failure("ps PID", 1);
    assert!(failure.contains("it may be stopped"), "{failure}");
    let run = fake.run("ps");
    assert!(run.err.contains("it may be stopped"), "{run:?}");
    assert_eq!(run.status, Some(0));
}

#[test]
fn a_process_that_does_not_exist_is_named() {
    let fake = Fake::silent();
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let failure = fake.failure(&format!("ps {}", child.id()), 1);
    assert_eq!(failure, format!("there is no process {}", child.id()));
    assert_eq!(fake.failure("ps 4000000000", 1), "there is no process 4000000000");
}

#[test]
fn a_program_that_does_not_listen_is_told_how_to() {
    let failure = Fake::silent().failure("pstree PID", 1);
    let start = format!("process {} does not listen: start it with EVLOOP_INSPECT=1", pid());
    assert!(failure.starts_with(&start), "{failure}");
    assert!(failure.contains("before the program hangs"), "{failure}");
}

#[test]
fn sockets_that_were_left_behind_are_removed() {
    let fake = Fake::silent();
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let socket = fake.socket(child.id());
    drop(UnixListener::bind(&socket).unwrap());
    fs::write(fake.runtime_dir.join("evloop/notes.txt"), "").unwrap();
    assert!(socket.exists());
    let lines = fake.lines("ps");
    assert!(lines[0].starts_with("No program listens."), "{lines:?}");
    assert!(!socket.exists());
    assert!(fake.runtime_dir.join("evloop/notes.txt").exists());
    drop(UnixListener::bind(&socket).unwrap());
    fake.failure(&format!("ps {}", child.id()), 1);
    assert!(!socket.exists());
    assert_eq!(fake.lines("ps --json"), [""; 0]);
}

#[test]
fn another_version_of_the_protocol_is_named() {
    let fake = Fake::new(&[]);
    fake.answer(
        "tasks",
        &header("tasks").replace("\"evloop\":1", "\"evloop\":2").replace("0.1", "0.9"),
    );
    let failure = fake.failure("ps PID --json", 1);
    assert!(failure.contains("speaks version 2 of the protocol, and this program version 1"));
    assert!(failure.contains("`cargo install evloop --version 0.9.0 --features cli`"), "{failure}");
}

#[test]
fn a_directory_that_is_not_ours_alone_is_not_trusted() {
    let fake = Fake::new(&[("tasks", "")]);
    let directory = fake.runtime_dir.join("evloop");
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let failure = fake.failure("ps PID --json", 1);
    assert!(failure.ends_with("is not trusted: others may enter it (mode 755)"), "{failure}");
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fake.lines("ps PID --json").len(), 1);

    let moved = fake.runtime_dir.join("moved");
    fs::rename(&directory, &moved).unwrap();
    symlink(&moved, &directory).unwrap();
    let failure = fake.failure("ps PID --json", 1);
    assert!(failure.ends_with("it is a link or a file, not a directory"), "{failure}");
}

#[test]
fn errors_of_the_program_and_rubbish_are_told() {
    let fake = Fake::new(&[("tasks", "{\"error\":\"too many clients\"}\n")]);
    let told = |text: &str| {
        fake.answer("tasks", text);
        fake.failure("pstree PID", 1).replace(&format!("process {}", pid()), "P")
    };
    assert_eq!(told(&(header("tasks") + "{\"error\":\"a\\u001bb\"}\n")), "P: a\\u{1b}b");
    assert_eq!(told(""), "P closed the connection and sent nothing");
    assert_eq!(told("hello\n"), "P sent what is no JSON: byte 0 is not a value");
    assert_eq!(told("{}\n"), "P does not speak evloop's protocol");
    assert_eq!(
        told(&(header("tasks") + "{\"loop\":1,\"task\":1}\n{\"loop\":1,\"ta")),
        "P: its answer is cut off: the program ended, or closed the connection"
    );
    let deep = "[".repeat(100_000) + "\n";
    assert!(told(&(header("tasks") + &deep)).ends_with("nests deeper than 32"));
    let long = "\"".to_owned() + &"x".repeat(2 << 20) + "\"\n";
    assert!(told(&(header("tasks") + &long)).contains("cut off"));
}

/// As `evloop ps 17 | head -1`.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let line = "{\"loop\":1,\"task\":1,\"name\":null,\"state\":\"ready\",\"polls\":1}\n";
    let fake = Fake::new(&[("tasks", &line.repeat(100_000)), ("status", "")]);
    let mut command = fake.command("ps PID");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
}
