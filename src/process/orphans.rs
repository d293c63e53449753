//! Processes whose `Child` was dropped before they were reaped.
//!
//! A detached task of the loop reaps each of them. Processes that outlive their loop are kept in a
//! list. The list is checked whenever a process is started or added to the list.

use std::io;
use std::process;
use std::sync::{Mutex, PoisonError};

use super::running::Running;
use crate::context;
use crate::executor::SpawnOptions;
use crate::runtime::Handle;

/// Processes that no task waits for.
static UNREAPED: Mutex<Vec<process::Child>> = Mutex::new(Vec::new());

/// A process that its reaper task owns. If the loop drops the task before the process has ended,
/// the process is added to [`UNREAPED`].
struct Orphan(Option<Running>);

/// A process on its way from the thread that started it to its loop. If it is dropped on the way,
/// the loop reaps the process. If the loop has ended, the process is added to [`UNREAPED`].
pub(super) struct Unclaimed {
    process: Option<process::Child>,
    kill_on_drop: bool,
    /// The loop; `None` on the way to its reaper.
    home: Option<Handle>,
}

/// Spawns a task that reaps the process, unless it has ended already.
pub(super) fn reap_in_task(mut running: Running) {
    if !is_unreaped(running.try_reap()) {
        return;
    }
    match running.home().or_else(context::current) {
        Some(home) => {
            let name = format!("reaper of process {}", running.id());
            let options = SpawnOptions { name: Some(name.into()), ..SpawnOptions::here() };
            drop(home.executor.spawn_boxed(Orphan(Some(running)).reap(), options));
        }
        None => reap_later(running.into_std()),
    }
}

/// Adds a process to the list of those that are reaped when the next one is started.
pub(super) fn reap_later(process: process::Child) {
    let mut unreaped = UNREAPED.lock().unwrap_or_else(PoisonError::into_inner);
    unreaped.push(process);
    unreaped.retain_mut(|process| is_unreaped(process.try_wait()));
}

/// Reaps the processes of the list that have ended.
pub(super) fn reap() {
    let mut unreaped = UNREAPED.lock().unwrap_or_else(PoisonError::into_inner);
    unreaped.retain_mut(|process| is_unreaped(process.try_wait()));
}

impl Orphan {
    async fn reap(mut self) {
        if let Some(running) = &mut self.0 {
            // An error: the loop of the process has ended and this task runs on another loop.
            // `drop` adds the process to the list.
            if running.reaped().await.is_ok() {
                self.0 = None;
            }
        }
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            reap_later(running.into_std());
        }
    }
}

impl Unclaimed {
    pub(super) fn new(process: process::Child, kill_on_drop: bool, home: &Handle) -> Unclaimed {
        Unclaimed { process: Some(process), kill_on_drop, home: Some(home.clone()) }
    }

    pub(super) fn claim(mut self) -> process::Child {
        self.process.take().expect("a process is claimed once")
    }

    /// Reaps the process in a task of the running loop.
    fn reap(self) {
        match Running::new(self.claim(), &context::expect("process::Command::spawn_async")) {
            Ok(running) => reap_in_task(running),
            Err((process, _)) => reap_later(process),
        }
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if self.kill_on_drop {
            // `kill` fails for a process that runs as another user: it runs on.
            let _ = process.kill();
        }
        // Closes the pipes, so that a child that reads its input ends.
        drop((process.stdin.take(), process.stdout.take(), process.stderr.take()));
        match self.home.take() {
            Some(home) => {
                let orphan = Unclaimed { process: Some(process), kill_on_drop: false, home: None };
                home.call_threadsafe(move || orphan.reap());
            }
            None => reap_later(process),
        }
    }
}

/// Returns whether the process may still have to be reaped. An error means that it was reaped
/// elsewhere.
fn is_unreaped(status: io::Result<Option<process::ExitStatus>>) -> bool {
    matches!(status, Ok(None))
}
