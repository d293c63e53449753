//! The program, for Unix: it needs `evloop::process`.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use evloop::JoinHandle;
use evloop::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

const LINES: [&str; 3] = ["cat README.md", "grep loop", "wc -l"];

/// What is read from a child at once.
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

/// Runs the pipeline. Gives the status of the last child.
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

/// Starts all. The first one reads what this program reads.
fn start(lines: &[String]) -> io::Result<Vec<Child>> {
    let start = |(n, line)| {
        let stdin = if n == 0 { Stdio::inherit() } else { Stdio::piped() };
        // If one cannot be started those before it are not needed.
        Command::shell(line).stdin(stdin).stdout(Stdio::piped()).kill_on_drop(true).spawn()
    };
    lines.iter().enumerate().map(start).collect()
}

/// A task for what each child prints: it goes to the next one, and in the end to stdout.
fn connect(children: &mut [Child]) -> Vec<JoinHandle<io::Result<usize>>> {
    let mut inputs: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
    inputs.remove(0);
    inputs.push(None);
    let outputs = children.iter_mut().map(|child| child.stdout.take().expect("it is piped"));
    outputs.zip(inputs).map(|(output, input)| evloop::spawn(pour(output, input))).collect()
}

/// Passes on what a child prints. Both ends are closed when either side has had enough.
async fn pour(from: ChildStdout, to: Option<ChildStdin>) -> io::Result<usize> {
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
