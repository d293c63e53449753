//! A trace as text: one line an entry.

use std::fmt;

use super::trace::Trace;
use super::trace_entry::{Entry, Line, Seconds};

impl Trace {
    /// Returns the trace as text: one line an entry, with the virtual time in seconds, the host,
    /// what happened, and the number of the connection.
    ///
    /// ```text
    /// 0.000000000  client  connect to server:80  flow 1
    /// 0.001250000  server  accept client on port 80  flow 1
    /// 0.001250000  client  send 5 bytes to server  flow 1
    /// ```
    pub fn to_text(&self) -> String {
        self.to_string()
    }

    /// Returns the last entries, at most `max`, as lines that are indented.
    pub(crate) fn tail(&self, max: usize) -> String {
        let last = &self.entries[self.len().saturating_sub(max)..];
        let width = self.name_width(last);
        last.iter().map(|entry| format!("\n    {}", self.line(entry, width))).collect()
    }

    /// Shows one entry of this run. Names are padded to `width`.
    pub(crate) fn line(&self, entry: &Entry, width: usize) -> impl fmt::Display {
        let (at, what) = (Seconds(entry.nanos), self.what(entry));
        let host = Line(self.name(entry.host)).to_string();
        let flow = if entry.has_flow() { format!("  flow {}", entry.flow) } else { String::new() };
        format!("{at}  {host:width$}  {what}{flow}")
    }

    /// Returns the length of the longest name among the hosts of `entries`.
    pub(crate) fn name_width(&self, entries: &[Entry]) -> usize {
        let width = |entry: &Entry| Line(self.name(entry.host)).to_string().chars().count();
        entries.iter().map(width).max().unwrap_or(0)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped() > 0 {
            writeln!(f, "{} earlier entries are no longer held", self.dropped())?;
        }
        let width = self.name_width(&self.entries);
        self.entries.iter().try_for_each(|entry| writeln!(f, "{}", self.line(entry, width)))
    }
}
