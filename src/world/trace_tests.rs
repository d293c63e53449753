//! The record of a run: bounds, hash, difference of two runs, and the outputs as whole texts.

use std::rc::Rc;

use super::trace_difference::{BEFORE, COMPARED_MAX};
use super::trace_entry::{Entry, Kind, NO_PEER};
use super::trace_record::{NOTES_MAX, Record};

const CLIENT: u32 = 0;
const SERVER: u32 = 1;
const MS: u64 = 1_000_000;

fn entry(nanos: u64, host: u32, kind: Kind, number: u64) -> Entry {
    Entry { nanos, number, host, peer: NO_PEER, flow: 0, kind }
}

fn between(nanos: u64, host: u32, peer: u32, kind: Kind, number: u64) -> Entry {
    Entry { nanos, number, host, peer, flow: 7, kind }
}

/// Returns a record of two hosts without entries.
fn record(capacity: usize) -> Record {
    let mut record = Record::new(capacity);
    record.add_host("client");
    record.add_host("server");
    record
}

/// Adds a request of five bytes, and the crash of the server.
fn add_request(record: &mut Record) {
    record.add(entry(0, CLIENT, Kind::Turn, 0));
    record.add(between(0, CLIENT, SERVER, Kind::Connect, 80));
    record.add(between(MS + 250_001, SERVER, CLIENT, Kind::Accept, 80));
    record.add(between(2 * MS, CLIENT, SERVER, Kind::Send, 5));
    record.note(2 * MS, CLIENT, "sent; now\nwait");
    record.add(between(3 * MS, SERVER, CLIENT, Kind::Receive, 5));
    record.add(between(3 * MS, SERVER, CLIENT, Kind::SendFin, 0));
    record.add(entry(1_000 * MS, SERVER, Kind::Crash, 0));
    record.add(Entry { flow: 0, ..between(1_001 * MS, CLIENT, SERVER, Kind::Partition, 0) });
}

#[test]
fn text_has_one_line_an_entry() {
    let mut record = record(16);
    add_request(&mut record);
    let text = "\
0.000000000  client  turn, 0 tasks ready
0.000000000  client  connect to server:80  flow 7
0.001250001  server  accept client on port 80  flow 7
0.002000000  client  send 5 bytes to server  flow 7
0.002000000  client  note: sent; now\\nwait
0.003000000  server  receive 5 bytes from client  flow 7
0.003000000  server  send FIN to client  flow 7
1.000000000  server  crash
1.001000000  client  partition from server
";
    assert_eq!(record.trace().to_text(), text);
    assert_eq!(record.trace().to_string(), text);
}

#[test]
fn mermaid_draws_messages_where_they_arrive() {
    let mut record = record(16);
    add_request(&mut record);
    let chart = "\
sequenceDiagram
    participant h0 as client
    participant h1 as server
    h0->>h1: 0.001250001 accept client on port 80, flow 7
    Note over h0: 0.002000000 note#58; sent#59; now#92;nwait
    h0->>h1: 0.003000000 receive 5 bytes from client, flow 7
    Note over h1: 1.000000000 crash
    Note over h0,h1: 1.001000000 partition from server
";
    assert_eq!(record.trace().to_mermaid(), chart);
}

#[test]
fn trace_events_have_a_track_a_host_and_an_arrow_a_message() {
    let mut record = record(16);
    add_request(&mut record);
    let trace = record.trace();
    let events = [
        r#""ph":"M","name":"process_name","pid":1,"args":{"name":"world"}"#,
        r#""ph":"M","name":"thread_name","pid":1,"tid":0,"args":{"name":"client"}"#,
        r#""ph":"M","name":"thread_name","pid":1,"tid":1,"args":{"name":"server"}"#,
        r#""ph":"i","s":"t","ts":0.000,"pid":1,"tid":0,"name":"turn, 0 tasks ready""#,
        r#""ph":"i","s":"t","ts":0.000,"pid":1,"tid":0,"name":"connect to server:80",F"#,
        r#""ph":"i","s":"t","ts":1250.001,"pid":1,"tid":1,"name":"accept client on port 80",F"#,
        r#""ph":"X","dur":0.001,"ts":2000.000,"pid":1,"tid":0,"name":"send 5 bytes to server",F"#,
        r#""ph":"s","ts":2000.000,"pid":1,"tid":0,"cat":"bytes","name":"bytes","id":1"#,
        r#""ph":"i","s":"t","ts":2000.000,"pid":1,"tid":0,"name":"note: sent; now\\nwait""#,
    ];
    let events =
        events.map(|event| format!("\n{{{}}},", event.replace('F', r#""args":{"flow":7}"#)));
    let head = r#"{"displayTimeUnit":"ns","traceEvents":["#.to_owned() + &events.concat();
    let json = trace.to_trace_events();
    assert_eq!(&json[..head.len()], head);
    let arrow =
        r#"{"ph":"f","bp":"e","ts":3000.000,"pid":1,"tid":1,"cat":"bytes","name":"bytes","id":1},"#;
    assert!(json.contains(arrow), "{json}");
    let tail =
        format!("\n],\"otherData\":{{\"hash\":\"{:016x}\",\"dropped\":0}}}}\n", trace.hash());
    assert!(json.ends_with(&tail), "{json}");
}

/// Returns the numbers of the arrows of a trace: `s1` begins the first, `f1` ends it.
fn arrows(record: &Record) -> String {
    let json = record.trace().to_trace_events();
    let field = |line: &str, name: &str| {
        let at = line.find(name).map(|at| at + name.len())?;
        Some(line[at..].split([',', '}', '"']).next()?.to_owned())
    };
    let arrow = |line| Some(field(line, "\"ph\":\"")? + &field(line, "\"id\":")?);
    json.lines().filter_map(arrow).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_arrow_ends_where_the_first_byte_of_a_message_arrives() {
    let mut record = record(64);
    for (host, kind, number) in [
        (CLIENT, Kind::Send, 10),
        (CLIENT, Kind::Send, 10),
        (SERVER, Kind::Send, 3),
        (SERVER, Kind::Receive, 4),
        (SERVER, Kind::Receive, 12),
        (SERVER, Kind::Receive, 4),
        (CLIENT, Kind::Receive, 3),
        // Sent before the record began.
        (CLIENT, Kind::Receive, 9),
        (CLIENT, Kind::Send, 5),
        (CLIENT, Kind::Lose, 5),
        (CLIENT, Kind::Send, 6),
        (CLIENT, Kind::Duplicate, 6),
        (SERVER, Kind::Receive, 6),
        (SERVER, Kind::Receive, 6),
    ] {
        record.add(between(0, host, 1 - host, kind, number));
    }
    assert_eq!(arrows(&record), "s1 s2 s3 f1 f2 f3 s4 s5 s6 f5 f6");
}

#[test]
fn names_are_escaped() {
    let mut record = Record::new(16);
    record.add_host("a;b#\"\\\n\u{1}<é>");
    record.add_host("End");
    record.add(Entry { nanos: 1, number: 1, host: 0, peer: 1, flow: 0, kind: Kind::Lose });
    let trace = record.trace();
    let text = "0.000000001  a;b#\"\\\\n\\u{1}<é>  datagram of 1 byte to End lost\n";
    assert_eq!(trace.to_text(), text);
    let chart = "\
sequenceDiagram
    participant h0 as a#59;b#35;#34;#92;#10;#1;#60;é#62;
    participant h1 as #69;nd
    h0-xh1: 0.000000001 datagram of 1 byte to #69;nd lost
";
    assert_eq!(trace.to_mermaid(), chart);
    let name = r#""args":{"name":"a;b#\"\\\u000a\u0001<é>"}}"#;
    assert!(trace.to_trace_events().contains(name), "{}", trace.to_trace_events());
}

#[test]
fn an_empty_trace_is_shown_too() {
    let trace = record(16).trace();
    assert!(trace.is_empty());
    assert_eq!(trace.to_text(), "");
    assert_eq!(trace.to_mermaid(), "sequenceDiagram\n");
    assert!(trace.to_trace_events().starts_with("{\"displayTimeUnit\""));
}

#[test]
fn the_ring_holds_the_last_entries_and_counts_the_others() {
    let mut record = record(3);
    let numbers = |record: &Record| {
        record.trace().entries.iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    for n in 0..10 {
        record.add(entry(n, CLIENT, Kind::Turn, n));
        let first = (n + 1).saturating_sub(4);
        assert_eq!(numbers(&record), (first..=n).collect::<Vec<_>>(), "rounded up to four");
        assert_eq!((record.trace().dropped(), record.trace().len() as u64), (first, n + 1 - first));
    }
    let text = record.trace().to_text();
    assert!(text.starts_with("6 earlier entries are no longer held\n0.000000006"), "{text}");
    assert!(record.trace().to_trace_events().contains("\"dropped\":6"));
}

#[test]
fn mermaid_leaves_out_the_earliest_messages() {
    let mut record = record(1024);
    for n in 0..403 {
        record.add(between(n, SERVER, CLIENT, Kind::Receive, n));
    }
    let chart = record.trace().to_mermaid();
    assert_eq!(chart.lines().nth(3), Some("    Note over h1: 3 earlier lines left out"));
    assert_eq!(chart.lines().count(), 4 + 400);
    assert!(chart.len() < 50_000, "{} characters", chart.len());
}

#[test]
fn notes_are_bounded() {
    let mut record = record(2 * NOTES_MAX);
    for n in 0..=NOTES_MAX {
        record.note(0, CLIENT, &format!("note {n}"));
    }
    let text = record.trace().to_text();
    let lines: Vec<_> = text.lines().take(2).collect();
    assert_eq!(lines[0], "0.000000000  client  note: (no longer held)");
    assert_eq!(lines[1], "0.000000000  client  note: note 1");
    assert!(text.ends_with(&format!("note: note {NOTES_MAX}\n")));
}

#[test]
fn the_hash_covers_entries_that_left_the_ring() {
    let hash = |capacity, first| {
        let mut record = record(capacity);
        record.add(entry(0, CLIENT, Kind::Turn, first));
        (0..9).for_each(|n| record.add(entry(n, SERVER, Kind::Poll, n)));
        assert_eq!(record.hash(), record.trace().hash());
        record.hash()
    };
    assert_eq!(hash(1, 0), hash(64, 0));
    assert_ne!(hash(1, 0), hash(1, 1));
}

#[test]
fn the_hash_covers_the_text_of_a_note() {
    let hash = |text| {
        let mut record = record(1);
        record.note(0, CLIENT, text);
        record.hash()
    };
    assert_ne!(hash("one"), hash("two"));
}

/// Runs `program` as the first and as the second of two runs. Returns the text of the difference.
fn differ(capacity: usize, program: impl Fn(u32, &mut Record)) -> Option<String> {
    let mut first = record(capacity).first_of_two();
    program(1, &mut first);
    assert!(first.difference().is_none());
    let mut second = record(capacity).second_after(Rc::new(first.trace()));
    program(2, &mut second);
    second.difference().map(|difference| difference.to_string())
}

#[test]
fn equal_runs_have_no_difference() {
    assert_eq!(differ(4, |_, record| add_request(record)), None);
}

/// The ring of the record is smaller than what follows the difference.
#[test]
fn the_first_difference_is_reported_with_both_sides() {
    let found = differ(4, |run, record| {
        (0..20).for_each(|n| record.add(entry(n, CLIENT, Kind::Turn, n)));
        record.add(between(20, CLIENT, SERVER, Kind::Send, u64::from(run)));
        (0..20).for_each(|n| record.add(entry(21, SERVER, Kind::Poll, n)));
    });
    let text = "\
two runs of one seed differ at entry 20
  both runs:   0.000000016  client  turn, 16 tasks ready
  both runs:   0.000000017  client  turn, 17 tasks ready
  both runs:   0.000000018  client  turn, 18 tasks ready
  both runs:   0.000000019  client  turn, 19 tasks ready
  first run:   0.000000020  client  send 1 byte to server  flow 7
  second run:  0.000000020  client  send 2 bytes to server  flow 7
the program depends on something outside of the world: the order of a HashMap, a real clock, \
                a thread, or the address of a value";
    assert_eq!(found.as_deref(), Some(text));
    const { assert!(BEFORE > 4, "the ring is the limit here") };
}

#[test]
fn notes_that_differ_show_the_text_of_their_run() {
    let found = differ(4, |run, record| record.note(0, CLIENT, &format!("run {run}"))).unwrap();
    let lines: Vec<_> = found.lines().skip(1).take(2).collect();
    assert_eq!(lines[0], "  first run:   0.000000000  client  note: run 1");
    assert_eq!(lines[1], "  second run:  0.000000000  client  note: run 2");
}

#[test]
fn a_run_that_ends_earlier_differs() {
    for longer in [1, 2] {
        let found = differ(4, |run, record| {
            record.add(entry(0, CLIENT, Kind::Turn, 0));
            if run == longer {
                record.add(entry(1, CLIENT, Kind::Poll, 3));
            }
        });
        let lines: Vec<String> = found.unwrap().lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "two runs of one seed differ at entry 1");
        assert_eq!(lines[1], "  both runs:   0.000000000  client  turn, 0 tasks ready");
        let ended = if longer == 2 { 2 } else { 3 };
        assert!(lines[ended].ends_with("  (ended)"), "{lines:?}");
        assert!(lines[5 - ended].ends_with("0.000000001  client  poll task 3"), "{lines:?}");
    }
}

#[test]
fn a_difference_beyond_the_compared_entries_is_found_by_the_hash() {
    let found = differ(1, |run, record| {
        (0..COMPARED_MAX).for_each(|_| record.add(entry(0, CLIENT, Kind::Turn, 0)));
        record.add(entry(0, CLIENT, Kind::Turn, u64::from(run)));
    });
    assert!(found.unwrap().starts_with("two runs of one seed differ after entry 1048576\n"));
}
