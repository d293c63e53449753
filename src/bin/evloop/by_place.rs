//! `evloop ps PID --by-place`: groups of tasks, and how they change: the finder of leaks.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, failed};
use crate::groups::{Counts, Group, counts, groups};
use crate::output::{print, print_all, print_head, print_table};
use crate::snapshot::{self, Task};
use crate::terminal::Style;
use crate::text::{Table, count};

/// Prints the groups once, or again and again with the changes since the first look.
pub(crate) fn run(
    pid: u32,
    on_loop: Option<u64>,
    every: Option<Duration>,
    since: Option<String>,
    is_json: bool,
) -> Result<(), Failure> {
    let style = Style::of_stdout();
    let mut before = since.map(|path| saved(&path)).transpose()?;
    loop {
        let snapshot = snapshot::take(pid, on_loop)?;
        let groups = groups(&snapshot.tasks, before.as_ref());
        if is_json {
            print_all(groups.iter().map(|group| group.json().to_string()))?;
        } else {
            let (_, loops) = snapshot::loops(pid)?;
            print_head(&snapshot, &loops, style)?;
            print_groups(&groups, style)?;
        }
        let Some(every) = every else { return Ok(()) };
        before.get_or_insert_with(|| counts(&snapshot.tasks));
        thread::sleep(every);
        if !is_json {
            print("")?;
        }
    }
}

/// Reads what `evloop ps PID --json` has written to a file.
fn saved(path: &str) -> Result<Counts, Failure> {
    let wrong = |reason: String| failed(format!("{path} is no output of `ps --json`: {reason}"));
    let text =
        fs::read_to_string(path).map_err(|error| failed(format!("cannot read {path}: {error}")))?;
    let mut tasks = Vec::new();
    for line in text.lines() {
        tasks.extend(Task::read(line).map_err(wrong)?);
    }
    if tasks.is_empty() { Err(wrong("it has no task".into())) } else { Ok(counts(&tasks)) }
}

fn print_groups(groups: &[Group], style: Style) -> Result<(), Failure> {
    let has_change = groups.iter().any(|group| group.change.is_some());
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let place = |group: &Group| {
        let place = &group.place;
        [or_dash(&place.spawned_at), place.waits_for.clone(), or_dash(&place.at)]
    };
    if !has_change {
        let mut table = Table::new(&[">TASKS", "SPAWNED AT", "WAITS FOR", "AT"]);
        for group in groups {
            let [spawned, waits, at] = place(group);
            table.row([group.tasks.to_string(), spawned, waits, at]);
        }
        return print_table(&table, style);
    }
    let mut table = Table::new(&[">TASKS", ">CHANGE", "SPAWNED AT", "WAITS FOR", "AT"]);
    for group in groups {
        let [spawned, waits, at] = place(group);
        let change = group.change.map_or(String::new(), |change| match change {
            0 => "0".into(),
            change => format!("{change:+}"),
        });
        table.row([group.tasks.to_string(), change, spawned, waits, at]);
    }
    print_table(&table, style)?;
    let grown = groups.iter().filter(|group| group.change > Some(0)).count();
    print(&format!("{} grew since the first look", count(grown, "group")))
}
