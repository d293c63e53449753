//! Runs the loop inside of another: one that waits for its own events, as a GUI's or a game's does.
//!
//! The other loop watches evloop's descriptor next to its own, waits no longer than until evloop's
//! next deadline, and gives it a turn when either has come. Here its own events are clicks that
//! come through a socket.
//!
//! ```sh
//! cargo run --example embed
//! ```
//!
//! prints
//!
//! ```text
//! window: click 1
//! task: 20 ms after click 1
//! window: click 2
//! task: 20 ms after click 2
//! window: click 3
//! task: 20 ms after click 3
//! window: closed
//! ```

#[cfg(unix)]
mod unix;

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("embed needs Unix: the descriptor of a loop");
}
