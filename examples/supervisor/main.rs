//! Keeps commands running: restarts each command that ends, and ends all on Ctrl-C or SIGTERM.
//!
//! ```sh
//! cargo run --release --example supervisor                  # three built-in commands
//! cargo run --release --example supervisor 'ping localhost' 'sleep 3'
//! ```
//!
//! Each argument is a line for the shell. The pause before a restart doubles from 100 ms up to 10 s
//! if a command ends soon after its start. At the end, each command and the processes that it has
//! started receive SIGTERM, and after a second SIGKILL. A second Ctrl-C ends the supervisor itself
//! at once.
//!
//! ```text
//! 1: started as process 4711
//! 2: started as process 4712
//! 1: tick
//! 2: exit status: 1; again in 100 ms
//! 1: tick
//! ^C
//! 1: signal: 15 (SIGTERM)
//! ```

#[cfg(unix)]
mod unix;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("supervisor needs Unix: evloop::process and signals");
}
