//! `evloop trace PID SECONDS -o FILE`: every poll for some seconds, for Perfetto.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use crate::args::{Args, duration};
use crate::client;
use crate::failure::{Failure, failed};
use crate::json::object;
use crate::output::print;
use crate::text::count;

/// The longest time that is recorded: what is recorded lies in the program's memory meanwhile.
const TIME_MAX: Duration = Duration::from_secs(600);

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    let is_json = args.flag("--json");
    let path = args.value("-o")?;
    let pid = args.pid()?;
    let Some(time) = args.word() else {
        return Err(Failure::Usage("the number of seconds is missing".into()));
    };
    let time = duration("SECONDS", &time)?;
    args.end()?;
    let path = path.unwrap_or_else(|| format!("evloop-{pid}.json"));
    if time > TIME_MAX {
        return Err(Failure::Usage("a trace takes 600 seconds at most".into()));
    }
    // The program counts in whole seconds.
    let seconds = time.as_secs_f64().ceil() as u64;
    let mut answer = client::ask(pid, &format!("trace {seconds}"), time)?;
    let file = File::create(&path).map_err(|error| cannot_write(&path, &error))?;
    let mut out = BufWriter::new(file);
    let (mut events, mut dropped) = (0, 0);
    let mut write =
        |text: &str| out.write_all(text.as_bytes()).map_err(|error| cannot_write(&path, &error));
    write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    answer.each(|line, value| {
        if let Some(number) = value.get("dropped").u64() {
            dropped += number;
            return Ok(());
        }
        write(if events == 0 { "\n" } else { ",\n" })?;
        events += 1;
        write(line)
    })?;
    write("\n]}\n")?;
    out.flush().map_err(|error| cannot_write(&path, &error))?;
    if is_json {
        let summary = object([
            ("file", path.as_str().into()),
            ("events", (events as u64).into()),
            ("dropped", dropped.into()),
        ]);
        return print(&summary.to_string());
    }
    let lost = match dropped {
        0 => String::new(),
        _ => format!(" {dropped} more did not fit and are missing."),
    };
    print(&format!(
        "{} in {path}.{lost} Open the file at https://ui.perfetto.dev or chrome://tracing.",
        count(events, "event")
    ))
}

fn cannot_write(path: &str, error: &io::Error) -> Failure {
    failed(format!("cannot write {path}: {error}"))
}
