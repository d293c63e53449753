//! A pipeline of child processes. The loop moves the bytes between them and counts them.
//!
//! ```sh
//! cargo run --release --example pipeline          # 'cat README.md' 'grep loop' 'wc -l'
//! cargo run --release --example pipeline yes 'head -n 100000' 'tr y n' 'tail -n 1'
//! ```
//!
//! Each argument is a line for the shell. Each command reads the output of the one before. The
//! program prints the output of the last one, and then, on stderr, the bytes and the exit status of
//! each:
//!
//! ```text
//! 24
//! cat README.md: 19274 bytes, exit status: 0
//! grep loop: 1483 bytes, exit status: 0
//! wc -l: 3 bytes, exit status: 0
//! ```
//!
//! A command that stops reading early, such as `head`, ends the commands before it, as in a shell.
//! The exit status is that of the last command.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("pipeline needs Unix: evloop::process");
}
