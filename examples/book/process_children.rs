//! The life of processes: start, pid, join, terminate; zombies, orphans and daemons.
//!
//! ```sh
//! cargo run --package evloop-book --example process_children
//! ```
//!
//! prints, on Unix,
//!
//! ```text
//! child: hello from another process
//! join: exit status: 7
//! the child's parent is this process: true
//! terminate: signal: 15 (SIGTERM)
//! a zombie keeps its pid: true, after wait: false
//! a child that is dropped is reaped: true
//! an orphan gets another parent: true
//! a daemon ends with its handle: true
//! ```

#[cfg(unix)]
mod program {
    use std::env;
    use std::io::{self, Read};
    use std::os::unix::process::parent_id;
    use std::process;
    use std::thread;
    use std::time::Duration;

    use evloop::process::{Command, Stdio};
    use evloop::time::sleep;

    const MOMENT: Duration = Duration::from_millis(5);

    pub(crate) fn main() -> io::Result<()> {
        match env::args().nth(1).as_deref() {
            Some("hello") => {
                println!("child: hello from another process");
                process::exit(7)
            }
            Some("parent-id") => println!("{}", parent_id()),
            Some("orphan") => orphan(),
            Some("parent-of-orphan") => {
                // The grandchild inherits stdout. It is told the pid of its first parent.
                let mut command = process::Command::new(env::current_exe()?);
                command.args(["orphan", &process::id().to_string()]).spawn()?;
            }
            _ => return evloop::block_on(parent()),
        }
        Ok(())
    }

    /// Returns a command that runs this program.
    fn this_program(role: &str) -> io::Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(role);
        Ok(command)
    }

    async fn parent() -> io::Result<()> {
        // p = Process(target=hello); p.start(); p.join(); p.exitcode
        let mut child = this_program("hello")?.spawn()?;
        println!("join: {}", child.wait().await?);

        let output = this_program("parent-id")?.output().await?;
        let id = String::from_utf8_lossy(&output.stdout).trim().parse();
        println!("the child's parent is this process: {}", id == Ok(process::id()));

        let mut child = Command::new("sleep").arg("1000").spawn()?;
        child.terminate()?; // a request: the child still runs for a moment
        println!("terminate: {}", child.wait().await?);

        zombie().await?;

        let child = Command::new("true").spawn()?;
        let id = child.id();
        drop(child); // nobody waits for it: a task of the loop does
        println!("a child that is dropped is reaped: {}", is_gone(id).await?);

        // Reads to the end: until the grandchild has ended, too.
        let output = this_program("parent-of-orphan")?.output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("an orphan gets another parent: {}", said.trim());

        // Python: Process(..., daemon=True)
        let daemon = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
        let id = daemon.id();
        drop(daemon);
        println!("a daemon ends with its handle: {}", is_gone(id).await?);
        Ok(())
    }

    /// Starts a process by the standard library, which does not reap it.
    async fn zombie() -> io::Result<()> {
        let mut child = process::Command::new("true").stdout(Stdio::piped()).spawn()?;
        // The end of its output: the process has ended, or is about to.
        child.stdout.take().expect("stdout is piped").read_to_end(&mut Vec::new())?;
        let before = exists(child.id()).await?;
        child.wait()?; // the system now forgets the process
        let after = exists(child.id()).await?;
        println!("a zombie keeps its pid: {before}, after wait: {after}");
        Ok(())
    }

    /// Returns whether there is a process of this id. Signal 0 is a question.
    async fn exists(id: u32) -> io::Result<bool> {
        let mut command = Command::shell("kill -0 \"$1\" 2>/dev/null");
        Ok(command.arg(id.to_string()).status().await?.success())
    }

    /// Waits until there is no process of this id.
    async fn is_gone(id: u32) -> io::Result<bool> {
        while exists(id).await? {
            sleep(MOMENT).await;
        }
        Ok(true)
    }

    /// Waits until its parent has ended: the system then gives it another one.
    fn orphan() {
        let first = env::args().nth(2).and_then(|id| id.parse().ok());
        while first == Some(parent_id()) {
            thread::sleep(MOMENT);
        }
        println!("true");
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
