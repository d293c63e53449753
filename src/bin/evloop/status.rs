//! `evloop status PID`: what each loop does, also if it is stuck. Asks no loop.

use std::time::Duration;

use crate::args::Args;
use crate::client;
use crate::failure::Failure;
use crate::output::{alarms, head, print, print_all, print_answer, print_table};
use crate::snapshot::{self, title};
use crate::terminal::Style;
use crate::text::{Table, count, duration, escaped};

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    let is_json = args.flag("--json");
    let pid = args.pid()?;
    args.end()?;
    if is_json {
        return print_answer(client::ask(pid, "status", Duration::ZERO)?);
    }
    let style = Style::of_stdout();
    let (header, loops) = snapshot::loops(pid)?;
    print(&format!("{}, {}", head(&header, style), count(loops.len(), "loop")))?;
    let columns = ["LOOP", "PHASE", "TASK", "SPAWNED AT", ">POLLS", "THREAD", "CPU", "SNAPSHOT"];
    let mut table = Table::new(&columns);
    let dash = || "-".to_owned();
    for each in &loops {
        let task = each.task.map(|task| title(task, each.task_name.as_deref()));
        let thread = each.kernel.as_ref().map(|kernel| (kernel.tid, kernel.in_words()));
        table.row([
            each.title(),
            each.phase_in_words(),
            task.unwrap_or_else(dash),
            each.spawned_at.clone().unwrap_or_else(dash),
            each.polls.to_string(),
            thread.map_or_else(dash, |(tid, words)| format!("{tid} {words}")),
            each.kernel.as_ref().map_or_else(dash, |kernel| duration(kernel.cpu_ms)),
            each.snapshot_age_ms.map_or_else(dash, |age| format!("{} old", duration(age))),
        ]);
    }
    print_table(&table, style)?;
    print_all(alarms(&loops, None).iter().map(|alarm| style.alarm(&escaped(alarm))))
}
