//! Asking a program: one line to its Unix socket, and the lines of its answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use std::{fs, str};

use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType, socket};

use crate::directory::{self, Process};
use crate::failure::{Failure, failed};
use crate::json::Json;
use crate::json_reader;

/// The version of the protocol that this program speaks.
const PROTOCOL: u64 = 1;
/// The longest line that is read. A line of a task has a few hundred bytes.
const LINE_MAX: u64 = 1 << 20;
/// For how long a program may be silent, in addition to the time that it was asked to take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first line of every answer.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) pid: u32,
    pub(crate) version: String,
    pub(crate) program: String,
    pub(crate) uptime_ms: f64,
}

/// An answer, line by line. The header was read and checked.
pub(crate) struct Answer {
    pub(crate) header: Header,
    /// The header as it was sent.
    pub(crate) first_line: String,
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
}

/// Asks the process. `time` is how long the command takes by its nature.
///
/// # Errors
///
/// Sentences: no such process, it does not listen, it is another user's, it speaks another version
/// of the protocol, it ended meanwhile.
pub(crate) fn ask(pid: u32, command: &str, time: Duration) -> Result<Answer, Failure> {
    let stream = connect(pid)?;
    let request = format!("evloop {PROTOCOL} {command}\n");
    stream.set_read_timeout(Some(time + PATIENCE)).map_err(|error| broken(pid, &error))?;
    (&stream).write_all(request.as_bytes()).map_err(|error| broken(pid, &error))?;
    let header = Header { pid, version: String::new(), program: String::new(), uptime_ms: 0.0 };
    let stream = BufReader::with_capacity(1 << 18, stream);
    let mut answer = Answer { header, first_line: String::new(), stream, line: Vec::new() };
    let Some(line) = answer.line()? else {
        return Err(failed(format!("process {pid} closed the connection and sent nothing")));
    };
    answer.first_line = line.to_owned();
    let first = answer.first_line.clone();
    answer.header = header_of(pid, &parse(pid, &first)?)?;
    Ok(answer)
}

impl Answer {
    /// Calls `f` with each further line, as text and as a value.
    ///
    /// # Errors
    ///
    /// The error that the program sent, or of `f`; the answer is no JSON, or is cut off.
    pub(crate) fn each(
        &mut self,
        mut f: impl FnMut(&str, &Json) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let pid = self.header.pid;
        self.lines(|line| f(line, &value(pid, line)?))
    }

    /// Calls `f` with each further line, unchecked.
    ///
    /// # Errors
    ///
    /// The error of `f`; the answer is cut off.
    pub(crate) fn lines(
        &mut self,
        mut f: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        while let Some(line) = self.line()? {
            f(line)?;
        }
        Ok(())
    }

    /// Returns the next line, without its end.
    fn line(&mut self) -> Result<Option<&str>, Failure> {
        let pid = self.header.pid;
        self.line.clear();
        let mut limited = (&mut self.stream).take(LINE_MAX);
        limited.read_until(b'\n', &mut self.line).map_err(|error| broken(pid, &error))?;
        if self.line.is_empty() {
            return Ok(None);
        }
        if self.line.pop() != Some(b'\n') {
            let reason = "its answer is cut off: the program ended, or closed the connection";
            return Err(failed(format!("process {pid}: {reason}")));
        }
        let line = str::from_utf8(&self.line);
        line.map(Some).map_err(|_| failed(format!("process {pid} sent what is no UTF-8")))
    }
}

/// Reads a line of an answer.
///
/// # Errors
///
/// The line is no JSON, or the error that the program sent.
pub(crate) fn value(pid: u32, line: &str) -> Result<Json<'_>, Failure> {
    let value = parse(pid, line)?;
    match value.get("error").text() {
        Some(error) => Err(failed(format!("process {pid}: {error}"))),
        None => Ok(value),
    }
}

fn parse(pid: u32, line: &str) -> Result<Json<'_>, Failure> {
    let wrong = |error| failed(format!("process {pid} sent what is no JSON: {error}"));
    json_reader::parse(line).map_err(wrong)
}

fn header_of(pid: u32, value: &Json) -> Result<Header, Failure> {
    let version = value.get("version").owned().unwrap_or_else(|| "?".into());
    match value.get("evloop").u64() {
        Some(PROTOCOL) => {}
        None => return Err(failed(format!("process {pid} does not speak evloop's protocol"))),
        Some(other) => {
            let reason =
                format!("speaks version {other} of the protocol, and this program version");
            let advice = format!("cargo install evloop --version {version} --features cli");
            return Err(failed(format!(
                "process {pid} {reason} {PROTOCOL}: install the program of its version, `{advice}`"
            )));
        }
    }
    let program = value.get("program").owned().unwrap_or_else(|| "?".into());
    let uptime_ms = value.get("uptime_ms").f64().unwrap_or(0.0);
    Ok(Header { pid, version, program, uptime_ms })
}

fn broken(pid: u32, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => failed(format!(
            "process {pid} does not answer: it may be stopped (SIGSTOP, a debugger)"
        )),
        _ => failed(format!("process {pid} ended, or closed the connection: {error}")),
    }
}

/// Connects to the socket of the process, in whichever directory it is.
fn connect(pid: u32) -> Result<UnixStream, Failure> {
    let mut untrusted = None;
    for directory in directory::directories() {
        match directory::check(&directory) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(reason) => {
                untrusted.get_or_insert(reason);
                continue;
            }
        }
        if let Some(stream) = open(&directory::socket(&directory, pid)).map_err(|error| {
            failed(format!("cannot connect to process {pid} in {}: {error}", directory.display()))
        })? {
            return Ok(stream);
        }
    }
    Err(match (directory::process(pid), untrusted) {
        (Process::Missing, _) => failed(format!("there is no process {pid}")),
        (Process::Foreign, _) => {
            failed(format!("process {pid} is another user's: only that user can ask it"))
        }
        (Process::Ours, Some(reason)) => failed(reason),
        (Process::Ours, None) => failed(format!(
            "process {pid} does not listen: start it with EVLOOP_INSPECT=1 in its environment, or \
             with `Builder::inspect`. That has to be set before the program hangs; it cannot be \
             set now"
        )),
    })
}

/// Connects to a socket. `None`: nobody listens; a socket that was left behind is then removed.
///
/// # Errors
///
/// Those of connect(2), other than that there is no socket or that nobody listens.
fn open(path: &Path) -> io::Result<Option<UnixStream>> {
    match connect_now(path) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::Error::new(
            error.kind(),
            "too many connections wait for it: it may be stopped (SIGSTOP, a debugger)",
        )),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // A program that is killed leaves its socket behind.
            let _ = fs::remove_file(path);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Connects without waiting: a stopped process accepts no connection, and the kernel queues only
/// some.
fn connect_now(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let stream = UnixStream::from(socket(AddressFamily::UNIX, SocketType::STREAM, None)?);
    stream.set_nonblocking(true)?;
    net::connect(&stream, &address)?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}
