//! The answer to one request: its first line, and the part that each command adds.
//!
//! An answer is written piece by piece, as fast as the client reads. Invariant: writing a piece
//! never waits.

use std::env;
use std::path::Path;
use std::process;

use super::json::Object;
use super::loops::{loops, write_loop_status};
use super::poll_times::PollTimes;
use super::recorder::BUSY;
use super::sampling::Sampling;
use super::shared::Shared;
use super::tables::{Table, Tables};
use super::trace::Trace;
use crate::clock;

/// The version of the protocol.
const VERSION: &str = "1";

const COMMANDS: &str =
    "status, loops, tasks, timers, sources, sample MS, polls MS or trace SECONDS";

/// The rest of an answer.
pub(super) enum Answer {
    Over,
    Tables(Tables),
    Sampling(Sampling),
    PollTimes(PollTimes),
    Trace(Trace),
}

impl Answer {
    /// Begins the answer to a request.
    pub(super) fn begin(request: &[u8], now: u64, out: &mut String, shared: &mut Shared) -> Answer {
        let request = String::from_utf8_lossy(request);
        let mut words = match request.split_once('\n') {
            Some((line, _)) => line.split_ascii_whitespace(),
            // Too long.
            None => "".split_ascii_whitespace(),
        };
        let (name, version, command) = (words.next(), words.next(), words.next());
        write_header(out, command);
        if name != Some("evloop") {
            return fail(
                out,
                &"the request is not `evloop 1 COMMAND`, a line of at most 256 bytes",
            );
        }
        if version != Some(VERSION) {
            let version = version.unwrap_or_default();
            return fail(
                out,
                &format_args!(
                    "the program speaks version {VERSION} of the protocol, the client version \
                     {version}: use the `evloop` of the program's version"
                ),
            );
        }
        let argument = words.next();
        let number = argument.and_then(|argument| argument.parse().ok());
        if argument.is_some() && number.is_none() {
            return fail(out, &"the argument is not a number");
        }
        shared.copies.retain(|number| !loops(Some(number)).is_empty());
        let table = match (command, number) {
            (Some("status"), _) => return write_status(number, out, shared),
            (Some("sample"), Some(ms)) => return Answer::Sampling(Sampling::begin(ms, now)),
            (Some("polls"), Some(ms)) => {
                return PollTimes::begin(ms, now)
                    .map_or_else(|| fail(out, &BUSY), Answer::PollTimes);
            }
            (Some("trace"), Some(seconds)) => {
                let trace = Trace::begin(seconds, now, out);
                return trace.map_or_else(|| fail(out, &BUSY), Answer::Trace);
            }
            (Some("loops"), _) => Table::Loops,
            (Some("tasks"), _) => Table::Tasks,
            (Some("timers"), _) => Table::Timers,
            (Some("sources"), _) => Table::Sources,
            _ => return fail(out, &format_args!("the command must be one of {COMMANDS}")),
        };
        let loops = loops(number);
        if loops.is_empty() {
            return match number {
                Some(number) => fail(out, &format_args!("the process has no loop {number}")),
                None => Answer::Over,
            };
        }
        Answer::Tables(Tables::new(table, loops))
    }

    /// Writes more lines, until `out` has `limit` bytes.
    pub(super) fn advance(
        &mut self,
        now: u64,
        out: &mut String,
        limit: usize,
        shared: &mut Shared,
    ) {
        let is_over = match self {
            Answer::Over => return,
            Answer::Tables(tables) => tables.advance(now, out, limit, shared),
            Answer::Sampling(sampling) => sampling.advance(now, out, &mut shared.shares),
            Answer::PollTimes(times) => times.advance(now, out),
            Answer::Trace(trace) => trace.advance(now, out, limit),
        };
        if is_over {
            *self = Answer::Over;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Answer::Over)
    }

    /// Returns when [`advance`](Answer::advance) is to be called if the bell does not ring.
    pub(super) fn due(&self) -> Option<u64> {
        match self {
            Answer::Over => None,
            Answer::Tables(tables) => tables.due(),
            Answer::Sampling(sampling) => Some(sampling.due()),
            Answer::PollTimes(times) => Some(times.due()),
            Answer::Trace(trace) => Some(trace.due()),
        }
    }
}

fn fail(out: &mut String, sentence: &dyn std::fmt::Display) -> Answer {
    let mut line = Object::new(out);
    line.text("error", Some(sentence));
    line.end_line();
    Answer::Over
}

/// The first line describes the process.
fn write_header(out: &mut String, command: Option<&str>) {
    let program = env::args_os().next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    let mut line = Object::new(out);
    line.raw("evloop", &VERSION);
    line.text("version", Some(&env!("CARGO_PKG_VERSION")));
    line.raw("pid", &process::id());
    line.text("program", Some(&program));
    line.raw("uptime_ms", &(clock::shared().nanos() / 1_000_000));
    line.text("command", command.as_ref().map(|command| command as _));
    line.end_line();
}

/// Writes a line for each loop, without asking any.
fn write_status(number: Option<u64>, out: &mut String, shared: &mut Shared) -> Answer {
    for inbox in loops(number) {
        let Some(beacon) = &inbox.info.beacon else { continue };
        let thread = beacon.thread.and_then(|thread| shared.thread(thread));
        let age = shared.copies.age(inbox.info.number);
        write_loop_status(out, &inbox.info, beacon, thread.as_ref(), age);
    }
    Answer::Over
}
