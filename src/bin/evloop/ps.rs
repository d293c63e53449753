//! `evloop ps`: the programs that one can ask; `evloop ps PID`: the tasks of one.

use std::time::Duration;

use crate::args::Args;
use crate::by_place;
use crate::client::{self, Header};
use crate::directory;
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::output::{print, print_all, print_answer, print_head, print_table};
use crate::snapshot::{self, Loop, Snapshot, Task};
use crate::terminal::Style;
use crate::text::{Table, duration, escaped};

/// A program of the list.
struct Program {
    header: Header,
    loops: Vec<Loop>,
    /// `None` if a loop did not answer.
    tasks: Option<u64>,
}

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    let is_json = args.flag("--json");
    let by_place = args.flag("--by-place");
    let every = args.duration("--every")?;
    let since = args.value("--since")?;
    let on_loop = args.number("--loop")?;
    let pid = args.maybe_pid()?;
    args.end()?;
    if !by_place && (every.is_some() || since.is_some()) {
        return Err(Failure::Usage("--every and --since need --by-place".into()));
    }
    match pid {
        None if by_place || on_loop.is_some() => {
            Err(Failure::Usage("--by-place and --loop need the number of a process".into()))
        }
        None => list(is_json),
        Some(pid) if by_place => by_place::run(pid, on_loop, every, since, is_json),
        Some(pid) if is_json => {
            let command = snapshot::tasks_command(on_loop);
            print_answer(client::ask(pid, &command, Duration::ZERO)?)
        }
        Some(pid) => tasks(pid, on_loop),
    }
}

/// Lists the programs that answer, and removes the sockets of those that have ended.
fn list(is_json: bool) -> Result<(), Failure> {
    let style = Style::of_stdout();
    let (mut programs, mut failures) = (Vec::new(), Vec::new());
    for directory in directory::directories() {
        match directory::check(&directory) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(reason) => {
                failures.push(reason);
                continue;
            }
        }
        for pid in directory::listed(&directory).unwrap_or_default() {
            match program(pid) {
                Ok(program) => programs.push(program),
                // It was left behind, and is removed.
                Err(_) if !directory::socket(&directory, pid).exists() => {}
                Err(Failure::Failed(reason)) => failures.push(reason),
                Err(other) => return Err(other),
            }
        }
    }
    for failure in failures {
        eprintln!("evloop: {}", escaped(&failure));
    }
    if is_json {
        return print_all(programs.iter().map(|program| program.json().to_string()));
    }
    if programs.is_empty() {
        return print("No program listens. Start one with EVLOOP_INSPECT=1 in its environment.");
    }
    let mut table = Table::new(&[">PID", "PROGRAM", "VERSION", "UP", ">LOOPS", ">TASKS", "STATE"]);
    for program in &programs {
        table.row(program.cells());
    }
    print_table(&table, style)?;
    let stuck = programs.iter().flat_map(|program| {
        let line = |words: String| format!("process {}: {words}", program.header.pid);
        program.loops.iter().filter_map(Loop::stuck_in_words).map(line)
    });
    print_all(stuck.map(|line| style.alarm(&escaped(&line))))
}

fn program(pid: u32) -> Result<Program, Failure> {
    let (header, loops) = snapshot::loops(pid)?;
    let mut tasks = Some(0);
    // Not asked if a loop is stuck: the answer would come late.
    if loops.iter().any(|each| each.is_stuck) {
        tasks = None;
    } else {
        client::ask(pid, "loops", Duration::ZERO)?.each(|_, value| {
            let more = value.get("tasks").u64();
            tasks = tasks.and_then(|tasks| Some(tasks + more?));
            Ok(())
        })?;
    }
    Ok(Program { header, loops, tasks })
}

impl Program {
    fn state(&self) -> String {
        let mut phases: Vec<_> = self.loops.iter().map(Loop::phase_in_words).collect();
        phases.dedup();
        phases.join(", ")
    }

    fn cells(&self) -> [String; 7] {
        [
            self.header.pid.to_string(),
            self.header.program.clone(),
            self.header.version.clone(),
            duration(self.header.uptime_ms),
            self.loops.len().to_string(),
            self.tasks.map_or("?".into(), |tasks| tasks.to_string()),
            self.state(),
        ]
    }

    fn json(&self) -> Json<'_> {
        object([
            ("pid", u64::from(self.header.pid).into()),
            ("program", self.header.program.as_str().into()),
            ("version", self.header.version.as_str().into()),
            ("uptime_ms", Json::Number(self.header.uptime_ms)),
            ("loops", (self.loops.len() as u64).into()),
            ("tasks", self.tasks.into()),
            ("stuck", Json::Bool(self.loops.iter().any(|each| each.is_stuck))),
        ])
    }
}

/// Prints the tasks of a program as a table.
fn tasks(pid: u32, on_loop: Option<u64>) -> Result<(), Failure> {
    let style = Style::of_stdout();
    let (_, loops) = snapshot::loops(pid)?;
    let snapshot = snapshot::take(pid, on_loop)?;
    print_head(&snapshot, &loops, style)?;
    print_table(&table(&snapshot), style)
}

fn table(snapshot: &Snapshot) -> Table {
    let head = &[">LOOP", ">TASK", "NAME", ">PARENT", ">POLLS", "WAITS FOR", "AT", "SPAWNED AT"];
    let mut table = Table::new(head);
    for task in &snapshot.tasks {
        add(&mut table, task);
    }
    table
}

fn add(table: &mut Table, task: &Task) {
    table.cell(&task.on_loop);
    table.cell(&task.id);
    table.cell(task.name.as_deref().unwrap_or("-"));
    match task.parent {
        Some(parent) => table.cell(&parent),
        None => table.cell("-"),
    }
    table.cell(&task.polls);
    table.cell(&task.wait_in_words());
    table.cell(task.at.as_deref().unwrap_or("-"));
    table.cell(task.spawned_at.as_deref().unwrap_or("-"));
}
