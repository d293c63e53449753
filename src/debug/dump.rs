//! The tasks of a loop as text: a tree by parent, what each task waits for, and deadlocks.

use std::fmt::{self, Write};
use std::time::Instant;

use super::deadlock::deadlocks;
use crate::clock;
use crate::context::{self, Context, Edges, Snapshot, TaskRecord, WaitsOn};
use crate::current::WaitsFor;
use crate::current::debug::Name;
use crate::executor::TaskState;
use crate::sys::Descriptor;
use crate::world;

/// The deepest level that is indented. A task may have spawned the next one many thousand times.
const DEPTH_MAX: usize = 32;

/// Returns the tasks of the running loop as text: asyncio's `print_call_graph`, for all tasks.
///
/// A line a task, below its parent: its name, where it was spawned, its state, what it waits for
/// and where. Then come the deadlocks: cycles of tasks that wait for the ends of each other, and in
/// [debug mode](crate::runtime::Builder::debug) for the locks of each other. If loops are nested,
/// the outer ones come first.
///
/// It can be called anywhere inside a loop: in a task that waits for a signal, in a test that has
/// come to a halt, in an [`Instrument`](crate::runtime::Instrument). It takes time in proportion to
/// the tasks, about 1 us each, in which no task runs. The text is for people: it may change from
/// one version to the next.
///
/// ```
/// use evloop::{debug, task};
///
/// evloop::block_on(async {
///     let idle = task::Builder::new().name("idle").spawn(std::future::pending::<()>());
///     task::yield_now().await;
///     let text = debug::dump();
///     let line = text.lines().find(|line| line.contains("`idle`")).unwrap();
///     assert!(line.ends_with("): waits for an unknown future, 1 poll"), "{line}");
///     drop(idle);
/// });
/// ```
pub fn dump() -> String {
    let loops = context::entered();
    if loops.is_empty() {
        return String::from("no event loop is running on this thread\n");
    }
    let mut text = String::new();
    for context in &loops {
        text.push_str(&Dump::of(context).to_string());
    }
    text
}

/// Returns the lines of [`dump`] about the tasks of one loop.
#[cfg(feature = "sim")]
pub(crate) fn task_lines(context: &Context) -> Vec<String> {
    // Behind the line about the loop itself.
    Dump::of(context).to_string().lines().skip(1).map(String::from).collect()
}

/// A snapshot of a loop that can be written as text.
struct Dump {
    number: u64,
    name: String,
    snapshot: Snapshot,
    edges: Edges,
    now: Instant,
}

/// A list of tasks, and the depth of each in the tree.
type Tree<'a> = Vec<(usize, &'a TaskRecord)>;

impl Dump {
    fn of(context: &Context) -> Dump {
        let snapshot = context.snapshot();
        Dump {
            number: context.name.number,
            name: context.inbox.info.name.clone(),
            edges: Edges::of(&snapshot),
            snapshot,
            now: clock::now(),
        }
    }

    /// Returns the tasks, each behind its parent. A task whose parent has ended is at the top.
    fn tree(&self) -> Tree<'_> {
        let tasks = &self.snapshot.tasks;
        // The first child of each task, and last the first task at the top; the next child of the
        // same parent.
        let (mut first, mut next) = (vec![None; tasks.len() + 1], vec![None; tasks.len()]);
        for (index, task) in tasks.iter().enumerate().rev() {
            let parent = task.parent.and_then(|parent| self.snapshot.index_of(parent));
            next[index] = first[parent.unwrap_or(tasks.len())].replace(index);
        }
        let mut tree = Vec::new();
        // No recursion: a tree may be deeper than the stack.
        let mut left = vec![(0, first[tasks.len()])];
        while let Some((depth, place)) = left.pop() {
            let Some(index) = place else { continue };
            tree.push((depth, &tasks[index]));
            left.push((depth, next[index]));
            left.push((depth + 1, first[index]));
        }
        tree
    }

    fn write_task(&self, f: &mut fmt::Formatter<'_>, task: &TaskRecord) -> fmt::Result {
        write!(f, "task {}", task.id)?;
        if let Some(name) = &task.name {
            write!(f, " `{}`", Name(name))?;
        }
        write!(f, " (spawned at {}): ", task.spawned_at)?;
        match task.state {
            TaskState::Running => f.write_str("running")?,
            TaskState::Ready => f.write_str("ready")?,
            TaskState::Ended => f.write_str("ended")?,
            TaskState::Waiting => {
                self.write_waits(f, task)?;
                if let Some(place) = task.waits_at {
                    write!(f, " at {place}")?;
                }
            }
        }
        writeln!(f, ", {} poll{}", task.polls, if task.polls == 1 { "" } else { "s" })
    }

    fn write_waits(&self, f: &mut fmt::Formatter<'_>, task: &TaskRecord) -> fmt::Result {
        let on = self.edges.of_task(task);
        let mut separator = "waits ";
        if !on.iter().any(|on| task.waits_for == Some(on.kind())) {
            f.write_str(separator)?;
            f.write_str(of_kind(task.waits_for))?;
            separator = " or ";
        }
        let is_child = |on: &&WaitsOn| matches!(on, WaitsOn::Child(_));
        let children = on.iter().filter(is_child).count();
        for on in on.iter().filter(|on| !is_child(on)) {
            f.write_str(separator)?;
            self.write_on(f, on)?;
            separator = " or ";
        }
        match children {
            0 => Ok(()),
            1 => write!(f, "{separator}for a child"),
            _ => write!(f, "{separator}for {children} children"),
        }
    }

    fn write_on(&self, f: &mut fmt::Formatter<'_>, on: &WaitsOn) -> fmt::Result {
        match on {
            WaitsOn::Task(task) => write!(f, "for the end of task {task}"),
            WaitsOn::Child(task) => write!(f, "for its child, task {task}"),
            WaitsOn::Timer(at) => {
                let left = at.saturating_duration_since(self.now);
                write!(f, "for a deadline in {:.3} s", left.as_secs_f64())
            }
            WaitsOn::Read(descriptor) => write!(f, "to read from {}", shown(*descriptor)),
            WaitsOn::Write(descriptor) => write!(f, "to write to {}", shown(*descriptor)),
            WaitsOn::Lock { kind, holders } if holders.is_empty() => write!(f, "for a {kind}"),
            WaitsOn::Lock { kind, holders } => {
                write!(f, "for a {kind} that task ")?;
                for (index, holder) in holders.iter().enumerate() {
                    write!(f, "{}{holder}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(" has locked")
            }
        }
    }

    /// Writes a cycle: what each of its tasks waits on.
    fn write_cycle(&self, f: &mut fmt::Formatter<'_>, cycle: &[usize]) -> fmt::Result {
        let mut separator = "deadlock: ";
        for (place, index) in cycle.iter().enumerate() {
            let task = &self.snapshot.tasks[*index];
            let next = &self.snapshot.tasks[cycle[(place + 1) % cycle.len()]].id;
            write!(f, "{separator}task {} waits ", task.id)?;
            separator = ", ";
            let on = self.edges.of_task(task).into_iter().find(|on| on.tasks().contains(next));
            on.map_or(Ok(()), |on| self.write_on(f, &on))?;
        }
        f.write_char('\n')
    }
}

/// Names a descriptor. A socket of a simulated world has none.
fn shown(descriptor: Descriptor) -> String {
    match world::here() {
        None => format!("descriptor {descriptor}"),
        Some(_) => String::from("a socket"),
    }
}

/// Names a kind, where no more is known.
fn of_kind(kind: Option<WaitsFor>) -> &'static str {
    match kind {
        None => "for an unknown future",
        Some(WaitsFor::Task) => "for the end of a task",
        Some(WaitsFor::Time) => "for a deadline",
        Some(WaitsFor::Io) => "for a descriptor or socket",
        Some(WaitsFor::Channel) => "for a channel",
        Some(WaitsFor::Lock) => "for a lock",
        Some(WaitsFor::Event) => "for an event",
        Some(WaitsFor::Thread) => "for a thread of the blocking pool",
    }
}

/// Writes `n` things, whose name is `noun`.
fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { tasks, timers, sources } = &self.snapshot;
        let tasks = counted(tasks.len(), "task");
        let (timers, sources) = (counted(timers.len(), "timer"), counted(sources.len(), "source"));
        writeln!(f, "loop {} `{}`: {tasks}, {timers}, {sources}", self.number, self.name)?;
        for (depth, task) in self.tree() {
            write!(f, "{:width$}", "", width = 2 * (depth + 1).min(DEPTH_MAX))?;
            if depth >= DEPTH_MAX {
                write!(f, "[depth {depth}] ")?;
            }
            self.write_task(f, task)?;
        }
        for cycle in deadlocks(&self.snapshot, &self.edges) {
            self.write_cycle(f, &cycle)?;
        }
        Ok(())
    }
}
