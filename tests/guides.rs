//! The guides tell each name of other runtimes that differs or has no counterpart here.

/// The guide that says how a name of this system differs.
fn guide(system: &str) -> &'static str {
    match system {
        "asyncio" => include_str!("../docs/asyncio.md"),
        "trio" => include_str!("../docs/trio.md"),
        "tokio" | "tokio-util" => include_str!("../docs/tokio.md"),
        "smol" => include_str!("../docs/smol.md"),
        _ => include_str!("../docs/gevent.md"),
    }
}

/// Splits at the commas that are outside of brackets: `a::{b, c}, d` are two names.
fn split(names: &str) -> Vec<&str> {
    let mut depth = 0;
    let outside = |c: char| {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    };
    names.split(outside).map(str::trim).collect()
}

/// The last segments of a name: `b` and `c` of `a::{b, c}`, `a` of `a.*`, `run` of `a.run(x=)`.
fn last_segments(name: &str) -> Vec<&str> {
    let name = name.split(['(']).next().unwrap().split(" on ").next().unwrap().trim();
    let name = name.trim_end_matches(".*").trim_end_matches("::*");
    if let Some(list) = name.strip_suffix('}') {
        return list[list.rfind('{').unwrap() + 1..].split(',').map(str::trim).collect();
    }
    vec![name.rsplit(['.', ':']).next().unwrap().trim()]
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// The rows of the table of names: system, area, name, status, counterpart or reason.
fn rows() -> Vec<[&'static str; 5]> {
    let lines = include_str!("../docs/names.tsv").lines();
    let rows = lines.filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|row| row.split('\t').collect::<Vec<_>>().try_into().expect(row)).collect()
}

#[test]
fn each_difference_is_told_in_a_guide() {
    assert_eq!(split("a::{b, c}, d(x, y)"), ["a::{b, c}", "d(x, y)"]);
    assert_eq!(last_segments("a::{b, c}"), ["b", "c"]);
    assert_eq!(last_segments("a.b.run(x=)"), ["run"]);
    assert_eq!(last_segments("a::b::*"), ["b"]);
    assert!(has_word("a `b.c`", "c") && !has_word("a_c", "c"));

    let mut untold = Vec::new();
    for [system, _, names, status, _] in rows() {
        // Only the guide's tables count: its examples contain many words.
        let guide = guide(system).split_once("## What differs").unwrap().1;
        if ["differs", "lacks"].contains(&status) {
            let segments = split(names).into_iter().flat_map(last_segments);
            let missing = segments.filter(|segment| !has_word(guide, segment));
            untold.extend(missing.map(|segment| format!("{system}: {segment} of {names}")));
        }
    }
    assert_eq!(untold, [""; 0]);
}

#[test]
fn few_names_have_no_counterpart() {
    let lacks = rows().into_iter().filter(|[_, _, _, status, _]| *status == "lacks");
    let reasons: Vec<&str> = lacks.map(|[_, _, _, _, reason]| reason).collect();
    assert!(reasons.len() <= 30, "{} names", reasons.len());
    assert!(reasons.iter().all(|reason| reason.ends_with('.')), "{reasons:#?}");
}
