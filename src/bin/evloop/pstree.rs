//! `evloop pstree PID`: which task spawned which; with `--awaits`: which task waits for which.

use crate::args::Args;
use crate::failure::Failure;
use crate::forest::{Forest, Index};
use crate::json::{Json, object};
use crate::output::{line_of, print_all, print_head};
use crate::snapshot::{self, Snapshot, Task};
use crate::terminal::Style;
use crate::text::escaped;

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    let [is_json, awaits, dot, all] =
        ["--json", "--awaits", "--dot", "--all"].map(|name| args.flag(name));
    let on_loop = args.number("--loop")?;
    let pid = args.pid()?;
    args.end()?;
    if dot && is_json {
        return Err(Failure::Usage("--dot and --json exclude each other".into()));
    }
    let snapshot = snapshot::take(pid, on_loop)?;
    let tasks = &snapshot.tasks;
    let index = Index::new(tasks);
    if dot {
        return print_all(graph(&snapshot, &index));
    }
    let above = |task: &Task| match awaits {
        // A lock that several tasks hold is drawn at the first.
        true => index.awaited(task).first().copied(),
        false => index.parent(task),
    };
    let parents: Vec<_> = tasks.iter().map(above).collect();
    let forest = Forest::new(&parents);
    if is_json {
        let alone = forest.draw(|_, _| false);
        let line = |depth: usize, at: usize| node(&tasks[at], depth).to_string();
        return print_all(alone.iter().map(|branch| line(branch.depth, branch.tasks[0])));
    }
    let style = Style::of_stdout();
    let (_, loops) = snapshot::loops(pid)?;
    print_head(&snapshot, &loops, style)?;
    let branches = forest.draw(|a, b| !all && is_alike(&tasks[a], &tasks[b]));
    print_all(branches.iter().map(|branch| {
        let (task, count) = (&tasks[branch.tasks[0]], branch.tasks.len());
        match count {
            1 => line_of(task, &branch.lines, style.columns(), style),
            _ => line_of(task, &format!("{}{count} × ", branch.lines), style.columns(), style),
        }
    }))
}

/// Whether two tasks without children are drawn as one line.
fn is_alike(a: &Task, b: &Task) -> bool {
    let same = |of: fn(&Task) -> &Option<String>| of(a) == of(b);
    a.on_loop == b.on_loop
        && a.state == b.state
        && same(|task| &task.name)
        && same(|task| &task.spawned_at)
        && a.waits_for == b.waits_for
        && same(|task| &task.at)
}

fn node(task: &Task, depth: usize) -> Json<'_> {
    object([
        ("depth", (depth as u64).into()),
        ("loop", task.on_loop.into()),
        ("task", task.id.into()),
        ("name", task.name.as_deref().into()),
        ("spawned_at", task.spawned_at.as_deref().into()),
        ("state", (&*task.state).into()),
        ("waits_for", task.waits_for.as_deref().into()),
        ("at", task.at.as_deref().into()),
    ])
}

/// Returns the lines of a graph for graphviz: parents by plain lines, waits by red ones.
fn graph(snapshot: &Snapshot, index: &Index) -> Vec<String> {
    let tasks = &snapshot.tasks;
    let node = |at: usize| format!("\"{}.{}\"", tasks[at].on_loop, tasks[at].id);
    let mut lines = vec![
        "digraph tasks {".to_owned(),
        "  rankdir=LR; node [shape=box, fontname=monospace, fontsize=10];".to_owned(),
    ];
    for (at, task) in tasks.iter().enumerate() {
        let place = task.spawned_at.as_deref().unwrap_or("");
        let label = [task.title(), place.to_owned(), task.wait_in_words().to_string()]
            .map(|text| quoted(&text));
        lines.push(format!("  {} [label=\"{}\"];", node(at), label.join("\\n")));
        if let Some(parent) = index.parent(task) {
            lines.push(format!("  {} -> {};", node(parent), node(at)));
        }
        for to in index.awaited(task) {
            lines.push(format!("  {} -> {} [color=red, style=dashed];", node(at), node(to)));
        }
    }
    lines.push("}".to_owned());
    lines
}

/// Escapes a text for a label of graphviz.
fn quoted(text: &str) -> String {
    escaped(text).replace('\\', "\\\\").replace('"', "\\\"")
}
