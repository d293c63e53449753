//! What a program answers, as values: its tasks, its loops.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::client::{self, Header};
use crate::failure::Failure;
use crate::json::Json;
use crate::json_reader::Reader;
use crate::peers;
use crate::text::{Millis, duration};

/// A task. Its number is unique in its loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Task {
    pub(crate) on_loop: u64,
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    pub(crate) spawned_at: Option<String>,
    pub(crate) parent: Option<u64>,
    pub(crate) state: Cow<'static, str>,
    pub(crate) polls: u64,
    /// The kind of what it waits for: "task", "time", "io", "lock" …
    pub(crate) waits_for: Option<Cow<'static, str>>,
    /// The line of the `.await`.
    pub(crate) at: Option<String>,
    pub(crate) on: On,
    /// Nothing else can wake it, as far as is known.
    pub(crate) is_on_alone: bool,
}

/// What a task waits for, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum On {
    #[default]
    Unknown,
    /// The end of all of these: one task, or the children of a scope.
    Tasks(Vec<u64>),
    DueMs(f64),
    Socket {
        fd: u64,
        peer: Option<String>,
        direction: Option<String>,
    },
    /// The tasks that hold the lock.
    Lock(Vec<u64>),
}

/// A loop that did not answer in time: its tasks are those of an earlier snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Stale {
    pub(crate) on_loop: u64,
    pub(crate) ms: Option<f64>,
    pub(crate) is_stuck: bool,
}

/// All tasks of a program at one time.
pub(crate) struct Snapshot {
    pub(crate) header: Header,
    pub(crate) stale: Vec<Stale>,
    pub(crate) tasks: Vec<Task>,
}

/// A loop as its thread's beacon and the kernel show it, also if it is stuck.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loop {
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    pub(crate) phase: String,
    pub(crate) turn_ms: Option<f64>,
    pub(crate) task: Option<u64>,
    pub(crate) task_name: Option<String>,
    pub(crate) spawned_at: Option<String>,
    pub(crate) polls: u64,
    pub(crate) kernel: Option<Kernel>,
    pub(crate) snapshot_age_ms: Option<f64>,
    pub(crate) is_stuck: bool,
}

/// The thread of a loop as the kernel sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) tid: u64,
    pub(crate) state: String,
    pub(crate) wchan: Option<String>,
    pub(crate) syscall: Option<String>,
    pub(crate) cpu_ms: f64,
}

impl Task {
    /// Reads a line of `tasks`; `None` if it is about no task.
    ///
    /// # Errors
    ///
    /// A sentence, if the line is no JSON.
    pub(crate) fn read(line: &str) -> Result<Option<Task>, String> {
        let mut task = Task { on_loop: 1, state: "?".into(), ..Task::default() };
        let (mut id, mut is_task) = (None, true);
        let mut reader = Reader::new(line);
        reader.members(|reader, key| {
            match &*key {
                "loop" => task.on_loop = reader.u64()?.unwrap_or(1),
                "task" => id = reader.u64()?,
                "name" => task.name = reader.owned()?,
                "spawned_at" => task.spawned_at = reader.owned()?,
                "parent" => task.parent = reader.u64()?,
                "state" => task.state = reader.text()?.map_or("?".into(), word),
                "polls" => task.polls = reader.u64()?.unwrap_or(0),
                "waits" => task.read_waits(reader)?,
                other => {
                    reader.value()?;
                    // Then "task" is the one that holds the loop.
                    is_task &= !matches!(other, "stale_ms" | "error");
                }
            }
            Ok(())
        })?;
        reader.end()?;
        task.id = id.unwrap_or_default();
        Ok((is_task && id.is_some()).then_some(task))
    }

    fn read_waits(&mut self, reader: &mut Reader<'_>) -> Result<(), String> {
        let (mut on, mut more) = (Json::Null, Json::Null);
        reader.members(|reader, key| {
            match &*key {
                "for" => self.waits_for = reader.text()?.map(word),
                "at" => self.at = reader.owned()?,
                "on" => on = reader.value()?,
                "more" => more = reader.value()?,
                _ => drop(reader.value()?),
            }
            Ok(())
        })?;
        let more = more.list();
        let children: Vec<u64> =
            [&on].into_iter().chain(more).filter_map(|on| on.get("child").u64()).collect();
        let is_scope = children.len() == more.len() + 1;
        self.on = if is_scope { On::Tasks(children) } else { On::read(&on) };
        let kind = match self.on {
            On::Tasks(_) => "task",
            _ => "lock",
        };
        let is_kind = self.waits_for.as_deref() == Some(kind);
        self.is_on_alone = is_kind && (is_scope || more.is_empty());
        Ok(())
    }

    /// `17 reader`, or only the number.
    pub(crate) fn title(&self) -> String {
        title(self.id, self.name.as_deref())
    }

    /// What the task waits for, in words.
    pub(crate) fn wait_in_words(&self) -> WaitInWords<'_> {
        WaitInWords(self)
    }
}

/// What a task waits for; its state, if it does not wait. Wakers of other crates, as of
/// `FuturesUnordered`, hide it: "unknown".
pub(crate) struct WaitInWords<'a>(&'a Task);

impl fmt::Display for WaitInWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.0;
        if task.state != "waiting" {
            return f.write_str(&task.state);
        }
        match &task.on {
            On::Tasks(ids) => match ids[..] {
                [first, _, ..] => write!(f, "task {first} and {} more", ids.len() - 1),
                _ => write!(f, "task {}", ids.first().copied().unwrap_or_default()),
            },
            On::DueMs(ms) if *ms < 0.0 => f.write_str("time, due now"),
            On::DueMs(ms) => write!(f, "time, due in {}", Millis(*ms)),
            On::Socket { fd, peer, direction } => {
                let direction = direction.as_deref().unwrap_or("io");
                let peer = peer.as_ref().map(|peer| format!(", {peer}")).unwrap_or_default();
                write!(f, "{direction} on descriptor {fd}{peer}")
            }
            On::Lock(holders) => write!(f, "lock{}", held_by(holders)),
            On::Unknown => f.write_str(task.waits_for.as_deref().unwrap_or("unknown")),
        }
    }
}

/// The words of the protocol that every task has are not copied.
fn word(text: Cow<'_, str>) -> Cow<'static, str> {
    const WORDS: [&str; 11] = [
        "waiting", "time", "io", "task", "channel", "lock", "event", "unknown", "ready", "running",
        "thread",
    ];
    let known = WORDS.into_iter().find(|known| *known == text);
    known.map_or_else(|| Cow::Owned(text.into_owned()), Cow::Borrowed)
}

/// `17 reader`, or only the number.
pub(crate) fn title(id: u64, name: Option<&str>) -> String {
    name.map_or(id.to_string(), |name| format!("{id} {name}"))
}

fn held_by(holders: &[u64]) -> String {
    let holders: Vec<_> = holders.iter().map(u64::to_string).collect();
    match holders.len() {
        0 => String::new(),
        1 => format!(" held by task {}", holders[0]),
        _ => format!(" held by tasks {}", holders.join(", ")),
    }
}

impl On {
    fn read(value: &Json) -> On {
        if let Some(id) = value.get("task").u64().or_else(|| value.get("child").u64()) {
            return On::Tasks(vec![id]);
        }
        if let Some(ms) = value.get("due_ms").f64() {
            return On::DueMs(ms);
        }
        if let Some(fd) = value.get("fd").u64() {
            let [peer, direction] = ["peer", "direction"].map(|key| value.get(key).owned());
            return On::Socket { fd, peer, direction };
        }
        match value.get("lock") {
            Json::Null => On::Unknown,
            lock => On::Lock(lock.get("held_by").list().iter().filter_map(Json::u64).collect()),
        }
    }
}

impl Stale {
    fn read(value: &Json) -> Option<Stale> {
        let on_loop = value.get("loop").u64().filter(|_| value.has("stale_ms"))?;
        let is_stuck = value.get("stuck").is_true();
        Some(Stale { on_loop, ms: value.get("stale_ms").f64(), is_stuck })
    }

    pub(crate) fn sentence(&self) -> String {
        let does = if self.is_stuck { "is stuck" } else { "does not answer" };
        match self.ms {
            Some(ms) => {
                format!("loop {} {does}: its tasks are those of {} ago", self.on_loop, duration(ms))
            }
            None => format!("loop {} {does}, and there is no snapshot of its tasks", self.on_loop),
        }
    }
}

impl Snapshot {
    /// Adds the peers of sockets, unless the program has named them.
    fn add_peers(&mut self) {
        let is_open = |task: &Task| matches!(task.on, On::Socket { peer: None, .. });
        if !self.tasks.iter().any(is_open) {
            return;
        }
        let peers = peers::peers(self.header.pid);
        for task in &mut self.tasks {
            if let On::Socket { fd, peer: peer @ None, .. } = &mut task.on {
                *peer = peers.get(fd).cloned();
            }
        }
    }

    /// Adds what a line of `tasks` says.
    fn add(&mut self, line: &str) -> Result<(), Failure> {
        match Task::read(line) {
            Ok(Some(task)) => self.tasks.push(task),
            // It is about a loop, is an error, or is no JSON.
            _ => self.stale.extend(Stale::read(&client::value(self.header.pid, line)?)),
        }
        Ok(())
    }
}

impl Loop {
    /// Reads a line of `status`.
    pub(crate) fn read(value: &Json) -> Option<Loop> {
        Some(Loop {
            id: value.get("loop").u64()?,
            name: value.get("name").owned(),
            phase: value.get("phase").owned().unwrap_or_else(|| "?".into()),
            turn_ms: value.get("turn_ms").f64(),
            task: value.get("task").u64(),
            task_name: value.get("task_name").owned(),
            spawned_at: value.get("spawned_at").owned(),
            polls: value.get("polls").u64().unwrap_or(0),
            kernel: Kernel::read(value.get("kernel")),
            snapshot_age_ms: value.get("snapshot_age_ms").f64(),
            is_stuck: value.get("stuck").is_true(),
        })
    }

    /// `1 main`, or only the number.
    pub(crate) fn title(&self) -> String {
        title(self.id, self.name.as_deref())
    }

    /// What the loop does, in words.
    pub(crate) fn phase_in_words(&self) -> String {
        let turn = self.turn_ms.map(|ms| format!(" for {}", duration(ms))).unwrap_or_default();
        match self.phase.as_str() {
            "turn" if self.is_stuck => format!("stuck in a turn{turn}"),
            "turn" => format!("in a turn{turn}"),
            "waiting" => "waiting for events".into(),
            "outside" => "not turned: nobody runs the loop now".into(),
            phase => phase.into(),
        }
    }

    /// Who holds a stuck loop, for how long, and what the kernel says of its thread.
    pub(crate) fn stuck_in_words(&self) -> Option<String> {
        if !self.is_stuck {
            return None;
        }
        let mut words = format!("loop {} is {}", self.title(), self.phase_in_words());
        if let Some(task) = self.task {
            words += &format!(" by task {}", title(task, self.task_name.as_deref()));
        }
        if let Some(place) = &self.spawned_at {
            words += &format!(", spawned at {place}");
        }
        if let Some(kernel) = &self.kernel {
            words += &format!("; its thread {}", kernel.in_words());
        }
        match self.snapshot_age_ms {
            Some(age) => words += &format!("; the last snapshot is {} old", duration(age)),
            None => words += "; there is no snapshot of its tasks",
        }
        Some(words)
    }
}

impl Kernel {
    fn read(value: &Json) -> Option<Kernel> {
        Some(Kernel {
            tid: value.get("tid").u64()?,
            state: value.get("state").owned().unwrap_or_default(),
            wchan: value.get("wchan").owned(),
            syscall: value.get("syscall").owned(),
            cpu_ms: value.get("cpu_ms").f64().unwrap_or(0.0),
        })
    }

    pub(crate) fn in_words(&self) -> String {
        // The system reports the name of the function in the kernel, and the number of the call.
        let place = match (&self.wchan, &self.syscall) {
            (Some(function), _) => format!(" in {function}"),
            (None, Some(number)) => format!(" in system call {number}"),
            (None, None) => String::new(),
        };
        match self.state.as_str() {
            "R" => "burns CPU".into(),
            "S" => format!("sleeps{place}"),
            "D" => format!("waits for a device{place}"),
            "T" | "t" => "is stopped".into(),
            state => format!("is in state {state}{place}"),
        }
    }
}

/// Asks for all tasks. `on_loop` limits the answer to one loop.
pub(crate) fn take(pid: u32, on_loop: Option<u64>) -> Result<Snapshot, Failure> {
    let mut answer = client::ask(pid, &tasks_command(on_loop), Duration::ZERO)?;
    let header = answer.header.clone();
    let mut snapshot = Snapshot { header, stale: Vec::new(), tasks: Vec::new() };
    answer.lines(|line| snapshot.add(line))?;
    snapshot.add_peers();
    Ok(snapshot)
}

/// The command that asks for the tasks of all loops, or of one.
pub(crate) fn tasks_command(on_loop: Option<u64>) -> String {
    on_loop.map_or("tasks".into(), |on_loop| format!("tasks {on_loop}"))
}

/// Asks for the state of all loops. Also a stuck loop has one.
pub(crate) fn loops(pid: u32) -> Result<(Header, Vec<Loop>), Failure> {
    let mut answer = client::ask(pid, "status", Duration::ZERO)?;
    let mut loops = Vec::new();
    answer.each(|_, value| {
        loops.extend(Loop::read(value));
        Ok(())
    })?;
    Ok((answer.header, loops))
}
