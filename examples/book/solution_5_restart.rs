//! Solution of exercise 5.3: a parent that restarts its child when it fails, at most three times.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_5_restart
//! ```
//!
//! prints, on Unix,
//!
//! ```text
//! start 1: exit status: 1
//! start 2: exit status: 1
//! start 3: exit status: 0
//! the child has done its work
//! start 1: signal: 9 (SIGKILL)
//! start 2: signal: 9 (SIGKILL)
//! start 3: signal: 9 (SIGKILL)
//! start 4: signal: 9 (SIGKILL)
//! given up after 3 restarts
//! ```
//!
//! The pause before a restart doubles, so that a child that fails at once does not use all of the
//! processor.

#[cfg(unix)]
mod program {
    use std::io;
    use std::time::Duration;

    use evloop::process::Command;
    use evloop::time::sleep;

    const RESTARTS_MAX: u32 = 3;
    const FIRST_PAUSE: Duration = Duration::from_millis(5);

    pub(crate) fn main() -> io::Result<()> {
        evloop::block_on(async {
            // `$1` is the number of the start. The third one works.
            supervise("test \"$1\" -ge 3").await?;
            supervise("kill -9 $$").await
        })
    }

    async fn supervise(line: &str) -> io::Result<()> {
        let mut pause = FIRST_PAUSE;
        for start in 1..=RESTARTS_MAX + 1 {
            let status = Command::shell(line).arg(start.to_string()).status().await?;
            println!("start {start}: {status}");
            if status.success() {
                println!("the child has done its work");
                return Ok(());
            }
            sleep(pause).await;
            pause *= 2;
        }
        println!("given up after {RESTARTS_MAX} restarts");
        Ok(())
    }
}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    program::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this program needs Unix");
}
