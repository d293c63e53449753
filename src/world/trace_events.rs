//! A trace in the Trace Event Format, which Perfetto and `chrome://tracing` read.
//!
//! One thread a host, one instant event an entry. Bytes are slices of a nanosecond, because the
//! arrows of the format begin and end in slices.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write as _};

use super::trace::Trace;
use super::trace_entry::{Entry, Flow, HostNumber, Kind};

/// The head of the JSON text and its first event.
const HEAD: &str = concat!(
    "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n",
    "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":\"world\"}}",
);

impl Trace {
    /// Returns the trace in the Trace Event Format of Chrome, a JSON text that opens in
    /// [Perfetto](https://ui.perfetto.dev): one track a host, and an arrow from the bytes that a
    /// host sends to where they arrive.
    pub fn to_trace_events(&self) -> String {
        let mut out = String::from(HEAD);
        let hosts: BTreeSet<HostNumber> = self.entries.iter().map(|entry| entry.host).collect();
        for host in hosts {
            let args = Pair("name", Json(self.name(host)));
            let head = "\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1";
            add(&mut out, format_args!("{head},\"tid\":{host},\"args\":{args}"));
        }
        let mut messages = Messages::default();
        for entry in &self.entries {
            self.add_event(entry, &mut out);
            messages.add_arrows(entry, &mut out);
        }
        let (hash, dropped) = (self.hash, self.dropped());
        out += &format!("\n],\"otherData\":{{\"hash\":\"{hash:016x}\",\"dropped\":{dropped}}}}}\n");
        out
    }

    fn add_event(&self, entry: &Entry, out: &mut String) {
        let shape = match entry.kind {
            Kind::Send | Kind::Receive => "\"ph\":\"X\",\"dur\":0.001",
            _ => "\"ph\":\"i\",\"s\":\"t\"",
        };
        let (place, name) = (Place(entry), self.what(entry).to_string());
        let name = Json(&name);
        if entry.has_flow() {
            let args = Pair("flow", entry.flow);
            add(out, format_args!("{shape},{place},\"name\":{name},\"args\":{args}"));
        } else {
            add(out, format_args!("{shape},{place},\"name\":{name}"));
        }
    }
}

/// The bytes on their way, by connection and sender: each message's number and bytes, the oldest
/// first.
#[derive(Default)]
struct Messages {
    sent: BTreeMap<(Flow, HostNumber), VecDeque<Message>>,
    count: u64,
}

struct Message {
    number: u64,
    left: u64,
    has_arrived: bool,
}

impl Messages {
    /// Adds the arrows that begin or end at `entry`. An arrow ends where the first byte arrives.
    fn add_arrows(&mut self, entry: &Entry, out: &mut String) {
        let own = self.sent.entry((entry.flow, entry.host));
        match entry.kind {
            Kind::Send | Kind::Duplicate => {
                self.count += 1;
                let message =
                    Message { number: self.count, left: entry.number, has_arrived: false };
                own.or_default().push_back(message);
                add_arrow(out, "\"ph\":\"s\"", entry, self.count);
            }
            Kind::Lose => drop(own.or_default().pop_back()),
            Kind::Receive => self.arrive(entry, out),
            _ => {}
        }
    }

    fn arrive(&mut self, entry: &Entry, out: &mut String) {
        // The record may have begun after these bytes were sent.
        let Some(sent) = self.sent.get_mut(&(entry.flow, entry.peer)) else { return };
        let mut bytes = entry.number;
        while let Some(message) = sent.front_mut().filter(|_| bytes > 0) {
            if !message.has_arrived {
                add_arrow(out, "\"ph\":\"f\",\"bp\":\"e\"", entry, message.number);
                message.has_arrived = true;
            }
            let taken = bytes.min(message.left);
            bytes -= taken;
            message.left -= taken;
            if message.left == 0 {
                sent.pop_front();
            }
        }
    }
}

fn add_arrow(out: &mut String, phase: &str, entry: &Entry, number: u64) {
    let place = Place(entry);
    let name = "\"cat\":\"bytes\",\"name\":\"bytes\"";
    add(out, format_args!("{phase},{place},{name},\"id\":{number}"));
}

/// Adds an event, after the comma that ends the one before.
fn add(out: &mut String, event: fmt::Arguments<'_>) {
    write!(out, ",\n{{{event}}}").expect("a String takes all text");
}

/// Where an event is shown: its time in microseconds, and the track of its host.
struct Place<'a>(&'a Entry);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { nanos, host, .. } = *self.0;
        write!(f, "\"ts\":{}.{:03},\"pid\":1,\"tid\":{host}", nanos / 1000, nanos % 1000)
    }
}

/// A JSON object of one pair.
struct Pair<T>(&'static str, T);

impl<T: fmt::Display> fmt::Display for Pair<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"{}\":{}}}", self.0, self.1)
    }
}

/// A JSON string.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
