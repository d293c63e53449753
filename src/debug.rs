//! Shows what the tasks of a loop do, and what they wait for.

// Layer L4. Invariant: looking at a loop changes nothing in it, and calls no user code.

mod snapshot;

pub(crate) use self::snapshot::{Part, Scan, Snapshot, SourceRecord, TaskRecord, TimerRecord};
