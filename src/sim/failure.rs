//! Why a run failed, and the message about it.

use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use super::options::Options;
use crate::caught::Caught;

/// At most this many tasks of a host, and hosts, are listed.
pub(super) const LISTED_MAX: usize = 20;

/// The number of events before the failure that are shown.
pub(super) const SHOWN: usize = 12;

/// The first failure of a run.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    /// A failure that belongs to no host.
    pub(super) fn of_world(text: String) -> Failure {
        Failure(text)
    }

    pub(super) fn of_host(name: Rc<str>, text: String) -> Failure {
        Failure(format!("host `{name}`: {text}"))
    }

    /// A panic of the program of a host, or of an invariant.
    pub(super) fn panicked(name: Rc<str>, panic: &Caught) -> Failure {
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Failure(format!("`{name}` panicked: {}", text.unwrap_or("with a payload that is no text")))
    }

    /// Returns the message of the run that has failed, after `nanos` of virtual time and `turns`.
    /// `events` are the last ones.
    pub(super) fn report(
        &self,
        nanos: u64,
        turns: u64,
        seed: u64,
        options: &Options,
        events: &str,
    ) -> String {
        let time = Duration::from_nanos(nanos);
        [
            format!("the simulated world failed: {}", self.0),
            format!("at {time:?} of virtual time, turn {turns}, seed {seed}"),
            format!("sim::check runs this seed alone with EVLOOP_SIM_SEED={seed}"),
            format!("{options:?}"),
            format!("the last events:{events}"),
        ]
        .join("\n  ")
    }
}

/// The failure of a world in which nothing can happen any more.
pub(super) fn standstill(hosts: String) -> Failure {
    Failure(format!(
        "nothing can happen any more: no task is ready, no packet is under way, no timer \
         comes due, and the script has not ended. What waits:{hosts}"
    ))
}

/// Describes a host by the lines about its tasks. `None`: it is down.
pub(super) fn describe_tasks(name: &str, is_paused: bool, lines: Option<Vec<String>>) -> String {
    let mut text = format!("\n    host `{name}`");
    let Some(lines) = lines else { return text + " is down" };
    if is_paused {
        text += " is paused";
    }
    for line in lines.iter().take(LISTED_MAX) {
        let _ = write!(text, "\n    {line}");
    }
    if lines.len() > LISTED_MAX {
        let _ = write!(text, "\n      and {} more lines", lines.len() - LISTED_MAX);
    }
    text
}
