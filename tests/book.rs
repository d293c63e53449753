//! The book: its table of contents, its programs and the files that it names exist and agree.

use std::fs;
use std::path::Path;

/// The programs that are longer than the others: the loop that a chapter builds.
const TOY_LOOP: &str = "toy_loop";
const PROGRAM_LINES_MAX: usize = 150;
const TOY_LOOP_LINES_MAX: usize = 250;
/// The examples that need more lines, without their heads. Do not add to them: split a program.
const LONGER: [&str; 6] = [
    "examples/ecosystem/grpc.rs",
    "examples/ecosystem/python-guest.rs",
    "examples/ecosystem/quic-echo.rs",
    "examples/ecosystem/reverse-proxy.rs",
    "examples/http-server.rs",
    "examples/job-worker/main.rs",
];
/// A part of two programs, and so without a recipe.
const CONNECTOR: &str = "examples/ecosystem/connector.rs";
/// The texts of the book that are no chapters: without aims and exercises.
const NO_CHAPTERS: [&str; 4] = ["introduction", "faq", "glossary", "examples"];
/// The chapters that are in `docs`.
const OTHERS: [&str; 2] = ["debugging", "testing"];

/// The texts of a folder, by file name.
fn texts(folder: &str, extension: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut texts = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|found| found == extension) {
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            texts.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    texts.sort();
    texts
}

fn chapters() -> Vec<(String, String)> {
    let chapters = texts("docs/book", "md").into_iter();
    chapters.filter(|(name, _)| name != "SUMMARY").collect()
}

fn programs() -> Vec<(String, String)> {
    texts("examples/book", "rs")
}

/// What stands between each `start` and the next `end`.
fn between<'a>(text: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
}

#[test]
fn the_contents_name_each_text_of_the_guide() {
    let (guide, contents) =
        (include_str!("../src/guide.rs"), include_str!("../docs/book/SUMMARY.md"));
    let files: Vec<&str> = between(guide, "include_str!(\"../docs/", '"')
        .map(|path| path.trim_start_matches("book/"))
        .collect();
    let named: Vec<&str> = between(contents, "](", ')').collect();
    assert_eq!(named, files);
    for (chapter, _) in chapters() {
        assert!(files.contains(&&*format!("{chapter}.md")), "{chapter}.md is not a module");
    }
}

#[test]
fn each_program_is_in_a_chapter_and_in_the_manifest() {
    let manifest = include_str!("../examples/book/Cargo.toml");
    let text: String = chapters().into_iter().map(|(_, text)| text).collect();
    for (name, _) in programs() {
        assert!(text.contains(&format!("examples/book/{name}.rs)")), "no chapter links to {name}");
        let line = format!("{{ name = \"{name}\", path = \"{name}.rs\" }}");
        assert!(manifest.contains(&line) || name == TOY_LOOP, "the manifest does not name {name}");
    }
}

#[test]
fn the_files_that_the_texts_link_to_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for (name, text) in chapters().into_iter().chain(texts("docs", "md")) {
        let sources = between(&text, "](../../../src/evloop/", ')');
        let sources = sources.map(|path| format!("src/{}", path.trim_end_matches(".html")));
        let files = ["/blob/main/", "/tree/main/"].map(|place| {
            let place = format!("](https://github.com/evloop/evloop{place}");
            between(&text, &place, ')').map(str::to_string).collect::<Vec<_>>()
        });
        for path in sources.chain(files.concat()) {
            assert!(root.join(&path).exists(), "{name}.md links to {path}");
            count += 1;
        }
    }
    assert!(count > 50, "too few: {count}");
}

/// The programs in `examples` and in its folders. A folder with a `main.rs` is one program.
fn examples() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["examples", "examples/book", "examples/ecosystem"] {
        found
            .extend(texts(folder, "rs").into_iter().map(|(name, _)| format!("{folder}/{name}.rs")));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let main = entry.unwrap().path().join("main.rs");
        if main.exists() {
            found.push(main.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
    found.sort();
    found
}

#[test]
fn the_index_lists_each_example_once() {
    let index = include_str!("../docs/book/examples.md");
    let mut listed: Vec<&str> = Vec::new();
    for line in index.lines().filter(|line| line.starts_with("| [`")) {
        let path = between(line, "](https://github.com/evloop/evloop/blob/main/", ')').next();
        let path = path.expect(line);
        let name = between(line, "[`", '`').next().unwrap();
        let file = path.trim_end_matches("/main.rs").trim_end_matches(".rs");
        assert!(file.ends_with(&format!("/{name}")), "{name} links to {path}");
        let cells: Vec<&str> = line.split(" | ").collect();
        assert_eq!(cells.len(), 3, "program, what it shows, counterpart: {line}");
        listed.push(path);
    }
    listed.sort_unstable();
    assert_eq!(listed, examples());
}

#[test]
fn the_examples_are_short_and_have_recipes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in examples().into_iter().filter(|path| !path.contains("/book/")) {
        let text = fs::read_to_string(root.join(&path)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("//!")).count();
        let is_longer = LONGER.contains(&&*path);
        assert_eq!(lines > PROGRAM_LINES_MAX, is_longer, "{path} has {lines} lines");
        let has_recipe = between(&text, "//! ```sh\n", '`').any(|recipe| recipe.contains("cargo "));
        assert_eq!(has_recipe, path != CONNECTOR, "the head of {path} has no recipe");
    }
}

#[test]
fn the_programs_are_short_and_have_recipes() {
    for (name, text) in programs() {
        let is_toy = name == TOY_LOOP;
        let limit = if is_toy { TOY_LOOP_LINES_MAX } else { PROGRAM_LINES_MAX };
        assert!(text.lines().count() <= limit, "{name} is longer than {limit} lines");
        let recipe = format!("--package evloop-book --example {name}\n");
        assert!(is_toy || text.contains(&recipe), "the head of {name} has no recipe");
        assert!(is_toy || text.contains("//! ```text\n"), "the head of {name} has no output");
        assert!(!text.contains("unsafe {"), "{name} is not safe");
    }
}

#[test]
fn each_chapter_has_aims_and_exercises() {
    let others = texts("docs", "md").into_iter().filter(|(name, _)| OTHERS.contains(&&**name));
    for (name, text) in chapters().into_iter().chain(others) {
        if NO_CHAPTERS.contains(&&*name) {
            continue;
        }
        assert!(text.contains("\nAfter this chapter you can:\n"), "{name} has no aims");
        assert!(text.contains("\n## Exercises\n"), "{name} has no exercises");
        // In raw HTML a blank line ends the figure.
        for figure in between(&text, "<figure", '\u{0}') {
            let figure = figure.split("</figure>").next().unwrap();
            assert!(!figure.contains("\n\n"), "{name} has a blank line in a figure");
            assert!(figure.contains("<title id=") && figure.contains("aria-labelledby"), "{name}");
            assert!(figure.contains("currentColor"), "{name} has a figure of fixed colours");
        }
    }
}
