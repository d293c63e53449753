//! A program in another process, and a client that asks it.
//!
//! A file of tests calls [`role`] in a test `program`, which does nothing unless the environment
//! names a role. [`Program::start`] starts that test in another process.

#![allow(dead_code)]

use std::env;
use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nothing here takes so long, on any machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

const ROLE: &str = "EVLOOP_ROLE";

/// The role of this process, if it is the program of a test.
pub(crate) fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// Prints the line for which [`Program::start`] waits.
pub(crate) fn ready() {
    println!("\nready");
}

/// A program that a test has started. Its drop kills it.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) folder: Folder,
}

/// A folder for sockets, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static LATEST: AtomicU32 = AtomicU32::new(0);
        let number = LATEST.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("evi-{}-{number}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Folder(path)
    }

    /// The folder of the sockets in it.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.0.join("evloop")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The command that runs the test `program` in a role.
pub(crate) fn command(role: &str, folder: &Folder) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["program", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env("XDG_RUNTIME_DIR", &folder.0).env("EVLOOP_INSPECT", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    /// Starts a program, and waits until it is ready.
    pub(crate) fn start(role: &str) -> Program {
        Program::start_in(role, Folder::new())
    }

    pub(crate) fn start_in(role: &str, folder: Folder) -> Program {
        let mut child = command(role, &folder).stderr(Stdio::inherit()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while line != "ready\n" {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{role} has ended");
        }
        let stdin = child.stdin.take();
        // Nothing else is printed: the pipe stays open.
        child.stdout = Some(stdout.into_inner());
        Program { child, stdin, folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.sockets().join(format!("{}.sock", self.child.id()))
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// Sends a request, and returns the whole answer, the first line too.
    pub(crate) fn send(&self, request: &[u8]) -> Vec<String> {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        read(stream)
    }

    /// Asks a command. Returns the lines behind the first.
    pub(crate) fn ask(&self, command: &str) -> Vec<String> {
        let mut lines = self.send(format!("evloop 1 {command}\n").as_bytes());
        assert!(!lines.is_empty(), "no answer to {command}");
        assert_eq!(field(&lines[0], "pid"), self.child.id().to_string());
        lines.remove(0);
        lines
    }

    /// Asks a command until its lines are as wanted.
    pub(crate) fn ask_until(
        &self,
        command: &str,
        is_wanted: impl Fn(&[String]) -> bool,
    ) -> Vec<String> {
        let begin = Instant::now();
        loop {
            let lines = self.ask(command);
            if is_wanted(&lines) {
                return lines;
            }
            assert!(begin.elapsed() < LIMIT, "{command}: {lines:?}");
        }
    }
}

pub(crate) fn read(mut stream: UnixStream) -> Vec<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "a line is cut: {text}");
    text.lines().map(String::from).collect()
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the first value of a key: a number, a word, or a string without its quotes.
pub(crate) fn field<'a>(line: &'a str, key: &str) -> &'a str {
    let key = format!("\"{key}\":");
    let at = line.find(&key).unwrap_or_else(|| panic!("no {key} in {line}")) + key.len();
    let rest = &line[at..];
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap(),
        None => rest.split([',', '}', ']']).next().unwrap(),
    }
}

pub(crate) fn number(line: &str, key: &str) -> f64 {
    field(line, key).parse().unwrap_or_else(|_| panic!("{key} of {line}"))
}
