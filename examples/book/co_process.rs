//! A coroutine in a process of its own: the lines go through a pipe.
//!
//! ```sh
//! cargo run --package evloop-book --example co_process
//! ```
//!
//! prints
//!
//! ```text
//! in the child: a python is a snake
//! in the child: python generators
//! the child has ended: exit status: 0
//! ```
//!
//! The program starts itself with the argument `child`. The parent's half of the pipeline ends with
//! `send_to`, the child's half begins with `receive_from`.

use std::env;
use std::io::{self, BufRead, Write};
use std::process::{Command, Stdio};

use evloop::coroutine::Coroutine;

/// A coroutine that receives lines and yields no values.
type Sink = Coroutine<'static, (), String>;

fn main() -> io::Result<()> {
    if env::args().nth(1).as_deref() == Some("child") {
        return receive_from(io::stdin().lock(), printer("in the child"));
    }
    let mut child = Command::new(env::current_exe()?).arg("child").stdin(Stdio::piped()).spawn()?;
    let pipe = child.stdin.take().expect("stdin is piped");

    let mut pipeline = grep("python", send_to(pipe));
    pipeline.next();
    for line in ["a python is a snake", "a tiger is a cat", "python generators"] {
        pipeline.send(line.to_string());
    }
    // Drops both coroutines and, with them, the pipe. The child reads the end of its input.
    pipeline.close();
    println!("the child has ended: {}", child.wait()?);
    Ok(())
}

/// The end of one half: writes each value to a file, a pipe or a socket.
fn send_to(mut output: impl Write + 'static) -> Sink {
    Coroutine::new(async move |co| {
        loop {
            let line: String = co.yield_(()).await;
            if let Err(error) = writeln!(output, "{line}") {
                return eprintln!("the other process does not read: {error}");
            }
        }
    })
}

/// The start of the other half: sends each line of the input to a coroutine.
fn receive_from(input: impl BufRead, mut target: Sink) -> io::Result<()> {
    target.next();
    for line in input.lines() {
        target.send(line?);
    }
    Ok(())
}

/// Forwards the lines that contain `word`.
fn grep(word: &'static str, mut target: Sink) -> Sink {
    target.next();
    Coroutine::new(async move |co| {
        loop {
            let line: String = co.yield_(()).await;
            // A coroutine that has returned cannot receive.
            if line.contains(word) && target.is_suspended() {
                target.send(line);
            }
        }
    })
}

fn printer(name: &'static str) -> Sink {
    Coroutine::new(async move |co| {
        loop {
            println!("{name}: {}", co.yield_(()).await);
        }
    })
}
