//! Runs the loop inside another event loop, such as the one of a GUI or a game.
//!
//! The other loop watches evloop's descriptor besides its own, and waits at most until evloop's
//! next deadline. After an event or at the deadline it runs one turn of evloop. Its own events are
//! clicks here, which it receives through a socket.
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
