//! Runs a second loop inside of a task of the first: a library that brings a loop of its own, say.
//!
//! The first loop waits for the descriptor of the second, as for any other, and gives it a turn
//! when that is readable. The descriptor tells of everything: of sockets, of timers, and of what
//! is spawned and woken between two turns.
//!
//! ```sh
//! cargo run --example nested
//! ```
//!
//! prints
//!
//! ```text
//! outer: tick 1
//! inner: tock 1
//! outer: tick 2
//! inner: tock 2
//! outer: tick 3
//! inner: tock 3
//! both are done
//! ```

#[cfg(unix)]
mod unix;

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("nested needs Unix: the descriptor of a loop");
}
