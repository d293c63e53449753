//! What commands print in the same way: heads, alarms, tables, tasks on one line.

use std::io::{self, Write};

use crate::client::{Answer, Header};
use crate::failure::Failure;
use crate::forest::{Index, deadlock_in_words, deadlocks};
use crate::snapshot::{Loop, Snapshot, Task};
use crate::terminal::Style;
use crate::text::{Table, count, cut, duration, escaped};

/// Prints a line. The text is escaped where it comes from a program.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}").map_err(Failure::of_output)
}

/// Prints lines by one buffer: there may be 100,000.
pub(crate) fn print_all<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    for line in lines {
        let line = line.as_ref().as_bytes();
        out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(Failure::of_output)?;
    }
    out.flush().map_err(Failure::of_output)
}

/// Prints the answer as it came, and the header before it.
pub(crate) fn print_answer(mut answer: Answer) -> Result<(), Failure> {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    writeln!(out, "{}", answer.first_line).map_err(Failure::of_output)?;
    answer.each(|line, _| writeln!(out, "{line}").map_err(Failure::of_output))?;
    out.flush().map_err(Failure::of_output)
}

/// Prints the table below its head.
pub(crate) fn print_table(table: &Table, style: Style) -> Result<(), Failure> {
    let mut lines = table.lines(style.columns());
    let head = lines.next().map(|head| style.dim(&head));
    print_all(head.into_iter().chain(lines))
}

/// `chat (process 4711), up 3 min 2 s`
pub(crate) fn head(header: &Header, style: Style) -> String {
    let program = style.bold(&escaped(&header.program));
    format!("{program} (process {}), up {}", header.pid, duration(header.uptime_ms))
}

/// Returns the sentences that are shown in red: stuck loops, old snapshots, deadlocks.
pub(crate) fn alarms(loops: &[Loop], snapshot: Option<&Snapshot>) -> Vec<String> {
    let mut alarms: Vec<_> = loops.iter().filter_map(Loop::stuck_in_words).collect();
    let Some(snapshot) = snapshot else { return alarms };
    let is_told = |on_loop: u64| loops.iter().any(|each| each.id == on_loop && each.is_stuck);
    let stale = snapshot.stale.iter().filter(|stale| !is_told(stale.on_loop));
    alarms.extend(stale.map(|stale| stale.sentence()));
    let tasks = &snapshot.tasks;
    let cycles = deadlocks(tasks, &Index::new(tasks));
    alarms.extend(cycles.iter().map(|cycle| deadlock_in_words(tasks, cycle)));
    alarms
}

/// Prints the head, then the alarms.
pub(crate) fn print_head(snapshot: &Snapshot, loops: &[Loop], style: Style) -> Result<(), Failure> {
    let tasks = count(snapshot.tasks.len(), "task");
    print(&format!("{}, {}, {tasks}", head(&snapshot.header, style), count(loops.len(), "loop")))?;
    print_all(alarms(loops, Some(snapshot)).iter().map(|alarm| style.alarm(&escaped(alarm))))
}

/// A task on one line, for trees: `17 reader  src/a.rs:3:5  waits for time at src/a.rs:9:9`.
pub(crate) fn line_of(task: &Task, before: &str, columns: usize, style: Style) -> String {
    let title = escaped(&task.title());
    let mut rest = String::new();
    if let Some(place) = &task.spawned_at {
        rest += &format!("  {}", escaped(place));
    }
    rest += "  ";
    rest += &match &*task.state {
        "waiting" => format!("waits for {}", escaped(&task.wait_in_words().to_string())),
        state => escaped(state),
    };
    if let Some(at) = &task.at {
        rest += &format!(" at {}", escaped(at));
    }
    let line = format!("{before}{title}{rest}");
    if crate::text::width(&line) > columns {
        return cut(&line, columns);
    }
    format!("{}{}{rest}", style.dim(before), style.bold(&title))
}
