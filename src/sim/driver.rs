//! The driver of a world: which host runs a turn, and when the time advances.
//!
//! Invariant: nothing of the driver is borrowed while code of a host runs, since that may call the
//! driver: to start, crash or pause a host.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::failure::{Failure, standstill};
use super::machine::{Machine, Program, Turned};
use super::options::{Options, Order};
use super::slot::Slot;
use super::watchdog::Watched;
use crate::caught::{Caught, catch};
use crate::current::budget;
use crate::executor::Root;
use crate::world::{self as leaf, HostId, Stream, TURNS_WITHOUT_EVENT};

/// The host of the script.
pub(super) const SCRIPT: HostId = HostId::SCRIPT;

/// The same for turns at one instant, with events: packets that take no time. More than the turns
/// of a large world whose hosts have a timer at one instant.
const TURNS_AT_AN_INSTANT: u32 = 30_000;

/// A world that runs.
pub(super) struct Driver<'env> {
    pub(super) leaf: Rc<leaf::World>,
    pub(super) seed: u64,
    pub(super) options: Options,
    pub(super) hosts: RefCell<Vec<Slot<'env>>>,
    pub(super) names: RefCell<BTreeMap<Rc<str>, HostId>>,
    pub(super) invariants: RefCell<Vec<Rc<dyn Fn() + 'env>>>,
    /// The first failure. Shared with the loops, whose error handlers write it.
    pub(super) failure: Rc<RefCell<Option<Failure>>>,
    turns: Cell<u64>,
    turns_without_event: Cell<u32>,
    turns_at_an_instant: Cell<u32>,
    pub(super) has_ended: Cell<bool>,
    pub(super) watched: Watched,
}

impl<'env> Driver<'env> {
    pub(super) fn new(leaf: Rc<leaf::World>, seed: u64, options: Options) -> Rc<Driver<'env>> {
        budget::reset();
        leaf::reset();
        Rc::new(Driver {
            leaf,
            seed,
            options,
            hosts: RefCell::default(),
            names: RefCell::default(),
            invariants: RefCell::default(),
            failure: Rc::default(),
            turns: Cell::new(0),
            turns_without_event: Cell::new(0),
            turns_at_an_instant: Cell::new(0),
            has_ended: Cell::new(false),
            watched: Watched::new(seed, options.poll_limit),
        })
    }

    /// Runs the world until its script completes, or until the run fails.
    pub(super) fn drive(&self, script: &mut Program<'_>) -> Result<(), Failure> {
        loop {
            let Some(id) = self.leaf.next_runnable() else {
                self.advance()?;
                continue;
            };
            let is_done = self.turn(id, script);
            self.count_turn()?;
            self.check_invariants();
            if leaf::take_intrusion() {
                self.fail(Failure::of_host(self.leaf.name(id), leaf::INTRUSION.into()));
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if id == SCRIPT && is_done {
                return Ok(());
            }
        }
    }

    /// Runs a turn of a host. Returns whether its program has completed.
    fn turn(&self, id: HostId, script: &mut Program<'_>) -> bool {
        let Some((mut machine, mut program)) = self.slot(id, Slot::begin_turn) else {
            return false;
        };
        self.watched.begin_turn(id, self.leaf.nanos());
        let turned = self.as_host(id, || {
            let random = || self.leaf.random(Stream::Tasks);
            let random = (self.options.order == Order::Seeded).then_some(random);
            let program: Root<'_> = match &mut program {
                Some(program) => program.as_mut(),
                None => script.as_mut(),
            };
            machine.turn(program, random)
        });
        let is_done = matches!(turned, Ok(Turned::Done));
        self.after_turn(id, &machine, turned);
        self.put_back(id, machine, program, is_done);
        is_done
    }

    /// Has the world run the host again when it must.
    fn after_turn(&self, id: HostId, machine: &Machine, turned: Result<Turned, Caught>) {
        match turned {
            Ok(Turned::Done) => {}
            Ok(Turned::Ready) => self.leaf.mark_runnable(id),
            Ok(Turned::Waits) => {
                let timer = machine.next_timer();
                self.leaf.set_timer(id, timer.map(|nanos| self.leaf.true_nanos(id, nanos)));
            }
            Err(panic) => self.fail(Failure::panicked(self.leaf.name(id), &panic)),
        }
    }

    /// Advances the time to the next event, and handles it: no host has anything to do.
    fn advance(&self) -> Result<(), Failure> {
        let Some(at) = self.leaf.next_event() else {
            return Err(standstill(self.describe_hosts()));
        };
        self.check_time(at)?;
        self.turns_without_event.set(0);
        if at > self.leaf.nanos() {
            self.turns_at_an_instant.set(0);
        }
        self.leaf.advance();
        Ok(())
    }

    /// Fails if the time limit is reached before `nanos`. The time is then that of the limit.
    fn check_time(&self, nanos: u64) -> Result<(), Failure> {
        let limit = self.options.time_limit;
        let end = crate::clock::nanos(limit);
        if nanos <= end {
            return Ok(());
        }
        self.leaf.pass(end.saturating_sub(self.leaf.nanos()));
        let hosts = self.describe_hosts();
        Err(Failure::of_world(format!(
            "the script has not ended after {limit:?} (raise it by Sim::time_limit, or look what \
             waits):{hosts}"
        )))
    }

    /// Counts a turn. Lets the time pass if there were many at this instant.
    fn count_turn(&self) -> Result<(), Failure> {
        let increment = |count: &Cell<u32>| count.replace(count.get() + 1);
        let turns = self.turns.get() + 1;
        self.turns.set(turns);
        if turns > self.options.step_limit {
            return Err(Failure::of_world(format!(
                "the script has not ended after {} turns (raise the number by Sim::step_limit; do \
                 tasks wake each other for ever?):{}",
                self.options.step_limit,
                self.describe_hosts()
            )));
        }
        let is_many = increment(&self.turns_without_event) >= TURNS_WITHOUT_EVENT;
        if increment(&self.turns_at_an_instant) >= TURNS_AT_AN_INSTANT || is_many {
            return self.pass_turn();
        }
        Ok(())
    }

    /// Lets the time of a turn pass, but not beyond the next event, which is handled.
    fn pass_turn(&self) -> Result<(), Failure> {
        let end = self.leaf.turn_end();
        self.check_time(end)?;
        self.leaf.pass_until(end);
        Ok(())
    }

    /// Calls the invariants, which panic if they do not hold. Their time is that of the script.
    fn check_invariants(&self) {
        for index in 0.. {
            let Some(check) = self.invariants.borrow().get(index).cloned() else { return };
            if let Err(panic) = self.as_host(SCRIPT, || catch(|| check())) {
                self.fail(Failure::panicked("an invariant".into(), &panic));
            }
        }
    }

    /// Records a failure, unless there is one. The run ends after the turn.
    pub(super) fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
    }

    /// Records the error that the program of a host has returned.
    pub(super) fn fail_host(&self, name: Rc<str>, error: String) {
        self.fail(Failure::of_host(name, error));
    }

    /// Calls `f` with a host as the current one.
    pub(super) fn as_host<T>(&self, id: HostId, f: impl FnOnce() -> T) -> T {
        let outer = self.leaf.set_host(Some(id));
        let result = f();
        self.leaf.set_host(outer);
        result
    }

    /// Calls `f` with the record of a host, which is borrowed: `f` must not run user code.
    pub(super) fn slot<T>(&self, id: HostId, f: impl FnOnce(&mut Slot<'env>) -> T) -> T {
        f(&mut self.hosts.borrow_mut()[id.0 as usize])
    }

    pub(super) fn turns(&self) -> u64 {
        self.turns.get()
    }
}
