//! The answer to one request: its first line, and the part that each command adds.
//!
//! An answer is written piece by piece, as fast as the client reads. Invariant: writing a piece
//! never waits.

use std::env;
use std::fs::File;
use std::path::Path;
use std::process;

use super::json::{Millis, Object};
use super::kernel::{self, ThreadState};
use super::sampling::{Sampling, Shares};
use super::server::Bell;
use super::snapshots::Copies;
use super::tables::{Table, Tables};
use super::trace::Trace;
use crate::clock;
use crate::threads::{Beacon, Inbox, LoopInfo, Phase, View, registry};

/// The version of the protocol.
const VERSION: &str = "1";

const COMMANDS: &str = "status, loops, tasks, timers, sources, sample MS or trace SECONDS";

/// A turn that takes longer is stuck.
pub(super) const STUCK: u64 = 250_000_000;

/// What all answers share.
pub(super) struct World {
    pub(super) bell: Bell,
    pub(super) copies: Copies,
    pub(super) shares: Shares,
    /// Closed to read files when the process has no other descriptor.
    pub(super) spare: Option<File>,
}

/// The rest of an answer.
pub(super) enum Answer {
    Over,
    Tables(Tables),
    Sampling(Sampling),
    Trace(Trace),
}

impl World {
    pub(super) fn new(bell: Bell, spare: Option<File>) -> World {
        World { bell, copies: Copies::default(), shares: Shares::default(), spare }
    }

    fn thread(&mut self, thread: u32) -> Option<ThreadState> {
        let mut read = kernel::read(thread);
        if read.is_err() {
            self.spare = None;
            read = kernel::read(thread);
        }
        read.ok().flatten()
    }
}

/// Returns the loops that answer: all, or the one with this number.
pub(super) fn loops(number: Option<u64>) -> Vec<std::sync::Arc<Inbox>> {
    let mut inboxes = registry::watched();
    inboxes.retain(|inbox| {
        inbox.info.beacon.as_ref().is_some_and(|beacon| beacon.settings.is_listening)
            && number.is_none_or(|number| inbox.info.number == number)
    });
    inboxes.sort_by_key(|inbox| inbox.info.number);
    inboxes
}

impl Answer {
    /// Begins the answer to a request.
    pub(super) fn begin(request: &[u8], now: u64, out: &mut String, world: &mut World) -> Answer {
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
        world.copies.retain(|number| !loops(Some(number)).is_empty());
        let table = match (command, number) {
            (Some("status"), _) => return write_status(number, out, world),
            (Some("sample"), Some(ms)) => return Answer::Sampling(Sampling::begin(ms, now)),
            (Some("trace"), Some(seconds)) => return begin_trace(seconds, now, out),
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
    pub(super) fn advance(&mut self, now: u64, out: &mut String, limit: usize, world: &mut World) {
        let is_over = match self {
            Answer::Over => return,
            Answer::Tables(tables) => tables.advance(now, out, limit, world),
            Answer::Sampling(sampling) => sampling.advance(now, out, world),
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
            Answer::Trace(trace) => Some(trace.due()),
        }
    }
}

fn begin_trace(seconds: u64, now: u64, out: &mut String) -> Answer {
    match Trace::begin(seconds, now, out) {
        Some(trace) => Answer::Trace(trace),
        None => fail(out, &"another client traces the program: try again later"),
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
fn write_status(number: Option<u64>, out: &mut String, world: &mut World) -> Answer {
    for inbox in loops(number) {
        let Some(beacon) = &inbox.info.beacon else { continue };
        let thread = beacon.thread.and_then(|thread| world.thread(thread));
        let age = world.copies.age(inbox.info.number);
        write_loop_status(out, &inbox.info, beacon, thread.as_ref(), age);
    }
    Answer::Over
}

fn write_loop_status(
    out: &mut String,
    info: &LoopInfo,
    beacon: &Beacon,
    thread: Option<&ThreadState>,
    age: Option<u64>,
) {
    let view = beacon.view();
    let in_phase = beacon.now().saturating_sub(view.began);
    let mut line = Object::new(out);
    line.raw("loop", &info.number);
    line.text("name", Some(&info.name));
    let phase = match view.phase {
        Phase::Turn => "turn",
        Phase::Waiting => "waiting",
        Phase::Outside => "outside",
    };
    line.text("phase", Some(&phase));
    line.raw("turn_ms", &Millis(in_phase));
    write_task(&mut line, beacon, &view);
    line.raw("polls", &view.polls);
    line.raw("turns", &view.turns);
    match (thread, beacon.thread) {
        (Some(thread), Some(tid)) => write_kernel(line.object("kernel"), tid, thread),
        _ => line.raw("kernel", &"null"),
    }
    match age {
        Some(age) => line.raw("snapshot_age_ms", &Millis(age)),
        None => line.raw("snapshot_age_ms", &"null"),
    }
    line.raw("stuck", &is_stuck(beacon, &view));
    line.end_line();
}

fn write_kernel(mut kernel: Object<'_>, tid: u32, thread: &ThreadState) {
    kernel.raw("tid", &tid);
    kernel.text("state", Some(&thread.state));
    kernel.text("wchan", thread.wchan.as_ref().map(|text| text as _));
    kernel.text("syscall", thread.syscall.as_ref().map(|text| text as _));
    kernel.raw("cpu_ms", &thread.cpu_ms);
    kernel.end();
}

/// Writes the running task.
pub(super) fn write_task(line: &mut Object<'_>, beacon: &Beacon, view: &View) {
    let name = view.task.and_then(|task| beacon.name(task));
    line.option("task", view.task);
    line.text("task_name", name.as_ref().map(|name| name as _));
    line.text("spawned_at", view.place.as_ref().map(|place| place as _));
}

/// Returns whether a task, or other code, holds the loop.
pub(super) fn is_stuck(beacon: &Beacon, view: &View) -> bool {
    view.phase == Phase::Turn && beacon.now().saturating_sub(view.began) >= STUCK
}
