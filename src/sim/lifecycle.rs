//! The hosts of a world: how they start and how they end.
//!
//! Invariant: a host never ends inside of its own turn: the driver ends it after the turn.

use std::mem;
use std::net::IpAddr;
use std::panic::Location;

use super::driver::{Driver, SCRIPT};
use super::failure::{Failure, LISTED_MAX, describe_tasks};
use super::machine::{Machine, Program};
use super::slot::{End, Slot, Start};
use crate::caught::catch;
use crate::context;
use crate::debug::task_lines;
use crate::executor::JoinError;
use crate::runtime::Builder;
use crate::world::{HostId, Kind};

impl<'env> Driver<'env> {
    /// Adds a host that is down.
    #[track_caller]
    pub(super) fn add(&self, name: &str, start: Option<Start<'env>>) -> HostId {
        self.assert_running();
        self.assert_free(name);
        assert!(
            self.leaf.addrs(name).is_none(),
            "{name:?} is a name of World::set_name: give the host another one"
        );
        let id = self.leaf.add_host(name);
        self.names.borrow_mut().insert(name.into(), id);
        self.watched.add_host(name);
        self.hosts.borrow_mut().push(Slot::new(Location::caller(), start));
        id
    }

    /// Checks that a host may have this name.
    #[track_caller]
    pub(super) fn assert_free(&self, name: &str) {
        assert!(
            !self.names.borrow().contains_key(name),
            "the world has a host {name:?} already: use another name, or Host::restart"
        );
        assert!(
            name != "localhost" && name.parse::<IpAddr>().is_err() && !name.is_empty(),
            "{name:?} cannot be the name of a host: it names an address already, or is empty"
        );
    }

    /// Starts the program of a host that is down; `None`: the script's.
    pub(super) fn start(&self, id: HostId, program: Option<Program<'env>>) {
        let (name, failure) = (self.leaf.name(id), self.failure.clone());
        let (host, leaf) = (name.clone(), self.leaf.clone());
        let on_error = move |error: JoinError| {
            if error.is_panic() {
                let failed = Failure::of_host(host.clone(), error.to_string());
                failure.borrow_mut().get_or_insert(failed);
            } else {
                // Often that of a network with faults: it does not fail the run.
                leaf.note(id, &error.to_string());
                eprintln!("evloop: host `{host}`: {error}");
            }
        };
        // No other thread may look at the loop, whatever the environment says.
        let builder = Builder::new().name(&*name).on_task_error(on_error);
        #[cfg(feature = "inspect")]
        let builder = builder.inspect(false);
        let started_at = self.slot(id, |slot| slot.started_at);
        let machine = self.as_host(id, || Machine::new(builder, started_at));
        let machine = machine.unwrap_or_else(|error| panic!("a host has no loop: {error}"));
        self.slot(id, |slot| (slot.machine, slot.program) = (Some(machine), program));
        self.leaf.mark_runnable(id);
    }

    /// Starts a host again. If it is up, it is killed first.
    #[track_caller]
    pub(super) fn restart(&self, id: HostId) {
        self.assert_running();
        let start = self.slot(id, |slot| slot.start.clone());
        let Some(start) = start else {
            panic!("the program of a client runs once: it cannot be restarted")
        };
        self.end(id, End::Kill);
        let is_in_turn = self.slot(id, |slot| {
            slot.restarts = slot.is_in_turn;
            slot.is_in_turn
        });
        if !is_in_turn {
            self.start_again(id, &start);
        }
    }

    fn start_again(&self, id: HostId, start: &Start<'env>) {
        self.leaf.start(id);
        let program = self.as_host(id, || start());
        self.start(id, Some(program));
    }

    /// Ends a host that is up: at once, or after its turn if it runs one.
    #[track_caller]
    pub(super) fn end(&self, id: HostId, how: End) {
        self.assert_running();
        assert!(id != SCRIPT, "the script of a world cannot be ended: return from it");
        if !self.slot(id, |slot| slot.is_up()) {
            // The system of a host whose program has ended still answers.
            if how == End::Crash && self.leaf.has_power(id) {
                self.leaf.crash(id);
            }
            return;
        }
        // Before the destructors of the host run: what they send does not reach the network.
        match how {
            End::Crash => self.leaf.crash(id),
            End::Kill => self.leaf.kill(id),
            End::Stop => self.leaf.record(Kind::Stop, id, 0),
        }
        let ended = self.slot(id, |slot| {
            (slot.ends, slot.restarts) = (slot.is_in_turn, false);
            slot.machine.take().map(|machine| (machine, slot.program.take()))
        });
        if let Some((machine, program)) = ended {
            self.drop_machine(id, machine, program);
        }
    }

    /// Ends the turn of a host. Ends the host if its program is done, or if it has asked for that.
    pub(super) fn put_back(
        &self,
        id: HostId,
        machine: Machine,
        program: Option<Program<'env>>,
        is_done: bool,
    ) {
        let (ends, start) = self.slot(id, |slot| {
            slot.is_in_turn = false;
            let restarts = mem::take(&mut slot.restarts);
            (mem::take(&mut slot.ends), if restarts { slot.start.clone() } else { None })
        });
        if is_done || ends {
            self.drop_machine(id, machine, program);
        } else {
            self.slot(id, |slot| (slot.machine, slot.program) = (Some(machine), program));
        }
        if let Some(start) = start {
            self.start_again(id, &start);
        }
    }

    /// Drops the loop of a host. A panic of a destructor fails the run.
    fn drop_machine(&self, id: HostId, machine: Machine, program: Option<Program<'_>>) {
        if let Some(panic) = self.as_host(id, || machine.end(program)) {
            self.fail(Failure::panicked(self.leaf.name(id), &panic));
        }
    }

    /// Ends the world: drops the script, the hosts in their order, and what they have stored.
    pub(super) fn close(&self, script: Program<'_>) {
        let mut script = Some(script);
        self.has_ended.set(true);
        // A destructor may not add hosts any more.
        let hosts = self.hosts.borrow().len() as u32;
        for id in (0..hosts).map(HostId) {
            let up = self.slot(id, |slot| Some((slot.machine.take()?, slot.program.take())));
            match up {
                Some((machine, None)) => self.drop_machine(id, machine, script.take()),
                Some((machine, program)) => self.drop_machine(id, machine, program),
                None => {}
            }
        }
        // A handle that outlives the world keeps the driver.
        self.watched.end();
        // These hold the driver: hosts of the script's world.
        let starts: Vec<_> = self.hosts.borrow_mut().iter_mut().map(|s| s.start.take()).collect();
        self.drop_as_script(script);
        starts.into_iter().for_each(|start| self.drop_as_script(start));
        self.invariants.take().into_iter().for_each(|check| self.drop_as_script(check));
    }

    /// Drops what belongs to the script. A panic of a destructor fails the run.
    fn drop_as_script(&self, value: impl Sized) {
        if let Err(panic) = self.as_host(SCRIPT, || catch(|| drop(value))) {
            self.fail(Failure::panicked(self.leaf.name(SCRIPT), &panic));
        }
    }

    /// Describes the tasks of the hosts: what they wait for. No user code runs.
    pub(super) fn describe_hosts(&self) -> String {
        let hosts = self.hosts.borrow();
        let mut text = String::new();
        for (slot, id) in hosts.iter().zip((0..).map(HostId)).take(LISTED_MAX) {
            let lines = match &slot.machine {
                Some(machine) => Some(self.as_host(id, || machine.task_lines())),
                // The host whose code runs now.
                None if slot.is_in_turn => context::current().map(|own| task_lines(&own)),
                None => None,
            };
            text += &describe_tasks(&self.leaf.name(id), self.leaf.is_paused(id), lines);
        }
        if hosts.len() > LISTED_MAX {
            text += &format!("\n    and {} more hosts", hosts.len() - LISTED_MAX);
        }
        text
    }

    #[track_caller]
    pub(super) fn assert_running(&self) {
        assert!(!self.has_ended.get(), "the simulated world has ended: use it inside its script");
    }
}
