//! What the commands of `evloop` print about a program that answers by canned lines.

#![cfg(unix)]

mod fake_program;

use fake_program::{Fake, header, pid};

const TASKS: &str = include_str!("fake_program/tasks.jsonl");
const STATUS: &str = include_str!("fake_program/status.jsonl");
const STUCK: &str = include_str!("fake_program/stuck.jsonl");
const LOOPS: &str = "{\"loop\":1,\"tasks\":5,\"turns\":9}\n{\"loop\":2,\"tasks\":1}\n";

fn chat() -> Fake {
    Fake::new(&[("tasks", TASKS), ("status", STATUS), ("loops", LOOPS)])
}

#[test]
fn ps_lists_whom_one_can_ask() {
    let fake = chat();
    let lines = fake.lines("ps");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let words: Vec<_> = lines[1].split_whitespace().collect();
    let number = pid().to_string();
    let words = words.join(" ");
    let expected =
        "chat 0.1.0 3 min 3 s 2 6 waiting for events, not turned: nobody runs the loop now";
    assert_eq!(words, format!("{number} {expected}"));
    let json = fake.lines("ps --json");
    let expected = format!(
        "{{\"pid\":{number},\"program\":\"chat\",\"version\":\"0.1.0\",\"uptime_ms\":183000,\
         \"loops\":2,\"tasks\":6,\"stuck\":false}}"
    );
    assert_eq!(json, [expected]);
}

#[test]
fn ps_prints_the_tasks_of_a_program() {
    let fake = chat();
    let lines = fake.lines("ps PID");
    let head = format!("chat (process {}), up 3 min 3 s, 2 loops, 6 tasks", pid());
    let expected = [
        &head,
        "LOOP TASK NAME PARENT POLLS WAITS FOR AT SPAWNED AT",
        "1 1 main - 5 task 2 src/main.rs:9:7 src/main.rs:3:5",
        "1 2 - 1 7 ready - src/main.rs:4:5",
        "1 3 x\\u{1b}[2J 2 1 time, due in 12.5 ms src/a.rs:2:2 src/a.rs:1:1",
        "1 4 - 2 1 read on descriptor 7, 1.2.3.4:5 src/b.rs:2:2 src/b.rs:1:1",
        "1 5 - 2 1 write on descriptor 8 src/b.rs:2:2 src/b.rs:1:1",
        "2 1 shard - 1 unknown - src/main.rs:3:5",
    ];
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = lines.iter().map(|line| words(line)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn json_is_printed_as_it_was_sent() {
    let fake = chat();
    assert_eq!(fake.run("ps PID --json").out, header("tasks") + TASKS);
    assert_eq!(fake.run("status PID --json").out, header("status") + STATUS);
}

#[test]
fn a_loop_is_asked_for_alone() {
    let fake = Fake::new(&[("tasks 2", TASKS), ("status", STATUS)]);
    fake.lines("ps PID --loop 2 --json");
    fake.lines("pstree PID --loop=2 --json");
    assert_eq!(fake.requests(), ["tasks 2", "tasks 2"]);
}

#[test]
fn tasks_are_grouped_by_place() {
    let fake = chat();
    let lines = fake.lines("ps PID --by-place --json");
    assert_eq!(
        lines[0],
        "{\"spawned_at\":\"src/b.rs:1:1\",\"waits_for\":\"io\",\"at\":\"src/b.rs:2:2\",\
         \"tasks\":2,\"change\":null,\"examples\":[4,5]}"
    );
    assert_eq!(lines.len(), 5);
    let lines = fake.lines("ps PID --by-place");
    assert_eq!(lines[1], "TASKS  SPAWNED AT       WAITS FOR  AT");
    assert_eq!(lines[2], "2  src/b.rs:1:1     io         src/b.rs:2:2");
}

#[test]
fn groups_that_grow_since_a_saved_look_are_found() {
    let fake = chat();
    let path = fake.runtime_dir.join("before");
    std::fs::write(&path, fake.run("ps PID --json").out).unwrap();
    let leaked = TASKS.lines().nth(3).unwrap().replace("\"task\":4", "\"task\":44") + "\n";
    fake.answer("tasks", &(header("tasks") + TASKS + &leaked.repeat(3)));
    let lines = fake.lines(&format!("ps PID --by-place --since {}", path.display()));
    assert_eq!(lines[1], "TASKS  CHANGE  SPAWNED AT       WAITS FOR  AT");
    assert_eq!(lines[2], "5      +3  src/b.rs:1:1     io         src/b.rs:2:2");
    assert!(lines[3].starts_with("1       0  "), "{}", lines[3]);
    assert_eq!(lines.last().unwrap(), "1 group grew since the first look");

    std::fs::write(&path, "[]\n").unwrap();
    let sentence = fake.failure(&format!("ps PID --by-place --since {}", path.display()), 1);
    assert!(sentence.ends_with("is no output of `ps --json`: it has no task"), "{sentence}");
}

#[test]
fn pstree_draws_who_spawned_whom() {
    let fake = chat();
    let lines = fake.run("pstree PID").out;
    let lines: Vec<_> = lines.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "1 main  src/main.rs:3:5  waits for task 2 at src/main.rs:9:7",
            "└─ 2  src/main.rs:4:5  ready",
            "   ├─ 3 x\\u{1b}[2J  src/a.rs:1:1  waits for time, due in 12.5 ms at src/a.rs:2:2",
            "   └─ 2 × 4  src/b.rs:1:1  waits for read on descriptor 7, 1.2.3.4:5 at src/b.rs:2:2",
            "1 shard  src/main.rs:3:5  waits for unknown",
        ]
    );
    assert_eq!(fake.lines("pstree PID --all").len(), 7);
    let json = fake.lines("pstree PID --json");
    assert!(json[3].starts_with("{\"depth\":2,\"loop\":1,\"task\":4,"), "{}", json[3]);
}

#[test]
fn pstree_draws_who_waits_for_whom() {
    let fake = chat();
    let out = fake.run("pstree PID --awaits").out;
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[1], "2  src/main.rs:4:5  ready");
    assert_eq!(lines[2], "└─ 1 main  src/main.rs:3:5  waits for task 2 at src/main.rs:9:7");
}

#[test]
fn pstree_writes_a_graph() {
    let fake = chat();
    let lines = fake.lines("pstree PID --dot");
    assert_eq!((lines[0].as_str(), lines.last().unwrap().as_str()), ("digraph tasks {", "}"));
    for line in [
        "\"1.1\" [label=\"1 main\\nsrc/main.rs:3:5\\ntask 2\"];",
        "\"1.1\" -> \"1.2\";",
        "\"1.1\" -> \"1.2\" [color=red, style=dashed];",
    ] {
        assert!(lines.iter().any(|each| each == line), "{line}: {lines:?}");
    }
    assert!(lines.iter().any(|line| line.contains("[label=\"3 x\\\\u{1b}[2J\\n")), "{lines:?}");
}

#[test]
fn status_tells_what_each_loop_does() {
    let fake = chat();
    let lines = fake.lines("status PID");
    let words = |at: usize| lines[at].split_whitespace().collect::<Vec<_>>().join(" ");
    let first = "1 main waiting for events - - 123 10 sleeps in ep_poll 1.5 s 12.0 ms old";
    assert_eq!(words(2), first);
    assert_eq!(words(3), "2 not turned: nobody runs the loop now - - 1 - - -");
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_stuck_loop_is_told_with_the_task_that_holds_it() {
    let stale = include_str!("fake_program/stale.jsonl").to_owned() + TASKS;
    let fake = Fake::new(&[("status", STUCK), ("tasks", &stale)]);
    let sentence = "loop 1 main is stuck in a turn for 1 min 1 s by task 2 resize, spawned at \
                    src/main.rs:4:5; its thread burns CPU; the last snapshot is 1 min 2 s old";
    for command in ["status PID", "ps PID", "pstree PID", "ps PID --by-place"] {
        let lines = fake.lines(command);
        assert!(lines.iter().any(|line| line == sentence), "{command}: {lines:?}");
    }
    let lines = fake.lines("ps");
    assert_eq!(lines[2], format!("process {}: {sentence}", pid()));
    assert!(!fake.requests().contains(&"loops".into()), "a stuck loop is not asked by `ps`");
}

#[test]
fn a_deadlock_is_named() {
    let lock = |task: u64, holder: u64| {
        format!(
            "{{\"loop\":1,\"task\":{task},\"name\":\"t{task}\",\"state\":\"waiting\",\"polls\":1,\
             \"spawned_at\":\"a.rs:1:1\",\"parent\":null,\"waits\":{{\"for\":\"lock\",\
             \"at\":\"a.rs:{task}:1\",\"on\":{{\"lock\":{{\"held_by\":[{holder}]}}}}}}}}\n"
        )
    };
    let fake = Fake::new(&[("status", STATUS), ("tasks", &(lock(1, 2) + &lock(2, 1)))]);
    let sentence = "deadlock of 2 tasks: task 1 t1 waits for lock held by task 2 at a.rs:1:1; \
                    task 2 t2 waits for lock held by task 1 at a.rs:2:1";
    let lines = fake.lines("pstree PID --awaits");
    assert_eq!(lines[1], sentence);
    assert_eq!(lines[2], "1 t1  a.rs:1:1  waits for lock held by task 2 at a.rs:1:1");
    assert_eq!(lines[3], "└─ 2 t2  a.rs:1:1  waits for lock held by task 1 at a.rs:2:1");
}

#[test]
fn top_prints_pages_of_the_busiest() {
    let sample = "{\"loop\":1,\"task\":4,\"busy_share\":0.31}\n\
                  {\"loop\":1,\"task\":2,\"busy_share\":0.064}\n\
                  {\"loop\":1,\"busy_share\":0.374,\"waiting_share\":0.626}\n\
                  {\"loop\":1,\"task\":null,\"busy_share\":0.01}\n";
    let fake = chat();
    fake.answer("sample 1", &(header("sample") + sample));
    let lines = fake.lines("top PID --every 1ms -n 2");
    assert_eq!(lines[1], "loop 1 main:  37.4% busy  ████░░░░░░  waiting for events");
    let firsts: Vec<_> = lines.iter().filter(|line| line.starts_with("31.0%")).collect();
    assert_eq!(firsts.len(), 2, "one a page: {lines:?}");
    let json = fake.lines("top PID --every 1ms -n 1 --json");
    assert!(json[0].starts_with("{\"loop\":1,\"task\":4,\"name\":null,"), "{}", json[0]);
    assert!(json[0].contains("\"busy_share\":0.31,"), "{}", json[0]);
}

#[test]
fn trace_writes_a_file_for_perfetto() {
    let events = "{\"name\":\"main\",\"ph\":\"X\",\"ts\":1,\"dur\":2,\"pid\":1,\"tid\":1}\n\
                  {\"name\":\"b\",\"ph\":\"X\",\"ts\":4,\"dur\":1,\"pid\":1,\"tid\":1}\n";
    let lines = format!("{events}{{\"dropped\":7}}\n");
    let fake = Fake::new(&[("trace 1", &lines)]);
    let path = fake.runtime_dir.join("trace.json");
    let printed = fake.lines(&format!("trace PID 500ms -o {}", path.display()));
    let sentence = format!("2 events in {}. 7 more did not fit and are missing.", path.display());
    assert!(printed[0].starts_with(&sentence), "{}", printed[0]);
    let events = events.trim_end().replace('\n', ",\n");
    let expected = format!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{events}\n]}}\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    let json = fake.lines(&format!("trace PID 500ms -o {} --json", path.display()));
    assert!(json[0].ends_with("\"events\":2,\"dropped\":7}"), "{}", json[0]);
}

#[test]
fn tens_of_thousands_of_tasks_are_printed() {
    let mut tasks = String::new();
    for at in 0..30_000 {
        tasks += &format!(
            "{{\"loop\":1,\"task\":{at},\"name\":null,\"spawned_at\":\"src/a.rs:1:1\",\
             \"parent\":null,\"state\":\"waiting\",\"polls\":1,\"waits\":{{\"for\":\"event\",\
             \"at\":\"src/a.rs:2:2\",\"on\":null}}}}\n"
        );
    }
    let fake = Fake::new(&[("tasks", &tasks), ("status", STATUS)]);
    assert_eq!(fake.lines("ps PID").len(), 30_002);
    assert_eq!(
        fake.lines("pstree PID")[1],
        "30000 × 0  src/a.rs:1:1  waits for event at src/a.rs:2:2"
    );
    assert_eq!(fake.lines("ps PID --by-place").len(), 3);
}
