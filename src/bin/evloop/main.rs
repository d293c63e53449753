//! `evloop`: shows what the tasks of a running program do, from outside.
//!
//! It asks the thread that a program runs if `EVLOOP_INSPECT=1` is in its environment: one line to
//! a Unix socket, and an answer of one JSON object a line. It needs no crate beyond the library's.

#![forbid(unsafe_code)]

// Leaves.
#[cfg(unix)]
mod failure;
#[cfg(unix)]
mod help;
#[cfg(unix)]
mod json;
#[cfg(unix)]
mod json_reader;
#[cfg(unix)]
mod peers;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod text;

// Asking, and what the answers mean.
#[cfg(unix)]
mod args;
#[cfg(unix)]
mod client;
#[cfg(unix)]
mod directory;
#[cfg(unix)]
mod forest;
#[cfg(unix)]
mod groups;
#[cfg(unix)]
mod snapshot;

// The commands.
#[cfg(unix)]
mod by_place;
#[cfg(unix)]
mod http;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod ps;
#[cfg(unix)]
mod pstree;
#[cfg(unix)]
mod status;
#[cfg(unix)]
mod top;
#[cfg(unix)]
mod trace;
#[cfg(unix)]
mod web;

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("evloop: programs are asked by Unix sockets, which this system does not have");
    std::process::ExitCode::FAILURE
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let Err(failure) = run(&command, words.collect()) else {
        return std::process::ExitCode::SUCCESS;
    };
    if let Some(sentence) = failure.sentence(&command) {
        eprintln!("{}", sentence.lines().map(text::escaped).collect::<Vec<_>>().join("\n"));
    }
    failure.status().into()
}

#[cfg(unix)]
fn run(command: &str, words: Vec<String>) -> Result<(), failure::Failure> {
    let is_help = |word: &str| matches!(word, "--help" | "-h");
    if is_help(command) || command == "help" {
        let topic = words.first().map_or("", String::as_str);
        return output::print(help::text(topic).unwrap_or_default().trim_end());
    }
    if matches!(command, "--version" | "-V") {
        return output::print(concat!("evloop ", env!("CARGO_PKG_VERSION")));
    }
    let run = match command {
        "ps" => ps::run,
        "pstree" => pstree::run,
        "top" => top::run,
        "trace" => trace::run,
        "web" => web::run,
        "status" => status::run,
        "" => return Err(failure::Failure::Usage("a command is missing".into())),
        _ => return Err(failure::Failure::Usage(format!("the command `{command}` is unknown"))),
    };
    if words.iter().any(|word| is_help(word)) {
        return output::print(help::text(command).unwrap_or_default().trim_end());
    }
    run(args::Args::new(words))
}
