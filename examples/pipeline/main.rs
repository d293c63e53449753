//! A pipeline of child processes, the bytes going through the loop, which counts them.
//!
//! ```sh
//! cargo run --release --example pipeline          # 'cat README.md' 'grep loop' 'wc -l'
//! cargo run --release --example pipeline yes 'head -n 100000' 'tr y n' 'tail -n 1'
//! ```
//!
//! Each argument is a line for the shell; what one prints the next one reads. What the last one
//! prints is printed, and then, on stderr, what has passed and how each has ended:
//!
//! ```text
//! 24
//! cat README.md: 19274 bytes, exit status: 0
//! grep loop: 1483 bytes, exit status: 0
//! wc -l: 3 bytes, exit status: 0
//! ```
//!
//! One that does not read to the end, as `head`, ends those before it, as in a shell. The exit
//! status is the last one's.

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
