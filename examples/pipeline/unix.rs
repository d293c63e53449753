//! The program. Unix only: it needs `evloop::process`.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use evloop::JoinHandle;
use evloop::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

const LINES: [&str; 3] = ["cat README.md", "grep loop", "wc -l"];

/// The size of the read buffer of a pipe, in bytes.
const BUFFER: usize = 64 * 1024;

pub(crate) fn main() -> ExitCode {
    let lines = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match evloop::block_on(run(lines)) {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the pipeline. Returns the exit status of the last child.
async fn run(mut lines: Vec<String>) -> io::Result<ExitStatus> {
    if lines.is_empty() {
        lines = LINES.map(str::to_owned).into();
    }
    let mut children = start(&lines)?;
    let pipes = connect(&mut children);
    let mut last = ExitStatus::default();
    for ((line, mut child), pipe) in lines.iter().zip(children).zip(pipes) {
        let bytes = pipe.await??;
        last = child.wait().await?;
        eprintln!("{line}: {bytes} bytes, {last}");
    }
    Ok(last)
}

/// Starts all commands. The first one inherits the input of this program.
fn start(lines: &[String]) -> io::Result<Vec<Child>> {
    let start = |(n, line)| {
        let stdin = if n == 0 { Stdio::inherit() } else { Stdio::piped() };
        // If a command cannot be started, the children before it are dropped and killed.
        Command::shell(line).stdin(stdin).stdout(Stdio::piped()).kill_on_drop(true).spawn()
    };
    lines.iter().enumerate().map(start).collect()
}

/// Spawns a task for the output of each child: it copies to the next child, and at the end to
/// stdout.
fn connect(children: &mut [Child]) -> Vec<JoinHandle<io::Result<usize>>> {
    let mut inputs: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
    inputs.remove(0);
    inputs.push(None);
    let outputs = children.iter_mut().map(|child| child.stdout.take().expect("stdout is piped"));
    outputs.zip(inputs).map(|(output, input)| evloop::spawn(copy(output, input))).collect()
}

/// Copies the output of a child, and returns the number of bytes. Closes both ends when either side
/// has ended.
async fn copy(from: ChildStdout, to: Option<ChildStdin>) -> io::Result<usize> {
    let (mut buf, mut bytes) = (vec![0; BUFFER], 0);
    while let n @ 1.. = from.read(&mut buf).await? {
        let written = match &to {
            Some(to) => to.write_all(&buf[..n]).await,
            None => io::stdout().write_all(&buf[..n]),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
        bytes += n;
    }
    Ok(bytes)
}
