//! The style as a test: layers, sizes, `unsafe`, documentation, read from the text of the crate.
//!
//! A rule takes one file and returns the places that break it. Rules about code read
//! `Source::tokens`, which leaves out comments and literals: prose may say `unsafe`. A test first
//! runs its rule on made-up texts, to check that the rule reports what it should.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. A module imports from lower layers and earlier modules of its own.
const LAYERS: &str = "
    L0 caught io_error order poll_with sys world no_world clock current
    L1 io_traits wait threads
    L2 executor reactor
    L3 context
    L4 macros random debug inspect runtime blocking sync time queue coroutine task
    L4 io net rustls fs streams signal process shards hyper tokio sim
    L5 guide lib
";
/// The program is a crate of its own, which sees only what is public in the library.
const PROGRAM: &str = "src/bin/evloop/";
const PROGRAM_LAYERS: &str = "
    L0 failure help json peers text
    L1 args directory json_reader terminal
    L2 client snapshot
    L3 forest groups http output
    L4 by_place ps pstree status top trace web
    L5 main
";
/// The two sides of the kernel never import each other; the layers below are shared.
const TASK_SIDE: &str = "executor";
const IO_SIDE: &str = "reactor";

const UNSAFE_FILES: &str =
    "src/executor/waker.rs src/executor/task_cell.rs src/executor/task_memory.rs";
/// Few enough to be reviewed in one sitting.
const UNSAFE_LINES_MAX: usize = 30;
const WIDTH_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 400;
/// Files of src that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];
/// The most floors that the imports of src form, drawn folder by folder.
const FLOORS_MAX: usize = 9;
const FILE_LINES_MIN: usize = 40;
/// Files of src that may be shorter, each with its reason. Parents may be, too.
const SMALL_FILES: [(&str, &str); 17] = [
    ("src/executor/waker.rs", "unsafe code stands alone"),
    ("src/sys/accept_failure.rs", "of all systems"),
    ("src/sys/pipe_write.rs", "Linux"),
    ("src/sys/no_pipe_write.rs", "not Linux"),
    ("src/fs/fd.rs", "Unix"),
    ("src/fs/handle.rs", "Windows"),
    ("src/net/handle.rs", "Windows"),
    ("src/guide.rs", "documentation alone"),
    ("src/runtime/embed.rs", "Unix with a selector"),
    ("src/sys/no_epoll.rs", "other selectors"),
    ("src/sys/no_pidfd.rs", "not Linux"),
    ("src/sys/no_send_many.rs", "not Linux"),
    ("src/sys/send_many.rs", "Linux"),
    ("src/sys/pidfd.rs", "Linux"),
    ("src/executor/simulated.rs", "the feature sim"),
    ("src/executor/no_spans.rs", "without the feature tracing"),
    ("src/net/socket_options.rs", "Unix, without the feature sim"),
];
const UNFINISHED: &str = "TODO FIXME XXX todo! unimplemented! dbg!";
/// The files that may ask for a simulated world, and why. Its driver and the world itself may, too.
const ASK_FOR_A_WORLD: [(&str, &str); 29] = [
    ("src/blocking.rs", "work runs later on the one thread"),
    ("src/clock.rs", "virtual time"),
    ("src/context.rs", "a loop may have a world of its own"),
    ("src/current/task_id.rs", "numbers by host and ordinal"),
    ("src/debug/dump.rs", "sockets without a descriptor"),
    ("src/executor/child_slot.rs", "the order of the seed"),
    ("src/executor/tasks.rs", "calls keep their order"),
    ("src/hyper/options.rs", "no date of the system's clock"),
    ("src/lib.rs", "declares it"),
    ("src/net/socket_options.rs", "the seam of net"),
    ("src/net/system_or_world.rs", "the seam of net"),
    ("src/net/world_io.rs", "the seam of net"),
    ("src/net/world_names.rs", "the seam of net"),
    ("src/net/world_options.rs", "the seam of net"),
    ("src/net/world_socket.rs", "the seam of net"),
    ("src/random.rs", "numbers of the seed"),
    ("src/reactor/poll.rs", "events of a host"),
    ("src/runtime/event_loop.rs", "a host has one loop"),
    ("src/runtime/simulated.rs", "records the polls of a host"),
    ("src/streams/socket_file.rs", "the files of Unix sockets"),
    ("src/task/children.rs", "the order of the seed"),
    ("src/task/rotation.rs", "numbers of the seed"),
    ("src/threads/inbox.rs", "no other thread wakes a host"),
    // They refuse what a world cannot simulate.
    ("src/io", "AsyncFd, stdin"),
    ("src/net", "from_std, into_std, descriptors"),
    ("src/process/command.rs", "processes"),
    ("src/shards.rs", "threads"),
    ("src/signal/listener.rs", "signals"),
    ("src/tokio", "threads"),
];
/// What a file that refuses something may use of a world.
const REFUSES: &str = "check_outside";
/// The files that name the time of day.
const TIME_OF_DAY: [&str; 4] = ["src/clock.rs", "src/no_world.rs", "src/time/", "src/world/"];
/// In lower case. Text describes the crate, not its history.
const MAKING_OF: [&str; 5] = ["claude", "anthropic", "/work/", "/root/", "issue #"];

const SRC: &[&str] = &["src"];
const RUST: &[&str] = &["src", "tests", "examples", "benches", "macros"];
const PROSE: &[&str] = &[".ci", "docs", "README.md", "CHANGELOG.md", "Cargo.toml"];

/// One file: its path from the root of the crate, and its text.
struct Source {
    path: String,
    text: String,
}

/// A word (with its `!` if it names a macro), `::`, or one other character; or a whole line.
#[derive(Clone, Copy)]
struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// The places that break a rule, each with the reason.
type Findings<'a> = Vec<(Token<'a>, &'static str)>;

impl Source {
    /// The path of the module this file is: `["net", "tcp"]` for `src/net/tcp.rs`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches(PROGRAM).trim_start_matches("src/");
        path.trim_end_matches(".rs").split('/').collect()
    }

    fn is_program(&self) -> bool {
        self.path.starts_with(PROGRAM)
    }

    fn lines(&self) -> impl Iterator<Item = Token<'_>> {
        let lines = (1..).zip(self.text.split('\n'));
        lines.map(|(line, text)| Token { line, text })
    }

    /// The code in order, without comments and literals.
    fn tokens(&self) -> Vec<Token<'_>> {
        let (mut tokens, mut rest, mut line) = (Vec::new(), self.text.as_str(), 1);
        while let Some(first) = rest.chars().next() {
            let prose = prose_len(rest);
            let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let is_macro = rest[word..].starts_with('!') && !rest[word..].starts_with("!=");
            let len = match (prose, word) {
                (0, 0) if rest.starts_with("::") => 2,
                (0, 0) => first.len_utf8(),
                // In `br"…"` the literal begins after the first letter.
                (0, _) if rest.starts_with('b') && prose_len(&rest[1..]) > 0 => 1,
                (0, _) => word + usize::from(is_macro),
                _ => prose,
            };
            let (text, after) = rest.split_at(len);
            if prose == 0 && !first.is_whitespace() {
                tokens.push(Token { line, text });
            }
            line += text.matches('\n').count();
            rest = after;
        }
        tokens
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn has_word(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|each| each == word)
}

/// The length of the comment or literal that `text` begins with; 0 if it begins with neither.
fn prose_len(text: &str) -> usize {
    let bounds = ["// \n", "/* */", "r\" \"", "r#\" \"#", "r##\" \"##", "r###\" \"###"];
    for (start, end) in bounds.iter().filter_map(|pair| pair.split_once(' ')) {
        if let Some(inner) = text.strip_prefix(start) {
            let len = inner.find(end).map(|at| start.len() + at + end.len());
            return len.unwrap_or(text.len());
        }
    }
    let mut chars = text.chars().chain("   ".chars());
    let [quote, second, third] = [(); 3].map(|()| chars.next().expect("three at least"));
    // `'a'` is a literal, `'a` a lifetime.
    if quote != '"' && (quote != '\'' || second != '\\' && third != quote) {
        return 0;
    }
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

/// Returns the index in `tokens` of the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    let closes = tokens[open..].iter().position(|token| {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    closes.map_or(tokens.len() - 1, |at| open + at)
}

/// Returns the names right below the crate root that the file uses by `crate::` or `super::`: no
/// macros.
fn imports(source: &Source) -> Vec<Token<'_>> {
    let (tokens, mut found) = (source.tokens(), Vec::new());
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut inline_modules = Vec::new();
    for at in 0..tokens.len() {
        if text(at) == "{" && at >= 2 && text(at - 2) == "mod" {
            inline_modules.push(closing(&tokens, at));
        }
        inline_modules.retain(|&end| end > at);
        let depth = source.module().len() + inline_modules.len();
        let supers = (at..).step_by(2).take_while(|&at| text(at) == "super");
        let start = match (text(at), supers.count()) {
            ("crate", _) if text(at + 1) == "::" => at + 2,
            ("super", _) if at >= 2 && text(at - 2) == "super" => continue,
            ("super", count) if count >= depth => at + 2 * count,
            _ => continue,
        };
        if text(start) != "{" {
            found.extend(tokens.get(start));
            continue;
        }
        let mut inner = start + 1;
        while inner < closing(&tokens, start) {
            match text(inner) {
                "{" => inner = closing(&tokens, inner),
                _ if matches!(text(inner - 1), "{" | ",") => found.push(tokens[inner]),
                _ => {}
            }
            inner += 1;
        }
    }
    found.retain(|token| !token.text.ends_with('!'));
    found
}

/// Returns those of `tokens` for which `why` returns a reason.
fn judge<'a>(
    tokens: impl IntoIterator<Item = Token<'a>>,
    why: impl Fn(&str) -> Option<&'static str>,
) -> Findings<'a> {
    let mut findings = Findings::new();
    for token in tokens {
        findings.extend(why(token.text).map(|why| (token, why)));
    }
    findings
}

fn layers(source: &Source) -> Findings<'_> {
    let is_layer = |word: &&str| word.starts_with('L');
    let layers = if source.is_program() { PROGRAM_LAYERS } else { LAYERS };
    let place = |name: &str| {
        let mut order = layers.split_whitespace().filter(|word| !is_layer(word));
        order.position(|module| module == name)
    };
    let sides = |one: &str, other: &str| has_word(TASK_SIDE, one) && has_word(IO_SIDE, other);
    let own = source.module()[0].trim_end_matches("_tests");
    let Some(own_place) = place(own) else {
        let file = Token { line: 1, text: own };
        return vec![(file, "is unknown: add it to LAYERS in tests/tidy.rs")];
    };
    let why = |name: &str| match place(name) {
        None => Some("is no module of LAYERS: import from where it is defined"),
        Some(at) if at > own_place => Some("is above this module in the layers of DESIGN.md"),
        _ if sides(own, name) || sides(name, own) => Some("is of the kernel's other side"),
        _ => None,
    };
    judge(imports(source), why)
}

/// A file's imports: the module path that each names, and whether it is handed on by `pub use`.
type Imports<'a> = Vec<(Vec<&'a str>, Token<'a>, bool)>;

/// Every path of a file that begins with `crate`, `super`, `self` or a child of the file.
fn paths<'a>(source: &'a Source, children: &[&str]) -> Imports<'a> {
    let (tokens, mut found) = (source.tokens(), Imports::new());
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let (own, mut inline_modules) = (source.module(), Vec::new());
    for at in 0..tokens.len() {
        if text(at) == "{" && at >= 2 && text(at - 2) == "mod" {
            inline_modules.push(closing(&tokens, at));
        }
        inline_modules.retain(|&end| end > at);
        let before = if at == 0 { "" } else { text(at - 1) };
        if matches!(before, "::" | "$" | ".") || text(at + 1) != "::" {
            continue;
        }
        let inner = inline_modules.len();
        let supers = (at..).step_by(2).take_while(|&at| text(at) == "super").count();
        let (base, start) = match text(at) {
            "crate" => (vec![], at + 2),
            "self" if inner == 0 => (own.clone(), at + 2),
            // Out of its own inline modules first.
            "super" if supers <= inner => continue,
            "super" if supers - inner > own.len() => continue,
            "super" => (own[..own.len() - (supers - inner)].to_vec(), at + 2 * supers),
            word if inner == 0 && children.contains(&word) => (own.clone(), at),
            _ => continue,
        };
        let is_handed_on = before == "use" && at >= 2 && matches!(text(at - 2), "pub" | ")");
        expand(&tokens, start, &base, &mut |path, token| found.push((path, token, is_handed_on)));
    }
    found
}

/// Calls `f` with every path of a tree like `a::{b, c::d}` that begins at `at`, below `base`.
fn expand<'a>(
    tokens: &[Token<'a>],
    at: usize,
    base: &[&'a str],
    f: &mut impl FnMut(Vec<&'a str>, Token<'a>),
) {
    let Some(&token) = tokens.get(at) else { return };
    let next = |at: usize| tokens.get(at).map_or("", |token| token.text);
    if token.text != "{" {
        let path = [base, &[token.text]].concat();
        return match next(at + 1) {
            "::" => expand(tokens, at + 2, &path, f),
            _ => f(path, token),
        };
    }
    let (end, mut inner) = (closing(tokens, at), at + 1);
    while inner < end {
        expand(tokens, inner, base, f);
        while inner < end && next(inner) != "," {
            inner = if next(inner) == "{" { closing(tokens, inner) } else { inner } + 1;
        }
        inner += 1;
    }
}

/// For each name, the names that it imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Returns the imports between the files of src: `net/tcp` -> `io`. A parent's `pub use` of its own
/// child is no import; the crate root imports nothing. Test files are left out: they are parts of
/// the files that they test.
fn graph(sources: &[Source]) -> Graph {
    let modules: Vec<_> = sources.iter().map(Source::module).collect();
    let is_left_out = |own: &[&str]| {
        matches!(own, ["lib" | "main"]) || own.last().is_some_and(|it| it.ends_with("_tests"))
    };
    let mut graph = Graph::new();
    for (source, own) in sources.iter().zip(&modules).filter(|(_, own)| !is_left_out(own)) {
        let is_child = |module: &&Vec<&str>| module.len() > own.len() && module.starts_with(own);
        let children: Vec<_> = modules.iter().filter(is_child).map(|m| m[own.len()]).collect();
        let edges = graph.entry(own.join("/")).or_default();
        for (path, _, is_handed_on) in paths(source, &children) {
            let file = modules.iter().filter(|module| path.starts_with(module));
            let Some(file) = file.max_by_key(|module| module.len()) else { continue };
            if file != own && !(is_handed_on && file.starts_with(own)) {
                edges.insert(file.join("/"));
            }
        }
    }
    graph
}

/// Removes the names that import no other that is left, until there is none: each round is a floor.
/// Then removes the names that no other imports, in the same way. The rest is in cycles, or between
/// two.
fn floors(mut graph: Graph) -> (usize, Vec<String>) {
    for floor in 0.. {
        let is_left = |name: &String| graph.contains_key(name);
        let imports_nothing = |edges: &BTreeSet<String>| !edges.iter().any(is_left);
        let done = graph.iter().filter(|(_, edges)| imports_nothing(edges));
        let done: Vec<_> = done.map(|(name, _)| name.clone()).collect();
        if done.is_empty() {
            return (floor, imported(graph));
        }
        graph.retain(|name, _| !done.contains(name));
    }
    unreachable!("a graph has fewer floors than names")
}

/// Removes the names that nothing imports, until there is none.
fn imported(mut graph: Graph) -> Vec<String> {
    loop {
        let (before, targets) = (graph.len(), graph.values().flatten().cloned());
        let targets: BTreeSet<_> = targets.collect();
        graph.retain(|name, _| targets.contains(name));
        if graph.len() == before {
            return graph.into_keys().collect();
        }
    }
}

/// Returns the same graph, drawn folder by folder.
fn by_folder(graph: &Graph) -> Graph {
    let folder = |name: &str| name.split('/').next().unwrap_or(name).to_owned();
    let mut folders = Graph::new();
    for (name, edges) in graph {
        let (own, edges) = (folder(name), edges.iter().map(|edge| folder(edge)));
        let edges: Vec<_> = edges.filter(|edge| *edge != own).collect();
        folders.entry(own).or_default().extend(edges);
    }
    folders
}

/// Returns the children that import their parent: the shared part belongs in a file of its own.
fn upward(graph: &Graph) -> Vec<String> {
    let is_upward = |name: &str, edge: &str| name.starts_with(&format!("{edge}/"));
    let pairs = graph.iter().flat_map(|(name, edges)| edges.iter().map(move |edge| (name, edge)));
    let upward = pairs.filter(|(name, edge)| is_upward(name, edge));
    upward.map(|(name, edge)| format!("{name} imports {edge}")).collect()
}

/// Returns the files of src that are small without a reason, or more than one folder deep.
fn misplaced(sources: &[Source]) -> Vec<&str> {
    let modules: Vec<_> = sources.iter().map(Source::module).collect();
    let is_parent =
        |own: &[&str]| modules.iter().any(|m| m.len() > own.len() && m.starts_with(own));
    let is_small = |source: &Source| source.text.lines().count() < FILE_LINES_MIN;
    let is_excused = |source: &Source| SMALL_FILES.iter().any(|(path, _)| *path == source.path);
    let is_misplaced = |source: &&Source| {
        let own = source.module();
        own.len() > 2 || is_small(source) && !is_parent(&own) && !is_excused(source)
    };
    sources.iter().filter(is_misplaced).map(|source| source.path.as_str()).collect()
}

fn unsafe_code(source: &Source) -> Findings<'_> {
    let lines: Vec<&str> = source.lines().map(|line| line.text.trim()).collect();
    // The note stands above the statement, which may begin on an earlier line.
    let is_noted = |line: usize| {
        let is_note = |text: &str| text.starts_with("//");
        let is_apart = |text: &str| !is_note(text) && text.ends_with([';', '{', '}', ',']);
        let above = lines[..line - 1].iter().rev();
        let mut note = above.take_while(|text| !is_apart(text));
        note.any(|text| text.starts_with("// SAFETY:"))
    };
    let mut findings = Findings::new();
    for pair in source.tokens().windows(2) {
        if pair[0].text != "unsafe" {
            continue;
        } else if !has_word(UNSAFE_FILES, &source.path) {
            findings.push((pair[0], "belongs to the UNSAFE_FILES only"));
        } else if matches!(pair[1].text, "{" | "impl") && !is_noted(pair[0].line) {
            findings.push((pair[0], "has no `// SAFETY:` note above it"));
        }
    }
    findings
}

fn heads(source: &Source) -> Findings<'_> {
    judge(source.lines().take(1), |line| {
        (!line.starts_with("//!")).then_some("stands where `//!` should say what the file is")
    })
}

fn shape(source: &Source) -> Findings<'_> {
    let why = |text: &str| match text {
        _ if text.chars().count() > WIDTH_MAX => Some("is wider than WIDTH_MAX"),
        _ if text.contains('\t') => Some("holds a tab"),
        _ if text.ends_with(char::is_whitespace) => Some("ends in white space"),
        _ => None,
    };
    judge(source.lines(), why)
}

fn lengths(source: &Source) -> Findings<'_> {
    let (tokens, mut findings) = (source.tokens(), Findings::new());
    let is_excused = |(path, _reason): &(&str, &str)| *path == source.path;
    let is_long = source.text.lines().count() > FILE_LINES_MAX;
    if is_long && source.path.starts_with("src/") && !LONG_FILES.iter().any(is_excused) {
        let beyond = source.lines().nth(FILE_LINES_MAX);
        findings.extend(beyond.map(|line| (line, "is beyond FILE_LINES_MAX: divide the file")));
    }
    for (at, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = [pair[0], pair[1]];
        if keyword.text != "fn" || !name.text.starts_with(is_word) {
            continue;
        }
        let mut open = at;
        while open < tokens.len() && !matches!(tokens[open].text, "{" | ";") {
            if matches!(tokens[open].text, "(" | "[") {
                open = closing(&tokens, open);
            }
            open += 1;
        }
        let end = tokens.get(open).map(|_| tokens[closing(&tokens, open)]);
        if end.is_some_and(|end| end.line - keyword.line >= FUNCTION_LINES_MAX) {
            findings.push((name, "is longer than FUNCTION_LINES_MAX"));
        }
    }
    findings
}

/// Time and chance come from the loop, so that both can be simulated.
fn world(source: &Source) -> Findings<'_> {
    let (tokens, mut findings) = (source.tokens(), Findings::new());
    let has_clock = source.path.starts_with("src/clock") || source.path.starts_with("src/sys/");
    for (at, token) in tokens.iter().enumerate() {
        let path: Vec<_> = tokens[at..].iter().take(3).map(|token| token.text).collect();
        if path == ["Instant", "::", "now"] && !has_clock {
            findings.push((*token, "::now is called by src/clock.rs and src/sys/ only"));
        }
        if path[0] == "clock_gettime" && !has_clock {
            findings.push((*token, "is called by src/clock.rs and src/sys/ only"));
        }
        // The times of a file are values of the file system.
        let names = |place: &str| source.path.starts_with(place);
        let is_named = names("src/fs/") || TIME_OF_DAY.iter().any(|place| names(place));
        let is_read = path[1..] == ["::", "now"] && !has_clock;
        if path[0] == "rand" || path[0] == "SystemTime" && (is_read || !is_named) {
            findings.push((*token, "is not of the loop's world"));
        }
    }
    findings
}

/// Only the files of a list ask for a simulated world: a program is the same in one and outside.
fn worlds(source: &Source) -> Findings<'_> {
    let (tokens, mut findings) = (source.tokens(), Findings::new());
    let is_own = ["src/world", "src/sim", "src/no_world"]
        .iter()
        .any(|own| source.path.strip_prefix(own).is_some_and(|rest| rest.starts_with(['.', '/'])));
    let may = |(path, _): &&(&str, &str)| source.path.starts_with(path);
    let entry = ASK_FOR_A_WORLD.iter().filter(may).max_by_key(|(path, _)| path.len());
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 2).map_or("", |token| token.text);
        let is_use = token.text == "world" && tokens.get(at + 1).is_some_and(|it| it.text == "::");
        if !is_use || is_own {
            continue;
        }
        let is_refusal = next == REFUSES;
        if entry.is_none_or(|(path, _)| !path.ends_with(".rs") && !is_refusal) {
            findings.push((*token, "is used by the files of ASK_FOR_A_WORLD only"));
        }
    }
    findings
}

fn words(source: &Source) -> Findings<'_> {
    let is_split = |c| !is_word(c) && c != '!';
    let why = |text: &str| match text.to_lowercase() {
        lower if MAKING_OF.iter().any(|word| lower.contains(word)) => {
            Some("describes how the crate was made")
        }
        _ if text.split(is_split).any(|word| has_word(UNFINISHED, word)) => Some("is unfinished"),
        _ => None,
    };
    // This file has to name the words.
    let lines = source.lines().filter(|_| source.path != "tests/tidy.rs");
    judge(lines, why)
}

/// Returns the files below `places`; in the folders of code, only the crate's own Rust files.
fn files(places: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = places.iter().map(|place| root.join(place)).collect();
    let mut sources = Vec::new();
    while let Some(file) = paths.pop() {
        let path = file.strip_prefix(root).expect("a path below the root");
        let in_code = RUST.iter().any(|folder| path.starts_with(folder));
        let path = path.display().to_string().replace('\\', "/");
        if let Ok(entries) = fs::read_dir(&file) {
            let inner = entries.map(|entry| entry.expect("a readable folder").path());
            let is_built = |path: &PathBuf| path.ends_with("target");
            paths.extend(inner.filter(|path| !path.ends_with("benches/peers") && !is_built(path)));
        } else if path.ends_with(".rs") || !in_code {
            // A file that is missing or no text counts as empty.
            let text = fs::read_to_string(&file).unwrap_or_default();
            sources.push(Source { path, text });
        }
    }
    sources
}

/// Panics with all that `rule` finds below `places`, one `file:line: reason` a line.
fn assert_tidy(rule: fn(&Source) -> Findings, places: &[&str]) {
    let mut found = Vec::new();
    for source in files(places) {
        for (Token { line, text }, why) in rule(&source) {
            found.push(format!("{}:{line}: `{}` {why}", source.path, text.trim()));
        }
    }
    found.sort();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Runs `rule` on texts written as `path | lines it must report | text`, `⏎` for a new line.
fn show(rule: fn(&Source) -> Findings, texts: &str) {
    for row in texts.lines().filter(|row| row.contains('|')) {
        let mut parts = row.trim_start().splitn(3, '|');
        let [path, expected, text] = [(); 3].map(|()| parts.next().expect("three parts"));
        let (path, text) = (path.trim().into(), text[1..].replace('⏎', "\n"));
        let source = Source { path, text };
        let mut found = String::new();
        for (token, _) in rule(&source) {
            found += &format!(" {}", token.line);
        }
        assert_eq!(found.trim(), expected.trim(), "{row}");
    }
}

#[test]
fn modules_import_only_what_is_below_them() {
    let texts = r##"
        src/reactor.rs | 2   | ⏎use crate::executor::Batch;
        src/clock.rs   | 1 2 | use crate::{current::Budget,⏎ reactor::{Wheel, Key},};
        src/net.rs     | 1   | use {crate::context, crate::fs::File};
        src/time.rs    | 1 1 | fn f() { crate::net::f(); super::queue::f() }
        src/net/tcp.rs | 1   | use super::super::{streams, io};⏎use super::udp;
        src/io.rs      | 1   | mod a { use super::f; use super::super::net; } use super::time;
        src/net/tcp.rs |     | use crate::{context, io, net, runtime::{self, Handle}};
        src/current.rs |     | // crate::net⏎const S: &str = r#"crate::net"#;⏎/* crate::net */
        src/executor.rs| 1   | use crate::reactor::Reactor;
        src/reactor.rs | 1   | use crate::{executor::Inbox, current, clock, sys, threads, wait};
        src/context.rs |     | use crate::{executor, reactor};
        src/net.rs     | 3   | ⏎⏎crate::spawn(async {});
        src/net.rs     | 1 2 | use super::*;⏎use crate::*;
        src/net.rs     |     | crate::select!(a); pub(crate) fn f() {}
        src/helpers.rs | 1   | fn f() {}
        src/bin/evloop/ps.rs   |   | use crate::{by_place, json::Json}; use evloop::net;
        src/bin/evloop/json.rs | 1 | use crate::snapshot::Task;
        src/bin/evloop/json_tests.rs | 1 | use crate::json::Json; use crate::net;
    "##;
    show(layers, texts);
    assert_tidy(layers, SRC);
}

/// Returns sources written as `path | text`.
fn made_up(texts: &str) -> Vec<Source> {
    let rows = texts.lines().filter_map(|row| row.split_once('|'));
    let source =
        |(path, text): (&str, &str)| Source { path: path.trim().into(), text: text.into() };
    rows.map(source).collect()
}

#[test]
fn no_two_files_import_each_other() {
    let sources = made_up(
        "src/a.rs   | mod x; mod y; pub use self::x::X; pub(crate) use self::y::{Y, Z};
         src/a/x.rs | use super::y::Y; use crate::b::{self, B};
         src/a/y.rs | mod tests { use super::*; use super::super::x; } // crate::c
         src/b.rs   | mod x; use crate::c;
         src/b/x.rs | fn f() { super::g(); }
         src/b/x_tests.rs | use super::*;
         src/c.rs   | const S: &str = \"crate::b\"; fn f() { crate::d::f() }
         src/d.rs   | use {std::io, crate::b::x::{F, G}};
         src/lib.rs | mod a; mod b; use a::X;",
    );
    let found = graph(&sources);
    let edges = |name: &str| found[name].iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(edges("a"), "", "a re-export is no import");
    assert_eq!((edges("a/x"), edges("a/y")), ("a/y b".into(), "a/x".into()));
    assert_eq!((edges("c"), edges("d")), ("d".into(), "b/x".into()));
    assert_eq!(upward(&found), ["b/x imports b"]);
    // `a/x` with `a/y` inside a folder, and `b`, `c`, `d`, `b/x` through several.
    assert_eq!(
        floors(found.clone()),
        (1, ["a/x", "a/y", "b", "b/x", "c", "d"].map(Into::into).into())
    );
    assert_eq!(floors(by_folder(&found)), (0, ["b", "c", "d"].map(Into::into).into()));

    let (program, library): (Vec<_>, Vec<_>) = files(SRC).into_iter().partition(Source::is_program);
    for found in [graph(&library), graph(&program)] {
        assert_eq!(floors(found.clone()).1, [""; 0], "these files are in a cycle, or between two");
        assert_eq!(upward(&found), [""; 0], "a child does not import its parent");
    }
}

#[test]
fn the_layers_are_few() {
    let sources = made_up("src/a.rs | use crate::b;\nsrc/b.rs | crate::c::f();\nsrc/c.rs |");
    assert_eq!(floors(graph(&sources)), (3, vec![]));
    let library: Vec<_> = files(SRC).into_iter().filter(|it| !it.is_program()).collect();
    let (floors, in_cycles) = floors(by_folder(&graph(&library)));
    assert_eq!(in_cycles, [""; 0], "these folders are in a cycle, or between two");
    assert!(floors <= FLOORS_MAX, "{floors} floors");
}

#[test]
fn files_are_large_enough_and_one_folder_deep() {
    let long = "\n".repeat(FILE_LINES_MIN);
    let file = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let made = [file("src/a.rs", ""), file("src/a/b.rs", &long), file("src/c.rs", "\n")];
    assert_eq!(misplaced(&made), ["src/c.rs"]);
    assert_eq!(misplaced(&[file("src/a/b/c.rs", &long)]), ["src/a/b/c.rs"]);
    assert_eq!(misplaced(&files(SRC)), [""; 0], "join it to a neighbour, or move it up");
}

#[test]
fn unsafe_stays_in_its_two_files() {
    let texts = r###"
        src/net.rs  | 2 | ⏎unsafe { f() }
        src/executor/waker.rs |   | f();⏎// SAFETY: once,⏎// and no more.⏎let a =⏎ unsafe { f() };
        src/executor/waker.rs | 3 | // SAFETY: once.⏎f();⏎unsafe { f() };
        src/lib.rs  |   | #![deny(unsafe_code)] // unsafe⏎/* unsafe */ "\"unsafe\\";
        src/lib.rs  | 1 | '"' '\'' b'\\' fn g<'a>() {} br##""# unsafe"##; unsafe {} ""
    "###;
    show(unsafe_code, texts);
    assert_tidy(unsafe_code, SRC);
    let mut lines = Vec::new();
    for source in files(SRC) {
        let mut tokens = source.tokens();
        tokens.retain(|token| token.text == "unsafe");
        lines.extend(tokens.iter().map(|token| (source.path.clone(), token.line)));
    }
    lines.dedup();
    assert!(lines.len() <= UNSAFE_LINES_MAX, "too many: {lines:?}");
}

#[test]
fn files_begin_with_what_they_are() {
    show(heads, "src/a.rs | 1 | use std::io;");
    show(heads, "src/a.rs |   | //! Reads.");
    assert_tidy(heads, RUST);
}

#[test]
fn lines_are_narrow_and_clean() {
    let (fits, wide) = ("ä".repeat(100), "a".repeat(101));
    let text = format!("src/a.rs | 2 4 5 | {fits}⏎{wide}⏎a⏎\tb⏎c ⏎");
    show(shape, &text);
    assert_tidy(shape, RUST);
}

#[test]
fn files_and_functions_are_short() {
    let [a, b, c, d] = [69, 70, 400, 401].map(|lines| "⏎".repeat(lines));
    let functions = format!("src/a.rs | 1 | fn f(a: [u8; 4]) {{{b}}} fn g() {{{a}}}");
    show(lengths, &functions);
    show(lengths, &format!("src/a.rs | | {c}\nsrc/b.rs | 401 | {d}"));
    assert_tidy(lengths, RUST);
}

#[test]
fn time_and_chance_come_from_the_loop() {
    let texts = "
        src/net.rs   | 2   | let a =⏎std::time::Instant::now();
        src/net.rs   | 1 2 | use std::time::SystemTime;⏎rand::random()
        src/fs/a.rs  | 2   | fn f(a: SystemTime) {}⏎SystemTime::now()
        src/net.rs   | 1   | rustix::time::clock_gettime(ClockId::Monotonic)
        src/clock.rs |     | Instant::now() SystemTime::now()
        src/time/a.rs| 2   | fn f() -> SystemTime {}⏎SystemTime::now()
        src/sys/linux.rs | | clock_gettime(ClockId::Monotonic)
        src/net.rs   |     | fn f(due: Instant, now: Instant) { clock::now() }
    ";
    show(world, texts);
    assert_tidy(world, SRC);
}

#[test]
fn few_files_ask_for_a_simulated_world() {
    let texts = "
        src/net/tcp.rs   | 1 | world::here()
        src/net/tcp.rs   |   | use crate::world;⏎world::check_outside(1)
        src/clock.rs     |   | world::here()
        src/sync/mutex.rs| 2 | ⏎world::check_outside(1)
        src/sim/a.rs     |   | world::current()
        src/simple.rs    | 1 | world::current()
    ";
    show(worlds, texts);
    assert_tidy(worlds, SRC);
}

/// Returns the files of src that the list in `docs` does not name, or names twice.
fn unlisted<'a>(docs: &str, sources: &'a [Source]) -> Vec<&'a str> {
    let map: Vec<_> = docs.lines().filter_map(|line| line.split("  ").next()).collect();
    let named = |path: &str| map.iter().filter(|name| **name == path).count();
    let paths = sources.iter().filter_map(|source| source.path.strip_prefix("src/"));
    paths.filter(|path| named(path) != 1).collect()
}

#[test]
fn the_docs_list_every_file() {
    let file = |path: &str| Source { path: path.into(), text: String::new() };
    let sources = ["src/a.rs", "src/b/c.rs", "src/d.rs"].map(file);
    assert_eq!(unlisted("b/c.rs  a c\nd.rs   a d\nd.rs   again\n", &sources), ["a.rs", "d.rs"]);
    let docs = fs::read_to_string("docs/internals.md").unwrap();
    assert_eq!(unlisted(&docs, &files(SRC)), [""; 0], "not once in the list of docs/internals.md");
}

/// Returns the functions that `docs` names as `file.rs::function` and that the file does not have.
fn unknown_functions<'a>(docs: &'a str, sources: &[Source]) -> Vec<&'a str> {
    let mut functions = BTreeSet::new();
    for source in sources {
        for pair in source.tokens().windows(2).filter(|pair| pair[0].text == "fn") {
            functions.insert((source.path.clone(), pair[1].text.to_string()));
        }
    }
    let is_known = |name: &str| {
        let (file, function) = name.split_once("::").expect("a name in two parts");
        functions.contains(&(format!("src/{file}"), function.to_string()))
    };
    let names = docs.split('`').filter(|text| text.contains(".rs::"));
    names.filter(|name| !is_known(name)).collect()
}

#[test]
fn the_docs_name_functions_that_exist() {
    let text = "impl A { fn f() {} } // fn g\nfn fg<T>() {}".into();
    let sources = [Source { path: "src/a/b.rs".into(), text }];
    let docs = "`a/b.rs::f` calls `a/b.rs::fg`, `a/b.rs::g` and `b.rs::f`; `f::f` in `a/b.rs`.";
    assert_eq!(unknown_functions(docs, &sources), ["a/b.rs::g", "b.rs::f"]);
    let docs = fs::read_to_string("docs/internals.md").unwrap();
    assert!(docs.matches(".rs::").count() > 50, "too few: the walks are missing");
    assert_eq!(unknown_functions(&docs, &files(SRC)), [""; 0], "docs/internals.md names these");
}

#[test]
fn no_text_is_unfinished_or_describes_how_it_was_made() {
    let texts = "
        src/net.rs | 1 2 4 | // TODO: more⏎todo!()⏎todo TODOS⏎// see Issue #7
        README.md  | 1 2   | (dbg!)⏎in /root/x
    ";
    show(words, texts);
    assert_tidy(words, &[RUST, PROSE].concat());
}

/// Cargo builds only the examples that a manifest names. A module is a part of an example.
#[test]
fn manifests_name_every_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = files(&["examples"]);
    for source in &sources {
        let package = ["examples/ecosystem/", "examples/"]
            .into_iter()
            .find(|package| source.path.starts_with(package))
            .expect("a file below examples");
        let file = &source.path[package.len()..];
        if file.ends_with("/main.rs") || !file.contains('/') {
            let manifest = fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap();
            let names_it = manifest.contains(&format!("path = \"{file}\""));
            let module = format!("\nmod {};\n", file.trim_end_matches(".rs"));
            let is_module = sources
                .iter()
                .any(|example| example.path.starts_with(package) && example.text.contains(&module));
            assert!(names_it || is_module, "{package}Cargo.toml does not name {file}");
        }
    }
}
