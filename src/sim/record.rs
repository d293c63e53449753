//! The record of a run: notes of the program, and the file that a run writes when it fails.

use std::env;
use std::fs;
use std::path::Path;

use crate::world::{self, Trace};

/// The environment variable that names the file.
const FILE: &str = "EVLOOP_SIM_TRACE";

/// Adds a note to the record of the run, at the present virtual time, by the host whose code runs.
/// Outside of a simulated world it does nothing.
///
/// A record holds the texts of the last 4,096 notes.
///
/// ```
/// use evloop::sim;
///
/// async fn elect() {
///     sim::note("becomes the leader");
/// }
///
/// sim::check(0..1, |sim| {
///     sim.run(async |world| world.client("node", elect).await);
///     assert!(sim.trace().to_text().contains("node   note: becomes the leader"));
/// });
/// ```
pub fn note(text: impl AsRef<str>) {
    if let Some(here) = world::here() {
        here.note(text.as_ref());
    }
}

/// Writes the record of a run that has failed to the file that the environment names. Returns what
/// the message of the failure says about it.
pub(super) fn write(trace: &Trace) -> String {
    let Some(path) = env::var_os(FILE) else { return String::new() };
    let path = Path::new(&path);
    let content = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => trace.to_trace_events(),
        Some("mmd") => trace.to_mermaid(),
        _ => trace.to_text(),
    };
    match fs::write(path, content) {
        Ok(()) => format!("\n  the record of the run is in {}", path.display()),
        Err(error) => format!("\n  the record could not be written: {}: {error}", path.display()),
    }
}
