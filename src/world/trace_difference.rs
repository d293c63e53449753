//! The first event in which a second run of one seed differs from the first run.

use std::fmt;
use std::rc::Rc;

use super::trace::Trace;
use super::trace_entry::Entry;

/// The most entries of a first run that are compared one by one: 32 MiB.
pub(crate) const COMPARED_MAX: usize = 1 << 20;

/// How many entries before the difference are shown.
pub(crate) const BEFORE: usize = 10;

/// Where a second run left the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    /// The number of the entry, counted from 0.
    pub(crate) index: u64,
    /// The last entries before it, the same in both runs.
    pub(crate) before: Vec<Entry>,
    /// The entry of the first run, if it was not at its end.
    pub(crate) first: Option<Entry>,
    /// The entry of the second run, if it was not at its end.
    pub(crate) second: Option<Entry>,
}

/// How two runs of one seed differ.
///
/// Shown as text: the entries before the first difference, and the entry of each run.
pub(crate) struct Difference {
    first: Rc<Trace>,
    second: Trace,
    /// `None` if the difference is beyond the entries compared.
    parting: Option<Parting>,
}

impl Difference {
    pub(crate) fn new(first: Rc<Trace>, second: Trace, parting: Option<Parting>) -> Difference {
        Difference { first, second, parting }
    }

    fn show(&self, parting: &Parting, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parting { index, before, first, second } = parting;
        writeln!(f, "two runs of one seed differ at entry {index}")?;
        let both: Vec<Entry> = before.iter().chain(first).chain(second).copied().collect();
        let width = self.first.name_width(&both).max(self.second.name_width(&both));
        for entry in before {
            writeln!(f, "  both runs:   {}", self.second.line(entry, width))?;
        }
        for (name, trace, entry) in
            [("first run: ", &*self.first, first), ("second run:", &self.second, second)]
        {
            match entry {
                Some(entry) => writeln!(f, "  {name}  {}", trace.line(entry, width))?,
                None => writeln!(f, "  {name}  (ended)")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parting {
            Some(parting) => self.show(parting, f)?,
            None => writeln!(f, "two runs of one seed differ after entry {COMPARED_MAX}")?,
        }
        f.write_str(
            "the program depends on something outside of the world: the order of a HashMap, a real \
             clock, a thread, or the address of a value",
        )
    }
}
