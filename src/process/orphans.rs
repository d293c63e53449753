//! Processes whose `Child` was dropped before they were reaped.
//!
//! A detached task of the loop reaps each. Those that outlive their loop are kept in a list, which
//! is gone through when a process is started or another one is kept.

use std::io;
use std::process;
use std::sync::{Mutex, PoisonError};

use super::running::Running;
use crate::context;
use crate::executor::SpawnOptions;

/// Those that no task waits for.
static KEPT: Mutex<Vec<process::Child>> = Mutex::new(Vec::new());

/// What the task owns. Dropped too early, with its loop, it is kept.
struct Orphan(Option<Running>);

/// A process on its way from the thread that started it to its loop. Dropped, it is kept.
pub(super) struct Unclaimed {
    process: Option<process::Child>,
    kill_on_drop: bool,
}

/// Sees to it that the process is reaped.
pub(super) fn adopt(mut running: Running) {
    if !may_live(running.try_reap()) {
        return;
    }
    match running.home().or_else(context::current) {
        Some(home) => {
            let name = format!("reaper of process {}", running.id());
            let options = SpawnOptions { name: Some(name.into()), ..SpawnOptions::here() };
            drop(home.executor.spawn(Orphan(Some(running)).reap(), options));
        }
        None => keep(running.into_std()),
    }
}

/// The same for one that is not watched.
pub(super) fn keep(process: process::Child) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(process);
    kept.retain_mut(|process| may_live(process.try_wait()));
}

/// Reaps those that have ended meanwhile.
pub(super) fn reap() {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain_mut(|process| may_live(process.try_wait()));
}

impl Orphan {
    async fn reap(mut self) {
        if let Some(running) = &mut self.0 {
            // An error: its loop has ended, and this runs on another. It is kept then.
            if running.reaped().await.is_ok() {
                self.0 = None;
            }
        }
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            keep(running.into_std());
        }
    }
}

impl Unclaimed {
    pub(super) fn new(process: process::Child, kill_on_drop: bool) -> Unclaimed {
        Unclaimed { process: Some(process), kill_on_drop }
    }

    pub(super) fn claim(mut self) -> process::Child {
        self.process.take().expect("a process is claimed once")
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if self.kill_on_drop {
            // It fails for one that runs as another user: then it runs on.
            let _ = process.kill();
        }
        // So that it is not waited for by a child that reads it.
        drop((process.stdin.take(), process.stdout.take(), process.stderr.take()));
        keep(process);
    }
}

/// Whether there is still something to reap. Errors say that another has done so.
fn may_live(status: io::Result<Option<process::ExitStatus>>) -> bool {
    matches!(status, Ok(None))
}
