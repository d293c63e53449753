//! A trace as a Mermaid sequence chart: the messages between hosts, and their faults.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::trace::Trace;
use super::trace_entry::{Entry, HostNumber, Kind, NO_PEER, Seconds};

/// The most lines drawn. Mermaid refuses charts of more than 50,000 characters.
const LINES_MAX: usize = 400;

/// How an entry is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drawing {
    /// Not at all: another entry shows the message, or none passed between hosts.
    Nothing,
    /// An arrow from the peer to the host, where the message arrives.
    Arrival,
    /// An arrow from the host that ends in a cross.
    Loss,
    /// A note at the host, and at the peer if there is one.
    Note,
}

impl Trace {
    /// Returns the messages and faults of the trace as a sequence chart of
    /// [Mermaid](https://mermaid.js.org/syntax/sequenceDiagram.html). GitHub and GitLab draw it in
    /// a block of Markdown that begins with `` ```mermaid ``.
    ///
    /// A message is drawn where it arrives. Turns, polls and timers are left out, and so are all
    /// but the last 400 messages and faults.
    pub fn to_mermaid(&self) -> String {
        let drawn = self.entries.iter().filter(|entry| drawing(entry.kind) != Drawing::Nothing);
        let mut drawn: Vec<&Entry> = drawn.collect();
        let left_out = drawn.len().saturating_sub(LINES_MAX);
        drawn.drain(..left_out);
        let mut chart = String::from("sequenceDiagram\n");
        let hosts: BTreeSet<HostNumber> = drawn.iter().flat_map(|it| [it.host, it.peer]).collect();
        for host in hosts.into_iter().filter(|&host| host != NO_PEER) {
            add(&mut chart, format_args!("participant h{host} as {}", escape(self.name(host))));
        }
        if let Some(entry) = drawn.first().filter(|_| left_out > 0) {
            let host = entry.host;
            add(&mut chart, format_args!("Note over h{host}: {left_out} earlier lines left out"));
        }
        drawn.into_iter().for_each(|entry| self.draw(entry, &mut chart));
        chart
    }

    fn draw(&self, entry: &Entry, chart: &mut String) {
        let (host, peer) = (entry.host, entry.peer);
        let mut text = format!("{} {}", Seconds(entry.nanos), self.what(entry));
        if entry.has_flow() {
            text += &format!(", flow {}", entry.flow);
        }
        let text = escape(&text);
        match drawing(entry.kind) {
            Drawing::Nothing => {}
            Drawing::Arrival if peer != NO_PEER => {
                add(chart, format_args!("h{peer}->>h{host}: {text}"));
            }
            Drawing::Loss if peer != NO_PEER => {
                add(chart, format_args!("h{host}-xh{peer}: {text}"));
            }
            _ if peer != NO_PEER && peer != host => {
                add(chart, format_args!("Note over h{host},h{peer}: {text}"));
            }
            _ => add(chart, format_args!("Note over h{host}: {text}")),
        }
    }
}

fn drawing(kind: Kind) -> Drawing {
    match kind {
        Kind::Turn | Kind::Poll | Kind::Timer => Drawing::Nothing,
        Kind::Connect | Kind::Send | Kind::SendFin | Kind::SendReset => Drawing::Nothing,
        Kind::Accept | Kind::Refuse => Drawing::Arrival,
        Kind::Receive | Kind::ReceiveFin | Kind::ReceiveReset => Drawing::Arrival,
        Kind::Lose => Drawing::Loss,
        _ => Drawing::Note,
    }
}

fn add(chart: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(chart, "    {line}").expect("a String takes all text");
}

/// Escapes what Mermaid would read as syntax, by its codes `#59;`. The word `end` would end a
/// block.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || " -_./,()'".contains(c) {
            escaped.push(c);
        } else {
            write!(escaped, "#{};", u32::from(c)).expect("a String takes all text");
        }
    }
    let words = escaped.split(' ').map(|word| match word.to_ascii_lowercase().as_str() {
        "end" => format!("#{};{}", u32::from(word.as_bytes()[0]), &word[1..]),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}
