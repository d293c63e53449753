//! The program. Unix only: it needs `evloop::process` and signals.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use evloop::process::{ChildStdout, Command, ExitStatus, Stdio};
use evloop::signal::{self, SignalKind};
use evloop::streams::{StreamOptions, from_pipe};
use evloop::sync::Event;
use evloop::time::{now, timeout};

const LINES: [&str; 3] = [
    "while :; do echo tick; sleep 1; done",
    "echo it fails; exit 1",
    "trap '' TERM; echo it does not want to end; while :; do sleep 1; done",
];

/// The pause before a restart: the first one, and the longest one.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A command that has run this long starts with the first pause again.
const STABLE: Duration = Duration::from_secs(5);
/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) fn main() -> ExitCode {
    let lines = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match evloop::block_on(run(lines)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("supervisor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Keeps all commands running until SIGINT or SIGTERM arrives.
async fn run(mut lines: Vec<String>) -> io::Result<()> {
    if lines.is_empty() {
        lines = LINES.map(str::to_owned).into();
    }
    let mut signals = signal::unix_many([SignalKind::interrupt(), SignalKind::terminate()])?;
    let end = Rc::new(Event::new());
    let keepers: Vec<_> = (1..)
        .zip(lines)
        .map(|(number, line)| evloop::spawn(keep(number, line, end.clone())))
        .collect();
    signals.recv().await?;
    // From here on the signals have their default action again.
    drop(signals);
    end.set();
    for keeper in keepers {
        keeper.await?;
    }
    Ok(())
}

/// Runs one command, and restarts it whenever it ends.
async fn keep(number: usize, line: String, end: Rc<Event>) {
    let mut pause = PAUSE;
    loop {
        let began = now();
        let ended = run_once(number, &line, &end).await;
        let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
        if end.is_set() {
            return print(number, how);
        }
        if began.elapsed() >= STABLE {
            pause = PAUSE;
        }
        print(number, format_args!("{how}; again in {} ms", pause.as_millis()));
        if timeout(pause, end.wait()).await.is_ok() {
            return;
        }
        pause = PAUSE_MAX.min(pause * 2);
    }
}

/// Runs one command until it ends, or ends it when `end` is set.
async fn run_once(number: usize, line: &str, end: &Event) -> io::Result<ExitStatus> {
    let mut command = Command::shell(line);
    // A process group of its own: signals reach the processes that the command starts, too.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn()?;
    print(number, format_args!("started as process {}", child.id()));
    let stdout = child.stdout.take().expect("stdout is piped");
    let relay = evloop::spawn(relay(number, stdout)).abort_on_drop();
    evloop::select! {
        ended = child.wait() => drop(ended?),
        () = end.wait() => {
            child.send_signal_to_group(SignalKind::terminate())?;
            // Whether it has ended or not, the rest is the same.
            let _ = timeout(GRACE, child.wait()).await;
        }
    }
    // Also reaches what the command has started and left behind. So the output ends.
    child.send_signal_to_group(SignalKind::kill())?;
    relay.await?;
    child.wait().await
}

/// Prints the output of a command, each line after its number.
async fn relay(number: usize, stdout: ChildStdout) {
    let mut reader = from_pipe(stdout, &StreamOptions::default());
    let mut lines = reader.lines();
    while let Some(Ok(line)) = lines.next().await {
        print(number, String::from_utf8_lossy(&line).trim_end());
    }
}

/// Prints a line. An error of stdout does not end the supervisor.
fn print(number: usize, text: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{number}: {text}");
}
