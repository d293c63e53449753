//! Runs a second loop inside a task of the first one: for instance the loop of a library.
//!
//! The first loop waits for the descriptor of the second one, and runs a turn of it when the
//! descriptor is readable. The descriptor becomes readable for sockets, for timers, and for tasks
//! that are spawned or woken between two turns.
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
