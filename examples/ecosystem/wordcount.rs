//! Counts the words of many files. Each file has its own task, and a bar shows the progress.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --release --bin wordcount -- ../..             # of this crate
//! cargo run --release --bin wordcount -- /usr/share/doc
//! ```
//!
//! While it runs, a terminal shows
//!
//! ```text
//! ████████████████████████░░░░░░░░░░░░░░░░  148/241 files
//! ```
//!
//! and at the end it prints
//!
//! ```text
//! 152023 words in 241 files
//! ```
//!
//! A file that is not UTF-8 or cannot be read is left out, and counted separately.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use evloop::fs;
use evloop::task::JoinSet;
use indicatif::{ProgressBar, ProgressStyle};

/// The most files that are open at the same time.
const OPEN_MAX: usize = 32;

#[derive(Default)]
struct Total {
    words: usize,
    files: usize,
    left_out: usize,
}

fn main() -> ExitCode {
    let mut paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        paths.push(".".into());
    }
    match evloop::block_on(run(paths)) {
        Ok(Total { words, files, left_out }) => {
            let left_out = if left_out > 0 { format!(", {left_out} left out") } else { "".into() };
            println!("{words} words in {files} files{left_out}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("wordcount: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(paths: Vec<PathBuf>) -> io::Result<Total> {
    let files = files_below(paths).await?;
    let bar = ProgressBar::new(files.len() as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos:>4}/{len} files");
    bar.set_style(style.expect("the template is valid").progress_chars("██░"));
    let mut total = Total::default();
    let mut tasks = JoinSet::new();
    for file in files {
        if tasks.len() == OPEN_MAX {
            add(&mut total, &mut tasks, &bar).await;
        }
        tasks.spawn(async { fs::read_to_string(file).await.map(words) });
    }
    while !tasks.is_empty() {
        add(&mut total, &mut tasks, &bar).await;
    }
    bar.finish_and_clear();
    Ok(total)
}

/// Adds the words of the next file that is done.
async fn add(total: &mut Total, tasks: &mut JoinSet<io::Result<usize>>, bar: &ProgressBar) {
    match tasks.join_next().await {
        Some(Ok(Ok(words))) => {
            total.words += words;
            total.files += 1;
        }
        _ => total.left_out += 1,
    }
    bar.inc(1);
}

fn words(text: String) -> usize {
    text.split_whitespace().count()
}

/// Returns all files of these paths, and of the directories below them that are not hidden.
async fn files_below(mut paths: Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if !fs::metadata(&path).await?.is_dir() {
            files.push(path);
            continue;
        }
        let mut entries = fs::read_dir(&path).await?;
        while let Some(entry) = entries.next_entry().await? {
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            let file_type = entry.file_type().await?;
            if file_type.is_dir() && !is_hidden {
                paths.push(entry.path());
            } else if file_type.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}
