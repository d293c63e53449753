//! `evloop top PID`: the tasks that keep the loop busy, live. By sampling, so the program pays
//! nothing for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;
use std::time::Duration;

use evloop::signal::{self, SignalKind};

use crate::args::Args;
use crate::client::{self, Header};
use crate::failure::{Failure, failed};
use crate::json::{Json, object};
use crate::output::{alarms, head, print_all};
use crate::snapshot::{self, Loop, Snapshot, Task};
use crate::terminal::{self, Key, Screen, Style};
use crate::text::{Table, count, cut, escaped, percent};

const EVERY: Duration = Duration::from_secs(1);
/// How long a key or a new size of the terminal waits at most.
const PATIENCE: Duration = Duration::from_millis(100);
/// The lines of tasks when the output is no terminal.
const LINES: usize = 20;

/// A program, watched for a while and then looked at.
struct Look {
    header: Header,
    loops: Vec<Loop>,
    snapshot: Snapshot,
    /// The busy shares of tasks, by loop and task.
    shares: BTreeMap<(u64, u64), f64>,
    /// The busy shares of loops: that of code outside of tasks, too.
    busy: BTreeMap<u64, f64>,
}

pub(crate) fn run(mut args: Args) -> Result<(), Failure> {
    let is_json = args.flag("--json");
    let every = args.duration("--every")?.unwrap_or(EVERY);
    let rounds = args.number("-n")?;
    let pid = args.pid()?;
    args.end()?;
    let style = Style::of_stdout();
    if style.is_terminal() && !is_json && rounds.is_none() {
        return live(pid, every, style);
    }
    let mut round = 0;
    while rounds.is_none_or(|rounds| round < rounds) {
        round += 1;
        let look = Look::take(pid, every)?;
        if is_json {
            print_all(look.busiest().map(|(task, share)| line_of(task, share).to_string()))?;
        } else {
            print_all(look.page(style.columns(), LINES, style))?;
            print_all([""])?;
        }
    }
    Ok(())
}

fn line_of(task: &Task, share: f64) -> Json<'_> {
    object([
        ("loop", task.on_loop.into()),
        ("task", task.id.into()),
        ("name", task.name.as_deref().into()),
        ("spawned_at", task.spawned_at.as_deref().into()),
        ("busy_share", Json::Number(share)),
        ("polls", task.polls.into()),
    ])
}

/// Shows a page of the terminal until a key ends it. Another thread asks, so that keys are not
/// delayed.
fn live(pid: u32, every: Duration, style: Style) -> Result<(), Failure> {
    let first = Look::take(pid, every.min(PATIENCE))?;
    let (sender, looks) = mpsc::sync_channel(1);
    end_by_signals(sender.clone())?;
    thread::spawn(move || {
        loop {
            let look = Look::take(pid, every);
            let is_last = look.is_err();
            if sender.send(look).is_err() || is_last {
                return;
            }
        }
    });
    let screen = Screen::new().map_err(|error| failed(format!("the terminal: {error}")))?;
    let ended = show(&screen, first, &looks, style);
    drop(screen); // The sentence belongs on the page that stays.
    ended
}

/// Sends a failure once a signal asks the program to end: the terminal is restored before it does.
/// Another thread waits for the signals. Returns when it has begun to.
fn end_by_signals(sender: SyncSender<Result<Look, Failure>>) -> Result<(), Failure> {
    let (begins, begun) = mpsc::channel();
    thread::spawn(move || {
        evloop::block_on(async {
            let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()];
            let mut signals = match signal::unix_many(kinds) {
                Ok(signals) => signals,
                Err(error) => return begins.send(Err(error)).unwrap_or_default(),
            };
            begins.send(Ok(())).unwrap_or_default();
            if let Ok(kind) = signals.recv().await {
                let number = u8::try_from(kind.as_raw()).unwrap_or(0);
                // The page may have ended meanwhile.
                let _ = sender.send(Err(Failure::Signal(number)));
            }
        });
    });
    let begun = begun.recv().unwrap_or_else(|ended| Err(io::Error::other(ended)));
    begun.map_err(|error| failed(format!("cannot listen to signals: {error}")))
}

fn show(
    screen: &Screen,
    mut look: Look,
    looks: &Receiver<Result<Look, Failure>>,
    style: Style,
) -> Result<(), Failure> {
    let mut shown = None;
    loop {
        match looks.try_recv() {
            Ok(next) => (look, shown) = (next?, None),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
        let size = terminal::size();
        if shown != Some(size) {
            let (columns, lines) = size;
            screen.show(&look.page(columns, lines, style)).map_err(Failure::of_output)?;
            shown = Some(size);
        }
        if screen.key(PATIENCE) == Key::Quit {
            return Ok(());
        }
    }
}

impl Look {
    /// Samples for this long, then asks for what there is.
    fn take(pid: u32, time: Duration) -> Result<Look, Failure> {
        let command = format!("sample {}", time.as_millis().max(1));
        let (mut shares, mut busy) = (BTreeMap::new(), BTreeMap::new());
        client::ask(pid, &command, time)?.each(|_, value| {
            let (on_loop, task) = (value.get("loop").u64(), value.get("task").u64());
            let share = value.get("busy_share").f64();
            let Some((on_loop, share)) = on_loop.zip(share) else { return Ok(()) };
            match task {
                Some(task) => drop(shares.insert((on_loop, task), share)),
                None if !value.has("task") => drop(busy.insert(on_loop, share)),
                None => {}
            }
            Ok(())
        })?;
        let (header, loops) = snapshot::loops(pid)?;
        Ok(Look { header, loops, snapshot: snapshot::take(pid, None)?, shares, busy })
    }

    /// The tasks, the busiest first, then those with the most polls.
    fn busiest(&self) -> impl Iterator<Item = (&Task, f64)> {
        let share = |task: &Task| self.shares.get(&(task.on_loop, task.id)).copied();
        let tasks = self.snapshot.tasks.iter();
        let mut tasks: Vec<_> = tasks.map(|task| (task, share(task).unwrap_or(0.0))).collect();
        tasks.sort_by(|(a, a_share), (b, b_share)| {
            b_share.total_cmp(a_share).then(b.polls.cmp(&a.polls)).then(a.id.cmp(&b.id))
        });
        tasks.into_iter()
    }

    fn page(&self, columns: usize, lines: usize, style: Style) -> Vec<String> {
        let tasks = count(self.snapshot.tasks.len(), "task");
        let mut page = vec![cut_to(&format!("{}, {tasks}", head(&self.header, style)), columns)];
        for each in &self.loops {
            let busy = self.busy.get(&each.id).copied().unwrap_or(0.0);
            let text = format!("loop {}: {:>6} busy  ", each.title(), percent(busy));
            let phase = each.phase_in_words();
            page.push(cut(&escaped(&format!("{text}{}  {phase}", bar(busy))), columns));
        }
        for alarm in alarms(&self.loops, Some(&self.snapshot)) {
            page.push(style.alarm(&cut(&escaped(&alarm), columns)));
        }
        page.push(String::new());
        let columns_of =
            [">BUSY", ">LOOP", ">TASK", "NAME", ">POLLS", "SPAWNED AT", "WAITS FOR", "AT"];
        let mut table = Table::new(&columns_of);
        for (task, share) in self.busiest().take(lines.saturating_sub(page.len() + 1)) {
            let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
            table.row([
                percent(share),
                task.on_loop.to_string(),
                task.id.to_string(),
                or_dash(&task.name),
                task.polls.to_string(),
                or_dash(&task.spawned_at),
                task.wait_in_words().to_string(),
                or_dash(&task.at),
            ]);
        }
        let mut rows = table.lines(columns);
        page.extend(rows.next().map(|head| style.dim(&head)));
        page.extend(rows);
        page.truncate(lines);
        page
    }
}

/// The head has colours, which take no columns: it is cut only if it is wide without them.
fn cut_to(head: &str, columns: usize) -> String {
    if crate::text::width(head) > columns.saturating_add(8) {
        cut(head, columns)
    } else {
        head.into()
    }
}

/// A bar of ten characters.
fn bar(share: f64) -> String {
    let full = (share * 10.0).round().clamp(0.0, 10.0) as usize;
    "█".repeat(full) + &"░".repeat(10 - full)
}
