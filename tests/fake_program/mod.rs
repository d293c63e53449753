//! A program that answers the requests of `evloop` by canned lines, and `evloop` itself.
//!
//! The test's own process is the program: its number exists, and it may be asked.

// No test file uses every function.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Answers by command: `tasks`, or `*` for all that have none of their own.
type Answers = Arc<Mutex<BTreeMap<String, String>>>;

/// A directory of sockets, and a thread that answers.
pub(crate) struct Fake {
    pub(crate) runtime_dir: PathBuf,
    answers: Answers,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a run of `evloop` has printed, and its status.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) status: Option<i32>,
}

pub(crate) fn pid() -> u32 {
    std::process::id()
}

impl Fake {
    /// A directory in which nobody listens.
    pub(crate) fn silent() -> Fake {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let runtime_dir = std::env::temp_dir().join(format!("evloop-cli-{}-{count}", pid()));
        let _ = fs::remove_dir_all(&runtime_dir);
        DirBuilder::new().recursive(true).mode(0o700).create(runtime_dir.join("evloop")).unwrap();
        Fake { runtime_dir, answers: Answers::default(), requests: Arc::default() }
    }

    /// A program that answers each command by the header and these lines.
    pub(crate) fn new(answers: &[(&str, &str)]) -> Fake {
        let fake = Fake::silent();
        for (command, lines) in answers {
            fake.answer(command, &format!("{}{lines}", header(command)));
        }
        let listener = UnixListener::bind(fake.socket(pid())).unwrap();
        let (answers, requests) = (fake.answers.clone(), fake.requests.clone());
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &answers, &requests);
            }
        });
        fake
    }

    pub(crate) fn socket(&self, pid: u32) -> PathBuf {
        self.runtime_dir.join(format!("evloop/{pid}.sock"))
    }

    /// Sets the answer to a command, the header included.
    pub(crate) fn answer(&self, command: &str, text: &str) {
        self.answers.lock().unwrap().insert(command.into(), text.into());
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// `evloop` with these arguments, `PID` for the number of this process.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evloop"));
        let pid = pid().to_string();
        command.args(args.split_whitespace().map(|arg| arg.replace("PID", &pid)));
        command.env("XDG_RUNTIME_DIR", &self.runtime_dir).env_remove("NO_COLOR");
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &str) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    /// Runs `evloop`, which must succeed, and returns its lines without the spaces at both ends.
    #[track_caller]
    pub(crate) fn lines(&self, args: &str) -> Vec<String> {
        let run = self.run(args);
        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{args}: {}", run.out);
        run.out.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// Runs `evloop`, which must fail with this status, and returns its sentence.
    #[track_caller]
    pub(crate) fn failure(&self, args: &str, status: i32) -> String {
        let run = self.run(args);
        assert_eq!((run.status, run.out.as_str()), (Some(status), ""), "{args}: {}", run.err);
        run.err.strip_prefix("evloop: ").expect("a sentence of evloop").trim_end().to_owned()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.runtime_dir);
    }
}

impl Run {
    pub(crate) fn of(output: Output) -> Run {
        let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        Run { out, err, status: output.status.code() }
    }
}

/// The first line of an answer.
pub(crate) fn header(command: &str) -> String {
    let pid = pid();
    format!(
        "{{\"evloop\":1,\"version\":\"0.1.0\",\"pid\":{pid},\"program\":\"chat\",\
         \"uptime_ms\":183000,\"command\":\"{command}\"}}\n"
    )
}

fn serve(mut stream: UnixStream, answers: &Answers, requests: &Mutex<Vec<String>>) {
    let mut line = String::new();
    if !matches!(BufReader::new(&stream).read_line(&mut line), Ok(1..)) {
        return; // It only looked whether somebody listens.
    }
    let command = line.strip_prefix("evloop 1 ").expect("a request of version 1").trim_end();
    requests.lock().unwrap().push(command.to_owned());
    let answers = answers.lock().unwrap();
    let answer = answers.get(command).or_else(|| answers.get("*"));
    let unknown = format!("{}{{\"error\":\"unknown command\"}}\n", header(command));
    // A client that has gone is tested, too.
    let _ = stream.write_all(answer.unwrap_or(&unknown).as_bytes());
}
