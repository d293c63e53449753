//! Notes of the program in the record of a run.

use crate::world;

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
