//! Clients of the socket that are silent, that send rubbish, that send too much; and a process
//! without a free descriptor.
#![cfg(all(unix, feature = "inspect"))]

mod inspected;

use std::fs::{self, File};
use std::future::pending;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use inspected::{Program, field, number, read, ready, role};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SILENT: usize = 12;

#[test]
fn program() {
    let Some(role) = role() else { return };
    evloop::block_on(async {
        let files = if role == "exhausts" { exhaust() } else { Vec::new() };
        ready();
        pending::<()>().await;
        drop(files);
    });
}

/// Opens files until the process has no descriptor left.
fn exhaust() -> Vec<File> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
    let files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(files.len() > 30);
    files
}

#[test]
fn rubbish_is_answered_with_a_sentence() {
    let program = Program::start("waits");
    let long = [b'x'; 300];
    let requests: [(&[u8], &str); 9] = [
        (b"\n", "not `evloop 1 COMMAND`"),
        (b"GET / HTTP/1.1\r\n\r\n", "not `evloop 1 COMMAND`"),
        (b"\xff\xfe\0\n", "not `evloop 1 COMMAND`"),
        (&long, "not `evloop 1 COMMAND`"),
        (b"evloop\n", "the client version : "),
        (b"evloop 2 status\n", "speaks version 1 of the protocol, the client version 2"),
        (b"evloop 1\n", "the command must be one of status, loops"),
        (b"evloop 1 sample\n", "the command must be one of status, loops"),
        (b"evloop 1 tasks -1\n", "the argument is not a number"),
    ];
    for (request, sentence) in requests {
        let lines = program.send(request);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(number(&lines[0], "evloop"), 1.0);
        assert!(field(&lines[1], "error").contains(sentence), "{lines:?}");
    }
    let header = &program.send(b"evloop 1 status\r\n")[0];
    assert_eq!(field(header, "command"), "status");
    assert_eq!(field(header, "version"), env!("CARGO_PKG_VERSION"));
    assert!(field(header, "program").starts_with("inspect_clients"), "{header}");
}

#[test]
fn silent_clients_delay_no_answer() {
    let program = Program::start("waits");
    // On a loaded machine one attempt may be slow; one after the other they take 1.2 s each.
    let is_fast = |_| {
        let silent: Vec<_> = (0..SILENT).map(|_| program.connect()).collect();
        let begin = Instant::now();
        assert_eq!(program.ask("status").len(), 1);
        let took = begin.elapsed();
        for client in silent {
            assert!(read(client).is_empty(), "a silent client is closed");
        }
        took < Duration::from_millis(600)
    };
    assert!((0..10).any(is_fast));
    // More than are served at once.
    let silent: Vec<_> = (0..64).map(|_| program.connect()).collect();
    assert_eq!(program.ask("status").len(), 1);
    drop(silent);
    assert_eq!(program.ask("status").len(), 1);
}

#[test]
fn a_request_of_a_gigabyte_is_not_read() {
    let program = Program::start("waits");
    let before = memory_kib(&program);
    let mut client = program.connect();
    let chunk = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while sent < 1 << 30 {
        match client.write(&chunk) {
            Ok(count) => sent += count,
            Err(error) => {
                let kind = error.kind();
                assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
                break;
            }
        }
    }
    assert!(sent < 64 << 20, "{sent}");
    assert!(memory_kib(&program) < before + 16_384);
    assert_eq!(program.ask("status").len(), 1);
}

/// Returns the memory of the program, where the system reports it.
fn memory_kib(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.child.id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_process_without_a_free_descriptor_answers() {
    let program = Program::start("exhausts");
    for _ in 0..3 {
        let waits = |lines: &[String]| field(&lines[0], "phase") == "waiting";
        let status = program.ask_until("status", waits);
        assert!(!cfg!(target_os = "linux") || !field(&status[0], "state").is_empty());
    }
    // Two at once: the second one waits until the first is served.
    let mut first = program.connect();
    first.write_all(b"evloop 1 sample 300\n").unwrap();
    first.read_exact(&mut [0]).unwrap();
    let before = cpu_ticks(&program);
    assert_eq!(program.ask("tasks").len(), 1);
    read(first);
    let ticks = cpu_ticks(&program) - before;
    assert!(ticks < 20, "the thread spins: {ticks}");
}

/// Returns the CPU time of the program in ticks of 10 ms, where the system reports it.
fn cpu_ticks(program: &Program) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", program.child.id()));
    let stat = stat.unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}
