//! The state that all loops and tasks of a program share, and the checks after each turn.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use evloop::Runtime;
use evloop::task::{JoinError, JoinSet};

use super::census::{Census, Outcome, Raised, Task, Value, dispose, stranger};
use super::handle::{AnyHandle, Entry};
use super::helper;
use super::shared::{Channels, Locks};
use super::wait::{Gate, Wait, Waiting};

/// A wait whose condition holds for more turns counts as lost or starved.
const LATE_MAX: usize = 400;
/// The same for a timeout, in a program without crowds and towers.
const LIMIT_LATE_MAX: usize = 8;
/// The number of turns without progress after which a program is released: all its waits end.
const QUIET_MAX: usize = 12;
/// The number of turns in which a released program must end.
const RELEASED_MAX: usize = 600;
/// The number of polls in a turn: turns stay short though tasks spend the budget of each poll.
const BATCH_MAX: usize = 32;
/// The test does not wait for later deadlines.
const SOON: Duration = Duration::from_secs(1);

pub struct World {
    pub census: Arc<Census>,
    pub handles: RefCell<Vec<Rc<Entry>>>,
    pub sets: [Cell<Option<JoinSet<Value>>>; 2],
    pub members: [RefCell<Vec<Arc<Task>>>; 2],
    pub gates: [Gate; 8],
    pub channels: Channels,
    pub locks: Locks,
    /// Futures that outlive their task, and perhaps their loop.
    pub left: RefCell<Vec<Box<dyn Any>>>,
    /// The running loop. Nested ones count too.
    pub in_loop: Cell<usize>,
    pub released: Cell<bool>,
    pub given_up: Cell<bool>,
    pub root_waker: RefCell<Option<Waker>>,
    pub is_crowded: bool,
    /// Each round is one turn of the loop.
    pub counts_turns: Cell<bool>,
    /// A waker of the test panics when its loop ends, so the shutdown panics too.
    pub end_may_panic: Cell<bool>,
    complaints: RefCell<Vec<String>>,
    pub waits: RefCell<BTreeMap<usize, Rc<Wait>>>,
    waits_made: Cell<usize>,
    tasks_made: AtomicUsize,
    loops_over: RefCell<Vec<bool>>,
    progress: Cell<usize>,
    pub round: Cell<usize>,
    seen: Cell<usize>,
    quiet: Cell<usize>,
    released_for: Cell<usize>,
}

/// A runtime of a program, and its number.
pub struct Loop {
    pub number: usize,
    world: Rc<World>,
    pub runtime: Option<Runtime>,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

impl World {
    pub fn new(census: Arc<Census>, is_crowded: bool) -> Rc<World> {
        let world = Rc::new(World {
            handles: RefCell::default(),
            sets: [Cell::new(Some(JoinSet::new())), Cell::new(Some(JoinSet::new()))],
            members: Default::default(),
            gates: Default::default(),
            channels: Channels::new(&census),
            locks: Locks::new(),
            left: RefCell::default(),
            in_loop: Cell::new(usize::MAX),
            released: Cell::new(false),
            given_up: Cell::new(false),
            root_waker: RefCell::default(),
            is_crowded,
            counts_turns: Cell::new(false),
            end_may_panic: Cell::new(false),
            complaints: RefCell::default(),
            waits: RefCell::default(),
            waits_made: Cell::new(0),
            tasks_made: AtomicUsize::new(0),
            loops_over: RefCell::default(),
            progress: Cell::new(0),
            round: Cell::new(0),
            seen: Cell::new(0),
            quiet: Cell::new(0),
            released_for: Cell::new(0),
            census,
        });
        WORLD.with(|here| here.replace(Some(world.clone())));
        world
    }

    /// Returns the world of the program that runs on this thread.
    pub fn here() -> Rc<World> {
        WORLD.with(|here| here.borrow().clone()).expect("a program runs on this thread")
    }

    pub fn leave() {
        let world = WORLD.with(|here| here.replace(None));
        drop(world);
    }

    #[track_caller]
    pub fn complain(&self, text: impl Into<String>) {
        self.complaints.borrow_mut().push(text.into());
    }

    pub fn complaints(&self) -> Vec<String> {
        self.complaints.borrow().clone()
    }

    pub fn note_progress(&self) {
        self.progress.set(self.progress.get() + 1);
    }

    pub fn new_task(&self) -> Arc<Task> {
        let number = self.tasks_made.fetch_add(1, Ordering::SeqCst);
        Arc::new(Task { number, in_loop: self.in_loop.get().into(), ..Task::default() })
    }

    pub fn is_loop_over(&self, number: usize) -> bool {
        self.loops_over.borrow().get(number).is_none_or(|is_over| *is_over)
    }

    /// Returns a number for a new loop.
    pub fn begin_loop(&self) -> usize {
        let mut loops = self.loops_over.borrow_mut();
        loops.push(false);
        loops.len() - 1
    }

    pub fn end_loop(&self, number: usize) {
        self.loops_over.borrow_mut()[number] = true;
    }

    pub fn new_loop(self: &Rc<World>) -> Loop {
        let number = self.begin_loop();
        let world = self.clone();
        let builder = Runtime::builder().batch_max(BATCH_MAX);
        let builder = builder.on_task_error(move |error| world.hear(number, error));
        Loop { number, world: self.clone(), runtime: Some(builder.build().unwrap()) }
    }

    /// Checks the panic of a task that a loop reports.
    fn hear(&self, number: usize, error: JoinError) {
        if let Ok(payload) = error.try_into_panic() {
            if let Some(raised) = payload.downcast_ref::<Raised>() {
                let from = raised.in_loop;
                // A scope that outlived its loop may raise a panic in a turn of the next one. Its
                // own loop reports it.
                let is_over = self.is_loop_over(from) || self.is_loop_over(number);
                if from != number && !is_over {
                    self.complain(format!("loop {number} reports a panic of loop {from}"));
                }
            }
            self.check_payload(payload);
        }
    }

    /// Drops a payload that was propagated. Only payloads of the program may be.
    pub fn check_payload(&self, payload: Box<dyn Any + Send>) {
        if let Some(text) = stranger(payload) {
            self.complain(format!("a panic that is not the program's: {text}"));
        }
    }

    /// Compares a task's output with the recorded outcome of its future.
    pub fn judge(&self, task: &Task, output: Result<Value, JoinError>) {
        let (number, outcome) = (task.number, task.outcome());
        let in_loop = task.in_loop.load(Ordering::SeqCst);
        let may_be_cancelled =
            task.may_be_cancelled.load(Ordering::SeqCst) || self.is_loop_over(in_loop);
        let is_right = match (&output, outcome) {
            (Ok(value), Outcome::Value(made)) => value.number == made,
            (Err(error), Outcome::Panicked) => error.is_panic(),
            (Err(error), Outcome::Dropped | Outcome::None) => {
                error.is_cancelled() && may_be_cancelled
            }
            _ => false,
        };
        if !is_right {
            let output = output.as_ref().map(|value| value.number);
            self.complain(format!(
                "task {number} had {outcome:?} (it may be cancelled: {may_be_cancelled}), and its \
                 handle returned {output:?}"
            ));
        }
        if let Err(Ok(payload)) = output.map_err(JoinError::try_into_panic) {
            self.check_payload(payload);
        }
    }

    pub fn begin_wait(self: &Rc<World>, wait: Wait) -> Waiting {
        let key = self.waits_made.replace(self.waits_made.get() + 1);
        let wait = Rc::new(wait);
        self.waits.borrow_mut().insert(key, wait.clone());
        Waiting { world: self.clone(), key, wait }
    }

    /// Checks all waits. Called after each turn.
    pub fn end_round(&self) {
        self.round.set(self.round.get() + 1);
        self.check_waits();
        if !self.complaints.borrow().is_empty() {
            return self.give_up();
        }
        if self.released.get() {
            self.released_for.set(self.released_for.get() + 1);
            if self.released_for.get() > RELEASED_MAX {
                self.complain("all waits have ended, but the loop's first task does not");
                self.give_up();
            }
            return;
        }
        if self.seen.replace(self.progress.get()) != self.progress.get() || self.expects_more() {
            self.quiet.set(0);
            return;
        }
        self.quiet.set(self.quiet.get() + 1);
        if self.quiet.get() > QUIET_MAX {
            self.release();
        }
    }

    /// Returns whether time or the second thread will change something soon.
    fn expects_more(&self) -> bool {
        let is_soon = |deadline: Instant| deadline < Instant::now() + SOON;
        let is_timed = |wait: &Rc<Wait>| wait.is_attended && wait.deadline.is_some_and(is_soon);
        !helper::is_idle() || self.waits.borrow().values().any(is_timed)
    }

    fn check_waits(&self) {
        let waits: Vec<_> = self.waits.borrow().values().cloned().collect();
        let round = self.round.get();
        for wait in waits {
            if !wait.is_attended || !(wait.is_due)(self) {
                wait.due_since.set(None);
                continue;
            }
            let since = wait.due_since.get().unwrap_or(round);
            wait.due_since.set(Some(since));
            let is_strict = wait.is_limit && !self.is_crowded;
            let most = if is_strict { LIMIT_LATE_MAX } else { LATE_MAX };
            if round - since > most {
                self.complain(format!("{} is due for {most} turns", wait.what));
            }
        }
    }

    /// Ends all waits when nothing else will end them. A wait that is due by then was lost.
    fn release(&self) {
        let (round, waits) = (self.round.get(), self.waits.borrow().clone());
        for wait in waits.values() {
            if wait.due_since.get().is_some_and(|since| round - since > QUIET_MAX / 2) {
                self.complain(format!("{} was never woken", wait.what));
            }
        }
        self.released.set(true);
        for waker in waits.values().filter_map(|wait| wait.waker.take()) {
            waker.wake();
        }
    }

    fn give_up(&self) {
        self.given_up.set(true);
        if !self.released.get() {
            self.release();
        }
        if let Some(waker) = self.root_waker.take() {
            waker.wake();
        }
    }

    /// Begins another loop.
    pub fn begin_life(&self) {
        self.released.set(false);
        self.released_for.set(0);
        self.quiet.set(0);
        drop(self.root_waker.take());
    }

    /// Drops all remaining objects, and checks all handles. No loop runs.
    pub fn end(&self) {
        helper::flush();
        while let Some(left) = { self.left.borrow_mut().pop() } {
            self.dispose(left);
        }
        let handles = self.handles.take();
        for entry in &handles {
            if let Some(handle) = entry.take() {
                self.check_handle(entry, handle);
            }
        }
        for (set, members) in self.sets.iter().zip(&self.members) {
            if let Some(mut set) = set.take() {
                while let Some(output) = set.try_join_next() {
                    self.check_member(members, output);
                }
                if !set.is_empty() {
                    self.complain(format!("{} tasks of a set never ended", set.len()));
                }
                self.dispose(set);
            }
        }
        self.channels.clear(self);
        self.gates.iter().for_each(|gate| drop(gate.wakers.take()));
        drop(self.root_waker.take());
        if !self.waits.borrow().is_empty() {
            let waits: Vec<_> = self.waits.take().into_values().map(|w| w.what.clone()).collect();
            self.complain(format!("futures that were never dropped: {waits:?}"));
        }
    }

    pub fn dispose(&self, value: impl Any) {
        if let Some(text) = dispose(value) {
            self.complain(format!("a destructor's panic that is not the program's: {text}"));
        }
    }

    /// Checks the handle of a task whose loop or scope has ended.
    fn check_handle(&self, entry: &Entry, mut handle: AnyHandle) {
        let mut cx = Context::from_waker(Waker::noop());
        let task = &entry.task;
        match handle.poll_output(&mut cx) {
            Poll::Ready(output) => self.judge(task, output),
            Poll::Pending => {
                self.complain(format!("the handle of task {} never resolves", task.number));
            }
        }
        self.dispose(handle);
    }

    /// Checks the output of a member of a set. Only the output identifies the member.
    pub fn check_member(
        &self,
        members: &RefCell<Vec<Arc<Task>>>,
        output: Result<Value, JoinError>,
    ) {
        let members = members.borrow();
        let task = members.iter().find(|task| match &output {
            Ok(value) => task.outcome() == Outcome::Value(value.number),
            Err(error) => task.id() == Some(error.task_id()),
        });
        match task {
            None => self.complain("a set returned an output that no member had"),
            Some(task) => {
                if task.is_joined.swap(true, Ordering::SeqCst) {
                    self.complain(format!("a set returned task {} twice", task.number));
                }
                self.judge(task, output);
            }
        }
    }

    /// Runs code that belongs to a loop.
    pub fn inside<T>(&self, number: usize, f: impl FnOnce() -> T) -> T {
        let outer = self.in_loop.replace(number);
        let result = catch_unwind(AssertUnwindSafe(f));
        self.in_loop.set(outer);
        result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let runtime = self.runtime.take();
        let ended =
            self.world.inside(self.number, || catch_unwind(AssertUnwindSafe(|| drop(runtime))));
        self.world.end_loop(self.number);
        if let Err(payload) = ended {
            self.world.check_payload(payload);
        }
    }
}

/// Returns a handle that another thread made, or will make.
pub type Late<T> = Arc<Mutex<Option<T>>>;
